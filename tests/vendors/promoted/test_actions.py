"""What impressions and actions refer to, where they were, and what else they tell."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vendors.promoted.small_events import (
    EVENT_ID,
    REFERS,
    SKU,
    TWO,
    adjusted,
    at_fault,
    record,
    records,
    result,
    why,
)
from tests.vendors.promoted.test_mapping import ITEM_ACTIONS

PER_ITEM = ("impression", *ITEM_ACTIONS)
NAMES = {
    "requestId": "r-1",
    "viewId": "v-1",
    "insertionId": "i-1",
    "impressionId": "imp-1",
}


def references(sent: dict[str, Any]) -> dict[str, str]:
    return {name: sent[name] for name in NAMES if name in sent}


# ── references ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event_type", PER_ITEM)
def test_a_single_item_takes_the_events_references(event_type: str) -> None:
    """All four; the item's own win."""
    assert references(record(event_type, items=[SKU], attribution=REFERS)) == NAMES
    own = {"product_id": "sku-1", "attribution": {"insertion_id": "i-own", "impression_id": "imp-own"}}
    sent = references(record(event_type, items=[own], attribution=REFERS))
    assert sent == NAMES | {"insertionId": "i-own", "impressionId": "imp-own"}


@pytest.mark.parametrize("event_type", PER_ITEM)
def test_with_several_items_nobody_knows_whose_the_events_are(event_type: str) -> None:
    """Insertion and impression belong to one product, so only an item's own are sent; counted once."""
    items = [SKU, {"product_id": "sku-2", "attribution": {"insertion_id": "i-2", "impression_id": "imp-2"}}]
    first, second = records(event_type, items=items, attribution=REFERS)
    shared = {"requestId": "r-1", "viewId": "v-1"}
    own_key = {"impressionId": first["impressionId"]} if event_type == "impression" else {}
    assert references(first) == shared | own_key
    assert references(second) == shared | {"insertionId": "i-2", "impressionId": "imp-2"}
    assert adjusted(event_type, items=items, attribution=REFERS) == ["ambiguous_reference_dropped"]
    for one in ("insertion_id", "impression_id"):
        assert adjusted(event_type, items=TWO, attribution={one: "x"}) == ["ambiguous_reference_dropped"]
    only_shared = {"request_id": "r-1", "view_id": "v-1", "insertion_id": "null"}
    assert adjusted(event_type, items=items, attribution=only_shared) == []


@pytest.mark.parametrize("event_type", PER_ITEM)
def test_references_are_read_as_identifiers(event_type: str) -> None:
    """Trimmed; placeholders are absent, e-mail addresses too, and those are counted."""
    for nobody in (" ", "undefined", "00000000-0000-0000-0000-000000000000", "jane@example.com"):
        odd = dict.fromkeys(REFERS, nobody)
        sent = record(event_type, items=[SKU], attribution=odd)
        assert not references(sent).keys() - {"impressionId"}
        pii = ["pii_identifier_suppressed"] * 4 if "@" in nobody else []
        assert adjusted(event_type, items=[SKU], attribution=odd) == pii
    padded = {name: f" {value} " for name, value in REFERS.items()}
    assert references(record(event_type, items=[SKU], attribution=padded)) == NAMES


@pytest.mark.parametrize("event_type", ["follow", "unfollow"])
def test_following_refers_to_request_and_view(event_type: str) -> None:
    """A seller is no item."""
    sent = record(event_type, target={"id": "s-1"}, items=[SKU], attribution=REFERS)
    assert references(sent) == {"requestId": "r-1", "viewId": "v-1"}


@pytest.mark.parametrize("event_type", ["sign_in", "sign_up"])
def test_signing_in_refers_to_the_view(event_type: str) -> None:
    """And to nothing else."""
    sent = record(event_type, items=[SKU], attribution=REFERS)
    assert references(sent) == {"viewId": "v-1"}
    assert "contentId" not in sent


# ── impressions ──────────────────────────────────────────────────────────────────────────────────


def test_an_impression_goes_under_its_own_id() -> None:
    """The one that clicks refer to; the vendor and a request compare it in lower case."""
    mapped = result("impression", items=[SKU], attribution={"impression_id": "Imp-1"})
    assert [item.id for item in getattr(mapped, "items", ())] == ["imp-1"]
    assert (
        record("impression", items=[SKU], attribution={"impression_id": "Imp-1"})["impressionId"] == "Imp-1"
    )
    assert record("impression", items=[SKU])["impressionId"] == EVENT_ID


def test_two_items_never_share_an_impression() -> None:
    """The vendor would lose the second in silence: it gets an id of its own."""
    items = [
        {"product_id": "sku-1", "attribution": {"impression_id": "imp-1"}},
        {"product_id": "sku-2", "attribution": {"impression_id": "IMP-1"}},
    ]
    derived = records("impression", items=TWO)[1]["impressionId"]
    assert [sent["impressionId"] for sent in records("impression", items=items)] == ["imp-1", derived]


@pytest.mark.parametrize(
    ("ranked_by", "source"),
    [("promoted", "DELIVERY"), ("platform", "CLIENT_BACKEND"), ("somebody", None), (None, None)],
)
def test_who_ranked_it_is_told(ranked_by: str | None, source: str | None) -> None:
    """On impressions alone."""
    sent = record("impression", items=[SKU], attribution={"ranked_by": ranked_by})
    assert sent.get("sourceType") == source
    assert "sourceType" not in record("click", items=[SKU], attribution={"ranked_by": ranked_by})


# ── positions and addresses ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event_type", PER_ITEM)
@pytest.mark.parametrize(("position", "index"), [(1, [0]), (24, [23]), (0, None), (-3, None), (None, None)])
def test_positions_count_from_0_at_the_vendor(
    event_type: str, position: int | None, index: list[int] | None
) -> None:
    """From 1 with us; what is below is unknown."""
    sent = record(event_type, items=[{"product_id": "sku-1", "position": position}])
    assert sent.get("clientPosition") == ({"index": index} if index else None)


@pytest.mark.parametrize("event_type", PER_ITEM)
def test_a_single_item_may_stand_where_its_placement_does(event_type: str) -> None:
    """Several can't all be there."""
    placement = {"position": 7}
    assert record(event_type, items=[SKU], placement=placement)["clientPosition"] == {"index": [6]}
    unknown = [{"product_id": "sku-1", "position": 0}]
    assert record(event_type, items=unknown, placement=placement)["clientPosition"] == {"index": [6]}
    own = [{"product_id": "sku-1", "position": 2}]
    assert record(event_type, items=own, placement=placement)["clientPosition"] == {"index": [1]}
    assert all("clientPosition" not in sent for sent in records(event_type, items=TWO, placement=placement))


def test_a_click_says_where_it_led() -> None:
    """Nothing else does."""
    item = {"product_id": "sku-1", "url": "https://jane@shop.example/p/1?sid=1&utm_source=a#x"}
    cleaned = {"targetUrl": "https://shop.example/p/1?utm_source=a"}
    assert record("click", items=[item])["navigateAction"] == cleaned
    for event_type in PER_ITEM:
        if event_type != "click":
            assert "navigateAction" not in record(event_type, items=[item])
    assert "navigateAction" not in record("click", items=[SKU | {"url": " "}])


# ── what stands for missing items ────────────────────────────────────────────────────────────────

ABOUT_THE_PAGE = (
    "like",
    "unlike",
    "share",
    "comment",
    "bookmark",
    "remove_bookmark",
    "offer",
    "question",
    "answer",
)


@pytest.mark.parametrize("event_type", ABOUT_THE_PAGE)
def test_without_items_it_is_about_the_pages_product(event_type: str) -> None:
    """A like button on a product page names no item; one that is named but unreadable is not replaced."""
    placement = {"product_id": " sku-9 ", "position": 4}
    sent = record(event_type, placement=placement, attribution=REFERS)
    assert (sent["actionId"], sent["contentId"]) == (EVENT_ID, "sku-9")
    assert references(sent) == NAMES
    assert sent["clientPosition"] == {"index": [3]}
    assert why(event_type, placement={"product_id": "null"}) == "skip no_content_id"
    assert why(event_type, placement=placement, items=[{}]) == "skip no_content_id"


@pytest.mark.parametrize("event_type", [each for each in PER_ITEM if each not in ABOUT_THE_PAGE])
def test_where_items_are_meant_the_page_says_nothing(event_type: str) -> None:
    """A click or a cart is about what was clicked and put in."""
    assert (
        why(event_type, placement={"product_id": "sku-9"})
        == ITEM_ACTIONS.get(event_type, ("", "skip no_content_id"))[1]
    )


# ── prices and offers ────────────────────────────────────────────────────────────────────────────

CARTS = ("add_to_cart", "remove_from_cart")


@pytest.mark.parametrize("event_type", CARTS)
@pytest.mark.parametrize(
    ("item", "struct"),
    [
        (
            {"quantity": 2, "unit_price_micros": 49_900_000, "currency": "eur"},
            {"quantity": 2, "unitPriceMicros": 49_900_000, "currencyCode": "EUR"},
        ),
        ({"quantity": 0.45}, {"quantity": 0.45}),
        ({"unit_price_micros": 0, "currency": "UAH"}, {"unitPriceMicros": 0, "currencyCode": "UAH"}),
        (
            {"quantity": 2.0**53, "unit_price_micros": 2**53},
            {"quantity": "9007199254740992", "unitPriceMicros": "9007199254740992"},
        ),
        ({"quantity": 2.0**53 - 1}, {"quantity": 9_007_199_254_740_991}),
        ({}, None),
    ],
)
def test_a_cart_action_tells_quantity_and_price(
    event_type: str, item: dict[str, Any], struct: dict[str, Any] | None
) -> None:
    """What is known of them, in any currency: numbers there are doubles, so large ones go as text."""
    sent = record(event_type, items=[SKU | item])
    assert sent.get("properties") == ({"struct": struct} if struct else None)
    assert "cart" not in sent
    assert adjusted(event_type, items=[SKU | item]) == []


@pytest.mark.parametrize("event_type", CARTS)
def test_a_cart_action_takes_the_carts_currency(event_type: str) -> None:
    """Where the item has none."""
    priced = SKU | {"unit_price_micros": 1}
    sent = record(event_type, items=[priced], cart={"currency": " usd "})
    assert sent["properties"]["struct"] == {"unitPriceMicros": 1, "currencyCode": "USD"}
    sent = record(event_type, items=[priced | {"currency": "EUR"}], cart={"currency": "USD"})
    assert sent["properties"]["struct"]["currencyCode"] == "EUR"


@pytest.mark.parametrize("event_type", CARTS)
def test_a_price_below_zero_is_refused(event_type: str) -> None:
    """Of an item that would be sent; where no price is sent, none is judged."""
    bad = {"product_id": "sku-2", "unit_price_micros": -1}
    assert why(event_type, items=[SKU, bad]) == "refuse invalid_price"
    assert at_fault(event_type, items=[SKU, bad]) == "items[1].unit_price_micros"
    assert record(event_type, items=[SKU, {"unit_price_micros": -1}])
    for other in PER_ITEM:
        if other not in CARTS:
            assert record(other, items=[bad])
            assert "properties" not in record(other, items=[bad])


def test_an_offer_tells_its_amount() -> None:
    """On every item; what is not known is not said, and below zero is refused."""
    offer = {"amount_micros": 45_000_000, "currency": " uah "}
    for sent in records("offer", items=TWO, offer=offer):
        assert sent["properties"]["struct"] == {"offerAmountMicros": 45_000_000, "currencyCode": "UAH"}
    assert record("offer", items=[SKU], offer={"amount_micros": 0})["properties"] == {
        "struct": {"offerAmountMicros": 0}
    }
    assert "properties" not in record("offer", items=[SKU], offer={"currency": " "})
    assert "properties" not in record("offer", items=[SKU])
    assert why("offer", items=[SKU], offer={"amount_micros": -1}) == "refuse invalid_price"
    assert at_fault("offer", items=[SKU], offer={"amount_micros": -1}) == "offer.amount_micros"
    assert "properties" not in record("like", items=[SKU], offer=offer)
