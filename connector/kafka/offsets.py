"""Asks Kafka about offsets, from the poll thread: where the group is, where a partition begins and ends.

Every question is bounded in time, and an answer that does not come is None, not an error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_STORED,
    Consumer,
    KafkaException,
    TopicPartition,
)

from connector.model.record import Lease

Edge = Literal["earliest", "latest"]
UNKNOWN = -1
ENDS_STALE_S = 10.0
"""A paused or halted partition fetches nothing, so its log end is asked for, this often."""

ASK_ASIDE_S = 0.5
"""What that question may take: the poll thread waits for it, with all its partitions."""

COMMIT_S = 5.0
"""What a revocation may take beyond its drain: the commit, and the loop being told of it before and after."""

EDGES = {"earliest": OFFSET_BEGINNING, "latest": OFFSET_END}
"""A question for the offset at a time; these two stand for the first and the last."""


def place(lease: Lease, offset: int | None = None) -> TopicPartition:
    """A lease in librdkafka's words; without an offset it means the committed one."""
    return TopicPartition(lease.topic, lease.partition, OFFSET_STORED if offset is None else offset)


def committed(
    consumer: Consumer, leases: Sequence[Lease], timeout_s: float
) -> dict[Lease, int | None] | None:
    """The group's offset of each, None where it has none. None altogether when nobody answers."""
    try:
        answers = consumer.committed([place(lease) for lease in leases], timeout=timeout_s)
    except KafkaException:
        return None
    if any(answer.error is not None for answer in answers):
        return None
    offsets = {(answer.topic, answer.partition): answer.offset for answer in answers}
    return {lease: _known(offsets[(lease.topic, lease.partition)]) for lease in leases}


def edges(consumer: Consumer, leases: Iterable[Lease], edge: Edge, timeout_s: float) -> dict[Lease, int]:
    """The first offset that Kafka has of each, or the one its next record will get, where it answers."""
    by_place = {(lease.topic, lease.partition): lease for lease in leases}
    if not by_place:
        return {}
    try:
        answers = consumer.offsets_for_times(
            [place(lease, EDGES[edge]) for lease in by_place.values()], timeout=timeout_s
        )
    except KafkaException:
        return {}
    return {
        by_place[(answer.topic, answer.partition)]: answer.offset
        for answer in answers
        if answer.error is None and answer.offset >= 0
    }


def commit(consumer: Consumer, offsets: Mapping[Lease, int], timeout_s: float) -> str | None:
    """Commit and wait for the answer, `timeout_s` at the most. Why Kafka did not take it, in words, or None.

    librdkafka's own waiting commit waits for as long as the coordinator is away, and its answers to the other
    kind come by `poll`, which must not be called in a rebalance. So we ask what is committed: a broker
    answers the requests of one connection in order, and by then it has decided.
    """
    try:
        consumer.commit(
            offsets=[place(lease, offset) for lease, offset in offsets.items()], asynchronous=True
        )
    except KafkaException as refused:
        return words(refused)
    found = committed(consumer, list(offsets), timeout_s)
    if found is None:
        return f"no answer within {timeout_s:.1f} s"
    refusals = sum(found[lease] != offset for lease, offset in offsets.items())
    return f"refused for {refusals} of {len(offsets)} partitions" if refusals else None


def positions(consumer: Consumer, leases: Mapping[Lease, int | None]) -> dict[Lease, int | None]:
    """The next offset of each; where nothing has come yet, the one it was started at."""
    answers = consumer.position([place(lease) for lease in leases])
    found = {(answer.topic, answer.partition): _known(answer.offset) for answer in answers}
    return {
        lease: start if (at := found.get((lease.topic, lease.partition))) is None else at
        for lease, start in leases.items()
    }


class LogEnds:
    """The log ends as far as known: from what was fetched, and asked for where nothing is fetched."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._ends: dict[Lease, int] = {}
        self._ask_at = 0.0

    def look(self, leases: Iterable[Lease], quiet: Collection[Lease], now: float) -> dict[Lease, int]:
        """The ends of these, now; `quiet` are those that nothing is fetched from. Leases that are not among
        them are forgotten."""
        self._ends = {
            lease: end
            for lease in leases
            if (end := max(self._fetched(lease), self._ends.get(lease, UNKNOWN))) != UNKNOWN
        }
        if now >= self._ask_at:
            self._ask_at = now + ENDS_STALE_S
            idle = [lease for lease in leases if lease in quiet or lease not in self._ends]
            self._ends |= edges(self._consumer, idle, "latest", ASK_ASIDE_S)
        return dict(self._ends)

    def _fetched(self, lease: Lease) -> int:
        """What the last fetch told, without a question."""
        try:
            _, end = self._consumer.get_watermark_offsets(place(lease), cached=True)
        except KafkaException:
            return UNKNOWN
        return max(end, UNKNOWN)


def words(error: KafkaException) -> str:
    """What librdkafka says, without its wrapping."""
    return str(error.args[0].str()) if error.args and hasattr(error.args[0], "str") else str(error)


def _known(offset: int) -> int | None:
    """Below 0 are librdkafka's words for "none" and "unknown"."""
    return offset if offset >= 0 else None
