"""Dead letters read as the records that they were, under leases whose frontiers only go forward."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.kafka.assignment import Assignment
from connector.kafka.cases import Case, Cases
from connector.kafka.dead_letter import Letter, replays_of
from connector.kafka.inspect import Stored
from connector.kafka.marker import Spot
from connector.kafka.ranges import Range
from connector.kafka.readers import LetterReader, SourceReader, ranges_of
from connector.model.coordinate import Coordinate
from connector.model.record import Lease
from tests.letters import letter

TOPIC = "dead-letter"
RECORD = Coordinate("orders", 3, 42)


def nowhere(_: Coordinate) -> Stored | None:
    raise AssertionError("nothing was left out, so the source need not be asked")


def stored(spot: Spot, one: Letter) -> Stored:
    return Stored(spot.partition, spot.offset, 5, one.key, one.value, one.headers)


def case_of(*found: Stored) -> list[Case]:
    cases = Cases()
    for each in found:
        cases.add(Spot(each.partition, each.offset), each.timestamp_ms, each.value, each.headers)
    return cases.all()


def test_a_letter_is_the_record_that_it_was() -> None:
    """Place, key, value and headers; behind them how often it was replayed with this time, which the next
    letter carries on and no vendor sees."""
    one = stored(Spot(0, 7), letter(RECORD, value=b"value", more=(("a", None), ("b", b"x")), replays=2))
    record = LetterReader(case_of(one), nowhere).read(TOPIC, one)
    assert record is not None
    assert record.coordinate == "orders:3:42"
    assert (record.key, record.value) == (b"k", b"value")
    assert record.headers[:-1] == (("a", None), ("b", b"x"))
    assert replays_of(record) == 3


def test_what_was_not_chosen_is_passed_over() -> None:
    """Older letters of the same record too: it is sent once."""
    old, new, other = (
        stored(Spot(0, 1), letter(RECORD)),
        stored(Spot(0, 2), letter(RECORD, failed_at_ms=9)),
        stored(Spot(0, 3), letter(Coordinate("orders", 0, 1))),
    )
    cases = [case for case in case_of(old, new, other) if case.record == RECORD]
    reader = LetterReader(cases, nowhere)
    assert reader.read(TOPIC, old) is None
    assert reader.read(TOPIC, other) is None
    assert reader.read(TOPIC, new) is not None
    assert reader.unreadable == 0
    assert ranges_of(TOPIC, cases) == [Range(TOPIC, 0, 2, 3)]


def test_what_the_letter_had_no_room_for_comes_from_the_source() -> None:
    """With everything that the record had; but only if it is that record, by its hash."""
    for form in (1, 2, 3):
        one = stored(Spot(0, 7), letter(RECORD, value=b"large", more=(("a", b"x"),), form=form))
        (case,) = case_of(one)
        asked: list[Coordinate] = []

        def source(where: Coordinate, asked: list[Coordinate] = asked) -> Stored | None:
            asked.append(where)
            return Stored(3, 42, 9, b"key", b"large", (("a", b"x"),))

        record = LetterReader([case], source).read(TOPIC, one)
        assert record is not None
        assert asked == [RECORD]
        assert (record.key, record.value, record.headers[:-1]) == (b"key", b"large", (("a", b"x"),))

        for gone in (None, Stored(3, 42, 9, None, b"another", ()), Stored(3, 42, 9, None, None, ())):
            reader = LetterReader([case], lambda _, gone=gone: gone)  # type: ignore[misc]  # bound at once
            assert reader.read(TOPIC, one) is None
            assert reader.unreadable == 1


@given(st.permutations(range(8)), st.lists(st.integers(0, 1), min_size=8, max_size=8))
def test_letters_in_any_order_never_turn_a_frontier_back(order: list[int], partitions: list[int]) -> None:
    """Every record is taken under a lease that takes it, and none under the lease of another partition of
    the dead-letter topic, which may be paused alone."""
    found = [
        stored(Spot(partition, at), letter(Coordinate("orders", 0, offset)))
        for at, (offset, partition) in enumerate(zip(order, partitions, strict=True))
    ]
    reader = LetterReader(case_of(*found), nowhere)
    assignment = Assignment()
    home: dict[Lease, int] = {}
    for each in found:
        record = reader.read(TOPIC, each)
        assert record is not None
        if assignment.get(record.lease) is None:
            assignment.add(record.lease, record.offset)
        assignment[record.lease].take(record.offset, 0, 1)
        assert home.setdefault(record.lease, each.partition) == each.partition
    assert sum(assignment.in_flight().values()) == 8


def test_letters_that_ascend_need_one_lease() -> None:
    """As those of one run do."""
    found = [stored(Spot(0, n), letter(Coordinate("orders", 0, 10 * n))) for n in range(50)]
    reader = LetterReader(case_of(*found), nowhere)
    assert len({record.lease for each in found if (record := reader.read(TOPIC, each)) is not None}) == 1


def test_a_source_is_read_as_it_stands() -> None:
    """One lease a partition, and nothing added."""
    reader = SourceReader()
    records = [reader.read("orders", Stored(n % 2, n, 7, b"k", b"v", (("a", b"x"),))) for n in range(4)]
    assert [record.coordinate for record in records] == [
        "orders:0:0",
        "orders:1:1",
        "orders:0:2",
        "orders:1:3",
    ]
    assert len({record.lease for record in records}) == 2
    assert records[0].headers == (("a", b"x"),)
    assert records[0].timestamp_ms == 7
