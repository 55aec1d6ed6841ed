"""How the story of one record looks: for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from connector.cli.letter_views import facts_of, printable
from connector.kafka.cases import Case
from connector.kafka.dead_letter import rfc3339
from connector.kafka.standing import Standing
from connector.model.record import Record
from connector.rehearsal import Rehearsed
from connector.vendors.contract import Request


class Story(msgspec.Struct, frozen=True):
    """All that is known of one record. `consent` are the purposes that must not be refused."""

    record: Record
    where: str
    destination: str
    consent: tuple[str, ...]
    rehearsed: Rehearsed
    requests: tuple[Request, ...]
    committed: int | None
    standing: Standing
    case: Case | None


def as_text(story: Story) -> Iterator[str]:
    """A block a step, in the order of a record's life."""
    record, rehearsed = story.record, story.rehearsed
    written = f"written {rfc3339(record.timestamp_ms)}, " if record.timestamp_ms else ""
    yield f"record    {record.coordinate}"
    yield f"read      from {story.where}: {written}{_sizes(record)}"
    if rehearsed.event is None:
        yield f"decoded   no: {_why(rehearsed)}"
    else:
        event = rehearsed.event
        yield f"decoded   {event.event_type} {event.event_id}, occurred {rfc3339(event.occurred_at)}"
        for line in msgspec.json.format(msgspec.json.encode(event), indent=2).decode().splitlines():
            yield f"          {printable(line)}"
        yield f"consent   {_consent(story)}"
        yield f"mapped    for {story.destination}: {printable(_mapped(rehearsed))}"
    for number, request in enumerate(story.requests, 1):
        yield f"request   {number} of {len(story.requests)}; others may travel in it"
        yield f"          {request.method} {request.url}"
        for name, value in request.headers.items():
            yield f"          {name}: {value}"
        yield ""
        yield f"          {printable(request.body.decode())}"
        yield ""
    yield f"stands    {printable(story.standing.text)}"


def as_json(story: Story) -> str:
    """The same as one object."""
    record, rehearsed, event = story.record, story.rehearsed, story.rehearsed.event
    given = event.consent if event is not None else None
    found: dict[str, Any] = {
        "record": record.coordinate,
        "read_from": story.where,
        "written_at": rfc3339(record.timestamp_ms) if record.timestamp_ms else None,
        "event": event,
        "consent": {"given": given, "must_not_be_refused": story.consent},
        "destination": story.destination,
        "outcome": rehearsed.outcome,
        "reason": rehearsed.reason or None,
        "detail": rehearsed.detail or None,
        "adjustments": rehearsed.adjustments,
        "items": [item.id for item in rehearsed.items],
        "requests": [
            {
                "method": each.method,
                "url": each.url,
                "headers": each.headers,
                "body": each.body.decode(),
            }
            for each in story.requests
        ],
        "committed": story.committed,
        "stands": story.standing,
        "dead_letter": facts_of(story.case) if story.case is not None else None,
    }
    return msgspec.json.encode(found).decode()


def _sizes(record: Record) -> str:
    key = "no key" if record.key is None else f"key of {len(record.key):,} bytes"
    value = "no value" if record.value is None else f"value of {len(record.value):,} bytes"
    return f"{key}, {value}, {len(record.headers)} headers"


def _why(rehearsed: Rehearsed) -> str:
    words = f"{rehearsed.outcome}, {rehearsed.reason}" if rehearsed.reason else rehearsed.outcome
    return printable(f"{words}: {rehearsed.detail}" if rehearsed.detail else words)


def _mapped(rehearsed: Rehearsed) -> str:
    if rehearsed.outcome != "mapped":
        return _why(rehearsed)
    ids = ", ".join(item.id for item in rehearsed.items)
    changed = f"; {', '.join(rehearsed.adjustments)}" if rehearsed.adjustments else ""
    count = len(rehearsed.items)
    return f"{count} {'item' if count == 1 else 'items'}: {ids}{changed}"


def _consent(story: Story) -> str:
    """Each purpose that counts here, and what the event says of it."""
    assert story.rehearsed.event is not None, "only an event has consent"
    if not story.consent:
        return "not looked at"
    consent = story.rehearsed.event.consent
    words = {True: "given", False: "refused", None: "not said"}
    return ", ".join(
        f"{purpose} {words[getattr(consent, purpose) if consent is not None else None]}"
        for purpose in story.consent
    )
