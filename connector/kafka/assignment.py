"""Which partitions are ours, under which lease, and how each stands. Decides only: no broker, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connector.kafka.frontier import Frontier
from connector.model.record import Lease


class Partition:
    """One partition while it is ours: its frontier, what it holds of the byte budget, and why it may stand.

    `draining`: it was revoked and takes no new record. `halted`: the reason why it waits for a person.
    `superseded`: where its topic begins, which was created anew; what is open belongs to the old one, and can
    be read by nobody again. `paused` is the budget's doing. `end` is the log end, `committed` what Kafka has
    acknowledged.
    """

    __slots__ = (
        "_known_ms",
        "_known_of",
        "committed",
        "draining",
        "end",
        "frontier",
        "halted",
        "lease",
        "offered",
        "open_bytes",
        "over",
        "paused",
        "superseded",
    )

    def __init__(self, lease: Lease, start: int | None) -> None:
        self.lease = lease
        self.frontier = Frontier(start)
        self.open_bytes = 0
        self.draining = False
        self.halted: str | None = None
        self.superseded: int | None = None
        self.paused = False
        self.over = False
        """It holds more than its share, or too many records; the budget's memory between its two marks."""
        self.end: int | None = None
        self.committed: int | None = None
        self.offered: int | None = None
        """The offset last sent to be committed, answered or not."""
        self._known_of: int | None = None
        self._known_ms = 0
        """The frontier when a log end beyond it was first told, and when that was."""

    def take(self, offset: int, timestamp_ms: int, cost: int) -> None:
        """A record came; it holds `cost` bytes until it is settled."""
        self.frontier.take(offset, timestamp_ms)
        self.open_bytes += cost

    def add_bytes(self, cost: int) -> None:
        """A record that is open holds this much more."""
        self.open_bytes += cost

    def settle(self, offset: int, cost: int) -> None:
        """A record got its outcome; `cost` is all that it held."""
        self.frontier.settle(offset)
        self.open_bytes -= cost

    def ends_at(self, end: int, now_ms: int) -> None:
        """The log end, as the broker tells it now."""
        self.end = end
        frontier = self.frontier.commit_offset
        if frontier is not None and frontier < end and frontier != self._known_of:
            self._known_of, self._known_ms = frontier, now_ms

    @property
    def takes(self) -> bool:
        """Whether records that come are ours to finish. While draining they are not, if the next owner can
        read them."""
        return not self.draining or self.superseded is not None

    @property
    def commit_offset(self) -> int | None:
        """Where a restart must go on; None before anything is known."""
        return self.frontier.commit_offset if self.superseded is None else self.superseded

    @property
    def open_count(self) -> int:
        """Records taken and not settled."""
        return self.frontier.open_count

    @property
    def lag(self) -> int | None:
        """Log end minus committed, or minus the frontier before a first commit; None while unknown."""
        done = self.committed if self.committed is not None else self.commit_offset
        if self.end is None or done is None:
            return None
        return max(0, self.end - done)

    def unsettled_s(self, now_ms: int) -> float:
        """The age, by Kafka's timestamp, of the record at the frontier; 0 where none waits.

        A record that we have not read (the partition is halted or paused, or it is not fetched yet) shows no
        timestamp; then it is the time since we know that it is there, which is never more than its age. So is
        it for a record that Kafka has no timestamp of.
        """
        since_ms = self.frontier.oldest_open_ms
        if not since_ms:
            if self._known_of is None or self._known_of != self.frontier.commit_offset:
                return 0.0
            since_ms = self._known_ms
        return max(0.0, (now_ms - since_ms) / 1000)


class Assignment:
    """The partitions that are ours now, by lease. A lease that is not in here belongs to the past."""

    def __init__(self) -> None:
        self._partitions: dict[Lease, Partition] = {}

    def __getitem__(self, lease: Lease) -> Partition:
        return self._partitions[lease]

    def __iter__(self) -> Iterator[Partition]:
        return iter(self._partitions.values())

    def __len__(self) -> int:
        return len(self._partitions)

    def get(self, lease: Lease) -> Partition | None:
        """The partition under this lease, None when it is not ours any more."""
        return self._partitions.get(lease)

    def add(self, lease: Lease, start: int | None) -> None:
        """A partition came. `start` is the offset it begins at, if known."""
        assert lease not in self._partitions, f"{lease} came twice"
        self._partitions[lease] = Partition(lease, start)

    def remove(self, lease: Lease) -> Partition:
        """A partition went; what it still had open is in the answer."""
        return self._partitions.pop(lease)

    @property
    def open_bytes(self) -> int:
        """Bytes held by everything in flight."""
        return sum(partition.open_bytes for partition in self)

    def in_flight(self) -> dict[str, int]:
        """Records of each topic that are taken and not settled, counted from what is open."""
        found: dict[str, int] = {}
        for partition in self:
            topic = partition.lease.topic
            found[topic] = found.get(topic, 0) + partition.open_count
        return found

    def to_commit(self) -> dict[Lease, int]:
        """Frontiers that Kafka has not been told yet. Each is offered once; a refused one again.

        The first offer of a lease is where it starts: the loss of an offset that Kafka knows is noticed.
        """
        offsets: dict[Lease, int] = {}
        for partition in self:
            offset = partition.commit_offset
            if offset is not None and offset != partition.offered:
                partition.offered = offset
                offsets[partition.lease] = offset
        return offsets

    def committed(self, offsets: Mapping[Lease, int], ok: bool) -> None:
        """Kafka's answer to a commit; partitions that went in the meantime are passed over."""
        for lease, offset in offsets.items():
            partition = self._partitions.get(lease)
            if partition is None:
                continue
            if ok:
                partition.committed = offset
            else:
                partition.offered = None

    def moved(self, offsets: Mapping[Lease, int]) -> None:
        """Nothing below these offsets will come any more: partitions begin, or go on, there."""
        for lease, offset in offsets.items():
            partition = self._partitions.get(lease)
            if partition is not None:
                partition.frontier.skip_to(offset)

    def ends(self, ends: Mapping[Lease, int], now_ms: int) -> None:
        """Log ends as the broker tells them now."""
        for lease, end in ends.items():
            partition = self._partitions.get(lease)
            if partition is not None:
                partition.ends_at(end, now_ms)
