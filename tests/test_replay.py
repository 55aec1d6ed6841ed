"""What a replay sends again, what it marks, and how it counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.kafka.cases import Case
from connector.kafka.dead_letter import DeadLetter, Forms, Letter, rfc3339
from connector.kafka.marker import Spot, read_marker
from connector.model.coordinate import Coordinate
from connector.model.item import Item
from connector.model.outcome import Outcome
from connector.model.record import Lease, Record
from connector.replay import Replay, held_back, items_again

RECORD = Coordinate("orders", 3, 42)


def case(
    record: Coordinate = RECORD,
    *,
    items: tuple[str, ...] = (),
    replays: int = 0,
    spots: tuple[Spot, ...] = (),
) -> Case:
    spots = spots or (Spot(0, record.offset),)
    letter = DeadLetter(
        record.topic,
        record.partition,
        record.offset,
        "invalid_price",
        "acme",
        rfc3339(0),
        group_id="group",
        items=items,
        replays=replays,
    )
    return Case(record, letter, spots[-1], spots, None)


def items(*ids: str) -> list[Item]:
    return [Item(each, "event", b"{}", 0) for each in ids]


class Topic:
    """In the place of the producer: acknowledges when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Letter, Callable[[], None]]] = []

    def write(self, topic: str, forms: Forms, done: Callable[[], None]) -> None:
        assert topic == "dead-letter"
        self.waiting.append((forms[0], done))


def replay(*cases: Case) -> tuple[Replay, Topic]:
    books, topic = Replay(cases, "dead-letter", lambda: 9), Topic()
    books.connect(topic)
    return books, topic


def record(where: Coordinate = RECORD) -> Record:
    return Record(Lease(where.topic, where.partition, 1), where.offset, 0, None, b"v", ())


@pytest.mark.parametrize(
    ("refused", "goes"),
    [((), ["a", "b", "c"]), (("b",), ["b"]), (("c", "a"), ["a", "c"]), (("x",), ["a", "b", "c"])],
)
def test_the_refused_items_go_again(refused: tuple[str, ...], goes: list[str]) -> None:
    """In their order. All of them where the record as a whole was refused, where there was no room for the
    ids, and where another mapping knows none of them: rather twice than never."""
    assert [item.id for item in items_again(case(items=refused), items("a", "b", "c"))] == goes
    books, _ = replay(case(items=refused))
    assert [item.id for item in books.chosen(record(), items("a", "b", "c"))] == goes


@pytest.mark.parametrize(
    ("destination", "group_id", "replays", "why"),
    [
        ("acme", "group", 2, None),
        ("acme", "group", 3, "replayed 3 times already"),
        ("other", "group", 0, "of another destination (acme)"),
        ("acme", "another", 0, "of another connector (group)"),
    ],
)
def test_what_must_not_go_again_is_held_back(
    destination: str, group_id: str, replays: int, why: str | None
) -> None:
    """What belongs to another destination, or to another account of it, and what no replay has mended."""
    assert held_back(case(replays=replays), destination, group_id, 3) == why


@pytest.mark.parametrize(("outcome", "reason"), [("delivered", ""), ("skipped", "stale_event")])
def test_what_got_through_is_marked_with_what_became_of_it(outcome: Outcome, reason: str) -> None:
    """All letters that are known, in one marker, and the word comes back when Kafka has it."""
    books, topic = replay(case(spots=(Spot(0, 1), Spot(0, 5))))
    told: list[str] = []
    books.mark(record(), outcome, reason, lambda: told.append("written"))
    ((written, done),) = topic.waiting
    marker = read_marker(written.headers)
    assert marker is not None
    assert (written.value, written.partition) == (None, 0)
    assert (marker.record, marker.letters) == (RECORD, (Spot(0, 1), Spot(0, 5)))
    assert (marker.outcome, marker.reason, marker.resolved_at) == (outcome, reason, rfc3339(9))
    assert told == []
    done()
    assert told == ["written"]


def test_letters_in_several_partitions_have_a_marker_in_each() -> None:
    """Retention takes a partition's oldest first: so no letter outlives all of its markers."""
    books, topic = replay(case(spots=(Spot(0, 1), Spot(2, 5), Spot(0, 7))))
    told: list[str] = []
    books.mark(record(), "delivered", "", lambda: told.append("written"))
    assert sorted(written.partition or 0 for written, _ in topic.waiting) == [0, 2]
    topic.waiting[0][1]()
    assert told == []
    topic.waiting[1][1]()
    assert told == ["written"]


def test_the_books_count_by_outcome_and_reason() -> None:
    """What the report is made of."""
    books, _ = replay(case(), case(Coordinate("orders", 3, 43)), case(Coordinate("orders", 3, 44)))
    books.settled("delivered", "")
    books.settled("skipped", "stale_event")
    books.settled("dead_lettered", "invalid_price")
    assert (books.done, books.chosen_count) == (3, 3)
    assert (books.delivered, books.skipped, books.again) == (1, {"stale_event": 1}, {"invalid_price": 1})
