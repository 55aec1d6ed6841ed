"""Names that are no fields are found, and what may be somebody's data is not told."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connector.codec.strangers import Stranger, strangers
from connector.sample import generate


def order(**more: Any) -> dict[str, Any]:
    """A believable one."""
    return next(iter(generate(1, kind="orders"))) | more


def test_a_canonical_event_has_none() -> None:
    """Whatever the kind."""
    assert [found for event in generate(300) for found in strangers(orjson.dumps(event))] == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("price", "unit_price_micros"),
        ("unitPrice", "unit_price_micros"),
        ("quantiti", "quantity"),
        ("frobnicate", None),
    ],
)
def test_a_stranger_in_an_item_is_told_once_with_what_was_meant(name: str, meant: str | None) -> None:
    """However many items have it."""
    event = order()
    items = event["items"] = [dict(event["items"][0]) for _ in range(3)]
    for item in items:
        item[name] = item.pop(meant, 1)
    assert strangers(orjson.dumps(event)) == [Stranger(f"items[].{name}", meant)]


def test_a_name_that_may_be_data_is_not_told() -> None:
    """An address in the place of a name, a very long one, and the keys of maps."""
    event = order(**{"jane@example.org": 1, "x" * 41: 1, "+49 170 1": 1})
    event["items"] = [event["items"][0] | {"attributes": {"Jane": "Doe"}}]
    assert strangers(orjson.dumps(event)) == []


@pytest.mark.parametrize(
    "value", [b"", b"\xff", b"[]", b"17", b"{", b'{"event_type":"no_such","a":1}', b"[" * 9999]
)
def test_what_is_no_event_has_none(value: bytes) -> None:
    """Any bytes may come."""
    assert strangers(value) == []


@pytest.mark.parametrize("wrong", [None, 7, "text", [], {}, [1], [[]]])
def test_a_wrong_shape_is_somebody_elses_finding(wrong: object) -> None:
    """The decoder tells it."""
    event = order()
    event["items"] = wrong
    assert strangers(orjson.dumps(event)) == []
