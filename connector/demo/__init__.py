"""The whole thing on this machine: embedded Kafka, vendors with every fault, sample traffic, and the books.

Nothing is pretended: each connector runs as it is deployed, over a real Kafka protocol and real HTTP. At the
end the books are made from what Kafka and the vendor hold, and held against what an oracle says had to
happen; what the connector counted is one more claim that must agree.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any

import msgspec

from connector.codec.encode import encode_raw
from connector.demo.stage import ASK_S, TOPICS, Progress, Report, Stage
from connector.kafka.embedded import PARTITION_KEEPS_BYTES, Api, EmbeddedKafka, Failure
from connector.kafka.inspect import Cluster
from connector.kafka.produce import Writer
from connector.sample import NOW_MS
from connector.traffic import TopicKind, Traffic

__all__ = ["Demo", "Progress", "Report", "Stage"]

BROKERS = 3
PARTITIONS_MIN = 6
AVERAGE_RECORD_BYTES = 1_200

AHEAD_MAX = 5_000
"""Records written ahead of the slowest connector: a demo should look like a stream, not like a backlog."""

WRITTEN_AT_ONCE = 500

KAFKA_REFUSES = {
    "commit": (Api.OFFSET_COMMIT, [Failure.REBALANCE_IN_PROGRESS]),
    "fetch": (Api.FETCH, [Failure.NOT_LEADER_FOR_PARTITION, Failure.BROKEN_CONNECTION]),
}
"""Answers put into the cluster's mouth every now and then. None to a write: told to refuse one of several
that are under way, the embedded cluster takes those behind it and then calls the refused one a duplicate, so
it is acknowledged and lost. A real broker refuses what is out of sequence. A broker that goes away does harm
enough.
"""

TROUBLE_AFTER_S = 1.0
"""Early enough for a short run to have some, late enough for the groups to be there."""

TROUBLE_EVERY_S = 2.5
AWAY_S = 0.5
"""How long a broker is away; clients come back to it within a second."""

LOOK_S = 0.05
"""How often it is seen whether a run is over."""


class Demo:
    """A demo of some destinations: `async with Demo(…) as demo: await demo.run(…); await demo.reports()`.

    All read the same topics. Everything that decides an outcome comes from `seed`; what only delays (faults,
    timing) differs from run to run and changes no figure of the books. Building it takes a while and needs no
    loop. Raises RuntimeError where there is no embedded Kafka.
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
            self._kafka = EmbeddedKafka(BROKERS)
            stack.callback(self._kafka.close)
            bytes_ = len(self._planned) * AVERAGE_RECORD_BYTES
            for topic in TOPICS.values():
                self._kafka.create_topic(topic, max(PARTITIONS_MIN, bytes_ // PARTITION_KEEPS_BYTES + 1))
            for stage in self.stages:
                self._kafka.create_topic(stage.dead_letter_topic, BROKERS)
                stack.push_async_callback(stage.stop)
                await stage.start(self._kafka.bootstrap)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def run(self, show: Callable[[Sequence[Progress]], None], every_s: float) -> None:
        """Send everything, and call `show` every so often until every stage is over.

        Raises `WriteError` when the embedded Kafka does not take what is produced.
        """
        time = asyncio.get_running_loop().time
        side = [asyncio.create_task(self._produce()), asyncio.create_task(self._trouble())]
        show_at = time()
        try:
            while not all(stage.over for stage in self.stages):
                for stage in self.stages:
                    stage.look()
                for task in side:
                    if task.done():
                        task.result()
                if time() >= show_at:
                    show_at = time() + every_s
                    show(self.progress())
                await asyncio.sleep(LOOK_S)
            show(self.progress())
        finally:
            for task in side:
                task.cancel()
            await asyncio.gather(*side, return_exceptions=True)

    def progress(self) -> list[Progress]:
        """How far each stage is."""
        return [stage.progress() for stage in self.stages]

    async def reports(self) -> list[Report]:
        """The books of every stage. Raises `ClusterError` when Kafka gives no answer."""
        held = await asyncio.to_thread(self._held)
        return [await stage.report(held, self._kafka_faults) for stage in self.stages]

    def _held(self) -> list[tuple[str, int, int, int]]:
        """Every record that Kafka holds: topic, partition, offset, and which of the planned ones it is.

        Of planned records with the same bytes it may be either: the same must become of both.
        """
        which = {(TOPICS[each.topic], each.value): place for place, each in enumerate(self._planned)}
        with Cluster({"bootstrap.servers": self._kafka.bootstrap}, "demo", ASK_S) as cluster:
            return [
                (topic, each.partition, each.offset, which[topic, each.value])
                for topic in TOPICS.values()
                for each in cluster.records(topic)
            ]

    async def _produce(self) -> None:
        writer = Writer({"bootstrap.servers": self._kafka.bootstrap})
        try:
            for count, planned in enumerate(self._planned, 1):
                writer.write(TOPICS[planned.topic], planned.key, planned.value)
                if count % WRITTEN_AT_ONCE == 0:
                    await writer.flush()
                    await self._not_too_far_ahead(count)
            await writer.flush()
        finally:
            writer.close()

    async def _not_too_far_ahead(self, count: int) -> None:
        while any(not each.over and count - each.settled > AHEAD_MAX for each in self.stages):  # noqa: ASYNC110 - counters tell nobody
            await asyncio.sleep(LOOK_S)

    async def _trouble(self) -> None:
        """Kafka has its own bad moments: refused requests, and a broker that goes away and comes back."""
        try:
            await asyncio.sleep(TROUBLE_AFTER_S)
            while True:
                for kind, (api, codes) in KAFKA_REFUSES.items():
                    self._kafka.fail_requests(api, codes)
                    self._kafka_faults[kind] += len(codes)
                self._kafka.broker_down(BROKERS)
                self._kafka_faults["broker"] += 1
                await asyncio.sleep(AWAY_S)
                self._kafka.broker_up(BROKERS)
                await asyncio.sleep(TROUBLE_EVERY_S - AWAY_S)
        finally:
            self._kafka.broker_up(BROKERS)
            for api, _ in KAFKA_REFUSES.values():
                self._kafka.pass_requests(api)
