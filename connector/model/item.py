"""What travels to a vendor, and the ticket that remembers whose record it is."""

from __future__ import annotations

import msgspec

from connector.model.record import Record

REJECTION_OVERHEAD_BYTES = 400
"""What a rejection costs in memory beside its texts: its own objects, and those of the dead letter that waits
to be written. Measured with `tracemalloc`; rounded up."""


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """Why one item of a record will never be accepted.

    `detail` is for people (the field's path, the vendor's words); it goes to the dead letter, never to a log.
    `status` is the HTTP status that said so, None when no request was made.
    """

    reason: str
    detail: str = ""
    status: int | None = None
    body: bytes = b""
    item_id: str | None = None
    attempts: int = 0

    @property
    def size(self) -> int:
        """Bytes this rejection holds in memory, fixed costs included."""
        size = REJECTION_OVERHEAD_BYTES + len(self.detail) + len(self.body)
        return size + (len(self.item_id) if self.item_id is not None else 0)

    def brief(self) -> Rejection:
        """Without the vendor's words: a dead letter quotes those of its first rejection only."""
        return Rejection(self.reason, status=self.status, item_id=self.item_id, attempts=self.attempts)


class Ticket(msgspec.Struct, gc=False):
    """Counts a record's open items down to its one outcome.

    `open` items are still to be settled; `rejections` collects the refused ones. `cost` is what the record
    holds of the byte budget until its outcome, `event_id` and `event_type` are for the dead letter.
    """

    record: Record
    open: int = 0
    cost: int = 0
    event_id: str = ""
    event_type: str = ""
    rejections: tuple[Rejection, ...] = ()


class Item(msgspec.Struct, gc=False):
    """One vendor-shaped payload, encoded once: a retry sends the same bytes.

    `id` is the idempotency key the vendor sees; `kind` names the array it belongs to in a batch (one word for
    vendors that take one item a request); `key` is its ordering key, None where order does not matter;
    `at_ms` is the time it tells the vendor (epoch milliseconds). The pipeline writes `ticket`; a mapper
    leaves it out, and everything between pipeline and settlement may rely on it.
    """

    id: str
    kind: str
    body: bytes
    at_ms: int
    key: str | None = None
    ticket: Ticket | None = None
