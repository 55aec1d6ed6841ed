"""Every row of the table for orders and every rule behind it."""

from __future__ import annotations

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from connector.vendors.contract import Refused
from connector.vendors.esputnik.order_events import STATUSES
from tests.vendors.esputnik.making import (
    CREATED_AT_MS,
    EVENT_ID,
    NOW_MS,
    OCCURRED_AT_MS,
    Made,
    order,
)

LINE: dict[str, Any] = {"product_id": "A-1", "name": "Lamp", "quantity": 1, "unit_price_micros": 10_000_000}
WHOLE = ("order_created", "order_updated", "subscription_renewal")
CHANGES = ("order_delivered", "order_cancelled", "order_refunded")

# ── the table ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("event_type", "key", "status"),
    [
        ("order_created", "orderCreated", "INITIALIZED"),
        ("order_updated", "orderUpdated", "INITIALIZED"),
        ("order_delivered", "orderDelivered", "DELIVERED"),
        ("order_cancelled", "orderCancelled", "CANCELLED"),
        ("order_refunded", "orderCancelled", "CANCELLED"),
        ("subscription_renewal", "orderCreated", "INITIALIZED"),
    ],
)
def test_orders_become_the_vendors_four_events(event_type: str, key: str, status: str) -> None:
    """One request each, under the event's id and in the order's lane."""
    made = order(event_type)
    (item,) = made.items
    assert (item.id, item.kind, item.at_ms, item.key) == (EVENT_ID, "event", OCCURRED_AT_MS, "order:ord-1")
    assert (made.body["eventTypeKey"], made.params["status"]) == (key, status)
    assert list(made.body) == ["eventTypeKey", "keyValue", "params"]


@pytest.mark.parametrize(
    "event_type", ["page_view", "home_view", "landing", "product_view", "category_view", "cart_updated"]
)
def test_what_people_look_at_goes_through_the_other_destination(event_type: str) -> None:
    """Whatever else is wrong with it."""
    assert order(event_type, user=None).why == "skip routed_to_site_events"


@pytest.mark.parametrize("event_type", ["search", "impression", "add_to_wishlist"])
def test_what_this_method_does_not_know_never_goes_through_it(event_type: str) -> None:
    """Not even with the setting for site events."""
    for on in (False, True):
        assert order(event_type, {"v1_site_events": on}).why == "skip routed_to_site_events"


@pytest.mark.parametrize(
    "event_type",
    [
        *("click", "add_to_cart", "remove_from_cart", "remove_from_wishlist", "checkout_started", "like"),
        *("unlike", "share", "comment", "bookmark", "remove_bookmark", "follow", "unfollow", "offer"),
        *("question", "answer", "sign_in", "sign_up", "custom"),
    ],
)
def test_what_the_vendor_has_no_event_for_is_skipped(event_type: str) -> None:
    """It would take any word as a new event type, which is the account owner's to decide."""
    assert order(event_type, {"v1_site_events": True}).why == "skip unsupported_event_type"


def test_an_unknown_type_is_a_skip_of_its_own() -> None:
    """What a newer producer writes."""
    assert order("unknown").why == order("teleported").why == "skip unknown_event_type"


# ── the order of checks ──────────────────────────────────────────────────────────────────────────


def test_the_first_thing_that_is_wrong_gives_the_reason() -> None:
    """Type, consent, age, order id, identifiers, total, date: mended one by one, each shows the next."""
    options = {"orders_require_marketing_consent": True, "max_event_age_s": 60}
    wrong: dict[str, Any] = {
        "occurred_at": NOW_MS - 60_001,
        "consent": {"marketing": False},
        "user": {},
        "order": {"order_id": " ", "total_micros": ..., "created_at": ..., "status": "partially refunded"},
    }
    assert order("order_refunded", options, **wrong).why == "skip partial_refund_unsupported"
    assert order("order_updated", options, **wrong).why == "skip consent_denied"
    wrong["consent"] = {}
    assert order("order_updated", options, **wrong).why == "skip stale_event"
    wrong["occurred_at"] = OCCURRED_AT_MS
    assert order("order_updated", options, **wrong).why == "refuse missing_required_field:order.order_id"
    assert order("subscription_renewal", options, **wrong).why == "skip no_order"
    wrong["order"]["order_id"] = "ord-1"
    assert order("order_updated", options, **wrong).why == "skip no_contact_identifier"
    wrong["user"] = {"email": "o@example.com"}
    assert order("order_updated", options, **wrong).why == "refuse missing_required_field:order.total"
    wrong["order"]["total_micros"] = -1
    assert order("order_updated", options, **wrong).why == "refuse invalid_total"
    wrong["order"]["total_micros"] = 0
    assert order("order_updated", options, **wrong).why == "refuse missing_required_field:order.created_at"
    wrong["order"]["created_at"] = CREATED_AT_MS
    assert order("order_updated", options, **wrong).params["totalCost"] == "0"


def test_a_refusal_names_the_field() -> None:
    """The dead letter says where to look."""
    for changes, path in (
        ({"total_micros": ...}, "order.total_micros"),
        ({"total_micros": -5}, "order.total_micros"),
        ({"order_id": ""}, "order.order_id"),
    ):
        result = order(order=changes).result
        assert isinstance(result, Refused)
        assert result.path == path


# ── consent, age ─────────────────────────────────────────────────────────────────────────────────


def test_an_order_is_order_data_unless_the_settings_say_otherwise() -> None:
    """An absent flag is no refusal, and another purpose's refusal is none."""
    refused = {"marketing": False, "advertising": True}
    assert order(consent=refused).names
    strict = {"orders_require_marketing_consent": True}
    assert order("order_created", strict, consent=refused).why == "skip consent_denied"
    for consent in (None, {}, {"marketing": True}, {"advertising": False, "analytics": False}):
        assert order("order_created", strict, consent=consent).names


def test_the_purposes_are_configurable_beside_the_option() -> None:
    """`delivery.consent` names more purposes, and takes none away from what the option asks for."""
    strict = {"orders_require_marketing_consent": True}
    for options, purposes, refused in (
        (None, ["analytics"], "analytics"),
        (strict, ["analytics"], "analytics"),
        (strict, ["analytics"], "marketing"),
        (strict, [], "marketing"),
    ):
        made = Made("order_created", options, purposes, consent={refused: False})
        assert made.why == "skip consent_denied"
    assert Made("order_created", None, [], consent={"marketing": False}).names


def test_an_event_may_be_too_old_by_its_own_time() -> None:
    """To the millisecond, by when it occurred, whenever the order was made; 0 is no limit."""
    options = {"max_event_age_s": 3600}
    assert order("order_created", options, occurred_at=NOW_MS - 3_600_000).names
    assert order("order_created", options, occurred_at=NOW_MS - 3_600_001).why == "skip stale_event"
    assert order("order_created", options, order={"created_at": 1}).names
    assert order(occurred_at=1).names
    assert order("order_created", options, occurred_at=NOW_MS + 10**9).names


# ── refunds ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "partial"),
    [
        ({"status": "refunded"}, False),
        ({"status": "Partially-Refunded"}, True),
        ({"status": " partially refunded "}, True),
        ({"status": "partial_refund"}, True),
        ({"status": "Partial Refunded"}, True),
        ({"status": "partially-refund"}, True),
        ({"status": "refunded", "refund_micros": 12_949_999}, True),
        ({"status": ..., "refund_micros": 12_950_000}, False),
        ({"status": ..., "refund_micros": 12_950_001}, False),
        ({"status": ..., "refund_micros": 1, "total_micros": ...}, False),
        ({"status": ..., "refund_micros": 0}, True),
    ],
)
def test_a_partial_refund_leaves_the_order_standing(changes: dict[str, Any], partial: bool) -> None:
    """By its status or by its sums; the vendor knows only whole cancellations."""
    for way in ("status_event", "upsert"):
        made = order("order_refunded", {"status_change_as": way}, order=changes)
        if partial:
            assert made.why == "skip partial_refund_unsupported"
        elif way == "status_event":
            assert made.params["status"] == "CANCELLED"


def test_only_a_refund_is_asked_how_much() -> None:
    """A cancelled order that mentions a refund is cancelled."""
    assert order("order_cancelled", order={"refund_micros": 1, "status": "partially refunded"}).names


# ── status ───────────────────────────────────────────────────────────────────────────────────────

TABLE = {
    "INITIALIZED": "created new placed pending open initialized awaitingpayment paymentpending unpaid",
    "IN_PROGRESS": "confirmed accepted authorized paid processing inprogress packed onhold backordered "
    "partiallyshipped shipped intransit outfordelivery readyforpickup partiallydelivered partiallyrefunded",
    "DELIVERED": "delivered completed fulfilled pickedup",
    "CANCELLED": "cancelled canceled voided failed declined rejected expired refunded returned",
    "ABANDONED_SHOPPING_CART": "abandoned abandonedshoppingcart",
}


@pytest.mark.parametrize(
    ("word", "status"), [(word, status) for status, words in TABLE.items() for word in words.split()]
)
def test_a_producers_status_is_read_in_any_spelling(word: str, status: str) -> None:
    """Case, blanks, `_` and `-` do not matter."""
    for spelled in (word, word.upper(), f" {word[:3]}_{word[3:5]}-{word[5:]} ", " ".join(word)):
        made = order(order={"status": spelled})
        assert (made.params["status"], made.adjustments) == (status, [])


def test_the_table_of_statuses_holds_no_other_word() -> None:
    """So that a word is added on purpose."""
    assert {status: {w for w, s in STATUSES.items() if s == status} for status in TABLE} == {
        status: set(words.split()) for status, words in TABLE.items()
    }


@pytest.mark.parametrize("status", [..., "", "gone fishing"])
def test_a_status_that_says_nothing_is_the_events_own(status: Any) -> None:
    """And it is counted."""
    for event_type, expected in (
        ("order_created", "INITIALIZED"),
        ("order_updated", "IN_PROGRESS"),
        ("subscription_renewal", "INITIALIZED"),
    ):
        made = order(event_type, order={"status": status})
        assert (made.params["status"], made.adjustments) == (expected, ["status_defaulted"])


def test_a_change_of_status_says_what_changed() -> None:
    """Whatever the order's own status says."""
    assert order("order_delivered", order={"status": "shipped"}).params["status"] == "DELIVERED"
    made = order("order_cancelled", order={"status": "gone fishing"})
    assert (made.params["status"], made.adjustments) == ("CANCELLED", [])


def test_the_shops_own_words_come_first() -> None:
    """They add to the table or override it, in any spelling."""
    options = {"status_map": {"Gone Fishing": "IN_PROGRESS", "paid": "INITIALIZED"}}
    assert order("order_created", options, order={"status": "gone-fishing"}).params["status"] == "IN_PROGRESS"
    assert order("order_created", options, order={"status": "PAID"}).params["status"] == "INITIALIZED"
    assert order("order_delivered", options, order={"status": "paid"}).params["status"] == "DELIVERED"


# ── dates ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("zone", "created_at", "date"),
    [
        ("UTC", 1_794_298_530_000, "2026-11-10T08:15:30"),
        ("Europe/Kyiv", 1_794_298_530_999, "2026-11-10T10:15:30"),  # winter, and no fraction
        ("Europe/Kyiv", 1_782_889_200_000, "2026-07-01T10:00:00"),  # summer
        ("Europe/Kyiv", 1_774_745_999_000, "2026-03-29T02:59:59"),  # the last second before it
        ("Europe/Kyiv", 1_774_746_000_000, "2026-03-29T04:00:00"),  # and the first
        ("America/St_Johns", 1_794_298_530_000, "2026-11-10T04:45:30"),
        ("UTC", 0, "1970-01-01T00:00:00"),
        ("UTC", -1, "1969-12-31T23:59:59"),
        ("Europe/Kyiv", -1_500_000_000_000, "1922-06-20T23:22:04"),  # offsets had seconds then
        ("UTC", 253_402_300_799_999, "9999-12-31T23:59:59"),
    ],
)
def test_dates_are_on_the_accounts_clock(zone: str, created_at: int, date: str) -> None:
    """With that day's summer time, to the second, without an offset; the shopper's own is no matter."""
    options = {"account_timezone": zone}
    made = order("order_updated", options, utc_offset_minutes=-300, order={"created_at": created_at})
    assert made.params["date"] == date


def test_a_new_order_without_a_date_was_made_now() -> None:
    """An updated one was not: the event's own time would move it."""
    for event_type in ("order_created", "subscription_renewal"):
        assert order(event_type, order={"created_at": ...}).params["date"] == "2026-11-18T14:03:07"
        made = order(event_type, occurred_at=0, order={"created_at": ...})
        assert made.why == "refuse missing_required_field:order.created_at"
    for event_type in CHANGES:
        assert "date" not in order(event_type, order={"created_at": ...}).names
        assert order(event_type).params["date"] == "2026-11-18T13:53:20"


def test_a_day_that_the_calendar_lacks_is_refused_where_a_date_must_be() -> None:
    """Year 0, and a second past 9999 on the account's clock; a change of status goes without."""
    options = {"account_timezone": "Europe/Kyiv"}
    for created_at in (-62_167_219_200_000, 253_402_300_799_999):
        for event_type in WHOLE:
            made = order(event_type, options, order={"created_at": created_at})
            assert made.why == "refuse invalid_timestamp"
        assert "date" not in order("order_delivered", options, order={"created_at": created_at}).names
    made = order("order_created", occurred_at=-62_167_219_200_000, order={"created_at": ...})
    assert made.why == "refuse invalid_timestamp"


# ── params ───────────────────────────────────────────────────────────────────────────────────────

FULL: dict[str, Any] = {
    "shipping_micros": 60_000_000,
    "discount_micros": 12_500_000,
    "tax_micros": 10,
    "delivery_method": " Nova Poshta ",
    "payment_method": "card",
    "delivery_address": "Kyiv, Khreshchatyk 1",
    "restore_url": "https://shop.example/o?id=1#x",
    "coupon": "SECRET",
    "store_id": "s-1",
    "status_text": "thanks",
}
ALWAYS = [
    *("externalOrderId", "totalCost", "status", "date", "currency", "shipping", "discount", "taxes"),
    *("deliveryMethod", "paymentMethod"),
]


def full(event_type: str, options: dict[str, Any] | None = None) -> Made:
    return order(
        event_type,
        options,
        channel="store",
        order=FULL,
        cart={"cart_id": "ct-1", "state_id": "s-1"},
        items=[LINE],
        user={"email": "o@example.com", "first_name": "Олена", "last_name": " "},
        properties={"campaign": "spring"},
    )


@pytest.mark.parametrize("event_type", WHOLE)
def test_an_order_tells_all_it_may_in_the_vendors_order(event_type: str) -> None:
    """Numbers as text, text trimmed, nothing blank, and nothing that nobody asked for."""
    made = full(event_type)
    assert made.names == [
        *("email", *ALWAYS, "restoreUrl", "source", "recycleStateId", "items", "products"),
    ]
    params = made.params
    assert params["totalCost"] == "12.95"
    assert (params["shipping"], params["discount"], params["taxes"]) == ("60", "12.5", "0.00001")
    assert (params["deliveryMethod"], params["source"]) == ("Nova Poshta", "offline")
    assert (params["restoreUrl"], params["recycleStateId"]) == ("https://shop.example/o?id=1#x", "s-1")
    assert all(isinstance(value, str) for value in params.values())


@pytest.mark.parametrize("event_type", CHANGES)
def test_a_change_of_status_tells_less(event_type: str) -> None:
    """No lines, no cart, and by no setting names or an address."""
    options = {"send_names": True, "send_delivery_address": True}
    assert full(event_type, options).names == ["email", *ALWAYS, "restoreUrl", "source"]
    bare = order(event_type, order=dict.fromkeys(("status", "total_micros", "currency", "created_at"), ...))
    assert bare.names == ["email", "externalOrderId", "status"]
    assert order(event_type, order={"total_micros": -1}).why == "refuse invalid_total"


def test_names_and_address_go_only_by_their_settings() -> None:
    """Names right behind the identifiers, a blank one not at all."""
    names = full("order_created", {"send_names": True}).names
    assert names[:3] == ["email", "firstName", "externalOrderId"]
    assert "deliveryAddress" not in names
    names = full("order_created", {"send_delivery_address": True}).names
    assert names[names.index("paymentMethod") + 1] == "deliveryAddress"
    assert "firstName" not in names


@pytest.mark.parametrize("field", ["shipping_micros", "discount_micros", "tax_micros"])
def test_a_negative_side_amount_is_left_out(field: str) -> None:
    """The order itself is worth sending; nothing and zero differ."""
    name = {"shipping_micros": "shipping", "discount_micros": "discount", "tax_micros": "taxes"}[field]
    assert name not in order(order={field: -1}).names
    assert order(order={field: 0}).params[name] == "0"


@pytest.mark.parametrize(
    ("given", "sent"), [(" uah ", "UAH"), ("EURO", None), ("€", None), ("12E", None), ("", None), (..., None)]
)
def test_a_currency_has_three_letters(given: Any, sent: str | None) -> None:
    """Anything else is left out, and the account's own counts."""
    assert order(order={"currency": given}).params.get("currency") == sent


@pytest.mark.parametrize("channel", ["web", "app", "offsite", None])
def test_only_a_store_is_offline(channel: str | None) -> None:
    """Online is the vendor's default."""
    assert "source" not in order(channel=channel).names


def test_blank_text_is_absent() -> None:
    """Never an empty value."""
    blank = dict.fromkeys(("delivery_method", "payment_method", "restore_url"), " \t")
    assert not {"deliveryMethod", "paymentMethod", "restoreUrl"} & {*order(order=blank).names}


def test_an_order_carries_the_id_of_its_cart() -> None:
    """The very one that the cart's events carried: the state's, else the cart's, in the vendor's letters."""
    assert order(cart={"cart_id": "ct-1"}).params["recycleStateId"] == "ct-1"
    stand_in = str(uuid5(NAMESPACE_URL, "esputnik:recycle:ct_1"))
    assert order(cart={"cart_id": "ct_1"}).params["recycleStateId"] == stand_in
    for cart in (None, {}, {"cart_id": " "}):
        assert "recycleStateId" not in order(cart=cart).names


# ── lines ────────────────────────────────────────────────────────────────────────────────────────


def lines(*items: dict[str, Any], **groups: Any) -> str:
    """The value of `items`, character for character."""
    value = order(items=list(items), **groups).params["items"]
    assert isinstance(value, str)
    return value


def test_a_line_has_its_members_in_order_and_in_one_string() -> None:
    """Compact, UTF-8 as it is, numbers as numbers; escaped once more only on the wire."""
    line = {
        **LINE,
        "name": 'Шкарпетки "Тепло"',
        "category": " Взуття ",
        "quantity": 2.0,
        "unit_price_micros": 45_500_000,
        "url": "https://shop.example/p/1",
        "image_url": "https://cdn.example/1.jpg",
        "description": "new\nline",
        "brand": "hidden",
        "currency": "EUR",
        "attributes": {"colour": "red"},
    }
    text = (
        '[{"externalItemId":"A-1","name":"Шкарпетки \\"Тепло\\"","category":"Взуття","quantity":2,'
        '"cost":45.5,"url":"https://shop.example/p/1","imageUrl":"https://cdn.example/1.jpg","description":"new\\nline"}]'
    )
    made = order(items=[line])
    assert made.params["items"] == text
    assert made.params["products"] == f'{{"array":{text}}}'
    assert json.dumps(text, ensure_ascii=False).encode() in made.items[0].body


@pytest.mark.parametrize(
    ("quantity", "sent"),
    [
        (None, "1"),
        (1, "1"),
        (0.45, "0.45"),
        (1e-7, "0.0000001"),
        (123456.789, "123456.789"),
        (1e16, "10000000000000000"),
        (1e22, "10000000000000000000000"),
    ],
)
def test_a_quantity_is_a_plain_number(quantity: float | None, sent: str) -> None:
    """No exponent, no `.0`; one where nobody counted."""
    text = lines({**LINE, "quantity": quantity})
    assert f'"quantity":{sent},' in text


@pytest.mark.parametrize(
    ("micros", "sent"), [(0, "0"), (1, "0.000001"), (45_500_000, "45.5"), (2**63 - 1, "9223372036854.775807")]
)
def test_a_cost_is_exact(micros: int, sent: str) -> None:
    """Every digit of the micros, and no more."""
    assert f'"cost":{sent}}}' in lines({**LINE, "unit_price_micros": micros})


def test_a_line_without_a_name_is_called_by_its_id() -> None:
    """The vendor insists on a name."""
    assert '"name":"A-1"' in lines({**LINE, "name": " "})


def test_what_was_not_bought_is_left_out() -> None:
    """A quantity of nothing, whatever else such a line lacks."""
    made = order(items=[{"quantity": 0}, LINE, {"quantity": -1.5}, {**LINE, "quantity": -0.0}])
    assert made.params["items"].count("externalItemId") == 1
    assert made.adjustments == ["line_dropped"] * 3


@pytest.mark.parametrize(
    "line",
    [
        {"unit_price_micros": 1},
        {"product_id": " ", "unit_price_micros": 1},
        {"product_id": "A-2"},
        {"product_id": "A-2", "unit_price_micros": -1},
    ],
)
def test_half_a_list_is_no_list(line: dict[str, Any]) -> None:
    """The order goes without lines, and it is counted."""
    made = order(items=[LINE, line])
    assert not {"items", "products"} & {*made.names}
    assert made.adjustments == ["items_omitted"]


def test_no_lines_is_no_list() -> None:
    """None given is nothing to count; none left is."""
    for made in (order(items=None), order(items=[])):
        assert ("items" in made.names, made.adjustments) == (False, [])
    assert order(items=[{**LINE, "quantity": 0}]).adjustments == ["line_dropped", "items_omitted"]


def test_products_are_a_matter_of_settings() -> None:
    """Off, requests are half as large; on, each may have attributes as lists of one text."""
    assert "products" not in order("order_created", {"send_products": False}, items=[LINE]).names
    line = {**LINE, "attributes": {"size": " 38 ", "colour": "чорний", "blank": " ", "hidden": "x"}}
    made = order(
        "order_created", {"product_properties": ["colour", "blank", "size", "none"]}, items=[line, LINE]
    )
    plain = '{"externalItemId":"A-1","name":"Lamp","quantity":1,"cost":10}'
    assert made.params["items"] == f"[{plain},{plain}]"
    own = plain[:-1] + ',"colour":["чорний"],"size":["38"]}'
    assert made.params["products"] == f'{{"array":[{own},{plain}]}}'


# ── settings ─────────────────────────────────────────────────────────────────────────────────────


def test_properties_are_sent_by_name_and_last() -> None:
    """In the settings' order, trimmed; a blank one is absent, and a name that is there already wins."""
    options = {"extra_params": ["b", "status", "a", "blank", "email", "missing"]}
    properties = {"a": " 1 ", "b": "2", "blank": " ", "status": "hacked", "email": "x@example.com", "c": "3"}
    for event_type in ("order_created", "order_delivered"):
        made = order(event_type, options, properties=properties)
        assert made.names[-2:] == ["b", "a"]
        assert (made.params["a"], made.params["email"]) == ("1", "olena@example.com")
    assert order("order_created", options).names[-1] == "currency"


@pytest.mark.parametrize(
    ("event_type", "status"),
    [("order_delivered", "DELIVERED"), ("order_cancelled", "CANCELLED"), ("order_refunded", "CANCELLED")],
)
def test_a_change_of_status_may_be_an_update_of_everything(event_type: str, status: str) -> None:
    """With all that an update must have, so that an order which the vendor never saw is created."""
    options = {"status_change_as": "upsert"}
    made = order(event_type, options, items=[LINE], order={"status": "new"})
    assert (made.body["eventTypeKey"], made.params["status"]) == ("orderUpdated", status)
    assert {"items", "products"} < {*made.names}
    assert made.items[0].key == "order:ord-1"
    why = order(event_type, options, order={"created_at": ...}).why
    assert why == "refuse missing_required_field:order.created_at"
    assert order(event_type, options, order={"total_micros": ...}).why.endswith("order.total")


# ── size ─────────────────────────────────────────────────────────────────────────────────────────


def big(**sizes: int) -> dict[str, Any]:
    """A line with members of so many bytes."""
    return {**LINE, **{name: "x" * size for name, size in sizes.items()}}


@pytest.mark.parametrize(
    ("line", "steps", "left"),
    [
        (big(description=5_000), [], "description"),
        (big(description=9_900), ["description"], "url"),
        (big(name=6_000, description=5_000), ["description"], "products"),
        (big(name=12_000), ["products"], "items"),
        (big(description=9_900, name=12_000), ["description", "products"], "items"),
        (big(name=9_000, image_url=12_000), ["products", "image_url"], "items"),
        (big(name=9_000, url=12_000), ["products", "url"], "items"),
        (big(name=9_000, category=12_000), ["products", "category"], "items"),
        (big(name=9_000, image_url=9_000, url=9_000), ["products", "image_url"], "url"),
        (big(name=20_000), ["products", "items"], None),
        (big(product_id=20_000), ["products", "items"], None),
    ],
)
def test_a_large_order_tells_less_and_less_of_its_lines(
    line: dict[str, Any], steps: list[str], left: str | None
) -> None:
    """Descriptions, the second list, pictures, links, categories, lines: no step further than needed."""
    made = order(items=[line])
    assert made.adjustments == [f"shrunk_{step}" for step in steps]
    assert len(made.items[0].body) <= 20_000
    assert ("products" in made.names) == ("products" not in steps)
    assert ("items" in made.names) == (left is not None)
    if left in ("url", "description"):
        assert (f'"{left}"' in made.params["items"]) == (left in line)


def test_no_single_line_is_dropped_for_size() -> None:
    """All of them, or none."""
    made = order(items=[{**LINE, "description": "ї" * 400}] * 30)
    assert made.params["items"].count("externalItemId") == 30
    assert made.adjustments == ["shrunk_description"]


def test_exactly_the_limit_fits() -> None:
    """20,000 bytes of the encoded body go out whole; one more does not."""
    room = 20_000 - len(order(items=None, order={"delivery_method": "x"}).items[0].body)
    made = order(order={"delivery_method": "x" * (room + 1)})
    assert len(made.items[0].body) == 20_000
    assert order(order={"delivery_method": "x" * (room + 2)}).why == "refuse payload_too_large"
    made = order(items=[LINE], order={"delivery_method": "x" * (room + 2)})
    assert (made.why, made.adjustments) == ("refuse payload_too_large", ["shrunk_products", "shrunk_items"])


def test_without_products_there_is_none_to_drop() -> None:
    """And no such step is counted."""
    made = order("order_created", {"send_products": False}, items=[big(name=20_000)])
    assert made.adjustments == ["shrunk_items"]


# ── the same site events by the older method ─────────────────────────────────────────────────────

SITE: dict[str, Any] = {
    "page": {"url": "https://shop.example/p?token=x"},
    "items": [{"product_id": "A-1", "unit_price_micros": 1_000_000, "quantity": 2.5, "in_stock": True}],
    "category": {"id": "Mugs"},
    "cart": {"state_id": "s-1", "items": [LINE]},
}


@pytest.mark.parametrize(
    ("event_type", "key", "name", "value", "lane"),
    [
        *(
            (event_type, "pageViewed", "page", '{"location":"https://shop.example/p"}', None)
            for event_type in ("page_view", "home_view", "landing")
        ),
        (
            "product_view",
            "productViewed",
            "product",
            '{"productId":"A-1","price":1,"quantity":2.5,"isInStock":1}',
            None,
        ),
        ("category_view", "productCategoryViewed", "category", '{"productCategoryId":"Mugs"}', None),
        (
            "cart_updated",
            "cartUpdated",
            "products",
            '[{"productId":"A-1","quantity":1,"price":10,"name":"Lamp"}]',
            "cart:s-1",
        ),
    ],
)
def test_the_older_method_knows_four_site_events(
    event_type: str, key: str, name: str, value: str, lane: str | None
) -> None:
    """By their setting; any identifier will do, a push token too."""
    made = order(event_type, {"v1_site_events": True}, user={"push_token": "t"}, **SITE)
    assert (made.body["eventTypeKey"], made.params[name]) == (key, value)
    assert (made.names[0], made.items[0].key) == ("pushToken", lane)
    assert all(isinstance(each, str) for each in made.params.values())


@pytest.mark.parametrize("quantity", [None, 0, -1])
def test_a_viewed_product_without_a_quantity_has_none(quantity: float | None) -> None:
    """The document's own sample leaves it out."""
    items = [{"product_id": "A-1", "unit_price_micros": 1_000_000, "quantity": quantity}]
    made = order("product_view", {"v1_site_events": True}, items=items)
    assert made.params["product"] == '{"productId":"A-1","price":1}'


def test_what_people_look_at_is_marketing_by_either_method() -> None:
    """Orders beside it are not; naming no purpose asks for none."""
    options = {"v1_site_events": True}
    refused = {"marketing": False}
    assert order("page_view", options, consent=refused, **SITE).why == "skip consent_denied"
    assert order("order_created", options, consent=refused).names
    assert Made("page_view", options, [], consent=refused, **SITE).names
    assert Made("page_view", options, ["analytics"], consent=refused, **SITE).names


def test_the_query_of_a_page_is_cleaned_by_the_settings() -> None:
    """As for the other destination."""
    options = {"v1_site_events": True, "url_query_deny": ["b"]}
    made = order("page_view", options, page={"url": "https://shop.example/?token=1&b=2"})
    assert made.params["page"] == '{"location":"https://shop.example/?token=1"}'
