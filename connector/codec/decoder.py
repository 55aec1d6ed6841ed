"""Record in, event out, by the format of its topic: our hottest code. Decides only: no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from connector.codec.answer import NeedSchema, Tombstone, Undecodable, not_an_event
from connector.codec.avro_form import AvroReader, Unreadable, WriterSchema, reader, shipped_reader
from connector.codec.json_form import JsonReader
from connector.codec.schemas import RECORDS
from connector.codec.wire import HEADER_BYTES, MAGIC, schema_id
from connector.model.event import Event
from connector.model.record import Record

__all__ = ["Decoded", "Decoder", "NeedSchema", "NotFound", "Schemas", "Tombstone", "Undecodable"]

Decoded = Event | Tombstone | Undecodable | NeedSchema
Read = Callable[[bytes], Event | Undecodable | NeedSchema]

READERS_MAX = 1000
"""Writer schemas kept ready, some 100 KB each at the most; a topic rarely has had more than a dozen."""

_BLANK = frozenset(b" \t\r\n")
_OPENING = ord("{")
_TOMBSTONE = Tombstone()


class NotFound:
    """The registry says that this id does not exist, and said so again after a while."""


class Schemas(Protocol):
    """Where writer schemas come from: what is known now, without waiting."""

    def get(self, schema_id: int) -> WriterSchema | NotFound | None:
        """The schema, or that there is none; None when the registry must be asked."""


class Decoder:
    """Reads records by their topic's format: one word for all topics, or a map of topics to words.

    A map's key may be a pattern (`^orders-.*`); an exact name wins over patterns, and of those the first that
    matches. A topic that no key names is read as `auto`. `schemas` is None when no registry is configured.
    Raises ValueError for a word that is no format and re.error for a key that is no pattern.
    """

    def __init__(self, formats: str | Mapping[str, str] = "auto", schemas: Schemas | None = None) -> None:
        self._formats: Mapping[str, str] = {"^": formats} if isinstance(formats, str) else formats
        self._patterns = [
            (re.compile(key), word) for key, word in self._formats.items() if key.startswith("^")
        ]
        self._schemas = schemas
        self._by_topic: dict[str, Read] = {}
        self._by_schema: dict[int, AvroReader | Unreadable] = {}
        for word in self._formats.values():
            self._reader_of(word)  # a mistake is seen at the start, not with the first record

    def decode(self, record: Record) -> Decoded:
        """The event of a record, or why there is none. The same record gives the same answer every time,
        but for `NeedSchema`."""
        value = record.value
        if value is None:
            return _TOMBSTONE
        topic = record.lease.topic
        read = self._by_topic.get(topic)
        if read is None:
            read = self._by_topic[topic] = self._reader_of(self._format_of(topic))
        return read(value)

    def _format_of(self, topic: str) -> str:
        if topic in self._formats:
            return self._formats[topic]
        return next((word for pattern, word in self._patterns if pattern.match(topic)), "auto")

    def _reader_of(self, word: str) -> Read:
        match word.partition(":"):
            case "auto", "", "":
                return _Auto(self._read_framed).read
            case "avro", "", "":
                return self._read_framed
            case "json", "", "":
                return JsonReader().read
            case "avro-raw", ":", name:
                for record in RECORDS:
                    if name == record:
                        return shipped_reader(record).read
        raise ValueError(f"{word} is not a format")

    def _read_framed(self, value: bytes) -> Event | Undecodable | NeedSchema:
        number = schema_id(value)
        if number is None:
            return not_an_event("not framed Avro: it does not begin with a zero byte and a schema id")
        found = self._by_schema.get(number) or self._prepared(number)
        if isinstance(found, AvroReader):
            return found.read(value, HEADER_BYTES)
        if isinstance(found, Unreadable):
            return not_an_event(f"schema {number}: {found.detail}")
        return found

    def _prepared(self, number: int) -> AvroReader | Unreadable | Undecodable | NeedSchema:
        """A schema met for the first time, or pushed out since."""
        if self._schemas is None:
            return Undecodable("unknown_schema", f"schema {number}: no schema registry is configured")
        written = self._schemas.get(number)
        if written is None:
            return NeedSchema(number)
        if isinstance(written, NotFound):
            return Undecodable("unknown_schema", f"schema {number}: the registry has none with this id")
        while len(self._by_schema) >= READERS_MAX:
            del self._by_schema[next(iter(self._by_schema))]
        found = self._by_schema[number] = reader(written)
        return found


class _Auto:
    """Tells the format of each record by its first byte."""

    def __init__(self, read_framed: Read) -> None:
        self._read_framed = read_framed
        self._read_json = JsonReader().read

    def read(self, value: bytes) -> Event | Undecodable | NeedSchema:
        """The event, or why there is none."""
        if not value:
            return not_an_event("empty")
        first = value[0]
        if first == _OPENING or first in _BLANK:
            return self._read_json(value)
        if first == MAGIC:
            return self._read_framed(value)
        return not_an_event("neither framed Avro (a zero byte first) nor JSON ({ first)")
