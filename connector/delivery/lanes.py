"""One after the other where items share a key, and all at once where they do not.

Decides only: no broker, no clock.

A key's lane, from its first item to the last:

    open       its items are in the batch that is being filled: another one may join them, in order
    sealed     that batch was closed: it waits, is on the wire, or is on its way to another attempt
    free       all of them are settled: what waits goes on, as many as fit into one batch

A lane costs no task and no timer: it goes on when its batch is settled.
"""

from __future__ import annotations

from collections import deque

from connector.delivery.batch import is_live
from connector.model.item import Item


class _Lane:
    __slots__ = ("held", "waiting")

    def __init__(self) -> None:
        self.held = 1
        self.waiting: deque[Item] | None = None


class Lanes:
    """Who of those that share a key may go now. Items without a key never wait.

    How many wait is bounded from outside: they all count against the byte budget of what is in flight.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._open: set[str] = set()
        self.waiting = 0
        """Items that wait for their predecessors."""

    def admit(self, item: Item) -> bool:
        """True when it may go into the open batch now; otherwise it waits here for its turn."""
        key = item.key
        if key is None:
            return True
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = _Lane()
            self._open.add(key)
            return True
        if self.may_go(item):
            lane.held += 1
            return True
        if lane.waiting is None:
            lane.waiting = deque()
        lane.waiting.append(item)
        self.waiting += 1
        return False

    def may_go(self, item: Item) -> bool:
        """Whether nothing before it keeps it out of the open batch."""
        lane = None if item.key is None else self._lanes.get(item.key)
        return lane is None or (item.key in self._open and not lane.waiting)

    def seal(self) -> None:
        """The open batch is closed: nothing may join it any more."""
        self._open.clear()

    def settle(self, item: Item) -> bool:
        """This item is settled. True when its lane is free and somebody waits there: ask `next`."""
        key = item.key
        if key is None:
            return False
        lane = self._lanes[key]
        lane.held -= 1
        assert lane.held >= 0, "an item is settled once"
        if lane.held:
            return False
        if lane.waiting:
            return True
        del self._lanes[key]
        self._open.discard(key)
        return False

    def next(self, key: str) -> Item | None:
        """The one whose turn comes next, without taking it. None when nobody waits, or all were of partitions
        that are no longer ours; a lane that nobody holds is gone then."""
        lane = self._lanes[key]
        waiting = lane.waiting
        while waiting and not is_live(waiting[0]):
            waiting.popleft()
            self.waiting -= 1
        if waiting:
            return waiting[0]
        if not lane.held:
            del self._lanes[key]
            self._open.discard(key)
        return None

    def take(self, key: str) -> None:
        """The one that `next` named goes into the open batch."""
        lane = self._lanes[key]
        assert lane.waiting, "next() named somebody"
        lane.waiting.popleft()
        self.waiting -= 1
        lane.held += 1
        self._open.add(key)

    def is_open(self, key: str) -> bool:
        """Whether the next of this key may join the open batch."""
        return key in self._open

    def forget_fenced(self) -> None:
        """Partitions were taken away: theirs wait no longer."""
        for lane in self._lanes.values():
            if lane.waiting:
                live = deque(filter(is_live, lane.waiting))
                self.waiting -= len(lane.waiting) - len(live)
                lane.waiting = live
