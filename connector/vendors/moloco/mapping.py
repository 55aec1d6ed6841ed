"""Canonical event → Moloco user event: the table first, then what its rows mean.

Decides only: no clock, no chance. Checks come in the contract's order, and the first hit gives the reason:
event type, consent, channel, timestamp, os, identifiers, page, items, revenue, search, size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from connector.model import event as canonical
from connector.model.event import EVENT_TYPES, UNKNOWN_EVENT_TYPE, ClickstreamEvent, Event, OrderEvent
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.formats import holds_email, text
from connector.vendors.moloco import pieces, wire
from connector.vendors.moloco.lines import Earned, Lines, earned, lines_of
from connector.vendors.moloco.settings import MolocoOptions

# ── the table ────────────────────────────────────────────────────────────────────────────────────


class Row(msgspec.Struct, frozen=True):
    """The vendor's event type, and what it must have beside what all events have."""

    event_type: str
    page: bool = False
    items: bool = False
    revenue: bool = False
    query: bool = False


MAPPERS: Mapping[str, Row] = {
    "page_view": Row("PAGE_VIEW", page=True),
    "home_view": Row("HOME"),
    "landing": Row("LAND"),
    "product_view": Row("ITEM_PAGE_VIEW", items=True),
    "category_view": Row("PAGE_VIEW", page=True),
    "search": Row("SEARCH", query=True),
    "add_to_cart": Row("ADD_TO_CART", items=True),
    "add_to_wishlist": Row("ADD_TO_WISHLIST", items=True),
    "order_created": Row("PURCHASE", items=True, revenue=True),
}

UNSUPPORTED = frozenset(EVENT_TYPES) - MAPPERS.keys() - {UNKNOWN_EVENT_TYPE}
"""Known types that Moloco has no use for. Impressions and clicks are among them: it counts them by the
tracker URLs of its ad answer. Orders that change too: no update, cancel or refund exists."""

CATEGORY_VIEW = "category_view"

REASONS = frozenset(
    {
        *("unsupported_event_type", "unknown_event_type", "consent_denied", "unsupported_channel"),
        *("unsupported_app_os", "no_identifier", "unsupported_currency", "empty_search_query"),
        *("pii_in_search_query", "missing_required_field:channel", "missing_required_field:device.os"),
        *("missing_required_field:page_id", "missing_required_field:items", "missing_required_field:revenue"),
        *("invalid_timestamp", "timestamp_in_future", "invalid_quantity", "mixed_currency"),
        *("payload_too_large", "throttled_identifier"),
    }
)

_UNSUPPORTED = Skipped("unsupported_event_type")
_UNKNOWN = Skipped("unknown_event_type")
_CONSENT_DENIED = Skipped("consent_denied")
_NO_CHANNEL = Refused("missing_required_field:channel", "channel")
_UNSUPPORTED_CHANNEL = Skipped("unsupported_channel")
_NO_PAGE = canonical.Page()


def outcome(event_type: str) -> str:
    """What becomes of an event type, in words."""
    row = MAPPERS.get(event_type)
    if row is not None:
        return row.event_type
    return f"skip {(_UNKNOWN if event_type == UNKNOWN_EVENT_TYPE else _UNSUPPORTED).reason}"


EVENTS: Mapping[str, str] = {str(name): outcome(name) for name in EVENT_TYPES}


# ── one event ────────────────────────────────────────────────────────────────────────────────────


class Mapper:
    """Turns canonical events into Moloco's under one configuration. Pure and quick: this runs once per
    event."""

    def __init__(self, options: MolocoOptions, consent: Sequence[str]) -> None:
        self._consent = tuple(consent)
        self._channel_types: dict[str | None, str] = dict(options.channel_types.items())
        self._max_future_skew_ms = options.max_future_skew_ms
        self._hashed = options.identity_hash == "sha256"
        self._omit = options.unsupported_currency == "omit"
        self._domain = options.domain
        self._rows: dict[str, Row | Skipped] = {**dict.fromkeys(UNSUPPORTED, _UNSUPPORTED), **MAPPERS}

    def map(self, event: Event, now_ms: int) -> MapResult:
        """The event's one item, or why there is none."""
        row = self._rows.get(event.event_type, _UNKNOWN)
        if isinstance(row, Skipped):
            return row
        if event.consent is not None:
            for purpose in self._consent:
                if getattr(event.consent, purpose) is False:
                    return _CONSENT_DENIED
        channel_type = self._channel_types.get(event.channel)
        if channel_type is None:
            return _NO_CHANNEL if event.channel is None else _UNSUPPORTED_CHANNEL
        at_ms = event.occurred_at
        if at_ms <= 0:
            return Refused("invalid_timestamp", "occurred_at")
        adjustments: list[str] = []
        if at_ms > now_ms:
            if at_ms - now_ms > self._max_future_skew_ms:
                return Refused("timestamp_in_future", "occurred_at")
            at_ms = now_ms
            adjustments.append("clock_skew_clamped")
        device = event.device
        os = pieces.os_of(device.os) if device is not None and device.os is not None else None
        if channel_type == "APP" and os not in pieces.APP_OS:
            if os is None:
                return Refused("missing_required_field:device.os", "device.os", adjustments)
            return Skipped("unsupported_app_os", adjustments)
        who = pieces.who(event, self._hashed, adjustments)
        if who is None:
            return Skipped("no_identifier", adjustments)
        page = event.page or _NO_PAGE
        page_id = _page_id(event, page)
        if page_id is None and row.page:
            return Refused("missing_required_field:page_id", "page", adjustments)
        content = self._content(event, row, adjustments)
        if not isinstance(content, _Content):
            return content
        consent, attribution = event.consent, event.attribution
        body = wire.encode(
            wire.UserEvent(
                event.event_id,
                row.event_type,
                str(at_ms),
                channel_type,
                self._domain,
                who.user_id,
                who.custom_id,
                pieces.device_of(device, os, who.persistent_id),
                page_id,
                pieces.referrer_page_id(page),
                content.lines,
                content.revenue,
                content.shipping,
                content.query,
                text(attribution.decision_track_id) if attribution is not None else None,
                "METRIC_ONLY" if consent is not None and consent.personalization is False else None,
            )
        )
        if len(body) > wire.BODY_BYTES_MAX:
            return Refused("payload_too_large", "", adjustments)
        return Mapped((Item(event.event_id, wire.KIND, body, at_ms),), adjustments)

    def _content(self, event: Event, row: Row, adjustments: list[str]) -> _Content | Skipped | Refused:
        """What the event is about, as far as its type has a place for it."""
        if row.items:
            lines = lines_of(event, adjustments)
            if not isinstance(lines, Lines):
                return lines
            if not row.revenue:
                return _Content(lines.sent)
            assert isinstance(event, OrderEvent), "the decoder reads an order's event types as OrderEvent"
            sold = earned(event, lines, self._omit, adjustments)
            if not isinstance(sold, Earned):
                return sold
            return _Content(sold.lines, sold.revenue, sold.shipping)
        if row.query:
            assert isinstance(event, ClickstreamEvent), "the decoder reads all others as ClickstreamEvent"
            query = text(event.search.query) if event.search is not None else None
            if query is None:
                return Skipped("empty_search_query", adjustments)
            if holds_email(query):
                return Skipped("pii_in_search_query", adjustments)
            return _Content(query=query)
        return _NOTHING


class _Content(msgspec.Struct, frozen=True, gc=False):
    lines: Sequence[wire.Line] | None = None
    revenue: wire.Money | None = None
    shipping: wire.Money | None = None
    query: str | None = None


_NOTHING = _Content()


def _page_id(event: Event, page: canonical.Page) -> str | None:
    found = pieces.page_id(page) if page is not _NO_PAGE else None
    if found is None and event.event_type == CATEGORY_VIEW:
        assert isinstance(event, ClickstreamEvent), "the decoder reads all others as ClickstreamEvent"
        return pieces.category_page_id(event)
    return found
