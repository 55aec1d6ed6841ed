"""Records, schemas and small events that the codec's tests share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from connector.codec.avro_form import WriterSchema
from connector.codec.decoder import NotFound
from connector.codec.schemas import RecordName, schema
from connector.model.record import Lease, Record

Json = dict[str, Any]

EVENT_ID = "0b9f6a3e-1c5d-4e0f-9a3b-2f1e8d7c6b5a"
NOW_MS = 1_795_010_587_123

CLICK: Json = {
    "event_id": EVENT_ID,
    "event_type": "click",
    "occurred_at": NOW_MS,
    "channel": "web",
    "user": {"customer_id": "c-1", "email": "jo@example.com"},
    "page": {"type": "search", "url": "https://shop.example/search?q=lamp"},
    "items": [{"product_id": "p-1", "quantity": 1.5, "position": 3}],
}
PURCHASE: Json = {
    "event_id": EVENT_ID,
    "event_type": "order_created",
    "occurred_at": NOW_MS,
    "order": {"order_id": "o-1", "total_micros": 12_990_000, "currency": "EUR", "created_at": NOW_MS},
    "items": [{"product_id": "p-1", "quantity": 2, "unit_price_micros": 6_495_000}],
}


def record(value: bytes | None, topic: str = "topic") -> Record:
    """A record of this value."""
    return Record(Lease(topic, 0, 0), 0, NOW_MS, None, value, ())


def as_json(event: Mapping[str, Any]) -> bytes:
    """An event in its JSON form."""
    return msgspec.json.encode(event)


def written(definition: Any) -> WriterSchema:
    """A producer's schema, given as JSON-ready values."""
    return WriterSchema(msgspec.json.encode(definition).decode())


def changed(name: RecordName, changes: Mapping[str, Any], without: tuple[str, ...] = ()) -> Json:
    """Our schema as another version of the producer knows it: fields replaced, added or left out.

    Fields are top-level ones.
    """
    definition = schema(name)
    fields = [field for field in definition["fields"] if field["name"] not in {*changes, *without}]
    return {**definition, "fields": fields + [{"name": name, "type": each} for name, each in changes.items()]}


class KnownSchemas:
    """Schemas by id, as a registry would know them; an id that is not here must be asked for."""

    def __init__(self, known: Mapping[int, WriterSchema | NotFound]) -> None:
        self.known = dict(known)
        self.asked: list[int] = []

    def get(self, schema_id: int) -> WriterSchema | NotFound | None:
        """What is known."""
        self.asked.append(schema_id)
        return self.known.get(schema_id)
