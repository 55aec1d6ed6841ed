"""Canonical events for the conformance kit: whole ones, whole ones with a few fields bent, and any at all."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from connector.codec.answer import Undecodable
from connector.codec.json_form import JsonReader
from connector.model.event import EPOCH_MS_MAX, EPOCH_MS_MIN, ORDER_EVENT_TYPES, UNKNOWN_EVENT_TYPE, Event
from connector.sample import generate
from tests import strategies

NOW_MS = 1_795_020_000_000
EVENT_ID = "00000000-0000-4000-8000-000000000001"

WORDS = (
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
"""Texts that some contract has a rule for."""

NUMBERS = (
    *(
        0,
        1,
        -1,
        2,
        24,
        120,
        -840,
        841,
        2**31 - 1,
        -(2**31),
        49_900_000,
        12_900_000,
        10**12,
        2**63 - 1,
        -(2**63),
    ),
    *(-0.0, 0.45, 1e-7, 5e-324, 2.0**53 - 1, 2.0**53, 1e300, 1.7976931348623157e308),
)
TIMES = (
    *(EPOCH_MS_MIN, -1, 0, 1, 1_795_010_587, 946_684_799_999, 946_684_800_000, EPOCH_MS_MAX),
    *(NOW_MS, NOW_MS + 1, NOW_MS + 300_000, NOW_MS + 300_001, NOW_MS - 10_000, NOW_MS - 10**10),
)

_reader = JsonReader()


def event_of(form: dict[str, Any]) -> Event:
    """The event of its JSON form, read as the connector reads it."""
    event = _reader.read(msgspec.json.encode(form))
    assert not isinstance(event, Undecodable), event
    return event


@cache
def sampled() -> tuple[Event, ...]:
    """Believable events that lead up to `connector.sample.NOW_MS`, with every type several times."""
    return tuple(map(event_of, generate(10_000, 1, "both")))


@cache
def any_events(event_type: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any event of this type that the canonical form allows, extremes and half-empty groups included."""
    return strategies.events([event_type])


@st.composite
def bent_events(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """The whole event with a few fields made extreme, so that most of them still mean something.

    Among events with everything at random hardly one in forty gets past the checks for time and identity.
    """
    odd = draw(any_events(whole["event_type"]))
    bent = {**whole, "event_id": odd["event_id"]}
    choice = sorted(odd.keys() - {"event_id", "event_type", "occurred_at"})
    for field in draw(st.lists(st.sampled_from(choice), max_size=3)) if choice else ():
        bent[field] = _bend(draw, field, whole.get(field), odd[field])
    if draw(st.integers(0, 4)) == 4:
        bent["occurred_at"] = draw(st.sampled_from(TIMES))
    return bent


def _bend(draw: st.DrawFn, name: str, whole: Any, odd: Any) -> Any:
    match whole, odd:
        case [dict() as line, *_], [*lines]:
            return [_bend(draw, name, line, each) for each in lines]
        case dict(), dict() if odd:
            changed = draw(st.lists(st.sampled_from(sorted(odd)), max_size=3))
            return {**whole, **{field: _bend(draw, field, whole.get(field), odd[field]) for field in changed}}
        case _ if name.endswith("_at"):
            return _one_of(draw, _TIMES, odd)
        case _, str():
            return _one_of(draw, _WORDS, odd)
        case _, float():
            return _one_of(draw, _NUMBERS, odd)
        case _, int() if name.endswith("_micros"):
            return _one_of(draw, _WHOLE_NUMBERS, odd)
        case _:
            return odd


_WORDS = st.sampled_from(WORDS)
_NUMBERS = st.sampled_from(NUMBERS)
_WHOLE_NUMBERS = st.sampled_from([n for n in NUMBERS if isinstance(n, int)])
_TIMES = st.sampled_from(TIMES)


def _one_of(draw: st.DrawFn, listed: st.SearchStrategy[Any], odd: Any) -> Any:
    """One of those, or the odd one. Strategies that are made for each draw cost more than what they draw."""
    return draw(listed) if draw(_EITHER) else odd


_EITHER = st.booleans()


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
