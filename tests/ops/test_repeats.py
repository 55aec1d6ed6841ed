"""What repeats is told, then counted, and no count is lost."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from connector.ops.repeats import KINDS_MAX, REPEAT_S, Line, Repeats


def line(number: int = 0, event: str = "failed", kind: str = "") -> Line:
    return Line("warning", event, {"number": number}, kind)


def test_a_storm_that_ends_is_counted_all_the_same() -> None:
    """Its last line comes with the number of the others, though nothing of its kind ever comes again."""
    repeats = Repeats()
    assert [repeats.admit(line(number), 0.0) for number in range(1000)] == [True] + [False] * 999
    assert list(repeats.due(REPEAT_S - 1)) == []
    assert list(repeats.due(REPEAT_S)) == [(line(999), 998)]
    assert list(repeats.due(2 * REPEAT_S)) == []


def test_a_storm_that_goes_on_is_a_line_a_period() -> None:
    """What came between the end of a period and the look after it is counted, too."""
    repeats = Repeats()
    written = 0
    for second in range(300):
        written += sum(repeats.admit(line(), float(second)) for _ in range(100))
        written += len(list(repeats.due(float(second))))
    assert written == 300 / REPEAT_S


def test_what_comes_after_a_calm_is_told_at_once() -> None:
    """A period without a second one leaves nothing behind."""
    repeats = Repeats()
    assert repeats.admit(line(), 0.0)
    assert repeats.admit(line(), REPEAT_S)
    assert not repeats.admit(line(), REPEAT_S + 1)


def test_some_kinds_may_come_several_times() -> None:
    """So many a period, and after a summary it counts for one of them."""
    repeats = Repeats()
    assert sum(repeats.admit(line(), 0.0, most=3) for _ in range(10)) == 3
    assert list(repeats.due(REPEAT_S)) == [(line(), 6)]
    assert sum(repeats.admit(line(), REPEAT_S, most=3) for _ in range(10)) == 2


def test_kinds_and_events_do_not_hide_one_another() -> None:
    """The first of each is told."""
    repeats = Repeats()
    assert all(
        repeats.admit(line(event=event, kind=kind), 0.0) for event in ("a", "b") for kind in ("x", "y", "")
    )


def test_memory_and_volume_are_bounded_when_every_line_is_of_another_kind() -> None:
    """Beyond the bound they share an entry; when they are over they are forgotten."""
    repeats = Repeats()
    for second in range(120):
        written = sum(repeats.admit(line(kind=f"{second}-{number}"), second) for number in range(1000))
        assert written <= KINDS_MAX + 1
        list(repeats.due(second))
        assert len(repeats._seen) <= KINDS_MAX + 1


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from("xyz"), st.integers(1, 3)), max_size=60))
def test_every_line_is_written_or_counted(steps: list[tuple[float, str, int]]) -> None:
    """Whatever the order and the pace: those written, those told later and those counted are all of them."""
    repeats = Repeats()
    now, known = 0.0, 0
    for wait_s, kind, most in steps:
        now += wait_s
        known += repeats.admit(line(kind=kind), now, most)
        known += sum(1 + left_out for _, left_out in repeats.due(now))
    known += sum(1 + left_out for _, left_out in repeats.due(math.inf))
    assert known == len(steps)
