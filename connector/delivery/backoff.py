"""How long to wait before the next attempt. Decides only: no broker, no clock."""

from __future__ import annotations

from random import Random

from connector.vendors.contract import RetryPolicy

UPWARD = 0.2
"""Upward jitter adds up to this share: enough to spread the replicas, never earlier than a vendor asked."""

DOUBLINGS_MAX = 30
"""No cap is further than this many doublings from its first wait; beyond, a float would overflow one day."""


def backoff_s(policy: RetryPolicy, failures: int, random: Random) -> float:
    """The wait after this many failures in a row (1 for the first)."""
    wait_s = doubled_s(policy.first_s, policy.cap_s, failures)
    if policy.jitter == "full":
        return random.uniform(0.0, wait_s)
    return upward_s(wait_s, random)


def doubled_s(first_s: float, cap_s: float, times: int) -> float:
    """`first_s` the first time, then twice as long each time, up to `cap_s`."""
    assert times >= 1, "there is no wait before the first attempt"
    return float(min(cap_s, first_s * 2 ** min(times - 1, DOUBLINGS_MAX)))


def upward_s(wait_s: float, random: Random) -> float:
    """A little longer than asked, so that not everybody comes back in the same instant."""
    return wait_s * (1.0 + random.uniform(0.0, UPWARD))
