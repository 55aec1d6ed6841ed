"""The items that travel in one request, and what was learned about them so far.

Decides only: no broker, no clock.
"""

from __future__ import annotations

from connector.delivery.poison import POISON, SPLIT_ANYWAY, Suspicion, Tally, ThrottledAlone
from connector.delivery.splitter import Tree
from connector.model.item import Item
from connector.model.record import Lease
from connector.vendors.contract import Response

BODY_KEPT = 1024
"""What a dead letter may quote of the vendor's answer, in bytes."""


class Batch:
    """Items in the order they were submitted, from their first attempt to the last of their outcomes.

    It stays the same object through retries; a split ends it and makes two new ones. `attempts` counts the
    requests that have carried these items, in bigger batches too; `failures` the retries, which set the next
    wait. `follower` may not be sent before this one has ended, because both hold items of one key.
    """

    __slots__ = (
        "_last_bad",
        "_suspicion",
        "_throttling",
        "attempts",
        "failures",
        "follower",
        "items",
        "tree",
    )

    def __init__(self, items: list[Item], attempts: int = 0) -> None:
        assert items, "a batch holds at least one item"
        self.items = items
        self.attempts = attempts
        self.failures = 0
        self.tree: Tree | None = None
        self.follower: Batch | None = None
        self._suspicion: Suspicion | None = None
        self._throttling: ThrottledAlone | None = None
        self._last_bad: Response | None = None

    def keep(self, items: list[Item]) -> None:
        """Go on with these of its items. Suspicion fell on all of them together and is forgotten."""
        self.items = items
        self._suspicion = self._throttling = None

    def drop_fenced(self) -> list[Item]:
        """Forget the items of partitions that are no longer ours, and say which.

        Each is looked at once: the poll thread may take its partition away between two looks.
        """
        live: list[Item] = []
        dropped: list[Item] = []
        for item in self.items:
            (live if is_live(item) else dropped).append(item)
        if dropped:
            self.keep(live)
        return dropped

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches with these items, in order.

        When a key is in both, or something waits for this batch, the second follows the first and the waiting
        one follows the second: slower, but the order of every key is kept without counting anything.
        """
        assert len(self.items) > 1, "a single item cannot be split"
        middle = len(self.items) // 2
        first = Batch(self.items[:middle], self.attempts)
        second = Batch(self.items[middle:], self.attempts)
        if self.follower is not None or _share_a_key(first.items, second.items):
            first.follower = second
            second.follower = self.follower
        first.tree = second.tree = self.tree
        return first, second

    # ── is it the batch or the vendor? ───────────────────────────────────────────────────────────

    def failed_by_5xx(self, answer: Response, now: float, tally: Tally) -> None:
        """The vendor answered 5xx to it (which is in the tally already)."""
        self._last_bad = _cut(answer)
        if self._suspicion is None:
            self._suspicion = Suspicion(now, tally.passed, tally.failed)
        else:
            self._suspicion.failed(now, tally.passed)

    def throttled(self, answer: Response, now: float, tally: Tally) -> None:
        """The vendor throttled it, and is known to throttle single identifiers."""
        self._last_bad = _cut(answer)
        if self._throttling is None:
            self._throttling = ThrottledAlone(now, tally)
        else:
            self._throttling.again(tally)

    def proven(self, tally: Tally) -> tuple[str, Response] | None:
        """Its next attempt is due: the reason that is proven against it by now, with the answer that said so
        last. For several items it means that they must be halved."""
        alone = len(self.items) == 1
        if self._suspicion is not None:
            bar = POISON if alone else SPLIT_ANYWAY
            if self._suspicion.retry_due(bar, tally.passed, tally.failed):
                assert self._last_bad is not None
                return "vendor_rejected_5xx", self._last_bad
        if alone and self._throttling is not None and self._throttling.retry_due(tally):
            assert self._last_bad is not None
            return "throttled_identifier", self._last_bad
        return None


def live_only(items: list[Item]) -> list[Item]:
    """These items without those of partitions that are no longer ours; the same list if all are."""
    return items if all(map(is_live, items)) else [item for item in items if is_live(item)]


def lease_of(item: Item) -> Lease:
    """The lease of the record that this item came from."""
    assert item.ticket is not None, "the pipeline gives every item its ticket"
    return item.ticket.record.lease


def is_live(item: Item) -> bool:
    """Whether the partition that this item came from is still ours."""
    return lease_of(item).live


def _share_a_key(first: list[Item], second: list[Item]) -> bool:
    keys = {item.key for item in first if item.key is not None}
    return any(item.key in keys for item in second)


def _cut(answer: Response) -> Response:
    """What a dead letter may quote, so that a batch that waits does not hold 64 KiB of error page."""
    return Response(answer.status, body=answer.body[:BODY_KEPT])
