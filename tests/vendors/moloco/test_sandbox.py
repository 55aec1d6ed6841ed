"""The stand-in refuses what Moloco refuses, loses what Moloco loses, and throttles whom Moloco throttles."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.vendors.contract import SandboxAnswer, SandboxRequest
from connector.vendors.moloco.sandbox import MolocoSandbox

NOW_MS = 1_795_010_600_000
PATH = "/rmp/event/v1/platforms/SHOP_TEST/userevents"
HEADERS = {"x-api-key": "key", "content-type": "application/json"}

GOOD: dict[str, Any] = {
    "id": "e-1",
    "event_type": "PURCHASE",
    "timestamp": "1795010587123",
    "channel_type": "APP",
    "domain": "shop.example",
    "user_id": "c-1",
    "custom_id": "s-1",
    "device": {
        "os": "ios",
        "os_version": "18.1",
        "model": "iPhone16,2",
        "ua": "UA",
        "language": "en",
        "persistent_id": "d-1",
    },
    "items": [
        {
            "id": "sku-1",
            "item_group_id": "p-1",
            "price": {"currency": "EUR", "amount": 12.95},
            "quantity": 2,
            "seller_id": "s-1",
        }
    ],
    "revenue": {"currency": "EUR", "amount": 25.9},
    "shipping_charge": {"currency": "JPY", "amount": 0},
    "search_query": "lamp",
    "page_id": "PAGE",
    "referrer_page_id": "BEFORE",
    "decision_track_id": "trk-1",
    "personalization_mode": "METRIC_ONLY",
}
SMALL = {
    "id": "e-2",
    "event_type": "HOME",
    "timestamp": "1795010587123",
    "channel_type": "SITE",
    "user_id": "c-1",
}


def asked(body: Any, **changes: Any) -> SandboxRequest:
    """A request with this body, otherwise faultless but for the changes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return msgspec.structs.replace(SandboxRequest("POST", PATH, HEADERS, raw, NOW_MS), **changes)


def answer(body: Any, **changes: Any) -> SandboxAnswer:
    return MolocoSandbox("SHOP_TEST").answer(asked(body, **changes))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good event with one member set (or, given `...`, removed)."""
    body = deepcopy(GOOD)
    *parents, last = path.split(".")
    holder: Any = body
    for name in parents:
        holder = holder[name][0] if isinstance(holder[name], list) else holder[name]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return body


def assert_refused(answered: SandboxAnswer, status: int, word: str | None = None) -> None:
    """Nothing was taken, and the answer has the vendor's form."""
    assert answered.status == status
    assert not answered.accepted
    assert not answered.ignored
    assert answered.refused
    if word is not None:
        assert answered.refused == word
    body = json.loads(answered.body)
    assert body.keys() == {"code", "message", "details"}
    assert isinstance(body["code"], int)
    assert body["message"]
    assert isinstance(body["details"], list)


# ── what is taken ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event", [GOOD, SMALL], ids=["whole", "small"])
def test_a_good_event_is_taken(event: dict[str, Any]) -> None:
    """200 and an empty object."""
    taken = answer(event)
    assert (taken.status, taken.body, taken.refused) == (200, b"{}", None)
    assert taken.accepted == [(event["id"], None)]
    assert not taken.ignored


def test_an_optional_member_may_be_absent() -> None:
    """Only what the server demands is demanded."""
    optional = (
        *("domain", "custom_id", "device.os_version", "device.model", "device.ua", "device.language"),
        *("device.persistent_id", "items.item_group_id", "items.price", "items.quantity"),
        *("items.seller_id", "shipping_charge", "search_query", "page_id", "referrer_page_id"),
        *("decision_track_id", "personalization_mode", "user_id"),
    )
    for path in optional:
        assert answer(changed(path, ...)).accepted, path


@pytest.mark.parametrize("name", ["user_id", "custom_id", "device"])
def test_any_identifier_is_enough(name: str) -> None:
    """A known user, a device, or whatever else stands for somebody."""
    value: Any = {"persistent_id": "d-1"} if name == "device" else "x" * 128
    event = {key: each for key, each in SMALL.items() if key != "user_id"}
    assert answer({**event, name: value}).accepted


def test_lengths_are_taken_up_to_their_bound() -> None:
    """128 characters, whatever they are."""
    for path in ("id", "user_id", "custom_id", "device.persistent_id", "page_id", "referrer_page_id"):
        assert answer(changed(path, "ä" * 128)).accepted, path


def test_an_event_may_be_old_and_may_be_just_now() -> None:
    """No oldest age is published."""
    for at_ms in (1, 946_684_800_000, NOW_MS):
        assert answer(changed("timestamp", str(at_ms))).accepted


def test_deprecated_members_are_still_taken() -> None:
    """The vendor does not want them any more, but knows them."""
    assert answer({**SMALL, "session_id": "s"}).accepted
    assert answer(changed("device.advertising_id", "x")).accepted
    assert answer(changed("device.unique_device_id", "x")).accepted
    assert answer(changed("items.price_seller", {"currency": "EUR", "amount": 1})).accepted


def test_an_os_that_contains_ios_is_one_to_the_vendor() -> None:
    """It looks for the letters, nothing more."""
    for os in ("iOS 18", "KaiOS", "Android", "x-android-y"):
        assert answer(changed("device.os", os)).accepted


def test_a_platform_may_take_purchases_without_revenue() -> None:
    """If it was set up so."""
    lenient = MolocoSandbox("SHOP_TEST", purchases_without_revenue=True)
    assert lenient.answer(asked(changed("revenue", ...))).accepted


# ── what is refused ──────────────────────────────────────────────────────────────────────────────

REFUSED: list[tuple[str, Any, str]] = [
    # documented
    *(("user_id", value, "no_valid_identifier") for value in ("", " ", "null", "Undefined", "x" * 129)),
    *(("user_id", value, "no_valid_identifier") for value in ("INVALID", "nil", "none", "unknown", "0", "-")),
    *(("custom_id", value, "no_valid_identifier") for value in ("anonymous", "Guest", "nan", "n/a", "NA")),
    ("device.persistent_id", "00000000-0000-0000-0000-000000000000", "no_valid_identifier"),
    ("items.id", ..., "item_without_id"),
    *(("timestamp", value, "invalid_timestamp") for value in (str(NOW_MS + 1), "1795010587", "9" * 19)),
    *(("device.os", value, "invalid_device_os") for value in (..., "Windows", "mac")),
    ("device", {"persistent_id": "d-1"}, "invalid_device_os"),
    ("items", ..., "missing_items"),
    ("items", [], "missing_items"),
    ("revenue", ..., "missing_revenue"),
    *(("page_id", value, "missing_page_id") for value in ("", " ")),
    *((name, "x" * 129, "page_id_too_long") for name in ("page_id", "referrer_page_id")),
    # the schema
    *(("timestamp", value, "invalid_argument") for value in (..., 1795010587123, "", "-1", "1.5", "now")),
    *(("event_type", value, "invalid_argument") for value in ("product_view", "", 1, None)),
    *(("channel_type", value, "invalid_argument") for value in ("web", "Site", "")),
    *((name, None, "invalid_argument") for name in GOOD),
    *((name, "", "invalid_argument") for name in ("id", "domain", "decision_track_id", "referrer_page_id")),
    *((f"device.{name}", "", "invalid_argument") for name in ("os", "os_version", "model", "ua", "language")),
    *(("device.language", value, "invalid_argument") for value in ("en-GB", "EN", "eng", "en\n")),
    *((f"items.{name}", "", "invalid_argument") for name in ("id", "item_group_id", "seller_id")),
    *(("items.price", value, "invalid_argument") for value in (12.95, "12.95", {}, {"currency": "EUR"})),
    *(("items.price.amount", value, "invalid_argument") for value in (-0.01, "1", None)),
    *(("revenue.currency", value, "invalid_argument") for value in ("UAH", "eur", "", None)),
    *(("items.quantity", value, "invalid_argument") for value in (0, -1, 0.75, "1", 2**31)),
    ("id", "x" * 129, "invalid_argument"),
    ("personalization_mode", "UNKNOWN", "invalid_argument"),
    *((name, 1, "invalid_argument") for name in ("device", "items", "revenue", "user_id")),
]


@pytest.mark.parametrize(
    ("path", "value", "word"), REFUSED, ids=[f"{path}={str(value)[:20]!r}" for path, value, _ in REFUSED]
)
def test_one_fault_refuses_the_event(path: str, value: Any, word: str) -> None:
    """400 with a message; nothing of it is kept."""
    assert_refused(answer(changed(path, value)), 400, word)


@pytest.mark.parametrize("event_type", ["ITEM_PAGE_VIEW", "ADD_TO_CART", "ADD_TO_WISHLIST", "PURCHASE"])
def test_some_events_need_items(event_type: str) -> None:
    """The schema alone does not say so; the server does."""
    event = {**SMALL, "event_type": event_type, "revenue": GOOD["revenue"]}
    assert_refused(answer(event), 400, "missing_items")
    assert answer({**event, "items": [{"id": "sku-1"}]}).accepted


@pytest.mark.parametrize("query", [..., "", "  "])
def test_a_search_needs_its_query(query: Any) -> None:
    """Documented."""
    event = {**SMALL, "event_type": "SEARCH"} | ({} if query is ... else {"search_query": query})
    assert_refused(answer(event), 400, "missing_search_query")
    assert answer({**event, "search_query": "lamp"}).accepted


def test_a_page_view_needs_its_page() -> None:
    """Documented; other events may go without."""
    assert_refused(answer({**SMALL, "event_type": "PAGE_VIEW"}), 400, "missing_page_id")
    assert answer({**SMALL, "event_type": "PAGE_VIEW", "page_id": "P"}).accepted
    assert answer({**SMALL, "event_type": "LAND"}).accepted


def test_an_event_needs_somebody() -> None:
    """Whatever the personalisation mode: that it lifts this is not documented."""
    nobody = {key: value for key, value in SMALL.items() if key != "user_id"}
    for mode in ({}, {"personalization_mode": "ID_LESS"}, {"session_id": "s"}, {"device": {"os": "ios"}}):
        assert_refused(answer({**nobody, **mode}), 400, "no_valid_identifier")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        *((body, "invalid_json") for body in (b"", b"{", b"\xff", b'{"a":', b"[" * 100_000)),
        *((body, "not_an_object") for body in (b"null", b"1", b'"x"')),
        (json.dumps([SMALL]).encode(), "not_an_object"),
    ],
)
def test_a_body_is_one_object(body: bytes, word: str) -> None:
    """There is no batch form."""
    assert_refused(answer(body), 400, word)


# ── the door ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/userevents", PATH + "/", PATH.replace("SHOP_TEST", "OTHER"), PATH.replace("v1", "v2")),
        PATH.replace("SHOP_TEST", "SHOP_TEST/x"),
    ],
)
def test_another_platform_or_path_is_not_found(path: str) -> None:
    """For every event alike."""
    assert_refused(answer(SMALL, path=path), 404, "not_found")


def test_a_platforms_id_is_one_segment_of_the_path() -> None:
    """Escaped as far as it must be."""
    sandbox = MolocoSandbox("SHOP/1 ä")
    path = "/rmp/event/v1/platforms/SHOP%2F1%20%C3%A4/userevents"
    assert sandbox.answer(asked(SMALL, path=path)).accepted
    assert_refused(sandbox.answer(asked(SMALL, path=path.replace("%2F", "/"))), 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_events_are_posted(method: str) -> None:
    """Nothing else is understood."""
    assert_refused(answer(SMALL, method=method), 405)


@pytest.mark.parametrize("headers", [{}, {"x-api-key": " "}, {"authorization": "Bearer key"}])
def test_without_the_key_nobody_enters(headers: dict[str, str]) -> None:
    """It has a header of its own."""
    assert_refused(answer(SMALL, headers={"content-type": "application/json", **headers}), 401)


def test_a_wrong_key_and_a_foreign_platform_are_told_apart() -> None:
    """401 and 403."""
    sandbox = MolocoSandbox("SHOP_TEST", "secret", foreign_platforms=["OTHER"])
    other = PATH.replace("SHOP_TEST", "OTHER")
    right = {**HEADERS, "x-api-key": "secret"}
    assert sandbox.answer(asked(SMALL, headers=right)).accepted
    assert_refused(sandbox.answer(asked(SMALL)), 401)
    assert_refused(sandbox.answer(asked(SMALL, path=other)), 401)
    assert_refused(sandbox.answer(asked(SMALL, path=other, headers=right)), 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "key"},
        {**HEADERS, "content-type": "text/plain"},
        {**HEADERS, "content-encoding": "gzip"},
    ],
)
def test_plain_json_is_all_it_reads(headers: dict[str, str]) -> None:
    """No compression is documented."""
    assert_refused(answer(SMALL, headers=headers), 415)
    assert answer(SMALL, headers={**HEADERS, "content-type": "Application/JSON; charset=utf-8"}).accepted


def test_more_than_we_have_promised_is_too_large() -> None:
    """A million bytes; the vendor publishes no number."""
    filler = "x" * (1_000_000 - len(json.dumps({**SMALL, "decision_track_id": ""})))
    assert answer({**SMALL, "decision_track_id": filler}).accepted
    assert_refused(answer({**SMALL, "decision_track_id": filler + "x"}), 413)


# ── what is taken and lost ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("event", "lost"),
    [
        *(({**SMALL, name: "x"}, f"unknown name {name}") for name in ("event_id", "eventType", "sessionId")),
        (changed("device.osVersion", "18"), "unknown name device.osVersion"),
        (changed("items.name", "Lamp"), "unknown name items.name"),
        (changed("items.price.value", 1), "unknown name items.price.value"),
        (changed("revenue.total", 1), "unknown name revenue.total"),
        (changed("event_type", ...), "UNKNOWN_EVENT_TYPE"),
        (changed("event_type", "UNKNOWN_EVENT_TYPE"), "UNKNOWN_EVENT_TYPE"),
        (changed("channel_type", ...), "UNKNOWN_CHANNEL_TYPE"),
        (changed("channel_type", "UNKNOWN_CHANNEL_TYPE"), "UNKNOWN_CHANNEL_TYPE"),
        (changed("revenue.currency", ...), "UNKNOWN_CURRENCY"),
        (changed("shipping_charge.currency", "UNKNOWN_CURRENCY"), "UNKNOWN_CURRENCY"),
        (changed("items.price.currency", "UNKNOWN_CURRENCY"), "UNKNOWN_CURRENCY"),
        (changed("id", ...), "no id to know a duplicate by"),
    ],
)
def test_what_the_vendor_takes_and_loses_is_ignored(event: dict[str, Any], lost: str) -> None:
    """200 as if all were well: the sender never hears of it, so the ledger must."""
    answered = answer(event)
    assert (answered.status, answered.body, answered.refused) == (200, b"{}", None)
    assert not answered.accepted
    assert answered.ignored == [(event.get("id", ""), lost)]


# ── throttling and injected faults ───────────────────────────────────────────────────────────────


def test_an_identifier_that_comes_too_often_is_throttled_alone() -> None:
    """By its user, its device or its custom id; others are served meanwhile, and a minute later it is too."""
    sandbox = MolocoSandbox("SHOP_TEST", identifier_events_max=3)
    default = {**SMALL, "user_id": "c-2", "device": {"persistent_id": "default"}}
    for number in range(5):
        answered = sandbox.answer(asked({**default, "user_id": f"c-{number}"}))
        if number < 3:
            assert answered.accepted
        else:
            assert_refused(answered, 429, "throttled_identifier")
            assert "Retry-After" not in answered.headers
        assert sandbox.answer(asked({**SMALL, "user_id": f"other-{number}"})).accepted
    later = asked(default, now_ms=NOW_MS + 60_000)
    assert sandbox.answer(later).accepted


def test_nobody_is_throttled_unless_asked_for() -> None:
    """The vendor publishes no number."""
    sandbox = MolocoSandbox("SHOP_TEST")
    assert all(sandbox.answer(asked(SMALL)).accepted for _ in range(1000))


def test_throttling_and_failures_have_the_vendors_form() -> None:
    """The error body that all of them have."""
    sandbox = MolocoSandbox("SHOP_TEST")
    throttled = sandbox.throttled(7.5)
    assert_refused(throttled, 429)
    assert throttled.headers["Retry-After"] == "7.5"
    for status in (400, 401, 403, 404, 409, 413, 429, 500, 503, 504):
        assert_refused(sandbox.failed(status), status)


def test_ids_are_read_without_judging() -> None:
    """Faults aim at them; what has none gives none."""
    sandbox = MolocoSandbox("SHOP_TEST")
    assert sandbox.ids(asked({"id": "e-9", "nonsense": 1})) == ("e-9",)
    for body in ({}, {"id": 7}, [SMALL], b"\xff"):
        assert sandbox.ids(asked(body)) == ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "x"]), inner),
    )
)
def test_nothing_is_too_odd_to_be_answered(body: Any) -> None:
    """Whatever arrives: taken, taken and lost, or refused."""
    answered = answer(body)
    assert answered.status in (200, 400)
    assert bool(answered.refused) == (answered.status == 400)
