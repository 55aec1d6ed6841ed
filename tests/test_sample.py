"""Sample events: valid, complete, repeatable, skewed like the real ones, and useful to every destination."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import msgspec
import orjson
import pytest

from connector.codec.answer import Undecodable
from connector.codec.encode import encode_raw, record_of
from connector.codec.json_form import JsonReader
from connector.model.event import (
    EVENT_TYPES,
    ORDER_EVENT_TYPES,
    Channel,
    ClickstreamEvent,
    DeviceType,
    Event,
    OrderEvent,
    PageType,
)
from connector.sample import NOW_MS, STEP_MS, generate
from connector.sample.stories import Kind
from connector.sample.visit import DELAY_MS_MAX
from connector.settings.reference import example_options
from connector.vendors import DESTINATIONS
from connector.vendors.contract import Mapped
from tests.examples import CI

COUNT = 10_000
SEEDS = (1, 7) if CI else (1,)
KINDS: tuple[Kind, ...] = get_args(Kind)


@cache
def sample(seed: int = 1, kind: Kind = "both", count: int = COUNT) -> list[dict[str, Any]]:
    return list(generate(count, seed, kind))


@cache
def decoded(seed: int = 1) -> list[Event]:
    """Every event as the codec reads its JSON form; fails on the first that is no event."""
    read = JsonReader().read
    events = []
    for event in sample(seed):
        answer = read(orjson.dumps(event))
        assert not isinstance(answer, Undecodable), (answer, event)
        events.append(answer)
    return events


# ── valid, complete, repeatable ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", SEEDS)
def test_every_event_is_a_valid_canonical_event(seed: int) -> None:
    """The codec reads each of them as the record that its type belongs to, and loses nothing."""
    for event, raw in zip(decoded(seed), sample(seed), strict=True):
        assert event.event_id == raw["event_id"]
        assert event.event_type == raw["event_type"]
        if raw["event_type"] != "unknown":
            assert names(msgspec.to_builtins(event)) >= names(raw) - {"utc_offset_minutes"}, raw


@pytest.mark.parametrize("seed", SEEDS)
def test_every_event_can_be_written_as_avro(seed: int) -> None:
    """The shipped schemas hold each of them."""
    for event in itertools.islice(sample(seed), 2_000):
        assert encode_raw(record_of(event), event)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_word_of_the_vocabulary_occurs(seed: int) -> None:
    """In 10,000 events: every event type, channel, device and page type."""
    events = sample(seed)
    assert {event["event_type"] for event in events} == {str(word) for word in EVENT_TYPES}
    assert {event.get("channel") for event in events} == {*map(str, Channel), None}
    assert {event.get("device", {}).get("type") for event in events} == {*map(str, DeviceType), None}
    assert {event.get("page", {}).get("type") for event in events} == {*map(str, PageType), None}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes(kind: Kind) -> None:
    """And another seed gives others."""
    first, again, other = (list(generate(500, seed, kind)) for seed in (3, 3, 4))
    assert orjson.dumps(first) == orjson.dumps(again)
    assert orjson.dumps(first) != orjson.dumps(other)


def test_no_event_has_the_id_of_another() -> None:
    """Event ids and order ids are unique, the latter from order to order."""
    events = sample()
    assert len({event["event_id"] for event in events}) == len(events)
    created = [event["order"]["order_id"] for event in events if event["event_type"] == "order_created"]
    assert len(set(created)) == len(created)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_holds_only_its_events(kind: Kind) -> None:
    """Orders are orders, clickstream is everything else, both is both."""
    orders = {event["event_type"] in ORDER_EVENT_TYPES for event in sample(kind=kind)}
    assert orders == {"orders": {True}, "clickstream": {False}, "both": {True, False}}[kind]


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


def test_time_goes_on_and_ends_shortly_before_now() -> None:
    """Each event lies at most one delay before the newest so far; none lies in the future."""
    newest = 0
    for event in sample():
        newest = max(newest, event["occurred_at"])
        assert event["occurred_at"] > newest - DELAY_MS_MAX - STEP_MS
    assert NOW_MS - 120_000 < newest < NOW_MS


def test_now_moves_all_times_along() -> None:
    """Nothing else changes with it."""
    later = list(generate(200, 1, "both", now_ms=NOW_MS + 86_400_000))
    for event, moved in zip(generate(200, 1, "both"), later, strict=True):
        assert moved["occurred_at"] == event["occurred_at"] + 86_400_000  # type: ignore[operator]
        assert moved["event_id"] == event["event_id"]


def test_an_order_is_created_first_and_keeps_its_date() -> None:
    """Updates, delivery, cancellation and refund come after it, in time and in the stream."""
    created: dict[str, int] = {}
    for event in sample(kind="orders"):
        order_id = event["order"]["order_id"]
        if event["event_type"] in ("order_created", "subscription_renewal"):
            created[order_id] = event["occurred_at"]
        else:
            assert event["occurred_at"] >= created[order_id]
        assert event["order"].get("created_at", created[order_id]) == created[order_id]


# ── skewed like the real ones ────────────────────────────────────────────────────────────────────


def test_few_products_and_shoppers_make_most_of_the_traffic() -> None:
    """A hundred products draw between a third and three quarters of all views; no single one a fifth."""
    products = Counter(
        event["items"][0]["product_id"] for event in sample() if event["event_type"] == "product_view"
    )
    share = sum(count for _, count in products.most_common(100)) / products.total()
    assert 0.33 < share < 0.75
    assert products.most_common(1)[0][1] < products.total() / 5
    shoppers = Counter(
        event["user"].get("opaque_id") or event["user"].get("anonymous_id") for event in sample()
    )
    assert 0.25 < sum(count for _, count in shoppers.most_common(40)) / shoppers.total() < 0.75


def test_one_currency_dominates_and_others_occur() -> None:
    """Most orders are in the home currency, some in each of several others."""
    currencies = Counter(event["order"]["currency"] for event in sample(kind="orders"))
    assert 0.6 < currencies["EUR"] / currencies.total() < 0.95
    assert len(currencies) >= 5


def test_quantities_positions_and_lists_vary() -> None:
    """Goods by weight, several lines an order, lists with sponsored and organic products, free gifts."""
    orders = [event for event in sample(kind="orders") if event["event_type"] == "order_created"]
    lines = [line for event in orders for line in event["items"]]
    assert 0.05 < sum(line["quantity"] % 1 > 0 for line in lines) / len(lines) < 0.6
    assert 0.3 < sum(len(event["items"]) > 1 for event in orders) / len(orders) < 0.95
    assert any(line["unit_price_micros"] == 0 for line in lines)
    shown = [line for event in sample() if event["event_type"] == "impression" for line in event["items"]]
    assert 0.1 < sum(bool(line.get("attribution")) for line in shown) / len(shown) < 0.6
    assert all(line.get("position", 1) >= 1 for line in shown)
    assert not all(str(line.get("name", "")).isascii() for line in shown)


WHERE = {
    "order.refund_micros": {"order_refunded"},
    "order.cancelled_by": {"order_cancelled"},
    "offer": {"offer"},
    "target": {"follow", "unfollow"},
    "search": {"search", "impression"},
    "category": {"category_view", "impression"},
    "placement.product_id": {"add_to_cart"},
    "placement.category_ids": {"impression", "click"},
    "placement.search_query": {"impression", "click"},
    "items[].quantity": {"add_to_cart", "product_view"},
    "cart.items": {"add_to_cart", "cart_updated"},
    "cart.total_micros": {"cart_updated"},
    "cart.currency": {"cart_updated"},
    "attribution.resolved_bid_id": {"click", "product_view"},
    "attribution.insertion_id": {"click", "product_view"},
    "attribution.impression_id": {"click", "product_view"},
}
"""Optional things that only some events can have: which."""

ALWAYS = {"user", "order", "items[].product_id", "order.currency", "order.order_id"}
"""What no producer leaves out: without it the event would mean nothing to anybody."""


@pytest.mark.parametrize("seed", SEEDS)
def test_every_optional_field_is_there_in_some_events_and_absent_in_others(seed: int) -> None:
    """Present in 10 to 90 % of the events that have its group, and the group in at least some events."""
    present: Counter[str] = Counter()
    possible: Counter[str] = Counter()
    for event in decoded(seed):
        if isinstance(event, OrderEvent | ClickstreamEvent):
            for path, there in optional_fields(event):
                where = WHERE.get(path)
                if where is None or event.event_type in where:
                    present[path] += there
                    possible[path] += 1
    shares = {path: present[path] / possible[path] for path in possible}
    assert len(shares) > 100
    odd = {
        path: round(share, 3)
        for path, share in shares.items()
        if path not in ALWAYS and not (0.1 if "." in path else 0.01) <= share <= 0.9
    }
    assert not odd


@pytest.mark.slow
@pytest.mark.parametrize("name", DESTINATIONS)
def test_the_traffic_is_rich_enough_to_prove_a_destination(name: str) -> None:
    """In 50,000 events every type that it maps occurs 500 times, and three fifths of its own are mapped."""
    kind = DESTINATIONS[name]
    destination = kind(kind.Options(**example_options(kind.Options)))
    read = JsonReader().read
    own = {word for word, fate in kind.events.items() if not fate.startswith("skip")}
    occurred = Counter(dict.fromkeys(own, 0))
    mapped = 0
    for raw in sample(count=50_000):
        if raw["event_type"] in own:
            event = read(orjson.dumps(raw))
            assert not isinstance(event, Undecodable)
            occurred[raw["event_type"]] += 1
            mapped += isinstance(destination.map(event, NOW_MS), Mapped)
    assert min(occurred.values()) >= 500, occurred
    assert mapped >= 0.6 * occurred.total()


def optional_fields(value: msgspec.Struct, path: str = "") -> Iterator[tuple[str, bool]]:
    """Every field that may be absent, down through the groups that are there, and whether it is."""
    for field in value.__struct_fields__:
        if field in ("event_id", "event_type", "occurred_at", "utc_offset_minutes"):
            continue
        name = f"{path}.{field}" if path else field
        inner = getattr(value, field)
        yield name, inner is not None
        if isinstance(inner, msgspec.Struct):
            yield from optional_fields(inner, name)
        elif field == "items" and inner is not None:
            for line in inner:
                yield from optional_fields(line, "items[]")


def names(value: Any) -> set[str]:
    """Paths of all members of a JSON object, lists taken together."""
    if isinstance(value, list | tuple):
        return set().union(*map(names, value))
    if not isinstance(value, dict):
        return set()
    return set(value) | {f"{name}.{inner}" for name, each in value.items() for inner in names(each)}
