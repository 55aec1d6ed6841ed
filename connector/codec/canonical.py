"""The rules of the canonical form that no type can state, and values brought to the form we keep.

Decides only: no clock.
"""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import force_setattr

from connector.codec.answer import Undecodable, invalid
from connector.codec.schemas import RecordName
from connector.codec.times import epoch_ms
from connector.model.event import (
    CLICKSTREAM_EVENT_TYPES,
    ORDER_EVENT_TYPES,
    ClickstreamEvent,
    Envelope,
    Event,
    OrderEvent,
)

STRUCTS: dict[RecordName, type[OrderEvent | ClickstreamEvent]] = {
    "OrderEvent": OrderEvent,
    "ClickstreamEvent": ClickstreamEvent,
}
RECORD_OF_TYPE: dict[str, RecordName] = {
    **dict.fromkeys(ORDER_EVENT_TYPES, "OrderEvent"),
    **dict.fromkeys(CLICKSTREAM_EVENT_TYPES, "ClickstreamEvent"),
}
"""Every event type that this version knows → the record it belongs to."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_AT = " - at `"


def kept(event: Event) -> Event | Undecodable:
    """The event as the rest of the connector sees it: id in lower case, times as numbers, offset not null.

    It was decoded a moment ago and nobody else has seen it, so it is finished in place.
    """
    event_id = event.event_id
    if _UUID(event_id) is None:
        return invalid("$.event_id", "not a UUID")
    lower = event_id.lower()
    if lower != event_id:
        force_setattr(event, "event_id", lower)
    offset: object = event.utc_offset_minutes
    if offset is None:
        force_setattr(event, "utc_offset_minutes", 0)
    if not _time_kept(event, "occurred_at"):
        return invalid("$.occurred_at", _NO_TIME)
    if type(event) is OrderEvent:
        for name in ("created_at", "updated_at"):
            if not _time_kept(event.order, name):
                return invalid(f"$.order.{name}", _NO_TIME)
    return event


_NO_TIME = "not an RFC 3339 time between the years 0000 and 9999"


def _time_kept(group: msgspec.Struct, name: str) -> bool:
    time: object = getattr(group, name)
    if isinstance(time, str):
        time = epoch_ms(time)
        if time is None:
            return False
        force_setattr(group, name, time)
    return True


def of_unknown_type(envelope: Envelope) -> ClickstreamEvent:
    """An event whose type this version does not know: its envelope alone."""
    return ClickstreamEvent(**{name: getattr(envelope, name) for name in envelope.__struct_fields__})


def broken(error: msgspec.ValidationError) -> Undecodable:
    """What msgspec found wrong, with the path of the field itself, also when it is missing."""
    why, _, path = str(error).partition(_AT)
    path = path.removesuffix("`") or "$"
    if missing := _MISSING.fullmatch(why):
        return invalid(f"{path}.{missing[1]}", "missing")
    return invalid(path, why[:1].lower() + why[1:])
