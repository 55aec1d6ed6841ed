"""The books: they balance when everything is where it must be, and not when one thing is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.conservation import Conservation, Found, Produced, audit
from connector.traffic import Expected

PRODUCED = [
    Produced("clicks", 0, 0, Expected("delivered", "", ("a", "b"))),
    Produced("clicks", 0, 1, Expected("delivered", "", ("c",))),
    Produced("clicks", 0, 2, Expected("skipped", "tombstone", ())),
    Produced("orders", 0, 0, Expected("dead_lettered", "vendor_rejected", ("d",))),
    Produced("orders", 0, 1, Expected("dead_lettered", "undecodable", ())),
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
    letters: dict[str, str] = field(
        default_factory=lambda: {"orders:0:0": "vendor_rejected", "orders:0:1": "undecodable"}
    )
    committed: dict[tuple[str, int], int] = field(
        default_factory=lambda: {("clicks", 0): 3, ("orders", 0): 2}
    )
    accepted: dict[str, int] = field(default_factory=lambda: dict.fromkeys("abcd", 1))
    ignored: dict[str, str] = field(default_factory=dict)
    altered: set[str] = field(default_factory=set)
    planned: int | None = None

    def books(
        self, produced: Sequence[Produced] = PRODUCED, unavoidable: frozenset[str] = frozenset()
    ) -> Conservation:
        found = Found(self.counted, self.letters, self.committed, self.accepted, self.ignored, self.altered)
        return audit(len(produced) if self.planned is None else self.planned, produced, found, unavoidable)


def test_they_balance_when_everything_is_where_it_must_be() -> None:
    """The vendor holds the good items of a refused record, too."""
    books = Run().books()
    assert books.balances
    assert not books.differences
    assert (books.planned, books.produced, books.settled, books.repeats) == (5, 5, 5, 0)
    assert (books.ids_expected, books.ids_accepted, books.letters) == (4, 4, 2)
    assert books.found == {"delivered": 2, "skipped": 1, "dead_lettered": 2}
    assert (books.must("dead_lettered"), books.total("dead_lettered")) == (2, 2)
    assert books.reasons("dead_lettered") == {"undecodable": 1, "vendor_rejected": 1}


# ── what the vendor holds ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("lost", "record"), [("a", "clicks:0:0"), ("b", "clicks:0:0"), ("c", "clicks:0:1"), ("d", "orders:0:0")]
)
def test_a_missing_id_is_named_with_its_record(lost: str, record: str) -> None:
    """Its record was committed, so no other run will send it."""
    run = Run()
    del run.accepted[lost]
    books = run.books()
    assert books.missing == (lost,)
    assert books.lost == (record,)
    assert f"1 record committed without its outcome: {record}" in books.differences


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


def test_an_id_under_which_something_else_came_is_named() -> None:
    """Which of the two the vendor keeps, nobody knows."""
    books = Run(altered={"a"}).books()
    assert books.differences == ("1 id with other bytes than mapped: a",)


def test_what_the_vendor_dropped_in_silence_is_a_mistake() -> None:
    """It said yes and kept nothing: our mapping is wrong, unless no mapping could be right."""
    run = Run(ignored={"a": "same_key"})
    del run.accepted["a"]
    assert "1 id dropped by the vendor in silence: same_key" in run.books().differences
    books = run.books(unavoidable=frozenset({"same_key"}))
    assert books.balances
    assert books.unavoidable == {"same_key": 1}
    assert books.found["delivered"] == 2


def test_an_id_that_was_produced_twice_must_be_there_twice() -> None:
    """The same event twice is sent twice; some vendors' names for two events are the same."""
    twice = [*PRODUCED, Produced("clicks", 0, 3, Expected("delivered", "", ("c",)))]
    run = Run(committed={("clicks", 0): 4, ("orders", 0): 2})
    run.counted["delivered", ""] += 1
    assert run.books(twice).missing == ("c",)
    run.accepted["c"] = 2
    assert run.books(twice).balances
    assert run.books(twice).repeats == 0


def test_of_two_records_with_one_id_the_committed_one_has_it() -> None:
    """The other is simply not sent yet: nothing is lost."""
    shared = [
        Produced("clicks", 0, 0, Expected("delivered", "", ("c",))),
        Produced("clicks", 1, 0, Expected("delivered", "", ("c",))),
    ]
    for done in (0, 1):
        run = Run({("delivered", ""): 1}, {}, {("clicks", done): 1}, {"c": 1})
        books = run.books(shared)
        assert not books.lost
        assert books.open == (f"clicks:{1 - done}:0",)


# ── what Kafka holds ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", ["orders:0:0", "orders:0:1"])
def test_a_dead_letter_that_is_not_in_the_topic_is_a_loss(place: str) -> None:
    """The connector may count what it likes: the topic decides."""
    run = Run()
    del run.letters[place]
    assert run.books().differences == (f"1 record committed without its outcome: {place}",)


@pytest.mark.parametrize("place", ["clicks:0:0", "orders:0:7"])
def test_a_dead_letter_that_nobody_expected_is_named(place: str) -> None:
    """Of a record that is fine, or of none."""
    run = Run()
    run.letters[place] = "undecodable"
    assert run.books().differences == (f"1 dead letter that should not be: {place} undecodable",)


def test_a_dead_letter_with_another_reason_is_a_wrong_one() -> None:
    """Who reads it would look in the wrong place."""
    run = Run()
    run.letters["orders:0:0"] = "invalid_price"
    books = run.books()
    assert books.lost == ("orders:0:0",)
    assert books.letters_unexpected == ("orders:0:0 invalid_price",)


def test_offsets_that_are_behind_do_not_balance() -> None:
    """What is not committed is sent again by the next run; it is named by where that would begin."""
    books = Run(committed={("clicks", 0): 1}).books()
    assert books.behind == {"clicks:0:1": 2, "orders:0:0": 2}
    assert "4 records not committed, from clicks:0:1, orders:0:0 on" in books.differences
    assert not books.open, "the vendor and the topic have them"
    assert not books.lost


def test_a_record_without_an_outcome_is_open_while_it_is_not_committed() -> None:
    """And lost from the moment it is."""
    run = Run(committed={("clicks", 0): 1, ("orders", 0): 2})
    del run.accepted["c"]
    assert run.books().open == ("clicks:0:1",)
    assert not run.books().lost
    run.committed["clicks", 0] = 2
    assert run.books().lost == ("clicks:0:1",)
    assert not run.books().open


def test_a_skip_shows_by_its_commit_alone() -> None:
    """One that is not committed is neither found nor called open: nothing in the world tells."""
    books = Run(committed={("clicks", 0): 2, ("orders", 0): 2}).books()
    assert books.found == {"delivered": 2, "dead_lettered": 2}
    assert not books.open
    assert books.differences == ("1 record not committed, from clicks:0:2 on",)


def test_records_that_never_came_to_kafka_are_told() -> None:
    """Planned and not there: the run ended early, or Kafka lost them."""
    assert Run(planned=7).books().differences == ("7 records planned, 5 in Kafka",)


# ── what the connector says ──────────────────────────────────────────────────────────────────────


@given(st.dictionaries(st.sampled_from(sorted(Run().counted)), st.integers(-1, 1), min_size=1))
def test_any_count_that_is_off_does_not_balance(errors: dict[tuple[str, str], int]) -> None:
    """Also when the sum is right: a dead letter that is counted as delivered is a lie."""
    run = Run()
    for key, error in errors.items():
        run.counted[key] += error
    assert run.books().balances == (not any(errors.values()))


def test_what_it_counts_changes_nothing_of_what_is_found() -> None:
    """It is one more claim, and believed in nothing."""
    right, wrong = Run().books(), Run(counted={("delivered", ""): 5}).books()
    assert wrong.found == right.found
    assert (wrong.open, wrong.lost, wrong.missing) == (right.open, right.lost, right.missing)
    assert not wrong.balances


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


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def test_of_many_only_some_are_named() -> None:
    """With their number; in order of place, not of text."""
    many = [Produced("clicks", 0, at, Expected("delivered", "", (f"id-{at}",))) for at in range(12)]
    books = Run({("delivered", ""): 0}, {}, {}, {}).books(many)
    words = "12 records without their outcome: clicks:0:0, clicks:0:1, clicks:0:2, clicks:0:3, clicks:0:4, …"
    assert words in books.differences
    assert books.open[-1] == "clicks:0:11"
