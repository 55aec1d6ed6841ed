"""Every row of Promoted's event table, the order of checks, and what all records share."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5

import pytest

from connector.model.event import EVENT_TYPES
from connector.vendors.contract import Mapped
from connector.vendors.promoted import Promoted
from connector.vendors.promoted.settings import PromotedOptions
from tests.vendors.any_event import event_of
from tests.vendors.promoted.small_events import (
    EVENT_ID,
    NOW_MS,
    SKU,
    TWO,
    adjusted,
    record,
    records,
    result,
    why,
)

FAN_OUT = UUID("587908d3-4eb1-5167-afdc-0912ca1fd4c4")
ORDERS = [str(name) for name in EVENT_TYPES if name.startswith(("order_", "subscription"))]
SENT = [str(name) for name in EVENT_TYPES if name not in ("cart_updated", "custom", "unknown")]

# ── the table ────────────────────────────────────────────────────────────────────────────────────

ITEM_ACTIONS = {
    "click": ("NAVIGATE", "skip no_content_id"),
    "add_to_cart": ("ADD_TO_CART", "refuse missing_required_field:items"),
    "remove_from_cart": ("REMOVE_FROM_CART", "refuse missing_required_field:items"),
    "add_to_wishlist": ("ADD_TO_LIST", "refuse missing_required_field:items"),
    "remove_from_wishlist": ("REMOVE_FROM_LIST", "refuse missing_required_field:items"),
    "like": ("LIKE", "skip no_content_id"),
    "unlike": ("UNLIKE", "skip no_content_id"),
    "share": ("SHARE", "skip no_content_id"),
    "comment": ("COMMENT", "skip no_content_id"),
    "bookmark": ("BOOKMARK", "skip no_content_id"),
    "remove_bookmark": ("REMOVE_BOOKMARK", "skip no_content_id"),
    "offer": ("MAKE_OFFER", "skip no_content_id"),
    "question": ("ASK_QUESTION", "skip no_content_id"),
    "answer": ("ANSWER_QUESTION", "skip no_content_id"),
}


@pytest.mark.parametrize("event_type", ITEM_ACTIONS)
def test_actions_about_products_go_per_item(event_type: str) -> None:
    """One record per item that says which product it is; the reason applies when none does."""
    action_type, without = ITEM_ACTIONS[event_type]
    mapped = result(event_type, items=TWO)
    assert isinstance(mapped, Mapped)
    assert [item.kind for item in mapped.items] == ["action", "action"]
    assert [
        (sent["actionType"], sent["contentId"]) for sent in (json.loads(item.body) for item in mapped.items)
    ] == [(action_type, "sku-1"), (action_type, "sku-2")]
    assert why(event_type) == why(event_type, items=[]) == without
    assert why(event_type, items=[{"product_id": " null "}]) == without
    assert why(event_type, items=[{}, {"product_id": ""}]) == without
    assert adjusted(event_type, items=[{}, SKU]) == ["item_dropped"]


@pytest.mark.parametrize(
    ("event_type", "page_type"),
    [
        ("home_view", "home"),
        ("landing", "landing"),
        ("product_view", "product"),
        ("category_view", "category"),
        ("search", "search"),
        ("page_view", "cart"),
    ],
)
def test_views_go_as_one_view(event_type: str, page_type: str) -> None:
    """One record under the view's id, named after the page type, whatever the page says of itself."""
    mapped = result(event_type, page={"type": "cart"}, items=TWO)
    assert isinstance(mapped, Mapped)
    (item,) = mapped.items
    assert (item.kind, item.id, item.at_ms, item.key) == ("view", EVENT_ID, 1_795_010_587_123, None)
    assert json.loads(item.body)["name"] == page_type


def test_impressions_go_per_item() -> None:
    """And nothing that was shown is known without a product."""
    mapped = result("impression", items=TWO)
    assert isinstance(mapped, Mapped)
    assert [item.kind for item in mapped.items] == ["impression", "impression"]
    assert why("impression") == why("impression", items=[{}]) == "skip no_content_id"
    assert adjusted("impression", items=[{}, SKU]) == ["item_dropped"]
    only_inserted = [{"attribution": {"insertion_id": "i-1"}}]
    assert why("impression", items=only_inserted) == "skip no_content_id"
    assert why("impression", placement={"product_id": "sku-1"}) == "skip no_content_id"


@pytest.mark.parametrize(("event_type", "action_type"), [("follow", "FOLLOW"), ("unfollow", "UNFOLLOW")])
def test_following_goes_as_one_action(event_type: str, action_type: str) -> None:
    """About the seller, else the seller of the first item, else that product."""
    seller = {"product_id": "sku-1", "seller_id": "s-2"}
    everything = record(event_type, target={"type": "seller", "id": "s-1"}, items=[seller, SKU])
    assert (everything["actionType"], everything["contentId"]) == (action_type, "s-1")
    assert record(event_type, target={"id": "0"}, items=[seller])["contentId"] == "s-2"
    assert record(event_type, items=TWO)["contentId"] == "sku-1"
    assert why(event_type) == why(event_type, items=[{}, SKU]) == "skip no_content_id"
    assert why(event_type, placement={"product_id": "sku-1"}) == "skip no_content_id"


@pytest.mark.parametrize(
    ("event_type", "action_type"), [("sign_in", "COMPLETE_SIGN_IN"), ("sign_up", "COMPLETE_SIGN_UP")]
)
def test_signing_in_is_about_the_visitor_alone(event_type: str, action_type: str) -> None:
    """Whatever else the event holds."""
    assert record(event_type, items=[SKU], page={"type": "account"}) == {
        "actionId": EVENT_ID,
        "userInfo": {"anonUserId": "u-1"},
        "timing": {"clientLogTimestamp": 1_795_010_587_123},
        "clientInfo": {"clientType": "PLATFORM_SERVER", "trafficType": "PRODUCTION"},
        "actionType": action_type,
    }


@pytest.mark.parametrize(
    ("event_type", "fields", "without"),
    [
        ("checkout_started", {"actionType": "CHECKOUT"}, "refuse missing_required_field:items"),
        ("order_created", {"actionType": "PURCHASE"}, "refuse missing_required_field:items"),
        (
            "order_updated",
            {"actionType": "CUSTOM_ACTION_TYPE", "customActionType": "MODIFY_ORDER"},
            "skip no_order_lines",
        ),
        (
            "order_delivered",
            {"actionType": "CUSTOM_ACTION_TYPE", "customActionType": "ORDER_COMPLETE"},
            "skip no_order_lines",
        ),
        ("order_cancelled", {"actionType": "CANCEL_PURCHASE"}, "skip no_order_lines"),
        ("order_refunded", {"actionType": "REFUND_PURCHASE"}, "skip no_order_lines"),
        ("subscription_renewal", {"actionType": "ONGOING_PURCHASE"}, "refuse missing_required_field:items"),
    ],
)
def test_orders_have_lines(event_type: str, fields: dict[str, str], without: str) -> None:
    """Per event or per line, and without a line there is nothing to say."""
    lines = records(event_type, items=TWO)
    assert len(lines) == (1 if event_type in ("checkout_started", "order_created", "order_updated") else 2)
    for line in lines:
        assert fields.items() <= line.items()
    assert why(event_type, items=[]) == why(event_type, items=[{}]) == without
    assert why(event_type, items=[{"product_id": "sku-1", "quantity": 0}]) == without


def test_a_carts_state_is_no_action() -> None:
    """Even when nothing else about the event is right."""
    assert why("cart_updated", user={}, occurred_at=0) == "skip unsupported_event_type"


def test_an_unknown_type_is_a_skip_of_its_own() -> None:
    """What a newer producer writes."""
    assert why("unknown") == why("teleported") == "skip unknown_event_type"


# ── custom events ────────────────────────────────────────────────────────────────────────────────


def test_a_custom_event_goes_under_the_name_agreed_with_the_vendor() -> None:
    """Per item if there is one, else once; a name that is not listed is no concern of the vendor's."""
    options = {"custom_types": {"write_review": "REVIEW"}}
    review = {"properties": {"action": " write_review "}}
    assert record("custom", options, **review) == {
        "actionId": EVENT_ID,
        "userInfo": {"anonUserId": "u-1"},
        "timing": {"clientLogTimestamp": 1_795_010_587_123},
        "clientInfo": {"clientType": "PLATFORM_SERVER", "trafficType": "PRODUCTION"},
        "actionType": "CUSTOM_ACTION_TYPE",
        "customActionType": "REVIEW",
    }
    two = records("custom", options, items=[*TWO, {}], **review)
    assert [(each["customActionType"], each["contentId"]) for each in two] == [
        ("REVIEW", "sku-1"),
        ("REVIEW", "sku-2"),
    ]
    assert why("custom", options, items=[{}], **review) == "skip no_content_id"
    for properties in (None, {}, {"action": "other"}, {"action": " "}, {"Action": "write_review"}):
        assert why("custom", options, properties=properties) == "skip disabled_by_config"
    assert why("custom", **review) == "skip disabled_by_config"


# ── the order of checks ──────────────────────────────────────────────────────────────────────────


def test_the_first_check_that_hits_decides() -> None:
    """Switches, consent, time, identity, items, prices, size: all at fault, then mended one by one."""
    options = {"max_bytes": 2_048, "views": False, "custom_types": {}}
    changes: dict[str, Any] = {
        "consent": {"personalization": False},
        "occurred_at": 0,
        "user": {},
        "items": [],
        "page": {"url": "https://shop.example/" + "x" * 2_048},
        "channel": "web",
    }
    assert why("page_view", options, **changes) == "skip disabled_by_config"
    assert why("order_updated", options, **changes) == "skip disabled_by_config"
    assert why("custom", options, **changes) == "skip disabled_by_config"
    assert why("add_to_cart", options, **changes) == "skip consent_denied"
    del changes["consent"]
    assert why("add_to_cart", options, **changes) == "refuse invalid_timestamp"
    changes["occurred_at"] = NOW_MS + 300_001
    assert why("add_to_cart", options, **changes) == "refuse timestamp_in_future"
    del changes["occurred_at"]
    assert why("add_to_cart", options, **changes) == "skip no_identifier"
    del changes["user"]
    assert why("add_to_cart", options, **changes) == "refuse missing_required_field:items"
    changes["items"] = [{"product_id": "x" * 2_048, "unit_price_micros": -1}]
    assert why("add_to_cart", options, **changes) == "refuse invalid_price"
    changes["items"] = [{"product_id": "x" * 2_048}]
    assert why("add_to_cart", options, **changes) == "refuse payload_too_large"
    assert why("page_view", {"max_bytes": 2_048}, **changes) == "refuse payload_too_large"


@pytest.mark.parametrize("event_type", [*SENT, "custom"])
def test_a_record_that_fits_no_request_is_refused(event_type: str) -> None:
    """Before anything is sent, and to the byte: the largest that goes out fills a request."""
    event = {
        "items": [SKU],
        "target": {"id": "s-1"},
        "properties": {"action": "review"},
        "user": {"anonymous_id": "u-1"},
    }
    custom = {"order_updated": "A", "order_delivered": "B", "review": "C"}

    def body(size: int, most: int = 2_048) -> Any:
        event["user"] = {"anonymous_id": "u-1", "session_id": "x" * size}
        return result(event_type, {"max_bytes": most, "custom_types": custom}, **event)

    options = PromotedOptions.model_validate({"max_bytes": 2_048})
    room = options.max_bytes - Promoted(options).limits.frame_bytes - 1
    small = body(100)
    assert isinstance(small, Mapped)
    most = 100 + room - len(small.items[0].body)
    largest = body(most)
    assert isinstance(largest, Mapped)
    assert len(largest.items[0].body) == room
    assert len(Promoted(options).request(largest.items).body) <= 2_048
    refused = body(most + 1)
    assert not isinstance(refused, Mapped)
    assert refused.reason == "payload_too_large"
    assert isinstance(body(most + 1, 2_049), Mapped)


# ── consent and time ─────────────────────────────────────────────────────────────────────────────


def test_only_a_refusal_is_a_refusal() -> None:
    """Personalization by default; `delivery.consent` may name other purposes, or none."""
    assert why("like", items=[SKU], consent={"personalization": False}) == "skip consent_denied"
    for consent in (None, {}, {"personalization": True}, {"personalization": None, "advertising": False}):
        assert record("like", items=[SKU], consent=consent)
    denied = event_of(
        {
            "event_id": EVENT_ID,
            "event_type": "sign_in",
            "occurred_at": 1_795_010_587_123,
            "user": {"anonymous_id": "u-1"},
            "consent": {"advertising": False, "personalization": False},
        }
    )
    for purposes, sent in ((["advertising"], False), (["marketing", "analytics"], True), ([], True)):
        assert isinstance(Promoted(PromotedOptions(), purposes).map(denied, NOW_MS), Mapped) is sent


@pytest.mark.parametrize(
    ("ahead_ms", "sent_ms", "skew_ms"),
    [
        (0, NOW_MS, 300_000),
        (-1, NOW_MS - 1, 300_000),
        (1, NOW_MS, 300_000),
        (300_000, NOW_MS, 300_000),
        (300_001, None, 300_000),
        (1, None, 0),
        (0, NOW_MS, 0),
    ],
)
def test_a_little_future_is_the_clocks_fault(ahead_ms: int, sent_ms: int | None, skew_ms: int) -> None:
    """Up to five minutes ahead goes out with our clock's time, and is counted; further is refused."""
    options = {"max_future_skew_ms": skew_ms}
    mapped = result("sign_in", options, occurred_at=NOW_MS + ahead_ms)
    if sent_ms is None:
        assert why("sign_in", options, occurred_at=NOW_MS + ahead_ms) == "refuse timestamp_in_future"
        return
    assert isinstance(mapped, Mapped)
    assert mapped.items[0].at_ms == sent_ms
    assert json.loads(mapped.items[0].body)["timing"] == {"clientLogTimestamp": sent_ms}
    assert ("clock_skew_clamped" in mapped.adjustments) is (ahead_ms > 0)


def test_before_2000_nothing_of_ours_happened() -> None:
    """Seconds for milliseconds would be January 1970, which the vendor accepts in silence."""
    assert why("sign_in", occurred_at=946_684_799_999) == "refuse invalid_timestamp"
    assert record("sign_in", occurred_at=946_684_800_000)["timing"] == {"clientLogTimestamp": 946_684_800_000}


def test_the_offset_changes_nothing() -> None:
    """An instant is an instant."""
    assert record("sign_in", utc_offset_minutes=120) == record("sign_in")


# ── who ──────────────────────────────────────────────────────────────────────────────────────────


def test_both_ids_go_out_when_both_are_known() -> None:
    """The vendor joins on the visitor's, the customer's is its long-term memory."""
    user = {"customer_id": " c-1 ", "anonymous_id": "u-1", "opaque_id": "o-1", "session_id": " s-1 "}
    sent = record("sign_in", user=user)
    assert sent["userInfo"] == {"userId": "c-1", "anonUserId": "u-1"}
    assert sent["sessionId"] == "s-1"


def test_a_customer_alone_is_sent_and_counted() -> None:
    """The vendor accepts it and joins it to nothing: somebody should know."""
    assert record("sign_in", user={"customer_id": "c-1"})["userInfo"] == {"userId": "c-1"}
    assert adjusted("sign_in", user={"customer_id": "c-1"}) == ["missing_anon_user_id"]
    assert adjusted("sign_in", user={"anonymous_id": "u-1"}) == []


def test_the_visitors_id_comes_from_one_source() -> None:
    """Never a silent mix of two."""
    user = {"anonymous_id": "u-1", "opaque_id": "o-1"}
    opaque = {"anon_user_id_source": "opaque_id"}
    assert record("sign_in", opaque, user=user)["userInfo"] == {"anonUserId": "o-1"}
    assert why("sign_in", opaque, user={"anonymous_id": "u-1"}) == "skip no_identifier"
    assert why("sign_in", user={"opaque_id": "o-1"}) == "skip no_identifier"


@pytest.mark.parametrize("nobody", [None, "", " ", "NULL", "guest", "0", "-", "jane@example.com"])
def test_nobody_is_never_made_up(nobody: str | None) -> None:
    """Placeholders and e-mail addresses are nobody; the latter are counted."""
    user = {"customer_id": nobody, "anonymous_id": nobody}
    assert why("sign_in", user=user) == "skip no_identifier"
    assert why("sign_in", user=None) == "skip no_identifier"
    pii = ["pii_identifier_suppressed"] * 2 if nobody and "@" in nobody else []
    assert adjusted("sign_in", user=user) == pii
    assert "sessionId" not in record("sign_in", user={"anonymous_id": "u-1", "session_id": nobody})


def test_staff_is_told_apart() -> None:
    """Only when the event says so."""
    user = {"anonymous_id": "u-1"}
    assert record("sign_in", user=user | {"is_internal": True})["userInfo"]["isInternalUser"] is True
    for internal in (None, False):
        assert "isInternalUser" not in record("sign_in", user=user | {"is_internal": internal})["userInfo"]


@pytest.mark.parametrize("traffic_type", ["PRODUCTION", "REPLAY", "SHADOW"])
def test_the_traffic_type_is_configured(traffic_type: str) -> None:
    """And our side of the wire is always the platform's server."""
    client = record("sign_in", {"traffic_type": traffic_type})["clientInfo"]
    assert client == {"clientType": "PLATFORM_SERVER", "trafficType": traffic_type}


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event_type", ["click", "order_refunded", "impression"])
def test_ids_count_the_items_before_any_is_dropped(event_type: str) -> None:
    """One item has the event's id, several have derived ones by their place."""
    key = "impressionId" if event_type == "impression" else "actionId"
    assert [sent[key] for sent in records(event_type, items=[SKU])] == [EVENT_ID]
    expected = [str(uuid5(FAN_OUT, f"{EVENT_ID}:{place}")) for place in (0, 2)]
    sent = records(event_type, items=[{"product_id": "sku-1"}, {}, {"product_id": "sku-3"}])
    assert [each[key] for each in sent] == expected
    (left,) = records(event_type, items=[SKU, {}])
    assert left[key] == expected[0]


@pytest.mark.parametrize("source", ["product_id", "parent_id", "sku"])
def test_the_product_id_is_the_one_that_the_vendor_ranks(source: str) -> None:
    """One choice for the whole account."""
    ids = {"product_id": "a", "parent_id": "b", "sku": "c"}
    for event_type in ("click", "impression", "order_created", "follow", "product_view"):
        assert record(event_type, {"product_id_source": source}, items=[ids])["contentId"] == ids[source]
    others = {name: value for name, value in ids.items() if name != source}
    assert why("click", {"product_id_source": source}, items=[others]) == "skip no_content_id"


# ── properties ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event_type", SENT)
def test_properties_stay_behind_unless_they_are_listed(event_type: str) -> None:
    """On every record, beside what the record says of its own."""
    held = {"color": "red", "secret": "x"}
    event: dict[str, Any] = {"items": [SKU], "target": {"id": "s-1"}, "properties": held}
    without = record(event_type, **event).get("properties", {"struct": {}})["struct"]
    assert not held.keys() & without.keys()
    listed = record(event_type, {"properties_allow": ["color", "absent"]}, **event)
    assert listed["properties"]["struct"] == {**without, "color": "red"}


def test_a_property_never_stands_for_a_value_of_ours() -> None:
    """Whether that value is there or not."""
    named = (
        *("orderId", "orderStatus", "orderTotalMicros", "currencyCode", "orderLines", "currentOrder"),
        *("quantity", "unitPriceMicros", "offerAmountMicros", "orderDelta"),
    )
    options = {"properties_allow": list(named)}
    properties = dict.fromkeys(named, "evil")
    sent = record("order_created", options, properties=properties)
    assert sent["properties"]["struct"] == {"orderId": "ord-1"}
    assert adjusted("order_created", options, properties=properties) == ["property_suppressed"] * 10


def test_a_property_with_an_email_address_stays_behind() -> None:
    """The vendor wants no personal data there; a blank one is absent."""
    options = {"properties_allow": ["a", "b", "c"]}
    properties = {"a": "from jane@example.com", "b": " ", "c": " kept "}
    assert record("sign_in", options, properties=properties)["properties"] == {"struct": {"c": " kept "}}
    assert adjusted("sign_in", options, properties=properties) == ["property_suppressed"]
    assert "properties" not in record("sign_in", options, properties={"a": "x@y.z"})


def test_properties_are_bounded_in_number_and_size() -> None:
    """50 and 8 KiB, in the order in which they are listed."""
    names = [f"p{n:02d}" for n in range(60)]
    options = {"properties_allow": names}
    many = dict.fromkeys(names, "x")
    assert list(record("sign_in", options, properties=many)["properties"]["struct"]) == names[:50]
    assert adjusted("sign_in", options, properties=many) == ["property_suppressed"] * 10
    large = {"p00": "x" * 5_000, "p01": "y" * 5_000, "p02": "z" * 3_000}
    kept = record("sign_in", options, properties=large)["properties"]["struct"]
    assert list(kept) == ["p00", "p02"]
    wide = {"p00": "é" * 5_000}
    assert "properties" not in record("sign_in", options, properties=wide)
    exact = 8_192 - len('"p00":"",')
    assert record("sign_in", options, properties={"p00": "x" * exact})["properties"]
    assert "properties" not in record("sign_in", options, properties={"p00": "x" * (exact + 1)})
