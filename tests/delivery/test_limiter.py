"""Concurrency grows while it goes well and shrinks when it does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.limiter import FIRST, Limiter


def rounds(limiter: Limiter, count: int) -> list[int]:
    """So many rounds of good answers with every place used; the limit after each."""
    after = []
    for _ in range(count):
        for _ in range(limiter.limit):
            limiter.passed(limiter.limit)
        after.append(limiter.limit)
    return after


def test_a_fresh_process_doubles_its_way_to_the_ceiling() -> None:
    """A few rounds, not a minute."""
    assert rounds(Limiter(64), 5) == [8, 16, 32, 64, 64]


def test_throttling_halves_and_after_it_growth_is_by_one_a_round() -> None:
    """Additive increase, multiplicative decrease."""
    limiter = Limiter(64)
    rounds(limiter, 4)
    limiter.throttled(sent_at=1.0, now=2.0)
    assert limiter.limit == 32
    after = rounds(limiter, 4)
    assert after[0] in (32, 33)
    assert 35 <= after[3] <= 36


def test_one_wave_of_failures_lowers_once() -> None:
    """Requests that were under way at the time of the cut are the same sign."""
    limiter = Limiter(64)
    rounds(limiter, 4)
    for _ in range(64):
        limiter.throttled(sent_at=1.0, now=2.0)
    assert limiter.limit == 32
    limiter.throttled(sent_at=2.5, now=3.0)
    assert limiter.limit == 16


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    """One request at a time proves nothing about sixty."""
    limiter = Limiter(64)
    for _ in range(1000):
        limiter.passed(1)
    assert limiter.limit == FIRST


def test_a_restart_begins_with_one_and_is_careful_from_half() -> None:
    """After an outage: 1, 2, 4, 8, 16, 32, then one a round."""
    limiter = Limiter(64)
    rounds(limiter, 4)
    limiter.restart()
    assert limiter.limit == 1
    assert rounds(limiter, 5) == [2, 4, 8, 16, 32]
    assert rounds(limiter, 1)[0] <= 33


@given(
    ceiling=st.integers(1, 100),
    answers=st.lists(st.sampled_from(["passed", "throttled", "failed", "restart"]), max_size=300),
)
def test_the_limit_stays_between_one_and_the_ceiling(ceiling: int, answers: list[str]) -> None:
    """Whatever comes, one request may always be tried, and never more than the operator allows."""
    limiter = Limiter(ceiling)
    for at, answer in enumerate(answers):
        if answer == "passed":
            limiter.passed(limiter.limit)
        elif answer == "throttled":
            limiter.throttled(at, at + 0.5)
        elif answer == "failed":
            limiter.failed(at, at + 0.5)
        else:
            limiter.restart()
        assert 1 <= limiter.limit <= ceiling


def test_five_percent_failures_leave_room_for_more_than_a_handful() -> None:
    """A vendor with a few bad hosts is not reduced to one request at a time."""
    limiter = Limiter(64)
    total = 0
    for at in range(10_000):
        if at % 20 == 0:
            limiter.failed(at, at + 0.5)
        else:
            limiter.passed(limiter.limit)
        total += limiter.limit
    assert total / 10_000 > 7
