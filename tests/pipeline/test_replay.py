"""Dead letters that go through the pipeline again: only what was refused, and settled once it is marked."""

from __future__ import annotations

from connector.kafka.cases import Case
from connector.kafka.dead_letter import DeadLetter, parse
from connector.kafka.marker import Spot, read_marker
from connector.model.coordinate import Coordinate
from connector.replay import Replay
from connector.vendors.contract import Response
from tests.delivery import virtual_time
from tests.pipeline.rig import TOPIC, Rig, event_id, in_json, item_ids
from tests.pipeline.waiting import soon


def replay_of(*refused: tuple[str, ...]) -> Replay:
    """A case a record, from offset 0 on, with the items that were refused."""
    cases = []
    for offset, items in enumerate(refused):
        letter = DeadLetter(
            TOPIC, 0, offset, "vendor_rejected", "acme", "2026-01-01T00:00:00.000Z", items=items
        )
        cases.append(Case(Coordinate(TOPIC, 0, offset), letter, Spot(0, offset), (Spot(0, offset),), None))
    return Replay(cases, "dead-letter")


def test_a_record_is_open_until_its_marker_is_written() -> None:
    """As one whose dead letter is being written: so a stop waits for it, and what is not marked is sent
    again."""

    async def story() -> None:
        books = replay_of((), ())
        async with Rig(replay=books) as rig:
            rig.topic.acknowledges = False
            lease = rig.assign()
            rig.poll(lease, in_json(1), in_json(2, do="skip"))
            await soon(lambda: len(rig.topic.waiting) == 2)
            assert rig.sent == item_ids(event_id(1))
            assert rig.books() == {"in_flight": 2}
            assert books.done == 0
            drained = rig.revoke(lease)
            assert not drained.done()
            rig.topic.acknowledge()
            await soon(drained.done)
            assert rig.books() == {"delivered": 1, "skipped": 1}
            assert (books.delivered, books.skipped.total()) == (1, 1)
            markers = [read_marker(letter.headers) for letter in rig.topic.letters]
            assert {marker.record.offset: marker.outcome for marker in markers if marker is not None} == {
                0: "delivered",
                1: "skipped",
            }

    virtual_time.run(story())


def test_only_the_refused_items_leave() -> None:
    """And they alone decide the outcome."""

    async def story() -> None:
        first, second, third = item_ids(event_id(1), 3)
        books = replay_of((second,))
        async with Rig(replay=books) as rig:
            rig.poll(rig.assign(), in_json(1, items="3"))
            await soon(lambda: rig.books() == {"delivered": 1})
            assert rig.sent == [second]
            assert first != third
            assert rig.assignment.open_bytes == 0

    virtual_time.run(story())


def test_what_is_refused_again_has_a_new_letter_and_no_marker() -> None:
    """With the items that were refused this time."""

    async def story() -> None:
        _, second, third = item_ids(event_id(1), 3)
        books = replay_of((second, third))
        async with Rig(
            lambda ids: Response(400) if third in ids else Response(200), replay=books, linger_s=0
        ) as rig:
            rig.poll(rig.assign(), in_json(1, items="3"))
            await soon(lambda: rig.books() == {"dead_lettered": 1})
            (letter,) = rig.topic.letters
            read = parse(letter.headers)
            assert read is not None
            assert read.items == (third,)
            assert books.again == {"vendor_rejected": 1}

    virtual_time.run(story())
