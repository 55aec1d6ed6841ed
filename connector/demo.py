"""The whole thing on this machine: embedded Kafka, vendors with every fault, sample traffic, and the books.

Nothing is pretended: each connector runs as it is deployed, over a real Kafka protocol and real HTTP. At the
end the books are made from what Kafka and the vendor hold, and hold the connector's own figures against what
an oracle says had to happen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any
from urllib.parse import quote

import msgspec

from connector.app import App
from connector.codec.decoder import Decoder
from connector.codec.encode import encode_raw
from connector.conservation import Conservation, Found, audit
from connector.faults import Faults
from connector.kafka.dead_letter import parse
from connector.kafka.embedded import PARTITION_KEEPS_BYTES, Api, EmbeddedKafka, Failure
from connector.kafka.inspect import Cluster
from connector.kafka.produce import Writer
from connector.sample import NOW_MS
from connector.sandbox import SandboxServer
from connector.settings import Settings, from_mapping, typed_options
from connector.settings.reference import example_options
from connector.traffic import Oracle, Planned, TopicKind, Traffic
from connector.vendors import DESTINATIONS

TOPICS: dict[TopicKind, str] = {"orders": "orders", "clickstream": "clickstream"}
FORMATS = {"orders": "avro-raw:OrderEvent", "clickstream": "json"}

FAULTS: Sequence[tuple[str, int]] = (
    ("500:burst=1", 37),
    ("503_after:burst=1", 41),
    ("429:burst=2:retry_after=1", 67),
    ("reset:burst=1", 43),
    ("reset_after:burst=1", 47),
    ("hang:burst=1:seconds=3", 89),
    ("hang_after:burst=1:seconds=3", 97),
    ("slow:burst=1:seconds=0.3", 31),
    ("truncated:burst=1", 53),
)
"""What goes wrong at the vendor, and once in how many requests that carry a batch, so that every kind occurs;
see `faults.py` for the words. On top of it come `SHARE_503`."""

SHARE_503 = 0.03
REQUESTS_PER_BATCH = 25
"""Where a request carries one event there are so many more of them, and faults are as much rarer."""

POISON_EVERY = 150
"""Every n-th mapped event is one that the vendor refuses for good."""

REQUEST_TIMEOUT_S = 1.5
"""Shorter than in production, so that hanging answers fit into a demo."""

QUICK = {"moloco": {"probe_interval_min_s": 1}}
"""Options with which an open breaker fits into a demo, too."""

AVERAGE_RECORD_BYTES = 1_200
AHEAD_MAX = 5_000
"""Records written ahead of the slowest connector: a demo should look like a stream, not like a backlog."""

KAFKA_REFUSES = {
    Api.OFFSET_COMMIT: [Failure.REBALANCE_IN_PROGRESS, Failure.REBALANCE_IN_PROGRESS],
    Api.FETCH: [Failure.NOT_LEADER_FOR_PARTITION, Failure.BROKEN_CONNECTION],
}
"""Answers put into the cluster's mouth every now and then. None to a write: told to refuse one of several
that are under way, the embedded cluster takes those behind it and then calls the refused one a duplicate, so
it is acknowledged and lost. A real broker refuses what is out of sequence. A broker that goes away does harm
enough.
"""

TROUBLE_EVERY_S = 2.0

STUCK_S = 30.0
"""Without one more record settled for so long, a run is over: the longest wait that the faults above can
cause is a breaker's, a few seconds."""

COMMITTED_WITHIN_S = 10.0
"""A commit goes out every second; one that Kafka refuses on purpose goes out again."""

ASK_S = 5.0
STOP_S = 5.0
"""A run that ended well stops at once; one that did not must not keep anybody waiting."""


class Progress(msgspec.Struct, frozen=True):
    """How far one destination is, for a display."""

    destination: str
    consumed: int
    of: int
    settled: int
    status: dict[str, Any]
    faults: dict[str, int]


class Report(msgspec.Struct, frozen=True):
    """How one destination's run ended: the books, and what went wrong on the way, by kind and count.

    `stuck` says in words why the run was given up, None when every record was settled.
    """

    destination: str
    seed: int
    books: Conservation
    stuck: str | None
    vendor_faults: dict[str, int]
    kafka_faults: dict[str, int]
    mistakes: dict[str, int]
    poisoned: int
    took_s: float

    @property
    def balances(self) -> bool:
        """Every record settled, and every book right."""
        return self.stuck is None and self.books.balances


class Stage:
    """One destination of a demo: its vendor, its connector in a group of its own, its oracle."""

    def __init__(self, name: str, planned: Sequence[Planned], seed: int) -> None:
        self.name = name
        self._planned = planned
        self._seed = seed
        self._kind = DESTINATIONS[name]
        self._options = example_options(self._kind.Options) | QUICK.get(name, {})
        options = typed_options(name, self._options)
        destination = self._kind(options)
        oracle = Oracle(Decoder(FORMATS), destination, TOPICS, NOW_MS, POISON_EVERY)
        self._expected = [oracle.expect(each) for each in planned]
        self._poison = oracle.poison
        spec = _faults(one_event=destination.limits.items_max == 1)
        spec = ",".join([spec, *(f"poison:{quote(each)}" for each in sorted(oracle.poison))])
        self._sandbox = SandboxServer.of(self._kind, options, faults=Faults.parse(spec, seed), latency_s=0.01)
        self._moved_at = 0.0
        self._settled_then = -1

    @property
    def dead_letter_topic(self) -> str:
        return f"demo-{self.name}.dead-letter"

    async def start(self, bootstrap: str) -> None:
        """The vendor, then its connector."""
        await self._sandbox.start()
        self._bootstrap = bootstrap
        self.app = App(self._settings(bootstrap))
        await self.app.start()

    async def stop(self) -> None:
        """The connector, then its vendor."""
        if hasattr(self, "app"):
            await self.app.stop()
        await self._sandbox.stop()

    @property
    def settled(self) -> int:
        """Records with an outcome, as the connector counts them."""
        return sum(
            counts.delivered + counts.skipped + counts.dead_lettered
            for counts in self.app.telemetry.topics().values()
        )

    @property
    def complete(self) -> bool:
        return self.settled >= len(self._planned)

    def stuck(self, now: float, stuck_s: float) -> str | None:
        """Why nothing more will come of it, None while something may. Called every so often."""
        if self._settled_then != (settled := self.settled):
            self._settled_then, self._moved_at = settled, now
        status = self.app.status()
        if status["halt_reason"] == "dead_letter_flood":
            return "halted: dead_letter_flood"
        if now - self._moved_at < stuck_s:
            return None
        why = status["waits_on"] or "and nothing says why"
        return f"no record settled in {stuck_s:g} s; {why}; open: {_open(status) or 'nothing that was read'}"

    def progress(self) -> Progress:
        """How far it is."""
        return Progress(
            destination=self.name,
            consumed=sum(counts.consumed for counts in self.app.telemetry.topics().values()),
            of=len(self._planned),
            settled=self.settled,
            status=dict(self.app.status()),
            faults=dict(self._sandbox.ledger.faults),
        )

    async def report(self, stuck: str | None, kafka_faults: Counter[str], took_s: float) -> Report:
        """The books, from those who hold the truth."""
        letters, uncommitted = await self._in_kafka()
        ledger = self._sandbox.ledger
        counted = {
            (outcome, reason): count
            for outcome, reasons in self.app.telemetry.outcomes().items()
            for reason, count in reasons.items()
        }
        found = Found(counted, letters, uncommitted, ledger.accepted, ledger.ignored)
        return Report(
            destination=self.name,
            seed=self._seed,
            books=audit(self._expected, found, self._kind.unavoidable),
            stuck=stuck,
            vendor_faults=dict(ledger.faults),
            kafka_faults=dict(kafka_faults),
            mistakes=dict(Counter(each.kind for each in self._planned if each.kind != "event")),
            poisoned=len(self._poison),
            took_s=took_s,
        )

    async def _in_kafka(self) -> tuple[dict[str, int], int]:
        """Dead letters by reason, each source record once, and how much is not committed when the last
        commits have had their time."""
        until = asyncio.get_running_loop().time() + (COMMITTED_WITHIN_S if self.complete else 0.0)
        left = await asyncio.to_thread(self._left)
        while left and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.2)
            left = await asyncio.to_thread(self._left)
        return await asyncio.to_thread(self._letters), left

    def _cluster(self) -> Cluster:
        return Cluster({"bootstrap.servers": self._bootstrap}, f"demo-{self.name}", ASK_S)

    def _left(self) -> int:
        with self._cluster() as cluster:
            return sum(cluster.left(TOPICS.values()).values())

    def _letters(self) -> dict[str, int]:
        reasons = {}
        with self._cluster() as cluster:
            for _, headers in cluster.records(self.dead_letter_topic):
                letter = parse(headers)
                if letter is not None:
                    reasons[letter.coordinate] = letter.reason
        return dict(Counter(reasons.values()))

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
                    "group_id": f"demo-{self.name}",
                    "format": FORMATS,
                    "properties": {"bootstrap.servers": bootstrap},
                },
                "delivery": {"request_timeout_s": REQUEST_TIMEOUT_S},
                "dead_letter": {"topic": self.dead_letter_topic},
                "limits": {"shutdown_timeout_s": STOP_S, "drain_timeout_s": STOP_S},
                "http": {"host": "127.0.0.1", "port": 0},
            }
        )


class Demo:
    """A demo of some destinations, as `async with Demo(…) as demo: reports = await demo.run(show, 0.5)`.

    All read the same topics. Everything that decides an outcome comes from `seed`; what only delays (faults,
    timing) differs from run to run and changes no figure of the books.
    """

    def __init__(self, destinations: Sequence[str], events: int, seed: int) -> None:
        encode: dict[TopicKind, Callable[[dict[str, Any]], bytes]] = {
            "orders": lambda event: encode_raw("OrderEvent", event),
            "clickstream": msgspec.json.encode,
        }
        self._planned = list(Traffic(events, seed, NOW_MS, encode))
        self.stages = [Stage(name, self._planned, seed) for name in destinations]
        self._kafka_faults: Counter[str] = Counter()

    async def __aenter__(self) -> Demo:
        async with AsyncExitStack() as stack:
            self._kafka = EmbeddedKafka(brokers=3)
            stack.callback(self._kafka.close)
            per_topic = max(6, len(self._planned) * AVERAGE_RECORD_BYTES // PARTITION_KEEPS_BYTES + 1)
            for topic in TOPICS.values():
                self._kafka.create_topic(topic, per_topic)
            for stage in self.stages:
                self._kafka.create_topic(stage.dead_letter_topic, 3)
                stack.push_async_callback(stage.stop)
                await stage.start(self._kafka.bootstrap)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def run(
        self, show: Callable[[Sequence[Progress]], None], every_s: float, stuck_s: float = STUCK_S
    ) -> list[Report]:
        """Send everything, call `show` every so often, and hold the books when the last record is settled, or
        nothing more will be.

        Raises what ended a connector, if one ended by itself.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        side = [asyncio.ensure_future(self._produce()), asyncio.ensure_future(self._trouble())]
        side += [asyncio.ensure_future(stage.app.wait()) for stage in self.stages]
        stuck: dict[str, str | None] = {}
        took_s: dict[str, float] = {}
        try:
            while len(took_s) < len(self.stages):
                for stage in self.stages:
                    if stage.name not in took_s:
                        why = stage.stuck(loop.time(), stuck_s)
                        if stage.complete or why is not None:
                            stuck[stage.name] = None if stage.complete else why
                            took_s[stage.name] = loop.time() - started
                for task in side:
                    if task.done():
                        task.result()
                show([stage.progress() for stage in self.stages])
                await asyncio.sleep(every_s)
        finally:
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)
            self._kafka.broker_up(3)
        return [
            await stage.report(stuck[stage.name], self._kafka_faults, took_s[stage.name])
            for stage in self.stages
        ]

    async def _produce(self) -> None:
        writer = Writer({"bootstrap.servers": self._kafka.bootstrap})
        try:
            for count, planned in enumerate(self._planned, 1):
                writer.write(TOPICS[planned.topic], planned.key, planned.value)
                if count % 500 == 0:
                    await writer.flush()
                    while count - min(stage.settled for stage in self.stages) > AHEAD_MAX:  # noqa: ASYNC110 - counters tell nobody
                        await asyncio.sleep(0.02)
            await writer.flush()
        finally:
            writer.close()
        await asyncio.Event().wait()

    async def _trouble(self) -> None:
        """Kafka has its own bad moments: refused requests, and a broker that goes away and comes back."""
        while True:
            await asyncio.sleep(TROUBLE_EVERY_S)
            for api, codes in KAFKA_REFUSES.items():
                self._kafka.fail_requests(api, codes)
                self._kafka_faults[f"{api.name.lower()} refused"] += len(codes)
            self._kafka.broker_down(3)
            await asyncio.sleep(TROUBLE_EVERY_S / 4)
            self._kafka.broker_up(3)
            self._kafka_faults["broker down"] += 1


def _faults(one_event: bool) -> str:
    rarer = REQUESTS_PER_BATCH if one_event else 1
    spec = [f"503:{SHARE_503 / rarer:g}"]
    for fault, every in FAULTS:
        name, burst, *more = fault.split(":")
        spec.append(":".join([name, f"{burst}/{every * rarer}", *more]))
    return ",".join(spec)


def _open(status: Any) -> str:
    """Where each partition that has something open stands."""
    held = [each for each in status["partitions"] if each["open"]]
    return ", ".join(f"{each['topic']}:{each['partition']}:{each['frontier']}" for each in held)
