"""What the poll thread tells the loop, and what the loop tells it. Touches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from connector.model.record import Lease, Record


class Listener(Protocol):
    """Hears on the loop, in the order it happened, what the poll thread sees."""

    def assigned(self, leases: Sequence[tuple[Lease, int | None]]) -> None:
        """These are ours from now on, from these offsets (None: not known yet). Empty: we are in the group,
        without a new partition."""

    def left(self) -> None:
        """The group has put us out. We join again, and then something is assigned."""

    def polled(self, records: list[Record]) -> None:
        """One slice, in the broker's order per partition. Answer with `Feed.taken`."""

    def revoked(self, leases: Sequence[Lease], drained: Future[Mapping[Lease, int]]) -> None:
        """These are taken back. Finish what is open and set what to commit; the thread waits for it."""

    def fenced(self, leases: Sequence[Lease], lost: bool) -> None:
        """These are not ours any more. `lost`: Kafka had taken them before we could commit at the end."""

    def committed(self, offsets: Mapping[Lease, int], error: str | None) -> None:
        """Kafka's answer to a commit."""

    def moved(self, lease: Lease, offset: int) -> None:
        """Where the partition begins. Told before its first record: one below is not taken any more."""

    def jumped(self, lease: Lease, lost: int, offset: int) -> None:
        """Kafka no longer has `lost`, and as the operator wishes the partition goes on at `offset`."""

    def superseded(self, lease: Lease, offset: int) -> None:
        """The topic was created anew and goes on at this offset. Nothing comes from the partition, or can be
        read again, until all that is open is finished: then `Feed.renew` gives a new lease."""

    def passed(self, offsets: Mapping[Lease, int]) -> None:
        """Kafka has no further record below these offsets, and you have taken them all. The marks of
        transactions have offsets, too: behind them a partition would seem to wait for ever."""

    def offset_lost(self, lease: Lease, detail: str) -> None:
        """Kafka no longer has the offset to go on from; nothing comes from this partition until a restart."""

    def ends(self, ends: Mapping[Lease, int]) -> None:
        """Log ends, about once a second."""

    def poll_failed(self, error: BaseException) -> None:
        """The thread is dead."""


class Feed(Protocol):
    """Where records come from, as the loop commands it. No call waits for Kafka."""

    @property
    def heartbeat(self) -> float:
        """When its thread last went round (`time.monotonic`); old when it hangs."""

    @property
    def ident(self) -> int | None:
        """The thread's, None before it started."""

    def start(self) -> None:
        """Begin."""

    def pause(self, leases: Iterable[Lease]) -> None:
        """Bring nothing more from these, until `resume`. What is on its way still comes."""

    def resume(self, leases: Iterable[Lease]) -> None:
        """Bring records from these again."""

    def renew(self, lease: Lease) -> None:
        """All that was open of a superseded lease is finished: begin with what Kafka has now."""

    def commit(self, frontiers: Mapping[Lease, int]) -> None:
        """Everything below these offsets is settled."""

    def taken(self) -> None:
        """One slice is worked off: another may be handed over."""

    async def stop(self, timeout_s: float) -> bool:
        """Let the loop finish what it has, and end. False if that did not fit into `timeout_s`; never takes
        longer."""
