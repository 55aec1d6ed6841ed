"""Topsort holds what every destination holds."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from connector.vendors.topsort import Topsort
from connector.vendors.topsort.settings import TopsortOptions
from tests.vendors.conformance import VendorConformance
from tests.vendors.golden import GoldenCases

FORBIDDEN = (
    *("user.customer_id", "user.email", "user.phone", "user.first_name", "user.last_name"),
    *("user.push_token", "user.contact_id", "user.session_id"),
    *("device.os", "device.os_version", "device.app_version", "device.model", "device.user_agent"),
    *("device.ip", "device.language", "device.advertising_id", "device.persistent_id"),
    *("order.delivery_address", "order.delivery_method", "order.payment_method", "order.coupon"),
    *("order.restore_url", "page.title", "page.referrer", "page.url?", "properties"),
    *("attribution.decision_track_id", "attribution.insertion_id", "attribution.impression_id"),
    *("attribution.request_id", "attribution.view_id", "items.name", "items.url", "items.attributes"),
)

CODES = (
    "invalid_api_key",
    "empty_request",
    "internal_server_error",
    "request_canceled",
    "invalid_event_time",
)
WORDS = [b'[{"errCode": "%b"}]' % code.encode() for code in CODES]

ADJUSTMENTS = frozenset(
    {
        *("line_dropped", "item_dropped", "ambiguous_token_dropped", "fractional_quantity_folded"),
        *("clock_skew_clamped", "pii_identifier_suppressed", "search_query_suppressed"),
        "opaque_user_id_over_64",
    }
)


class TestTopsort(VendorConformance):
    vendor = Topsort
    options = TopsortOptions(currency="EUR")
    forbidden = FORBIDDEN
    adjustments = ADJUSTMENTS
    own_words = WORDS


class TestTopsortOtherwise(VendorConformance):
    """The same with every option away from its default."""

    vendor = Topsort
    options = TopsortOptions.model_validate(
        {
            "currency": " eur",
            "max_per_array": 3,
            "max_bytes": 2_000,
            "opaque_user_id_sources": ["anonymous_id", "customer_id"],
            "customer_id_hmac_secret": "kit-hmac-secret-77",
            "product_id_source": "sku",
            "extended_fields": False,
            "location_in_path": True,
            "max_future_skew_ms": 0,
        }
    )
    adjustments = ADJUSTMENTS
    own_words = WORDS
    forbidden = (*FORBIDDEN, "user.opaque_id", "items.product_id", "items.parent_id")


class TestTopsortGolden(GoldenCases):
    """The contract's worked examples, its table of answers, and the forms of its headers."""

    vendor = Topsort
    folder = Path(__file__).parent
    options: ClassVar = {"currency": "EUR"}
