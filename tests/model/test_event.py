"""The canonical event in itself; that it mirrors `avro/` is proved with the codec."""

from __future__ import annotations

import gc

import msgspec
import orjson
import pytest

from connector.model import event as model
from connector.model.event import (
    CLICKSTREAM_EVENT_TYPES,
    EVENT_TYPES,
    ORDER_EVENT_TYPES,
    UNKNOWN_EVENT_TYPE,
    Channel,
    ClickstreamEvent,
    DeviceType,
    EventItem,
    EventType,
    OrderEvent,
    PageType,
    User,
)

STRUCTS = [
    each
    for each in vars(model).values()
    if isinstance(each, type) and issubclass(each, msgspec.Struct) and each is not msgspec.Struct
]


def click() -> ClickstreamEvent:
    return ClickstreamEvent(
        event_id="0b9f6a3e-1c5d-4e0f-9a3b-2f1e8d7c6b5a", event_type=EventType.click, occurred_at=0
    )


def test_a_word_is_its_plain_string() -> None:
    """Mappers compare, look up, format and encode words without knowing that they are enums."""
    word = Channel.mobile_web
    assert word == "mobile_web"
    assert {"mobile_web": 1}[word] == 1
    assert f"{word}" == str(word) == "mobile_web"
    assert msgspec.json.encode(word) == orjson.dumps(word) == b'"mobile_web"'


@pytest.mark.parametrize(
    ("words", "default"),
    [(EventType, "unknown"), (Channel, "other"), (DeviceType, "other"), (PageType, "other")],
)
def test_a_word_of_a_later_version_is_the_default(words: type[EventType], default: str) -> None:
    """Neither a new word nor a word in another case breaks an event."""
    for word in ("hologram", "", default.upper()):
        assert words(word) == default
        assert msgspec.json.decode(msgspec.json.encode(word), type=words) == default


def test_every_event_type_belongs_to_one_record_or_is_unknown() -> None:
    """No type is forgotten and none stands twice."""
    assert sorted([*ORDER_EVENT_TYPES, *CLICKSTREAM_EVENT_TYPES, UNKNOWN_EVENT_TYPE]) == sorted(EVENT_TYPES)
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES) == 35


def test_nobody_changes_an_event() -> None:
    """What was decoded is what is mapped, on every attempt."""
    event = click()
    with pytest.raises(AttributeError):
        event.event_id = "another"  # type: ignore[misc]
    assert hash(event) == hash(click())


def test_absent_is_none_and_the_offset_zero() -> None:
    """Every field that may be absent has None as its default, so absence never looks like a value."""
    event = click()
    fields = msgspec.structs.asdict(event)
    required = {"event_id": event.event_id, "event_type": "click", "occurred_at": 0}
    assert fields == {**dict.fromkeys(fields), **required, "utc_offset_minutes": 0}
    assert User() == User(customer_id=None)


@pytest.mark.parametrize("struct", STRUCTS)
def test_no_struct_changes_and_none_is_tracked(struct: type[msgspec.Struct]) -> None:
    """Thousands are alive at a time, and none can be part of a cycle."""
    config = struct.__struct_config__
    assert config.frozen
    assert not config.gc


def test_an_item_is_not_tracked() -> None:
    """The promise above, seen from the collector's side."""
    assert not gc.is_tracked(EventItem(product_id="p", attributes={"a": "b"}))
    assert not gc.is_tracked(click())


def test_only_orders_have_an_order() -> None:
    """The two records differ where they should: an order is required in one and unknown to the other."""
    assert "order" in OrderEvent.__struct_fields__
    assert "order" not in ClickstreamEvent.__struct_fields__
    with pytest.raises(TypeError, match="order"):
        OrderEvent(event_id="", event_type=EventType.order_created, occurred_at=0)  # type: ignore[call-arg]
