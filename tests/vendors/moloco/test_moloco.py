"""Moloco holds what every destination holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from connector.vendors.moloco import Moloco
from connector.vendors.moloco.settings import MolocoOptions
from tests.vendors.conformance import VendorConformance
from tests.vendors.golden import GoldenCases

PLATFORM = {"platform_name": "shop", "platform_id": "SHOP/TEST 1"}

FORBIDDEN = (
    *("user.email", "user.phone", "user.first_name", "user.last_name", "user.push_token"),
    *("user.contact_id", "device.ip", "device.advertising_id", "device.app_version"),
    *("order.order_id", "order.delivery_address", "order.coupon", "order.delivery_method"),
    *("order.payment_method", "order.restore_url", "order.status_text", "order.store_id"),
    *("page.url", "page.title", "page.referrer?", "page.path?", "properties", "search.filters"),
    *("cart.cart_id", "cart.state_id", "placement.path", "placement.search_query"),
    *("attribution.resolved_bid_id", "attribution.insertion_id", "attribution.impression_id"),
    *("attribution.request_id", "attribution.view_id", "attribution.campaign_id", "attribution.entity_id"),
    *("items.name", "items.url", "items.sku", "items.brand", "items.description", "items.attributes"),
)

ADJUSTMENTS = frozenset(
    {"item_dropped", "identifier_suppressed", "fractional_quantity_folded", "clock_skew_clamped"}
)

RISKED = frozenset({"invalid_timestamp"})
"""An event of early 1970 has seconds for milliseconds. The contract sends old events as they are."""


class TestMoloco(VendorConformance):
    vendor = Moloco
    options = MolocoOptions(**PLATFORM)
    forbidden = FORBIDDEN
    adjustments = ADJUSTMENTS
    risked = RISKED


class TestMolocoOtherwise(VendorConformance):
    """The same with every option away from its default."""

    vendor = Moloco
    options = MolocoOptions.model_validate(
        {
            **PLATFORM,
            "domain": " shop.example ",
            "identity_hash": "sha256",
            "channel_types": {"web": "APP", "store": "MOBILE_SITE", "app": "APP"},
            "unsupported_currency": "omit",
            "max_future_skew_ms": 0,
            "probe_interval_min_s": 1,
            "probe_interval_max_s": 1,
        }
    )
    forbidden = (*FORBIDDEN, "user.customer_id", "user.anonymous_id", "user.opaque_id", "user.session_id")
    adjustments = ADJUSTMENTS
    risked = RISKED

    def whole_event(self, event_type: str) -> dict[str, Any]:
        """Its `web` is an app, which needs an os."""
        event = super().whole_event(event_type)
        return {**event, "device": {**event["device"], "os": "Android 15"}}


class TestMolocoGolden(GoldenCases):
    """The contract's worked examples, its list of what is not sent, and its table of answers."""

    vendor = Moloco
    folder = Path(__file__).parent
    options: ClassVar = PLATFORM
