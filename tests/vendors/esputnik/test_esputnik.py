"""Both eSputnik destinations hold what every destination holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector.vendors.contract import Mapped
from connector.vendors.esputnik import EsputnikOrders, EsputnikSite
from connector.vendors.esputnik.orders import SITE_EVENTS
from connector.vendors.esputnik.settings import OrdersOptions, SiteOptions
from tests.vendors.any_event import NOW_MS, event_of, rich_event
from tests.vendors.conformance import VendorConformance
from tests.vendors.golden import GoldenCases

HERE = Path(__file__).parent

FORBIDDEN = (
    *("user.anonymous_id", "user.opaque_id", "user.session_id"),
    *("device.type", "device.os", "device.os_version", "device.app_version", "device.model"),
    *("device.user_agent", "device.ip", "device.language", "device.advertising_id", "device.persistent_id"),
    *("page.title", "page.referrer", "page.referrer_id", "page.path", "properties", "items.attributes"),
    *("items.parent_id", "items.sku", "items.brand", "items.seller_id"),
    *("attribution.resolved_bid_id", "attribution.decision_track_id", "attribution.insertion_id"),
    *("attribution.impression_id", "attribution.request_id", "attribution.view_id"),
    *("attribution.campaign_id", "attribution.entity_id", "attribution.entity_type", "attribution.ranked_by"),
)
NOT_WITH_ORDERS = (
    *("user.push_token", "order.coupon", "order.status_text", "order.store_id", "order.cancelled_by"),
    *("attribution.recommendation_variant", "cart.currency"),
)
BY_SETTING = ("user.first_name", "user.last_name", "order.delivery_address")
NOT_WITH_SITE_EVENTS = (
    *("user.first_name", "user.last_name", "items.url", "items.image_url", "items.description"),
    *("search.sort", "search.filters", "category.name", "placement.path", "placement.location"),
    *("placement.product_id", "placement.search_query", "target.type", "target.id", "offer.currency"),
)

ADJUSTMENTS = frozenset(
    {
        *("identifier_dropped", "only_external_id", "status_defaulted", "items_omitted", "line_dropped"),
        *("shrunk_description", "shrunk_products", "shrunk_image_url", "shrunk_url", "shrunk_category"),
        *("shrunk_name", "shrunk_discount", "shrunk_items"),
    }
)


def known(event_type: str) -> dict[str, Any]:
    """A whole event of somebody whom the vendor can know, about goods that the shop can describe."""
    event = rich_event(event_type)
    event["user"] |= {
        "contact_id": "255830499",
        "email": "Olena@Example.com",
        "phone": "+380 50 123 45 67",
        "first_name": "Олена",
        "last_name": "Шевченко",
    }
    event["properties"] = {"campaign": "spring", "build": "4711"}
    event["attribution"] |= {"recommendation_variant": "r12v3"}
    for line in (*event["items"], *event["cart"]["items"]):
        line |= {
            "category": "Лампи",
            "discount_micros": 1_500_000,
            "in_stock": True,
            "image_url": "https://cdn.shop.example/sku-100.jpg",
            "description": 'A "warm" lamp',
            "attributes": {"colour": "зелений", "size": "38"},
        }
    if "order" in event:
        event["order"] |= {
            "shipping_micros": 4_990_000,
            "discount_micros": 1_000_000,
            "tax_micros": 20_000_000,
            "delivery_method": "Nova Poshta",
            "payment_method": "card",
            "delivery_address": "Kyiv, Khreshchatyk 1",
            "restore_url": "https://shop.example/orders/1",
        }
    return event


class TestOrders(VendorConformance):
    vendor = EsputnikOrders
    options = OrdersOptions()
    forbidden = (*FORBIDDEN, *NOT_WITH_ORDERS, *BY_SETTING, "page.id", "page.url?")
    adjustments = ADJUSTMENTS

    def whole_event(self, event_type: str) -> dict[str, Any]:
        return known(event_type)


class TestOrdersOtherwise(VendorConformance):
    """The same with every option away from its default."""

    vendor = EsputnikOrders
    options = OrdersOptions.model_validate(
        {
            "account_timezone": "Europe/Kyiv",
            "status_map": {"Gone Fishing": "ABANDONED_SHOPPING_CART"},
            "status_change_as": "upsert",
            "send_products": False,
            "send_names": True,
            "send_delivery_address": True,
            "v1_site_events": True,
            "orders_require_marketing_consent": True,
            "max_event_age_s": 10**9,
            "extra_params": ["campaign", "totalCost"],
            "product_properties": ["colour"],
            "url_query_deny": ["utm_source"],
        }
    )
    forbidden = tuple({*FORBIDDEN} - {"properties", "items.attributes"})
    adjustments = ADJUSTMENTS
    switched: ClassVar[dict[str, str]] = {
        "page_view": "pageViewed",
        "home_view": "pageViewed",
        "landing": "pageViewed",
        "product_view": "productViewed",
        "category_view": "productCategoryViewed",
        "cart_updated": "cartUpdated",
    }

    def whole_event(self, event_type: str) -> dict[str, Any]:
        return known(event_type)


class TestSite(VendorConformance):
    vendor = EsputnikSite
    options = SiteOptions()
    forbidden = (*FORBIDDEN, *NOT_WITH_SITE_EVENTS)
    adjustments = ADJUSTMENTS

    def whole_event(self, event_type: str) -> dict[str, Any]:
        return known(event_type)


class TestSiteOtherwise(VendorConformance):
    """The same with every option away from its default."""

    vendor = EsputnikSite
    options = SiteOptions.model_validate(
        {
            "search_only_empty": True,
            "send_product_impressions": True,
            "cart_from_item_events": True,
            "max_event_age_s": 10**9,
            "extra_params": ["campaign", "page"],
            "product_properties": ["colour", "size"],
            "url_query_deny": [],
        }
    )
    forbidden = tuple({*FORBIDDEN, *NOT_WITH_SITE_EVENTS} - {"properties", "items.attributes"})
    adjustments = ADJUSTMENTS
    switched: ClassVar[dict[str, str]] = {
        "search": "skip search_has_results",
        "impression": "productImpressions",
        "add_to_cart": "cartUpdated",
        "remove_from_cart": "cartUpdated",
    }

    def whole_event(self, event_type: str) -> dict[str, Any]:
        return known(event_type)


class TestOrdersGolden(GoldenCases):
    """The worked examples of orders, what is not sent, and the table of answers."""

    vendor = EsputnikOrders
    folder = HERE / "orders"
    answers = HERE / "answers"


class TestSiteGolden(GoldenCases):
    """The worked examples of site activity, what is not sent, and the table of answers."""

    vendor = EsputnikSite
    folder = HERE / "site"
    answers = HERE / "answers"


# ── what the kit can't plant ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event_type", SITE_EVENTS[:3])
def test_an_address_keeps_nothing_that_is_nobody_elses_business(event_type: str) -> None:
    """User info, fragment and credentials in the query never leave, by either method."""
    event = rich_event(event_type)
    event["page"]["url"] = "https://PLANTED:PLANTED@shop.example/p?a=1&Token=PLANTED&email=PLANTED#PLANTED"
    for destination in (EsputnikSite(SiteOptions()), EsputnikOrders(OrdersOptions(v1_site_events=True))):
        result = destination.map(event_of(event), NOW_MS)
        assert isinstance(result, Mapped)
        assert b"https://shop.example/p?a=1" in result.items[0].body
        assert b"PLANTED" not in result.items[0].body
