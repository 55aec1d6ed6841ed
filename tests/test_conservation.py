"""The books: they balance when everything is where it must be, and not when one thing is not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.conservation import Conservation, Found, audit
from connector.traffic import Expected

EXPECTED = [
    Expected("delivered", "", ("a", "b")),
    Expected("delivered", "", ("c",)),
    Expected("skipped", "tombstone", ()),
    Expected("dead_lettered", "vendor_rejected", ("d",)),
    Expected("dead_lettered", "undecodable", ()),
]


@dataclass
class Run:
    """A run in which everything went right; a test spoils one thing."""

    counted: dict[tuple[str, str], int] = field(
        default_factory=lambda: {
            ("delivered", ""): 2,
            ("skipped", "tombstone"): 1,
            ("dead_lettered", "vendor_rejected"): 1,
            ("dead_lettered", "undecodable"): 1,
        }
    )
    letters: dict[str, int] = field(default_factory=lambda: {"vendor_rejected": 1, "undecodable": 1})
    uncommitted: int = 0
    accepted: dict[str, int] = field(default_factory=lambda: dict.fromkeys("abcd", 1))
    ignored: dict[str, str] = field(default_factory=dict)

    def books(self, *expected: Expected, unavoidable: frozenset[str] = frozenset()) -> Conservation:
        found = Found(self.counted, self.letters, self.uncommitted, self.accepted, self.ignored)
        return audit(expected or EXPECTED, found, unavoidable)


def test_they_balance_when_everything_is_where_it_must_be() -> None:
    """The vendor holds the good items of a refused record, too."""
    books = Run().books()
    assert books.balances
    assert (books.produced, books.settled, books.ids_expected, books.repeats) == (5, 5, 4, 0)
    assert books.total("dead_lettered") == 2
    assert books.reasons("dead_lettered") == {"undecodable": 1, "vendor_rejected": 1}


@pytest.mark.parametrize("lost", "abcd")
def test_a_missing_id_is_named(lost: str) -> None:
    """Whichever it is."""
    run = Run()
    del run.accepted[lost]
    assert run.books().missing == (lost,)
    assert not run.books().balances


def test_an_id_that_should_not_be_there_is_named() -> None:
    """A poisoned item that the vendor took after all, for example."""
    run = Run()
    run.accepted["x"] = 1
    assert run.books().unexpected == ("x",)
    assert not run.books().balances


def test_an_id_that_came_twice_is_a_repeat_and_no_mistake() -> None:
    """At least once: the vendor's idempotency absorbs it."""
    run = Run()
    run.accepted["a"] = 3
    assert run.books().repeats == 2
    assert run.books().balances


def test_what_the_vendor_dropped_in_silence_is_a_mistake() -> None:
    """It said yes and kept nothing: our mapping is wrong, unless no mapping could be right."""
    run = Run(ignored={"a": "same_key"})
    del run.accepted["a"]
    assert not run.books().balances
    books = run.books(unavoidable=frozenset({"same_key"}))
    assert books.balances
    assert books.unavoidable == {"same_key": 1}


def test_an_id_that_was_produced_twice_must_be_there_twice() -> None:
    """The same event twice is sent twice; some vendors' names for two events are the same."""
    twice = [*EXPECTED, Expected("delivered", "", ("c",))]
    run = Run()
    run.counted["delivered", ""] += 1
    assert run.books(*twice).missing == ("c",)
    run.accepted["c"] = 2
    assert run.books(*twice).balances
    assert run.books(*twice).repeats == 0


@pytest.mark.parametrize("letters", [{}, {"vendor_rejected": 1}, {"vendor_rejected": 2, "undecodable": 1}])
def test_a_dead_letter_that_is_not_in_the_topic_is_named(letters: dict[str, int]) -> None:
    """The connector may count what it likes: the topic decides."""
    books = Run(letters=letters).books()
    assert not books.balances
    assert any("in the topic" in difference for difference in books.differences)


def test_offsets_that_are_behind_do_not_balance() -> None:
    """What is not committed is sent again by the next run."""
    assert not Run(uncommitted=1).books().balances


@given(st.dictionaries(st.sampled_from(sorted(Run().counted)), st.integers(-1, 1), min_size=1))
def test_any_count_that_is_off_does_not_balance(errors: dict[tuple[str, str], int]) -> None:
    """Also when the sum is right: a dead letter that is counted as delivered is a lie."""
    run = Run()
    for key, error in errors.items():
        run.counted[key] += error
    assert run.books().balances == (not any(errors.values()))


def test_a_reason_nobody_expected_does_not_balance() -> None:
    """The right outcome for the wrong reason is a wrong outcome."""
    run = Run()
    run.counted["skipped", "no_entity"] = run.counted.pop(("skipped", "tombstone"))
    assert not run.books().balances


def test_a_count_of_zero_is_no_difference() -> None:
    """A counter that exists and never moved."""
    run = Run()
    run.counted["skipped", "no_entity"] = 0
    assert run.books().balances
