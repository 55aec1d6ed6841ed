"""An event is condemned only when luck and outages are ruled out."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.delivery.poison import POISON, SPLIT_ANYWAY, Bar, Suspicion, Tally, ThrottledAlone
from tests.examples import examples


class Trial:
    """One batch among other requests, on one clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.passed = 0
        self.failed = 0
        self.suspicion: Suspicion | None = None

    def others(self, *, passed: int = 0, failed: int = 0) -> None:
        self.passed += passed
        self.failed += failed

    def fails(self, after_s: float = 15.0) -> None:
        self.now += after_s
        self.failed += 1
        if self.suspicion is None:
            self.suspicion = Suspicion(self.now, self.passed, self.failed)
        else:
            self.suspicion.failed(self.now, self.passed)

    def proven(self, bar: Bar = POISON) -> bool:
        return self.suspicion is not None and self.suspicion.retry_due(bar, self.passed, self.failed)


def failures_until_proven(
    others_passed: int, others_failed: int, every_s: float = 15.0, bar: Bar = POISON
) -> int | None:
    trial = Trial()
    for failures in range(1, 200):
        trial.fails(every_s)
        trial.others(passed=others_passed, failed=others_failed)
        if trial.proven(bar):
            return failures
    return None


def test_six_failures_over_a_minute_while_all_others_pass_prove_it() -> None:
    """0.03^6 is below 1e-9: the fastest proof there is."""
    assert failures_until_proven(100, 0) == 6


def test_six_failures_in_a_hurry_prove_nothing_before_a_minute_is_over() -> None:
    """A short hiccup of one host may hit one event six times."""
    assert failures_until_proven(100, 0, every_s=2.0) == 31


def test_the_more_others_fail_the_more_failures_it_takes() -> None:
    """f^k < 1e-9: at one third 19 or more, at one half 30 or more, at nine tenths 197 or more."""
    assert failures_until_proven(1000, 500) == 19
    assert failures_until_proven(1000, 1000) == 30
    assert failures_until_proven(1000, 9000) == 197


def test_failures_of_others_before_its_own_first_do_not_count() -> None:
    """An old outage neither hides nor proves a bad event."""
    trial = Trial()
    trial.others(failed=100_000, passed=100_000)
    for _ in range(6):
        assert not trial.proven()
        trial.fails()
        trial.others(passed=100)
    assert trial.proven()


def test_a_share_below_three_percent_is_not_believed() -> None:
    """However many others pass: f is never taken below 0.03."""
    assert failures_until_proven(10**6, 0, bar=Bar(failures=1, over_s=0.0, chance=0.031)) == 1
    assert failures_until_proven(10**6, 0, bar=Bar(failures=1, over_s=0.0, chance=0.029)) == 2


def test_few_others_prove_little() -> None:
    """One other success after each failure is not a hundred."""
    slow = failures_until_proven(1, 0)
    assert slow is not None
    assert slow > 6


def test_nothing_is_proven_unless_another_passed_after_the_last_failure() -> None:
    """The vendor may have gone down just now."""
    trial = Trial()
    for _ in range(30):
        trial.fails()
        trial.others(passed=100)
        trial.proven(Bar(failures=10**9, over_s=0.0, chance=0.0))
    trial.fails()
    assert not trial.proven()
    trial.others(passed=1)
    assert trial.proven()


def test_asking_twice_about_one_failure_counts_it_once() -> None:
    """A retry that was due, but was put back, is weighed again and not counted again."""
    trial = Trial()
    for _ in range(5):
        trial.fails()
        trial.others(passed=100)
        for _ in range(10):
            assert not trial.proven()
    trial.fails()
    trial.others(passed=100)
    assert trial.proven()


def test_a_batch_is_halved_on_less_proof_than_an_item_is_condemned() -> None:
    """A needless split costs a few requests, a needless dead letter an event."""
    assert failures_until_proven(100, 0, every_s=0.1, bar=SPLIT_ANYWAY) == 3
    assert failures_until_proven(1000, 1000, every_s=0.1, bar=SPLIT_ANYWAY) == 10


@settings(max_examples=examples(150), deadline=None)
@given(
    before=st.integers(0, 10_000),
    in_the_air=st.integers(0, 200),
    down=st.lists(st.tuples(st.floats(0.1, 600), st.integers(0, 50)), min_size=1, max_size=60),
    after=st.integers(1, 10_000),
)
def test_an_outage_never_proves_anything(
    before: int, in_the_air: int, down: list[tuple[float, int]], after: int
) -> None:
    """Good traffic, then nobody passes for any time and any number of failures, then good traffic: no event
    is to blame, not even the one that was tried most."""
    trial = Trial()
    trial.others(passed=before)
    for at, (wait_s, others_failed) in enumerate(down):
        assert not trial.proven()
        trial.fails(wait_s)
        trial.others(failed=others_failed, passed=in_the_air if at == 0 else 0)
    trial.others(passed=after)
    assert not trial.proven()


@settings(max_examples=examples(100), deadline=None)
@given(share=st.floats(0.0, 0.9), seed=st.integers(0, 10_000), others=st.integers(1, 30))
def test_a_vendor_that_fails_at_random_condemns_nobody(share: float, seed: int, others: int) -> None:
    """An innocent event fails like everybody else and passes in the end, before it is proven guilty."""
    random = Random(seed)
    trial = Trial()
    for _ in range(300):
        if random.random() >= share:
            return  # it passed
        trial.fails()
        failed = sum(random.random() < share for _ in range(others))
        trial.others(passed=others - failed, failed=failed)
        assert not trial.proven()


# ── throttled alone ──────────────────────────────────────────────────────────────────────────────


class Throttled:
    """One event that is answered 429 every time, among other requests, a second for each of its own."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.now = 0.0
        self.alone: ThrottledAlone | None = None

    def others(self, *, passed: int = 0, throttled: int = 0, left_s_ago: float = 0.0) -> None:
        """So many passed, and so many were throttled for the first time."""
        self.tally.passed += passed
        self.tally.throttled_anew += throttled
        if passed:
            self.tally.passed_left_at = max(self.tally.passed_left_at, self.now - left_s_ago)

    def again(self) -> None:
        self.now += 1
        if self.alone is None:
            self.alone = ThrottledAlone(self.now, self.tally)
        else:
            self.alone.again(self.tally)
        self.now += 1

    def proven(self) -> bool:
        return self.alone is not None and self.alone.retry_due(self.tally)


def answers_until_proven(passed: int, throttled: int) -> int | None:
    trial = Throttled()
    for answers in range(1, 200):
        trial.again()
        trial.others(passed=passed, throttled=throttled)
        if trial.proven():
            return answers
    return None


@pytest.mark.parametrize(("passed", "throttled"), [(1, 0), (100, 0), (1, 1), (10, 90)])
def test_ten_answers_prove_it_when_others_were_delivered_meanwhile(passed: int, throttled: int) -> None:
    """However many or few, and however many others of the same identifier share its fate."""
    assert answers_until_proven(passed, throttled) == 10


def test_while_everybody_is_throttled_nobody_is_alone() -> None:
    """That is our rate and not an identifier, even if others had passed before."""
    trial = Throttled()
    for _ in range(9):
        trial.again()
        trial.others(passed=5)
        assert not trial.proven()
    for _ in range(500):
        trial.again()
        trial.others(throttled=3)
        assert not trial.proven()
    trial.others(passed=1)
    assert trial.proven()


def test_silence_around_it_clears_nobody() -> None:
    """Others were delivered, then the topic fell silent but for more of the same identifier, who had been
    throttled before: the tenth answer is enough, or the last events of a topic would stay open for ever."""
    trial = Throttled()
    trial.again()
    trial.others(passed=3, throttled=5)
    for _ in range(8):
        trial.again()
        assert not trial.proven()
    trial.again()
    assert trial.proven()


def test_an_event_that_is_all_alone_is_not_proven_to_be_throttled_alone() -> None:
    """Nobody was delivered since: what passed before says nothing, nor does what was under way already."""
    trial = Throttled()
    trial.others(passed=1000)
    trial.again()
    trial.others(passed=60, left_s_ago=1.0)
    for _ in range(50):
        trial.again()
        assert not trial.proven()
    trial.others(passed=1)
    assert trial.proven()


def test_asking_twice_about_one_answer_of_429_counts_it_once() -> None:
    """A retry that was due, but was put back, is weighed again and not counted again."""
    trial = Throttled()
    for _ in range(9):
        trial.again()
        trial.others(passed=1)
        for _ in range(10):
            assert not trial.proven()
    trial.again()
    trial.others(throttled=1)
    assert not trial.proven()
    trial.others(passed=1)
    assert trial.proven()
