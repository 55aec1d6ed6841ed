"""Canonical event → eSputnik order event, for v1/event: the table first, then what its rows mean.

Decides only: no clock, no chance. Checks come in the contract's order, and the first hit gives the reason:
event type, consent, age, order id, contact identifiers, total, date, items, size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec

from connector.model.event import EVENT_TYPES, UNKNOWN_EVENT_TYPE, ClickstreamEvent, Event, OrderEvent
from connector.vendors.contract import MapResult, Refused, Skipped
from connector.vendors.esputnik import site
from connector.vendors.esputnik.contacts import can_order
from connector.vendors.esputnik.order_events import (
    STATUSES,
    OrderRules,
    OrderShape,
    is_partial_refund,
    order_event,
)
from connector.vendors.esputnik.pieces import Rules, common_of, not_wanted
from connector.vendors.esputnik.settings import OrdersOptions
from connector.vendors.formats import text

# ── the table ────────────────────────────────────────────────────────────────────────────────────

MAPPERS: Mapping[str, OrderShape] = {
    "order_created": OrderShape(
        "orderCreated", "INITIALIZED", whole=True, default_status=True, dated_by_event=True
    ),
    "order_updated": OrderShape("orderUpdated", "IN_PROGRESS", whole=True, default_status=True),
    "order_delivered": OrderShape("orderDelivered", "DELIVERED"),
    "order_cancelled": OrderShape("orderCancelled", "CANCELLED"),
    "order_refunded": OrderShape("orderCancelled", "CANCELLED", refund=True),
    "subscription_renewal": OrderShape(
        "orderCreated", "INITIALIZED", whole=True, default_status=True, dated_by_event=True, renewal=True
    ),
}

SITE_EVENTS = ("page_view", "home_view", "landing", "product_view", "category_view", "cart_updated")
"""What this method knows of a site; sent only with `v1_site_events`."""

SITE_ONLY = ("search", "impression", "add_to_wishlist")
"""What only v2/event knows."""

UNSUPPORTED = (
    frozenset(EVENT_TYPES) - MAPPERS.keys() - {UNKNOWN_EVENT_TYPE} - frozenset((*SITE_EVENTS, *SITE_ONLY))
)

SITE_CONSENT = ("marketing",)
"""Orders are order data; what somebody looked at is marketing."""

REASONS = frozenset(
    {
        *("unsupported_event_type", "unknown_event_type", "routed_to_site_events", "consent_denied"),
        *("stale_event", "no_order", "no_contact_identifier", "partial_refund_unsupported"),
        *("missing_required_field:order.order_id", "missing_required_field:order.total", "invalid_total"),
        *("missing_required_field:order.created_at", "invalid_timestamp", "payload_too_large"),
        # with v1_site_events
        *("no_page_location", "missing_required_field:items", "missing_required_field:items[].product_id"),
        *("missing_required_field:items[].unit_price", "missing_required_field:category_id"),
        *("missing_required_field:cart.items", "missing_required_field:cart.items[]"),
        "missing_required_field:cart.state_id",
    }
)

_SKIPS: Mapping[str, Skipped] = {
    **dict.fromkeys(UNSUPPORTED, Skipped("unsupported_event_type")),
    **dict.fromkeys((*SITE_EVENTS, *SITE_ONLY), Skipped("routed_to_site_events")),
}
_UNKNOWN = Skipped("unknown_event_type")
_PARTIAL_REFUND = Skipped("partial_refund_unsupported")


def outcome(event_type: str) -> str:
    """What becomes of an event type under the default settings, in words."""
    shape = MAPPERS.get(event_type)
    return shape.key if shape is not None else f"skip {_SKIPS.get(event_type, _UNKNOWN).reason}"


EVENTS: Mapping[str, str] = {str(name): outcome(name) for name in EVENT_TYPES}

# ── one event ────────────────────────────────────────────────────────────────────────────────────


class Mapper:
    """Turns canonical events into order events under one configuration. Pure and quick: this runs once per
    event. `consent` None: what the options say."""

    def __init__(self, options: OrdersOptions, consent: Sequence[str] | None) -> None:
        required = ("marketing",) if options.orders_require_marketing_consent else ()
        self._consent = (*(consent or ()), *required)
        self._site_consent = (*(SITE_CONSENT if consent is None else consent), *required)
        self._rules = Rules.of(options, 1)
        self._own = OrderRules(
            zone=ZoneInfo(options.account_timezone),
            statuses={**STATUSES, **options.status_map},
            products=options.send_products,
            names=options.send_names,
            delivery_address=options.send_delivery_address,
        )
        self._rows: dict[str, OrderShape | site.Row | Skipped] = {**_SKIPS, **MAPPERS}
        if options.v1_site_events:
            self._rows |= {name: site.MAPPERS[name] for name in SITE_EVENTS}
        if options.status_change_as == "upsert":
            self._rows |= {name: _as_update(shape) for name, shape in MAPPERS.items() if not shape.whole}

    def map(self, event: Event, now_ms: int) -> MapResult:
        """The event's items, or why there are none."""
        row = self._rows.get(event.event_type, _UNKNOWN)
        if isinstance(row, Skipped):
            return row
        if isinstance(row, site.Row):
            return self._site_event(event, row, now_ms)
        assert isinstance(event, OrderEvent), "the decoder reads an order's event types as OrderEvent"
        if row.refund and is_partial_refund(event.order):
            return _PARTIAL_REFUND
        unwanted = not_wanted(event, self._consent, self._rules, now_ms)
        if unwanted is not None:
            return unwanted
        order_id = text(event.order.order_id)
        if order_id is None:
            if row.renewal:
                return Skipped("no_order")  # without one of its own it is no order
            return Refused("missing_required_field:order.order_id", "order.order_id")
        common = common_of(event, self._rules, push=False)
        if not can_order(common.contacts):
            return Skipped("no_contact_identifier", common.adjustments)
        return order_event(event, order_id, row, common, self._rules, self._own)

    def _site_event(self, event: Event, row: site.Row, now_ms: int) -> MapResult:
        assert isinstance(event, ClickstreamEvent), "the decoder reads all others as ClickstreamEvent"
        return site.site_event(event, row.make, self._site_consent, self._rules, now_ms)


def _as_update(shape: OrderShape) -> OrderShape:
    """The change of a status as an update of the whole order, which creates one that the vendor lacks."""
    return msgspec.structs.replace(shape, key="orderUpdated", whole=True)
