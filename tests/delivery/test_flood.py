"""A stream of dead letters is stopped; a few are not."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.delivery.flood import SEEN_MIN, FloodGuard


def test_a_stream_of_nothing_but_dead_letters_is_stopped_at_the_fiftieth() -> None:
    """49 are too few to tell; the fiftieth stays open, and so does every one after it."""
    guard = FloodGuard(0.5, 200)
    assert [guard.admit(rejected=True) for _ in range(60)] == [True] * 49 + [False] * 11


def test_the_ratio_itself_is_allowed_and_the_record_beyond_it_is_not() -> None:
    """With 0.5, half may be dead letters."""
    guard = FloodGuard(0.5, 100)
    for _ in range(50):
        assert guard.admit(rejected=False)
    for _ in range(50):
        assert guard.admit(rejected=True)
    assert guard.admit(rejected=False)  # the window moves: 50 rejected, 50 not


def test_old_records_leave_the_window() -> None:
    """Good times long ago do not pay for a flood now."""
    guard = FloodGuard(0.5, 100)
    for _ in range(10_000):
        guard.admit(rejected=False)
    assert [guard.admit(rejected=True) for _ in range(52)] == [True] * 50 + [False] * 2


def test_a_ratio_of_one_switches_it_off() -> None:
    """An operator may accept everything."""
    guard = FloodGuard(1.0, 50)
    assert all(guard.admit(rejected=True) for _ in range(1000))


@settings(max_examples=150)
@given(
    records=st.lists(st.booleans(), max_size=300),
    ratio=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    window=st.integers(50, 120),
)
def test_after_fifty_records_a_dead_letter_is_admitted_exactly_up_to_the_ratio(
    records: list[bool], ratio: float, window: int
) -> None:
    """Checked against the definition, counted the slow way."""
    guard = FloodGuard(ratio, window)
    counted: list[bool] = []
    for rejected in records:
        after = [*counted, rejected][-window:]
        crosses = rejected and len(counted) + 1 >= SEEN_MIN and sum(after) > ratio * len(after)
        assert guard.admit(rejected) is not crosses
        if not crosses:
            counted.append(rejected)
