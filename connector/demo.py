"""The whole thing on this machine: embedded Kafka, a vendor with every fault, sample traffic, and the books.

Nothing is pretended: the connector runs as it is deployed, over a real Kafka protocol and real HTTP, and the
report holds what it did against what an oracle says had to happen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any

import msgspec

from connector.app import App
from connector.codec.decoder import Decoder
from connector.codec.encode import encode_raw
from connector.conservation import Conservation, audit
from connector.faults import Faults
from connector.kafka.embedded import PARTITION_KEEPS_BYTES, Api, EmbeddedKafka, Failure
from connector.kafka.produce import Writer
from connector.sample import NOW_MS
from connector.sandbox import SandboxServer
from connector.settings import Settings, from_mapping, typed_options
from connector.traffic import Oracle, TopicKind, Traffic
from connector.vendors import DESTINATIONS

TOPICS: dict[TopicKind, str] = {"orders": "orders", "clickstream": "clickstream"}
GROUP_ID = "demo"
DEAD_LETTER_TOPIC = f"{GROUP_ID}.dead-letter"

FAULTS = (
    "503:0.03,500:burst=1/37,503_after:burst=1/41,429:burst=2/67:retry_after=1,"
    "reset:burst=1/43,reset_after:burst=1/47,hang:burst=1/89:seconds=3,hang_after:burst=1/97:seconds=3,"
    "slow:burst=1/31:seconds=0.3,truncated:burst=1/53"
)
"""What goes wrong at the vendor, as shares or as so many of so many requests, so that every kind occurs; see
`faults.py` for the words."""

POISON_EVERY = 400
"""Every n-th mapped event is one that the vendor refuses for good."""

REQUEST_TIMEOUT_S = 1.5
"""Shorter than in production, so that hanging answers fit into a demo."""

OPTIONS: dict[str, dict[str, Any]] = {"topsort": {"currency": "EUR"}}
"""What each destination cannot do without."""

AVERAGE_RECORD_BYTES = 1_200
AHEAD_MAX = 5_000
"""Records written ahead of the connector: a demo should look like a stream, not like a backlog."""

KAFKA_REFUSES = {
    Api.OFFSET_COMMIT: [Failure.REBALANCE_IN_PROGRESS, Failure.REBALANCE_IN_PROGRESS],
    Api.PRODUCE: [Failure.NOT_LEADER_FOR_PARTITION, Failure.REQUEST_TIMED_OUT],
    Api.FETCH: [Failure.NOT_LEADER_FOR_PARTITION, Failure.BROKEN_CONNECTION],
}
"""Answers put into the cluster's mouth every now and then."""

TROUBLE_EVERY_S = 2.0


class Progress(msgspec.Struct, frozen=True):
    """How far a demo is, for a display."""

    produced: int
    of: int
    settled: int
    status: dict[str, Any]
    faults: dict[str, int]


class Report(msgspec.Struct, frozen=True):
    """How a demo ended: the books, and what went wrong on the way, by kind and count."""

    destination: str
    seed: int
    books: Conservation
    vendor_faults: dict[str, int]
    kafka_faults: dict[str, int]
    mistakes: dict[str, int]
    poisoned: int
    took_s: float


class Demo:
    """One destination's demo, as `async with Demo(…) as demo: report = await demo.run(show, 0.5)`.

    Everything that decides an outcome comes from `seed`; what only delays (faults, timing) differs from run
    to run and changes no figure of the books.
    """

    def __init__(self, destination: str, events: int, seed: int) -> None:
        self._name = destination
        self._seed = seed
        kind = DESTINATIONS[destination]
        options = typed_options(destination, OPTIONS[destination])
        self._kafka = EmbeddedKafka(brokers=3)
        traffic = Traffic(
            events,
            seed,
            NOW_MS,
            {"orders": lambda event: encode_raw("OrderEvent", event), "clickstream": msgspec.json.encode},
        )
        oracle = Oracle(
            Decoder({"orders": "avro-raw:OrderEvent", "clickstream": "json"}),
            kind(options),
            TOPICS,
            NOW_MS,
            POISON_EVERY,
        )
        self._planned = list(traffic)
        self._expected = [oracle.expect(planned) for planned in self._planned]
        self._poison = oracle.poison
        spec = ",".join([FAULTS, *(f"poison:{each}" for each in sorted(oracle.poison))])
        self._sandbox = SandboxServer.of(kind, options, faults=Faults.parse(spec, seed), latency_s=0.01)
        self._kafka_faults: Counter[str] = Counter()
        self._app: App | None = None

    async def __aenter__(self) -> Demo:
        per_topic = max(6, len(self._planned) * AVERAGE_RECORD_BYTES // PARTITION_KEEPS_BYTES + 1)
        for topic in TOPICS.values():
            self._kafka.create_topic(topic, per_topic)
        self._kafka.create_topic(DEAD_LETTER_TOPIC, 3)
        await self._sandbox.start()
        self._app = App(self._settings())
        await self._app.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._app is not None:
            await self._app.stop()
        await self._sandbox.stop()
        self._kafka.close()

    @property
    def address(self) -> str:
        """Where the live status is."""
        assert self._app is not None, "inside `async with`"
        return self._app.address

    async def run(self, show: Callable[[Progress], None], every_s: float) -> Report:
        """Send everything, call `show` every so often, and hold the books when the last record is settled.

        Raises what ended the connector, if it ended by itself.
        """
        assert self._app is not None, "inside `async with`"
        app = self._app
        started = asyncio.get_running_loop().time()
        side = [asyncio.ensure_future(each) for each in (self._produce(app), self._trouble(), app.wait())]
        try:
            while (progress := self._progress(app)).settled < len(self._planned):
                show(progress)
                for task in side:
                    if task.done():
                        task.result()
                await asyncio.sleep(every_s)
            show(progress)
        finally:
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)
        ledger = self._sandbox.ledger
        books = audit(self._expected, _outcomes(app), ledger.accepted, len(ledger.ignored))
        return Report(
            destination=self._name,
            seed=self._seed,
            books=books,
            vendor_faults=dict(ledger.faults),
            kafka_faults=dict(self._kafka_faults),
            mistakes=dict(Counter(each.kind for each in self._planned if each.kind != "event")),
            poisoned=len(self._poison),
            took_s=asyncio.get_running_loop().time() - started,
        )

    def _settings(self) -> Settings:
        return from_mapping(
            {
                "destination": {
                    "name": self._name,
                    "url": self._sandbox.url,
                    "api_key": "demo-key",
                    "options": OPTIONS[self._name],
                },
                "source": {
                    "topics": list(TOPICS.values()),
                    "group_id": GROUP_ID,
                    "format": {"orders": "avro-raw:OrderEvent", "clickstream": "json"},
                    "properties": {"bootstrap.servers": self._kafka.bootstrap},
                },
                "delivery": {"request_timeout_s": REQUEST_TIMEOUT_S},
                "dead_letter": {"topic": DEAD_LETTER_TOPIC},
                "http": {"host": "127.0.0.1", "port": 0},
            }
        )

    async def _produce(self, app: App) -> None:
        writer = Writer({"bootstrap.servers": self._kafka.bootstrap})
        try:
            for count, planned in enumerate(self._planned, 1):
                writer.write(TOPICS[planned.topic], planned.key, planned.value)
                if count % 500 == 0:
                    await writer.flush()
                    while count - _settled(app) > AHEAD_MAX:  # noqa: ASYNC110 - counters tell nobody
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

    def _progress(self, app: App) -> Progress:
        return Progress(
            produced=sum(counts.consumed for counts in app.telemetry.topics().values()),
            of=len(self._planned),
            settled=_settled(app),
            status=dict(app.status()),
            faults=dict(self._sandbox.ledger.faults),
        )


def _settled(app: App) -> int:
    return sum(
        counts.delivered + counts.skipped + counts.dead_lettered for counts in app.telemetry.topics().values()
    )


def _outcomes(app: App) -> dict[tuple[str, str], int]:
    return {
        (outcome, reason): count
        for outcome, reasons in app.telemetry.outcomes().items()
        for reason, count in reasons.items()
    }
