"""Batches are full, in order, within the vendor's limits, and never late."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connector.delivery.batcher import NEVER, Batcher
from connector.model.item import Item
from connector.vendors.contract import Limits
from tests.delivery.acme import item
from tests.examples import examples

LINGER_S = 0.05
TICK_S = 0.01


class Batching(RuleBasedStateMachine):
    """Items come, time passes in ticks, and somebody closes what is due: as the sender does."""

    @initialize(
        items_max=st.integers(1, 6),
        bytes_max=st.integers(60, 200),
        clicks_max=st.integers(1, 6),
        unique_ids=st.booleans(),
    )
    def begin(self, items_max: int, bytes_max: int, clicks_max: int, unique_ids: bool) -> None:
        self.limits = Limits(
            items_max=items_max,
            body_bytes_max=bytes_max,
            per_kind={"click": clicks_max},
            frame_bytes=7,
            unique_ids=unique_ids,
        )
        self.batcher = Batcher(self.limits, LINGER_S)
        self.now = 0.0
        self.given: list[Item] = []
        self.came_at: list[float] = []
        self.got: list[Item] = []

    @rule(name=st.integers(0, 8), click=st.booleans(), size=st.integers(1, 50))
    def add(self, name: int, click: bool, size: int) -> None:
        new = item(f"i{name}", kind="click" if click else "view", size=size)
        self.given.append(new)
        self.came_at.append(self.now)
        closed = self.batcher.add(new, self.now)
        if closed is not None and closed[-1] is not new:
            assert not self._is_within_limits([*closed, new]), "it was closed and had room"
        self._take(closed)

    @rule(ticks=st.integers(1, 8))
    def time_passes(self, ticks: int) -> None:
        for _ in range(ticks):
            self.now += TICK_S
            if self.batcher.due <= self.now:
                self._take(self.batcher.close())

    @rule()
    def flush(self) -> None:
        self._take(self.batcher.close())
        assert self.got == self.given

    def _take(self, batch: list[Item] | None) -> None:
        if batch is None:
            return
        assert batch
        assert self._is_within_limits(batch)
        oldest = self.came_at[len(self.got)]
        assert self.now - oldest <= LINGER_S + TICK_S + 1e-9
        self.got.extend(batch)

    def _is_within_limits(self, batch: list[Item]) -> bool:
        limits = self.limits
        return (
            len(batch) <= limits.items_max
            and sum(one.kind == "click" for one in batch) <= limits.per_kind["click"]
            and limits.frame_bytes + sum(len(one.body) + 1 for one in batch) <= limits.body_bytes_max
            and not (limits.unique_ids and len({one.id for one in batch}) < len(batch))
        )

    @invariant()
    def nothing_is_lost_and_order_is_kept(self) -> None:
        if not hasattr(self, "batcher"):
            return
        assert all(one is other for one, other in zip(self.got, self.given, strict=False))
        assert len(self.got) + len(self.batcher) == len(self.given)
        assert (self.batcher.due == NEVER) == (len(self.batcher) == 0)


TestBatching = Batching.TestCase
TestBatching.settings = settings(max_examples=examples(80), stateful_step_count=30, deadline=None)


def test_a_batch_is_not_closed_before_it_must() -> None:
    """Ten items of ten travel in one request, not in two."""
    batcher = Batcher(Limits(items_max=10, body_bytes_max=1000), LINGER_S)
    assert [batcher.add(item(f"i{n}"), 0.0) for n in range(9)] == [None] * 9
    full = batcher.add(item("i9"), 0.0)
    assert full is not None
    assert len(full) == 10


def test_an_item_that_fits_to_the_last_byte_is_taken_along() -> None:
    """The limit itself is allowed: frame, bodies and a comma each."""
    batcher = Batcher(Limits(items_max=10, body_bytes_max=2 + 51 + 51, frame_bytes=2), LINGER_S)
    assert batcher.add(item("a", size=50), 0.0) is None
    assert batcher.add(item("b", size=50), 0.0) is None
    closed = batcher.add(item("c", size=1), 0.0)
    assert closed is not None
    assert [one.id for one in closed] == ["a", "b"]


def test_the_later_of_two_items_with_one_id_goes_in_the_next_request() -> None:
    """Where a vendor wants unique ids, the same id is sent twice in two requests, in order."""
    batcher = Batcher(Limits(items_max=10, body_bytes_max=1000, unique_ids=True), LINGER_S)
    first, second = item("same"), item("same")
    assert batcher.add(first, 0.0) is None
    closed = batcher.add(second, 1.0)
    assert closed == [first]
    assert batcher.due == 1.0 + LINGER_S
    assert batcher.close() == [second]
