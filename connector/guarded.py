"""Decoders and mappers are asked here: any bytes may come, and a mapper may be anybody's code. So a bug
in them concerns one record, and does not end the process at every start."""

from __future__ import annotations

from collections.abc import Callable

from connector.codec.decoder import Decoded, Decoder, Undecodable
from connector.model.event import Event
from connector.model.record import Record
from connector.vendors.contract import Destination, Mapped, MapResult, Refused

Failed = Callable[[str, Exception], object]
"""Hears of a bug: which record (its coordinate) or event (its id), and what was raised."""


def unheard(which: str, error: Exception) -> None:
    """For those who tell it by the answer alone."""


def decode(decoder: Decoder, record: Record, failed: Failed = unheard) -> Decoded:
    """What these bytes are; `undecodable` where the decoder fails."""
    try:
        return decoder.decode(record)
    except Exception as error:
        failed(record.coordinate, error)
        return Undecodable("undecodable", f"decoder failed: {type(error).__name__}")


def mapped(destination: Destination, event: Event, now_ms: int, failed: Failed = unheard) -> MapResult:
    """What becomes of this event; `invalid_event` where the mapper fails (for all: the flood guard halts)."""
    try:
        result = destination.map(event, now_ms)
        if isinstance(result, Mapped) and not result.items:
            raise LookupError("mapped to no item")  # it would stay open for ever
        return result
    except Exception as error:
        failed(event.event_id, error)
        return Refused("invalid_event", f"mapper failed: {type(error).__name__}")
