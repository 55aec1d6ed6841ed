"""Whether data of a producer's Avro schema can become one of our records. Decides only.

Avro's rules of schema resolution, asked once a schema instead of once a record. Nested types may bear any
name, as long as their fields fit. Stricter than Avro in one thing: a number that means another unit of time
does not fit, since it would be taken for milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector.codec.schemas import PRIMITIVES, Schema

Types = Mapping[str, Any]
"""Full name → definition, of every named type of a schema."""

_KINDS = PRIMITIVES | {"record", "error", "enum", "array", "map", "fixed"}
_PROMOTED = {("int", "long"), ("int", "double"), ("long", "double"), ("float", "double")}


def mismatch(writer: Schema, writers: Types, reader: Schema, readers: Types, path: str = "$") -> str | None:
    """Where and why data of `writer` can never be read as `reader`, or None when it can. Both are plain.

    Unions may fit in one branch alone: which branch a value has is seen when it is read.
    """
    wrote, reads = _resolved(writer, writers), _resolved(reader, readers)
    if isinstance(wrote, list):
        return _best(path, (mismatch(branch, writers, reads, readers, path) for branch in wrote))
    if isinstance(reads, list):
        return _best(path, (mismatch(wrote, writers, branch, readers, path) for branch in reads))
    kind, wanted = _kind(wrote), _kind(reads)
    if kind != wanted and (kind, wanted) not in _PROMOTED:
        return f"{path}: {kind} where {wanted} is needed"
    if kind == "array":
        return mismatch(wrote["items"], writers, reads["items"], readers, f"{path}[]")
    if kind == "map":
        return mismatch(wrote["values"], writers, reads["values"], readers, f"{path}[]")
    if kind == "record":
        return _record_mismatch(wrote, writers, reads, readers, path)
    return _unit_mismatch(wrote, reads, path)


def _record_mismatch(
    wrote: dict[str, Any], writers: Types, reads: dict[str, Any], readers: Types, path: str
) -> str | None:
    types = {field["name"]: field["type"] for field in wrote["fields"]}
    for field in reads["fields"]:
        where = f"{path}.{field['name']}"
        if field["name"] in types:
            why = mismatch(types[field["name"]], writers, field["type"], readers, where)
            if why is not None:
                return why
        elif "default" not in field:
            return f"{where}: missing"
    return None


def _unit_mismatch(wrote: Schema, reads: Schema, path: str) -> str | None:
    wanted = reads.get("logicalType") if isinstance(reads, dict) else None
    unit = wrote.get("logicalType") if isinstance(wrote, dict) else None
    return f"{path}: {unit} where {wanted} is needed" if wanted and unit not in (None, wanted) else None


def _best(path: str, answers: Iterator[str | None]) -> str | None:
    """None if any branch fits, else what was found about the last one: the first is mostly null."""
    why: str | None = f"{path}: an empty union"
    for why in answers:
        if why is None:
            return None
    return why


def plain(schema: Schema, without: frozenset[str]) -> Any:
    """The schema with every type in its shortest form, and without attributes that do not matter here.

    `{"type": ["null", "int"]}` and `{"type": {"type": "int"}}` are allowed where a type is, and fastavro
    knows neither.
    """
    if isinstance(schema, str):
        return schema
    if isinstance(schema, list):
        return [plain(branch, without) for branch in schema]
    kind = schema["type"]
    if not isinstance(kind, str) or kind not in _KINDS:
        return plain(kind, without)
    short = {name: value for name, value in schema.items() if name not in without}
    if "fields" in short:
        short["fields"] = [
            {"name": field["name"], "type": plain(field["type"], without)}
            | ({"default": field["default"]} if "default" in field and "default" not in without else {})
            for field in short["fields"]
        ]
    for inner in ("items", "values"):
        if inner in short:
            short[inner] = plain(short[inner], without)
    return short


# ── schemas that must not be read at all ─────────────────────────────────────────────────────────


def danger(schema: Schema, types: Types) -> str | None:
    """Why reading data of this schema could kill or hang the process, or None.

    One record of a recursive type, nested deeply enough, overflows the C stack of fastavro (seen with 1.13.1
    and 10,000 levels); an array of elements that take no bytes may claim 2⁶² of them in ten bytes.
    """
    return _danger(schema, types, set(), set())


def _danger(schema: Schema, types: Types, inside: set[str], safe: set[str]) -> str | None:
    if isinstance(schema, str):
        if schema in PRIMITIVES or schema in safe:
            return None
        if schema in inside:
            return f"{schema} contains itself"
        inside.add(schema)
        why = _danger_within(types[schema], types, inside, safe)
        safe.add(schema)
        return why
    if isinstance(schema, dict) and "name" in schema:
        return _danger(schema["name"], types, inside, safe)
    return _danger_within(schema, types, inside, safe)


def _danger_within(schema: Schema, types: Types, inside: set[str], safe: set[str]) -> str | None:
    if isinstance(schema, dict) and schema["type"] == "array" and not _takes_bytes(schema["items"], types):
        return "an array whose elements take no bytes"
    for part in _parts(schema):
        if why := _danger(part, types, inside, safe):
            return why
    return None


def _takes_bytes(schema: Schema, types: Types) -> bool:
    whole = _resolved(schema, types)
    if isinstance(whole, list):
        return True  # at least the branch's number
    kind = _kind(whole)
    if kind in ("record", "error"):
        return any(_takes_bytes(part, types) for part in _parts(whole))
    return kind != "null" and not (kind == "fixed" and whole["size"] == 0)


def _parts(schema: Schema) -> Iterator[Schema]:
    if isinstance(schema, list):
        yield from schema
    elif isinstance(schema, dict):
        yield from (field["type"] for field in schema.get("fields", ()))
        yield from (schema[inner] for inner in ("items", "values") if inner in schema)


def _resolved(schema: Schema, types: Types) -> Any:
    return types[schema] if isinstance(schema, str) and schema not in PRIMITIVES else schema


def _kind(schema: Any) -> str:
    kind = schema["type"] if isinstance(schema, dict) else schema
    assert isinstance(kind, str), "a plain schema: unions are lists"
    return kind
