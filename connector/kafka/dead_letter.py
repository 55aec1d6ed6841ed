"""Dead letters: a record that will never be accepted, written aside with why; headers out, headers back in.

Decides only: no broker, no clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from connector.model.item import Rejection, Ticket
from connector.model.outcome import HTTP_PREFIX
from connector.model.record import Record

Headers = tuple[tuple[str, bytes | None], ...]

TEXT_BYTES_MAX = 1024
"""How much of a vendor's words a header keeps."""

CONNECT = "__connect.errors."
"""Kafka Connect's names (KIP-298), which existing tools show."""

OURS = "connector."
COORDINATE_HEADERS = (f"{CONNECT}topic", f"{CONNECT}partition", f"{CONNECT}offset")
"""The source record's topic, partition and offset: what unites several letters of one record."""

REPLAYS = f"{OURS}replays"
"""How often the record was replayed. A replay writes it on the record it replays, as the last header; we
carry it on."""

REPLAYS_DIGITS_MAX = 9
"""A longer number is not a replay's: any header may stand in a source record."""

ITEMS = f"{OURS}items"
"""A JSON list of the refused items' ids."""

RESOLVES = f"{OURS}resolves"
"""On a marker record without value: the `topic:partition:offset` of the record whose letters are resolved."""

VALUE_OMITTED = f"{OURS}value_omitted"
VALUE_SHA256 = f"{OURS}value_sha256"

STAGES = {"undecodable": "VALUE_CONVERTER", "unknown_schema": "VALUE_CONVERTER"}
"""Kafka Connect's word for where it failed; the others by whether a request was made."""


class Letter(msgspec.Struct, frozen=True):
    """What is written to the dead-letter topic. `partition` None: its key decides."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None

    @property
    def size(self) -> int:
        """Bytes on the wire, framing aside."""
        size = len(self.key or b"") + len(self.value or b"")
        return size + sum(len(name) + len(value or b"") for name, value in self.headers)


class DeadLetter(msgspec.Struct, frozen=True):
    """A dead letter read back. What its writer did not know is None."""

    topic: str
    partition: int
    offset: int
    reason: str
    destination: str
    failed_at: str
    group_id: str = ""
    """The consumer group of the connector that wrote it: which account of the destination it was for."""
    message: str = ""
    event_id: str | None = None
    event_type: str | None = None
    response_status: int | None = None
    response_body: str = ""
    attempts: int = 0
    items: tuple[str, ...] = ()
    """Ids of the refused items; empty when the record as a whole was refused, or no room for them."""
    replays: int = 0
    settings: str = ""
    value_omitted: str | None = None
    """What Kafka would not take, in words; the source still has it."""
    value_sha256: str | None = None
    source_headers: Headers = ()
    """The record's headers exactly as read."""

    @property
    def coordinate(self) -> str:
        """`topic:partition:offset` of the source record."""
        return f"{self.topic}:{self.partition}:{self.offset}"


class Context(msgspec.Struct, frozen=True):
    """What all letters of one run have in common. `settings` is a hash of the mapping options, `redact`
    takes the credentials out of a text."""

    destination: str
    group_id: str
    settings: str
    redact: Callable[[str], str]


class Forms(Protocol):
    """One letter in its forms, the fullest first. Each is built when it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, form: int, /) -> Letter: ...


class Writer(Protocol):
    """Writes the first of these forms that the topic takes, and calls `done` once Kafka acknowledged it."""

    def write(self, topic: str, forms: Forms, done: Callable[[], None]) -> None: ...


class DeadLetters:
    """Writes tickets aside, in the fullest form that the topic takes.

    `write` calls `written` once the letter is acknowledged, and never before: while Kafka does not take it,
    the record stays open.
    """

    def __init__(self, topic: str, context: Context, writer: Writer, now_ms: Callable[[], int]) -> None:
        self._topic = topic
        self._context = context
        self._writer = writer
        self._now_ms = now_ms

    def write(self, ticket: Ticket, written: Callable[[], None]) -> None:
        """Write this ticket's record and its rejections."""
        forms = TicketForms(ticket, self._context, rfc3339(self._now_ms()))
        self._writer.write(self._topic, forms, written)


class TicketForms:
    """A ticket's letter: as read, without its value, with our headers alone.

    The later forms are for a topic that finds the earlier too large; they say what they left out. The last
    two are about 3 KiB, one with the refused items' ids and one without: its replay sends the whole record,
    whose accepted items the vendor knows by their ids. A letter that waits is not built yet.
    """

    __slots__ = ("_context", "_failed_at", "_ticket")

    def __init__(self, ticket: Ticket, context: Context, failed_at: str) -> None:
        self._ticket = ticket
        self._context = context
        self._failed_at = failed_at

    def __len__(self) -> int:
        return 4

    def __getitem__(self, form: int, /) -> Letter:
        record = self._ticket.record
        ours = _headers(self._ticket, self._context, self._failed_at)
        match form:
            case 0:
                return Letter(record.key, record.value, _as_read(record) + ours)
            case 1:
                return Letter(record.key, None, _as_read(record) + ours + _omitted("value", record))
            case 2:
                return Letter(None, None, ours + _omitted("value, key and headers", record))
            case 3:
                ours = tuple(header for header in ours if header[0] != ITEMS)
                return Letter(None, None, ours + _omitted("value, key, headers and items", record))
        raise IndexError(form)


def parse(headers: Sequence[tuple[str, bytes | None]]) -> DeadLetter | None:
    """The headers of a letter back into words and numbers; None when this is not one of ours."""
    start = _start(headers)
    if start is None:
        return None
    text = {name: value.decode("utf-8", "replace") for name, value in headers[start:] if value is not None}
    try:
        return DeadLetter(
            topic=text[COORDINATE_HEADERS[0]],
            partition=int(text[COORDINATE_HEADERS[1]]),
            offset=int(text[COORDINATE_HEADERS[2]]),
            reason=text[f"{OURS}reason"],
            destination=text[f"{OURS}destination"],
            failed_at=text[f"{OURS}failed_at"],
            group_id=text.get(f"{CONNECT}connector.name", ""),
            message=text.get(f"{CONNECT}exception.message", ""),
            event_id=text.get(f"{OURS}event_id"),
            event_type=text.get(f"{OURS}event_type"),
            response_status=_number(text.get(f"{OURS}response_status")),
            response_body=text.get(f"{OURS}response_body", ""),
            attempts=int(text.get(f"{OURS}attempts", "0")),
            items=tuple(msgspec.json.decode(text.get(ITEMS, "[]"), type=list[str])),
            replays=int(text.get(REPLAYS, "0")),
            settings=text.get(f"{OURS}settings", ""),
            value_omitted=text.get(VALUE_OMITTED),
            value_sha256=text.get(VALUE_SHA256),
            source_headers=tuple(headers[:start]),
        )
    except (KeyError, ValueError, msgspec.DecodeError):
        return None


def rfc3339(at_ms: int) -> str:
    """Epoch milliseconds as people and `failed_at` write them, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def replays_of(record: Record) -> int:
    """How often this record was replayed already; 0 for one that comes from its source topic."""
    if not record.headers:
        return 0
    name, value = record.headers[-1]
    if name != REPLAYS or value is None or not value.isdigit() or len(value) > REPLAYS_DIGITS_MAX:
        return 0
    return int(value)


# ── headers ──────────────────────────────────────────────────────────────────────────────────────


def _headers(ticket: Ticket, context: Context, failed_at: str) -> Headers:
    """Ours, in one block behind the record's own, beginning with the coordinate."""
    assert ticket.rejections, "a dead letter has a reason"
    record, first = ticket.record, ticket.rejections[0]
    lease = record.lease
    stage = STAGES.get(first.reason) or ("TASK_PUT" if _was_sent(first) else "TRANSFORMATION")
    message = _cut(context.redact(f"{first.reason}: {first.detail}" if first.detail else first.reason))
    # Redact before the cut: a secret cut in half is one that nobody recognises.
    body = _cut(context.redact(first.body.decode("utf-8", "replace")))
    items = [each.item_id for each in ticket.rejections if each.item_id is not None]
    texts = {
        COORDINATE_HEADERS[0]: lease.topic,
        COORDINATE_HEADERS[1]: str(lease.partition),
        COORDINATE_HEADERS[2]: str(record.offset),
        f"{CONNECT}connector.name": context.group_id,
        f"{CONNECT}task.id": "0",
        f"{CONNECT}stage": stage,
        f"{CONNECT}exception.class.name": f"connector.{first.reason.partition(':')[0]}",
        f"{CONNECT}exception.message": message,
        f"{OURS}destination": context.destination,
        f"{OURS}reason": first.reason,
        f"{OURS}event_id": ticket.event_id,
        f"{OURS}event_type": ticket.event_type,
        f"{OURS}response_status": "" if first.status is None else str(first.status),
        f"{OURS}response_body": body,
        f"{OURS}attempts": str(max(each.attempts for each in ticket.rejections)),
        ITEMS: json.dumps(items),
        f"{OURS}failed_at": failed_at,
        REPLAYS: str(replays_of(record)),
        f"{OURS}settings": context.settings,
    }
    return tuple((name, text.encode()) for name, text in texts.items() if text)


def _was_sent(rejection: Rejection) -> bool:
    return rejection.attempts > 0 or rejection.status is not None or rejection.reason.startswith(HTTP_PREFIX)


def _omitted(what: str, record: Record) -> Headers:
    value = record.value
    digest = () if value is None else ((VALUE_SHA256, hashlib.sha256(value).hexdigest().encode()),)
    return ((VALUE_OMITTED, what.encode()), *digest)


def _as_read(record: Record) -> Headers:
    """The source record's headers; a replay's own mark at their end is not one of them."""
    return record.headers[:-1] if replays_of(record) else record.headers


def _start(headers: Sequence[tuple[str, bytes | None]]) -> int | None:
    """Where our block begins. The last one counts: a source may carry another connector's dead letters."""
    for index in range(len(headers) - 1, -1, -1):
        if headers[index][0] == COORDINATE_HEADERS[0]:
            return index
    return None


def _cut(text: str) -> str:
    """At most `TEXT_BYTES_MAX` bytes of UTF-8, no character cut in half."""
    return text.encode("utf-8", "replace")[:TEXT_BYTES_MAX].decode("utf-8", "ignore")


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
