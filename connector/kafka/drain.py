"""One revocation in progress: which partitions must come to rest, and until when. Decides only."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from connector.model.record import Lease


@dataclass(frozen=True)
class Drain:
    """A revocation that the poll thread waits on.

    It ends when nothing of its partitions can still be finished here, or at the deadline (loop time,
    seconds), whichever comes first; what is left then is released to the partition's next owner.
    """

    leases: tuple[Lease, ...]
    drained: Future[Mapping[Lease, int]]
    since: float
    deadline: float

    def answer(self, offsets: Mapping[Lease, int]) -> None:
        """Let the poll thread go on and commit these. It may have given up waiting already."""
        if self.drained.set_running_or_notify_cancel():
            self.drained.set_result(offsets)
