"""What Kafka holds, and under which stay of a partition it came to us."""

from __future__ import annotations

import msgspec

RECORD_OVERHEAD_BYTES = 600
"""What a record costs in memory beside its key, value and headers: the record, its ticket, its items'
objects and their places in queues. Measured with `sys.getsizeof` over a Topsort click; rounded up."""


class Lease:
    """One stay of a partition with us, from its assignment to its revocation.

    Everything that came under it carries it. Once `live` is false (the partition was fenced) whatever still
    arrives for it is inert: no outcome is recorded and no offset of it is committed. A partition that comes
    back gets a new lease with a higher epoch. Compared by identity.
    """

    __slots__ = ("epoch", "live", "partition", "topic")

    def __init__(self, topic: str, partition: int, epoch: int) -> None:
        self.topic = topic
        self.partition = partition
        self.epoch = epoch
        self.live = True

    def __repr__(self) -> str:
        state = "" if self.live else " fenced"
        return f"<Lease {self.topic}:{self.partition} epoch {self.epoch}{state}>"


class Record(msgspec.Struct, frozen=True, gc=False):
    """A Kafka record exactly as read, at its position (`lease`, `offset`).

    `timestamp_ms` is Kafka's own (create or append time), epoch milliseconds, 0 when the broker has none.
    """

    lease: Lease
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def coordinate(self) -> str:
        """`topic:partition:offset`, how people and tools name a record."""
        return f"{self.lease.topic}:{self.lease.partition}:{self.offset}"

    @property
    def size(self) -> int:
        """Bytes this record holds in memory, fixed costs included."""
        size = RECORD_OVERHEAD_BYTES
        if self.value is not None:
            size += len(self.value)
        if self.key is not None:
            size += len(self.key)
        for name, value in self.headers:
            size += len(name) + (len(value) if value is not None else 0)
        return size
