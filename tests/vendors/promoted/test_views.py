"""What a view says: which page or screen, of what use, about what, and from where."""

from __future__ import annotations

from typing import Any

import pytest

from connector.model.event import PageType
from connector.vendors.promoted.pieces import locale
from tests.vendors.promoted.small_events import EVENT_ID, SKU, TWO, adjusted, record, result, why

VIEWS = ("page_view", "home_view", "landing", "product_view", "category_view", "search")


@pytest.mark.parametrize("event_type", VIEWS)
def test_views_can_be_switched_off(event_type: str) -> None:
    """For a site that logs them itself; actions go on."""
    assert why(event_type, {"views": False}) == "skip disabled_by_config"
    assert record("click", {"views": False}, items=[SKU])


@pytest.mark.parametrize("event_type", VIEWS)
def test_a_view_goes_under_its_own_id(event_type: str) -> None:
    """So that it is the view that impressions and clicks refer to. The vendor compares ids in lower case, and
    so does a request."""
    mapped = result(
        event_type, attribution={"view_id": " View-1 ", "request_id": "r-1", "insertion_id": "i-1"}
    )
    assert record(event_type, attribution={"view_id": " View-1 "})["viewId"] == "View-1"
    assert [item.id for item in getattr(mapped, "items", ())] == ["view-1"]
    for nobody in (None, "null", "jane@example.com"):
        assert record(event_type, attribution={"view_id": nobody})["viewId"] == EVENT_ID
    sent = record(event_type, attribution={"view_id": "v", "request_id": "r", "insertion_id": "i"})
    assert not {"requestId", "insertionId", "impressionId"} & sent.keys()


@pytest.mark.parametrize(
    ("page_type", "use_case"),
    [
        ("search", "SEARCH"),
        ("category", "CATEGORY_CONTENT"),
        ("product", "CLOSE_UP"),
        ("home", "FEED"),
        ("seller", "SELLER_CONTENT"),
        ("wishlist", "MY_SAVED_CONTENT"),
        *((str(each), None) for each in PageType if each in ("cart", "checkout", "account", "other")),
        ("order_confirmation", None),
        ("landing", None),
    ],
)
def test_the_use_case_follows_the_page_type(page_type: str, use_case: str | None) -> None:
    """And what has none there goes without."""
    sent = record("page_view", page={"type": page_type})
    assert (sent["name"], sent.get("useCase")) == (page_type, use_case)


def test_use_cases_are_configured_as_a_whole() -> None:
    """What the table does not list has none; a landing never has one."""
    options = {"use_cases": {"cart": "CUSTOM", "landing": "DISCOVER"}}
    assert record("page_view", options, page={"type": "cart"})["useCase"] == "CUSTOM"
    assert record("page_view", options, page={"type": "landing"})["useCase"] == "DISCOVER"
    assert "useCase" not in record("page_view", options, page={"type": "home"})
    assert "useCase" not in record("landing", options, page={"type": "cart"})


def test_a_page_of_unknown_type_is_named_after_the_event() -> None:
    """Never after its title."""
    assert record("page_view", page={"title": "Hello Jane"})["name"] == "page_view"
    assert record("page_view")["name"] == "page_view"
    assert "useCase" not in record("page_view")


@pytest.mark.parametrize(("event_type", "page"), [("product_view", None), ("page_view", {"type": "product"})])
def test_a_product_page_is_about_a_product(event_type: str, page: dict[str, Any] | None) -> None:
    """The first item, else the placement's; without one it is a view all the same."""
    about = {"page": page, "placement": {"product_id": "sku-9"}}
    assert record(event_type, items=TWO, **about)["contentId"] == "sku-1"
    assert record(event_type, items=[{}, SKU], **about)["contentId"] == "sku-9"
    assert record(event_type, **about)["contentId"] == "sku-9"
    assert "contentId" not in record(event_type, page=page)


@pytest.mark.parametrize("event_type", [each for each in VIEWS if each != "product_view"])
def test_other_pages_are_about_no_product(event_type: str) -> None:
    """Though items may be on them."""
    assert "contentId" not in record(event_type, items=TWO, placement={"product_id": "sku-9"})


@pytest.mark.parametrize(("event_type", "page"), [("search", None), ("page_view", {"type": "search"})])
def test_a_search_is_sent_word_for_word(event_type: str, page: dict[str, Any] | None) -> None:
    """Unless it holds an e-mail address."""
    assert record(event_type, page=page, search={"query": " Desk  Lamp "})["searchQuery"] == " Desk  Lamp "
    for query in (None, "", " "):
        assert "searchQuery" not in record(event_type, page=page, search={"query": query})
    with_email = {"page": page, "search": {"query": "find jane@example.com"}}
    assert "searchQuery" not in record(event_type, **with_email)
    assert adjusted(event_type, **with_email) == ["search_query_suppressed"]
    assert "searchQuery" not in record("category_view", search={"query": "lamp"})


@pytest.mark.parametrize(
    ("channel", "member"),
    [
        ("web", "webPageView"),
        ("mobile_web", "webPageView"),
        ("desktop_web", "webPageView"),
        ("app", "appScreenView"),
        ("store", None),
        ("offsite", None),
        ("other", None),
        (None, None),
    ],
)
def test_the_channel_says_page_or_screen(channel: str | None, member: str | None) -> None:
    """At most one of the two: both would fail the whole request. Without addresses it is empty."""
    sent = record("home_view", channel=channel)
    assert {"webPageView", "appScreenView"} & sent.keys() == ({member} if member else set())
    if member:
        assert sent[member] == {}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://shop.example/s?q=lamp&utm_source=mail&token=x#top",
            "https://shop.example/s?utm_source=mail",
        ),
        ("https://jane:pw@shop.example/p", "https://shop.example/p"),
        (
            "https://shop.example/p?utm_term=a+b&utm_source=%D0%B9",
            "https://shop.example/p?utm_term=a+b&utm_source=%D0%B9",
        ),
        (
            "https://shop.example/p?utm_source=a&utm_source=b&x",
            "https://shop.example/p?utm_source=a&utm_source=b",
        ),
        ("https://shop.example/p?utm_content=", "https://shop.example/p?utm_content="),
        ("https://shop.example/p?UTM_SOURCE=a", "https://shop.example/p"),
        ("https://shop.example/p?utm_source=%ff", "https://shop.example/p?utm_source=%EF%BF%BD"),
        ("shop://cart?session=1", "shop://cart"),
        ("/p/1?x=1", "/p/1"),
        ("mailto:jane@example.com", None),
        ("?q=1", None),
        (" ", None),
    ],
)
def test_addresses_are_cleaned(url: str, expected: str | None) -> None:
    """No user info, no fragment, and of the query only what is allowed, re-encoded and in its order."""
    sent = record("page_view", channel="web", page={"url": url, "referrer": url})["webPageView"]
    assert sent == ({"url": expected, "referrer": expected} if expected else {})


def test_allowed_parameters_are_configured() -> None:
    """None of the vendor's five stays when others are named."""
    page = {"url": "https://shop.example/s?q=lamp&utm_source=mail"}
    options = {"url_query_allow": ["q"]}
    sent = record("page_view", options, channel="web", page=page)["webPageView"]
    assert sent == {"url": "https://shop.example/s?q=lamp"}
    hidden = {"url": "https://shop.example/s?q=lamp;token=s&amp;q=desk&q=a?token=s"}
    sent = record("page_view", options, channel="web", page=hidden)["webPageView"]
    assert sent == {"url": "https://shop.example/s?q=lamp&q=desk&q=a"}, "what is not allowed hides in none"
    none = record("page_view", {"url_query_allow": []}, channel="web", page=page)["webPageView"]
    assert none == {"url": "https://shop.example/s"}


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("uk-UA", ("uk", "UA")),
        ("EN_gb", ("en", "GB")),
        ("zh-Hant-TW", ("zh", "TW")),
        ("es-419", ("es", "419")),
        ("es-41", ("es", None)),
        ("zh-Hant", ("zh", None)),
        ("de", ("de", None)),
        (" DE ", ("de", None)),
        ("en-U1", ("en", None)),
        ("en-ЮА", ("en", None)),
        ("-US", None),
        ("", None),
    ],
)
def test_a_language_is_split_into_language_and_region(
    language: str, expected: tuple[str, str | None] | None
) -> None:
    """The last part is a region if it looks like one, two letters or three digits."""
    found = locale(language)
    assert (found and (found.language_code, found.region_code)) == expected
    sent = record("home_view", device={"language": language})
    assert ("locale" in sent) is (expected is not None)


def test_a_product_view_may_go_as_a_click() -> None:
    """In the view's place, for producers without clicks; the other views stay views."""
    options = {"product_view_as": "navigate"}
    item = {"product_id": "sku-1", "position": 3, "url": "https://shop.example/p/1#x"}
    refers = {"request_id": "r-1", "view_id": "v-1", "insertion_id": "i-1", "impression_id": "imp-1"}
    sent = record("product_view", options, items=[item], attribution=refers)
    assert sent["actionId"] == EVENT_ID
    assert (sent["actionType"], sent["contentId"]) == ("NAVIGATE", "sku-1")
    assert sent["navigateAction"] == {"targetUrl": "https://shop.example/p/1"}
    assert sent["clientPosition"] == {"index": [2]}
    assert [sent[name] for name in ("requestId", "viewId", "insertionId", "impressionId")] == [
        *refers.values()
    ]
    several = {"items": [item, SKU], "attribution": refers}
    assert record("product_view", options, **several)["contentId"] == "sku-1"
    assert "insertionId" not in record("product_view", options, **several)
    assert adjusted("product_view", options, **several) == ["ambiguous_reference_dropped"]
    assert record("product_view", options, placement={"product_id": "sku-9"})["contentId"] == "sku-9"
    assert why("product_view", options) == "skip no_content_id"
    assert record("product_view", options | {"views": False}, items=[SKU])["actionType"] == "NAVIGATE"
    assert "viewId" in record("page_view", options, page={"type": "product"})
    assert "actionId" not in record("page_view", options, page={"type": "product"})
