"""The Avro schemas that we ship: each named type is written once in `avro/`, and inlined where first used."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

RecordName = Literal["OrderEvent", "ClickstreamEvent"]
RECORDS: tuple[RecordName, ...] = ("OrderEvent", "ClickstreamEvent")
NAMESPACE = "commerce.v1"

Schema = str | list[Any] | dict[str, Any]
"""A schema in its JSON form: a type's name, a union, or a definition."""

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


def schema(record: RecordName) -> dict[str, Any]:
    """A record's self-contained schema, a fresh copy each time."""
    complete = _inlined(record, set())
    assert isinstance(complete, dict)
    return complete


@cache
def text(record: RecordName) -> str:
    """A record's self-contained schema as people and registries read it."""
    return msgspec.json.format(msgspec.json.encode(schema(record)), indent=2).decode()


def _inlined(part: Schema, used: set[str]) -> Schema:
    if isinstance(part, list):
        return [_inlined(each, used) for each in part]
    if isinstance(part, str):
        if part in PRIMITIVES or part in used:
            return part
        used.add(part)
        return _inlined(_definition(part), used)
    whole = dict(part)
    if "fields" in part:
        whole["fields"] = [{**field, "type": _inlined(field["type"], used)} for field in part["fields"]]
    for inner in ("items", "values"):
        if inner in part:
            whole[inner] = _inlined(part[inner], used)
    return whole


def _definition(name: str) -> dict[str, Any]:
    folder = _folder() if name in RECORDS else _folder() / "common"
    definition: dict[str, Any] = msgspec.json.decode((folder / f"{name}.avsc").read_bytes())
    return definition


@cache
def _folder() -> Path:
    """`connector/_avro` in an installed wheel, `avro/` in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_avro"
    return installed if installed.is_dir() else package.parent / "avro"
