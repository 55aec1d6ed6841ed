"""Everything that is not on the wire: the batch that is being filled, the lanes, and the backlog behind it.

Decides only: no broker, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from connector.delivery.backlog import Backlog
from connector.delivery.batch import Batch
from connector.delivery.batcher import Batcher
from connector.delivery.lanes import Lanes
from connector.model.item import Item
from connector.vendors.contract import Limits


class Outbox:
    """Takes items in order and gives batches out, each when its turn has come.

    With `keyed` an item waits for its predecessor with the same key, or travels with it. The outbox must be
    told of every item that is `settled`, and of every batch that has ended.
    """

    def __init__(self, limits: Limits, linger_s: float, *, keyed: bool) -> None:
        self._batcher = Batcher(limits, linger_s)
        self._lanes = Lanes() if keyed else None
        self._backlog = Backlog()

    @property
    def keyed(self) -> bool:
        """Whether items that share a key wait for each other."""
        return self._lanes is not None

    # ── coming in ────────────────────────────────────────────────────────────────────────────────

    def add(self, items: Sequence[Item], now: float) -> bool:
        """Take these over; True when a batch became ready."""
        fresh = self._backlog.fresh
        if self._lanes is None:
            for item in items:
                closed = self._batcher.add(item, now)
                if closed is not None:
                    self._backlog.add_fresh(Batch(closed))
        else:
            for item in items:
                if self._lanes.may_go(item):  # else it would close a batch that it may not join
                    self._make_room(item)
                if self._lanes.admit(item):
                    self._put(item, now)
        return self._backlog.fresh > fresh

    def close_batch(self) -> None:
        """The open batch waits for company no longer."""
        items = self._batcher.close()
        if items is not None:
            self._ready(items)

    def put_back(self, batch: Batch) -> None:
        """A batch that could not be tried after all; it goes first."""
        self._backlog.put_back(batch)

    def add_retry(self, batch: Batch, due: float, *, throttled: bool = False) -> None:
        """A batch that is sent again at `due`; `throttled`: the vendor said that it was one too many."""
        self._backlog.add_retry(batch, due, throttled=throttled)

    def refuse(self, batch: Batch) -> None:
        """A batch of several items that was refused as a whole: it is halved as soon as it may be."""
        self._backlog.refuse(batch)

    # ── going out ────────────────────────────────────────────────────────────────────────────────

    def take(self, now: float, others_first_until: float = 0.0) -> Batch | None:
        """The batch whose turn it is, if any that still has something to send. Until that time, who was
        throttled goes last."""
        return self._live(lambda: self._backlog.take(now, others_first_until), now)

    def take_for_probe(self, now: float, failed_last: Batch | None) -> Batch | None:
        """One to find out with whether the vendor is back: any but the one that failed last, if there is
        another."""
        return self._live(lambda: self._backlog.take_for_probe(now, failed_last), now)

    def _live(self, take: Callable[[], Batch | None], now: float) -> Batch | None:
        while True:
            batch = take()
            if batch is None or self.drop_fenced(batch, now):
                return batch
            self._backlog.end(batch)

    # ── what became of it ────────────────────────────────────────────────────────────────────────

    def settled(self, items: Iterable[Item], now: float) -> None:
        """These have their outcome, or are somebody else's now: who waited for them goes on."""
        if self._lanes is not None:
            for item in items:
                if self._lanes.settle(item):
                    assert item.key is not None, "only an item with a key has a lane"
                    self._go_on(item.key, now)

    def ended(self, batch: Batch) -> None:
        """All items of this batch have their outcome."""
        self._backlog.end(batch)

    def drop_fenced(self, batch: Batch, now: float) -> bool:
        """Forget the items of partitions that are no longer ours; False when none is left."""
        self.settled(batch.drop_fenced(), now)
        return bool(batch.items)

    def fenced(self, now: float) -> None:
        """Partitions were taken away: nobody waits for theirs any more.

        Without lanes it is enough to forget each batch's when its turn comes.
        """
        if self._lanes is not None:
            self._lanes.forget_fenced()
            for batch in self._backlog.batches():
                self.drop_fenced(batch, now)

    # ── what is there ────────────────────────────────────────────────────────────────────────────

    @property
    def closes_at(self) -> float:
        """When the open batch must be closed; infinite while there is none."""
        return self._batcher.due

    @property
    def fresh(self) -> int:
        """Batches never sent."""
        return self._backlog.fresh

    @property
    def retrying(self) -> int:
        """Batches sent before: due, not yet due, or waiting to be halved."""
        return self._backlog.retrying

    @property
    def in_lanes(self) -> int:
        """Items that wait for a predecessor with the same key."""
        return self._lanes.waiting if self._lanes is not None else 0

    @property
    def ready(self) -> bool:
        """Whether a batch could leave at once."""
        return self._backlog.ready

    @property
    def can_probe(self) -> bool:
        """Whether a batch could leave if its own wait did not count."""
        return self._backlog.can_probe

    @property
    def next_due(self) -> float:
        """When the next retry is due; infinite if none waits."""
        return self._backlog.next_due

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _go_on(self, key: str, now: float) -> None:
        """A lane is free: its next item goes, and with it as many behind it as fit into the same batch."""
        assert self._lanes is not None
        while (item := self._lanes.next(key)) is not None:
            if not self._batcher.has_room_for(item):
                joined = self._lanes.is_open(key)
                self.close_batch()
                if joined:
                    return
            self._lanes.take(key)
            self._put(item, now, waited=True)
            if not self._lanes.is_open(key):
                return  # it filled the batch

    def _make_room(self, item: Item) -> None:
        if not self._batcher.has_room_for(item):
            self.close_batch()

    def _put(self, item: Item, now: float, *, waited: bool = False) -> None:
        full = self._batcher.add(item, now)
        if full is not None:
            self._ready(full, waited=waited)

    def _ready(self, items: list[Item], *, waited: bool = False) -> None:
        (self._backlog.add_next if waited else self._backlog.add_fresh)(Batch(items))
        if self._lanes is not None:
            self._lanes.seal()
