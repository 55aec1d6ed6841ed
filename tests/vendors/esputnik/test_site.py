"""Every row of the table for site activity and every rule behind it."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from connector.vendors.contract import Refused
from tests.vendors.esputnik.making import EVENT_ID, NOW_MS, OCCURRED_AT_MS, Made, site

FAN_OUT = UUID("587908d3-4eb1-5167-afdc-0912ca1fd4c4")
PAGE: dict[str, Any] = {"url": "https://shop.example/sale"}
ITEM: dict[str, Any] = {"product_id": "A-1", "unit_price_micros": 45_500_000, "currency": "USD"}
LINE: dict[str, Any] = {**ITEM, "quantity": 1}
CART: dict[str, Any] = {"state_id": "s-1", "items": [LINE], "currency": "EUR"}
VARIANT = {"recommendation_variant": "r12v3"}
SHOWN = {"send_product_impressions": True}
FROM_ITEMS = {"cart_from_item_events": True}

# ── the table ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("event_type", "groups", "key", "names"),
    [
        *((t, {"page": PAGE}, "pageViewed", ["page"]) for t in ("page_view", "home_view", "landing")),
        ("product_view", {"items": [ITEM]}, "productViewed", ["product", "currencyCode"]),
        ("category_view", {"category": {"id": "Mugs"}}, "productCategoryViewed", ["category"]),
        ("search", {"search": {"query": "boots"}}, "searchRequest", ["search", "isFound"]),
        ("cart_updated", {"cart": CART}, "cartUpdated", ["products", "currencyCode", "recycleStateId"]),
        ("add_to_wishlist", {"items": [ITEM]}, "productAddedToWishlist", ["product", "currencyCode"]),
    ],
)
def test_each_event_has_its_params_in_the_vendors_order(
    event_type: str, groups: dict[str, Any], key: str, names: list[str]
) -> None:
    """Behind the identifiers; under the event's id, as told when it occurred."""
    made = site(event_type, user={"email": "o@example.com", "phone": "380501234567"}, **groups)
    (item,) = made.items
    assert (item.id, item.kind, item.at_ms) == (EVENT_ID, "event", OCCURRED_AT_MS)
    assert item.key == ("cart:s-1" if key == "cartUpdated" else None)
    assert made.body["eventTypeKey"] == key
    assert made.names == ["email", "phone", *names]


@pytest.mark.parametrize(
    "event_type",
    [
        *("order_created", "order_updated", "order_delivered", "order_cancelled", "order_refunded"),
        "subscription_renewal",
    ],
)
def test_orders_go_through_the_other_destination(event_type: str) -> None:
    """Whatever else is wrong with them."""
    assert site(event_type, user=None).why == "skip routed_to_orders_api"


@pytest.mark.parametrize(
    "event_type",
    [
        *("click", "remove_from_wishlist", "checkout_started", "like", "unlike", "share", "comment"),
        *("bookmark", "remove_bookmark", "follow", "unfollow", "offer", "question", "answer"),
        *("sign_in", "sign_up", "custom"),
    ],
)
def test_what_the_vendor_has_no_event_for_is_skipped(event_type: str) -> None:
    """It would take any word as a new event type, which is the account owner's to decide."""
    assert site(event_type, user=None).why == "skip unsupported_event_type"


def test_an_unknown_type_is_a_skip_of_its_own() -> None:
    """What a newer producer writes."""
    assert site("unknown").why == site("teleported").why == "skip unknown_event_type"


def test_the_first_thing_that_is_wrong_gives_the_reason() -> None:
    """Type, consent, age, identifiers, own fields, size: mended one by one, each shows the next."""
    options = {"max_event_age_s": 60}
    wrong: dict[str, Any] = {"occurred_at": 1, "consent": {"marketing": False}, "user": {}}
    assert site("add_to_cart", options, **wrong).why == "skip partial_cart_not_supported"
    assert site("page_view", options, **wrong).why == "skip consent_denied"
    wrong["consent"] = {"marketing": None}
    assert site("page_view", options, **wrong).why == "skip stale_event"
    wrong["occurred_at"] = NOW_MS - 60_000
    assert site("page_view", options, **wrong).why == "skip no_contact_identifier"
    wrong["user"] = {"push_token": "t"}
    assert site("page_view", options, **wrong).why == "skip no_page_location"
    huge = {"url": "https://shop.example/" + "x" * 20_000}
    assert site("page_view", options, **wrong, page=huge).why == "refuse payload_too_large"


def test_only_a_refusal_is_a_refusal() -> None:
    """Of marketing, unless `delivery.consent` names others; an absent flag is none."""
    assert site("page_view", page=PAGE, consent={"marketing": False}).why == "skip consent_denied"
    for consent in (None, {}, {"marketing": True}, {"advertising": False, "analytics": False}):
        assert site("page_view", page=PAGE, consent=consent).names
    for purposes, refused, sent in (([], "marketing", True), (["analytics"], "analytics", False)):
        made = Made("page_view", None, purposes, site=True, page=PAGE, consent={refused: False})
        assert bool(made.result.__class__.__name__ == "Mapped") == sent


def test_an_event_may_be_too_old() -> None:
    """To the millisecond; 0 is no limit."""
    options = {"max_event_age_s": 86_400}
    assert site("page_view", options, page=PAGE, occurred_at=NOW_MS - 86_400_000).names
    assert site("page_view", options, page=PAGE, occurred_at=NOW_MS - 86_400_001).why == "skip stale_event"
    assert site("page_view", page=PAGE, occurred_at=0).names


# ── pages ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://shop.example/sale", "https://shop.example/sale"),
        ("https://shop.example/s?utm_source=mail&token=x#top", "https://shop.example/s?utm_source=mail"),
        ("https://u:p@shop.example:8443/a@b?c=d@e", "https://shop.example:8443/a@b?c=d@e"),
        ("https://shop.example/?TOKEN=1&id=7&Sid=2&x=%20&x=2&&y", "https://shop.example/?id=7&x=%20&x=2&&y"),
        ("https://shop.example/?token=1", "https://shop.example/"),
        ("https://shop.example/?", "https://shop.example/"),
        ("https://shop.example/?%74oken=1&tok%65n=2&e%2Dmail=3&a=4", "https://shop.example/?a=4"),
        ("https://shop.example/?tokens=1&my_token=2", "https://shop.example/?tokens=1&my_token=2"),
        ("https://shop.example/?q=Взуття#x?token=1", "https://shop.example/?q=Взуття"),
        ("https://shop.example/?a=1&amp;token=s&amp;b=2", "https://shop.example/?a=1&amp;b=2"),
        ("https://shop.example/?a=1&amp;amp;email=s&b=2", "https://shop.example/?a=1&b=2"),
        ("https://shop.example/?token=s;a=1;SID=s;b", "https://shop.example/?a=1;b"),
        ("https://shop.example/?to=/cart?token=s&a=1", "https://shop.example/?to=/cart&a=1"),
        ("https://shop.example/?token[]=s&token[0]=s&token%5B%5D=s&a[]=1", "https://shop.example/?a[]=1"),
        (
            "https://shop.example/?user[email]=s&user[ tel ]=s&f[color]=red",
            "https://shop.example/?f[color]=red",
        ),
        ("https://shop.example/?f=a;b;&amp;&;?c", "https://shop.example/?f=a;b;&amp;&;?c"),
        ("HTTPS://shop.example", "HTTPS://shop.example"),
        ("shopexample://home", "shopexample://home"),
        ("shopexample://", "shopexample://"),
        ("shop.example+x:cart?session=1&a=2", "shop.example+x:cart?a=2"),
        ("https://shop.example/a b\t", "https://shop.example/a b"),
        *((url, None) for url in (None, "", " ", "/sale", "sale?x=1", "//shop.example/sale", "?a=b", "#top")),
        *((url, None) for url in ("https:", "https://", "https:///sale", "http:/sale", "1a:b", ":b", "é:b")),
        *((url, None) for url in ("mailto:jane@example.com", "javascript:void(0)", "about:blank")),
    ],
)
def test_a_page_is_where_it_is_and_no_more(url: str | None, sent: str | None) -> None:
    """As it is, without user info, fragment and what the query says of people; relative is nowhere."""
    made = site("page_view", page={"url": url, "path": "/x", "title": "T", "referrer": "https://r.example"})
    if sent is None:
        assert made.why == "skip no_page_location"
    else:
        assert made.params["page"] == f'{{"location":"{sent}"}}'


@pytest.mark.parametrize(
    "name",
    [
        *("token", "access_token", "id_token", "refresh_token", "auth", "authorization", "code", "password"),
        *("passwd", "pwd", "email", "e-mail", "mail", "phone", "tel", "session", "sessionid", "sid"),
        *("phpsessid", "signature", "sig", "key", "api_key", "apikey", "reset", "otp"),
    ],
)
def test_what_a_query_may_not_carry(name: str) -> None:
    """Credentials and personal data, in any case."""
    for spelled in (name, name.upper(), name.title()):
        made = site("page_view", page={"url": f"https://shop.example/?a=1&{spelled}=secret&b=2"})
        assert made.params["page"] == '{"location":"https://shop.example/?a=1&b=2"}'


def test_the_list_is_configurable() -> None:
    """In its place, in any case; an empty list lets everything through."""
    page = {"url": "https://shop.example/?token=1&UTM=2"}
    for deny, sent in ((["Utm"], "token=1"), ([], "token=1&UTM=2"), (["utm", "token"], "")):
        made = site("landing", {"url_query_deny": deny}, page=page)
        assert made.params["page"] == f'{{"location":"https://shop.example/{"?" if sent else ""}{sent}"}}'


# ── products ─────────────────────────────────────────────────────────────────────────────────────

PRODUCT_EVENTS = ("product_view", "add_to_wishlist")


@pytest.mark.parametrize("event_type", PRODUCT_EVENTS)
@pytest.mark.parametrize(
    ("item", "product", "currency"),
    [
        (ITEM, '{"productId":"A-1","price":45.5}', "USD"),
        (
            {**ITEM, "in_stock": True, "currency": " eur"},
            '{"productId":"A-1","price":45.5,"isInStock":1}',
            "EUR",
        ),
        ({**ITEM, "in_stock": False}, '{"productId":"A-1","price":45.5,"isInStock":0}', "USD"),
        ({**ITEM, "currency": "dollar"}, '{"productId":"A-1","price":45.5}', None),
        ({"product_id": ' "1" ', "unit_price_micros": 0}, '{"productId":"\\"1\\"","price":0}', None),
        (
            {
                **ITEM,
                "quantity": 3,
                "name": "n",
                "sku": "s",
                "parent_id": "p",
                "attributes": {"colour": "red"},
            },
            '{"productId":"A-1","price":45.5}',
            "USD",
        ),
    ],
)
def test_a_product_is_its_id_its_price_and_its_stock(
    event_type: str, item: dict[str, Any], product: str, currency: str | None
) -> None:
    """The newer method knows no quantity, and no free properties unless asked for."""
    params = site(event_type, items=[item]).params
    assert (params["product"], params.get("currencyCode")) == (product, currency)


@pytest.mark.parametrize("event_type", PRODUCT_EVENTS)
def test_a_request_for_each_product_one_after_the_other(event_type: str) -> None:
    """In their order, under ids of their own, in a lane of the event; alone it needs none."""
    made = site(event_type, items=[ITEM, {**ITEM, "product_id": "A-2"}])
    assert [item.id for item in made.items] == [str(uuid5(FAN_OUT, f"{EVENT_ID}:{n}")) for n in range(2)]
    assert {item.key for item in made.items} == {f"event:{EVENT_ID}"}
    products = [body["params"][1]["value"] for body in made.bodies]
    assert products == ['{"productId":"A-1","price":45.5}', '{"productId":"A-2","price":45.5}']
    assert [item.key for item in site(event_type, items=[ITEM]).items] == [None]


@pytest.mark.parametrize("event_type", PRODUCT_EVENTS)
@pytest.mark.parametrize(
    ("items", "field", "path"),
    [
        (None, "items", "items"),
        ([], "items", "items"),
        ([{"unit_price_micros": 1}], "items[].product_id", "items[0].product_id"),
        ([{"product_id": " ", "unit_price_micros": 1}], "items[].product_id", "items[0].product_id"),
        ([{"product_id": "A-1"}], "items[].unit_price", "items[0].unit_price_micros"),
        ([ITEM, {**ITEM, "unit_price_micros": -1}], "items[].unit_price", "items[1].unit_price_micros"),
        ([ITEM, {}], "items[].product_id", "items[1].product_id"),
        ([{"product_id": "A-1"}, {}], "items[].unit_price", "items[0].unit_price_micros"),
    ],
)
def test_all_products_are_whole_before_the_first_is_sent(
    event_type: str, items: list[dict[str, Any]] | None, field: str, path: str
) -> None:
    """A record is never half sent because of one of its lines."""
    made = site(event_type, items=items)
    assert made.why == f"refuse missing_required_field:{field}"
    assert isinstance(made.result, Refused)
    assert made.result.path == path


def test_one_product_too_large_refuses_the_record() -> None:
    """Before the first is sent."""
    made = site("product_view", items=[ITEM, {**ITEM, "product_id": "x" * 20_000}])
    assert made.why == "refuse payload_too_large"
    assert isinstance(made.result, Refused)
    assert made.result.path == "items[1]"


@pytest.mark.parametrize("event_type", PRODUCT_EVENTS)
def test_a_product_may_have_properties_by_the_settings(event_type: str) -> None:
    """Lists of one text, behind the vendor's own members, in the settings' order."""
    item = {**ITEM, "in_stock": True, "attributes": {"size": "38", "colour": " зелений ", "blank": " "}}
    made = site(event_type, {"product_properties": ["colour", "none", "blank", "size"]}, items=[item])
    expected = '{"productId":"A-1","price":45.5,"isInStock":1,"colour":["зелений"],"size":["38"]}'
    assert made.params["product"] == expected


# ── categories ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("groups", "category_id"),
    [
        ({"category": {"id": " Mugs "}, "placement": {"category_ids": ["c-2"]}}, "Mugs"),
        ({"category": {"id": " "}, "placement": {"category_ids": ["c-1", "c-2"]}}, "c-2"),
        ({"placement": {"category_ids": ["c-1", " "]}, "page": {"id": "p", "type": "category"}}, "c-1"),
        ({"placement": {"category_ids": []}, "page": {"id": " p ", "type": "category"}}, "p"),
        ({"category": {"name": "Mugs"}, "page": {"id": "p", "type": "product"}}, None),
        ({"page": {"id": "p"}}, None),
        ({"page": {"type": "category"}}, None),
        ({}, None),
    ],
)
def test_a_category_is_known_by_its_id(groups: dict[str, Any], category_id: str | None) -> None:
    """Its own, else the innermost of the placement, else that of a category's page; never a name."""
    made = site("category_view", **groups)
    if category_id is None:
        assert made.why == "refuse missing_required_field:category_id"
    else:
        assert made.params["category"] == f'{{"productCategoryId":"{category_id}"}}'


# ── searches ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("count", "found"), [(0, 0), (1, 1), (400, 1), (None, 1), (-1, 1)])
def test_only_a_known_nothing_is_nothing_found(count: int | None, found: int) -> None:
    """An integer, always sent: left out it would mean 0 and start a workflow."""
    params = site("search", search={"query": ' чобітки 45 "wide" ', "result_count": count}).params
    assert params["search"] == 'чобітки 45 "wide"'
    assert params["isFound"] == found
    assert type(params["isFound"]) is int


@pytest.mark.parametrize("search", [None, {}, {"query": ""}, {"query": " \t", "result_count": 0}])
def test_a_search_for_nothing_is_none(search: dict[str, Any] | None) -> None:
    """With either setting."""
    for only_empty in (False, True):
        assert (
            site("search", {"search_only_empty": only_empty}, search=search).why == "skip empty_search_query"
        )


@pytest.mark.parametrize(("count", "sent"), [(0, True), (1, False), (None, False), (-1, False)])
def test_only_empty_searches_if_asked_for(count: int | None, sent: bool) -> None:
    """Those that are known to have found nothing."""
    made = site("search", {"search_only_empty": True}, search={"query": "boots", "result_count": count})
    if sent:
        assert made.params["isFound"] == 0
    else:
        assert made.why == "skip search_has_results"


# ── recommendations ──────────────────────────────────────────────────────────────────────────────


def test_the_vendors_script_sends_impressions() -> None:
    """Unless the settings say that there is none."""
    assert site("impression", items=[ITEM], attribution=VARIANT).why == "skip sent_by_js_api"
    made = site("impression", SHOWN, items=[ITEM, {"product_id": "A-2"}], attribution=VARIANT)
    assert made.names[1:] == ["recomVariantId", "products"]
    assert made.params["recomVariantId"] == "r12v3"
    assert made.params["products"] == '[{"productId":"A-1"},{"productId":"A-2"}]'
    assert made.items[0].key is None


@pytest.mark.parametrize(
    "variant", [None, "", "variant-7", "r12", "v3", "rv", "r12v", "rv3", "R12V3", "r1 v2"]
)
def test_a_block_that_the_vendor_did_not_recommend(variant: str | None) -> None:
    """Its variant has the vendor's form, r…v…, or it is another system's."""
    for attribution in (None, {"recommendation_variant": variant}):
        made = site("impression", SHOWN, items=[ITEM], attribution=attribution)
        assert made.why == "skip no_recommendation_variant"


@pytest.mark.parametrize(
    ("items", "field"), [(None, "items"), ([], "items"), ([ITEM, {"product_id": ""}], "items[].product_id")]
)
def test_a_block_shows_products(items: list[dict[str, Any]] | None, field: str) -> None:
    """At least one, each with its id, or the vendor would drop the whole."""
    made = site("impression", SHOWN, items=items, attribution=VARIANT)
    assert made.why == f"refuse missing_required_field:{field}"


# ── carts ────────────────────────────────────────────────────────────────────────────────────────


def cart(*lines: dict[str, Any], **changes: Any) -> Made:
    return site("cart_updated", cart={**CART, "items": list(lines), **changes})


def test_a_cart_line_has_its_members_in_order() -> None:
    """Numbers as numbers but for the discount, text trimmed, nothing else."""
    line = {
        **LINE,
        "quantity": 0.450,
        "name": " Сир ",
        "category": "Mugs",
        "discount_micros": 2_500_000,
        "in_stock": True,
        "list_price_micros": 50_000_000,
        "url": "https://shop.example/p",
    }
    assert cart(line, LINE).params["products"] == (
        '[{"productId":"A-1","quantity":0.45,"price":45.5,"name":"Сир","category":"Mugs","discount":"2.5"},'
        '{"productId":"A-1","quantity":1,"price":45.5}]'
    )


@pytest.mark.parametrize(("micros", "sent"), [(0, '"0"'), (1, '"0.000001"'), (-1, None), (None, None)])
def test_a_discount_is_text(micros: int | None, sent: str | None) -> None:
    """A decimal that is not negative."""
    products = cart({**LINE, "discount_micros": micros}).params["products"]
    assert (f',"discount":{sent}' in products) == (sent is not None)
    assert ("discount" in products) == (sent is not None)


def test_an_emptied_cart_is_an_empty_list() -> None:
    """By the producer's word, or because nothing of anything is left."""
    made = cart()
    assert (made.params["products"], made.params["currencyCode"]) == ("[]", "EUR")
    made = cart({**LINE, "quantity": 0}, {"quantity": -1})
    assert (made.params["products"], made.adjustments) == ("[]", ["line_dropped", "line_dropped"])
    assert "currencyCode" not in cart(currency=None).names


@pytest.mark.parametrize(
    ("group", "field"),
    [
        (None, "cart.items"),
        ({"state_id": "s-1"}, "cart.items"),
        ({"items": None}, "cart.items"),
        ({"items": [LINE, {**LINE, "product_id": " "}], "state_id": "s-1"}, "cart.items[]"),
        ({"items": [{"product_id": "A-1", "unit_price_micros": 1}], "state_id": "s-1"}, "cart.items[]"),
        ({"items": [{"product_id": "A-1", "quantity": 1}], "state_id": "s-1"}, "cart.items[]"),
        ({"items": [{**LINE, "unit_price_micros": -1}], "state_id": "s-1"}, "cart.items[]"),
        ({"items": [{}]}, "cart.items[]"),
        ({"items": [LINE]}, "cart.state_id"),
        ({"items": [], "state_id": " ", "cart_id": ""}, "cart.state_id"),
    ],
)
def test_half_a_cart_is_refused(group: dict[str, Any] | None, field: str) -> None:
    """Unknown is not empty, and a list with a hole is no cart."""
    assert site("cart_updated", cart=group).why == f"refuse missing_required_field:{field}"


@pytest.mark.parametrize(
    ("cart_currency", "lines", "sent"),
    [
        ("uah", ["EUR"], "UAH"),
        (None, ["EUR", "USD"], "EUR"),
        ("euros", ["EUR"], "EUR"),
        (None, [None, "USD"], None),
        (None, [], None),
    ],
)
def test_a_cart_has_its_own_currency_or_its_first_lines(
    cart_currency: str | None, lines: list[str | None], sent: str | None
) -> None:
    """Or none, and the account's own counts."""
    made = cart(*({**LINE, "currency": each} for each in lines), currency=cart_currency)
    assert made.params.get("currencyCode") == sent


@pytest.mark.parametrize(
    ("ids", "sent"),
    [
        ({"state_id": " d59c6e6d-4123 ", "cart_id": "ct-1"}, "d59c6e6d-4123"),
        ({"state_id": " ", "cart_id": "ct-1"}, "ct-1"),
        ({"state_id": "A" * 300}, "A" * 300),
        ({"state_id": "A" * 301}, uuid5(NAMESPACE_URL, "esputnik:recycle:" + "A" * 301)),
        ({"cart_id": "cart/42_b"}, "d05c3685-2e63-5c67-8dfc-2952e970447a"),
        ({"state_id": "кошик-1"}, uuid5(NAMESPACE_URL, "esputnik:recycle:кошик-1")),
        ({"state_id": "a b"}, uuid5(NAMESPACE_URL, "esputnik:recycle:a b")),
    ],
)
def test_a_carts_id_stays_the_same_from_first_line_to_purchase(ids: dict[str, str], sent: Any) -> None:
    """Latin letters, digits, hyphens as they are; anything else as a uuid5 of itself. It names the lane."""
    made = site("cart_updated", cart={"items": [], **ids})
    assert made.params["recycleStateId"] == str(sent)
    assert made.items[0].key == f"cart:{sent}"


@pytest.mark.parametrize("event_type", ["add_to_cart", "remove_from_cart"])
def test_a_change_of_the_cart_is_not_the_cart(event_type: str) -> None:
    """Unless the settings say so, and the event knows it all; an emptied one is known."""
    assert site(event_type, cart=CART).why == "skip partial_cart_not_supported"
    assert site(event_type, FROM_ITEMS, cart=CART).body["eventTypeKey"] == "cartUpdated"
    assert site(event_type, FROM_ITEMS, cart={**CART, "items": []}).params["products"] == "[]"
    for unknown in (None, {"state_id": "s-1"}, {"cart_id": "ct-1", "items": None}):
        assert site(event_type, FROM_ITEMS, cart=unknown).why == "skip partial_cart_not_supported"


def test_products_of_a_cart_may_have_properties() -> None:
    """Each line its own, and not those of what was left out before it."""
    lines = [
        {**LINE, "quantity": 0, "attributes": {"colour": "blue"}},
        {**LINE, "discount_micros": 0, "attributes": {"colour": "red"}},
        LINE,
    ]
    made = site("cart_updated", {"product_properties": ["colour"]}, cart={**CART, "items": lines})
    plain = '{"productId":"A-1","quantity":1,"price":45.5'
    assert made.params["products"] == f'[{plain},"discount":"0","colour":["red"]}},{plain}}}]'


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        ({"name": "n" * 400, "category": "c" * 100}, []),
        ({"name": "n" * 400, "category": "c" * 500}, ["category"]),
        ({"name": "n" * 900, "category": "c" * 500}, ["category", "name"]),
        ({"name": "n" * 900}, ["name"]),
        ({"product_id": "p" * 605, "discount_micros": 1_234_567}, ["discount"]),
    ],
)
def test_a_large_cart_keeps_its_lines(line: dict[str, Any], steps: list[str]) -> None:
    """Categories go, then names, then discounts: and no step further than needed."""
    made = cart(*[{**LINE, **line}] * 30)
    assert made.adjustments == [f"shrunk_{step}" for step in steps]
    assert made.params["products"].count("productId") == 30
    assert len(made.items[0].body) <= 20_000


def test_a_cart_that_does_not_fit_is_refused() -> None:
    """Half a cart would take goods out of the shopper's."""
    made = cart(*[{**LINE, "product_id": "p" * 700, "name": "n"}] * 30)
    assert (made.why, made.adjustments) == ("refuse payload_too_large", ["shrunk_name"])


# ── settings ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("event_type", "groups"),
    [
        ("page_view", {"page": PAGE}),
        ("product_view", {"items": [ITEM]}),
        ("category_view", {"category": {"id": "c"}}),
        ("search", {"search": {"query": "q"}}),
        ("cart_updated", {"cart": CART}),
        ("add_to_wishlist", {"items": [ITEM]}),
        ("impression", {"items": [ITEM], "attribution": VARIANT}),
    ],
)
def test_properties_are_sent_by_name_and_last(event_type: str, groups: dict[str, Any]) -> None:
    """In the settings' order; a blank one is absent, and a name that is there already wins."""
    options = {"extra_params": ["b", "email", "a", "blank", "missing"], **SHOWN}
    properties = {"a": " 1 ", "b": "2", "email": "x@example.com", "blank": " ", "c": "3"}
    made = site(event_type, options, properties=properties, **groups)
    assert made.names[-2:] == ["b", "a"]
    assert (made.params["a"], made.params["email"]) == ("1", "olena@example.com")
    assert site(event_type, options, **groups).names[-1] not in ("a", "b")
