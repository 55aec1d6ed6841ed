"""Writing sample events as Avro."""

from __future__ import annotations

from connector.codec.encode import encode_framed, encode_raw, record_of
from connector.codec.wire import schema_id
from tests.codec.records import CLICK, NOW_MS, PURCHASE


def test_an_event_is_written_as_the_record_of_its_type() -> None:
    """A type that nobody knows is told by its order."""
    assert record_of(CLICK) == "ClickstreamEvent"
    assert record_of(PURCHASE) == "OrderEvent"
    assert record_of({**PURCHASE, "event_type": "order_teleported"}) == "OrderEvent"
    assert record_of({**CLICK, "event_type": "teleported"}) == "ClickstreamEvent"


def test_a_frame_is_the_datum_behind_its_id() -> None:
    """Both ways of writing hold the same datum."""
    framed = encode_framed(7, CLICK)
    assert schema_id(framed) == 7
    assert framed[5:] == encode_raw("ClickstreamEvent", CLICK)


def test_equal_events_are_equal_bytes() -> None:
    """However the JSON form writes a time, an absent value or a word that Avro does not know."""
    odd = {**CLICK, "occurred_at": "2026-11-18T14:03:07.123Z", "utc_offset_minutes": None, "user": None}
    plain = {**CLICK, "occurred_at": NOW_MS}
    del plain["user"]
    assert encode_raw("ClickstreamEvent", {**odd, "channel": "hologram"}) == encode_raw(
        "ClickstreamEvent", {**plain, "channel": "other"}
    )


def test_the_callers_event_stays_as_it_is() -> None:
    """Samples share dicts between events."""
    before = {**PURCHASE, "order": {**PURCHASE["order"], "created_at": "2026-11-18T14:03:07Z"}}
    copy = {**before, "order": dict(before["order"])}
    encode_raw("OrderEvent", before)
    assert before == copy
