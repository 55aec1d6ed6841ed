"""Waits grow, stay below their cap, and are spread."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.backoff import backoff_s, doubled_s
from connector.vendors.contract import RetryPolicy

POLICY = st.builds(RetryPolicy, first_s=st.floats(0.1, 10), cap_s=st.floats(10, 900))


@given(POLICY, st.integers(1, 10_000), st.integers(0, 100))
def test_full_jitter_draws_between_nothing_and_the_doubled_wait(
    policy: RetryPolicy, failures: int, seed: int
) -> None:
    """Never beyond the cap, whatever the number of failures."""
    wait = backoff_s(policy, failures, Random(seed))
    assert 0 <= wait <= min(policy.cap_s, policy.first_s * 2.0 ** min(failures - 1, 50))


@given(st.integers(1, 10_000), st.integers(0, 100))
def test_upward_jitter_never_comes_earlier_than_asked(failures: int, seed: int) -> None:
    """The vendor's own protocol gives the least wait; we add up to a fifth."""
    policy = RetryPolicy(first_s=5.0, cap_s=80.0, jitter="upward")
    least = doubled_s(5.0, 80.0, failures)
    assert least <= backoff_s(policy, failures, Random(seed)) <= 1.2 * least


def test_waits_double_up_to_the_cap() -> None:
    """5, 10, 20, 40, 80, 80 …"""
    assert [doubled_s(5.0, 80.0, n) for n in range(1, 8)] == [5.0, 10.0, 20.0, 40.0, 80.0, 80.0, 80.0]


def test_full_jitter_is_spread_over_the_whole_range() -> None:
    """A thousand clients do not come back together."""
    waits = [backoff_s(RetryPolicy(first_s=8.0), 1, Random(seed)) for seed in range(1000)]
    assert min(waits) < 0.5
    assert max(waits) > 7.5
