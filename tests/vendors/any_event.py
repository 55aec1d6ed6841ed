"""Canonical events for the conformance kit: any that the Structs allow, and whole ones bent."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from connector.model.event import (
    EPOCH_MS_MAX,
    EPOCH_MS_MIN,
    ORDER_EVENT_TYPES,
    UNKNOWN_EVENT_TYPE,
    ClickstreamEvent,
    Event,
    OrderEvent,
)

NOW_MS = 1_795_020_000_000
EVENT_ID = "00000000-0000-4000-8000-000000000001"

TEXTS = (
    *(
        "sku-100",
        "c-12",
        "b2222222-2222-4222-8222-222222222222",
        "/p/sku-100",
        "desk lamp",
        "EUR",
        "eur ",
        "USD",
    ),
    *(
        "",
        " ",
        "\t\n",
        "null",
        " Guest ",
        "0",
        "-",
        "00000000-0000-0000-0000-000000000000",
        "x" * 65,
        "y" * 129,
    ),
    *(
        "jane@example.com",
        "mail jane@example.com now",
        "@",
        "a@b",
        "product",
        "vendor",
        "brand",
        "\x00",
        "\u202e",
    ),
    *(
        "https://shop.example/p/1?q=2#f",
        "https://shop.example",
        "shop://cart",
        "shop://",
        "?",
        "#",
        "//x",
        "p q",
    ),
    *(
        "\U0001f600",
        "\U0010ffff",
        "\ufffe",
        '"\\',
        "</script>",
        "e\u0301",
        "r12v3",
        "KaiOS",
        "iOS",
        "uk_UA",
        "paid",
    ),
)
MICROS = (0, 1, -1, 49_900_000, 12_900_000, 10**12, 2**63 - 1, -(2**63))
SMALL = (0, 1, -1, 2, 24, 2**31 - 1, -(2**31), 120, -840, 841)
QUANTITIES = (
    0.0,
    -0.0,
    -1.0,
    1.0,
    2.0,
    0.45,
    1e-7,
    5e-324,
    2.0**53,
    2.0**53 - 1,
    1e300,
    1.7976931348623157e308,
)
TIMES = (
    *(EPOCH_MS_MIN, -1, 0, 1, 1_795_010_587, 946_684_799_999, 946_684_800_000, EPOCH_MS_MAX),
    *(NOW_MS, NOW_MS + 1, NOW_MS + 300_000, NOW_MS + 300_001),
)

texts = st.sampled_from(TEXTS) | st.text(max_size=12)
micros = st.sampled_from(MICROS) | st.integers(-(2**63), 2**63 - 1)
small = st.sampled_from(SMALL) | st.integers(-(2**31), 2**31 - 1)
quantities = st.sampled_from(QUANTITIES) | st.floats(allow_nan=False, allow_infinity=False)
soon_past = st.integers(NOW_MS - 10**10, NOW_MS)
times = soon_past | soon_past | soon_past | st.sampled_from(TIMES) | st.integers(EPOCH_MS_MIN, EPOCH_MS_MAX)


def event_of(form: dict[str, Any]) -> Event:
    """The event of its JSON form, read as its type asks for."""
    if form["event_type"] in ORDER_EVENT_TYPES:
        return msgspec.convert(form, OrderEvent)
    return msgspec.convert(form, ClickstreamEvent)


@cache
def events(event_type: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any event of this type that the canonical form allows, extremes and half-empty groups included."""
    kind = OrderEvent if event_type in ORDER_EVENT_TYPES else ClickstreamEvent
    required = {"event_id": st.uuids().map(str), "event_type": st.just(event_type), "occurred_at": times}
    return _struct(kind, required)


@st.composite
def bent_events(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """The whole event with a few fields made extreme, so that most of them still mean something.

    Among events with everything at random hardly one in forty gets past the checks for time and identity.
    """
    odd = draw(events(whole["event_type"]))
    bent = {**whole, "event_id": odd["event_id"]}
    fields = draw(st.lists(st.sampled_from(sorted(odd.keys() - {"event_type"})), max_size=3))
    for field in fields:
        bent[field] = _bend(draw, whole.get(field), odd[field])
    return bent


def _bend(draw: st.DrawFn, whole: Any, odd: Any) -> Any:
    if isinstance(whole, list) and isinstance(odd, list) and all(isinstance(each, dict) for each in odd):
        return [_bend(draw, whole[0], each) for each in odd]
    if isinstance(whole, dict) and isinstance(odd, dict) and odd:
        changed = draw(st.lists(st.sampled_from(sorted(odd)), max_size=3))
        return {**whole, **{field: _bend(draw, whole.get(field), odd[field]) for field in changed}}
    return odd


def _struct(
    kind: type[msgspec.Struct], required: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(kind):
        if field.name not in required:
            values = _values(field.name, msgspec.inspect.type_info(field.type))
            (required if field.required else optional)[field.name] = values
    return st.fixed_dictionaries(required, optional=optional)


def _values(name: str, kind: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case msgspec.inspect.UnionType():
            return _values(name, kind.types[0])  # the rest is None, and a time as text
        case msgspec.inspect.StructType():
            return _struct(kind.cls, {})
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return st.lists(_values(name, kind.item_type), max_size=4)
        case msgspec.inspect.DictType():
            return st.dictionaries(texts, texts, max_size=2)
        case msgspec.inspect.EnumType():
            return st.sampled_from([word.value for word in kind.cls if isinstance(word, Enum)])
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.FloatType():
            return quantities
        case msgspec.inspect.IntType():
            if name.endswith("_at"):
                return times
            return micros if name.endswith("_micros") else small
        case msgspec.inspect.StrType():
            return texts
        case _:
            raise NotImplementedError(f"no values for {name}: {kind}")


# ── one event that has everything ────────────────────────────────────────────────────────────────


def rich_event(event_type: str) -> dict[str, Any]:
    """A faultless event with every group that its type may have."""
    line = {
        "product_id": "sku-100",
        "parent_id": "p-100",
        "sku": "v-100",
        "name": "Desk lamp",
        "quantity": 2.0,
        "unit_price_micros": 49_900_000,
        "currency": "EUR",
        "position": 3,
        "seller_id": "seller-7",
        "url": "https://shop.example/p/sku-100",
    }
    event: dict[str, Any] = {
        "event_id": EVENT_ID,
        "event_type": event_type,
        "occurred_at": 1_795_010_587_123,
        "utc_offset_minutes": 120,
        "channel": "web",
        "user": {
            "customer_id": "c-4711",
            "anonymous_id": "a1111111-1111-4111-8111-111111111111",
            "opaque_id": "b2222222-2222-4222-8222-222222222222",
            "session_id": "s-1",
        },
        "device": {"type": "desktop", "os": "Linux"},
        "page": {
            "id": "page-1",
            "type": "product",
            "path": "/p/sku-100",
            "url": "https://shop.example/p/sku-100",
        },
        "items": [line],
        "cart": {"cart_id": "k-1", "state_id": "k-1", "items": [line], "currency": "EUR"},
        "attribution": {"view_id": "view-1", "request_id": "request-1"},
        "consent": {"analytics": True, "advertising": True, "personalization": True, "marketing": True},
    }
    if event_type in ORDER_EVENT_TYPES:
        event["order"] = {
            "order_id": "ord-1",
            "status": "paid",
            "total_micros": 99_800_000,
            "currency": "EUR",
            "created_at": 1_795_010_000_000,
        }
    elif event_type != UNKNOWN_EVENT_TYPE:
        event["search"] = {"query": "desk lamp", "result_count": 3}
        event["category"] = {"id": "c-12", "name": "Lamps"}
        event["placement"] = {"path": "/p/sku-100", "page": 1, "page_size": 24, "category_ids": ["c-12"]}
        event["target"] = {"type": "seller", "id": "seller-7"}
        event["offer"] = {"amount_micros": 1_000_000, "currency": "EUR"}
    return event
