"""Canonical event → eSputnik site event, for v2/event: the table first, then what its rows mean.

Decides only: no clock, no chance. Checks come in the contract's order, and the first hit gives the reason:
event type, consent, age, contact identifiers, the event's own fields, size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from connector.model.event import EVENT_TYPES, ORDER_EVENT_TYPES, UNKNOWN_EVENT_TYPE, ClickstreamEvent, Event
from connector.vendors.contract import MapResult, Skipped
from connector.vendors.esputnik.carts import cart_updated
from connector.vendors.esputnik.pieces import Common, Rules, common_of, not_wanted
from connector.vendors.esputnik.settings import SiteOptions
from connector.vendors.esputnik.site_events import (
    empty_search_request,
    page_viewed,
    product_added_to_wishlist,
    product_category_viewed,
    product_impressions,
    product_viewed,
    search_request,
)

# ── the table ────────────────────────────────────────────────────────────────────────────────────

Make = Callable[[ClickstreamEvent, Common, Rules], MapResult]


class Row(msgspec.Struct, frozen=True):
    """The vendor's event type and what makes it. With `otherwise`, that skip is what comes of it unless the
    settings say more; `full_cart`: and only of an event that knows the full cart."""

    key: str
    make: Make
    otherwise: str | None = None
    full_cart: bool = False


MAPPERS: Mapping[str, Row] = {
    "page_view": Row("pageViewed", page_viewed),
    "home_view": Row("pageViewed", page_viewed),
    "landing": Row("pageViewed", page_viewed),
    "product_view": Row("productViewed", product_viewed),
    "category_view": Row("productCategoryViewed", product_category_viewed),
    "search": Row("searchRequest", search_request),
    "cart_updated": Row("cartUpdated", cart_updated),
    "add_to_wishlist": Row("productAddedToWishlist", product_added_to_wishlist),
    "impression": Row("productImpressions", product_impressions, "sent_by_js_api"),
    "add_to_cart": Row("cartUpdated", cart_updated, "partial_cart_not_supported", full_cart=True),
    "remove_from_cart": Row("cartUpdated", cart_updated, "partial_cart_not_supported", full_cart=True),
}

PER_ITEM = frozenset({"productViewed", "productAddedToWishlist"})

UNSUPPORTED = frozenset(EVENT_TYPES) - MAPPERS.keys() - {UNKNOWN_EVENT_TYPE} - frozenset(ORDER_EVENT_TYPES)
"""Known types that the vendor has no event for. It would take any word as a new event type of the customer's
account; that is the account owner's decision, not ours."""

REASONS = frozenset(
    {
        *("unsupported_event_type", "unknown_event_type", "routed_to_orders_api", "sent_by_js_api"),
        *("partial_cart_not_supported", "consent_denied", "stale_event", "no_contact_identifier"),
        *("no_page_location", "empty_search_query", "search_has_results", "no_recommendation_variant"),
        *("missing_required_field:items", "missing_required_field:items[].product_id"),
        *("missing_required_field:items[].unit_price", "missing_required_field:category_id"),
        *("missing_required_field:cart.items", "missing_required_field:cart.items[]"),
        *("missing_required_field:cart.state_id", "payload_too_large"),
    }
)

_SKIPS: Mapping[str, Skipped] = {
    **dict.fromkeys(UNSUPPORTED, Skipped("unsupported_event_type")),
    **dict.fromkeys(ORDER_EVENT_TYPES, Skipped("routed_to_orders_api")),
}
_UNKNOWN = Skipped("unknown_event_type")
_PARTIAL_CART = Skipped("partial_cart_not_supported")


def outcome(event_type: str) -> str:
    """What becomes of an event type under the default settings, in words."""
    row = MAPPERS.get(event_type)
    if row is None:
        return f"skip {_SKIPS.get(event_type, _UNKNOWN).reason}"
    if row.otherwise is not None:
        return f"skip {row.otherwise}"
    return f"{row.key} per item" if row.key in PER_ITEM else row.key


EVENTS: Mapping[str, str] = {str(name): outcome(name) for name in EVENT_TYPES}

# ── one event ────────────────────────────────────────────────────────────────────────────────────


class Mapper:
    """Turns canonical events into site events under one configuration. Pure and quick: this runs once per
    event."""

    def __init__(self, options: SiteOptions, consent: Sequence[str]) -> None:
        self._consent = tuple(consent)
        self._rules = Rules.of(options, 2)
        self._rows: dict[str, Row | Skipped] = {**_SKIPS, **_rows(options)}

    def map(self, event: Event, now_ms: int) -> MapResult:
        """The event's items, or why there are none."""
        row = self._rows.get(event.event_type, _UNKNOWN)
        if isinstance(row, Skipped):
            return row
        assert isinstance(event, ClickstreamEvent), "the decoder reads an order's event types as OrderEvent"
        if row.full_cart and (event.cart is None or event.cart.items is None):
            return _PARTIAL_CART
        return site_event(event, row.make, self._consent, self._rules, now_ms)


def _rows(options: SiteOptions) -> Mapping[str, Row | Skipped]:
    on = {
        "sent_by_js_api": options.send_product_impressions,
        "partial_cart_not_supported": options.cart_from_item_events,
    }
    rows: dict[str, Row | Skipped] = {
        name: row if row.otherwise is None or on[row.otherwise] else Skipped(row.otherwise)
        for name, row in MAPPERS.items()
    }
    if options.search_only_empty:
        rows["search"] = Row("searchRequest", empty_search_request)
    return rows


def site_event(
    event: ClickstreamEvent, make: Make, consent: Sequence[str], rules: Rules, now_ms: int
) -> MapResult:
    """A site event for either method; any identifier will do, a push token too."""
    unwanted = not_wanted(event, consent, rules, now_ms)
    if unwanted is not None:
        return unwanted
    common = common_of(event, rules, push=True)
    if not common.contacts:
        return Skipped("no_contact_identifier", common.adjustments)
    return make(event, common, rules)
