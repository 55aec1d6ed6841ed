"""Every row of Moloco's event table and every rule behind it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.moloco import Moloco
from connector.vendors.moloco.settings import MolocoOptions
from tests.vendors.any_event import event_of

NOW_MS = 1_795_010_600_000
EVENT_ID = "00000000-0000-4000-8000-000000000300"
PLATFORM = {"platform_name": "shop", "platform_id": "SHOP_TEST"}

SKU: dict[str, Any] = {"product_id": "sku-1"}
EUR_5: dict[str, Any] = {"product_id": "sku-1", "unit_price_micros": 5_000_000, "currency": "EUR"}

EVENT: dict[str, Any] = {
    "event_id": EVENT_ID,
    "occurred_at": 1_795_010_587_123,
    "channel": "web",
    "user": {"customer_id": "c-1"},
}
NEEDS: dict[str, dict[str, Any]] = {
    "page_view": {"page": {"id": "p"}},
    "category_view": {"page": {"id": "p"}},
    "search": {"search": {"query": "lamp"}},
    "product_view": {"items": [SKU]},
    "add_to_cart": {"items": [SKU]},
    "add_to_wishlist": {"items": [SKU]},
    "order_created": {"items": [EUR_5]},
}
"""What each event type can't do without."""


def result(event_type: str = "home_view", options: dict[str, Any] | None = None, **changes: Any) -> MapResult:
    """What becomes of a small event with these groups; None takes one away."""
    form = {**EVENT, "event_type": event_type, **NEEDS.get(event_type, {})}
    if event_type.startswith(("order_", "subscription")):
        form["order"] = {"order_id": "ord-1", "currency": "EUR"}
    form |= changes
    form = {name: value for name, value in form.items() if value is not None}
    destination = Moloco(MolocoOptions.model_validate({**PLATFORM, **(options or {})}))
    return destination.map(event_of(form), NOW_MS)


def sent(event_type: str = "home_view", options: dict[str, Any] | None = None, **changes: Any) -> Any:
    """The body it becomes."""
    mapped = result(event_type, options, **changes)
    assert isinstance(mapped, Mapped), mapped
    (item,) = mapped.items
    return json.loads(item.body)


def order(*lines: dict[str, Any], options: dict[str, Any] | None = None, **fields: Any) -> Any:
    """The purchase of these lines, the order having these fields."""
    return sent(
        "order_created", options, items=list(lines), order={"order_id": "o", "currency": "EUR", **fields}
    )


def why(event_type: str = "home_view", options: dict[str, Any] | None = None, **changes: Any) -> str:
    """Why nothing is sent, as `skip …` or `refuse …`."""
    match result(event_type, options, **changes):
        case Skipped(reason):
            return f"skip {reason}"
        case Refused(reason):
            return f"refuse {reason}"
        case mapped:
            raise AssertionError(f"expected nothing, got {mapped}")


def adjusted(
    event_type: str = "home_view", options: dict[str, Any] | None = None, **changes: Any
) -> list[str]:
    """What was changed on the way."""
    return list(result(event_type, options, **changes).adjustments)


# ── the table ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("event_type", "vendors"),
    [
        ("page_view", "PAGE_VIEW"),
        ("home_view", "HOME"),
        ("landing", "LAND"),
        ("product_view", "ITEM_PAGE_VIEW"),
        ("category_view", "PAGE_VIEW"),
        ("search", "SEARCH"),
        ("add_to_cart", "ADD_TO_CART"),
        ("add_to_wishlist", "ADD_TO_WISHLIST"),
        ("order_created", "PURCHASE"),
    ],
)
def test_each_type_has_its_counterpart(event_type: str, vendors: str) -> None:
    """One event, one item, under the event's own id and time."""
    mapped = result(event_type)
    assert isinstance(mapped, Mapped)
    (item,) = mapped.items
    assert (item.id, item.at_ms, item.key) == (EVENT_ID, 1_795_010_587_123, None)
    body = json.loads(item.body)
    assert (body["id"], body["event_type"], body["timestamp"]) == (EVENT_ID, vendors, "1795010587123")
    assert Moloco.events[event_type] == vendors


@pytest.mark.parametrize(
    "event_type",
    [
        *("impression", "click", "remove_from_cart", "cart_updated", "remove_from_wishlist"),
        *("checkout_started", "order_updated", "order_delivered", "order_cancelled", "order_refunded"),
        *("subscription_renewal", "like", "unlike", "share", "comment", "bookmark", "remove_bookmark"),
        *("follow", "unfollow", "offer", "question", "answer", "sign_in", "sign_up", "custom"),
    ],
)
def test_what_moloco_has_no_use_for_is_skipped(event_type: str) -> None:
    """Normal traffic; a skip even when nothing else about the event is right."""
    assert why(event_type, items=[EUR_5]) == "skip unsupported_event_type"
    assert why(event_type, user={}, occurred_at=0, channel=None) == "skip unsupported_event_type"


def test_an_unknown_type_is_a_skip_of_its_own() -> None:
    """What a newer producer writes."""
    assert why("unknown") == "skip unknown_event_type"


def test_every_event_may_carry_what_all_have() -> None:
    """Identifiers, device, pages and the decision's track."""
    for event_type in NEEDS | {"home_view": {}, "landing": {}}:
        body = sent(
            event_type,
            {"domain": "shop.example"},
            page={"id": "here", "referrer_id": "there"},
            device={"os": "Linux"},
            attribution={"decision_track_id": "trk-1", "resolved_bid_id": "b"},
        )
        assert body["domain"] == "shop.example"
        assert (body["page_id"], body["referrer_page_id"]) == ("here", "there")
        assert (body["user_id"], body["device"]) == ("c-1", {"os": "Linux"})
        assert body["decision_track_id"] == "trk-1"


def test_what_has_no_value_is_left_out() -> None:
    """No null, no empty text, list or object."""
    assert sent(
        page={"id": " "}, device={"os": " ", "model": ""}, attribution={"decision_track_id": " "}
    ) == {
        "id": EVENT_ID,
        "event_type": "HOME",
        "timestamp": "1795010587123",
        "channel_type": "SITE",
        "user_id": "c-1",
    }


# ── the order of the checks ──────────────────────────────────────────────────────────────────────

CHECKS: list[tuple[str, dict[str, Any]]] = [
    ("skip consent_denied", {"consent": {"advertising": False}}),
    ("refuse missing_required_field:channel", {"channel": None}),
    ("refuse invalid_timestamp", {"occurred_at": 0}),
    ("refuse missing_required_field:device.os", {"device": {}}),
    ("skip no_identifier", {"user": {}}),
    ("refuse missing_required_field:items", {"items": []}),
]
"""Reasons in the order in which they are looked for, and what brings each about in an app's order."""


@pytest.mark.parametrize("at", range(len(CHECKS)))
def test_the_first_check_that_fails_gives_the_reason(at: int) -> None:
    """Everything from here on is wrong too."""
    changes: dict[str, Any] = {"channel": "app", "device": {"os": "ios"}, "items": [EUR_5]}
    for _, change in reversed(CHECKS[at:]):
        changes |= change
    assert why("order_created", **changes) == CHECKS[at][0]


def test_channel_goes_before_time_and_os_before_identity() -> None:
    """The places in the order that the row above can't show."""
    assert why(channel="store", occurred_at=0) == "skip unsupported_channel"
    assert why(occurred_at=NOW_MS + 300_001, channel="app") == "refuse timestamp_in_future"
    assert why(channel="app", device={"os": "KaiOS"}, user={}) == "skip unsupported_app_os"
    assert why("page_view", page={}, user={}) == "skip no_identifier"
    assert why("category_view", page={}, user={}) == "skip no_identifier"
    assert why("search", search={}, user={}) == "skip no_identifier"


def test_quantity_goes_before_revenue() -> None:
    """Items are read before their money is counted."""
    lines = [EUR_5, {**EUR_5, "currency": "USD", "quantity": 2**31}]
    assert why("order_created", items=lines) == "refuse invalid_quantity"


# ── consent ──────────────────────────────────────────────────────────────────────────────────────


def test_only_a_refusal_is_a_refusal() -> None:
    """An absent flag, or another purpose's refusal, is none."""
    for consent in ({}, {"advertising": True}, {"marketing": False, "analytics": False}):
        assert "personalization_mode" not in sent(consent=consent)


def test_refused_personalisation_counts_only() -> None:
    """The event goes out and says that it is for counting."""
    assert sent(consent={"personalization": False})["personalization_mode"] == "METRIC_ONLY"


def test_the_purposes_are_configurable() -> None:
    """Any of the named ones refused is a refusal; none named, none asked."""
    event = event_of({**EVENT, "event_type": "home_view", "consent": {"advertising": False}})
    options = MolocoOptions(**PLATFORM)
    assert Moloco(options, ["marketing", "advertising"]).map(event, NOW_MS) == Skipped("consent_denied")
    assert isinstance(Moloco(options, []).map(event, NOW_MS), Mapped)


# ── channel and os ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("channel", "channel_type"),
    [("app", "APP"), ("web", "SITE"), ("mobile_web", "MOBILE_SITE"), ("desktop_web", "DESKTOP_SITE")],
)
def test_channels_have_their_words(channel: str, channel_type: str) -> None:
    """The four that Moloco knows."""
    assert sent(channel=channel, device={"os": "ios"})["channel_type"] == channel_type


@pytest.mark.parametrize("channel", ["store", "offsite", "other", "drone"])
def test_other_channels_are_skipped(channel: str) -> None:
    """Nothing happened in a shop window of Moloco's."""
    assert why(channel=channel) == "skip unsupported_channel"


def test_the_table_of_channels_is_a_setting() -> None:
    """It is the whole table: what it does not name is skipped; and an app by table needs an os."""
    options = {"channel_types": {"web": "DESKTOP_SITE", "other": "APP"}}
    assert sent(options=options)["channel_type"] == "DESKTOP_SITE"
    assert why(options=options, channel="mobile_web") == "skip unsupported_channel"
    assert why(options=options, channel="other") == "refuse missing_required_field:device.os"


@pytest.mark.parametrize(
    ("given", "os"),
    [
        *(
            (name, "ios")
            for name in ("iOS", " IOS ", "iPhone OS", "iphoneos", "iPadOS", "iPad OS", "iOS 18.1")
        ),
        *((name, "android") for name in ("Android", "ANDROID 15", "android-tv", " androidos")),
        *((name, name.strip()) for name in ("Windows", " KaiOS ", "macOS", "iosX", "ios\t", "Bios")),
    ],
)
def test_an_os_is_known_by_its_whole_name(given: str, os: str) -> None:
    """`kaios` contains `ios` and is none. Any other is sent as it was given, without blanks around it."""
    expected = "ios" if given == "ios\t" else os
    assert sent(device={"os": given})["device"] == {"os": expected}


@pytest.mark.parametrize("os", [None, "", "  "])
def test_an_app_without_an_os_is_refused(os: str | None) -> None:
    """Moloco would refuse it."""
    assert why(channel="app", device={"os": os}) == "refuse missing_required_field:device.os"
    assert why(channel="app") == "refuse missing_required_field:device.os"
    assert sent(channel="web", device={"os": os})


# ── time ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_time_must_be_one() -> None:
    """Zero and less is none; what is merely old goes as it is."""
    assert why(occurred_at=0) == why(occurred_at=-1) == "refuse invalid_timestamp"
    assert sent(occurred_at=1)["timestamp"] == "1"


def test_a_clock_may_run_five_minutes_fast() -> None:
    """Such an event goes out with our time; the limit itself still does."""
    for ahead in (1, 300_000):
        mapped = result(occurred_at=NOW_MS + ahead)
        assert isinstance(mapped, Mapped)
        assert mapped.items[0].at_ms == NOW_MS
        assert json.loads(mapped.items[0].body)["timestamp"] == str(NOW_MS)
        assert mapped.adjustments == ["clock_skew_clamped"]
    assert why(occurred_at=NOW_MS + 300_001) == "refuse timestamp_in_future"
    assert adjusted(occurred_at=NOW_MS) == []


def test_how_fast_a_clock_may_run_is_a_setting() -> None:
    """Down to not at all, up to a day."""
    assert why(options={"max_future_skew_ms": 0}, occurred_at=NOW_MS + 1) == "refuse timestamp_in_future"
    assert sent(options={"max_future_skew_ms": 600_000}, occurred_at=NOW_MS + 600_000)


# ── identifiers ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("user", "device", "expected"),
    [
        ({"customer_id": " c-1 ", "anonymous_id": "a-1", "opaque_id": "o-1"}, {}, ("c-1", "a-1", None)),
        ({"customer_id": "c-1", "anonymous_id": "a-1"}, {"persistent_id": "d-1"}, ("c-1", "d-1", None)),
        ({"anonymous_id": "a-1", "session_id": "s-1"}, {"persistent_id": "Null"}, (None, "a-1", None)),
        ({"opaque_id": "o-1", "session_id": "s-1"}, {}, (None, None, "o-1")),
        ({"opaque_id": "-", "session_id": "s-1"}, {}, (None, None, "s-1")),
        ({"customer_id": "0", "session_id": "s-1"}, {"persistent_id": "d-1"}, (None, "d-1", None)),
        (None, {"persistent_id": " d-1 "}, (None, "d-1", None)),
    ],
)
def test_who_it_was(
    user: dict[str, str] | None, device: dict[str, str], expected: tuple[str | None, ...]
) -> None:
    """Customer; device, else cookie; a pseudonym or session only where neither is known."""
    body = sent(user=user, device=device)
    found = (body.get("user_id"), body.get("device", {}).get("persistent_id"), body.get("custom_id"))
    assert found == expected


@pytest.mark.parametrize(
    "placeholder",
    [
        *("", " ", "null", "Undefined", "INVALID", "nil", "none", "unknown", "anonymous", " Guest "),
        *("nan", "n/a", "NA", "-", "0", "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_a_placeholder_is_nobody(placeholder: str) -> None:
    """One of them as an identifier would be one giant shopper, who gets throttled."""
    sources = ("customer_id", "anonymous_id", "opaque_id", "session_id")
    nobody = dict.fromkeys(sources, placeholder)
    device = {"persistent_id": placeholder}
    assert why(user=nobody, device=device) == "skip no_identifier"
    assert why(options={"identity_hash": "sha256"}, user=nobody, device=device) == "skip no_identifier"


def test_nobody_is_invented() -> None:
    """E-mail, phone, contact and advertising id are no substitutes."""
    user = {"email": "j@example.com", "phone": "+4420", "contact_id": "7", "push_token": "t"}
    assert why(user=user, device={"advertising_id": "7acefbed"}) == "skip no_identifier"
    assert why(user=None) == "skip no_identifier"


@pytest.mark.parametrize("value", ["jane@example.com", "@", "x" * 129])
def test_an_identifier_that_may_be_an_address_is_suppressed(value: str) -> None:
    """So is one that is too long. The next source stands in, and it is counted."""
    body = sent(user={"customer_id": value, "anonymous_id": "a-1"})
    assert "user_id" not in body
    assert body["device"] == {"persistent_id": "a-1"}
    assert adjusted(user={"customer_id": value, "anonymous_id": "a-1"}) == ["identifier_suppressed"]
    assert why(user={"customer_id": value}) == "skip no_identifier"
    assert sent(user={"customer_id": "ü" * 128})["user_id"] == "ü" * 128


def test_hashed_identifiers_are_what_the_decision_api_gets() -> None:
    """SHA-256 in lower-case hex of the trimmed value, its case kept, without salt, of any length and form."""
    for value in ("C-10027", "jane@example.com", "ü" * 300):
        digest = hashlib.sha256(value.encode()).hexdigest()
        body = sent(options={"identity_hash": "sha256"}, user={"customer_id": f" {value} "})
        assert body["user_id"] == digest
    body = sent(options={"identity_hash": "sha256"}, user={"session_id": "s-1"})
    assert body["custom_id"] == hashlib.sha256(b"s-1").hexdigest()
    assert adjusted(options={"identity_hash": "sha256"}, user={"customer_id": "a@b"}) == []


# ── device ───────────────────────────────────────────────────────────────────────────────────────


def test_a_device_is_told_unmodified() -> None:
    """Version, model and user agent as they are; nothing else of it goes out."""
    device = {
        "type": "mobile",
        "os": "iOS",
        "os_version": " 18.1 ",
        "app_version": "7.0",
        "model": "iPhone16,2",
        "user_agent": "UA ",
        "ip": "203.0.113.9",
        "language": "uk",
        "advertising_id": "7acefbed",
        "screen_width": 1,
    }
    assert sent(device=device)["device"] == {
        "os": "ios",
        "os_version": " 18.1 ",
        "model": "iPhone16,2",
        "ua": "UA ",
        "language": "uk",
    }


@pytest.mark.parametrize(
    ("given", "language"),
    [
        *(("en-GB", "en"), ("uk_UA", "uk"), ("PL", "pl"), (" de ", "de"), ("zh-Hant-TW", "zh")),
        *(("fil", None), ("x", None), ("", None), ("e1", None), ("en.GB", None), ("-en", None), ("äö", None)),
    ],
)
def test_a_language_is_two_letters(given: str, language: str | None) -> None:
    """What comes before a hyphen or underscore, if that is a language of ISO 639-1."""
    assert sent(device={"language": given, "model": "m"})["device"].get("language") == language


# ── pages ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("page", "page_id"),
    [
        ({"id": " P:1 ", "path": "/p", "type": "product"}, "P:1"),
        ({"id": " ", "path": "/p/1?q=x#y", "type": "product"}, "/p/1"),
        ({"path": "?q=x", "type": "product"}, "product"),
        ({"path": "data"}, "data"),
        ({"path": "https://jane:pw@shop.example/p?x"}, "https://shop.example/p"),
        ({"id": "https://shop.example/p?x#y"}, "https://shop.example/p"),
        ({"id": "SEARCH?page"}, "SEARCH?page"),
        ({"url": "https://shop.example/p", "title": "P"}, None),
        ({"id": "x" * 128}, "x" * 128),
        ({"id": "ä" * 129}, "ä" * 63 + "~" + hashlib.sha256(("ä" * 129).encode()).hexdigest()),
    ],
)
def test_a_page_has_a_name(page: dict[str, str], page_id: str | None) -> None:
    """Its id, its path without query and fragment, its type; a long one is cut and keeps a digest."""
    assert sent(page=page).get("page_id") == page_id
    if page_id is None:
        assert why("page_view", page=page) == "refuse missing_required_field:page_id"
    else:
        assert len(page_id) <= 128
        assert sent("page_view", page=page)["page_id"] == page_id


@pytest.mark.parametrize(
    ("page", "referrer"),
    [
        ({"referrer_id": "CART", "referrer": "https://a.example/"}, "CART"),
        ({"referrer_id": "", "referrer": "https://a.example/c?sort=price#x"}, "https://a.example/c"),
        ({"referrer": "mailto:jane@example.com"}, None),
        ({"referrer": " "}, None),
        ({"referrer": "/" + "r" * 128}, "/" + "r" * 62 + "~" + hashlib.sha256(b"/" + b"r" * 128).hexdigest()),
    ],
)
def test_a_page_before_has_one_too(page: dict[str, str], referrer: str | None) -> None:
    """Its id, else its address without query and fragment."""
    assert sent(page=page).get("referrer_page_id") == referrer


@pytest.mark.parametrize(
    ("groups", "page_id"),
    [
        ({"page": {"id": "C:7"}, "category": {"id": "c-1"}}, "C:7"),
        ({"page": {"type": "category"}, "category": {"id": "c-1"}}, "category"),
        ({"category": {"id": " c-1 "}, "placement": {"category_ids": ["a"]}}, "category:c-1"),
        ({"category": {"name": "Boots"}, "placement": {"category_ids": ["a", "b", " "]}}, "category:b"),
        ({"page": {"url": "https://shop.example"}, "placement": {"category_ids": ["a", "b"]}}, "category:b"),
    ],
)
def test_a_category_is_named_where_its_page_is_not(groups: dict[str, Any], page_id: str) -> None:
    """By its id, else by the last of those that the page is about."""
    assert sent("category_view", **{"page": None, **groups})["page_id"] == page_id
    assert why("page_view", **{**groups, "page": None}) == "refuse missing_required_field:page_id"


def test_a_category_view_without_any_name_is_refused() -> None:
    """Moloco would."""
    nameless: list[dict[str, Any]] = [{}, {"category": {"id": " "}}, {"placement": {"category_ids": []}}]
    for groups in nameless:
        assert why("category_view", page=None, **groups) == "refuse missing_required_field:page_id"


# ── items ────────────────────────────────────────────────────────────────────────────────────────


def line(**fields: Any) -> Any:
    """The line that one item becomes."""
    (only,) = sent("product_view", items=[{**SKU, **fields}])["items"]
    return only


def test_a_line_says_what_where_from_and_how_many() -> None:
    """Ids as they are, a price of one unit; other fields have no place."""
    told = {"parent_id": "p-1", "seller_id": "s-1", "quantity": 3.0, "unit_price_micros": 129_900_000}
    untold = {"name": "Lamp", "list_price_micros": 1, "discount_micros": 2, "position": 2, "brand": "B"}
    assert line(**told, **untold, currency=" eur") == {
        "id": "sku-1",
        "item_group_id": "p-1",
        "price": {"currency": "EUR", "amount": 129.9},
        "quantity": 3,
        "seller_id": "s-1",
    }
    assert line() == {"id": "sku-1", "quantity": 1}


@pytest.mark.parametrize("event_type", ["product_view", "add_to_cart", "add_to_wishlist", "order_created"])
def test_lines_keep_their_order_and_empty_ones_are_dropped(event_type: str) -> None:
    """Without a product, or with none of it, there is nothing to tell; of nothing at all, no event."""
    lines = [
        *({**EUR_5, "product_id": "b"}, {**EUR_5, "product_id": " "}, {**EUR_5, "product_id": "a"}),
        *({**EUR_5, "quantity": 0}, {**EUR_5, "quantity": -1}, {"quantity": 1}),
    ]
    assert [one["id"] for one in sent(event_type, items=lines)["items"]] == ["b", "a"]
    assert adjusted(event_type, items=lines) == ["item_dropped"] * 4
    refusal = "refuse missing_required_field:items"
    assert why(event_type, items=lines[3:]) == why(event_type, items=[]) == refusal
    assert why(event_type, items=None) == refusal
    assert adjusted(event_type, items=lines[3:]) == ["item_dropped"] * 3


@pytest.mark.parametrize("event_type", ["page_view", "home_view", "landing", "category_view", "search"])
def test_other_events_have_no_items(event_type: str) -> None:
    """Nor a price, nor a query that is not theirs."""
    body = sent(event_type, items=[EUR_5], cart={"items": [EUR_5]})
    assert "items" not in body
    assert ("search_query" in sent(event_type, search={"query": "lamp"})) == (event_type == "search")


def test_the_cart_is_never_the_items() -> None:
    """Only what was added is told; but the cart may say in which currency."""
    cart = {"items": [{"product_id": "in-cart"}], "currency": "PLN"}
    body = sent("add_to_cart", items=[{**SKU, "unit_price_micros": 1_000_000}], cart=cart)
    assert body["items"] == [{"id": "sku-1", "quantity": 1, "price": {"currency": "PLN", "amount": 1}}]
    assert why("add_to_cart", items=[], cart=cart) == "refuse missing_required_field:items"


def test_a_lines_own_currency_comes_first_and_then_the_orders() -> None:
    """Then the cart's."""
    cart = {"currency": "SEK"}
    lines = [{**EUR_5, "currency": None}]
    assert sent("order_created", items=lines, cart=cart)["items"][0]["price"]["currency"] == "EUR"
    without = sent("order_created", items=lines, cart=cart, order={"order_id": "o"})
    assert without["items"][0]["price"]["currency"] == "SEK"
    assert line(unit_price_micros=1, currency=None) == {"id": "sku-1", "quantity": 1}


@pytest.mark.parametrize("currency", ["UAH", "CZK", "UNKNOWN_CURRENCY", "EURO", ""])
def test_a_price_in_a_currency_that_moloco_does_not_know_is_left_out(currency: str) -> None:
    """The event is worth sending without; so is one whose price makes no sense."""
    assert line(unit_price_micros=5_000_000, currency=currency) == {"id": "sku-1", "quantity": 1}
    assert line(unit_price_micros=-1, currency="EUR") == {"id": "sku-1", "quantity": 1}
    assert line(unit_price_micros=0, currency="EUR")["price"] == {"currency": "EUR", "amount": 0}


@pytest.mark.parametrize(
    "currency",
    [
        *("USD", "KRW", "JPY", "EUR", "GBP", "SEK", "INR", "THB", "IDR", "CNY", "CAD", "RUB", "BRL"),
        *("SGD", "HKD", "AUD", "PLN", "DKK", "VND", "MYR", "PHP", "TRY", "VES", "AED", "CHF"),
    ],
)
def test_moloco_knows_twenty_five_currencies(currency: str) -> None:
    """Amounts are in major units for all of them."""
    price = line(unit_price_micros=1_500_000, currency=currency.lower())["price"]
    assert price == {"currency": currency, "amount": 1.5}


@pytest.mark.parametrize(
    ("micros", "quantity", "currency", "amount"),
    [
        (8_400_000, 0.75, "PLN", "6.3"),
        (1_000_000, 0.125, "EUR", "0.12"),  # 0.125: half goes to even
        (1_000_000, 0.135, "EUR", "0.14"),  # exact decimals: a float's 0.135 lies below
        (1_000_000, 2.675, "EUR", "2.68"),
        (2_002_000_000, 0.25, "JPY", "500"),
        (2_002_000_000, 0.75, "KRW", "1502"),
        (3_000_000, 0.5, "VND", "2"),
        (3_000_000, 0.5, "EUR", "1.5"),
        (5_000_000, 1e-7, "EUR", "0"),
        (9_223_372_036_854_775_807, 0.5, "EUR", "4611686018427.39"),
    ],
)
def test_goods_by_weight_are_one_of_the_whole(
    micros: int, quantity: float, currency: str, amount: str
) -> None:
    """Rounded half to even, to two places or to none where the currency has no cents."""
    mapped = result(
        "product_view",
        items=[{**SKU, "quantity": quantity, "unit_price_micros": micros, "currency": currency}],
    )
    assert isinstance(mapped, Mapped)
    assert (
        f'"quantity":1,"price":{{"currency":"{currency}","amount":{amount}}}'.encode() in mapped.items[0].body
    )
    assert mapped.adjustments == ["fractional_quantity_folded"]


def test_goods_by_weight_without_a_price_are_one() -> None:
    """There is nothing to fold."""
    assert line(quantity=0.75) == {"id": "sku-1", "quantity": 1}
    assert line(quantity=0.75, unit_price_micros=8_400_000, currency="UAH") == {"id": "sku-1", "quantity": 1}


def test_a_number_of_pieces_has_a_bound() -> None:
    """An int32's; above it the event is refused, weight or not."""
    assert line(quantity=2**31 - 1)["quantity"] == 2**31 - 1
    for quantity in (2**31, 2**31 - 0.5, 1e300):
        refused = result("product_view", items=[SKU, {**SKU, "quantity": quantity}])
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.path) == ("invalid_quantity", "items[1].quantity")


# ── purchases ────────────────────────────────────────────────────────────────────────────────────


def test_revenue_is_what_the_lines_cost() -> None:
    """Free ones and goods by weight included; shipping and taxes of the order are none of it."""
    body = order(
        {**EUR_5, "quantity": 2},
        {**EUR_5, "unit_price_micros": 0},
        {**EUR_5, "quantity": 0.5, "unit_price_micros": 3_330_000},
        {**EUR_5, "unit_price_micros": 10, "product_id": "thin"},
        total_micros=99_000_000,
        subtotal_micros=98_000_000,
        shipping_micros=4_990_000,
    )
    # 2 x 5 + 0 + 1.665 rounded half-even to 1.66 + 0.00001
    assert body["revenue"] == {"currency": "EUR", "amount": 11.66001}
    assert body["shipping_charge"] == {"currency": "EUR", "amount": 4.99}


def test_a_dropped_line_earns_nothing() -> None:
    """Only what is sent is counted."""
    body = order(EUR_5, {**EUR_5, "product_id": ""}, {**EUR_5, "quantity": 0, "currency": "USD"})
    assert body["revenue"]["amount"] == 5


@pytest.mark.parametrize(
    ("sums", "revenue"),
    [
        ({"subtotal_micros": 12_340_000, "total_micros": 20_000_000}, 12.34),
        ({"total_micros": 20_000_000}, 20),
        ({"subtotal_micros": -1, "total_micros": 20_000_000}, 20),
        ({"subtotal_micros": 0, "total_micros": 20_000_000}, 0),
    ],
)
@pytest.mark.parametrize("bare", [{}, {"unit_price_micros": -1}])
def test_where_a_line_has_no_price_the_orders_sums_stand_in(
    sums: dict[str, Any], revenue: float, bare: dict[str, Any]
) -> None:
    """Subtotal, else total; the prices that are known still go out."""
    body = order(EUR_5, {**SKU, **bare}, **sums)
    assert body["revenue"] == {"currency": "EUR", "amount": revenue}
    assert [one.get("price", {}).get("amount") for one in body["items"]] == [5, None]


def test_a_purchase_without_revenue_is_refused() -> None:
    """No price and no sum, or a sum in no currency."""
    refusal = "refuse missing_required_field:revenue"
    assert why("order_created", items=[SKU]) == refusal
    assert why("order_created", items=[SKU], order={"order_id": "o", "total_micros": 1}) == refusal
    negative = {"order_id": "o", "currency": "EUR", "subtotal_micros": -1, "total_micros": -1}
    assert why("order_created", items=[SKU], order=negative) == refusal
    no_currency = [{**EUR_5, "currency": None}]
    assert why("order_created", items=no_currency, order={"order_id": "o"}) == refusal


def test_one_purchase_has_one_currency() -> None:
    """Known to Moloco or not."""
    for other in ("USD", "UAH"):
        lines = [EUR_5, {**EUR_5, "currency": other}]
        assert why("order_created", items=lines) == "refuse mixed_currency"
        assert why("order_created", {"unsupported_currency": "omit"}, items=lines) == "refuse mixed_currency"


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        ([{**EUR_5, "currency": "UAH"}], {"currency": "UAH"}),
        ([{**EUR_5, "currency": None}], {"currency": "uah"}),
        ([{**EUR_5, "currency": "UAH"}], {}),
        ([SKU], {"currency": "UAH", "total_micros": 1_000_000}),
        ([{**EUR_5, "currency": "UAH"}, SKU], {"total_micros": 1_000_000}),
    ],
)
def test_a_purchase_in_an_unknown_currency_is_skipped_or_goes_without_money(
    lines: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    """As the setting says; without money means without price, revenue and shipping."""
    whole = {"order_id": "o", "currency": "EUR", "shipping_micros": 1_000_000, **fields}
    assert why("order_created", items=lines, order=whole) == "skip unsupported_currency"
    body = sent("order_created", {"unsupported_currency": "omit"}, items=lines, order=whole)
    assert body["items"] == [{"id": "sku-1", "quantity": 1}] * len(lines)
    assert body.keys().isdisjoint({"revenue", "shipping_charge"})


def test_shipping_is_told_where_it_can_be() -> None:
    """Nothing is a charge too; a negative one, or one in an unknown currency, is left out."""
    assert order(EUR_5, shipping_micros=0)["shipping_charge"] == {"currency": "EUR", "amount": 0}
    assert "shipping_charge" not in order(EUR_5, shipping_micros=-1)
    assert "shipping_charge" not in order(EUR_5)
    assert "shipping_charge" not in order(EUR_5, shipping_micros=1, currency="UAH")
    assert order(EUR_5, shipping_micros=1, currency="USD")["shipping_charge"]["currency"] == "USD"


def test_an_order_that_says_nothing_else_about_itself_is_told_so() -> None:
    """Order id, coupon, address and status have no place."""
    body = order(EUR_5, coupon="AUTUMN", status="paid", delivery_address="Kyiv")
    assert body.keys() == {"id", "event_type", "timestamp", "channel_type", "user_id", "items", "revenue"}


# ── search ───────────────────────────────────────────────────────────────────────────────────────


def test_a_query_is_trimmed() -> None:
    """Inside it stays as it is."""
    assert sent("search", search={"query": "  trail  boot "})["search_query"] == "trail  boot"


@pytest.mark.parametrize("search", [None, {}, {"query": " \t"}, {"result_count": 3}])
def test_a_search_for_nothing_is_skipped(search: dict[str, Any] | None) -> None:
    """Moloco would refuse it."""
    assert why("search", search=search) == "skip empty_search_query"


def test_a_search_for_an_address_is_skipped() -> None:
    """It is personal; an @ alone is not."""
    assert why("search", search={"query": "orders of jane@example.com"}) == "skip pii_in_search_query"
    assert sent("search", search={"query": "lamp @ home"})["search_query"] == "lamp @ home"


# ── size ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_has_a_size() -> None:
    """A million bytes go out, one more does not."""
    whole = result("search", search={"query": "q"})
    assert isinstance(whole, Mapped)
    room = 1_000_000 - len(whole.items[0].body)
    largest = result("search", search={"query": "q" * (room + 1)})
    assert isinstance(largest, Mapped)
    assert len(largest.items[0].body) == 1_000_000
    assert why("search", search={"query": "q" * (room + 2)}) == "refuse payload_too_large"
