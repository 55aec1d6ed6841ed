"""What waits to be sent, and who goes first. Decides only: no broker, no clock."""

from __future__ import annotations

import heapq
from collections import deque

from connector.delivery.batch import Batch
from connector.delivery.splitter import Splitter

NEVER = float("inf")

NEXT_IN_A_ROW = 4
"""How many that waited for a predecessor go before one that did not. Turn by turn, a Zipf of carts had 62 to
75 % of the throughput without order, this way 95 %; with the former always first, 64 busy keys held all
others up for minutes."""


class Backlog:
    """Every batch that is not in flight.

    First go those that were sent before (due retries, halves): what is old holds the commit point. Then a
    few that waited for a predecessor of their key, another fresh one, and so on, each in their order: a busy
    key that queued up behind everybody at each of its steps would be slow out of all proportion, and busy
    keys that went before everybody would let no other through while they last. Who was throttled lets all
    others go first for a while: see `take`. Refused batches wait for their turn to be halved. All of it is
    bounded from outside: nothing gets in here that does not count against the byte budget of what is in
    flight.
    """

    def __init__(self) -> None:
        self._fresh: deque[Batch] = deque()
        self._next: deque[Batch] = deque()
        self._next_in_a_row = 0
        self._again: deque[Batch] = deque()
        self._throttled: deque[Batch] = deque()
        self._later: list[tuple[float, int, Batch, bool]] = []
        self._refused: deque[Batch] = deque()
        self._splitter = Splitter()
        self._sequence = 0

    # ── coming in ────────────────────────────────────────────────────────────────────────────────

    def add_fresh(self, batch: Batch) -> None:
        """A new batch, behind all others."""
        self._fresh.append(batch)

    def add_next(self, batch: Batch) -> None:
        """A new batch that has waited for its predecessor: a few go before one that has not."""
        self._next.append(batch)

    def put_back(self, batch: Batch) -> None:
        """A batch that could not be tried after all; it goes first."""
        self._again.appendleft(batch)

    def add_retry(self, batch: Batch, due: float, *, throttled: bool = False) -> None:
        """A batch that is sent again at `due`; `throttled`: the vendor said that it was one too many."""
        self._sequence += 1
        heapq.heappush(self._later, (due, self._sequence, batch, throttled))

    def refuse(self, batch: Batch) -> None:
        """A batch of several items that the vendor refused as a whole: halve it as soon as it may be."""
        if len(batch.items) < 2:  # a rebalance took the others while it waited to be halved
            self._again.append(batch)
            return
        if batch.tree is None and not self._splitter.has_room:
            self._refused.append(batch)
            return
        if batch.tree is None:
            batch.tree = self._splitter.plant()
        self._splitter.halved(batch.tree)
        first, second = batch.halves()
        self._again.append(first)
        if first.follower is None:
            self._again.append(second)

    def end(self, batch: Batch) -> None:
        """All items of this batch have their outcome: what waited for that goes on."""
        if batch.follower is not None:
            self._again.append(batch.follower)
        if batch.tree is not None:
            self._splitter.ended(batch.tree)
        while self._refused and self._splitter.has_room:
            self.refuse(self._refused.popleft())

    # ── going out ────────────────────────────────────────────────────────────────────────────────

    def take(self, now: float, others_first_until: float = 0.0) -> Batch | None:
        """The batch whose turn it is, if any. Until that time, who was throttled goes last.

        Where it is one identifier that the vendor throttles, its events would otherwise meet the gate when it
        opens, each time, and shut it again before anybody else gets through, for ever.
        """
        self._wake(now)
        if self._again:
            return self._again.popleft()
        if self._throttled and (now >= others_first_until or not self.fresh):
            return self._throttled.popleft()
        if self._next and (not self._fresh or self._next_in_a_row < NEXT_IN_A_ROW):
            self._next_in_a_row += 1
            return self._next.popleft()
        self._next_in_a_row = 0
        return self._fresh.popleft() if self._fresh else None

    def take_for_probe(self, now: float, failed_last: Batch | None) -> Batch | None:
        """A batch to find out with whether the vendor is back: any but the one that failed last, if there is
        another. A batch's own wait does not count here, the probe's interval has replaced it."""
        batch = self._take_early(now)
        if batch is None or batch is not failed_last:
            return batch
        another = self._take_early(now)
        if another is None:
            return batch
        self.put_back(batch)
        return another

    def _take_early(self, now: float) -> Batch | None:
        batch = self.take(now, NEVER)
        if batch is None and self._later:
            return heapq.heappop(self._later)[2]
        return batch

    def _wake(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, _, batch, throttled = heapq.heappop(self._later)
            (self._throttled if throttled else self._again).append(batch)

    def batches(self) -> list[Batch]:
        """All that wait, followers included, in no promised order."""
        found = [*self._again, *self._throttled, *self._next, *self._fresh, *self._refused]
        found += [batch for _, _, batch, _ in self._later]
        for batch in found:  # it grows while we go
            if batch.follower is not None:
                found.append(batch.follower)
        return found

    # ── what is there ────────────────────────────────────────────────────────────────────────────

    @property
    def fresh(self) -> int:
        """Batches never sent."""
        return len(self._next) + len(self._fresh)

    @property
    def retrying(self) -> int:
        """Batches sent before: due, not yet due, or waiting to be halved."""
        return len(self._again) + len(self._throttled) + len(self._later) + len(self._refused)

    @property
    def ready(self) -> bool:
        """Whether a batch could leave at once."""
        return bool(self._again or self._throttled or self._next or self._fresh)

    @property
    def can_probe(self) -> bool:
        """Whether a batch could leave if its own wait did not count."""
        return self.ready or bool(self._later)

    @property
    def next_due(self) -> float:
        """When the next retry is due; infinite if none waits."""
        return self._later[0][0] if self._later else NEVER
