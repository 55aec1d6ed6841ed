"""The breaker opens when the vendor is down, tries patiently, and closes when it is back."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.delivery.breaker import ATTEMPTS_MIN, FOREVER, WITHIN_S, Breaker
from connector.vendors.contract import ProbePolicy
from tests.examples import examples

POLICY = ProbePolicy(first_s=1.0, cap_s=60.0)


def breaker(policy: ProbePolicy = POLICY) -> Breaker:
    return Breaker(policy, Random(1))


def opened() -> Breaker:
    down = breaker()
    for _ in range(ATTEMPTS_MIN):
        down.failed(0.0)
    assert down.state == "open"
    return down


def test_twenty_failures_in_a_moment_open_it() -> None:
    """A vendor that is down is noticed within one round of requests."""
    down = breaker()
    changes = [down.failed(5.0) for _ in range(20)]
    assert changes == [False] * 19 + [True]
    assert 6.0 <= down.until <= 6.2


def test_half_of_the_recent_attempts_must_fail() -> None:
    """A vendor with some bad hosts stays open for business; one that mostly fails does not."""
    some = breaker()
    for at in range(300):
        (some.failed if at % 5 < 2 else some.answered)(at * 0.01)
    assert some.state == "closed"
    most = breaker()
    for at in range(300):
        (most.failed if at % 5 < 3 else most.answered)(at * 0.01)
    assert most.state == "open"


def test_good_answers_of_long_ago_do_not_keep_it_closed() -> None:
    """Only what happened within seconds counts."""
    down = breaker()
    for _ in range(100):
        down.answered(0.0)
    for _ in range(20):
        down.failed(WITHIN_S + 1.0)
    assert down.state == "open"


def test_on_a_quiet_system_five_failures_in_a_row_are_enough() -> None:
    """One request every few seconds never makes twenty in ten."""
    quiet = breaker()
    assert [quiet.failed(at * 12.0) for at in range(5)] == [False, False, False, False, True]


def test_five_failures_in_one_moment_are_not_an_outage() -> None:
    """A vendor's host restarts and resets what it had: that is no reason to stop."""
    blip = breaker()
    for _ in range(5):
        blip.failed(3.0)
    assert blip.state == "closed"


def test_one_good_answer_between_ends_the_run() -> None:
    """In a row means in a row."""
    quiet = breaker()
    for at in range(40):
        (quiet.answered if at % 4 == 3 else quiet.failed)(at * 12.0)
    assert quiet.state == "closed"


def test_failed_probes_wait_twice_as_long_up_to_the_cap_and_a_good_one_starts_over() -> None:
    """1, 2, 4 … 60, 60 seconds, a fifth more at most."""
    down = opened()
    now = 0.0
    for least in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]:
        assert least <= down.until - now <= 1.2 * least
        now = down.until
        down.probing()
        assert down.until == FOREVER
        if least == 60.0:
            continue_from = now
        assert down.failed(now, probe=True)
    down.probing()
    assert down.answered(continue_from + 100, probe=True)
    assert down.state == "closed"
    assert down.until == 0.0
    for _ in range(20):
        down.failed(500.0)
    assert 1.0 <= down.until - 500.0 <= 1.2


def test_a_vendor_that_was_just_asked_is_not_asked_again_too_soon() -> None:
    """Where the contract says once in 30 s, that holds between two outages as well as within one."""
    down = breaker(ProbePolicy(first_s=1.0, cap_s=60.0, apart_s=30.0))
    for _ in range(ATTEMPTS_MIN):
        down.failed(0.0)
    assert 1.0 <= down.until <= 1.2  # nobody has been asked yet
    down.probing()
    down.asked(1.0)
    down.failed(1.5, probe=True)
    assert 31.0 <= down.until <= 31.0 + 6.0
    down.probing()
    down.asked(31.0)
    down.answered(31.1, probe=True)
    for _ in range(ATTEMPTS_MIN):
        down.failed(40.0)
    assert 61.0 <= down.until <= 61.0 + 6.0
    down.probing()
    down.asked(500.0)
    for at in (530.0, 560.0, 590.0, 620.0):
        down.failed(at, probe=True)
        down.probing()
    down.failed(620.0, probe=True)
    assert down.until - 620.0 >= 32.0  # its own wait is longer by now


def test_a_closed_breaker_forgets_the_failures_before() -> None:
    """The outage's failures must not open it again at the next one."""
    down = opened()
    down.probing()
    down.answered(1.0, probe=True)
    assert not down.failed(1.1)
    assert down.state == "closed"


def test_late_answers_neither_close_nor_prolong() -> None:
    """What was under way when it opened says nothing about now."""
    down = opened()
    until = down.until
    assert not down.failed(0.5)
    assert not down.answered(0.6)
    assert (down.state, down.until) == ("open", until)


def test_a_second_probe_is_a_bug_and_says_so() -> None:
    """One at a time."""
    down = opened()
    down.probing()
    with pytest.raises(AssertionError):
        down.probing()


class Breaking(RuleBasedStateMachine):
    """Any order of answers, failures and probes keeps to the table."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = breaker()
        self.now = 0.0

    @rule(seconds=st.floats(0, 100), fails=st.booleans(), count=st.integers(1, 30))
    def answers(self, seconds: float, fails: bool, count: int) -> None:
        self.now += seconds
        before = self.breaker.state
        for _ in range(count):
            changed = (self.breaker.failed if fails else self.breaker.answered)(self.now)
            assert not changed or (fails and before == "closed")
        if not fails:
            assert self.breaker.state == before

    @precondition(lambda self: self.breaker.state == "open")
    @rule()
    def probe_leaves(self) -> None:
        self.now = max(self.now, self.breaker.until)
        self.breaker.probing()
        assert self.breaker.state == "half_open"

    @precondition(lambda self: self.breaker.state == "half_open")
    @rule(passes=st.booleans())
    def probe_returns(self, passes: bool) -> None:
        if passes:
            assert self.breaker.answered(self.now, probe=True)
            assert self.breaker.state == "closed"
        else:
            assert self.breaker.failed(self.now, probe=True)
            assert self.breaker.state == "open"
            assert self.now + 1.0 <= self.breaker.until <= self.now + 72.0

    @invariant()
    def it_never_waits_for_ever_but_for_its_probe(self) -> None:
        assert (self.breaker.until == FOREVER) == (self.breaker.state == "half_open")
        assert (self.breaker.until == 0.0) == (self.breaker.state == "closed")


TestBreaking = Breaking.TestCase
TestBreaking.settings = settings(max_examples=examples(50), stateful_step_count=30, deadline=None)
