"""Where a partition starts: where the group left off, or where the operator says.

Asks Kafka from the poll thread; every question is bounded in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from confluent_kafka import Consumer

from connector.kafka import offsets
from connector.model.record import Lease

StartFrom = Literal["earliest", "latest", "fail"]
OnOffsetLost = Literal["halt", "earliest", "latest"]

ASK_S = 2.0
"""What a question may take where we cannot go on without the answer."""


class NoOffsetError(Exception):
    """The group has no offset for a partition, and `start_from` is `fail`."""


class Start:
    """Applies `start_from` and `on_offset_lost`. `commit` commits and waits; False if Kafka refused."""

    def __init__(
        self,
        consumer: Consumer,
        start_from: StartFrom,
        on_offset_lost: OnOffsetLost,
        commit: Callable[[Mapping[Lease, int]], bool],
    ) -> None:
        self._consumer = consumer
        self._start_from = start_from
        self._on_offset_lost = on_offset_lost
        self._commit = commit

    @property
    def halts(self) -> bool:
        """Whether a partition whose offset is lost waits for a person."""
        return self._on_offset_lost == "halt"

    def begin(self, leases: Sequence[Lease], timeout_s: float = ASK_S) -> dict[Lease, int | None]:
        """Where each of these starts. None where nobody told us in time: then we must ask again. librdkafka
        asks too, but gives up where the coordinator is just moving, and lets the partition stand for ever."""
        if not leases:
            return {}
        known = offsets.committed(self._consumer, leases, timeout_s)
        if known is None:
            return dict.fromkeys(leases)
        return known | self._first([lease for lease, offset in known.items() if offset is None], timeout_s)

    def again(self, lease: Lease, lost: int | None) -> int | None:
        """Where a partition goes on whose offset Kafka does not have. None: not answered, ask later."""
        if lost is None:
            return self.begin([lease], offsets.ASK_ASIDE_S)[lease]
        assert self._on_offset_lost != "halt", "a halted partition does not go on"
        return offsets.edges(self._consumer, [lease], self._on_offset_lost, offsets.ASK_ASIDE_S).get(lease)

    def losses(self, lost: Mapping[Lease, int]) -> dict[Lease, str]:
        """What was lost of each, in words for people."""
        first = offsets.edges(self._consumer, lost, "earliest", ASK_S)
        last = offsets.edges(self._consumer, lost, "latest", ASK_S)
        return {
            lease: f"Kafka no longer has offset {offset}; it has {first.get(lease)} up to {last.get(lease)}"
            for lease, offset in lost.items()
        }

    def _first(self, leases: Sequence[Lease], timeout_s: float) -> dict[Lease, int]:
        """Where the group starts what it has no offset for. The end of a log is committed before it is used:
        until a first commit, a crash would make us start at a later end."""
        if not leases:
            return {}
        if self._start_from == "fail":
            raise NoOffsetError(f"the group has no offset for {leases[0].topic}:{leases[0].partition}")
        starts = offsets.edges(self._consumer, leases, self._start_from, timeout_s)
        if self._start_from == "latest" and not self._commit(starts):
            return {}
        return starts
