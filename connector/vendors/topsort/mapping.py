"""Canonical event → Topsort records: the table first, then what its rows mean.

Decides only: no clock, no chance. Checks come in the contract's order, and the first hit gives the reason:
event type, switches, consent, time, identity, items, entity or token, currency, prices, size.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from operator import attrgetter

from connector.model import event as canonical
from connector.model.event import EVENT_TYPES, UNKNOWN_EVENT_TYPE, ClickstreamEvent, Event, OrderEvent
from connector.vendors.contract import MapResult, Refused, Skipped
from connector.vendors.formats import YEAR_2000_MS, clean_id, rfc3339
from connector.vendors.topsort import wire
from connector.vendors.topsort.interactions import Interactions, interactions, sponsored
from connector.vendors.topsort.page_views import PageView, page_view
from connector.vendors.topsort.pieces import Common, Rules
from connector.vendors.topsort.purchases import Purchase, order_id, purchase
from connector.vendors.topsort.settings import TopsortOptions, UserIdSource

# ── the table ────────────────────────────────────────────────────────────────────────────────────

Shape = PageView | Interactions | Purchase

MAPPERS: Mapping[str, Shape] = {
    "page_view": PageView(None),
    "home_view": PageView("home"),
    "landing": PageView("other"),
    "product_view": PageView("PDP"),
    "category_view": PageView("category"),
    "search": PageView("search"),
    "impression": Interactions("impressions"),
    "click": Interactions("clicks"),
    "add_to_cart": Interactions("clicks", "add-to-cart", needs_items=True),
    "add_to_wishlist": Interactions("clicks", "like", needs_items=True),
    "like": Interactions("clicks", "like"),
    "order_created": Purchase(),
    "subscription_renewal": Purchase(renewal=True),
}

UNSUPPORTED = frozenset(EVENT_TYPES) - MAPPERS.keys() - {UNKNOWN_EVENT_TYPE}
"""Known types that Topsort has no use for. Orders that change are among them: no update and no reversal
exists; the same id would be ignored, a new one counted twice."""

DEVICE_TYPES: Mapping[str | None, str] = {"desktop": "desktop", "mobile": "mobile", "tablet": "mobile"}
CHANNELS: Mapping[str | None, str] = {
    **dict.fromkeys(("app", "web", "mobile_web", "desktop_web"), "onsite"),
    "store": "instore",
    "offsite": "offsite",
}

REASONS = frozenset(
    {
        *("unsupported_event_type", "unknown_event_type", "disabled_by_config", "consent_denied"),
        *("no_identifier", "no_entity", "no_page_id", "no_billable_lines", "unsupported_currency"),
        *("invalid_timestamp", "timestamp_in_future", "opaque_user_id_too_long", "mixed_currency"),
        *("missing_required_field:items", "missing_required_field:currency", "invalid_price"),
        "payload_too_large",
    }
)

OPAQUE_USER_ID_CHARS = 64  # openapi topsort-api-v2, user-linking endpoint: maxLength; longer ones are counted
OPAQUE_USER_ID_CHARS_MAX = 128  # twice that: a longer one is no pseudonym that the auction could have carried

_UNSUPPORTED = Skipped("unsupported_event_type")
_UNKNOWN = Skipped("unknown_event_type")
_DISABLED = Skipped("disabled_by_config")
_CONSENT_DENIED = Skipped("consent_denied")


def outcome(event_type: str, shape: Shape | None) -> str:
    """What becomes of an event type under the default settings, in words."""
    match shape:
        case PageView(kind):
            return f"pageview ({kind})" if kind else "pageview (by page.type)"
        case Interactions(kind, engagement):
            per_item = f"{kind.removesuffix('s')} per item"
            return f"{per_item} ({engagement})" if engagement else per_item
        case Purchase(renewal=False):
            return "purchase"
        case _:
            known = event_type != UNKNOWN_EVENT_TYPE
            return f"skip {(_UNSUPPORTED if known else _UNKNOWN).reason}"


EVENTS: Mapping[str, str] = {str(name): outcome(name, MAPPERS.get(name)) for name in EVENT_TYPES}


# ── one event ────────────────────────────────────────────────────────────────────────────────────


class Mapper:
    """Turns canonical events into Topsort records under one configuration. Pure and quick: this runs once per
    event."""

    def __init__(self, options: TopsortOptions, consent: Sequence[str]) -> None:
        self._consent = tuple(consent)
        self._rules = Rules(
            currency=options.currency,
            product_of=attrgetter(options.product_id_source),
            record_bytes_max=options.max_bytes - wire.FRAME_BYTES - 1,  # one for the comma a batch counts
            extended=options.extended_fields,
            location_in_path=options.location_in_path,
            organic_only=options.engagement_clicks == "organic_only",
        )
        self._max_future_skew_ms = options.max_future_skew_ms
        self._user_id_sources = options.opaque_user_id_sources
        secret = options.customer_id_hmac_secret
        self._hmac_key = secret.get_secret_value().encode() if secret else b""
        self._device_types = DEVICE_TYPES if options.extended_fields else {}
        self._channels = CHANNELS if options.extended_fields else {}
        self._shapes: dict[str, Shape | Skipped] = {
            **dict.fromkeys(UNSUPPORTED, _UNSUPPORTED),
            **{name: _switched_off(shape, options) or shape for name, shape in MAPPERS.items()},
        }

    def map(self, event: Event, now_ms: int) -> MapResult:
        """The event's items, or why there are none."""
        shape = self._shapes.get(event.event_type, _UNKNOWN)
        if isinstance(shape, Skipped):
            return shape
        if isinstance(shape, Interactions):
            if self._rules.organic_only and shape.engagement and sponsored(event):
                return _DISABLED
        elif isinstance(shape, Purchase) and shape.renewal and order_id(event) is None:
            return _UNSUPPORTED  # without an order id of its own it would be counted again at each report
        if event.consent is not None:
            for purpose in self._consent:
                if getattr(event.consent, purpose) is False:
                    return _CONSENT_DENIED
        common = self._common(event, now_ms)
        if not isinstance(common, Common):
            return common
        if isinstance(shape, Purchase):
            assert isinstance(event, OrderEvent), "the decoder reads an order's event types as OrderEvent"
            return purchase(event, common, self._rules)
        assert isinstance(event, ClickstreamEvent), "the decoder reads all others as ClickstreamEvent"
        if isinstance(shape, Interactions):
            return interactions(event, shape, common, self._rules)
        return page_view(event, shape, common, self._rules)

    # ── when and who ─────────────────────────────────────────────────────────────────────────────

    def _common(self, event: Event, now_ms: int) -> Common | Skipped | Refused:
        at_ms, field = event.occurred_at, "occurred_at"
        if isinstance(event, OrderEvent) and event.order.created_at is not None:
            # The vendor wants the instant the order was placed, and credits no auction after it.
            at_ms, field = event.order.created_at, "order.created_at"
        if at_ms < YEAR_2000_MS:
            return Refused("invalid_timestamp", field)
        adjustments: list[str] = []
        if at_ms > now_ms:
            if at_ms - now_ms > self._max_future_skew_ms:
                return Refused("timestamp_in_future", field)
            at_ms = now_ms
            adjustments.append("clock_skew_clamped")
        user_id = self._user_id(event.user, adjustments) if event.user is not None else None
        if user_id is None:
            return Skipped("no_identifier", adjustments)
        if len(user_id) > OPAQUE_USER_ID_CHARS:
            if len(user_id) > OPAQUE_USER_ID_CHARS_MAX:
                return Refused("opaque_user_id_too_long", "user", adjustments)
            adjustments.append("opaque_user_id_over_64")
        return Common(
            at_ms,
            rfc3339(at_ms, event.utc_offset_minutes),
            user_id,
            self._device_types.get(event.device.type) if event.device is not None else None,
            self._channels.get(event.channel),
            adjustments,
        )

    def _user_id(self, user: canonical.User, adjustments: list[str]) -> str | None:
        for source in self._user_id_sources:
            found = clean_id(getattr(user, source), adjustments)
            if found is not None:
                return self._pseudonym(source, found)
        return None

    def _pseudonym(self, source: UserIdSource, found: str) -> str:
        if source == "customer_id":
            return hmac.digest(self._hmac_key, found.encode(), "sha256").hex()
        return found


def _switched_off(shape: Shape, options: TopsortOptions) -> Skipped | None:
    match shape:
        case PageView() if not options.pageviews:
            return _DISABLED
        case Interactions(engagement=str()) if options.engagement_clicks == "off":
            return _DISABLED
        case Purchase(renewal=True) if options.subscription_renewal == "skip":
            return _UNSUPPORTED
        case _:
            return None
