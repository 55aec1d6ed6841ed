"""Promoted holds what every destination holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from connector.vendors.promoted import Promoted
from connector.vendors.promoted.settings import PromotedOptions
from tests.vendors.any_event import rich_event
from tests.vendors.conformance import VendorConformance
from tests.vendors.golden import GoldenCases

FORBIDDEN = (
    *("user.opaque_id", "user.email", "user.phone", "user.first_name", "user.last_name"),
    *("user.push_token", "user.contact_id"),
    *("device.os", "device.os_version", "device.app_version", "device.model", "device.user_agent"),
    *("device.ip", "device.advertising_id", "device.persistent_id"),
    *("order.delivery_address", "order.delivery_method", "order.payment_method", "order.coupon"),
    *("order.restore_url", "order.status_text", "page.title", "page.url?", "page.referrer?", "page.path"),
    *("page.referrer_id", "search.filters", "items.url?", "properties"),
    *("items.name", "items.description", "items.image_url", "items.attributes"),
    *("items.attribution.resolved_bid_id", "attribution.resolved_bid_id", "attribution.decision_track_id"),
    *("attribution.campaign_id", "attribution.entity_id", "attribution.recommendation_variant"),
)

ADJUSTMENTS = frozenset(
    {
        *("unsupported_currency", "fractional_quantity_folded", "line_dropped", "item_dropped"),
        *("ambiguous_reference_dropped", "missing_anon_user_id", "clock_skew_clamped"),
        *("pii_identifier_suppressed", "search_query_suppressed", "property_suppressed"),
    }
)


class TestPromoted(VendorConformance):
    vendor = Promoted
    options = PromotedOptions()
    forbidden = FORBIDDEN
    adjustments = ADJUSTMENTS


class TestPromotedOtherwise(VendorConformance):
    """The same with every option away from its default."""

    vendor = Promoted
    options = PromotedOptions.model_validate(
        {
            "max_records": 3,
            "max_bytes": 2_500,
            "anon_user_id_source": "opaque_id",
            "product_id_source": "sku",
            "product_view_as": "navigate",
            "use_cases": {"product": "DISCOVER"},
            "custom_types": {
                "order_updated": "CHANGED",
                "order_delivered": "DONE",
                "order_cancelled": "CANCELLED",
                "desk lamp": "LAMP",
            },
            "properties_allow": ["allowed", "orderId"],
            "url_query_allow": [],
            "traffic_type": "SHADOW",
            "max_future_skew_ms": 0,
        }
    )
    adjustments = ADJUSTMENTS
    forbidden = (
        *(path for path in FORBIDDEN if path != "user.opaque_id"),
        *("user.anonymous_id", "items.product_id", "items.parent_id"),
    )

    switched: ClassVar = {"custom": "CUSTOM_ACTION_TYPE LAMP per item"}

    def whole_event(self, event_type: str) -> dict[str, Any]:
        """With a property that may go out, one under a name that has a meaning, and a custom event's name."""
        properties = {"allowed": "yes", "orderId": "no", "action": "desk lamp"}
        return {**rich_event(event_type), "properties": properties}


class TestPromotedGolden(GoldenCases):
    """The contract's worked examples, its table of answers, and one case a rule of ours."""

    vendor = Promoted
    folder = Path(__file__).parent
