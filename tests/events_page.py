"""Makes the tables of `docs/events.md` from the Avro schemas: `make docs` runs it, a test compares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connector.codec import schemas
from connector.codec.schemas import RECORDS
from connector.model.event import CLICKSTREAM_EVENT_TYPES, ORDER_EVENT_TYPES

PAGE = Path(__file__).parents[1] / "docs" / "events.md"
BEGIN = "<!-- fields: made by `make docs` from avro/; change the texts there -->"
END = "<!-- end of fields -->"

WORDS = {
    "string": "text",
    "boolean": "true or false",
    "int": "whole number, 32 bits",
    "long": "whole number, 64 bits",
    "double": "number",
}
"""How a page calls Avro's primitive types."""


def page() -> str:
    """The page with the tables as they should be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    assert after, f"{PAGE} has lost its markers"
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def tables() -> str:
    """The event types, what both records have, what one of them has, and then each group."""
    order, click = (_fields(schemas.schema(record)) for record in RECORDS)
    both = {name for name, field in order.items() if name in click and field["doc"] == click[name]["doc"]}
    parts = [
        "### Event types\n\n"
        f"- of an OrderEvent: {_listed(ORDER_EVENT_TYPES)}\n"
        f"- of a ClickstreamEvent: {_listed(CLICKSTREAM_EVENT_TYPES)}",
        _table("Both records", [field for name, field in order.items() if name in both]),
        _table("OrderEvent", [field for name, field in order.items() if name not in both]),
        _table("ClickstreamEvent", [field for name, field in click.items() if name not in both]),
    ]
    groups: dict[str, dict[str, Any]] = {}
    for record in RECORDS:
        groups |= {
            each["name"]: each for each in _records(schemas.schema(record)) if each["name"] not in RECORDS
        }
    parts += [_table(name, group["fields"], group["doc"]) for name, group in sorted(groups.items())]
    return "\n\n".join(parts)


def _fields(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in record["fields"]}


def _records(part: Any) -> Iterator[dict[str, Any]]:
    """Every record that a schema defines, itself included."""
    if isinstance(part, list):
        for each in part:
            yield from _records(each)
    elif isinstance(part, dict):
        if part["type"] == "record":
            yield part
        for field in part.get("fields", ()):
            yield from _records(field["type"])
        for inner in ("items", "values"):
            yield from _records(part.get(inner))


def _table(title: str, fields: list[dict[str, Any]], text: str = "") -> str:
    rows = ["| field | type | meaning |", "| --- | --- | --- |"]
    for field in fields:
        needed = "" if "default" in field else "**Required.** "
        absent = f" Absent is {field['default']}." if field.get("default") is not None else ""
        rows.append(f"| `{field['name']}` | {_type(field['type'])} | {needed}{field['doc']}{absent} |")
    return "\n".join([f"### {title}", "", *([text, ""] if text else []), *rows])


def _type(kind: Any) -> str:
    match kind:
        case ["null", inner]:
            return _type(inner)
        case {"logicalType": "timestamp-millis"}:
            return "time"
        case {"type": "array", "items": inner}:
            return f"list of {_type(inner)}"
        case {"type": "map", "values": inner}:
            return f"map to {_type(inner)}"
        case {"type": "enum", "name": "EventType"}:
            return "an event type"
        case {"type": "enum", "symbols": words}:
            return _listed(words)
        case {"type": "record", "name": name}:
            return _group(name)
        case str():
            return WORDS.get(kind) or _named(kind)
    raise ValueError(f"{kind} has no words")


def _named(name: str) -> str:
    """A type that the schema defined before, and names here."""
    return "an event type" if name == "EventType" else _group(name)


def _group(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _listed(words: Any) -> str:
    return ", ".join(f"`{word}`" for word in words)


if __name__ == "__main__":
    PAGE.write_text(page())
