"""The shipped schemas, and that the Structs are their mirror."""

from __future__ import annotations

import re
import subprocess
import sys
import types
import typing
import zipfile
from collections.abc import Iterator
from enum import StrEnum
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema

from connector.codec import schemas
from connector.codec.canonical import STRUCTS
from connector.codec.schemas import NAMESPACE, RECORDS, RecordName
from connector.model import event as model

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "avro").rglob("*.avsc"))

AVRO_NAMES = {"EventItem": "Item"}
"""Structs whose name differs from their Avro type's."""


def definitions(part: Any) -> Iterator[dict[str, Any]]:
    """Every named type that a schema defines, in the order of definition."""
    if isinstance(part, list):
        for each in part:
            yield from definitions(each)
    elif isinstance(part, dict):
        if part["type"] in ("record", "enum"):
            yield part
        for field in part.get("fields", ()):
            yield from definitions(field["type"])
        for inner in ("items", "values"):
            yield from definitions(part.get(inner))


def field_of_struct(struct: type[msgspec.Struct], name: str) -> dict[str, Any]:
    """What a Struct's field would be in Avro, by its annotation and default."""
    hint = typing.get_type_hints(struct, include_extras=True)[name]
    default = next(each.default for each in msgspec.structs.fields(struct) if each.name == name)
    field: dict[str, Any] = {"name": name, "type": avro_of(hint)}
    if name == "utc_offset_minutes":  # reads null as well, which is no business of Avro's
        field["type"] = "int"
    if default is not msgspec.NODEFAULT:
        field["default"] = default
    return field


def avro_of(hint: Any) -> Any:
    """The Avro type of an annotation."""
    if hint == model.EpochMs:
        return {"type": "long", "logicalType": "timestamp-millis"}
    for alias, avro in ((model.Int32, "int"), (model.Int64, "long"), (model.Finite, "double")):
        if hint == alias:
            return avro
    if hint in (str, bool):
        return {str: "string", bool: "boolean"}[hint]
    if hint == dict[str, str]:
        return {"type": "map", "values": "string"}
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return {"type": "array", "items": avro_of(arguments[0])}
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in arguments:
        return ["null", avro_of(reduce(or_, (each for each in arguments if each is not type(None))))]
    assert isinstance(hint, type), hint
    return AVRO_NAMES.get(hint.__name__, hint.__name__)


def mirrored(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The record that a Struct mirrors, without words for people."""
    return {
        "type": "record",
        "name": AVRO_NAMES.get(struct.__name__, struct.__name__),
        "namespace": NAMESPACE,
        "fields": [field_of_struct(struct, name) for name in struct.__struct_fields__],
    }


def undocumented(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition without words for people."""
    bare = {name: value for name, value in definition.items() if name != "doc"}
    if "fields" in bare:
        bare["fields"] = [
            {key: value for key, value in field.items() if key != "doc"} for field in bare["fields"]
        ]
    return bare


STRUCTS_OF_MODEL = {
    AVRO_NAMES.get(name, name): struct
    for name, struct in vars(model).items()
    if isinstance(struct, type) and issubclass(struct, msgspec.Struct) and struct is not msgspec.Struct
}
WORDS_OF_MODEL: dict[str, Any] = {
    name: words
    for name, words in vars(model).items()
    if isinstance(words, type) and issubclass(words, StrEnum) and words is not StrEnum
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_the_mirror_of_a_struct_or_enum(path: Path) -> None:
    """Names, order, types, defaults, symbols: whoever changes one side must change the other."""
    definition = msgspec.json.decode(path.read_bytes())
    name = path.stem
    if definition["type"] == "record":
        assert undocumented(definition) == mirrored(STRUCTS_OF_MODEL[name])
    else:
        words = WORDS_OF_MODEL[name]
        assert undocumented(definition) == {
            "type": "enum",
            "name": name,
            "namespace": NAMESPACE,
            "symbols": [word.value for word in words],
            "default": words("a word of a later version").value,
        }


def test_every_struct_and_enum_has_a_file() -> None:
    """The other direction: nothing can be added to the Structs alone."""
    names = {*STRUCTS_OF_MODEL, *WORDS_OF_MODEL} - {"Envelope"}
    assert names == {path.stem for path in FILES}
    assert set(model.Envelope.__struct_fields__) == set(model.OrderEvent.__struct_fields__) & {
        field["name"] for field in schemas.schema("ClickstreamEvent")["fields"][:6]
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_everything_is_documented(path: Path) -> None:
    """Producers read the schema, not our code: every type and every field says what it is, in a sentence."""
    definition = msgspec.json.decode(path.read_bytes())
    docs = [definition["doc"], *(field["doc"] for field in definition.get("fields", ()))]
    assert all(re.fullmatch(r"[A-Z].+\.", doc) for doc in docs)


@pytest.mark.parametrize("record", RECORDS)
def test_a_schema_stands_alone(record: RecordName) -> None:
    """Each type is defined where it is first used and nowhere else, and no name is left open."""
    whole = schemas.schema(record)
    names = [each["name"] for each in definitions(whole)]
    assert names[0] == record
    assert len(names) == len(set(names))
    types: dict[str, Any] = {}
    parse_schema(whole, types)
    assert set(types) == {f"{NAMESPACE}.{name}" for name in names}


def test_all_types_together_are_those_of_the_files() -> None:
    """No file is forgotten: each is reached from one of the two records."""
    reached = {each["name"] for record in RECORDS for each in definitions(schemas.schema(record))}
    assert reached == {path.stem for path in FILES}


@pytest.mark.parametrize("record", RECORDS)
def test_the_text_is_the_schema(record: RecordName) -> None:
    """What people read and registries get is what we read with."""
    assert msgspec.json.decode(schemas.text(record)) == schemas.schema(record)


def test_a_schema_is_the_callers_to_change() -> None:
    """Nobody can spoil the schema of the next one who asks."""
    schemas.schema("OrderEvent")["fields"].clear()
    assert schemas.schema("OrderEvent")["fields"]


@pytest.mark.parametrize("record", RECORDS)
def test_a_star_has_no_default_and_everything_else_is_null(record: RecordName) -> None:
    """Only what every event must have is required, so that any field can be added or left out later."""
    required = {
        f"{definition['name']}.{field['name']}"
        for definition in definitions(schemas.schema(record))
        for field in definition.get("fields", ())
        if "default" not in field
    }
    stars = {f"{record}.{name}" for name in ("event_id", "event_type", "occurred_at")}
    if record == "OrderEvent":
        stars |= {"OrderEvent.order", "Order.order_id"}
    assert required == stars
    for definition in definitions(schemas.schema(record)):
        for field in definition.get("fields", ()):
            if "default" in field and field["name"] != "utc_offset_minutes":
                assert field["default"] is None
                assert field["type"][0] == "null"


@pytest.mark.slow
def test_an_installed_wheel_finds_its_schemas(tmp_path: Path) -> None:
    """The same schemas come from a wheel as from a checkout."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    asked = "from connector.codec import schemas; print(schemas._folder()); print(schemas.text('OrderEvent'))"
    said = subprocess.run(
        [sys.executable, "-c", asked],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed")},
    ).stdout
    folder, _, text = said.partition("\n")
    assert Path(folder) == tmp_path / "installed" / "connector" / "_avro"
    assert text.strip() == schemas.text("OrderEvent")


def test_each_record_is_read_into_its_struct() -> None:
    """A third record would need a Struct of its own before it could be read."""
    assert {record: struct.__name__ for record, struct in STRUCTS.items()} == {each: each for each in RECORDS}
