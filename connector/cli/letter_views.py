"""How dead letters look: a line each, one in full, and the counts."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from connector.kafka.cases import Case
from connector.kafka.dead_letter import DeadLetter, Headers
from connector.kafka.inspect import Stored

MESSAGE_WIDTH = 80
"""How much of a message a line of the list shows; `show` and --json have all of it."""

HIDDEN = "hidden, as it may be personal; --payload shows it"


def printable(text: str) -> str:
    """Somebody else's words, harmless to a terminal: control characters are written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# ── a line each ──────────────────────────────────────────────────────────────────────────────────


def table(cases: Sequence[Case], with_state: bool) -> Iterator[str]:
    """A head and a line a case, columns as wide as they must be. Where several connectors share the topic, it
    is said whose each is."""
    columns: dict[str, Callable[[Case], str]] = {
        "RECORD": lambda case: str(case.record),
        "FAILED AT": lambda case: case.letter.failed_at,
        "REASON": lambda case: case.letter.reason,
        "EVENT TYPE": lambda case: case.letter.event_type or "-",
        "REPLAYS": lambda case: str(case.letter.replays),
        "STATE": lambda case: case.state,
        "CONNECTOR": _connector,
        "WHY": _why,
    }
    if not with_state:
        del columns["STATE"]
    if len({_connector(case) for case in cases}) == 1:
        del columns["CONNECTOR"]
    rows = [tuple(columns), *(tuple(printable(cell(case)) for cell in columns.values()) for case in cases)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _connector(case: Case) -> str:
    return f"{case.letter.destination} ({case.letter.group_id})"


def _why(case: Case) -> str:
    letter = case.letter
    return _cut(letter.message.removeprefix(letter.reason).removeprefix(": "))


def _cut(text: str) -> str:
    return text if len(text) <= MESSAGE_WIDTH else f"{text[: MESSAGE_WIDTH - 1]}…"


def as_json(case: Case) -> str:
    """One case as a line for programs."""
    return msgspec.json.encode(facts_of(case)).decode()


def facts_of(case: Case) -> dict[str, Any]:
    """A case as a listing for programs has it."""
    letter = case.letter
    return {
        "record": str(case.record),
        "state": case.state,
        "reason": letter.reason,
        "message": letter.message,
        "destination": letter.destination,
        "group_id": letter.group_id,
        "event_id": letter.event_id,
        "event_type": letter.event_type,
        "failed_at": letter.failed_at,
        "response_status": letter.response_status,
        "attempts": letter.attempts,
        "items": letter.items,
        "replays": letter.replays,
        "settings": letter.settings,
        "value_omitted": letter.value_omitted,
        "letters": [f"{spot.partition}:{spot.offset}" for spot in case.spots],
        "resolved": None
        if case.marker is None
        else {
            "outcome": case.marker.outcome,
            "reason": case.marker.reason or None,
            "at": case.marker.resolved_at,
        },
    }


# ── one in full ──────────────────────────────────────────────────────────────────────────────────


def in_full(
    case: Case, stored: Stored, letter: DeadLetter, topic: str, settings: str, payload: bool
) -> Iterator[str]:
    """Everything about one case; its letter is `stored`, in `topic`. `settings` is the hash of those in
    force."""
    rows: list[tuple[str, str]] = [
        ("record", str(case.record)),
        ("state", _state(case)),
        ("reason", letter.reason),
        ("why", letter.message),
        ("destination", f"{letter.destination}, by {letter.group_id}"),
        ("event", " ".join(filter(None, (letter.event_type, letter.event_id))) or "could not be read"),
        ("failed at", letter.failed_at),
        ("attempts", str(letter.attempts)),
        ("answer", _answer(letter)),
        ("items refused", ", ".join(letter.items) or "the record as a whole"),
        ("replays", str(letter.replays)),
        ("settings", f"{letter.settings} ({'as now' if letter.settings == settings else f'now {settings}'})"),
        ("letters", ", ".join(f"{topic}:{spot.partition}:{spot.offset}" for spot in case.spots)),
        ("key", _bytes(stored.key, payload)),
        *_headers(letter.source_headers, payload),
        ("value", _value(stored, letter, payload)),
    ]
    for name, text in rows:
        yield f"{name:<14} {printable(text)}"


def full_json(case: Case, stored: Stored, letter: DeadLetter, payload: bool) -> str:
    """The same for programs. Key, headers and value are base64, and only there when they were asked for."""
    facts = facts_of(case) | {"response_body": letter.response_body}
    if payload:
        facts["key"] = _base64(stored.key)
        facts["headers"] = [[name, _base64(value)] for name, value in letter.source_headers]
        facts["value"] = _base64(stored.value)
    return msgspec.json.encode(facts).decode()


def _state(case: Case) -> str:
    marker = case.marker
    if marker is None:
        return "open"
    outcome = " ".join(filter(None, (marker.outcome, marker.reason))) or "by hand"
    return f"resolved: {outcome} {marker.resolved_at}".rstrip()


def _answer(letter: DeadLetter) -> str:
    if letter.response_status is None:
        return "none; it was refused before it was sent" if not letter.attempts else "none"
    return f"{letter.response_status} {letter.response_body}".rstrip()


def _headers(headers: Headers, payload: bool) -> Iterator[tuple[str, str]]:
    if not headers:
        yield "headers", "none"
    for name, value in headers:
        yield "header", f"{name}: {_bytes(value, payload)}"


def _value(stored: Stored, letter: DeadLetter, payload: bool) -> str:
    if letter.value_omitted is not None:
        return f"{letter.value_omitted} left out as too large for the topic; the source may have the record"
    return _bytes(stored.value, payload)


def _bytes(value: bytes | None, payload: bool) -> str:
    if value is None:
        return "none"
    if not payload:
        return f"{len(value):,} bytes, {HIDDEN}"
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"base64 {base64.b64encode(value).decode()}"


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


# ── counts ───────────────────────────────────────────────────────────────────────────────────────

GROUPS: dict[str, Callable[[Case], str]] = {
    "reason": lambda case: case.letter.reason,
    "event type": lambda case: case.letter.event_type or "-",
    "day": lambda case: case.letter.failed_at[:10],
}


def counts(cases: Iterable[Case]) -> dict[str, dict[str, dict[str, int]]]:
    """Group → its words → open and resolved; `all` is everything together."""
    found: dict[str, dict[str, Counter[str]]] = {"all": {"all": Counter()}}
    for case in cases:
        found["all"]["all"][case.state] += 1
        for group, word in GROUPS.items():
            found.setdefault(group, {}).setdefault(word(case), Counter())[case.state] += 1
    return {
        group: {
            word: {state: counter[state] for state in ("open", "resolved")}
            for word, counter in sorted(words.items(), key=lambda each: _order(group, *each))
        }
        for group, words in found.items()
    }


def _order(group: str, word: str, counter: Counter[str]) -> tuple[int, str]:
    """Days in their order, everything else by how many."""
    return (0 if group == "day" else -counter.total(), word)


def count_table(found: dict[str, dict[str, dict[str, int]]]) -> Iterator[str]:
    """One block a group."""
    width = max(len(printable(word)) for words in found.values() for word in words)
    for group in ("all", *GROUPS):
        words = found.get(group)
        if not words:
            continue
        if group != "all":
            yield ""
        yield f"{'' if group == 'all' else group.upper():<{width}}  {'OPEN':>9}  {'RESOLVED':>9}"
        for word, states in words.items():
            yield f"{printable(word):<{width}}  {states['open']:>9,}  {states['resolved']:>9,}"
