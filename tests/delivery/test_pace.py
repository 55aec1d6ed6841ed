"""Every kind of answer teaches limit, gate, breaker and tally what it should, and nothing else."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from connector.delivery.pace import Pace
from connector.model.verdict import Delivered, Halt, Partial, Reject, Retry, Split, Verdict
from connector.vendors.contract import RetryPolicy
from tests.delivery.acme import LIMITS

UPWARD = msgspec.structs.replace(LIMITS, retry=RetryPolicy(first_s=5.0, cap_s=80.0, jitter="upward"))
NOTHING_TAKEN = Partial({0: ("vendor_rejected", ""), 1: ("vendor_rejected", "")})


def learn(pace: Pace, verdict: Verdict, *, sent_at: float = 1.0, now: float = 2.0) -> None:
    pace.learn(verdict, items=2, sent_at=sent_at, now=now, in_flight=pace.limit, probe=False)


@pytest.mark.parametrize(
    ("verdict", "tally", "limit"),
    [
        (Delivered(), (1, 0), 5),
        (Partial({0: ("vendor_rejected", "")}), (1, 0), 5),
        (NOTHING_TAKEN, (0, 0), 4),
        (Retry("server_error"), (0, 1), 3),
        (Retry("timeout"), (0, 1), 3),
        (Retry("connection"), (0, 1), 3),
        (Retry("throttled"), (0, 0), 2),
        (Retry("clock_skew"), (0, 0), 4),
        (Split(), (0, 0), 4),
        (Reject("vendor_rejected"), (0, 0), 4),
        (Halt("auth"), (0, 0), 4),
    ],
    ids=lambda value: str(value) if isinstance(value, msgspec.Struct) else "",
)
def test_one_answer(verdict: Verdict, tally: tuple[int, int], limit: int) -> None:
    """(passed, failed) and the limit after it, which was 4."""
    pace = Pace(LIMITS, 64, Random(1))
    learn(pace, verdict)
    assert (pace.tally.passed, pace.tally.failed) == tally
    assert pace.limit == limit


@pytest.mark.parametrize("verdict", [Retry("throttled"), Split(), Reject("http_409"), NOTHING_TAKEN])
def test_refusals_never_open_the_breaker(verdict: Verdict) -> None:
    """A vendor that answers is there."""
    pace = Pace(LIMITS, 64, Random(1))
    for at in range(1000):
        learn(pace, verdict, sent_at=at, now=at + 1)
    assert pace.breaker == "closed"


def test_it_is_known_when_the_youngest_request_that_passed_had_left() -> None:
    """Answers come in any order."""
    pace = Pace(LIMITS, 64, Random(1))
    for left_at in (5.0, 9.0, 7.0):
        learn(pace, Delivered(), sent_at=left_at, now=10.0)
    learn(pace, Retry("throttled"), sent_at=9.5, now=10.0)
    assert pace.tally.passed_left_at == 9.0


def test_what_passes_makes_the_next_unstated_throttle_short_again() -> None:
    """The gate's waits double only while nothing passes."""
    pace = Pace(UPWARD, 64, Random(1))
    first = pace.close_gate(0.0, None)
    second = pace.close_gate(pace.gate_until, None)
    learn(pace, Delivered())
    third = pace.close_gate(pace.gate_until, None)
    assert first is not None
    assert second is not None
    assert third is not None
    assert 5.0 <= first <= 6.0
    assert 10.0 <= second <= 12.0
    assert 5.0 <= third <= 6.0


def test_a_throttled_batch_waits_for_the_gate_and_then_its_own_time() -> None:
    """Whoever may be the cause of it does not go first when the gate opens."""
    pace = Pace(UPWARD, 64, Random(1))
    pace.close_gate(0.0, 30.0)
    assert 30.0 + 5.0 <= pace.wait_s(Retry("throttled", 30.0), failures=1, now=0.0) <= 36.0 + 6.0


def test_a_wait_stated_for_one_batch_is_cut_to_what_the_contract_allows() -> None:
    """And is never negative."""
    pace = Pace(UPWARD, 64, Random(1))
    assert 300.0 <= pace.wait_s(Retry("server_error", 1e9), failures=1, now=0.0) <= 360.0
    assert pace.wait_s(Retry("server_error", -1.0), failures=1, now=0.0) == 0.0


def test_the_state_names_what_holds_the_next_request_back() -> None:
    """Breaker before gate before cap."""
    pace = Pace(msgspec.structs.replace(LIMITS, requests_per_second=1.0), 64, Random(1))
    assert pace.state(10.0) == "sending"
    pace.leaves(10.0)
    assert pace.state(10.0) == "capped"
    pace.close_gate(10.0, 5.0)
    assert pace.state(10.0) == "gated"
    for _ in range(20):
        learn(pace, Retry("timeout"), sent_at=9.0, now=10.0)
    assert pace.state(10.0) == "breaker_open"
    assert pace.state(100.0) == "breaker_open"
