"""Every row of Topsort's event table and every rule behind it."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from uuid import UUID, uuid5

import pytest

from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.topsort import Topsort
from connector.vendors.topsort.settings import TopsortOptions
from tests.vendors.any_event import event_of

NOW_MS = 1_795_010_600_000
EVENT_ID = "00000000-0000-4000-8000-000000000300"
FAN_OUT = UUID("587908d3-4eb1-5167-afdc-0912ca1fd4c4")

CLICKSTREAM: dict[str, Any] = {
    "event_id": EVENT_ID,
    "occurred_at": 1_795_010_587_123,
    "user": {"opaque_id": "u-1"},
}
ORDER: dict[str, Any] = {
    **CLICKSTREAM,
    "event_type": "order_created",
    "order": {"order_id": "ord-1", "currency": "EUR"},
    "items": [{"product_id": "sku-1", "unit_price_micros": 12_950_000}],
}
SKU = {"product_id": "sku-1"}
TWO = [{"product_id": "sku-1"}, {"product_id": "sku-2"}]
TOKEN = {"resolved_bid_id": "bid-1"}
OWN = {"attribution": {"resolved_bid_id": "bid-own"}}


def result(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> MapResult:
    """What becomes of a small event with these groups."""
    base = ORDER if event_type.startswith(("order_", "subscription")) else CLICKSTREAM
    destination = Topsort(TopsortOptions.model_validate({"currency": "EUR", **(options or {})}))
    return destination.map(event_of({**base, "event_type": event_type, **changes}), NOW_MS)


def records(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> list[Any]:
    """The records it becomes."""
    mapped = result(event_type, options, **changes)
    assert isinstance(mapped, Mapped), mapped
    return [json.loads(item.body) for item in mapped.items]


def record(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> Any:
    """The only record it becomes."""
    (only,) = records(event_type, options, **changes)
    return only


def order(*lines: dict[str, Any], **changes: Any) -> Any:
    """The purchase of these lines."""
    return record("order_created", items=list(lines), **changes)


def why(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> str:
    """Why nothing is sent, as `skip …` or `refuse …`."""
    match result(event_type, options, **changes):
        case Skipped(reason):
            return f"skip {reason}"
        case Refused(reason):
            return f"refuse {reason}"
        case mapped:
            raise AssertionError(f"expected no record, got {mapped}")


def adjusted(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    """What was changed on the way."""
    return list(result(event_type, options, **changes).adjustments)


# ── the table ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("event_type", "page_type"),
    [
        ("page_view", "other"),
        ("home_view", "home"),
        ("landing", "other"),
        ("product_view", "PDP"),
        ("category_view", "category"),
        ("search", "search"),
    ],
)
def test_views_become_page_views(event_type: str, page_type: str) -> None:
    """One record under the event's id, in the array for page views, and a skip without a page."""
    mapped = result(event_type, page={"path": "/x"})
    assert isinstance(mapped, Mapped)
    (item,) = mapped.items
    assert (item.kind, item.id, item.at_ms, item.key) == ("pageviews", EVENT_ID, 1_795_010_587_123, None)
    assert json.loads(item.body)["page"]["type"] == page_type
    assert why(event_type) == "skip no_page_id"


@pytest.mark.parametrize(
    ("event_type", "kind", "flavour", "without_items"),
    [
        ("impression", "impressions", None, "skip no_entity"),
        ("click", "clicks", None, "skip no_entity"),
        ("like", "clicks", "like", "skip no_entity"),
        ("add_to_cart", "clicks", "add-to-cart", "refuse missing_required_field:items"),
        ("add_to_wishlist", "clicks", "like", "refuse missing_required_field:items"),
    ],
)
def test_interactions_go_per_item(
    event_type: str, kind: str, flavour: str | None, without_items: str
) -> None:
    """One record per item; organic ones tell their flavour in `object`, sponsored ones in `clickType`."""
    mapped = result(event_type, items=TWO)
    assert isinstance(mapped, Mapped)
    assert [item.kind for item in mapped.items] == [kind, kind]
    organic = record(event_type, items=[SKU])
    sponsored = record(event_type, items=[SKU], attribution=TOKEN)
    assert organic.get("object") == ({"type": "listing", "clickType": flavour} if flavour else None)
    assert "clickType" not in organic
    assert sponsored.get("clickType") == flavour
    assert "object" not in sponsored
    assert why(event_type) == why(event_type, items=[]) == without_items
    assert why(event_type, items=[{"product_id": " null "}]) == without_items
    assert why(event_type, items=[{}, {"product_id": ""}]) == without_items


@pytest.mark.parametrize(
    "event_type",
    [
        *("order_updated", "order_delivered", "order_cancelled", "order_refunded", "subscription_renewal"),
        *("remove_from_cart", "cart_updated", "remove_from_wishlist", "checkout_started", "unlike", "share"),
        *("comment", "bookmark", "remove_bookmark", "follow", "unfollow", "offer", "question", "answer"),
        *("sign_in", "sign_up", "custom"),
    ],
)
def test_what_topsort_has_no_use_for_is_skipped(event_type: str) -> None:
    """Normal traffic; it is a skip even when nothing else about the event is right."""
    assert why(event_type, items=[SKU]) == "skip unsupported_event_type"
    assert why(event_type, user={}, occurred_at=0) == "skip unsupported_event_type"


def test_an_unknown_type_is_a_skip_of_its_own() -> None:
    """What a newer producer writes."""
    assert why("unknown") == "skip unknown_event_type"


# ── consent, identity ────────────────────────────────────────────────────────────────────────────


def test_only_a_refusal_is_a_refusal() -> None:
    """An absent flag, or another purpose's refusal, is none."""
    assert why(items=[SKU], consent={"advertising": False}) == "skip consent_denied"
    for consent in ({}, {"advertising": True}, {"marketing": False, "analytics": False}):
        assert record(items=[SKU], consent=consent)


def test_the_purposes_are_configurable() -> None:
    """Any of the named ones refused is a refusal; none named, none asked."""
    event = event_of({**CLICKSTREAM, "event_type": "click", "items": [SKU], "consent": {"marketing": False}})
    options = TopsortOptions(currency="EUR")
    assert Topsort(options, ["advertising", "marketing"]).map(event, NOW_MS) == Skipped("consent_denied")
    assert isinstance(Topsort(options, []).map(event, NOW_MS), Mapped)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"opaque_id": " u-1 ", "anonymous_id": "a-1"}, "u-1"),
        ({"anonymous_id": "a-1"}, "a-1"),
        ({"opaque_id": "NULL", "anonymous_id": "a-1"}, "a-1"),
        ({"opaque_id": "jane@example.com", "anonymous_id": "a-1"}, "a-1"),
    ],
)
def test_the_first_good_source_is_the_user(user: dict[str, str], expected: str) -> None:
    """Trimmed; a placeholder or an e-mail address is nobody."""
    assert record(items=[SKU], user=user)["opaqueUserId"] == expected


def test_nobody_is_invented() -> None:
    """Customer id, session and e-mail are no substitutes."""
    for user in (
        {},
        {"customer_id": "c-1", "session_id": "s-1", "email": "j@example.com"},
        {"opaque_id": " "},
    ):
        assert why(items=[SKU], user=user) == "skip no_identifier"
    assert adjusted(items=[SKU], user={"opaque_id": "j@example.com"}) == ["pii_identifier_suppressed"]


def test_a_customer_id_travels_as_its_hmac_only() -> None:
    """Lower-case hex of HMAC-SHA256 under the secret, and only when it is the last resort."""
    options = {
        "opaque_user_id_sources": ["anonymous_id", "customer_id"],
        "customer_id_hmac_secret": "sécret",
    }
    digest = hmac.new("sécret".encode(), b"c-4711", hashlib.sha256).hexdigest()
    sent = record(options=options, items=[SKU], user={"customer_id": " c-4711 "})
    assert sent["opaqueUserId"] == digest
    assert len(digest) == 64
    both = record(options=options, items=[SKU], user={"customer_id": "c-4711", "anonymous_id": "a-1"})
    assert both["opaqueUserId"] == "a-1"
    assert why(options=options, items=[SKU], user={"customer_id": "guest"}) == "skip no_identifier"


def test_a_user_id_has_a_length() -> None:
    """Up to 64 characters are fine, up to 128 are counted, beyond that the vendor would not know it again."""
    assert adjusted(items=[SKU], user={"opaque_id": "u" * 64}) == []
    assert adjusted(items=[SKU], user={"opaque_id": "u" * 65}) == ["opaque_user_id_over_64"]
    assert record(items=[SKU], user={"opaque_id": "ü" * 128})["opaqueUserId"] == "ü" * 128
    assert why(items=[SKU], user={"opaque_id": "u" * 129}) == "refuse opaque_user_id_too_long"


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────


def test_items_of_one_event_have_derived_ids() -> None:
    """By their place before anything is dropped, so a repair of the first does not rename the second."""
    ids = [each["id"] for each in records("impression", items=[{}, SKU, SKU])]
    assert ids == [str(uuid5(FAN_OUT, f"{EVENT_ID}:1")), str(uuid5(FAN_OUT, f"{EVENT_ID}:2"))]
    assert record("impression", items=[SKU])["id"] == EVENT_ID


def test_a_purchase_is_known_by_its_order() -> None:
    """The same order under another event id is the same purchase; without an order id the event's must do."""
    assert order(ORDER["items"][0], order={"order_id": " ord-7 ", "currency": "EUR"})["id"] == "ord-7"
    for order_id in ("", "0", "null", "jane@example.com"):
        assert order(ORDER["items"][0], order={"order_id": order_id, "currency": "EUR"})["id"] == EVENT_ID


def test_an_overlong_order_id_becomes_a_stable_digest() -> None:
    """128 characters are the documented bound; beyond, the same order still gives the same id."""
    ids = [
        order(ORDER["items"][0], order={"order_id": "o" * n, "currency": "EUR"})["id"]
        for n in (128, 129, 129)
    ]
    assert ids == ["o" * 128, str(uuid5(FAN_OUT, "o" * 129)), str(uuid5(FAN_OUT, "o" * 129))]


# ── sponsored or organic ─────────────────────────────────────────────────────────────────────────


def test_a_token_leaves_the_entity_out() -> None:
    """The vendor ignores an entity next to a token, so only one of them is ever sent."""
    sent = record(items=[SKU], attribution=TOKEN)
    assert sent["resolvedBidId"] == "bid-1"
    assert "entity" not in sent
    organic = record(items=[SKU], attribution={"resolved_bid_id": "undefined"})
    assert organic["entity"] == {"id": "sku-1", "type": "product"}
    assert "resolvedBidId" not in organic


def test_a_token_without_items_is_a_banner() -> None:
    """One record, under the event's own id; a single item without product id does not hinder it either."""
    assert record(attribution=TOKEN)["id"] == EVENT_ID
    assert record(items=[{}], attribution=TOKEN)["resolvedBidId"] == "bid-1"


def test_the_second_entity_is_credited_beside_a_token_only() -> None:
    """`additionalAttribution` needs a token, an id and a type that the vendor knows."""
    second = {"entity_id": "v-1", "entity_type": "vendor"}
    sent = record(items=[SKU], attribution={**TOKEN, **second})
    assert sent["additionalAttribution"] == {"id": "v-1", "type": "vendor"}
    assert "additionalAttribution" not in record(items=[SKU], attribution=second)
    for broken in ({"entity_id": "v-1"}, {"entity_type": "vendor"}, {**second, "entity_type": "brand"}):
        assert "additionalAttribution" not in record(items=[SKU], attribution={**TOKEN, **broken})


def test_without_items_the_entity_is_the_attributed_one() -> None:
    """Only for an event without items; a single item without product id has no entity."""
    entity = {"entity_id": "v-1", "entity_type": "vendor"}
    assert record(attribution=entity)["entity"] == {"id": "v-1", "type": "vendor"}
    assert why(items=[{}], attribution=entity) == "skip no_entity"
    assert why(attribution={"entity_id": "v-1", "entity_type": "brand"}) == "skip no_entity"


def test_a_token_on_several_items_belongs_to_none() -> None:
    """They go out as organic, and it is counted."""
    assert adjusted(items=TWO, attribution=TOKEN) == ["ambiguous_token_dropped"]
    for sent in records(items=TWO, attribution=TOKEN):
        assert "resolvedBidId" not in sent


def test_an_items_own_token_comes_first() -> None:
    """In a list every sponsored item has its own; alone it beats the event's."""
    first, second = records("impression", items=[{**SKU, **OWN}, {"product_id": "sku-2"}])
    assert first["resolvedBidId"] == "bid-own"
    assert second["entity"]["id"] == "sku-2"
    assert record(items=[{**SKU, **OWN}], attribution=TOKEN)["resolvedBidId"] == "bid-own"


def test_items_without_product_are_dropped_from_several() -> None:
    """Counted once each; an own token stands for the product."""
    assert adjusted(items=[{}, SKU, {"product_id": "-"}]) == ["item_dropped", "item_dropped"]
    assert [each.get("resolvedBidId") for each in records(items=[OWN, SKU])] == ["bid-own", None]


def test_offsite_events_name_the_marketplaces_own_ids() -> None:
    """Without a token, and on no other channel."""
    changes: dict[str, Any] = {
        "items": [{**SKU, "seller_id": "v-7"}],
        "attribution": {"campaign_id": "camp-1"},
    }
    sent = record(channel="offsite", **changes)
    assert (sent["externalCampaignId"], sent["externalVendorId"]) == ("camp-1", "v-7")
    for other in (
        record(channel="web", **changes),
        record(channel="offsite", items=changes["items"], attribution={"campaign_id": "camp-1", **TOKEN}),
    ):
        assert "externalCampaignId" not in other
        assert "externalVendorId" not in other


# ── placement, device, channel ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({"placement": {"path": "/a"}, "page": {"path": "/b", "url": "https://s.example/c"}}, "/a"),
        ({"placement": {"path": "?q=1"}, "page": {"path": "/b?x=1#y", "url": "https://s.example/c"}}, "/b"),
        ({"page": {"url": "https://s.example/c?utm=1"}}, "/c"),
        ({"page": {"url": "shop://product/1?ref=mail"}}, "/product/1"),
        ({"placement": {"path": "shop://cart"}}, "/cart"),
        ({"page": {"path": "shop://cart#x"}}, "/cart"),
    ],
)
def test_the_path_comes_from_the_nearest_source(groups: dict[str, Any], expected: str) -> None:
    """Placement, then page, then the page's address; never with a query or fragment."""
    assert record(items=[SKU], **groups)["placement"]["path"] == expected
    assert record("page_view", **groups)["page"]["pageId"] == expected


def test_without_a_path_there_is_no_placement() -> None:
    """The vendor refuses one without."""
    placement = {"position": 3, "page": 1, "search_query": "lamp", "location": "grid"}
    assert "placement" not in record(items=[SKU], placement=placement)


def test_a_placement_tells_what_the_page_is_about() -> None:
    """Same-named members; what is empty or below 1 is left out."""
    full = {
        "path": "/c",
        "position": 9,
        "page": 2,
        "page_size": 24,
        "product_id": "sku-9",
        "category_ids": [" c-1 ", "", "c-2"],
        "search_query": "  Desk lamp ",
        "location": "grid",
    }
    assert record(items=[SKU], placement=full)["placement"] == {
        "path": "/c",
        "position": 9,
        "page": 2,
        "pageSize": 24,
        "productId": "sku-9",
        "categoryIds": ["c-1", "c-2"],
        "searchQuery": "  Desk lamp ",
    }
    empty = {"path": "/c", "position": 0, "page": -1, "page_size": 0, "product_id": "", "category_ids": [" "]}
    sent = record(items=[{**SKU, "position": 0}], placement={**empty, "search_query": " "})
    assert sent["placement"] == {"path": "/c"}


def test_each_item_has_its_own_position() -> None:
    """The placement's stands in for a single item only."""
    where = {"path": "/c", "position": 9}
    items = [{**SKU, "position": 4}, SKU]
    positions = [each["placement"].get("position") for each in records(items=items, placement=where)]
    assert positions == [4, None]
    assert record(items=[{**SKU, "position": 4}], placement=where)["placement"]["position"] == 4
    assert record(attribution=TOKEN, placement=where)["placement"]["position"] == 9


def test_the_query_is_the_placements_else_the_searchs() -> None:
    """Word for word, but never with an e-mail address, which is counted once."""
    sent = record(items=[SKU], page={"path": "/s"}, search={"query": "lamp"}, placement={"search_query": " "})
    assert sent["placement"]["searchQuery"] == "lamp"
    personal: dict[str, Any] = {
        "items": TWO,
        "page": {"path": "/s"},
        "search": {"query": "mail jane@example.com"},
    }
    assert all("searchQuery" not in each["placement"] for each in records(**personal))
    assert adjusted(**personal) == ["search_query_suppressed"]


def test_a_location_is_a_segment_only_on_request() -> None:
    """The option appends exactly one segment, whatever is in the name."""
    where: dict[str, Any] = {"placement": {"path": "/c/", "location": "top/row?1"}}
    assert record(items=[SKU], **where)["placement"]["path"] == "/c/"
    sent = record(options={"location_in_path": True}, items=[SKU], **where)
    assert sent["placement"]["path"] == "/c/top%2Frow%3F1"
    assert "location" not in sent["placement"]


@pytest.mark.parametrize(
    ("device", "expected"),
    [("desktop", "desktop"), ("mobile", "mobile"), ("tablet", "mobile"), ("tv", None), ("other", None)],
)
def test_devices_are_desktop_or_mobile(device: str, expected: str | None) -> None:
    """A tablet counts as mobile; others are not named."""
    assert record(items=[SKU], device={"type": device}).get("deviceType") == expected


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        *((name, "onsite") for name in ("app", "web", "mobile_web", "desktop_web")),
        ("store", "instore"),
        ("offsite", "offsite"),
        ("other", None),
        (None, None),
    ],
)
def test_channels_are_the_vendors(channel: str | None, expected: str | None) -> None:
    """On every kind of record."""
    assert record(items=[SKU], channel=channel).get("channel") == expected
    assert record("page_view", page={"path": "/"}, channel=channel).get("channel") == expected
    assert record("order_created", channel=channel).get("channel") == expected


def test_an_old_account_gets_no_extended_fields() -> None:
    """With the option off, what its version of the API lacks is left out."""
    everything = {
        "device": {"type": "desktop"},
        "channel": "offsite",
        "items": [{**SKU, "seller_id": "v-1"}],
    }
    for attribution in ({"campaign_id": "c"}, TOKEN):
        sent = record("add_to_cart", {"extended_fields": False}, attribution=attribution, **everything)
        assert sent.keys() <= {"id", "occurredAt", "opaqueUserId", "resolvedBidId", "entity"}


# ── page views ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("page_type", "groups", "expected"),
    [
        ("home", {"items": [SKU]}, {"type": "home"}),
        ("product", {"items": TWO}, {"type": "PDP", "value": "sku-1"}),
        ("product", {"items": [{}, SKU]}, {"type": "PDP"}),
        ("product", {}, {"type": "PDP"}),
        ("category", {"category": {"id": "c-1"}}, {"type": "category", "value": "c-1"}),
        (
            "category",
            {"category": {"id": " "}, "placement": {"category_ids": ["c-2", "c-3"]}},
            {"type": "category", "value": "c-2"},
        ),
        ("search", {"search": {"query": " Lamp "}}, {"type": "search", "value": " Lamp "}),
        ("search", {"search": {"query": "j@example.com"}}, {"type": "search"}),
        ("search", {}, {"type": "search"}),
        ("cart", {"cart": {"items": TWO}, "items": [SKU]}, {"type": "cart", "value": ["sku-1", "sku-2"]}),
        ("cart", {"items": [SKU, {}]}, {"type": "cart", "value": ["sku-1"]}),
        ("cart", {"cart": {"items": []}, "items": [SKU]}, {"type": "cart"}),
        *(
            (name, {"items": [SKU]}, {"type": "other"})
            for name in ("checkout", "wishlist", "seller", "account")
        ),
        (None, {"items": [SKU]}, {"type": "other"}),
    ],
)
def test_a_page_view_says_what_the_page_is_about(
    page_type: str | None, groups: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Type and value by the event's own page type."""
    sent = record("page_view", page={"type": page_type, "path": "/x"}, **groups)
    assert sent["page"] == {"pageId": "/x", **expected}


def test_a_page_without_path_is_known_by_its_id() -> None:
    """And a category by the page's id, when nothing better is known."""
    sent = record("category_view", page={"id": " cat-7 "})
    assert sent["page"] == {"type": "category", "pageId": "cat-7", "value": "cat-7"}
    assert why("category_view", page={"id": " "}) == "skip no_page_id"


def test_a_landing_has_no_value() -> None:
    """Whatever page it landed on."""
    sent = record("landing", page={"type": "product", "path": "/p"}, items=[SKU])
    assert sent["page"] == {"type": "other", "pageId": "/p"}


# ── purchases ────────────────────────────────────────────────────────────────────────────────────


def test_a_line_is_one_unit_price_and_a_number() -> None:
    """A missing quantity means 1; the seller goes along."""
    assert order({**SKU, "unit_price_micros": 12_950_000, "seller_id": " v-1 "})["items"] == [
        {"productId": "sku-1", "unitPrice": 12.95, "quantity": 1, "vendorId": "v-1"}
    ]


@pytest.mark.parametrize(
    ("quantity", "micros", "price", "units"),
    [
        (3.0, 10_000, "0.01", 3),
        (0.45, 12_900_000, "5.805", 1),
        (1.5, 1, "0.0000015", 1),
        (1e-7, 1_000_000, "0.0000001", 1),
        (2.0**53 - 1, 1_000_000, "1", 2**53 - 1),
        (2.0**53, 1_000_000, "9007199254740992", 1),
        (1e300, 1_000_000, "1" + "0" * 300, 1),
        (1.0, 2**63 - 1, "9223372036854.775807", 1),
    ],
)
def test_prices_are_exact_whatever_the_quantity(quantity: float, micros: int, price: str, units: int) -> None:
    """Goods by weight become one unit at the price of the whole; so does a number no integer holds."""
    mapped = result("order_created", items=[{**SKU, "quantity": quantity, "unit_price_micros": micros}])
    assert isinstance(mapped, Mapped)
    assert f'"unitPrice":{price},"quantity":{units}}}'.encode() in mapped.items[0].body
    assert list(mapped.adjustments) == ([] if units == quantity else ["fractional_quantity_folded"])


def test_lines_that_say_nothing_are_dropped() -> None:
    """Without product, with no quantity, without price or for free; each is counted."""
    dropped: list[dict[str, Any]] = [
        {"unit_price_micros": 1},
        {**SKU, "quantity": 0.0, "unit_price_micros": 1},
        {**SKU, "quantity": -1.0, "unit_price_micros": 1},
        SKU,
        {**SKU, "unit_price_micros": 0},
        {**SKU, "quantity": 5e-324, "unit_price_micros": 1},
    ]
    good = {"product_id": "sku-2", "unit_price_micros": 1_000_000}
    assert [line["productId"] for line in order(*dropped, good)["items"]] == ["sku-2"]
    assert adjusted("order_created", items=[*dropped, good]) == ["line_dropped"] * 6
    assert why("order_created", items=dropped) == "skip no_billable_lines"


@pytest.mark.parametrize("items", [None, [], [{"unit_price_micros": 1}], [{**SKU, "quantity": 0.0}]])
def test_an_order_of_nothing_is_refused(items: Any) -> None:
    """No line says which product and how many."""
    assert why("order_created", items=items) == "refuse missing_required_field:items"


def test_a_price_that_cannot_be_is_refused() -> None:
    """Negative, or beyond what any number type holds."""
    good = ORDER["items"][0]
    assert why("order_created", items=[good, {**SKU, "unit_price_micros": -1}]) == "refuse invalid_price"
    vast = {**SKU, "quantity": 1.7e308, "unit_price_micros": 2**63 - 1}
    assert why("order_created", items=[good, vast]) == "refuse invalid_price"


def test_prices_are_in_the_marketplace_currency_or_not_sent() -> None:
    """A line's currency is its own, else the order's; case and blanks do not matter."""

    def priced(*currencies: str | None, of_order: str | None = None) -> str:
        items = [{**SKU, "unit_price_micros": 1, "currency": each} for each in currencies]
        match result("order_created", items=items, order={"order_id": "o", "currency": of_order}):
            case Mapped():
                return "sent"
            case Skipped(reason) | Refused(reason):
                return reason

    assert priced("EUR", " eur ", None, of_order="EUR") == "sent"
    assert priced("EUR", of_order="USD") == "sent"
    assert priced("EUR", None) == "sent"
    assert priced("USD", "usd") == "unsupported_currency"
    assert priced(None, of_order="USD") == "unsupported_currency"
    assert priced("EUR", None, of_order="USD") == "mixed_currency"
    assert priced("EUR", "USD") == "mixed_currency"
    assert priced(None, " ") == "missing_required_field:currency"


def test_the_catalogue_id_is_configurable() -> None:
    """One choice for all records."""
    items = [{"product_id": "p", "parent_id": "pp", "sku": "s", "unit_price_micros": 1_000_000}]
    for source, expected in (("product_id", "p"), ("parent_id", "pp"), ("sku", "s")):
        options = {"product_id_source": source}
        assert record(options=options, items=items)["entity"]["id"] == expected
        assert record("order_created", options, items=items)["items"][0]["productId"] == expected
        assert record("product_view", options, items=items, page={"path": "/"})["page"]["value"] == expected


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_time_is_written_in_the_shoppers_offset() -> None:
    """An offset that cannot be counts as none."""
    assert record(items=[SKU], utc_offset_minutes=-90)["occurredAt"] == "2026-11-18T12:33:07.123-01:30"
    assert record(items=[SKU], utc_offset_minutes=9_000)["occurredAt"] == "2026-11-18T14:03:07.123+00:00"


def test_a_slightly_future_time_becomes_now() -> None:
    """One future event fails a whole request; the item's time is the one that was sent."""
    mapped = result(items=[SKU], occurred_at=NOW_MS + 300_000)
    assert isinstance(mapped, Mapped)
    assert mapped.items[0].at_ms == NOW_MS
    assert json.loads(mapped.items[0].body)["occurredAt"] == "2026-11-18T14:03:20.000+00:00"
    assert list(mapped.adjustments) == ["clock_skew_clamped"]
    assert adjusted(items=[SKU], occurred_at=NOW_MS) == []
    assert why(items=[SKU], occurred_at=NOW_MS + 300_001) == "refuse timestamp_in_future"
    strict = {"max_future_skew_ms": 0}
    assert why(options=strict, items=[SKU], occurred_at=NOW_MS + 1) == "refuse timestamp_in_future"


@pytest.mark.parametrize("occurred_at", [0, -1, 1_795_010_587, 946_684_799_999])
def test_a_time_before_2000_is_an_error_of_units(occurred_at: int) -> None:
    """Seconds for milliseconds, or a zero."""
    assert why(items=[SKU], occurred_at=occurred_at) == "refuse invalid_timestamp"
    assert record(items=[SKU], occurred_at=946_684_800_000)


def test_a_purchase_happened_when_the_order_was_placed() -> None:
    """`order.created_at` is the time that is sent, so the rules for times hold for it."""

    def placed(created_at: int | None, **changes: Any) -> MapResult:
        order = {"order_id": "o", "currency": "EUR", "created_at": created_at}
        return result("order_created", order=order, **changes)

    mapped = placed(1_795_000_000_000, occurred_at=0)
    assert isinstance(mapped, Mapped)
    assert mapped.items[0].at_ms == 1_795_000_000_000
    assert placed(0) == Refused("invalid_timestamp", "order.created_at")
    assert placed(NOW_MS + 300_001) == Refused("timestamp_in_future", "order.created_at")
    assert placed(None, occurred_at=0) == Refused("invalid_timestamp", "occurred_at")


# ── switches, order of checks, size ──────────────────────────────────────────────────────────────


def test_page_views_can_be_switched_off() -> None:
    """All of them, and nothing else."""
    for event_type in ("page_view", "home_view", "landing", "product_view", "category_view", "search"):
        assert why(event_type, {"pageviews": False}, user={}) == "skip disabled_by_config"
    assert record("click", {"pageviews": False}, items=[SKU])


def test_engagement_clicks_can_be_switched_off() -> None:
    """Sponsored clicks cost money; plain clicks and impressions are not engagement."""
    for event_type in ("add_to_cart", "add_to_wishlist", "like"):
        assert why(event_type, {"engagement_clicks": "off"}, items=[SKU]) == "skip disabled_by_config"
        organic_only = {"engagement_clicks": "organic_only"}
        assert record(event_type, organic_only, items=[SKU])
        assert why(event_type, organic_only, items=[SKU], attribution=TOKEN) == "skip disabled_by_config"
        assert why(event_type, organic_only, attribution=TOKEN) == "skip disabled_by_config"
        assert why(event_type, organic_only, items=[{**SKU, **OWN}] * 2) == "skip disabled_by_config"
        mixed = {"items": [{**SKU, **OWN}, {"product_id": "sku-2"}]}
        assert record(event_type, organic_only, **mixed)["entity"]["id"] == "sku-2"
        assert adjusted(event_type, organic_only, **mixed) == ["item_dropped"]
        assert len(records(event_type, organic_only, items=TWO, attribution=TOKEN)) == 2
    for event_type in ("click", "impression"):
        assert record(event_type, {"engagement_clicks": "off"}, items=[SKU], attribution=TOKEN)


def test_renewals_are_purchases_only_on_request() -> None:
    """And only with an order id of their own, without which each report would count again."""
    send = {"subscription_renewal": "send"}
    assert record("subscription_renewal", send)["id"] == "ord-1"
    nameless = {"order_id": "-", "currency": "EUR"}
    assert why("subscription_renewal", send, order=nameless) == "skip unsupported_event_type"


def test_the_first_failing_check_gives_the_reason() -> None:
    """Switches, consent, time, identity, items, currency, prices: in the contract's order."""
    broken: dict[str, Any] = {
        "consent": {"advertising": False},
        "occurred_at": 0,
        "user": {},
        "items": [],
        "order": {"order_id": "o", "currency": "USD"},
    }
    reasons = []
    repairs: tuple[dict[str, Any], ...] = (
        {},
        {"consent": {}},
        {"occurred_at": NOW_MS},
        {"user": {"opaque_id": "u"}},
        {"items": [{**SKU, "unit_price_micros": -1}]},
        {"order": {"order_id": "o", "currency": "EUR"}},
    )
    for repair in repairs:
        broken |= repair
        reasons.append(why("order_created", **broken).split()[1])
    assert reasons == [
        "consent_denied",
        "invalid_timestamp",
        "no_identifier",
        "missing_required_field:items",
        "unsupported_currency",
        "invalid_price",
    ]
    off = {"pageviews": False}
    assert why("page_view", off, consent={"advertising": False}) == "skip disabled_by_config"


@pytest.mark.parametrize(
    ("event_type", "changes"),
    [
        ("page_view", {"page": {"path": "/" + "x" * 3_000}}),
        ("click", {"items": [SKU, {"product_id": "y" * 3_000}]}),
        ("click", {"attribution": {"resolved_bid_id": "t" * 3_000}}),
        ("order_created", {"items": [ORDER["items"][0]] * 100}),
    ],
)
def test_a_record_that_fits_no_request_is_refused(event_type: str, changes: dict[str, Any]) -> None:
    """Before anything is sent, and with the whole event: a replay would send the rest twice."""
    assert why(event_type, {"max_bytes": 2_048}, **changes) == "refuse payload_too_large"
    assert isinstance(result(event_type, **changes), Mapped)


def test_a_record_of_exactly_the_limit_fits() -> None:
    """Frame and comma included, as a batch counts them."""
    for extra in range(300):
        mapped = result(options={"max_bytes": 1_024}, items=[{"product_id": "x" * (600 + extra)}])
        if not isinstance(mapped, Mapped):
            break
        largest = mapped
    destination = Topsort(TopsortOptions(currency="EUR", max_bytes=1_024))
    (item,) = largest.items
    assert destination.limits.frame_bytes + len(item.body) + 1 == 1_024
    assert len(destination.request([item]).body) <= 1_024


# ── texts ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "odd", ["\x00", "\u2028", "\u202e", "😀", "\U0010ffff", "\ufffe", '"\\/', "</x>", "é"]
)
def test_text_of_every_plane_arrives_unchanged(odd: str) -> None:
    """As valid JSON, byte for byte what the producer meant."""
    sent = record(items=[{"product_id": f"a{odd}b"}], page={"path": f"/a{odd}b"})
    assert sent["entity"]["id"] == f"a{odd}b"
    assert sent["placement"]["path"] == f"/a{odd}b"
