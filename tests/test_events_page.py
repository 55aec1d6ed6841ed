"""What `docs/events.md` says of the canonical form is so."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from connector.codec.answer import Undecodable
from connector.codec.json_form import JsonReader
from connector.codec.times import epoch_ms
from connector.model.event import ClickstreamEvent, OrderEvent
from connector.settings.reference import example_options
from connector.vendors import DESTINATIONS
from connector.vendors.contract import Mapped
from tests import events_page

EXAMPLES: list[dict[str, Any]] = [
    json.loads(body)
    for body in re.findall(r"^```json\n(.*?)^```$", events_page.PAGE.read_text(), re.M | re.S)
]
ORDER, CLICK, CART = EXAMPLES
REQUIRED = [("event_id",), ("event_type",), ("occurred_at",), ("order",), ("order", "order_id")]


def read(example: dict[str, Any]) -> OrderEvent | ClickstreamEvent | Undecodable:
    return JsonReader().read(json.dumps(example).encode())


def without(example: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The example and one field less."""
    copy: dict[str, Any] = json.loads(json.dumps(example))
    holder = copy
    for name in path[:-1]:
        holder = holder[name]
    del holder[path[-1]]
    return copy


def test_its_tables_are_those_of_the_schemas() -> None:
    """`make docs` makes them anew."""
    assert events_page.page() == events_page.PAGE.read_text()


@pytest.mark.parametrize(
    ("example", "vendor"),
    [(ORDER, "topsort"), (ORDER, "esputnik-orders"), (CLICK, "topsort"), (CART, "esputnik-site")],
)
def test_its_examples_are_events_that_a_vendor_can_be_told(example: dict[str, Any], vendor: str) -> None:
    """Read as JSON, and mapped by a vendor that has a use for them."""
    event = read(example)
    assert not isinstance(event, Undecodable), event
    kind = DESTINATIONS[vendor]
    destination = kind(kind.Options.model_validate(example_options(kind.Options)))
    assert isinstance(destination.map(event, event.occurred_at), Mapped)


@pytest.mark.parametrize("path", REQUIRED)
def test_what_it_calls_required_is(path: tuple[str, ...]) -> None:
    """Without it there is no event, and the page says so in bold."""
    missing = read(without(ORDER, path))
    assert isinstance(missing, Undecodable)
    assert missing.detail.startswith(f"$.{'.'.join(path)}: missing")
    assert f"| `{path[-1]}` |" in "".join(re.findall(r"^.*\*\*Required\..*$", events_page.tables(), re.M))


def test_nothing_else_is_required() -> None:
    """Neither by the code nor in a table."""
    least = {"event_id": CLICK["event_id"], "event_type": "click", "occurred_at": CLICK["occurred_at"]}
    assert isinstance(read(least), ClickstreamEvent)
    assert isinstance(read(least | {"event_type": "order_updated", "order": {"order_id": "1"}}), OrderEvent)
    assert events_page.tables().count("**Required.**") == len(REQUIRED)


def test_its_rules_are_kept() -> None:
    """Null is absent, unknown fields and words are no error, a wrong type is one, time is text or number."""
    plain = read(CLICK)
    assert read(CLICK | {"channel": None, "a_field_of_next_year": {"x": 1}}) == plain
    unknown = read(CLICK | {"event_type": "teleported"})
    assert isinstance(unknown, ClickstreamEvent)
    assert unknown.event_type == "unknown"
    elsewhere = read(CLICK | {"channel": "moon"})
    assert isinstance(elsewhere, ClickstreamEvent)
    assert elsewhere.channel == "other"
    wrong = read(ORDER | {"order": ORDER["order"] | {"total_micros": "59980000"}})
    assert isinstance(wrong, Undecodable)
    assert wrong.reason == "invalid_event"
    assert wrong.detail.startswith("$.order.total_micros: ")
    assert isinstance(plain, ClickstreamEvent)
    assert plain.occurred_at == epoch_ms(ORDER["occurred_at"]), "the same moment, in both forms"
