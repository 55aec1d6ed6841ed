"""How far a partition is safe to commit. Decides only: no broker, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Frontier:
    """The first offset of a partition that is still open, which is what we commit.

    Offsets settle in any order, but the frontier only passes an unbroken run of settled ones. We walk the
    offsets the broker gave us instead of counting up: compacted and transactional topics have holes, and a
    hole would stop a counter for ever.

    `start` is where the partition begins under its lease, None while nobody knows.
    """

    __slots__ = ("_next", "_open", "_taken")

    def __init__(self, start: int | None = None) -> None:
        self._next = start
        self._taken: deque[int] = deque()
        """What came from the frontier on, in the broker's order. The first is open, if there is one."""
        self._open: dict[int, int] = {}
        """Open offset → its timestamp. A dict for its speed; its order plays no part."""

    def has_seen(self, offset: int) -> bool:
        """Whether a record came from here or from behind it, so that this one comes again."""
        return self._next is not None and offset < self._next

    def take(self, offset: int, timestamp_ms: int) -> None:
        """A record came from the broker, in its order: never at or below an earlier one."""
        assert self._next is None or offset >= self._next, f"{offset} came after {self._next - 1}"
        self._next = offset + 1
        self._taken.append(offset)
        self._open[offset] = timestamp_ms

    def settle(self, offset: int) -> None:
        """A record got its outcome. Only an open one can: a second outcome is a bug, and a KeyError."""
        del self._open[offset]
        taken = self._taken
        while taken and taken[0] not in self._open:
            taken.popleft()

    def skip_to(self, offset: int) -> None:
        """Nothing below this offset will come any more: Kafka says so."""
        if self._next is None or offset > self._next:
            self._next = offset

    @property
    def commit_offset(self) -> int | None:
        """Where a restart must go on so that nothing is missed; None before anything is known."""
        return self._taken[0] if self._taken else self._next

    @property
    def open_count(self) -> int:
        """Records taken and not settled."""
        return len(self._open)

    @property
    def oldest_open_ms(self) -> int | None:
        """Kafka's timestamp of the record at the frontier, None when nothing is open."""
        return self._open[self._taken[0]] if self._taken else None

    @property
    def ahead(self) -> int:
        """Records from the frontier on, open or settled: what this partition makes us remember."""
        return len(self._taken)

    def completed(self) -> Iterator[int]:
        """Settled offsets beyond the frontier, ascending: what a crash would send again."""
        return (offset for offset in self._taken if offset not in self._open)
