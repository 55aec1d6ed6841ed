"""Canonical events as producers might write them, valid but unkind: for every test that takes "any event".

Made from the shipped Avro schemas, so a field that is added there is drawn here. Any field that may be absent
is absent, null or at the end of its range; text comes from all planes of Unicode; words and types may be ones
that only a later version knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

from hypothesis import strategies as st

from connector.codec.schemas import RecordName, schema
from connector.model.event import CLICKSTREAM_EVENT_TYPES, EPOCH_MS_MAX, EPOCH_MS_MIN, ORDER_EVENT_TYPES

Json = dict[str, Any]
Strategy = st.SearchStrategy[Any]

UNKNOWN_WORDS = ("hologram", "Web", "", "order_teleported", "інше")

_YEAR_1_MS = -62_135_596_800_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def events(types: Sequence[str] | None = None) -> st.SearchStrategy[Json]:
    """Events of these types; of every type there is, and some that there are not, by default."""
    if types is None:
        return st.one_of(order_events(), clickstream_events(), unknown_events())
    orders = [word for word in types if word in ORDER_EVENT_TYPES]
    others = [word for word in types if word not in ORDER_EVENT_TYPES]
    return st.one_of(
        *([_typed("OrderEvent", orders)] if orders else []),
        *([_typed("ClickstreamEvent", others)] if others else []),
    )


def order_events() -> st.SearchStrategy[Json]:
    """Every event of the record `OrderEvent`."""
    return _typed("OrderEvent", ORDER_EVENT_TYPES)


def clickstream_events() -> st.SearchStrategy[Json]:
    """Every event of the record `ClickstreamEvent`."""
    return _typed("ClickstreamEvent", CLICKSTREAM_EVENT_TYPES)


def unknown_events() -> st.SearchStrategy[Json]:
    """Events of both records whose type a later version invented."""
    words = ("unknown", *UNKNOWN_WORDS)
    return st.one_of(_typed("OrderEvent", words), _typed("ClickstreamEvent", words))


def texts() -> st.SearchStrategy[str]:
    """Text of all planes but lone surrogates, blank and long ones too."""
    return st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        st.sampled_from(["", " ", "\x00", "null", "0", "💡" * 9, "\u202eoff\u202c", '"\\/', "a" * 3000]),
    )


def times() -> st.SearchStrategy[int | str]:
    """Moments as a producer may write them: epoch milliseconds, or RFC 3339 in any offset."""
    ms = st.integers(EPOCH_MS_MIN, EPOCH_MS_MAX)
    written = st.builds(
        _rfc_3339,
        st.integers(_YEAR_1_MS + 86_400_000, EPOCH_MS_MAX - 86_400_000),
        st.integers(-1439, 1439),
        st.booleans(),
    )
    return st.one_of(st.integers(1_700_000_000_000, 1_900_000_000_000), ms, written)


def _rfc_3339(ms: int, offset_min: int, zulu: bool) -> str:
    moment = (_EPOCH + timedelta(milliseconds=ms)).astimezone(timezone(timedelta(minutes=offset_min)))
    if zulu:
        return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return moment.isoformat(timespec="milliseconds")


def _typed(record: RecordName, types: Sequence[str]) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda event, word: {**event, "event_type": word}, _event(record), st.sampled_from(types)
    )


@cache
def _event(record: RecordName) -> st.SearchStrategy[Json]:
    return _by_schema(schema(record), {})


_EVENT_IDS = st.builds(
    lambda uuid, upper: str(uuid).upper() if upper else str(uuid), st.uuids(), st.booleans()
)


def _by_schema(part: Any, named: dict[str, Strategy]) -> Strategy:
    """A strategy for any value of a schema, in its JSON form."""
    if isinstance(part, list):
        (inner,) = (branch for branch in part if branch != "null")
        return _by_schema(inner, named)  # null is drawn where the field is, beside absence
    if isinstance(part, str):
        return named[part] if part in named else _PRIMITIVES[part]
    match part["type"]:
        case "record":
            named[part["name"]] = _record(part, named)
            return named[part["name"]]
        case "enum":
            named[part["name"]] = st.sampled_from([*part["symbols"], *UNKNOWN_WORDS])
            return named[part["name"]]
        case "array":
            inner = _by_schema(part["items"], named)
            few = st.lists(inner, max_size=3)
            return few | st.builds(lambda one, count: [one] * count, inner, st.integers(4, 60))
        case "map":
            return st.dictionaries(texts(), texts(), max_size=3)
        case kind:
            return times() if part.get("logicalType") == "timestamp-millis" else _PRIMITIVES[kind]


def _record(part: Json, named: dict[str, Strategy]) -> Strategy:
    needed: dict[str, Strategy] = {}
    optional: dict[str, Strategy] = {}
    for field in part["fields"]:
        inner = _EVENT_IDS if field["name"] == "event_id" else _by_schema(field["type"], named)
        if "default" in field:
            optional[field["name"]] = st.none() | inner
        else:
            needed[field["name"]] = inner
    return st.fixed_dictionaries(needed, optional=optional)


_PRIMITIVES: dict[str, Strategy] = {
    "string": texts(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, 1, -(2**31), 2**31 - 1]),
    "long": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -(2**63), 2**63 - 1]),
    "double": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-10, 10),
}
