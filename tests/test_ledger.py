"""The sandbox's ledger: exact totals, ids up to a bound, and order per key."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.ledger import Ledger
from connector.vendors.contract import SandboxAnswer

ids = st.sampled_from("abcdefgh")
arrivals = st.lists(st.tuples(ids, st.sampled_from(["k1", "k2", None])), max_size=6)


def took(*accepted: tuple[str, str | None]) -> SandboxAnswer:
    return SandboxAnswer(200, accepted=accepted)


@given(st.lists(arrivals, max_size=20))
def test_every_arrival_is_counted(requests: list[list[tuple[str, str | None]]]) -> None:
    """How often each id was stored, and how many arrivals that were in all."""
    ledger = Ledger()
    for request in requests:
        ledger.stored(took(*request))
    expected = Counter(item_id for request in requests for item_id, _ in request)
    assert ledger.accepted == expected
    assert ledger.accepted_count == expected.total()


@given(st.lists(arrivals, max_size=30), st.integers(min_value=0, max_value=5))
def test_ids_are_bounded_and_totals_are_not(requests: list[list[tuple[str, str | None]]], most: int) -> None:
    """Beyond the bound an id is counted as forgotten, each time it comes."""
    ledger = Ledger(ids_max=most)
    for request in requests:
        ledger.stored(took(*request))
    assert len(ledger.accepted) <= most
    assert sum(map(len, ledger.order.values())) <= most
    assert ledger.accepted_count == sum(map(len, requests))
    assert sum(ledger.accepted.values()) + ledger.ids_forgotten == ledger.accepted_count


def test_order_is_the_order_of_arrival() -> None:
    """A repeat in place is no disorder; an id that returns after a newer one shows, and is counted."""
    ledger = Ledger()
    for item_id in ("a", "a", "b"):
        ledger.stored(took((item_id, "k")))
    assert (ledger.order, ledger.older_after_newer) == ({"k": ["a", "b"]}, 0)
    ledger.stored(took(("a", "k")))
    assert (ledger.order, ledger.older_after_newer) == ({"k": ["a", "b", "a"]}, 1)


def test_what_may_come_again_by_itself_is_no_disorder() -> None:
    """A cart that is filled, emptied and filled again has the first body a third time; the order shows it."""
    ledger = Ledger()
    for item_id in ("full", "empty", "full", "full"):
        ledger.stored(SandboxAnswer(200, accepted=[(item_id, "cart:1")], may_recur=True))
    assert (ledger.order, ledger.older_after_newer) == ({"cart:1": ["full", "empty", "full"]}, 0)


def test_overlapping_requests_of_a_key_are_counted() -> None:
    """Only while the first is still open, and only for the same key."""
    ledger = Ledger()
    ledger.opened({"k"})
    ledger.opened({"other"})
    assert ledger.overlaps == 0
    ledger.opened({"k", "third"})
    assert ledger.overlaps == 1
    ledger.closed({"k"})
    ledger.opened({"k"})
    assert ledger.overlaps == 2
    for keys in ({"k", "third"}, {"k"}, {"other"}):
        ledger.closed(keys)
    ledger.opened({"k", "third", "other"})
    assert ledger.overlaps == 2


def test_the_snapshot_tells_everything_or_only_the_counts() -> None:
    """Accepted, ignored and refused, with their ids when asked for."""
    ledger = Ledger()
    ledger.stored(SandboxAnswer(200, accepted=[("a", "k"), ("b", None)], ignored=[("c", "no meaning")]))
    ledger.stored(took(("a", "k")))
    ledger.turned_away("bad_request", ["d", "e"])
    ledger.statuses[200] += 2
    ledger.faults["reset"] += 1
    ledger.key_checks, ledger.keys_refused = 2, 1
    ledger.requests = 4
    counts: dict[str, Any] = ledger.snapshot(ids=False)
    assert counts == {
        "requests": 4,
        "statuses": {"200": 2},
        "faults": {"reset": 1},
        "key_checks": {"count": 2, "refused": 1},
        "accepted": {"count": 3, "unique": 2},
        "ignored": {"count": 1, "reasons": {"no meaning": 1}},
        "refused": {"count": 1, "reasons": {"bad_request": 1}},
        "older_after_newer": 0,
        "overlaps": 0,
        "ids_forgotten": 0,
    }
    full: dict[str, Any] = ledger.snapshot()
    assert full["accepted"]["ids"] == {"a": 2, "b": 1}
    assert full["ignored"]["ids"] == {"c": "no meaning"}
    assert full["refused"]["ids"] == {"d": "bad_request", "e": "bad_request"}
    assert full["order"] == {"k": ["a"]}
