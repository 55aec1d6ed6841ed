"""Whatever happens in whatever order: no commit past an open record, one outcome a record, and none is lost.

A state machine plays Kafka, the vendor, the dead-letter topic and the registry against one pipeline. What it
believes about a record comes from them alone: the vendor took its items, its letter was acknowledged, or it
is one to skip.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connector.kafka.budget import Budget
from connector.kafka.dead_letter import parse
from connector.model.record import Lease
from connector.vendors.contract import Request, Response
from tests.delivery.virtual_time import VirtualLoop
from tests.examples import examples
from tests.pipeline.rig import KEYS, Rig, event_id, framed, in_json, item_ids

PARTITIONS = 3
KINDS = (
    "good",
    "two",
    "poison",
    "skip",
    "refuse",
    "raise",
    "garbage",
    "tombstone",
    "unknown",
    "also_unknown",
)
SECONDS = st.sampled_from([0.0, 0.06, 0.2, 0.4, 3.0, 40.0])
"""Nothing, until a batch leaves, while its request is open, until it is answered, for a retry, for a halt."""
KIND_LISTS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)
SCHEMA_IDS = {"unknown": 7, "also_unknown": 8}
DEAD = ("poison", "refuse", "raise", "garbage")
SKIPPED = ("skip", "tombstone")


class Logged:
    """One record in Kafka, and where its items ended up."""

    def __init__(self, number: int, kind: str) -> None:
        self.kind = kind
        self.ids = [*item_ids(event_id(number), 2 if kind == "two" else 1)]
        self.value = _value(number, kind)


def _value(number: int, kind: str) -> bytes | None:
    match kind:
        case "tombstone":
            return None
        case "garbage":
            return b"\xff\xfe"
        case "unknown" | "also_unknown":
            return framed(SCHEMA_IDS[kind], number)
        case "skip" | "refuse" | "raise":
            return in_json(number, do=kind)
        case "two":
            return in_json(number, items="2")
        case _:
            return in_json(number)


class AnyOrder(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.numbers = 0
        self.log: list[list[Logged]] = [[] for _ in range(PARTITIONS)]
        self.fetched: dict[Lease, int] = {}
        self.held: dict[int, Lease] = {}
        self.given_back: dict[Lease, Future[Any]] = {}
        self.kafka_has = [0] * PARTITIONS
        self.commits_seen = 0
        self.vendor = 200
        self.accepted: set[str] = set()
        self.poison: set[str] = set()
        self.keys: dict[str, int] = {}
        self.open_keys: set[int] = set()

    def _answer(self, ids: list[str]) -> Response:
        if self.vendor != 200:
            return Response(self.vendor, {"retry-after": "2"} if self.vendor == 429 else {})
        if self.poison.intersection(ids):
            return Response(400, body=b"no")
        self.accepted.update(ids)
        return Response(200)

    def _wait(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    def _call(self, method: Any, *arguments: Any) -> Any:
        async def call() -> Any:
            return method(*arguments)

        return self.runner.run(call())

    # ── what may happen ──────────────────────────────────────────────────────────────────────────

    @initialize(
        keyed=st.booleans(),
        backlog=st.lists(KIND_LISTS, min_size=PARTITIONS, max_size=PARTITIONS),
        seconds=SECONDS,
    )
    def begin(self, keyed: bool, backlog: list[list[str]], seconds: float) -> None:
        """Every partition has records from the start: left to chance, nine of ten stories have none."""

        async def start() -> Rig:
            budget = Budget(20_000, 0.5, 8)
            rig = Rig(self._answer, budget=budget, latency_s=0.3, drain_timeout_s=5, keyed=keyed)
            self.send = rig.wire.send
            if keyed:
                rig.wire.send = self._send_alone  # type: ignore[method-assign]  # to watch it
            return await rig.__aenter__()

        self.rig = self.runner.run(start())
        for number, kinds in enumerate(backlog):
            self.assign(number)
            self._write(number, kinds)
        self._wait(seconds)

    async def _send_alone(self, request: Request) -> Response:
        """With keys, no two requests of one are open."""
        keys = {self.keys[each] for each in request.body.decode().split(",")}
        assert self.open_keys.isdisjoint(keys), "two requests of one key"
        self.open_keys |= keys
        try:
            return await self.send(request)
        finally:
            self.open_keys -= keys

    @rule(number=st.integers(0, PARTITIONS - 1))
    def assign(self, number: int) -> None:
        if number in self.held or number in {lease.partition for lease in self.given_back}:
            return
        start = self.kafka_has[number]
        self.held[number] = lease = self._call(self.rig.assign, number, start)
        self.fetched[lease] = start

    @rule(number=st.integers(0, PARTITIONS - 1), kinds=KIND_LISTS, seconds=SECONDS)
    def poll(self, number: int, kinds: list[str], seconds: float) -> None:
        self._write(number, kinds)
        self._wait(seconds)

    def _write(self, number: int, kinds: list[str]) -> None:
        """More records in Kafka; whoever has the partition polls them."""
        log = self.log[number]
        for kind in kinds:
            self.numbers += 1
            log.append(Logged(self.numbers, kind))
            self.keys.update(dict.fromkeys(log[-1].ids, (len(log) - 1) % KEYS))
            if kind == "poison":
                self.poison.update(log[-1].ids)
        if number in self.held:
            self._fetch(self.held[number])

    @rule(status=st.sampled_from([200, 200, 503, 429, 401]), seconds=SECONDS)
    def vendor_changes(self, status: int, seconds: float) -> None:
        self.vendor = status
        self._wait(seconds)

    @rule(takes=st.booleans())
    def dead_letter_topic_changes(self, takes: bool) -> None:
        self.rig.topic.acknowledges = takes
        if takes:
            self._call(self.rig.topic.acknowledge)

    @rule(kind=st.sampled_from(sorted(SCHEMA_IDS)))
    def registry_answers(self, kind: str) -> None:
        self.rig.schemas.register(SCHEMA_IDS[kind])

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self._wait(seconds)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), seconds=SECONDS)
    def revoke(self, data: st.DataObject, seconds: float) -> None:
        lease = self.held.pop(data.draw(st.sampled_from(sorted(self.held))))
        self.given_back[lease] = self._call(self.rig.revoke, lease)
        self._wait(seconds)

    @rule(gives_up=st.booleans())
    def poll_thread_goes_on(self, gives_up: bool) -> None:
        """It commits what the drain answered; or has waited long enough and commits nothing."""
        for lease, drained in list(self.given_back.items()):
            if not drained.done() and not (gives_up and drained.cancel()):
                continue
            committed = False
            if not drained.cancelled():
                offset = drained.result().get(lease)
                committed = offset is not None
                if offset is not None:
                    self._kafka_commits(lease, offset)
            del self.given_back[lease]
            self._call(lambda lease=lease, lost=not committed: self.rig.fence(lease, lost=lost))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        lease = self.held.pop(data.draw(st.sampled_from(sorted(self.held))))
        self._call(lambda: self.rig.fence(lease, lost=True))

    @rule(refused=st.booleans())
    def commit(self, refused: bool) -> None:
        self._call(self.rig.pipeline.commit)
        for offsets in self.rig.kafka.commits[self.commits_seen :]:
            if not refused:
                for lease, offset in offsets.items():
                    self._kafka_commits(lease, offset)
            self._call(self.rig.pipeline.committed, offsets, "not now" if refused else None)
        self.commits_seen = len(self.rig.kafka.commits)

    # ── what must hold ───────────────────────────────────────────────────────────────────────────

    def _kafka_commits(self, lease: Lease, offset: int) -> None:
        log = self.log[lease.partition]
        letters = self._letters()
        for place, record in enumerate(log[:offset]):
            assert self._is_done(record, lease.partition, place, letters), (
                f"{record.kind} at {place} is open and {offset} was committed"
            )
        self.kafka_has[lease.partition] = offset

    def _letters(self) -> set[tuple[int, int]]:
        found = set()
        for letter in self.rig.topic.letters:
            read = parse(letter.headers)
            assert read is not None
            found.add((read.partition, read.offset))
        return found

    def _is_done(self, record: Logged, number: int, place: int, letters: set[tuple[int, int]]) -> bool:
        if record.kind in SKIPPED:
            return True
        if record.kind in DEAD:
            return (number, place) in letters
        return self.accepted.issuperset(record.ids)

    @invariant()
    def the_books_balance(self) -> None:
        if hasattr(self, "rig"):
            self.rig.books()

    def teardown(self) -> None:
        """Everything works again: every record of every partition gets its one right outcome."""
        if not hasattr(self, "rig"):
            self.runner.close()
            return
        try:
            self.vendor = 200
            self.dead_letter_topic_changes(True)
            for kind in SCHEMA_IDS:
                self.registry_answers(kind)
            self._wait(600)
            self.poll_thread_goes_on(True)
            for number in range(PARTITIONS):
                self.assign(number)
            for lease in self.held.values():
                self._fetch(lease)
            self._wait(3600)
            self.commit(refused=False)
            assert self.kafka_has == [len(log) for log in self.log]
            assert not self.rig.kafka.paused & {*self.held.values()}
            assert "in_flight" not in self.rig.books()
            assert self._letters() == {
                (number, place)
                for number, log in enumerate(self.log)
                for place, record in enumerate(log)
                if record.kind in DEAD
            }
            self.runner.run(self.rig.close())
        finally:
            self.runner.close()

    def _fetch(self, lease: Lease) -> None:
        """Everything from where this lease is up to the end of its partition comes as one slice."""
        log = self.log[lease.partition]
        fresh = log[self.fetched[lease] :]
        self.fetched[lease] = len(log)
        if fresh:
            self._call(self.rig.poll, lease, *(record.value for record in fresh))


AnyOrder.TestCase.settings = settings(
    max_examples=examples(200),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAnyOrder = AnyOrder.TestCase
