"""The protobuf JSON form, read as strictly as the vendor's server reads it, and measured as protobuf.

Decides only; serves the stand-in alone. A message is described by its fields (`log_request.py`); reading
gives its values under their camelCase names and the bytes it takes on the binary wire. Refused with the
whole body: unknown fields and enum names, wrong types, a member that stands twice (also as both spellings of
one field), two members of a oneof, null in an array, NaN, infinity, lone surrogates, anything behind the end.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NoReturn, Protocol

import msgspec


class Refusal(Exception):  # noqa: N818 - the vendor's no is no error of ours
    """Why the whole body is refused, in a word for counting and in words for people."""

    def __init__(self, code: str, what: str, path: str = "") -> None:
        super().__init__(code, what, path)
        self.code = code
        self._what = what
        self._path = path

    @property
    def message(self) -> str:
        """Where, and what is wrong there."""
        return f"{self._path[:80]} {self._what}".strip()

    def within(self, name: str) -> Refusal:
        """The same, seen from the object around it."""
        return Refusal(self.code, self._what, f"{name}.{self._path}" if self._path else name)


# ── JSON with its tokens kept ────────────────────────────────────────────────────────────────────


class Number(msgspec.Struct, frozen=True):
    """A number as it was written: whether it is a fraction depends on the field."""

    text: str


class Members(msgspec.Struct, frozen=True):
    """An object's members in their order, doubles included."""

    pairs: Sequence[tuple[str, object]]


def _constant(text: str) -> NoReturn:
    raise Refusal("invalid_json", f"{text} is no JSON")


_scan = json.JSONDecoder(
    object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=_constant
).raw_decode


def parse(body: bytes) -> Members:
    """The body's object. Its first byte must be `{`: the server takes everything else for base64."""
    if not body.startswith(b"{"):
        raise Refusal("not_json", "illegal base64 data at input byte 0")
    try:
        text = body.decode("utf-8")
        found, end = _scan(text)
    except (ValueError, RecursionError) as error:
        raise Refusal("invalid_json", str(error)) from None
    if end != len(text):
        raise Refusal("invalid_json", "something stands behind the object")
    assert isinstance(found, Members), "it begins with a brace"
    return found


# ── kinds of fields ──────────────────────────────────────────────────────────────────────────────

Read = tuple[Any, int]
"""A value, and the bytes it takes without its tag; 0 for a default value, which is not written at all."""


class Kind(Protocol):
    """What a field may hold."""

    def read(self, given: object) -> Read:
        """The value and its size, or `Refusal`."""


class Text:
    """A JSON string, which a number is not."""

    def read(self, given: object) -> Read:
        if not isinstance(given, str):
            raise Refusal("wrong_type", "must be a string")
        size = _utf8(given)
        return given, _delimited(size) if size else 0


class Bytes:
    """Base64 in a JSON string."""

    def read(self, given: object) -> Read:
        try:
            raw = base64.b64decode(given if isinstance(given, str) else "?", validate=True)
        except binascii.Error:
            raise Refusal("wrong_type", "must be base64") from None
        return raw.hex(), _delimited(len(raw))


class Flag:
    """true or false, and no word or number for them."""

    def read(self, given: object) -> Read:
        if not isinstance(given, bool):
            raise Refusal("wrong_type", "must be true or false")
        return given, int(given)


class Integer(msgspec.Struct, frozen=True):
    """A whole number in this range, also as a string, also as `1e3`, but never a fraction."""

    least: int
    most: int

    def read(self, given: object) -> Read:
        text = given.text if isinstance(given, Number) else given
        if not isinstance(text, str) or not _NUMBER.fullmatch(text):
            raise Refusal("wrong_type", "must be a whole number")
        whole = int(text) if text.isdecimal() and len(text) <= DIGITS_MAX else _whole(text)
        if not self.least <= whole <= self.most:
            raise Refusal("wrong_type", "is out of range")
        return whole, varint(whole) if whole else 0


class Floating(msgspec.Struct, frozen=True):
    """A finite number of so many bytes."""

    width: int

    def read(self, given: object) -> Read:
        value = _finite(given)
        return value, self.width if value else 0


class Enum:
    """One of these names, or any number: names are checked, numbers are not. A number that stands for no name
    stays a number."""

    def __init__(self, names: Mapping[str, int]) -> None:
        self._sizes = {name: varint(number) if number else 0 for name, number in names.items()}
        self._names = {number: name for name, number in names.items()}

    def read(self, given: object) -> Read:
        if isinstance(given, str):
            size = self._sizes.get(given)
            if size is None:
                raise Refusal("unknown_enum", f"{given[:40]!r} is no name of its enum")
            return given, size
        number, size = INT32.read(given)
        return self._names.get(number, number), size


class Foreign:
    """A field of the schema that only the vendor's own libraries send: this stand-in takes none."""

    def read(self, given: object) -> Read:
        raise Refusal("foreign_field", "is for the vendor's own libraries")


class Struct:
    """google.protobuf.Struct: any JSON object, its numbers doubles."""

    def read(self, given: object) -> Read:
        value, size = _struct(given)
        return value, _delimited(size)


class Field(msgspec.Struct, frozen=True):
    """One field of a message. At most one field of a `oneof` may be given."""

    name: str
    number: int
    kind: Kind
    repeated: bool = False
    oneof: str | None = None

    def read(self, member: object) -> Read:
        """The value and all the bytes it takes."""
        tag = varint(self.number << 3)
        if not self.repeated:
            value, size = self.kind.read(member)
            return value, tag + size if size else 0
        if not isinstance(member, list):
            raise Refusal("wrong_type", "must be an array")
        values: list[Any] = []
        total = 0
        packed = isinstance(self.kind, Integer)
        for element in member:
            if element is None:
                raise Refusal("null_in_array", "holds null")
            value, size = self.kind.read(element)
            values.append(value)
            total += (size or 1) if packed else tag + (size or 1)
        return values, tag + _delimited(total) if packed and values else total


class Message:
    """An object with these fields, each under its camelCase or its snake_case name."""

    def __init__(self, *fields: Field) -> None:
        self._fields: dict[str, Field] = {}
        for field in fields:
            self._fields[field.name] = field
            self._fields[re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", field.name)] = field

    def read(self, given: object) -> Read:
        values, size = self.open(given)
        return values, _delimited(size)

    def open(self, given: object) -> tuple[dict[str, Any], int]:
        """The values by name, and the bytes of the message itself."""
        if not isinstance(given, Members):
            raise Refusal("wrong_type", "must be an object")
        values: dict[str, Any] = {}
        seen: set[str] = set()
        total = 0
        for name, member in given.pairs:
            field = self._fields.get(name)
            if field is None:
                raise Refusal("unknown_field", "is no field", name)
            if field.name in seen:
                raise Refusal("duplicate_field", "stands twice", name)
            seen.add(field.name)
            if member is None:
                continue  # null is absent
            if field.oneof is not None:
                if field.oneof in seen:
                    raise Refusal("oneof", f"stands beside another of {field.oneof}", name)
                seen.add(field.oneof)
            try:
                values[field.name], size = field.read(member)
            except Refusal as refusal:
                raise refusal.within(name) from None
            total += size
        return values, total


TEXT, BYTES, BOOL, STRUCT, FOREIGN = Text(), Bytes(), Flag(), Struct(), Foreign()
INT32, INT64 = Integer(-(2**31), 2**31 - 1), Integer(-(2**63), 2**63 - 1)
UINT32, UINT64 = Integer(0, 2**32 - 1), Integer(0, 2**64 - 1)
FLOAT, DOUBLE = Floating(4), Floating(8)

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?", re.ASCII)

DIGITS_MAX = 20
"""An integer with more digits is out of every range."""


def _whole(text: str) -> int:
    exact = Decimal(text)
    if exact and not 0 <= exact.adjusted() <= DIGITS_MAX:
        raise Refusal("wrong_type", "must be a whole number in range")
    whole = int(exact)
    if whole != exact:
        raise Refusal("wrong_type", "must be a whole number")
    return whole


# ── sizes and free-form values ───────────────────────────────────────────────────────────────────


def varint(number: int) -> int:
    """The bytes of an integer; a negative one takes ten."""
    if 0 <= number < 128:
        return 1
    return 10 if number < 0 else (number.bit_length() + 6) // 7


def _delimited(size: int) -> int:
    return size + 1 if size < 128 else varint(size) + size


def _utf8(text: str) -> int:
    try:
        return len(text) if text.isascii() else len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise Refusal("invalid_json", "holds half a character") from None


def _finite(given: object) -> float:
    value = float(given.text) if isinstance(given, Number) else math.nan
    if not math.isfinite(value):
        raise Refusal("wrong_type", "must be a finite number")
    return value


def _struct(given: object) -> tuple[dict[str, Any], int]:
    if not isinstance(given, Members):
        raise Refusal("wrong_type", "must be an object")
    values: dict[str, Any] = {}
    total = 0
    for name, member in given.pairs:
        if name in values:
            raise Refusal("duplicate_field", "holds a key twice")
        values[name], size = _value(member)
        total += 1 + _delimited(2 + _delimited(_utf8(name)) + _delimited(size))
    return values, total


def _value(given: object) -> tuple[Any, int]:
    """google.protobuf.Value: every kind of it carries its tag, also a zero and an empty string."""
    match given:
        case None | bool():
            return given, 2
        case Number():
            return _finite(given), 9
        case str():
            return given, 1 + _delimited(_utf8(given))
        case Members():
            values, size = _struct(given)
            return values, 1 + _delimited(size)
        case list():
            elements = [_value(element) for element in given]
            size = sum(1 + _delimited(size) for _, size in elements)
            return [value for value, _ in elements], 1 + _delimited(size)
        case _:
            raise AssertionError("JSON holds nothing else")
