"""Fills batches to the vendor's limits, and closes them in time. Decides only: no broker, no clock."""

from __future__ import annotations

from connector.model.item import Item
from connector.vendors.contract import Limits

NEVER = float("inf")


class Batcher:
    """The one open batch: takes items in order, gives full batches out in order.

    It closes when the next item would break a limit, when it is full, or when its oldest item has waited
    `linger_s`. With one item a request nothing ever waits.
    """

    def __init__(self, limits: Limits, linger_s: float) -> None:
        self._items_max = limits.items_max
        self._bytes_max = limits.body_bytes_max
        self._frame_bytes = limits.frame_bytes
        self._per_kind = dict(limits.per_kind)
        self._unique_ids = limits.unique_ids and limits.items_max > 1
        self._linger_s = linger_s
        self._items: list[Item] = []
        self._bytes = limits.frame_bytes
        self._kinds: dict[str, int] = {}
        self._ids: set[str] = set()
        self.due = NEVER
        """When the open batch must be closed; infinite while there is none."""

    def add(self, item: Item, now: float) -> list[Item] | None:
        """Take one item; the items of the batch that this closed, if it closed one."""
        cost = len(item.body) + 1  # the comma
        closed = None
        if self._items and not self._fits(item, cost):
            closed = self.close()
        items = self._items
        if not items:
            self.due = now + self._linger_s
        items.append(item)
        self._bytes += cost
        if self._per_kind:
            self._kinds[item.kind] = self._kinds.get(item.kind, 0) + 1
        if self._unique_ids:
            self._ids.add(item.id)
        if len(items) == self._items_max:
            assert closed is None, "a full batch was closed when it became full"
            return self.close()
        return closed

    def close(self) -> list[Item] | None:
        """The open batch's items, if there is one; the next item opens a new one."""
        if not self._items:
            return None
        items = self._items
        self._items = []
        self._bytes = self._frame_bytes
        self._kinds.clear()
        self._ids.clear()
        self.due = NEVER
        return items

    def __len__(self) -> int:
        """Items in the open batch."""
        return len(self._items)

    def has_room_for(self, item: Item) -> bool:
        """Whether this item can be added without closing the open batch first."""
        return not self._items or self._fits(item, len(item.body) + 1)

    def _fits(self, item: Item, cost: int) -> bool:
        if self._bytes + cost > self._bytes_max:
            return False
        if self._unique_ids and item.id in self._ids:
            return False
        kind_max = self._per_kind.get(item.kind)
        return kind_max is None or self._kinds.get(item.kind, 0) < kind_max
