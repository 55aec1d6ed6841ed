"""A member of a consumer group for tests: the real poll thread, and a loop side that does as it is told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Literal

from confluent_kafka import OFFSET_INVALID, Consumer, Producer, TopicPartition

from connector.kafka.assignment import Assignment
from connector.kafka.consumer import PollThread
from connector.kafka.properties import consumer_properties
from connector.model.record import Lease, Record
from tests.broker.launcher.brokers import Broker

PATIENCE_S = 30.0
"""How long we wait for what must happen. Nothing waits this long unless the test fails."""

BRISK = {
    "log_level": "0",
    "heartbeat.interval.ms": "200",
    "topic.metadata.refresh.interval.ms": "500",
    "topic.metadata.propagation.max.ms": "1000",
    "reconnect.backoff.max.ms": "200",
}
"""Groups notice each other in test time."""

SESSION_MS = {"mock": "3000", "real": "30000"}
"""After how long a silent member is thrown out. On Kafka only a test that means it may see that, however busy
the machine; the embedded Kafka makes every rebalance take this long."""

Spot = tuple[str, int, int]
"""Topic, partition and offset: one record of the source."""


class Member:
    """`settles`: records are settled as they come. `takes`: slices are worked off. `answers`: when a
    revocation is answered, with the frontiers as they are then.

    Its bookkeeping is the product's own `Assignment`. `got` is everything polled, `settled` everything that
    was settled under a live lease: what would have been delivered.
    """

    def __init__(
        self,
        broker: Broker,
        group_id: str,
        *topics: str,
        settles: bool = True,
        takes: bool = True,
        answers: Literal["when_settled", "at_once", "never"] = "when_settled",
        start_from: Literal["earliest", "latest", "fail"] = "earliest",
        on_offset_lost: Literal["halt", "earliest", "latest"] = "halt",
        drain_timeout_s: float = 10,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.settles = settles
        self.takes = takes
        self.answers = answers
        self.assignment = Assignment()
        self.got: list[Record] = []
        self.settled: list[Spot] = []
        self._open: dict[tuple[Lease, int], Record] = {}
        self.commits: list[tuple[dict[Lease, int], str | None]] = []
        self.fences: list[tuple[list[Lease], bool]] = []
        self.moves: list[tuple[Lease, int]] = []
        self.passes: list[dict[Lease, int]] = []
        self.lost: list[tuple[Lease, str]] = []
        self.superseding: list[tuple[Lease, int]] = []
        self.jumps: list[tuple[int, int]] = []
        self.slices = 0
        self.joined = False
        self.stays: list[bool] = []
        """In the group, or out of it: what was told, in turn."""
        self.failure: BaseException | None = None
        self.drains: list[tuple[Sequence[Lease], Future[Mapping[Lease, int]]]] = []
        self._happened = asyncio.Event()
        protocol = (properties or {}).get("group.protocol", "classic")
        brisk = BRISK | {"session.timeout.ms": SESSION_MS[broker.kind]}
        if protocol == "consumer":  # there the broker says how often and how long
            brisk = {name: value for name, value in brisk.items() if ".ms" not in name}
        given = {"bootstrap.servers": broker.bootstrap, **brisk, **(properties or {})}
        self.poll = PollThread(
            consumer_properties(given, group_id=group_id, client_id="test", prefetch_bytes=8 << 20),
            topics,
            self,
            start_from=start_from,
            on_offset_lost=on_offset_lost,
            drain_timeout_s=drain_timeout_s,
            logger=logging.getLogger("connector.kafka"),
        )

    async def __aenter__(self) -> Member:
        self.poll.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.settle_all()
        await self.poll.stop(5)

    # ── what tests ask and do ────────────────────────────────────────────────────────────────────

    async def until(self, holds: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        """Return as soon as it holds; looked at whenever the thread told something."""
        try:
            async with asyncio.timeout(patience_s):
                while not holds():
                    self._happened.clear()
                    await self._happened.wait()
        except TimeoutError:
            raise AssertionError(f"not within {patience_s:g} s: {what}; {self!r}") from None

    async def has(self, count: int) -> None:
        """Wait until so many records came."""
        await self.until(lambda: len(self.got) >= count, f"{count} records")

    async def owns(self, count: int) -> None:
        """Wait until so many partitions are ours."""
        await self.until(lambda: len(self.assignment) == count, f"{count} partitions")

    def spots(self) -> list[Spot]:
        """Where the records came from, in the order they came."""
        return [spot(record) for record in self.got]

    def leases(self) -> list[Lease]:
        """What is ours."""
        return [each.lease for each in self.assignment]

    def settle_all(self) -> None:
        """Settle what is open, and go on so."""
        self.settles = True
        for record in [*self._open.values()]:
            self._settle(record)
        self.end_drains()
        self.renew()

    def end_drains(self) -> None:
        """Answer the revocations that have nothing open any more."""
        for leases, drained in [*self.drains]:
            is_open = any(self.assignment[each].open_count for each in leases)
            if self.answers == "at_once" or (self.answers == "when_settled" and not is_open):
                self.answer(leases, drained)

    def answer(self, leases: Sequence[Lease], drained: Future[Mapping[Lease, int]]) -> None:
        """Answer one revocation with the frontiers as they are."""
        self.drains.remove((leases, drained))
        if drained.set_running_or_notify_cancel():
            offsets = {each: self.assignment[each].commit_offset for each in leases}
            drained.set_result({each: offset for each, offset in offsets.items() if offset is not None})

    def renew(self) -> None:
        """Ask for the successors of what was superseded and has nothing open any more."""
        for partition in self.assignment:
            if partition.superseded is not None and not partition.open_count:
                self.poll.renew(partition.lease)

    async def commit(self) -> None:
        """Commit the frontiers and wait for the answer."""
        offsets, before = self.assignment.to_commit(), len(self.commits)
        self.poll.commit(offsets)
        await self.until(
            lambda: any(offsets == told for told, _ in self.commits[before:]), f"the answer to {offsets}"
        )

    def take_on(self) -> None:
        """Work off the slices that were left lying, and those to come."""
        self.takes = True
        for _ in range(self.slices):
            self.poll.taken()
        self.slices = 0

    def __repr__(self) -> str:
        return (
            f"<Member with {len(self.assignment)} partitions, {len(self.got)} records, {len(self.settled)} "
            f"settled, fenced {self.fences}, lost {self.lost}, commits {self.commits[-3:]}, {self.failure!r}>"
        )

    # ── what the thread tells ────────────────────────────────────────────────────────────────────

    def assigned(self, leases: Sequence[tuple[Lease, int | None]]) -> None:
        self._stand(True)
        for lease, start in leases:
            self.assignment.add(lease, start)
        self._happened.set()

    def left(self) -> None:
        self._stand(False)
        self._happened.set()

    def _stand(self, joined: bool) -> None:
        if self.joined is not joined:
            self.stays.append(joined)
        self.joined = joined

    def polled(self, records: list[Record]) -> None:
        for record in records:
            partition = self.assignment.get(record.lease)
            if partition is None or not partition.takes:
                continue
            partition.take(record.offset, record.timestamp_ms, record.size)
            self.got.append(record)
            self._open[(record.lease, record.offset)] = record
            if self.settles:
                self._settle(record)
        if self.takes:
            self.poll.taken()
        else:
            self.slices += 1
        self._happened.set()

    def revoked(self, leases: Sequence[Lease], drained: Future[Mapping[Lease, int]]) -> None:
        for lease in leases:
            self.assignment[lease].draining = True
        self.drains.append((leases, drained))
        self.end_drains()
        self._happened.set()

    def fenced(self, leases: Sequence[Lease], lost: bool) -> None:
        self.fences.append((list(leases), lost))
        self.drains = [each for each in self.drains if not set(each[0]) & set(leases)]
        for lease in leases:
            self.assignment.remove(lease)
        self._happened.set()

    def committed(self, offsets: Mapping[Lease, int], error: str | None) -> None:
        self.commits.append((dict(offsets), error))
        self.assignment.committed(offsets, error is None)
        self._happened.set()

    def moved(self, lease: Lease, offset: int) -> None:
        self.moves.append((lease, offset))
        self.assignment.moved({lease: offset})
        self._happened.set()

    def passed(self, offsets: Mapping[Lease, int]) -> None:
        self.passes.append(dict(offsets))
        self.assignment.moved(offsets)
        self._happened.set()

    def jumped(self, lease: Lease, lost: int, offset: int) -> None:
        self.jumps.append((lost, offset))
        self._happened.set()

    def superseded(self, lease: Lease, offset: int) -> None:
        self.superseding.append((lease, offset))
        self.assignment[lease].superseded = offset
        self.renew()
        self._happened.set()

    def offset_lost(self, lease: Lease, detail: str) -> None:
        self.lost.append((lease, detail))
        self.assignment[lease].halted = "offset_lost"
        self._happened.set()

    def ends(self, ends: Mapping[Lease, int]) -> None:
        self.assignment.ends(ends, time.time_ns() // 1_000_000)
        self._happened.set()

    def poll_failed(self, error: BaseException) -> None:
        self.failure = error
        self._happened.set()

    def _settle(self, record: Record) -> None:
        del self._open[(record.lease, record.offset)]
        if record.lease.live:
            self.assignment[record.lease].settle(record.offset, record.size)
            self.settled.append(spot(record))


def spot(record: Record) -> Spot:
    """Where a record came from."""
    return record.lease.topic, record.lease.partition, record.offset


def produce(broker: Broker, topic: str, count: int, partitions: int = 1) -> list[Spot]:
    """Write records round robin, acknowledged; where they are if the topic was empty before."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0, "enable.idempotence": True})
    before = broker.end_offsets(topic)
    for number in range(count):
        producer.produce(topic, b"%d" % number, partition=number % partitions)
    assert producer.flush(PATIENCE_S) == 0
    after = broker.end_offsets(topic)
    return [
        (topic, partition, offset)
        for partition in range(partitions)
        for offset in range(before[partition], after[partition])
    ]


def committed(broker: Broker, group_id: str, topic: str, partition: int = 0) -> int | None:
    """What the group has committed, as somebody else sees it."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "log_level": 0, "group.id": group_id})
    (answer,) = consumer.committed([TopicPartition(topic, partition)], timeout=PATIENCE_S)
    consumer.close()
    return None if answer.offset == OFFSET_INVALID else answer.offset
