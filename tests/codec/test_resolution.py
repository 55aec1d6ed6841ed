"""Whether a producer's schema fits, asked once."""

from __future__ import annotations

from typing import Any

import pytest
from fastavro import parse_schema

from connector.codec.resolution import danger, mismatch, plain

NOTHING: frozenset[str] = frozenset()
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}


def record(name: str, **types: Any) -> dict[str, Any]:
    """A record with required fields of these types."""
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": each, "type": kind} for each, kind in types.items()],
    }


def parsed(definition: Any) -> tuple[Any, dict[str, Any]]:
    """A schema as the module gets it."""
    types: dict[str, Any] = {}
    return parse_schema(plain(definition, NOTHING), types), types


def why_not(writer: Any, reader: Any) -> str | None:
    """The answer for two whole schemas."""
    return mismatch(*parsed(writer), *parsed(reader))


ENUM = {"type": "enum", "name": "E", "symbols": ["a"], "default": "a"}


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        ("string", "string"),
        ("int", "long"),
        ("int", "double"),
        ("long", "double"),
        ("float", "double"),
        ("string", ["null", "string"]),
        (["null", "string"], ["null", "string"]),
        (["string", "null"], ["null", "string"]),
        (["null", "int", "string"], ["null", "string"]),
        ("null", ["null", "string"]),
        (["int", "long"], "double"),
        ({"type": "string", "avro.java.string": "String"}, "string"),
        ({"type": "string", "logicalType": "uuid"}, "string"),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}),
        ({"type": "map", "values": "string"}, {"type": "map", "values": ["null", "string"]}),
        ({"type": "enum", "name": "Other", "symbols": ["z"]}, ENUM),
        (record("A", x="int", extra=record("B")), record("A", x="long")),
        (record("A", x=record("Other", y="int")), record("A", x=record("B", y="int"))),
        ("long", MILLIS),
        (MILLIS, MILLIS),
        (["null", MILLIS], ["null", MILLIS]),
        ({"type": {"type": "string"}}, "string"),
        (record("A", x={"type": ["null", "string"]}), record("A", x=["null", "string"])),
        (record("A", x=record("B", y="int"), z={"type": "B"}), record("A", z=record("B", y="int"))),
    ],
)
def test_what_avro_can_resolve_fits(writer: Any, reader: Any) -> None:
    """Promotion, unions, more fields, other names of nested types, other ways to write a type."""
    assert why_not(writer, reader) is None


@pytest.mark.parametrize(
    ("writer", "reader", "why"),
    [
        ("string", "long", "$: string where long is needed"),
        ("long", "int", "$: long where int is needed"),
        ("double", "long", "$: double where long is needed"),
        ("bytes", "string", "$: bytes where string is needed"),
        ("string", ENUM, "$: string where enum is needed"),
        (["null", "long"], ["null", "string"], None),
        ([], "string", "$: an empty union"),
        (["int", "boolean"], "string", "$: boolean where string is needed"),
        (
            {"type": "array", "items": "int"},
            {"type": "array", "items": "string"},
            "$[]: int where string is needed",
        ),
        (
            {"type": "map", "values": "int"},
            {"type": "map", "values": "string"},
            "$[]: int where string is needed",
        ),
        (record("A"), record("A", x="int"), "$.x: missing"),
        (
            record("A", x=record("B", y="int")),
            record("A", x=record("B", y="string")),
            "$.x.y: int where string is needed",
        ),
        (
            {"type": "long", "logicalType": "timestamp-micros"},
            MILLIS,
            "$: timestamp-micros where timestamp-millis is needed",
        ),
        (
            {"type": "int", "logicalType": "date"},
            ["null", MILLIS],
            "$: date where timestamp-millis is needed",
        ),
        (
            {"type": "long", "logicalType": "local-timestamp-millis"},
            MILLIS,
            "$: local-timestamp-millis where timestamp-millis is needed",
        ),
    ],
)
def test_what_can_never_be_read_is_named(writer: Any, reader: Any, why: str | None) -> None:
    """With its path; a union that fits in one branch alone waits for the data."""
    assert why_not(writer, reader) == why


def linked(name: str = "N") -> dict[str, Any]:
    """A record that may contain itself."""
    return record(name, next=["null", name])


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (linked(), "N contains itself"),
        (record("A", x={"type": "array", "items": linked()}), "N contains itself"),
        (record("A", x=record("B", y={"type": "map", "values": "A"})), "A contains itself"),
        (record("A", x={"type": "array", "items": "null"}), "an array whose elements take no bytes"),
        (record("A", x={"type": "array", "items": record("B")}), "an array whose elements take no bytes"),
        (
            record("A", x=record("B", n="null"), y={"type": "array", "items": "B"}),
            "an array whose elements take no bytes",
        ),
        (
            record("A", x={"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}),
            "an array whose elements take no bytes",
        ),
    ],
)
def test_a_schema_that_could_kill_or_hang_is_refused(schema: Any, why: str) -> None:
    """One crafted record of it would, on every restart again."""
    assert danger(*parsed(schema)) == why


@pytest.mark.parametrize(
    "schema",
    [
        "string",
        record("A"),
        record("A", x=record("B", y="int"), z="B", w=["null", "B"]),
        record("A", x={"type": "array", "items": ["null", "string"]}),
        record("A", x={"type": "map", "values": "null"}),
        record("A", x={"type": "array", "items": record("B", n="null", m="boolean")}),
    ],
)
def test_a_type_that_is_used_twice_is_no_danger(schema: Any) -> None:
    """Only what contains itself is; elements of one byte, and keys of maps, end with the value."""
    assert danger(*parsed(schema)) is None


def test_many_uses_of_many_types_are_looked_at_once() -> None:
    """Else a short schema could keep us busy for ever."""
    schema: Any = record("T0", x="int")
    for depth in range(1, 60):
        schema = record(f"T{depth}", a=schema, b=f"T{depth - 1}")
    assert danger(*parsed(schema)) is None
