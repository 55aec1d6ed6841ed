"""Events in their JSON form to Avro data, for samples and tests. Decides only.

Whatever Avro's types can hold is written, also what breaks the canonical form, so that reading it can be
tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_writer

from connector.codec import times
from connector.codec.canonical import RECORD_OF_TYPE
from connector.codec.resolution import plain
from connector.codec.schemas import RecordName, schema
from connector.codec.wire import frame
from connector.model.event import Channel, DeviceType, EventType, PageType

Json = Mapping[str, Any]


def record_of(event: Json) -> RecordName:
    """The record an event is written as; one of unknown type as an order if it has one."""
    return RECORD_OF_TYPE.get(event["event_type"]) or (
        "OrderEvent" if "order" in event else "ClickstreamEvent"
    )


def encode_raw(record: RecordName, event: Json) -> bytes:
    """The event's datum by the shipped schema of `record`, without framing."""
    stream = BytesIO()
    schemaless_writer(stream, _writer(record), _avro_form(event))
    return stream.getvalue()


def encode_framed(schema_id: int, event: Json, record: RecordName | None = None) -> bytes:
    """The event's datum in Confluent wire format, by the schema of the record it belongs to."""
    return frame(schema_id, encode_raw(record or record_of(event), event))


def _avro_form(event: Json) -> dict[str, Any]:
    """Times as numbers, unknown words as their enum's default, no null where null is no value."""
    form = {name: value for name, value in event.items() if name != "utc_offset_minutes" or value is not None}
    form["event_type"] = EventType(event["event_type"]).value
    form["occurred_at"] = _ms(event["occurred_at"])
    if form.get("channel") is not None:
        form["channel"] = Channel(event["channel"]).value
    for group, words in (("device", DeviceType), ("page", PageType)):
        if (form.get(group) or {}).get("type") is not None:
            form[group] = {**event[group], "type": words(event[group]["type"]).value}
    if form.get("order") is not None:
        order = form["order"] = dict(event["order"])
        for name in ("created_at", "updated_at"):
            order[name] = _ms(order.get(name))
    return form


def _ms(time: int | str | None) -> int | None:
    return times.epoch_ms(time) if isinstance(time, str) else time


@cache
def _writer(record: RecordName) -> Any:
    return parse_schema(plain(schema(record), frozenset({"doc", "logicalType"})))
