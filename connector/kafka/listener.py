"""What the poll thread tells the loop. Touches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from connector.model.record import Lease, Record


class Listener(Protocol):
    """Hears on the loop, in the order it happened, what the poll thread sees."""

    def assigned(self, leases: Sequence[tuple[Lease, int | None]]) -> None:
        """These are ours from now on, from these offsets (None: not known yet). Empty: we are in the group,
        without a new partition."""

    def polled(self, records: list[Record]) -> None:
        """One slice, in the broker's order per partition. Answer with `PollThread.taken`."""

    def revoked(self, leases: Sequence[Lease], drained: Future[Mapping[Lease, int]]) -> None:
        """These are taken back. Finish what is open and set what to commit; the thread waits for it."""

    def fenced(self, leases: Sequence[Lease], lost: bool) -> None:
        """These are not ours any more. `lost`: Kafka had taken them before we could commit at the end."""

    def committed(self, offsets: Mapping[Lease, int], error: str | None) -> None:
        """Kafka's answer to a commit."""

    def moved(self, lease: Lease, offset: int) -> None:
        """Nothing below this offset will come any more: the partition begins, or goes on, there."""

    def superseded(self, lease: Lease, offset: int) -> None:
        """The topic was created anew and goes on at this offset. Nothing comes from the partition, or can be
        read again, until all that is open is finished: then `PollThread.renew` gives a new lease."""

    def offset_lost(self, lease: Lease, detail: str) -> None:
        """Kafka no longer has the offset to go on from; nothing comes from this partition until a restart."""

    def ends(self, ends: Mapping[Lease, int]) -> None:
        """Log ends, about once a second."""

    def poll_failed(self, error: BaseException) -> None:
        """The thread is dead."""
