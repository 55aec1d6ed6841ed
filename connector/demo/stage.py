"""One destination of a demo: its vendor's stand-in, its connector in a group of its own, and its books.

Stages share the records in Kafka and nothing else, so any number of them can play at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from connector.app import App
from connector.codec.decoder import Decoder
from connector.conservation import Conservation, Found, Produced, audit
from connector.demo.patience import Patience
from connector.demo.trouble import Injected, injected, vendor_faults
from connector.faults import Faults
from connector.kafka.dead_letter import parse
from connector.kafka.inspect import Cluster
from connector.sample import NOW_MS
from connector.sandbox import SandboxServer
from connector.settings import Settings, from_mapping, typed_options
from connector.settings.reference import example_options
from connector.traffic import Oracle, Planned, TopicKind
from connector.vendors import DESTINATIONS
from connector.witness import Witness

TOPICS: dict[TopicKind, str] = {"orders": "orders", "clickstream": "clickstream"}
FORMATS = {"orders": "avro-raw:OrderEvent", "clickstream": "json"}

POISON_EVERY = 150
"""Every n-th mapped event is one that the vendor refuses for good."""

REQUEST_TIMEOUT_S = 1.5
"""Shorter than in production, so that hanging answers fit into a demo."""

VENDOR_LATENCY_S = 0.01
"""What a vendor nearby takes."""

QUICK = {"moloco": {"probe_interval_min_s": 1}}
"""Options with which an open breaker fits into a demo, too."""

STUCK_S = 30.0
"""Without one more record settled for so long, a run is over: the longest wait that the faults of a demo can
cause is a breaker's, a few seconds."""

COMMITTED_WITHIN_S = 10.0
"""A commit goes out every second; one that Kafka refuses on purpose goes out again."""

LAST_COMMITS_S = 2.5
"""The same where a record is open: some offsets never come, but the others may have their two turns."""

COMMITTED_LOOK_S = 0.2
ASK_S = 5.0
STOP_S = 5.0
"""A run that ended well stops at once; one that did not must not keep anybody waiting."""


class Progress(msgspec.Struct, frozen=True):
    """How far one destination is, for a display. `status` is what its `/status` answers."""

    destination: str
    of: int
    settled: int
    status: Mapping[str, Any]
    faults: Mapping[str, int]


class Report(msgspec.Struct, frozen=True):
    """How one destination's run ended: the books, and what went wrong on the way.

    `gave_up` says in words why the run was not waited for any longer, None when every record was settled.
    """

    destination: str
    seed: int
    books: Conservation
    gave_up: str | None
    injected: Sequence[Injected]
    took_s: float

    @property
    def balances(self) -> bool:
        """Every record settled, and every book right."""
        return self.gave_up is None and self.books.balances

    @property
    def differences(self) -> list[str]:
        """What does not balance, a sentence each."""
        return [*([self.gave_up] if self.gave_up else []), *self.books.differences]


class Stage:
    """One destination's run over the shared records: `start`, `look` until `over`, `report`, `stop`."""

    def __init__(self, name: str, planned: Sequence[Planned], seed: int) -> None:
        self.name = name
        self.over = False
        self._planned = planned
        self._seed = seed
        self._kind = DESTINATIONS[name]
        self._options = example_options(self._kind.Options) | QUICK.get(name, {})
        options = typed_options(name, self._options)
        destination = self._kind(options)
        oracle = Oracle(Decoder(FORMATS), destination, TOPICS, NOW_MS, POISON_EVERY)
        self._expected = [oracle.expect(each) for each in planned]
        self._poison = oracle.poison
        self._one_event = destination.limits.items_max == 1
        self._witness = Witness(self._kind.sandbox(options), oracle.bodies)
        self._sandbox = SandboxServer.of(
            self._kind,
            options,
            stand_in=self._witness,
            faults=Faults.parse(vendor_faults(self._one_event, oracle.poison), seed),
            latency_s=VENDOR_LATENCY_S,
        )
        self._patience = Patience(STUCK_S)
        self._gave_up: str | None = None
        self._took_s = 0.0
        self._app: App | None = None
        self._ended: asyncio.Task[None] | None = None

    @property
    def group_id(self) -> str:
        """The consumer group of this stage's connector."""
        return f"demo-{self.name}"

    @property
    def dead_letter_topic(self) -> str:
        """This stage's own, by the connector's default."""
        return f"{self.group_id}.dead-letter"

    @property
    def address(self) -> str:
        """Where the connector's live status is."""
        return self._connector.address

    @property
    def ledger_address(self) -> str:
        """Where the vendor tells what it has accepted."""
        return f"{self._sandbox.base_url}/_stats?ids=0"

    async def start(self, bootstrap: str) -> None:
        """The vendor, then its connector."""
        await self._sandbox.start()
        self._bootstrap = bootstrap
        self._app = App(self._settings(bootstrap))
        await self._app.start()
        self._ended = asyncio.create_task(self._app.wait())
        self._began_at = asyncio.get_running_loop().time()

    async def stop(self) -> None:
        """The connector, then its vendor."""
        if self._ended is not None:
            self._ended.cancel()
            await asyncio.gather(self._ended, return_exceptions=True)
        if self._app is not None:
            await self._app.stop()
        await self._sandbox.stop()

    @property
    def _connector(self) -> App:
        assert self._app is not None, "after `start`"
        return self._app

    # ── while it plays ───────────────────────────────────────────────────────────────────────────

    @property
    def settled(self) -> int:
        """Records with an outcome, as the connector counts them."""
        return sum(
            counts.delivered + counts.skipped + counts.dead_lettered
            for counts in self._connector.telemetry.topics().values()
        )

    def look(self) -> None:
        """See whether the run is `over`: everything settled, or nothing more to come."""
        if self.over:
            return
        now = asyncio.get_running_loop().time()
        settled = self.settled
        if settled < len(self._planned):
            self._gave_up = self._died() or self._patience.gives_up(settled, self._connector.status(), now)
            if self._gave_up is None:
                return
        self.over = True
        self._took_s = now - self._began_at

    def _died(self) -> str | None:
        """Why the connector ended by itself; None while it lives."""
        assert self._ended is not None, "after `start`"
        if not self._ended.done():
            return None
        error = self._ended.exception()
        words = "and says nothing" if error is None else f"{type(error).__name__}: {error}"
        return f"the connector ended by itself: {words}"

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(
            destination=self.name,
            of=len(self._planned),
            settled=self.settled,
            status=self._connector.status(),
            faults=dict(self._sandbox.ledger.faults),
        )

    # ── the books ────────────────────────────────────────────────────────────────────────────────

    async def report(
        self, held: Iterable[tuple[str, int, int, int]], kafka_faults: Mapping[str, int]
    ) -> Report:
        """The books, from those who hold the truth. `held` are the records in Kafka: topic, partition,
        offset, and which of the planned ones it is."""
        produced = [
            Produced(topic, number, offset, self._expected[which]) for topic, number, offset, which in held
        ]
        committed = await self._committed(produced)
        letters = await asyncio.to_thread(self._letters)
        ledger = self._sandbox.ledger
        counted = {
            (outcome, reason): count
            for outcome, reasons in self._connector.telemetry.outcomes().items()
            for reason, count in reasons.items()
        }
        found = Found(counted, letters, committed, ledger.accepted, ledger.ignored, self._witness.altered)
        return Report(
            destination=self.name,
            seed=self._seed,
            books=audit(len(self._planned), produced, found, self._kind.unavoidable),
            gave_up=self._gave_up,
            injected=injected(
                self._one_event,
                ledger.requests,
                len(self._poison),
                ledger.faults,
                kafka_faults,
                Counter(each.kind for each in self._planned),
            ),
            took_s=self._took_s,
        )

    async def _committed(self, produced: Sequence[Produced]) -> dict[tuple[str, int], int]:
        """The group's offsets, when the last commits have had their time."""
        ends: dict[tuple[str, int], int] = {}
        for each in produced:
            place = (each.topic, each.partition)
            ends[place] = max(ends.get(place, 0), each.offset + 1)
        time = asyncio.get_running_loop().time
        until = time() + (COMMITTED_WITHIN_S if self._gave_up is None else LAST_COMMITS_S)
        while True:
            committed = await asyncio.to_thread(self._offsets)
            if time() >= until or all(committed.get(place, 0) >= end for place, end in ends.items()):
                return committed
            await asyncio.sleep(COMMITTED_LOOK_S)

    def _cluster(self) -> Cluster:
        return Cluster({"bootstrap.servers": self._bootstrap}, self.group_id, ASK_S)

    def _offsets(self) -> dict[tuple[str, int], int]:
        with self._cluster() as cluster:
            known = cluster.topics()
            places = [(topic, number) for topic in TOPICS.values() for number in range(known[topic])]
            offsets = cluster.committed((topic, known[topic]) for topic in TOPICS.values())
        return {place: offset for place, offset in zip(places, offsets, strict=True) if offset is not None}

    def _letters(self) -> dict[str, str]:
        """Coordinate of the source record → reason; a record that was written aside twice is one."""
        with self._cluster() as cluster:
            letters = [parse(each.headers) for each in cluster.records(self.dead_letter_topic)]
        return {each.coordinate: each.reason for each in letters if each is not None}

    def _settings(self, bootstrap: str) -> Settings:
        return from_mapping(
            {
                "destination": {
                    "name": self.name,
                    "url": self._sandbox.url,
                    "api_key": "demo-key",
                    "options": self._options,
                },
                "source": {
                    "topics": list(TOPICS.values()),
                    "group_id": self.group_id,
                    "format": FORMATS,
                    "properties": {"bootstrap.servers": bootstrap},
                },
                "delivery": {"request_timeout_s": REQUEST_TIMEOUT_S},
                "dead_letter": {"topic": self.dead_letter_topic},
                "limits": {"shutdown_timeout_s": STOP_S, "drain_timeout_s": STOP_S},
                "http": {"host": "127.0.0.1", "port": 0},
            }
        )
