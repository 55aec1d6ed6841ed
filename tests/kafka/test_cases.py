"""Which records need somebody: letters and markers of the dead-letter topic, united record by record."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.kafka.cases import Case, Cases, Choice
from connector.kafka.dead_letter import Headers, rfc3339
from connector.kafka.marker import Marker, Spot, read_marker
from connector.model.coordinate import Coordinate
from tests.letters import letter

RECORD = Coordinate("orders", 3, 42)
SPOT = Spot(0, 7)


def headers(
    record: Coordinate = RECORD,
    reason: str = "invalid_price",
    failed_at_ms: int = 0,
    *,
    replays: int = 0,
    event_type: str = "click",
    more: Headers = (),
) -> Headers:
    """A letter's, as the connector writes it."""
    return letter(
        record, reason, failed_at_ms=failed_at_ms, replays=replays, event_type=event_type, more=more
    ).headers


def marked(*spots: Spot, record: Coordinate = RECORD) -> Headers:
    """A marker's."""
    return Marker(record, spots, "delivered", "", rfc3339(9)).letter(0).headers


def only(cases: Cases) -> Case:
    (case,) = cases.all()
    return case


# ── one record ───────────────────────────────────────────────────────────────────────────────────


def test_a_letter_is_a_case_that_is_open() -> None:
    """With all that a listing shows; what only a closer look wants is not kept in memory."""
    cases = Cases()
    cases.add(SPOT, 5, b"{}", headers(more=(("source", b"x"),)))
    case = only(cases)
    assert (case.record, case.spot, case.spots, case.state) == (RECORD, SPOT, (SPOT,), "open")
    assert case.letter.reason == "invalid_price"
    assert case.letter.message == "invalid_price: items[0]"
    assert case.letter.source_headers == ()


def test_a_letter_that_was_written_twice_is_one_case() -> None:
    """A crash between the letter and the commit writes it again: one thing to do, not two."""
    cases = Cases()
    for offset in (1, 2):
        cases.add(Spot(0, offset), 5, b"{}", headers())
    assert only(cases).spots == (Spot(0, 1), Spot(0, 2))


def test_a_place_in_a_topic_created_anew_is_another_record() -> None:
    """Its letters are a case of their own: what became of the one says nothing of the other."""
    cases = Cases()
    cases.add(Spot(0, 1), 5, b"of the old topic", headers())
    cases.add(Spot(0, 2), 6, b"of the new one", headers(failed_at_ms=1_000))
    cases.add(Spot(0, 3), 7, None, marked(Spot(0, 2)))
    assert [(case.spots, case.state) for case in cases.all()] == [
        ((Spot(0, 1),), "open"),
        ((Spot(0, 2),), "resolved"),
    ]


def test_a_letter_without_its_value_is_of_the_same_record() -> None:
    """The topic took the value the first time, and its limit was lowered since."""
    value = b"too large by now"
    omitted = (
        ("connector.value_omitted", b"too large"),
        ("connector.value_sha256", hashlib.sha256(value).hexdigest().encode()),
    )
    cases = Cases()
    cases.add(Spot(0, 1), 5, value, headers())
    cases.add(Spot(0, 2), 6, None, (*headers(), *omitted))
    assert only(cases).spots == (Spot(0, 1), Spot(0, 2))


@pytest.mark.parametrize("turned", [False, True])
def test_the_newest_letter_speaks_for_its_record(turned: bool) -> None:
    """In whatever order the partitions of the dead-letter topic are read."""
    found = [
        (Spot(1, 0), headers(reason="invalid_total", failed_at_ms=1_000, replays=0)),
        (Spot(0, 0), headers(reason="vendor_rejected", failed_at_ms=2_000, replays=1)),
    ]
    cases = Cases()
    for spot, each in reversed(found) if turned else found:
        cases.add(spot, 5, b"{}", each)
    case = only(cases)
    assert (case.letter.reason, case.letter.replays, case.spot) == ("vendor_rejected", 1, Spot(0, 0))


def test_a_marker_resolves_the_letters_that_it_names() -> None:
    """Whether it is read before or after them, and whatever the clocks of their writers said."""
    cases = Cases()
    cases.add(Spot(1, 9), 1, None, marked(SPOT, Spot(2, 2)))
    cases.add(SPOT, 5, b"{}", headers())
    cases.add(Spot(2, 2), 8, b"{}", headers())
    case = only(cases)
    assert case.state == "resolved"
    assert case.marker is not None
    assert (case.marker.outcome, case.marker.resolved_at) == ("delivered", rfc3339(9))


def test_a_letter_that_no_marker_names_opens_its_case_again() -> None:
    """The record failed once more after it was resolved, or was written once more: somebody must look."""
    cases = Cases()
    cases.add(SPOT, 5, b"{}", headers())
    cases.add(Spot(0, 8), 6, None, marked(SPOT))
    assert only(cases).state == "resolved"
    cases.add(Spot(0, 9), 7, b"{}", headers(failed_at_ms=7))
    case = only(cases)
    assert (case.state, case.spot) == ("open", Spot(0, 9))


def test_a_marker_that_names_no_letter_resolves_those_before_it() -> None:
    """The fixed header alone is enough, so that any Kafka tool can close a case by hand."""
    bare: Headers = (("connector.resolves", b"orders:3:42"),)
    cases = Cases()
    cases.add(SPOT, 5, b"{}", headers())
    cases.add(Spot(1, 0), 6, None, bare)
    assert only(cases).state == "resolved"
    cases.add(Spot(0, 9), 7, b"{}", headers())
    assert only(cases).state == "open"


def test_a_marker_of_one_record_resolves_no_other() -> None:
    """Not even where the letter's place is the same number."""
    cases = Cases()
    cases.add(SPOT, 5, b"{}", headers())
    cases.add(Spot(0, 8), 6, None, marked(SPOT, record=Coordinate("orders", 3, 43)))
    assert only(cases).state == "open"


def test_what_two_connectors_could_not_deliver_is_two_cases() -> None:
    """A marker of the one resolves nothing of the other's: it was delivered to one vendor only."""
    cases = Cases()
    cases.add(SPOT, 5, b"{}", headers())
    cases.add(Spot(0, 8), 5, b"{}", letter(RECORD, destination="moloco").headers)
    cases.add(Spot(0, 9), 5, b"{}", letter(RECORD, group_id="another").headers)
    cases.add(Spot(0, 10), 6, None, marked(SPOT))
    states = {(case.letter.destination, case.letter.group_id): case.state for case in cases.all()}
    assert states == {
        ("topsort", "connector"): "resolved",
        ("moloco", "connector"): "open",
        ("topsort", "another"): "open",
    }


def test_a_letter_without_value_is_no_marker_whatever_its_source_said() -> None:
    """A header of the record itself may have any name; the value may have been too large for the topic."""
    cases = Cases()
    cases.add(SPOT, 5, None, headers(more=(("connector.resolves", b"orders:3:42"),)))
    assert only(cases).state == "open"


def test_what_is_neither_is_counted_and_costs_nothing() -> None:
    """Somebody else writes into the topic, or a marker is broken: told, never guessed."""
    cases = Cases()
    cases.add(Spot(0, 0), 5, b"{}", (("any", b"thing"),))
    cases.add(Spot(0, 1), 5, b"{}", marked(SPOT))
    cases.add(Spot(0, 2), 5, None, (("connector.resolves", b"orders:3"),))
    cases.add(Spot(0, 3), 5, None, (("connector.resolves", b"orders:3:1"), ("connector.letters", b"[1]")))
    assert cases.all() == []
    assert cases.foreign == 4


@given(st.builds(Coordinate, st.just("a.b_c-d"), st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1)),
       st.lists(st.builds(Spot, st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1)), min_size=1),
       st.sampled_from(["delivered", "skipped"]))  # fmt: skip
def test_a_marker_reads_back_as_it_was_written(record: Coordinate, spots: list[Spot], outcome: str) -> None:
    """And has neither key nor value, and the fixed header says whose letters it resolves."""
    marker = Marker(record, tuple(spots), outcome, "stale_event", rfc3339(1))
    written = marker.letter(spots[0].partition)
    assert (written.key, written.value, written.partition) == (None, None, spots[0].partition)
    assert dict(written.headers)["connector.resolves"] == str(record).encode()
    assert read_marker(written.headers) == marker


# ── which are meant ──────────────────────────────────────────────────────────────────────────────

DAY_MS = 86_400_000


@pytest.fixture
def cases() -> list[Case]:
    found = Cases()
    found.add(Spot(0, 0), 1, b"{}", headers(Coordinate("orders", 0, 1), "invalid_price", DAY_MS))
    found.add(
        Spot(0, 1), 1, b"{}", headers(Coordinate("clicks", 0, 1), "missing_required_field:items", 2 * DAY_MS)
    )
    found.add(
        Spot(0, 2), 1, b"{}", headers(Coordinate("clicks", 1, 1), "http_409", 3 * DAY_MS, event_type="x")
    )
    found.add(Spot(0, 3), 1, None, marked(Spot(0, 2), record=Coordinate("clicks", 1, 1)))
    return found.all()


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        (Choice(), ["orders:0:1", "clicks:0:1"]),
        (Choice(states=frozenset({"resolved"})), ["clicks:1:1"]),
        (Choice(states=frozenset({"open", "resolved"})), ["orders:0:1", "clicks:0:1", "clicks:1:1"]),
        (Choice(reasons=frozenset({"invalid_price", "http_409"})), ["orders:0:1"]),
        (Choice(reasons=frozenset({"missing_required_field"})), ["clicks:0:1"]),
        (Choice(reasons=frozenset({"missing_required_field:items"})), ["clicks:0:1"]),
        (Choice(reasons=frozenset({"missing_required_field:user"})), []),
        (Choice(topics=frozenset({"clicks"})), ["clicks:0:1"]),
        (Choice(event_types=frozenset({"x"}), states=frozenset({"resolved"})), ["clicks:1:1"]),
        (Choice(event_types=frozenset({"click"})), ["orders:0:1", "clicks:0:1"]),
        (Choice(since=rfc3339(2 * DAY_MS)), ["clicks:0:1"]),
        (Choice(until=rfc3339(2 * DAY_MS)), ["orders:0:1"]),
        (Choice(since=rfc3339(DAY_MS), until=rfc3339(DAY_MS + 1)), ["orders:0:1"]),
        (Choice(records=frozenset({Coordinate("clicks", 0, 1)})), ["clicks:0:1"]),
        (Choice(records=frozenset({Coordinate("clicks", 1, 1)})), []),
    ],
)
def test_a_choice_takes_what_it_says(cases: list[Case], choice: Choice, chosen: list[str]) -> None:
    """Oldest failure first; everything that is said must hold."""
    assert [str(case.record) for case in cases if choice.takes(case)] == chosen


@pytest.mark.parametrize(
    "text", ["orders:3", "orders:3:", "orders:-1:2", ":1:2", "a b:1:2", "orders:1:2:3", "orders:x:1"]
)
def test_what_is_no_coordinate_is_none(text: str) -> None:
    """And what is one comes back as it was."""
    assert Coordinate.read(text) is None
    assert str(Coordinate.read("orders-1.a:0:12")) == "orders-1.a:0:12"
