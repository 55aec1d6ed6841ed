"""Dead letters as the connector writes them, for tests that read them."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Producer

from connector.kafka.dead_letter import REPLAYS, Context, Headers, Letter, TicketForms, rfc3339
from connector.model.coordinate import Coordinate
from connector.model.item import Rejection, Ticket
from connector.model.record import Lease, Record

WRITTEN_WITHIN_S = 15.0


def letter(
    record: Coordinate,
    reason: str = "invalid_price",
    *,
    detail: str = "items[0]",
    failed_at_ms: int = 0,
    replays: int = 0,
    event_type: str = "click",
    value: bytes = b"v",
    more: Headers = (),
    rejections: tuple[Rejection, ...] = (),
    destination: str = "topsort",
    group_id: str = "connector",
    settings: str = "5e77",
    form: int = 0,
) -> Letter:
    """What became of this record: refused before it was sent, unless `rejections` say otherwise."""
    if replays:
        more = (*more, (REPLAYS, b"%d" % replays))
    read = Record(Lease(record.topic, record.partition, 1), record.offset, 0, b"k", value, more)
    ticket = Ticket(
        read, event_id="e-1", event_type=event_type, rejections=rejections or (Rejection(reason, detail),)
    )
    context = Context(destination, group_id, settings, lambda text: text)
    return TicketForms(ticket, context, rfc3339(failed_at_ms))[form]


def write(bootstrap: str, topic: str, letters: Iterable[Letter]) -> None:
    """All of them, in this order; those that name no partition go to the first."""
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "enable.idempotence": True})
    for each in letters:
        producer.produce(
            topic,
            value=each.value,
            key=each.key,
            headers=list(each.headers),
            partition=each.partition or 0,
        )
    assert producer.flush(WRITTEN_WITHIN_S) == 0
