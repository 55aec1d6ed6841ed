"""The SPEC of faults: what it says, what it refuses, and that a seed decides the rest."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.faults import HANG_S, RETRY_AFTER_S, Fault, Faults, SpecError


def first(spec: str) -> Fault | None:
    """The fault of a rule that always hits."""
    return Faults.parse(spec).next()


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("503:1", Fault("503", "status", status=503)),
        ("503:1:retry_after=2.5", Fault("503", "status", status=503, retry_after_s=2.5)),
        ("503_after:1", Fault("503_after", "status", after=True, status=503)),
        ("429:1", Fault("429", "status", status=429, retry_after_s=RETRY_AFTER_S)),
        ("429:1:retry_after=0", Fault("429", "status", status=429, retry_after_s=0)),
        ("302:1", Fault("302", "status", status=302)),
        ("reset:1", Fault("reset", "reset")),
        ("reset_after:1", Fault("reset_after", "reset", after=True)),
        ("hang:1", Fault("hang", "hang", seconds=HANG_S)),
        ("hang_after:1:seconds=4", Fault("hang_after", "hang", after=True, seconds=4)),
        ("slow:1:seconds=0.5", Fault("slow", "slow", after=True, seconds=0.5)),
        ("truncated:1", Fault("truncated", "truncated", after=True)),
        (" 500:1 , ", Fault("500", "status", status=500)),
        ("500:burst=1/1", Fault("500", "status", status=500)),
    ],
)
def test_each_rule_means_its_fault(spec: str, fault: Fault) -> None:
    """Defaults included."""
    assert first(spec) == fault


def test_no_rule_is_no_fault() -> None:
    """Whatever the number of requests."""
    faults = Faults.parse("")
    assert all(faults.next() is None for _ in range(100))
    assert not faults.has_poison


@pytest.mark.parametrize(
    "spec",
    [
        "503",
        "503:",
        "503:often",
        "503:1.1",
        "503:-0.1",
        "503:nan",
        "200:0.1",
        "299:0.1",
        "600:0.1",
        "429_after:0.1",
        "slow_after:0.1",
        "truncated_after:0.1",
        "explode:0.1",
        "503:0.1:seconds=2",
        "503:0.1:retry_after=soon",
        "503:0.1:retry_after=inf",
        "503:0.1:retry_after",
        "reset:0.1:seconds=2",
        "hang:0.1:seconds=1e9",
        "503:0.6,reset:0.6",
        "503:burst=20",
        "503:burst=0/10",
        "503:burst=11/10",
        "503:burst=-1/10",
        "poison",
        "poison:",
    ],
)
def test_what_means_nothing_is_refused(spec: str) -> None:
    """With the rule in the words, but for shares that only together are too many."""
    with pytest.raises(SpecError) as error:
        Faults.parse(spec)
    assert str(error.value).startswith(spec) or "add up" in str(error.value)


def test_shares_are_met_and_exclude_each_other() -> None:
    """Within a tenth over 20,000 requests, and never more than one fault a request."""
    faults = Faults.parse("503:0.1,reset:0.05,429:0.02")
    counts = Counter(fault.name if fault else None for fault in (faults.next() for _ in range(20_000)))
    for name, share in (("503", 0.1), ("reset", 0.05), ("429", 0.02), (None, 0.83)):
        assert counts[name] == pytest.approx(20_000 * share, rel=0.1)


def test_shares_of_one_in_all_leave_no_request_alone() -> None:
    """Ten tenths are one, also in floating point."""
    faults = Faults.parse(",".join(f"{500 + n}:0.1" for n in range(10)))
    assert all(faults.next() for _ in range(5_000))


def test_a_burst_takes_the_end_of_every_period() -> None:
    """Exactly so many, one after the other, and bursts go before shares."""
    faults = Faults.parse("503:1,429:burst=3/10")
    names = [fault.name for fault in (faults.next() for _ in range(30)) if fault]
    assert names == (["503"] * 7 + ["429"] * 3) * 3


@given(st.integers(), st.integers(min_value=0, max_value=200))
def test_a_seed_decides_everything(seed: int, count: int) -> None:
    """The same SPEC and seed give the same faults in the same places."""
    spec = "503:0.2,429:burst=2/7,hang:0.3"
    once, again = Faults.parse(spec, seed), Faults.parse(spec, seed)
    assert [once.next() for _ in range(count)] == [again.next() for _ in range(count)]


def test_seeds_differ() -> None:
    """Another seed, other places."""
    first_, second = Faults.parse("503:0.5", 1), Faults.parse("503:0.5", 2)
    assert [first_.next() for _ in range(100)] != [second.next() for _ in range(100)]


def test_poison_is_found_by_id() -> None:
    """The exact id, wherever it stands among those of the request; `%2C` is a comma, a colon is itself."""
    faults = Faults.parse("poison:ord-7,poison5xx:a%2Cb,poison:order:8,poison429:default")
    assert faults.has_poison
    assert faults.next() is None
    assert faults.poisoned(["ord-1", "ord-7"]) == ("poison", 400)
    assert faults.poisoned(["a,b"]) == ("poison5xx", 500)
    assert faults.poisoned(["order:8"]) == ("poison", 400)
    assert faults.poisoned(["default"]) == ("poison429", 429)
    assert faults.poisoned(["ord-70", "ord-", "a", ""]) is None
    assert faults.poisoned([]) is None
