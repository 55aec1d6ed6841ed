"""A whole pipeline without sockets and brokers: everything between poll thread and wire is the real thing.

The poll thread is a list of the commands it got, the vendor a function, the dead-letter topic and the schema
registry do what a test tells them. It runs in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from random import Random
from types import TracebackType
from typing import Any, cast
from uuid import UUID

import msgspec

from connector.codec.avro_form import WriterSchema
from connector.codec.decoder import Decoder, NotFound
from connector.codec.encode import encode_framed
from connector.codec.registry import Registry, Silence
from connector.codec.schemas import text
from connector.delivery.flood import FloodGuard
from connector.delivery.sender import Sender
from connector.kafka.assignment import Assignment, Partition
from connector.kafka.budget import Budget
from connector.kafka.consumer import PollThread
from connector.kafka.dead_letter import Context, DeadLetters, Forms, Letter, parse
from connector.model.event import Event
from connector.model.item import Item
from connector.model.record import Lease, Record
from connector.ops.counts import TopicCounts
from connector.ops.telemetry import Telemetry
from connector.pipeline import Pipeline
from connector.replay import Replay
from connector.vendors.contract import Limits, Mapped, MapResult, Refused, Response, Skipped
from tests.delivery.acme import LIMITS, Acme, Answer, Wire

TOPIC = "clicks"
NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


class Shop(Acme):
    """Does with an event what its `properties.do` says: `skip`, `refuse`, `raise`, else map it to
    `properties.items` items (1)."""

    def map(self, event: Event, now_ms: int) -> MapResult:
        wish = event.properties or {}
        match wish.get("do"):
            case "skip":
                return Skipped("no_entity")
            case "refuse":
                return Refused("invalid_price", "items[0].unit_price")
            case "raise":
                raise ZeroDivisionError(f"personal: {event.event_id}")
        ids = item_ids(event.event_id, int(wish.get("items", "1")))
        return Mapped([Item(each, "event", each.encode(), NOW_MS) for each in ids])


def item_ids(event_id: str, count: int = 1) -> list[str]:
    """The ids that `Shop` gives the items of an event."""
    return [f"{event_id}/{index}" for index in range(count)]


def event_id(number: int) -> str:
    """An event's id; the same number, the same id."""
    return str(UUID(int=number))


def event(number: int, **wish: str) -> dict[str, Any]:
    """An event that `Shop` understands."""
    return {
        "event_id": event_id(number),
        "event_type": "click",
        "occurred_at": NOW_MS,
        "properties": wish,
    }


def in_json(number: int, **wish: str) -> bytes:
    """Its JSON form."""
    return msgspec.json.encode(event(number, **wish))


def framed(schema_id: int, number: int, **wish: str) -> bytes:
    """Its form in Avro, under a schema id that the registry must be asked for."""
    return encode_framed(schema_id, event(number, **wish), "ClickstreamEvent")


class Kafka:
    """In the place of the poll thread: what it was told to do."""

    def __init__(self) -> None:
        self.paused: set[Lease] = set()
        self.pauses = 0
        self.commits: list[dict[Lease, int]] = []
        self.renewed: list[Lease] = []
        self.slices_done = 0

    def pause(self, leases: Sequence[Lease]) -> None:
        assert leases, "a command without a partition"
        assert self.paused.isdisjoint(leases), "paused twice"
        self.paused.update(leases)
        self.pauses += 1

    def resume(self, leases: Sequence[Lease]) -> None:
        assert leases, "a command without a partition"
        assert self.paused.issuperset(leases), "resumed what was not paused"
        self.paused.difference_update(leases)

    def commit(self, offsets: Mapping[Lease, int]) -> None:
        assert offsets, "a command without a partition"
        self.commits.append(dict(offsets))

    def renew(self, lease: Lease) -> None:
        self.renewed.append(lease)

    def taken(self) -> None:
        self.slices_done += 1


class DeadLetterTopic:
    """Takes letters, and acknowledges them at once unless it is told to wait."""

    def __init__(self) -> None:
        self.acknowledges = True
        self.waiting: list[tuple[Letter, Callable[[], None]]] = []
        self.letters: list[Letter] = []
        """The acknowledged ones."""

    def write(self, topic: str, forms: Forms, done: Callable[[], None]) -> None:
        self.waiting.append((forms[0], done))
        if self.acknowledges:
            asyncio.get_running_loop().call_soon(self.acknowledge)

    def acknowledge(self) -> None:
        """Everything that waits is written now."""
        waiting, self.waiting = self.waiting, []
        for letter, done in waiting:
            self.letters.append(letter)
            done()

    @property
    def reasons(self) -> dict[int, str]:
        """Offset of the source record → why."""
        found = {}
        for letter in self.letters:
            read = parse(letter.headers)
            assert read is not None
            found[read.offset] = read.reason
        return found


class Schemas:
    """In the place of the registry's server: it is silent about every id until it is told."""

    def __init__(self) -> None:
        self.known: dict[int, WriterSchema | NotFound] = {}
        self.bug = False

    def register(self, schema_id: int) -> None:
        self.known[schema_id] = WriterSchema(text("ClickstreamEvent"))

    async def ask(self, schema_id: int) -> WriterSchema | NotFound | Silence:
        if self.bug:
            raise ZeroDivisionError("a bug in the registry's client")
        return self.known.get(schema_id, Silence("down"))

    async def close(self) -> None:
        pass


def ok(ids: list[str]) -> Response:
    """A vendor that takes everything."""
    return Response(200)


KEYS = 3
"""Where records have keys they share so many, also across partitions, in turn."""


class Rig:
    """A pipeline with all its neighbours, as `async with Rig() as rig`.

    Leaving it raises whatever would have ended the process.
    """

    def __init__(
        self,
        answer: Answer = ok,
        *,
        limits: Limits = LIMITS,
        latency_s: float = 0.05,
        linger_s: float = 0.05,
        max_in_flight: int = 8,
        budget: Budget | None = None,
        flood: FloodGuard | None = None,
        drain_timeout_s: float = 20.0,
        keyed: bool = False,
        replay: Replay | None = None,
    ) -> None:
        self.kafka = Kafka()
        self.topic = DeadLetterTopic()
        self.schemas = Schemas()
        self.wire = Wire(answer, latency_s)
        self.telemetry = Telemetry("acme", asyncio.get_running_loop().time)
        if replay is not None:
            replay.connect(self.topic)
        self.assignment = Assignment()
        self.destination = Shop()
        self.registry = Registry(self.schemas, self.telemetry, Random(1))
        self.decoder = Decoder("auto", self.registry)
        self.pipeline = Pipeline(
            decoder=self.decoder,
            registry=self.registry,
            destination=self.destination,
            assignment=self.assignment,
            budget=budget if budget is not None else Budget(100 << 20, 0.5, 50_000),
            dead_letters=DeadLetters(
                "dead-letter",
                Context("acme", "group", "settings", lambda words: words),
                self.topic,
                self.now_ms,
            ),
            flood=flood if flood is not None else FloodGuard(1.0, 200),
            telemetry=self.telemetry,
            drain_timeout_s=drain_timeout_s,
            key_by_record=keyed,
            replay=replay,
            now_ms=self.now_ms,
        )
        self.sender = Sender(
            destination=self.destination,
            url="https://acme.test/events",
            limits=limits,
            transport=self.wire,
            outlet=self.pipeline,
            telemetry=self.telemetry,
            read_credentials=lambda: {"x-key": "new"},
            linger_s=linger_s,
            max_in_flight=max_in_flight,
            keyed=keyed,
            random=Random(1),
        )
        self.pipeline.connect(self.sender, cast("PollThread", self.kafka))
        self._keyed = keyed
        self._next: dict[Lease, int] = {}
        self._epoch = 0
        self._loop = asyncio.get_running_loop()
        self._trouble: list[BaseException] = []
        self._loop.set_exception_handler(self._failed)

    async def __aenter__(self) -> Rig:
        self._work = [asyncio.create_task(self.pipeline.run()), asyncio.create_task(self.sender.run())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop, and raise what went wrong unseen."""
        for task in self._work:
            task.cancel()
        for result in await asyncio.gather(*self._work, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        await self.pipeline.close()
        await self.sender.close()
        await self.registry.close()
        if self._trouble:
            raise self._trouble[0]

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._trouble.append(context.get("exception") or RuntimeError(context["message"]))

    def now_ms(self) -> int:
        return NOW_MS + int(self._loop.time() * 1000)

    # ── what Kafka does ──────────────────────────────────────────────────────────────────────────

    def assign(self, number: int = 0, start: int = 0) -> Lease:
        """A partition is ours from here on."""
        self._epoch += 1
        lease = Lease(TOPIC, number, self._epoch)
        self._next[lease] = start
        self.pipeline.assigned([(lease, start)])
        return lease

    def records(self, lease: Lease, *values: bytes | None) -> list[Record]:
        """The next records of a partition."""
        found = []
        for value in values:
            offset = self._next[lease]
            key = b"%d" % (offset % KEYS) if self._keyed else None
            found.append(Record(lease, offset, self.now_ms(), key, value, ()))
            self._next[lease] += 1
        return found

    def poll(self, lease: Lease, *values: bytes | None) -> None:
        """One slice of one partition."""
        self.pipeline.polled(self.records(lease, *values))

    def revoke(self, *leases: Lease) -> Future[Mapping[Lease, int]]:
        """Partitions are taken back; the future is the poll thread's."""
        drained: Future[Mapping[Lease, int]] = Future()
        self.pipeline.revoked(leases, drained)
        return drained

    def fence(self, *leases: Lease, lost: bool = False) -> None:
        """These are somebody else's; as in the poll thread, the lease dies before the loop hears."""
        for lease in leases:
            lease.live = False
        self.pipeline.fenced(leases, lost)

    # ── what one sees ────────────────────────────────────────────────────────────────────────────

    def partition(self, lease: Lease) -> Partition:
        return self.assignment[lease]

    @property
    def sent(self) -> list[str]:
        """Every id that left, in order of leaving, repeats included."""
        return [each for _, ids in self.wire.sent for each in ids]

    def books(self) -> dict[str, int]:
        """How the records stand. In flight is counted from what is open, not worked out from the others."""
        counts = self.telemetry.topics().get(TOPIC, TopicCounts())
        books = {
            "delivered": counts.delivered,
            "skipped": counts.skipped,
            "dead_lettered": counts.dead_lettered,
            "released": counts.released,
            "in_flight": self.assignment.in_flight().get(TOPIC, 0),
        }
        assert counts.consumed == sum(books.values()), f"{counts.consumed} consumed, but {books}"
        return {name: count for name, count in books.items() if count}
