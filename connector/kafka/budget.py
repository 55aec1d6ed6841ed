"""When to pause a partition and when to let it run again, in bytes. Decides only: no broker, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from connector.kafka.assignment import Partition
from connector.model.record import Lease

LOW_SHARE = 0.5
"""A partition over its own mark runs again at half of it. A pause throws away what was fetched ahead, so
there must be much room between the two marks."""


class Turn(NamedTuple):
    """What must change now. Both are empty most of the time."""

    pause: list[Lease]
    resume: list[Lease]


class Budget:
    """Bounds what is in flight: all together by bytes, each partition by its share and by records.

    Everything pauses at `limit_bytes` and runs again at the low mark. A partition pauses alone at
    `partition_share` of the limit (while others are there to use the rest) or with `ahead_max` records from
    its frontier on. What was handed over before a pause took hold still comes: the bound is the limit plus
    one hand-over.
    """

    def __init__(self, limit_bytes: int, partition_share: float, ahead_max: int) -> None:
        self.limit_bytes = limit_bytes
        self._share_bytes = int(limit_bytes * partition_share)
        # Above what one partition may hold, or one that is stuck with its share would keep all others paused.
        self._low_bytes = (limit_bytes + self._share_bytes) // 2
        self._ahead_max = ahead_max
        self._full = False

    def balance(self, partitions: Iterable[Partition], hold: bool = False) -> Turn:
        """Compare what every partition holds with its marks, note `paused` in it, and say what changed.

        `hold` pauses everything, whatever it holds: nothing can be sent. Halted and draining partitions are
        counted, and left as they are.
        """
        counted = list(partitions)
        self._mark(counted)
        stop = hold or self._full
        turn = Turn([], [])
        for partition in counted:
            paused = stop or partition.over
            if paused == partition.paused or partition.halted is not None or partition.draining:
                continue
            partition.paused = paused
            (turn.pause if paused else turn.resume).append(partition.lease)
        return turn

    def _mark(self, partitions: list[Partition]) -> None:
        held = sum(partition.open_bytes for partition in partitions)
        if held >= self.limit_bytes:
            self._full = True
        elif self._full:
            # Partitions that are stuck may hold more than the low mark, by what came after their pause;
            # the others need not wait for them once they have nothing left to wait for themselves.
            others_wait = all(partition.over or not partition.open_bytes for partition in partitions)
            self._full = held > self._low_bytes and not others_wait
        share_bytes = self._share_bytes if len(partitions) > 1 else self.limit_bytes
        for partition in partitions:
            factor = LOW_SHARE if partition.over else 1
            ahead_max = max(1, self._ahead_max * factor)
            partition.over = (
                partition.open_bytes >= max(1, share_bytes * factor) or partition.frontier.ahead >= ahead_max
            )
