"""The stand-in refuses what the vendor refuses and drops what it drops: every constraint and known trap."""

from __future__ import annotations

import base64
import hashlib
import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.vendors.contract import SandboxAnswer, SandboxRequest
from connector.vendors.esputnik.sandbox import EsputnikSandbox
from connector.vendors.esputnik.sandbox_rules import EVENT_TYPES

ITEMS = (
    '[{"externalItemId":"200600","name":"Super Device","category":"devices","quantity":1,"cost":990,'
    '"url":"http://example.com/item/200600","imageUrl":"http://example.com/i.png","description":"Good"}]'
)
WHO: dict[str, Any] = {"externalCustomerId": "AV13760", "email": "e@example.com", "phone": "380501234567"}
ORDER: dict[str, Any] = {
    **WHO,
    "externalOrderId": "12345679",
    "totalCost": "258.0",
    "status": "INITIALIZED",
    "date": "2020-05-14T10:11:00",
    "currency": "UAH",
    "shipping": "60",
    "discount": "12.5",
    "taxes": "0",
    "deliveryMethod": "Nova Poshta",
    "paymentMethod": "card",
    "deliveryAddress": "Kyiv",
    "restoreUrl": "https://s.example",
    "source": "offline",
    "recycleStateId": "d59c6e6d-4123-4b0e-8c32-15f0656a8c60",
    "items": ITEMS,
    "products": f'{{"array":{ITEMS[:-2]},"colour":["red"]}}]}}',
    "firstName": "Olena",
    "lastName": "S.",
}
PRODUCT = '{"productId":"WS01-L-Green","price":45.5,"isInStock":1,"someProductProperty":["green"]}'
CART: dict[str, Any] = {
    **WHO,
    "products": '[{"productId":"A","quantity":1,"price":45.5,"name":"n","category":"c","discount":"5",'
    '"x":["y"]},{"productId":"B","quantity":0.5,"price":0}]',
    "currencyCode": "USD",
    "recycleStateId": "d59c6e6d-4123-4b0e-8c32-15f0656a8c60",
}
GOOD: dict[str, dict[str, Any]] = {
    "orderCreated": ORDER,
    "orderUpdated": ORDER,
    "orderDelivered": {**WHO, "externalOrderId": "12345679"},
    "orderCancelled": {**WHO, "externalOrderId": "12345679", "status": "CANCELLED", "totalCost": "1"},
    "pageViewed": {**WHO, "page": '{"location":"https://example.com"}'},
    "productViewed": {**WHO, "product": PRODUCT, "currencyCode": "USD"},
    "productCategoryViewed": {**WHO, "category": '{"productCategoryId":"Mugs"}'},
    "cartUpdated": CART,
    "productImpressions": {**WHO, "recomVariantId": "r12v3", "products": '[{"productId":"A"}]'},
    "productAddedToWishlist": {**WHO, "product": PRODUCT, "currencyCode": "USD"},
    "searchRequest": {**WHO, "search": "boots", "isFound": 0},
}
BOTH = ("pageViewed", "productViewed", "productCategoryViewed", "cartUpdated")
V1 = ("orderCreated", "orderUpdated", "orderDelivered", "orderCancelled", *BOTH)
V2 = (*BOTH, "productImpressions", "productAddedToWishlist", "searchRequest")
KNOWN = ("12345679",)


def version_of(key: str) -> int:
    return 1 if key in V1 else 2


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


HEADERS = {"authorization": basic("any:key"), "content-type": "application/json; charset=UTF-8"}


def event(
    key: str, changes: dict[str, Any] | None = None, key_value: Any = "e@example.com"
) -> dict[str, Any]:
    """A good event with params set (or, given `...`, removed)."""
    params = {**deepcopy(GOOD.get(key, WHO)), **(changes or {})}
    pairs = [{"name": name, "value": value} for name, value in params.items() if value is not ...]
    body = {"eventTypeKey": key, "keyValue": key_value, "params": pairs}
    return {name: value for name, value in body.items() if value is not ...}


def asked(body: Any, version: int = 1, **changes: Any) -> SandboxRequest:
    """A request with this body, otherwise faultless but for the changes."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    request = SandboxRequest("POST", f"/api/v{version}/event", HEADERS, raw, 0)
    return msgspec.structs.replace(request, **changes)


def answer(
    body: Any, version: int = 1, stand_in: EsputnikSandbox | None = None, **changes: Any
) -> SandboxAnswer:
    sandbox = stand_in or EsputnikSandbox(1 if version == 1 else 2, orders=KNOWN)
    return sandbox.answer(asked(body, version, **changes))


def dropped(key: str, changes: dict[str, Any] | None = None, **more: Any) -> str | None:
    """Why a changed event is taken and not stored; None when it is stored."""
    answered = answer(event(key, changes, **more), version_of(key))
    assert (answered.status, answered.refused) == (200, None), answered
    assert len(answered.accepted) + len(answered.ignored) == 1
    return answered.ignored[0][1] if answered.ignored else None


# ── what is stored ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("version", "key"), [*((1, key) for key in V1), *((2, key) for key in V2)])
def test_good_events_are_taken(version: int, key: str) -> None:
    """200 and no body, under a name that the body gives, in the lane of the order or the cart."""
    request = asked(event(key), version)
    taken = EsputnikSandbox(1 if version == 1 else 2, orders=KNOWN).answer(request)
    about = GOOD[key].get("externalOrderId", GOOD[key].get("recycleStateId", ""))
    lane = f"{'order' if key.startswith('order') else 'cart'}:{about}" if about else None
    name = f"{key}:{about}:{hashlib.sha256(request.body).hexdigest()[:16]}"
    assert (taken.status, taken.body, taken.refused) == (200, b"", None)
    assert (list(taken.accepted), list(taken.ignored)) == ([(name, lane)], [])


def test_the_two_versions_know_what_their_documents_list() -> None:
    """And nothing else: see junk types below."""
    assert {version: set(types) for version, types in EVENT_TYPES.items()} == {1: set(V1), 2: set(V2)}


OPTIONAL = [
    *((key, name) for key in ("orderCreated", "orderUpdated") for name in ORDER if name in ("currency",)),
    *(
        ("orderCreated", name)
        for name in ("shipping", "discount", "taxes", "deliveryMethod", "paymentMethod")
    ),
    *(("orderCreated", name) for name in ("deliveryAddress", "restoreUrl", "source", "recycleStateId")),
    *(("orderCreated", name) for name in ("items", "products", "firstName", "lastName")),
    *(("orderCancelled", name) for name in ("status", "totalCost")),
    *(("productViewed", "currencyCode"), ("cartUpdated", "currencyCode"), ("searchRequest", "isFound")),
    *(("orderCreated", name) for name in ("email", "phone")),
]


@pytest.mark.parametrize(("key", "name"), OPTIONAL)
def test_an_optional_param_may_be_absent(key: str, name: str) -> None:
    """Only what the documents require is required."""
    assert dropped(key, {name: ...}, key_value="AV13760") is None


@pytest.mark.parametrize("key", GOOD)
def test_other_params_are_taken_as_they_come(key: str) -> None:
    """Additional fields are the vendor's reason for this method."""
    assert dropped(key, {"campaign": "spring", "Номер": "7"}) is None


def test_an_emptied_cart_is_an_empty_list() -> None:
    """A shopper took everything out."""
    assert dropped("cartUpdated", {"products": "[]"}) is None


def test_a_cart_may_come_again_as_it_was() -> None:
    """Its body says nothing of when, so that is no sign of disorder; an order's event is."""
    assert answer(event("cartUpdated")).may_recur
    assert not answer(event("orderCreated")).may_recur


# ── what is refused aloud ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"path": "/"}, 404),
        ({"path": "/api/v3/event"}, 404),
        ({"path": "/api/event"}, 404),
        ({"method": "PUT"}, 405),
        ({"method": "GET"}, 405),
        ({"method": "POST", "path": "/api/v1/account/info"}, 405),
        ({"headers": {**HEADERS, "authorization": ""}}, 401),
        ({"headers": {"content-type": "application/json"}}, 401),
        ({"headers": {**HEADERS, "authorization": "Bearer key"}}, 401),
        ({"headers": {**HEADERS, "authorization": "Basic key"}}, 401),
        ({"headers": {**HEADERS, "authorization": basic("key")}}, 401),
        ({"headers": {**HEADERS, "authorization": basic("any:")}}, 401),
        ({"headers": {**HEADERS, "authorization": basic(":key")}}, 401),
        ({"headers": {**HEADERS, "content-type": "text/plain"}}, 415),
        ({"headers": {**HEADERS, "content-type": ""}}, 415),
        ({"headers": {**HEADERS, "content-type": "application/json; charset=cp1251"}}, 415),
        ({"headers": {**HEADERS, "content-encoding": "gzip"}}, 415),
    ],
)
def test_the_door(version: int, changes: dict[str, Any], status: int) -> None:
    """Address, method, key, media type; nothing is stored, and nothing said of the event."""
    refused = answer(event("pageViewed"), version, **changes)
    assert refused.status == status
    assert refused.refused
    assert not refused.accepted
    assert not refused.ignored


@pytest.mark.parametrize("version", [1, 2])
def test_a_request_has_a_size(version: int) -> None:
    """20,000 bytes are taken, one more is not."""
    body = json.dumps(event("pageViewed")).encode()
    assert answer(body + b" " * (20_000 - len(body)), version).status == 200
    refused = answer(body + b" " * (20_001 - len(body)), version)
    assert (refused.status, refused.refused, refused.accepted) == (413, "payload_too_large", ())


def test_the_other_versions_address_is_another() -> None:
    """A destination whose address is the other's is told at once."""
    assert EsputnikSandbox(1).answer(asked(event("pageViewed"), 2)).status == 404
    assert EsputnikSandbox(2).answer(asked(event("pageViewed"), 1)).status == 404


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; Charset=utf-8"])
def test_utf_8_need_not_be_said(content_type: str) -> None:
    """It is what JSON is written in."""
    headers = {**HEADERS, "content-type": content_type}
    assert answer(event("pageViewed"), headers=headers).status == 200


def test_only_the_right_key_is_good_if_one_is_named() -> None:
    """Whatever the user's name; without one, any key is."""
    strict = EsputnikSandbox(1, api_key="right")
    for pair, status in (("a:right", 200), ("b:right", 200), ("a:wrong", 401), ("a:right2", 401)):
        headers = {**HEADERS, "authorization": basic(pair)}
        assert strict.answer(asked(event("pageViewed"), headers=headers)).status == status


@pytest.mark.parametrize("version", [1, 2])
def test_the_account_is_told_to_whoever_has_the_key(version: int) -> None:
    """And nothing is stored."""
    sandbox = EsputnikSandbox(1 if version == 1 else 2, api_key="right")
    ask = SandboxRequest("GET", "/api/v1/account/info", {"authorization": basic("api:right")}, b"", 0)
    told = sandbox.answer(ask)
    assert (told.status, told.accepted, told.refused) == (200, (), None)
    assert json.loads(told.body)
    assert sandbox.answer(msgspec.structs.replace(ask, headers={})).status == 401


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"null", b"{}", b"{", b"\xff", b"[" * 10_000, b'"text"'),
        event(""),
        event(" "),
        {**event("pageViewed"), "unknown": 1},
        {**event("pageViewed"), "params": {}},
        {**event("pageViewed"), "params": None},
        {**event("pageViewed"), "params": [["email", "e@example.com"]]},
        {**event("pageViewed"), "params": [{"name": "email"}]},
        {**event("pageViewed"), "params": [{"name": "email", "value": "e@example.com", "type": "x"}]},
        {**event("pageViewed"), "params": [{"name": "email", "value": None}]},
        {**event("pageViewed"), "eventTypeKey": 1},
        event("pageViewed", {"": "x"}),
        event("pageViewed", {"x" * 101: "x"}),
        *(event("pageViewed", {"x": value}) for value in (None, 1.5, True, ["a"], {"a": 1})),
        event("pageViewed", key_value=1),
        event("pageViewed", key_value=" "),
        event("pageViewed", key_value="x" * 301),
        event("pageViewed", {"email": "x" * 301}),
    ],
)
def test_what_can_not_be_read_is_refused(version: int, body: Any) -> None:
    """400 and free text."""
    refused = answer(body, version)
    assert refused.status == 400
    assert refused.body
    assert refused.headers["Content-Type"] == "text/plain"
    assert not refused.accepted


def test_the_older_method_takes_text_alone() -> None:
    """And wants a key; the newer one takes whole numbers and finds the key itself."""
    assert answer(event("pageViewed", {"n": 1})).refused == "bad_param_value"
    assert answer(event("pageViewed", {"n": 1}), 2).accepted
    assert answer(event("pageViewed", key_value=...)).refused == "no_key_value"
    assert answer(event("pageViewed", key_value=...), 2).accepted


def test_an_event_of_nobody_is_refused() -> None:
    """The newer method says so; a cookie is nobody."""
    nobody = dict.fromkeys(WHO, ...) | {"anonymousId": "a1"}
    assert answer(event("pageViewed", nobody, key_value=...), 2).refused == "no_identifier"


@pytest.mark.parametrize("character", "<>;,'’\"`\\/|^?!")
def test_an_identifier_holds_no_forbidden_character(character: str) -> None:
    """As the key or as any of the params."""
    for name in WHO:
        refused = answer(event("pageViewed", {name: f"a{character}b"}))
        assert (refused.status, refused.refused) == (400, "forbidden_character")
    assert answer(event("pageViewed", key_value=f"a{character}b")).refused == "forbidden_character"
    assert dropped("pageViewed", {"note": f"a{character}b"}) is None


# ── what is dropped in silence ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("version", "key"),
    [
        *((1, key) for key in ("searchRequest", "productImpressions", "productAddedToWishlist")),
        *((2, key) for key in ("orderCreated", "orderUpdated", "orderDelivered", "orderCancelled")),
        *((2, key) for key in ("ProductPage", "StatusCart", "CustomerData", "MainPage", "PageViewed")),
        *((1, key) for key in ("OrderCreated", "PurchasedItems", "x", " pageViewed")),
    ],
)
def test_a_word_that_is_no_event_type_makes_a_new_one(version: int, key: str) -> None:
    """In the customer's account, with 200; so it must never be built from data."""
    body = event("pageViewed") | {"eventTypeKey": key}
    answered = answer(body, version)
    assert (answered.status, [why for _, why in answered.ignored]) == (200, ["unknown_event_type_key"])
    assert not answered.accepted


@pytest.mark.parametrize(
    ("key", "name"),
    [
        *(
            (key, name)
            for key in ("orderCreated", "orderUpdated")
            for name in ("externalOrderId", "totalCost")
        ),
        *((key, name) for key in ("orderCreated", "orderUpdated") for name in ("status", "date")),
        *(
            ("orderDelivered", "externalOrderId"),
            ("orderCancelled", "externalOrderId"),
            ("pageViewed", "page"),
        ),
        *(("productViewed", "product"), ("productCategoryViewed", "category"), ("cartUpdated", "products")),
        *(("cartUpdated", "recycleStateId"), ("productImpressions", "recomVariantId")),
        *(
            ("productImpressions", "products"),
            ("productAddedToWishlist", "product"),
            ("searchRequest", "search"),
        ),
    ],
)
def test_without_a_required_param_an_event_is_dropped(key: str, name: str) -> None:
    """Absent or blank."""
    for value in (..., "", " "):
        assert dropped(key, {name: value}) == f"missing_param:{name}"


@pytest.mark.parametrize("key", GOOD)
def test_no_param_is_blank(key: str) -> None:
    """Absent is absent."""
    assert dropped(key, {"campaign": " "}) == "blank_param:campaign"


@pytest.mark.parametrize("key", GOOD)
def test_no_name_comes_twice(key: str) -> None:
    """Which of the two counts is anybody's guess."""
    body = event(key)
    body["params"].append(body["params"][-1])
    answered = answer(body, version_of(key))
    assert answered.ignored[0][1] == f"duplicate_param:{body['params'][-1]['name']}"


LINE = '{"externalItemId":"1","name":"n","quantity":1,"cost":1}'
BAD_ITEMS = [
    *(
        "[]",
        "{}",
        "null",
        "text",
        LINE,
        f"[{LINE}]]",
        f"[{LINE},{{}}]",
        "[[]]",
        f'[{LINE[:-1]},"unknown":1}}]',
    ),
    *(f"[{LINE.replace(old, new)}]" for old, new in (('"1"', "1"), ('"1"', '""'), ('"n"', "null"))),
    *(
        f"[{LINE.replace(chr(34) + 'quantity' + chr(34) + ':1', q)}]"
        for q in ('"quantity":0', '"quantity":-1')
    ),
    *(f"[{LINE.replace(chr(34) + 'quantity' + chr(34) + ':1', q)}]" for q in ('"quantity":"1"', '"x":1')),
    *(
        f"[{LINE.replace('cost' + chr(34) + ':1', 'cost' + chr(34) + c)}]"
        for c in (":-1", ':"1"', ":true", ":NaN")
    ),
    *(
        f"[{LINE.replace('cost' + chr(34) + ':1', 'cost' + chr(34) + c)}]"
        for c in (":1e3", ":[1]", ":null", ":01")
    ),
    *(f'[{LINE[:-1]},"category":{value}}}]' for value in ('""', "1", '["a"]', '{"a":1}', "null")),
]
BAD_PRODUCTS = [
    *("[]", "null", "{}", '{"price":1}', '{"productId":"A"}', '{"productId":"A","price":1}]}', "text"),
    *('{"productId":1,"price":1}', '{"productId":" ","price":1}', '{"productId":"A","price":"1"}'),
    *('{"productId":"A","price":-1}', '{"productId":"A","price":1E2}', '{"productId":"A","price":null}'),
    *(f'{{"productId":"A","price":1,"isInStock":{value}}}' for value in ("2", "true", '"1"', "1.0", "null")),
    *(f'{{"productId":"A","price":1,"colour":{value}}}' for value in ('"red"', "[]", "[1]", '[""]', "null")),
]
BAD: list[tuple[str, str, Any]] = [
    *(("orderCreated", "totalCost", value) for value in ("-1", "1,5", "1e3", "1.", ".5", "258 UAH", "١")),
    *(("orderCreated", name, "-1") for name in ("shipping", "discount", "taxes")),
    *(("orderCreated", "status", value) for value in ("initialized", "NEW", "DELIVERED ")),
    *(
        ("orderCreated", "date", value)
        for value in ("2020-05-14", "2020-05-14T10:11:00Z", "2020-02-30T10:11:00")
    ),
    *(("orderCreated", "date", value) for value in ("2020-05-14T10:11:00+03:00", "2020-05-14T10:11:00.000")),
    *(
        ("orderCreated", "date", value)
        for value in ("2020-05-14 10:11:00", "14.05.2020", "0000-01-01T00:00:00")
    ),
    *(("orderUpdated", "currency", value) for value in ("uah", "UAHN", "₴")),
    *(("orderCreated", "source", value) for value in ("store", "Offline")),
    *(("orderCreated", "recycleStateId", value) for value in ("a_b", "кошик", "a" * 301)),
    *(("orderCreated", "items", value) for value in BAD_ITEMS),
    *(("orderCreated", "products", f'{{"array":{value}}}') for value in ("[]", "{}", "[{}]")),
    *(("orderCreated", "products", value) for value in (ITEMS, "{}", f'{{"array":{ITEMS},"x":1}}')),
    *(("orderCreated", "products", f'{{"array":[{LINE[:-1]},"x":{v}}}]}}') for v in ('"red"', "[1]", "[]")),
    *(("orderDelivered", "status", value) for value in ("delivered", "GONE")),
    *(("pageViewed", "page", value) for value in ("https://example.com", "{}", '{"location":""}', "[]", "{")),
    *(
        ("pageViewed", "page", value)
        for value in ('{"location":"/sale"}', '{"location":"//x"}', '{"location":1}')
    ),
    *(("pageViewed", "page", value) for value in ('{"location":"a:b","title":"x"}', '{"url":"https://x"}')),
    *(
        (key, "product", value)
        for key in ("productViewed", "productAddedToWishlist")
        for value in BAD_PRODUCTS
    ),
    *(("productAddedToWishlist", "product", f"[{PRODUCT}]"),),
    *(("productViewed", "currencyCode", value) for value in ("usd", "US")),
    *(("productCategoryViewed", "category", value) for value in ("Mugs", "{}", '{"productCategoryId":""}')),
    *(("productCategoryViewed", "category", value) for value in ('{"productCategoryId":"a","name":"b"}',)),
    *(("cartUpdated", "products", value) for value in ("{}", "null", '{"array":[]}', "[{}]", "[1]", "text")),
    *(
        ("cartUpdated", "products", f'[{{"productId":"A","quantity":{q},"price":1}}]')
        for q in ("0", "-1", '"1"')
    ),
    *(
        ("cartUpdated", "products", f'[{{"productId":"A","price":1,"quantity":1,{m}}}]')
        for m in ('"discount":5',)
    ),
    *(
        ("cartUpdated", "products", f'[{{"productId":"A","price":1,"quantity":1,{m}}}]')
        for m in ('"name":""',)
    ),
    *(("cartUpdated", "products", value) for value in ('[{"productId":"A","quantity":1}]', '[{"price":1}]')),
    *(("cartUpdated", "recycleStateId", value) for value in ("a_b", "a b", "a" * 301)),
    *(("productImpressions", "recomVariantId", value) for value in ("12", "r12", "v3", "R12V3", "r12v")),
    *(("productImpressions", "products", value) for value in ("[]", "[{}]", '[{"productId":"A","price":1}]')),
    *(("searchRequest", "isFound", value) for value in ("0", "1", 2, -1)),
]


@pytest.mark.parametrize(("key", "name", "value"), BAD)
def test_a_param_of_the_wrong_form_drops_the_event(key: str, name: str, value: Any) -> None:
    """Inner JSON that does not parse, a member missing or unknown, a number as text: 200, nothing stored."""
    assert dropped(key, {name: value}) == f"bad_param:{name}"


def test_the_newer_method_knows_no_quantity_of_a_viewed_product() -> None:
    """The older one does; elsewhere a free property is a list of texts."""
    product = {"product": '{"productId":"A","price":1,"quantity":2}'}
    assert answer(event("productViewed", product), 1).accepted
    assert answer(event("productViewed", product), 2).ignored[0][1] == "bad_param:product"


@pytest.mark.parametrize(
    ("changes", "key_value"),
    [
        *(({"email": value}, "AV13760") for value in ("olena", "a@b", "a@@b.example", "a b@c.example")),
        *(
            ({"phone": value}, "AV13760")
            for value in ("0501234567", "1234", "1234567890123456", "+380501234567")
        ),
        ({}, "somebody else"),
        ({}, "E@example.com"),
    ],
)
def test_an_identifier_that_nobody_has_is_not_recognised(changes: dict[str, Any], key_value: str) -> None:
    """One of no form, or a key that is none of the identifiers."""
    assert dropped("pageViewed", changes, key_value=key_value) == "identifier_not_recognised"


def test_an_order_belongs_to_somebody() -> None:
    """A contact id or a push token is not enough."""
    for alone in ("contactId", "pushToken"):
        changes = dict.fromkeys(WHO, ...) | {alone: "1"}
        assert dropped("orderCreated", changes, key_value="1") == "no_contact_identifier"
        assert dropped("pageViewed", changes, key_value="1") is None


def test_events_are_stored_for_contacts_that_exist() -> None:
    """Everybody does, unless the account's contacts are named."""
    sandbox = EsputnikSandbox(1, contacts={"380501234567"})
    assert answer(event("orderCreated"), stand_in=sandbox).accepted
    stranger = answer(event("orderCreated", {"phone": ...}), stand_in=sandbox)
    assert (stranger.status, stranger.ignored[0][1]) == (200, "contact_unknown")


def test_an_event_type_can_be_switched_off_in_the_account() -> None:
    """Segmentation is a switch for each."""
    sandbox = EsputnikSandbox(1, switched_off={"orderCreated"})
    assert answer(event("orderCreated"), stand_in=sandbox).ignored[0][1] == "event_type_switched_off"
    assert answer(event("orderUpdated"), stand_in=sandbox).accepted


def test_an_account_can_check_params() -> None:
    """Then a fault is said aloud, with what was expected."""
    sandbox = EsputnikSandbox(1, validated={"orderCreated"}, orders=KNOWN)
    refused = answer(event("orderCreated", {"date": ...}), stand_in=sandbox)
    assert (refused.status, refused.refused) == (400, "validation")
    assert b"externalOrderId, totalCost, status, date" in refused.body
    assert answer(event("orderCreated"), stand_in=sandbox).accepted
    assert answer(event("orderUpdated", {"date": ...}), stand_in=sandbox).ignored
    stranger = EsputnikSandbox(1, validated={"orderCreated"}, contacts=())
    assert answer(event("orderCreated"), stand_in=stranger).ignored[0][1] == "contact_unknown"


# ── orders that must be there ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", ["orderDelivered", "orderCancelled"])
@pytest.mark.parametrize("first", ["orderCreated", "orderUpdated"])
def test_a_status_changes_of_an_order_that_is_there(first: str, key: str) -> None:
    """Created or updated before; unknown, the change is dropped in silence."""
    sandbox = EsputnikSandbox(1)
    early = answer(event(key), stand_in=sandbox)
    assert (early.status, [why for _, why in early.ignored]) == (200, ["order_unknown"])
    assert answer(event(first), stand_in=sandbox).accepted
    assert answer(event(key), stand_in=sandbox).accepted


def test_an_order_that_comes_after_its_end_shows_that_order_was_lost() -> None:
    """What was dropped is said again with another reason, once; that an update comes shows nothing, as the
    traffic may begin in the middle of an order's life."""
    sandbox = EsputnikSandbox(1)
    (name, _), *_ = answer(event("orderDelivered"), stand_in=sandbox).ignored
    (again, _), *_ = answer(event("orderCancelled"), stand_in=sandbox).ignored
    created = answer(event("orderCreated"), stand_in=sandbox)
    assert len(created.accepted) == 1
    assert created.ignored == [(name, "order_came_later"), (again, "order_came_later")]
    assert answer(event("orderCreated"), stand_in=sandbox).ignored == []
    sandbox = EsputnikSandbox(1)
    answer(event("orderDelivered"), stand_in=sandbox)
    assert answer(event("orderUpdated"), stand_in=sandbox).ignored == []


def test_a_dropped_order_is_not_there() -> None:
    """What was not stored is not known."""
    sandbox = EsputnikSandbox(1)
    answer(event("orderCreated", {"date": ...}), stand_in=sandbox)
    assert answer(event("orderDelivered"), stand_in=sandbox).ignored[0][1] == "order_unknown"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest orders are forgotten first."""
    monkeypatch.setattr("connector.vendors.esputnik.sandbox.ORDERS_MAX", 2)
    sandbox = EsputnikSandbox(1)
    for order_id in "abc":
        answer(event("orderCreated", {"externalOrderId": order_id}), stand_in=sandbox)
    known = [
        bool(answer(event("orderDelivered", {"externalOrderId": order_id}), stand_in=sandbox).accepted)
        for order_id in "abcxyza"
    ]
    assert known == [False, True, True, False, False, False, False]


# ── names and injected faults ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", GOOD)
def test_an_event_is_named_without_being_judged(key: str) -> None:
    """The same name as in the answer, also of one that is refused."""
    request = asked(event(key), version_of(key))
    sandbox = EsputnikSandbox(1 if key in V1 else 2, orders=KNOWN)
    assert list(sandbox.ids(request)) == [name for name, _ in sandbox.answer(request).accepted]
    assert len(sandbox.ids(asked(event(key, key_value="a/b")))) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"params":[]}', b'{"eventTypeKey":"x","params":1}']
)
def test_what_can_not_be_read_has_no_name(body: bytes) -> None:
    """Faults can't aim at it."""
    assert EsputnikSandbox(1).ids(asked(body)) == ()


def test_injected_faults_have_the_vendors_form() -> None:
    """Free text; a throttled client may be told when to come again."""
    sandbox = EsputnikSandbox(2)
    throttled = sandbox.throttled(7)
    assert (throttled.status, throttled.headers["Retry-After"]) == (429, "7")
    for status in (400, 403, 500, 503):
        failed = sandbox.failed(status)
        assert (failed.status, failed.refused) == (status, "injected")
        assert failed.body
    assert sandbox.failed(401).body == b""


@given(st.binary(max_size=200))
def test_no_body_is_too_odd(body: bytes) -> None:
    """Whatever arrives is answered."""
    for version in (1, 2):
        answered = answer(body, version)
        assert answered.status in (200, 400)


@given(st.sampled_from(sorted(GOOD)), st.text(max_size=30), st.text(max_size=30))
def test_no_value_is_too_odd(key: str, name: str, value: str) -> None:
    """Nor is any name."""
    for changes in ({name: value}, dict.fromkeys(GOOD[key], value)):
        assert answer(event(key, changes), version_of(key)).status in (200, 400)
