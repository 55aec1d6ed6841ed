"""What the page's curves are drawn from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.ops.history import EVERY_S, OUTCOMES, SLOTS, History


def counts(delivered: int) -> dict[str, int]:
    return {"delivered": delivered, "skipped": 2 * delivered, "dead_lettered": 0}


def test_a_slot_holds_what_came_in_its_time() -> None:
    """However often one looks."""
    history = History(now=100)
    for second in range(1, 12):
        history.look(counts(10 * second), 100 + second)
    assert history.snapshot() == {
        "every_s": EVERY_S,
        "delivered": [50, 50],
        "skipped": [100, 100],
        "dead_lettered": [0, 0],
    }


def test_a_time_in_which_nobody_looked_is_shown_as_the_standstill_it_was() -> None:
    """A process that was stopped for twenty seconds delivered nothing then."""
    history = History(now=0)
    history.look(counts(10), 5)
    history.look(counts(10), 25)
    history.look(counts(40), 30)
    assert history.snapshot()["delivered"] == [10, 0, 0, 0, 0, 30]


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 30)), max_size=300))
def test_nothing_is_counted_twice_and_memory_is_bounded(steps: list[tuple[int, float]]) -> None:
    """The slots add up to what came, less what left at the far end."""
    history, delivered, now = History(now=0), 0, 0.0
    for more, later in steps:
        delivered, now = delivered + more, now + later
        history.look(counts(delivered), now)
    shown = history.snapshot()
    for outcome in OUTCOMES:
        slots = shown[outcome]
        assert isinstance(slots, list)
        assert len(slots) <= SLOTS
        assert sum(slots) <= counts(delivered)[outcome]
        assert min(slots, default=0) >= 0
    whole = now // EVERY_S <= SLOTS
    history.look(counts(delivered), now + EVERY_S)
    last = history.snapshot()["delivered"]
    assert isinstance(last, list)
    if whole and len(last) < SLOTS:
        assert sum(last) == delivered
