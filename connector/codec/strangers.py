"""Names in a JSON event that are no fields of the canonical form, often by mistake. Decides only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect

from connector.codec.canonical import RECORD_OF_TYPE, STRUCTS

_TYPES = {record: inspect.type_info(struct) for record, struct in STRUCTS.items()}
_LIKE_A_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}").fullmatch
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Stranger(msgspec.Struct, frozen=True, order=True):
    """Where it stands (`items[].price`), and the field that was probably meant, if one is like it."""

    path: str
    meant: str | None

    @property
    def told(self) -> str:
        """A line about it."""
        return f"{self.path}: not a field" + (
            f"; did you mean {self.meant}?" if self.meant is not None else ", and nothing reads it"
        )


def strangers(value: bytes) -> list[Stranger]:
    """Of an event in JSON, each path once; none of what is no event of a known type.

    Only names that are written as field names are: anything else may be somebody's data in the place of a
    name. Keys of maps (`attributes` and the like) are data as well.
    """
    try:
        event = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    if not isinstance(event, dict):
        return []
    record = RECORD_OF_TYPE.get(str(event.get("event_type")))
    return sorted(set(_among(event, _TYPES[record], ""))) if record is not None else []


def _among(value: Any, kind: inspect.Type, path: str) -> Iterator[Stranger]:
    match kind:
        case inspect.UnionType(types):
            for each in types:
                yield from _among(value, each, path)
        case inspect.ListType(item_type) | inspect.VarTupleType(item_type) if isinstance(value, list):
            for each in value:
                yield from _among(each, item_type, f"{path}[]")
        case inspect.StructType() if isinstance(value, dict):
            fields = {field.encode_name: field.type for field in kind.fields}
            for name, inner in value.items():
                where = f"{path}.{name}" if path else name
                if name in fields:
                    yield from _among(inner, fields[name], where)
                elif _LIKE_A_FIELD(name):
                    yield Stranger(
                        where, _meant(name, tuple(known for known in fields if known not in value))
                    )


@lru_cache(maxsize=256)
def _meant(name: str, fields: tuple[str, ...]) -> str | None:
    """The likeliest of the fields that are not there; `unitPrice` and `price` mean `unit_price_micros`.

    Remembered: looking for it takes longer than all else about an event, and events of a file are alike.
    """
    snake = _HUMP.sub("_", name).lower()
    close = get_close_matches(snake, fields, n=1, cutoff=0.7)
    within = [field for field in fields if snake in field or field in snake]
    return next(iter([*close, *within]), None)
