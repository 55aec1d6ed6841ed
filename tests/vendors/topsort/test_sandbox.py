"""The stand-in refuses what the vendor refuses: every constraint of the schema and every known trap."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.vendors.contract import SandboxAnswer, SandboxRequest
from connector.vendors.topsort.sandbox import TopsortSandbox

NOW_MS = 1_795_010_600_000  # 2026-11-18T14:03:20Z

GOOD: dict[str, Any] = {
    "impressions": [
        {
            "id": "i-1",
            "occurredAt": "2026-11-18T16:03:07.123+02:00",
            "opaqueUserId": "u-1",
            "resolvedBidId": "bid-1",
            "additionalAttribution": {"id": "v-1", "type": "vendor"},
            "placement": {
                "path": "/c",
                "position": 1,
                "page": 1,
                "pageSize": 24,
                "productId": "sku-1",
                "categoryIds": ["c-1"],
                "searchQuery": "lamp",
            },
            "deviceType": "desktop",
            "channel": "onsite",
        }
    ],
    "clicks": [
        {
            "id": "c-1",
            "occurredAt": "2026-11-18T14:03:07Z",
            "opaqueUserId": "u-1",
            "entity": {"id": "sku-1", "type": "product"},
            "object": {"type": "listing", "clickType": "add-to-cart"},
            "externalCampaignId": "x-1",
            "externalVendorId": "v-1",
            "deviceType": "mobile",
            "channel": "offsite",
        }
    ],
    "purchases": [
        {
            "id": "p-1",
            "occurredAt": "2026-11-18T10:33:07.000-03:30",
            "opaqueUserId": "u-1",
            "items": [{"productId": "sku-1", "unitPrice": 12.95, "quantity": 2, "vendorId": "v-1"}],
            "channel": "instore",
        }
    ],
    "pageviews": [
        {
            "id": "v-1",
            "occurredAt": "2026-11-18T14:03:07Z",
            "opaqueUserId": "u-1",
            "page": {"type": "cart", "pageId": "/cart", "value": ["sku-1", "sku-2"]},
        }
    ],
}

HEADERS = {"authorization": "Bearer key", "content-type": "application/json"}


def asked(body: Any, **changes: Any) -> SandboxRequest:
    """A request with this body, otherwise faultless but for the changes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return msgspec.structs.replace(SandboxRequest("POST", "/v2/events", HEADERS, raw, NOW_MS), **changes)


def answer(body: Any, **changes: Any) -> SandboxAnswer:
    return TopsortSandbox().answer(asked(body, **changes))


def code(answered: SandboxAnswer) -> str:
    """The `errCode` of an error body in either of its forms."""
    body = json.loads(answered.body)
    error = body[0] if isinstance(body, list) else body
    assert set(error) == {"errCode", "docUrl", "message"}
    return str(error["errCode"])


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good body with one member set (or, given `...`, removed)."""
    body = deepcopy(GOOD)
    *parents, last = path.split(".")
    holder: Any = body
    for name in parents:
        holder = holder[0][name] if isinstance(holder, list) else holder[name]
    holder = holder[0] if isinstance(holder, list) else holder
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return body


def test_good_events_are_taken() -> None:
    """Every member at its best: 204, no body, every id accepted."""
    taken = answer(GOOD)
    assert (taken.status, taken.body, taken.refused) == (204, b"", None)
    assert [each for each, key in taken.accepted if key is None] == ["i-1", "c-1", "p-1", "v-1"]
    assert not taken.ignored


@pytest.mark.parametrize("array", GOOD)
def test_one_array_is_enough(array: str) -> None:
    """Any of the four alone, with 1 to 50 records."""
    for count in (1, 50):
        records = [{**GOOD[array][0], "id": f"r-{n}"} for n in range(count)]
        assert len(answer({array: records}).accepted) == count


def test_an_optional_member_may_be_absent() -> None:
    """Only what the schema requires is required."""
    optional = (
        *("impressions.placement", "impressions.additionalAttribution", "impressions.deviceType"),
        *("impressions.placement.position", "impressions.placement.page", "impressions.placement.pageSize"),
        *("impressions.placement.productId", "impressions.placement.categoryIds", "clicks.object.clickType"),
        *("impressions.placement.searchQuery", "impressions.channel", "clicks.object"),
        *("clicks.externalCampaignId", "clicks.externalVendorId", "purchases.items.quantity"),
        *("purchases.items.vendorId", "pageviews.page.value"),
    )
    for path in optional:
        assert answer(changed(path, ...)).status == 204, path


def test_a_repeated_id_is_no_error() -> None:
    """Ids are idempotency keys: a resend is accepted again, and whoever counts must count it once."""
    twice = {"clicks": [GOOD["clicks"][0], GOOD["clicks"][0]]}
    assert answer(twice).accepted == [("c-1", None), ("c-1", None)]
    assert answer(GOOD).accepted == answer(GOOD).accepted


REFUSED: list[tuple[str, Any]] = [
    # required members
    *((f"{array}.{name}", ...) for array in GOOD for name in ("id", "occurredAt", "opaqueUserId")),
    *(("impressions.placement.path", ...), ("clicks.entity.id", ...), ("clicks.entity.type", ...)),
    *(("clicks.object.type", ...), ("purchases.items", ...), ("pageviews.page", ...)),
    *(("purchases.items.productId", ...), ("purchases.items.unitPrice", ...)),
    *(("pageviews.page.type", ...), ("pageviews.page.pageId", ...)),
    # nothing empty, nothing null
    *((f"{array}.{name}", "") for array in GOOD for name in ("id", "opaqueUserId", "occurredAt")),
    *((f"{array}.deviceType", None) for array in GOOD),
    *((array, None) for array in GOOD),
    *(("impressions.resolvedBidId", None), ("clicks.entity", None), ("impressions.placement", None)),
    *(("impressions.placement.path", ""), ("impressions.placement.productId", "")),
    *(("impressions.placement.categoryIds", []), ("impressions.placement.categoryIds", [""])),
    *(("impressions.placement.searchQuery", ""), ("purchases.items", []), ("purchases.items.vendorId", "")),
    *(("purchases.items.productId", ""), ("clicks.entity.id", ""), ("pageviews.page.value", [])),
    # one unknown member
    *((f"{array}.{name}", "x") for array in GOOD for name in ("userId", "orderId", "sessionId", "currency")),
    *(("impressions.placement.location", "grid"), ("impressions.placement.categoryId", "c-1")),
    *(("clicks.dsp_metadata", {}), ("impressions.clickType", "product"), ("clicks.entity.name", "Lamp")),
    *(("purchases.page", GOOD["pageviews"][0]["page"]), ("purchases.resolvedBidId", "bid-1")),
    *(("purchases.placement", {"path": "/"}), ("pageviews.placement", {"path": "/"})),
    *(("pageviews.entity", {"id": "a", "type": "product"}), ("pageviews.resolvedBidId", "bid-1")),
    *(("purchases.items.currency", "EUR"), ("purchases.items.total", 1), ("conversions", [])),
    # words
    *(("clicks.deviceType", "tablet"), ("clicks.channel", "app"), ("pageviews.page.type", "pdp")),
    *(("pageviews.page.type", "product"), ("clicks.entity.type", "brand"), ("clicks.object.type", "ad")),
    *(("clicks.clickType", "add_to_cart"), ("clicks.object.clickType", "purchase_now")),
    # numbers
    *(("impressions.placement.position", value) for value in (0, -1, 1.5, "1", True)),
    *(("impressions.placement.page", 0), ("impressions.placement.pageSize", 0)),
    *(("purchases.items.unitPrice", value) for value in (0, -1, "12.95", None, True)),
    *(("purchases.items.quantity", value) for value in (0, -1, 0.45, 1.5, "1", None, 2**63)),
    # kinds
    *(("clicks", {}), ("impressions.placement", "/c"), ("clicks.id", 1), ("pageviews.page.value", 1)),
    # meaning
    ("clicks.additionalAttribution", {"id": "a", "type": "product"}),  # organic
    ("pageviews.page", {"type": "category", "pageId": "/c", "value": ["c-1"]}),  # a list is for carts
    *(("impressions.resolvedBidId", value) for value in ("", " ", "null", "undefined", "None")),
]


@pytest.mark.parametrize(("path", "value"), REFUSED, ids=[f"{path}={value!r}" for path, value in REFUSED])
def test_one_fault_refuses_the_whole_request(path: str, value: Any) -> None:
    """All or nothing: no id of the request is accepted, and the answer names no record."""
    refused = answer(changed(path, value))
    assert refused.status == 400
    assert refused.refused == code(refused)
    assert not refused.accepted
    assert not refused.ignored


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-18T14:03:07",  # no offset
        "2026-11-18 14:03:07Z",
        "2026-11-18T14:03:07+0200",
        "2026-11-18T14:03Z",
        "2026-11-18",
        "2026-13-18T14:03:07Z",
        "2026-02-30T14:03:07Z",
        "2026-11-18T25:03:07Z",
        "1795010587123",
        "20261118T140307Z",
        "２026-11-18T14:03:07Z",
        1_795_010_587_123,
    ],
)
def test_a_time_must_be_rfc3339_with_offset(value: Any) -> None:
    """Nothing else, and no impossible date."""
    assert code(answer(changed("clicks.occurredAt", value))) == "bad_request"


def test_one_future_event_fails_all() -> None:
    """Even by a millisecond; the present is no future."""
    future = changed("clicks.occurredAt", "2026-11-18T16:03:20.001+02:00")
    assert code(answer(future)) == "invalid_event_time"
    assert answer(changed("clicks.occurredAt", "2026-11-18T16:03:20.000+02:00")).status == 204
    assert answer(future, now_ms=NOW_MS + 1).status == 204


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("purchases.items", [], "no_purchase_items"),
        ("purchases.items.productId", ..., "missing_product_id"),
        ("purchases.items.quantity", 0, "purchase_item_quantity_less_or_equal_than_zero"),
        ("impressions.resolvedBidId", "null", "resolved_bid_id_not_found"),
        ("impressions.placement.path", ..., "bad_request"),
    ],
)
def test_known_faults_have_the_vendors_codes(path: str, value: Any, expected: str) -> None:
    """What the vendor has a word for is told in that word."""
    assert code(answer(changed(path, value))) == expected


@pytest.mark.parametrize("body", [{}, {"clicks": []}, {"impressions": [], "pageviews": []}])
def test_a_request_without_events_is_empty(body: dict[str, Any]) -> None:
    """Which is how a probe is answered."""
    assert code(answer(body)) == "empty_request"


def test_an_array_holds_1_to_50() -> None:
    """51 are too many, and an empty one beside a full one is what the seed refuses."""
    clicks = [{**GOOD["clicks"][0], "id": f"c-{n}"} for n in range(51)]
    assert answer({"clicks": clicks}).status == 400
    assert answer({**GOOD, "clicks": []}).status == 400


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"{", b"{},", b'{"clicks":[{"id":"\\ud800"}]}', b'{"clicks":[{"id":"\xff"}]}'),
        b'{"pageviews":[{"page":{"x":' + b"[" * 60_000,
    ],
)
def test_what_is_no_json_is_told_so(body: bytes) -> None:
    """Broken text, broken characters, bottomless nesting."""
    assert code(answer(body)) == "invalid_json"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"path": "/v1/events"}, 404),
        ({"path": "/"}, 404),
        ({"method": "GET"}, 405),
        ({"method": "PUT"}, 405),
        ({"headers": {"content-type": "application/json"}}, 401),
        ({"headers": {**HEADERS, "authorization": "key"}}, 401),
        ({"headers": {**HEADERS, "authorization": "Bearer "}}, 401),
        ({"headers": {**HEADERS, "authorization": "Basic a2V5"}}, 401),
        ({"headers": {"authorization": "Bearer key"}}, 415),
        ({"headers": {**HEADERS, "content-type": "text/plain"}}, 415),
        ({"headers": {**HEADERS, "content-encoding": "gzip"}}, 415),
    ],
)
def test_the_door_is_guarded(changes: dict[str, Any], status: int) -> None:
    """Address, method, key and form come before the events."""
    refused = answer(GOOD, **changes)
    assert refused.status == status
    assert refused.refused
    assert not refused.accepted


def test_a_body_has_a_limit() -> None:
    """What we promised never to send is not taken: good events, blanks, and one byte too many."""
    body = json.dumps(GOOD).encode()
    assert answer(body.ljust(900_000)).status == 204
    assert answer(body.ljust(900_001)).status == 413


def test_a_wrong_key_is_told_from_a_good_one() -> None:
    """When the stand-in knows the key."""
    sandbox = TopsortSandbox(api_key="key")
    assert sandbox.answer(asked(GOOD)).status == 204
    refused = sandbox.answer(asked(GOOD, headers={**HEADERS, "authorization": "Bearer other"}))
    assert refused.status == 401
    assert code(refused) == "invalid_api_key"


def test_a_content_type_may_have_parameters() -> None:
    """`application/json; charset=utf-8` is JSON too."""
    assert answer(GOOD, headers={**HEADERS, "content-type": "Application/JSON; charset=utf-8"}).status == 204


def test_what_means_nothing_is_ignored_not_refused() -> None:
    """A record with neither token nor entity passes the schema and is lost."""
    body = changed("clicks.entity", ...)
    lost = answer(body)
    assert lost.status == 204
    assert [each for each, _ in lost.ignored] == ["c-1"]
    assert "c-1" not in dict(lost.accepted)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("impressions.entity", {"id": "sku-1", "type": "product"}),  # silently ignored beside a token
        ("clicks.clickType", "like"),
        ("impressions.placement.path", "/c?q=1"),
        ("clicks.object.surprise", 1),
        ("pageviews.page.surprise", 1),
        ("clicks.object", {"type": "banner", "assetId": "a-1"}),
        ("clicks.page", {"type": "home", "pageId": "/"}),
    ],
)
def test_traps_that_the_vendor_does_not_catch_are_not_caught(path: str, value: Any) -> None:
    """The stand-in is strict, not stricter than the documents."""
    assert answer(changed(path, value)).status == 204


def test_errors_come_in_both_documented_forms() -> None:
    """The page says an array, the schema an object; which one depends on the request's bytes alone."""
    forms = {type(json.loads(answer(b"{" + b" " * n).body)) for n in range(20)}
    assert forms == {list, dict}


def test_ids_are_read_without_judging() -> None:
    """For faults that aim at an id; nothing is read from what can't be read."""
    sandbox = TopsortSandbox()
    assert sandbox.ids(asked(GOOD)) == ["i-1", "c-1", "p-1", "v-1"]
    assert sandbox.ids(asked(b"{")) == ()


def test_throttling_carries_the_vendors_headers() -> None:
    """All three, with the wait in the last."""
    headers = TopsortSandbox().throttled(2.5).headers
    assert headers["X-RateLimit-Reset"] == "2.5"
    assert {"X-RateLimit-Limit", "X-RateLimit-Remaining"} < headers.keys()


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.text(max_size=4), st.lists).map(msgspec.json.encode)
)
def test_no_body_breaks_the_stand_in(body: bytes) -> None:
    """Whatever arrives is answered."""
    assert answer(body).status == 400
