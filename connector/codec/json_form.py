"""The JSON form of an event, read in one pass from bytes to Structs. Decides only."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from connector.codec.answer import Undecodable, invalid, not_an_event
from connector.codec.canonical import RECORD_OF_TYPE, STRUCTS, broken, kept, of_unknown_type
from connector.codec.schemas import RECORDS, RecordName
from connector.model import event as model
from connector.model.event import Envelope, Event, EventType


class _TypeOnly(msgspec.Struct, gc=False):
    event_type: EventType


_DECODERS = {record: msgspec.json.Decoder(STRUCTS[record]) for record in RECORDS}
_ENVELOPE = msgspec.json.Decoder(Envelope)
_TYPE_ONLY = msgspec.json.Decoder(_TypeOnly)
_ANYTHING = msgspec.json.Decoder(msgspec.Raw)
_FIELD_NAMES = frozenset(
    name
    for struct in vars(model).values()
    if isinstance(struct, type) and issubclass(struct, msgspec.Struct)
    for name in struct.__struct_fields__
)


class JsonReader:
    """Reads the JSON form. The event type decides which record a value is, wherever it stands in the text.

    A topic nearly always carries one record, so we decode as the one seen last and look whether that was
    right: one pass instead of two. What comes out does not depend on the guess.
    """

    def __init__(self) -> None:
        self._likely: RecordName = "ClickstreamEvent"

    def read(self, value: bytes) -> Event | Undecodable:
        """The event, or why there is none."""
        if not value.isascii():  # msgspec does not look into the text of fields that it skips
            try:
                value.decode()
            except UnicodeDecodeError:
                return not_an_event("not UTF-8")
        try:
            event = _DECODERS[self._likely].decode(value)
        except msgspec.ValidationError:
            return self._read_by_type(value)
        except msgspec.DecodeError as error:
            return _not_json(value, error)
        except RecursionError:
            return not_an_event("JSON is nested too deeply")
        if RECORD_OF_TYPE.get(event.event_type) == self._likely:
            return kept(event)
        return self._read_by_type(value)

    def _read_by_type(self, value: bytes) -> Event | Undecodable:
        """The guess did not fit: it is the other record, an unknown type, or really broken."""
        try:
            _ANYTHING.decode(value)  # text that breaks off is no JSON, even when a wrong type comes earlier
            record = RECORD_OF_TYPE.get(_TYPE_ONLY.decode(value).event_type)
            if record is None:
                return kept(of_unknown_type(_ENVELOPE.decode(value)))
            event = _DECODERS[record].decode(value)
        except msgspec.ValidationError as error:
            return broken(error)
        except msgspec.DecodeError as error:
            return _not_json(value, error)
        except RecursionError:
            return not_an_event("JSON is nested too deeply")
        self._likely = record
        return kept(event)


def _not_json(value: bytes, error: msgspec.DecodeError) -> Undecodable:
    """NaN and Infinity are no JSON, but some producers write them: then it is the event that is wrong."""
    if b"NaN" in value or b"Infinity" in value:
        try:
            path = _path_of_no_number(json.loads(value, parse_constant=_NoNumber))
        except (ValueError, RecursionError):
            path = None
        if path is not None:
            return invalid(path, "not a finite number")
    return not_an_event(str(error))


class _NoNumber:
    """Stands where NaN, Infinity or -Infinity was written."""

    def __init__(self, word: str) -> None:
        self.word = word


def _path_of_no_number(value: Any, path: str = "$") -> str | None:
    """Where the first one stands. A name that is none of our fields' may be personal, so it is not told."""
    if isinstance(value, _NoNumber):
        return path
    if isinstance(value, dict):
        inner = (
            (each, f"{path}.{name}" if name in _FIELD_NAMES else f"{path}[...]")
            for name, each in value.items()
        )
    elif isinstance(value, list):
        inner = ((each, f"{path}[{index}]") for index, each in enumerate(value))
    else:
        return None
    return next((found for each, where in inner if (found := _path_of_no_number(each, where))), None)
