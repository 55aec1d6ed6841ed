"""Everybody waits while the vendor throttles, and the operator's cap holds."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.gate import BURST_S, Gate, RateCap
from connector.vendors.contract import Limits, RetryPolicy

LIMITS = Limits(
    items_max=1, body_bytes_max=1, retry_after_max_s=300.0, retry=RetryPolicy(first_s=1.0, cap_s=60.0)
)


def gate() -> Gate:
    return Gate(LIMITS, Random(1))


@given(st.floats(0, 300), st.integers(0, 50))
def test_a_stated_wait_is_kept_and_lengthened_by_a_fifth_at_most(after_s: float, seed: int) -> None:
    """Never earlier than the vendor says."""
    closed = Gate(LIMITS, Random(seed))
    wait = closed.throttled(100.0, after_s)
    assert after_s <= wait + 1e-9
    assert wait <= 1.2 * after_s + 1e-9
    assert closed.until == pytest.approx(100.0 + wait)


@pytest.mark.parametrize(("stated", "least", "most"), [(1e9, 300, 360), (-5.0, 0, 0)])
def test_an_absurd_wait_is_cut_to_what_the_contract_allows(stated: float, least: float, most: float) -> None:
    """A vendor's clock or typing error does not stop us for a year."""
    assert least <= gate().throttled(100.0, stated) <= most


def test_without_a_stated_wait_the_waits_double_until_something_passes() -> None:
    """Consecutive throttles back off; one request taken starts over."""
    closed = gate()
    now = 0.0
    for least in [1.0, 2.0, 4.0, 8.0]:
        wait = closed.throttled(now, None)
        assert least <= wait <= 1.2 * least
        now = closed.until
    closed.passed()
    assert 1.0 <= closed.throttled(now, None) <= 1.2


def test_one_wave_of_throttled_answers_counts_once() -> None:
    """64 requests were under way when it began: that is one sign, not 64 doublings."""
    closed = gate()
    first = closed.throttled(0.0, None)
    for _ in range(63):
        assert closed.throttled(0.1, None) == pytest.approx(first - 0.1)
    assert 2.0 <= closed.throttled(closed.until, None) <= 2.4


def test_others_go_first_for_as_long_as_the_gate_was_closed() -> None:
    """So one throttled identifier takes half of the time at most; and no longer than the longest back-off."""
    closed = gate()
    assert closed.others_first_until == 0.0
    closed.throttled(100.0, None)
    closed.throttled(100.5, 30.0)
    assert closed.others_first_until == pytest.approx(closed.until + closed.until - 100.0)
    closed.throttled(1000.0, 300.0)
    assert closed.others_first_until == pytest.approx(closed.until + 60.0)


def test_a_shorter_statement_does_not_open_the_gate_earlier() -> None:
    """The longest wish counts."""
    closed = gate()
    closed.throttled(0.0, 60.0)
    until = closed.until
    closed.throttled(1.0, 1.0)
    assert closed.until == until


@given(
    per_second=st.floats(0.5, 1000),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_the_cap_holds_over_any_stretch_of_time(per_second: float, pauses: list[float]) -> None:
    """In any stretch no more requests than the rate gives, plus one and the burst."""
    cap = RateCap(per_second)
    now = 0.0
    sent: list[float] = []
    for pause in pauses:
        now = max(now + pause, cap.until)
        cap.take(now)
        sent.append(now)
    for at, start in enumerate(sent):
        for count, end in enumerate(sent[at:], 1):
            assert count <= (end - start + BURST_S) * per_second + 1 + 1e-6


@pytest.mark.parametrize("no_cap", [None, 0, 0.0])
def test_no_cap_never_waits(no_cap: float | None) -> None:
    """None and 0 mean as fast as the limit allows."""
    cap = RateCap(no_cap)
    for _ in range(1000):
        cap.take(5.0)
    assert cap.until <= 0.0
