"""Carts: their lines, prices, currencies, what is said of the order, and what it refers to."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, getcontext, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vendors.promoted.small_events import (
    EVENT_ID,
    REFERS,
    TWO,
    adjusted,
    at_fault,
    record,
    records,
    why,
)

WHOLE = ("checkout_started", "order_created")
PER_LINE = ("order_delivered", "order_cancelled", "order_refunded", "subscription_renewal")
ORDERS = (*WHOLE, "order_updated", *PER_LINE)


def line(**changes: Any) -> dict[str, Any]:
    return {
        "product_id": "sku-1",
        "quantity": 2,
        "unit_price_micros": 49_900_000,
        "currency": "EUR",
    } | changes


def contents(event_type: str = "order_created", *lines: dict[str, Any], **changes: Any) -> list[Any]:
    """The lines as the vendor gets them, wherever this event has them."""
    sent = records(event_type, items=list(lines) or [line()], **changes)
    if event_type == "order_updated":
        return list(sent[0]["properties"]["struct"]["currentOrder"])
    return [content for each in sent for content in each["cart"]["contents"]]


# ── lines ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event_type", ORDERS)
@pytest.mark.parametrize(
    ("quantity", "micros", "expected"),
    [
        (None, 49_900_000, (1, 49_900_000)),
        (1, 0, (1, 0)),
        (3.0, 1, (3, 1)),
        (0.45, 129_000_000, (1, 58_050_000)),
        (2.5, 1, (1, 2)),  # 2.5: a tie, to the even one
        (3.5, 1, (1, 4)),
        (0.1, 4, (1, 0)),
        (2**62, 7, (2**62, 7)),
        (0.45, None, (1, None)),
    ],
)
def test_a_line_is_so_many_pieces_at_that_price(
    event_type: str, quantity: float | None, micros: int | None, expected: tuple[int, int | None]
) -> None:
    """Goods by weight are one piece at the price of the whole, exact, half-even in micros."""
    given_line = line(quantity=quantity, unit_price_micros=micros)
    (sent,) = contents(event_type, given_line)
    count, amount = expected
    in_struct = event_type == "order_updated" and count > 2**53
    assert sent["quantity"] == (str(count) if in_struct else count)
    if amount is None:
        assert "pricePerUnit" not in sent
    else:
        assert sent["pricePerUnit"] == {"currencyCode": "EUR", "amountMicros": amount}
    folded = quantity is not None and not float(quantity).is_integer()
    assert adjusted(event_type, items=[given_line]) == ["fractional_quantity_folded"] * folded


@given(st.integers(0, 10**12), st.floats(0.001, 1e6))
def test_a_folded_price_is_exact(micros: int, quantity: float) -> None:
    """As decimal arithmetic has it, whatever the weight."""
    if quantity.is_integer():
        return
    (sent,) = contents("order_created", line(quantity=quantity, unit_price_micros=micros))
    with localcontext(getcontext()) as context:
        context.prec = 60
        exact = (Decimal(repr(quantity)) * micros).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert sent["pricePerUnit"]["amountMicros"] == int(exact)


@pytest.mark.parametrize("event_type", ORDERS)
@pytest.mark.parametrize(
    "bad", [{"product_id": None}, {"product_id": "0"}, {"quantity": 0}, {"quantity": -1.5}]
)
def test_a_line_without_product_or_quantity_is_dropped(event_type: str, bad: dict[str, Any]) -> None:
    """One of them would make the vendor drop the whole action after its 200. The others go out."""
    lines = [line(**bad), line(product_id="sku-2")]
    assert [sent["contentId"] for sent in contents(event_type, *lines)] == ["sku-2"]
    assert adjusted(event_type, items=lines) == ["line_dropped"]


@pytest.mark.parametrize("event_type", ORDERS)
def test_a_price_below_zero_is_refused(event_type: str) -> None:
    """Of a line that would be sent."""
    assert why(event_type, items=[line(), line(unit_price_micros=-1)]) == "refuse invalid_price"
    assert at_fault(event_type, items=[line(), line(unit_price_micros=-1)]) == "items[1].unit_price_micros"
    assert contents(event_type, line(), line(quantity=0, unit_price_micros=-1))


@pytest.mark.parametrize("event_type", ORDERS)
def test_a_price_beyond_64_bits_is_refused(event_type: str) -> None:
    """The vendor's amounts are int64; a price times a weight may be more."""
    most = 2**63 - 1
    (sent,) = contents(event_type, line(unit_price_micros=most))
    assert sent["pricePerUnit"]["amountMicros"] == (str(most) if event_type == "order_updated" else most)
    assert why(event_type, items=[line(unit_price_micros=most, quantity=1.5)]) == "refuse invalid_price"
    assert at_fault(event_type, items=[line(unit_price_micros=most, quantity=1.5)]) == "items[0].quantity"
    assert why(event_type, items=[line(quantity=1e300)]) == "refuse invalid_price"
    (sent,) = contents(event_type, line(unit_price_micros=None, quantity=1e300))
    assert sent["quantity"] == 1


def test_a_checkout_takes_the_carts_lines_when_it_has_no_items() -> None:
    """And its items when it has: they are not mixed."""
    cart = {"items": [line(product_id="sku-9", currency=None)], "currency": "usd"}
    sent = record("checkout_started", cart=cart)
    assert [each["contentId"] for each in sent["cart"]["contents"]] == ["sku-9"]
    assert sent["cart"]["contents"][0]["pricePerUnit"]["currencyCode"] == "USD"
    assert sent["contentId"] == "sku-9"
    assert [each["contentId"] for each in contents("checkout_started", line(), cart=cart)] == ["sku-1"]
    assert at_fault("checkout_started", cart={"items": [line(unit_price_micros=-1)]}).startswith(
        "cart.items[0]"
    )
    assert why("checkout_started", cart={"items": []}) == "refuse missing_required_field:items"
    for event_type in ORDERS[1:]:
        assert why(event_type, items=[], cart=cart)


# ── currencies ───────────────────────────────────────────────────────────────────────────────────

KNOWN = (
    *("USD", "EUR", "JPY", "GBP", "AUD", "CAD", "CHF", "CNY", "HKD", "NZD"),
    *("SEK", "KRW", "SGD", "NOK", "MXN", "INR", "RUB", "ZAR", "TRY", "BRL"),
)


@pytest.mark.parametrize("code", KNOWN)
def test_the_vendors_currencies_go_as_prices(code: str) -> None:
    """All twenty, upper case, yen by the same factor."""
    (sent,) = contents("order_created", line(currency=f" {code.lower()} "))
    assert sent["pricePerUnit"] == {"currencyCode": code, "amountMicros": 49_900_000}


@pytest.mark.parametrize("event_type", ORDERS)
def test_the_lines_currency_wins_over_the_orders(event_type: str) -> None:
    """Then the order's, then the cart's; a price in no currency at all can't be told."""
    order = {"order_id": "ord-1", "currency": "GBP"}
    groups = {"order": order} if event_type != "checkout_started" else {}
    cart = {"currency": "JPY"}
    (own,) = contents(event_type, line(), cart=cart, **groups)
    assert own["pricePerUnit"]["currencyCode"] == "EUR"
    (common,) = contents(event_type, line(currency=None), cart=cart, **groups)
    assert common["pricePerUnit"]["currencyCode"] == ("GBP" if groups else "JPY")
    if groups:
        groups = {"order": {"order_id": "ord-1"}}
    (carts,) = contents(event_type, line(currency=" "), cart=cart, **groups)
    assert carts["pricePerUnit"]["currencyCode"] == "JPY"
    (none,) = contents(event_type, line(currency=None), **groups)
    assert "pricePerUnit" not in none
    assert adjusted(event_type, items=[line(currency=None)], **groups) == []


@pytest.mark.parametrize("event_type", WHOLE)
def test_a_foreign_price_moves_to_the_properties_of_a_cart(event_type: str) -> None:
    """The line keeps its id and quantity; the others keep their prices. It is counted, a time a line."""
    lines = [
        line(),
        line(product_id="sku-2", currency="uah", quantity=0.5),
        line(product_id="sku-3", currency="PLN", unit_price_micros=None),
    ]
    sent = record(event_type, items=lines)
    assert ["pricePerUnit" in each for each in sent["cart"]["contents"]] == [True, False, False]
    assert sent["properties"]["struct"]["orderLines"] == [
        {"contentId": "sku-2", "quantity": 1, "unitPriceMicros": 24_950_000, "currencyCode": "UAH"}
    ]
    assert adjusted(event_type, items=lines) == ["fractional_quantity_folded", "unsupported_currency"]
    large = record(event_type, items=[line(currency="UAH", quantity=2.0**60, unit_price_micros=2**60)])
    assert large["properties"]["struct"]["orderLines"] == [
        {"contentId": "sku-1", "quantity": str(2**60), "unitPriceMicros": str(2**60), "currencyCode": "UAH"}
    ]
    assert large["cart"]["contents"] == [{"contentId": "sku-1", "quantity": 2**60}]


@pytest.mark.parametrize("event_type", PER_LINE)
def test_a_foreign_price_moves_to_the_properties_of_a_line(event_type: str) -> None:
    """Of its own line alone."""
    lines = [line(), line(product_id="sku-2", currency="uah")]
    first, second = records(event_type, items=lines)
    assert first["cart"]["contents"][0]["pricePerUnit"]["currencyCode"] == "EUR"
    assert first["properties"]["struct"] == {"orderId": "ord-1"}
    assert second["cart"]["contents"] == [{"contentId": "sku-2", "quantity": 2}]
    assert second["properties"]["struct"] == {
        "orderId": "ord-1",
        "unitPriceMicros": 49_900_000,
        "currencyCode": "UAH",
    }
    assert adjusted(event_type, items=lines) == ["unsupported_currency"]
    assert adjusted(event_type, items=[line(currency="UAH", unit_price_micros=None)]) == []


def test_a_changed_order_takes_any_currency() -> None:
    """Inside `properties.struct` a currency is a word."""
    (sent,) = contents("order_updated", line(currency="uah"))
    assert sent["pricePerUnit"] == {"currencyCode": "UAH", "amountMicros": 49_900_000}
    assert adjusted("order_updated", items=[line(currency="uah")]) == []


# ── what is said of the order ────────────────────────────────────────────────────────────────────

ORDER = {"order_id": " ord-7 ", "status": " paid ", "total_micros": 99_800_000, "currency": "eur"}


@pytest.mark.parametrize("event_type", ORDERS[1:])
def test_the_order_is_named_with_its_status(event_type: str) -> None:
    """Total and currency on what is about the whole order."""
    struct = record(event_type, items=[line()], order=ORDER)["properties"]["struct"]
    struct.pop("currentOrder", None)
    expected: dict[str, Any] = {"orderId": "ord-7", "orderStatus": "paid"}
    if event_type in ("order_created", "order_updated"):
        expected |= {"orderTotalMicros": 99_800_000, "currencyCode": "EUR"}
    assert struct == expected


@pytest.mark.parametrize("event_type", ORDERS[1:])
def test_what_is_not_known_of_the_order_is_not_said(event_type: str) -> None:
    """Blank is absent; an order's id that is an e-mail address stays here."""
    order = {"order_id": "jane@example.com", "status": " "}
    sent = record(event_type, items=[line()], order=order)
    struct = sent.get("properties", {"struct": {}})["struct"]
    assert not struct.keys() - {"currentOrder"}
    assert adjusted(event_type, items=[line()], order=order) == ["pii_identifier_suppressed"]


def test_a_purchase_tells_its_total_in_its_currency_or_not_at_all() -> None:
    """A number without a currency is worth nothing; what changed tells what there is."""
    for order, purchase, change in (
        ({"total_micros": 5}, {}, {"orderTotalMicros": 5}),
        ({"currency": "EUR"}, {}, {"currencyCode": "EUR"}),
        (
            {"total_micros": 2**60, "currency": "UAH"},
            {"orderTotalMicros": str(2**60), "currencyCode": "UAH"},
            {"orderTotalMicros": str(2**60), "currencyCode": "UAH"},
        ),
    ):
        groups: dict[str, Any] = {"items": [line()], "order": {"order_id": "ord-1", **order}}
        assert record("order_created", **groups)["properties"]["struct"] == {"orderId": "ord-1", **purchase}
        struct = record("order_updated", **groups)["properties"]["struct"]
        del struct["currentOrder"]
        assert struct == {"orderId": "ord-1", **change}


def test_a_checkout_has_no_order_yet() -> None:
    """So it says nothing of one."""
    assert "properties" not in record("checkout_started", items=[line()])


@pytest.mark.parametrize("event_type", WHOLE)
def test_a_cart_of_one_line_is_about_that_product(event_type: str) -> None:
    """One line that is left; with several only the cart tells."""
    assert record(event_type, items=[line()])["contentId"] == "sku-1"
    assert record(event_type, items=[line(), line(quantity=0)])["contentId"] == "sku-1"
    assert "contentId" not in record(event_type, items=TWO)


def test_a_changed_order_is_about_its_first_line() -> None:
    """It has no cart: the vendor would take it for goods sold."""
    sent = record("order_updated", items=[{}, *TWO])
    assert sent["contentId"] == "sku-1"
    assert sent["actionId"] == EVENT_ID
    assert "cart" not in sent
    assert "orderDelta" not in sent["properties"]["struct"]


# ── custom names and cancellations ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event_type", ["order_updated", "order_delivered"])
def test_custom_names_are_configured(event_type: str) -> None:
    """What is not listed is not sent."""
    options = {"custom_types": {event_type: "MINE"}}
    assert record(event_type, options)["customActionType"] == "MINE"
    assert why(event_type, {"custom_types": {}}) == "skip disabled_by_config"


@pytest.mark.parametrize(
    ("cancelled_by", "custom"),
    [
        ("customer", False),
        (" Customer ", False),
        (None, False),
        (" ", False),
        ("seller", True),
        ("system", True),
        ("?", True),
    ],
)
def test_a_cancellation_is_the_customers_own_unless_it_is_said_otherwise(
    cancelled_by: str | None, custom: bool
) -> None:
    """The vendor's CANCEL_PURCHASE means the user's own; others have a name of theirs if one was agreed."""
    order = {"order_id": "ord-1", "cancelled_by": cancelled_by}
    listed = record("order_cancelled", {"custom_types": {"order_cancelled": "SHOP_CANCELLED"}}, order=order)
    expected = ("CUSTOM_ACTION_TYPE", "SHOP_CANCELLED") if custom else ("CANCEL_PURCHASE", None)
    assert (listed["actionType"], listed.get("customActionType")) == expected
    plain = record("order_cancelled", order=order)
    assert (plain["actionType"], plain.get("customActionType")) == ("CANCEL_PURCHASE", None)


# ── references ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event_type", ORDERS)
def test_an_order_refers_to_what_led_to_it_only_when_it_is_one_item(event_type: str) -> None:
    """All four references then, none otherwise, whatever the lines' own."""
    names = ("requestId", "viewId", "insertionId", "impressionId")
    (one,) = records(event_type, items=[line()], attribution=REFERS)
    assert [one[name] for name in names] == list(REFERS.values())
    own = line(attribution={"insertion_id": "i-own"})
    assert record(event_type, items=[own], attribution=REFERS)["insertionId"] == "i-own"
    assert record(event_type, items=[own])["insertionId"] == "i-own"
    for sent in records(event_type, items=[own, line(quantity=0)], attribution=REFERS):
        assert not sent.keys() & set(names)
    several = adjusted(event_type, items=[own, line(product_id="sku-2")], attribution=REFERS)
    assert several == ["ambiguous_reference_dropped"]


def test_a_cart_without_items_refers_to_nothing() -> None:
    """Its lines are not what the event is about."""
    sent = record("checkout_started", cart={"items": [line()]}, attribution=REFERS)
    assert not sent.keys() & {"requestId", "viewId", "insertionId", "impressionId"}
