"""Canonical event → Topsort records: the table first, then what its rows mean.

Decides only: no clock, no chance. Checks come in the contract's order, and the first hit gives the reason:
event type, switches, consent, time, identity, items, entity or token, currency, prices, size.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Literal
from urllib.parse import quote

import msgspec

from connector.model import event as canonical
from connector.model.event import EVENT_TYPES, UNKNOWN_EVENT_TYPE, ClickstreamEvent, Event, OrderEvent
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.formats import (
    YEAR_2000_MS,
    currency,
    decimal_text,
    derived_id,
    holds_email,
    identifier,
    item_id,
    rfc3339,
    text,
    times_quantity,
    url_path,
)
from connector.vendors.topsort import wire
from connector.vendors.topsort.settings import TopsortOptions, UserIdSource

# ── the table ────────────────────────────────────────────────────────────────────────────────────


class PageView(msgspec.Struct, frozen=True):
    """One page view of the vendor's page type; None: as the event's own page type says."""

    type: str | None


class Interactions(msgspec.Struct, frozen=True):
    """One impression or click per item, or a single one for a banner (a token without items).

    `engagement` is the click's type, None for a plain one; with nothing to show for it, an engagement that
    `needs_items` is refused where others are skipped.
    """

    kind: Literal["impressions", "clicks"]
    engagement: str | None = None
    needs_items: bool = False


class Purchase(msgspec.Struct, frozen=True):
    """One purchase; of a renewal only if the settings say so."""

    renewal: bool = False


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

PAGE_TYPES: Mapping[str | None, str] = {
    "home": "home",
    "category": "category",
    "product": "PDP",
    "search": "search",
    "cart": "cart",
}
DEVICE_TYPES: Mapping[str | None, str] = {"desktop": "desktop", "mobile": "mobile", "tablet": "mobile"}
CHANNELS: Mapping[str | None, str] = {
    **dict.fromkeys(("app", "web", "mobile_web", "desktop_web"), "onsite"),
    "store": "instore",
    "offsite": "offsite",
}
ENTITY_TYPES = ("product", "vendor")

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
OPAQUE_USER_ID_CHARS_MAX = 128
ID_CHARS_MAX = 128  # the bound that a vendor-written integration documents

QUANTITY_MAX = 2**53 - 1
"""The largest integer that every JSON reader takes exactly (RFC 8259 §6)."""

_UNSUPPORTED = Skipped("unsupported_event_type")
_UNKNOWN = Skipped("unknown_event_type")
_DISABLED = Skipped("disabled_by_config")
_CONSENT_DENIED = Skipped("consent_denied")

_NO_ATTRIBUTION = canonical.Attribution()
_NO_ITEM = canonical.EventItem()
_NO_PAGE = canonical.Page()
_NO_PLACEMENT = canonical.Placement()


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
            return (
                "skip unknown_event_type"
                if event_type == UNKNOWN_EVENT_TYPE
                else "skip unsupported_event_type"
            )


EVENTS: Mapping[str, str] = {str(name): outcome(name, MAPPERS.get(name)) for name in EVENT_TYPES}


# ── one event ────────────────────────────────────────────────────────────────────────────────────


class Common(msgspec.Struct, frozen=True, gc=False):
    """What every record of an event says, and the list of what had to be changed on the way."""

    at_ms: int
    occurred_at: str
    user_id: str
    device_type: str | None
    channel: str | None
    adjustments: list[str]


class Mapper:
    """Turns canonical events into Topsort records under one configuration. Pure and quick: this runs once per
    event."""

    def __init__(self, options: TopsortOptions, consent: Sequence[str]) -> None:
        self._consent = tuple(consent)
        self._currency = options.currency
        self._extended = options.extended_fields
        self._location_in_path = options.location_in_path
        self._organic_only = options.engagement_clicks == "organic_only"
        self._max_future_skew_ms = options.max_future_skew_ms
        self._record_bytes_max = options.max_bytes - wire.FRAME_BYTES - 1  # one for the comma a batch counts
        self._product_of = attrgetter(options.product_id_source)
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
            if self._organic_only and shape.engagement and self._sponsored(event):
                return _DISABLED
        elif isinstance(shape, Purchase) and shape.renewal and _order_id(event) is None:
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
            return self._purchase(event, common)
        assert isinstance(event, ClickstreamEvent), "the decoder reads all others as ClickstreamEvent"
        if isinstance(shape, Interactions):
            return self._interactions(event, shape, common)
        return self._page_view(event, shape, common)

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
            found = _identifier(getattr(user, source), adjustments)
            if found is not None:
                return self._pseudonym(source, found)
        return None

    def _pseudonym(self, source: UserIdSource, found: str) -> str:
        if source == "customer_id":
            return hmac.digest(self._hmac_key, found.encode(), "sha256").hex()
        return found

    # ── impressions and clicks ───────────────────────────────────────────────────────────────────

    def _interactions(self, event: ClickstreamEvent, shape: Interactions, common: Common) -> MapResult:
        items = event.items or ()
        adjustments = common.adjustments
        if shape.needs_items and not items:
            return Refused("missing_required_field:items", "items", adjustments)
        several = len(items) > 1
        attribution = event.attribution or _NO_ATTRIBUTION
        event_token = _identifier(attribution.resolved_bid_id, adjustments)
        if several and event_token is not None:
            event_token = None  # nobody can say which of the items it belongs to
            adjustments.append("ambiguous_token_dropped")
        second = _second_entity(attribution, adjustments)
        where = self._where(event, adjustments)
        engagement = shape.engagement if self._extended else None
        offsite = self._extended and event.channel == "offsite"
        campaign = _identifier(attribution.campaign_id, adjustments) if offsite else None

        mapped: list[Item] = []
        for index, item in enumerate(items or (_NO_ITEM,)):
            token = _own_token(item, adjustments) or event_token
            entity = None
            if token is None:
                product = _identifier(self._product_of(item), adjustments)
                if product is not None:
                    entity = wire.Entity(product, "product")
                elif not items:
                    entity = second
            meaningless = token is None and entity is None
            if meaningless or (token is not None and self._organic_only and shape.engagement):
                if several:
                    adjustments.append("item_dropped")
                continue
            organic = token is None
            record = wire.Interaction(
                id=item_id(event.event_id, index, len(items)),
                occurred_at=common.occurred_at,
                opaque_user_id=common.user_id,
                resolved_bid_id=token,
                entity=entity,
                additional_attribution=None if organic else second,
                click_type=None if organic else engagement,
                object=wire.ClickObject(engagement) if organic and engagement else None,
                placement=wire.Placement(*where, _position(item, event, several)) if where else None,
                device_type=common.device_type,
                channel=common.channel,
                external_campaign_id=campaign if organic else None,
                external_vendor_id=_identifier(item.seller_id, adjustments) if offsite and organic else None,
            )
            body = wire.encode(record)
            if len(body) > self._record_bytes_max:
                return Refused("payload_too_large", f"items[{index}]" if items else "", adjustments)
            mapped.append(Item(record.id, shape.kind, body, common.at_ms))
        if mapped:
            return Mapped(mapped, adjustments)
        if shape.needs_items:
            return Refused("missing_required_field:items", "items", adjustments)
        return Skipped("no_entity", adjustments)

    def _sponsored(self, event: Event) -> bool:
        """True when all that the event would become carries a token."""
        items = event.items or ()
        if len(items) > 1:
            return all(_own_token(item, []) for item in items)
        token = _identifier(event.attribution.resolved_bid_id, []) if event.attribution else None
        return token is not None or any(_own_token(item, []) for item in items)

    def _where(self, event: ClickstreamEvent, adjustments: list[str]) -> Where | None:
        """What the page was and what it was about; None without a path, which the vendor insists on."""
        path = _path(event)
        if path is None:
            return None
        placement = event.placement or _NO_PLACEMENT
        if self._location_in_path:
            location = text(placement.location)
            if location is not None:
                path = f"{path.rstrip('/')}/{quote(location, safe='')}"
        query = text(placement.search_query) and placement.search_query
        if query is None and event.search is not None:
            query = event.search.query
        return (
            path,
            _from_1(placement.page),
            _from_1(placement.page_size),
            _identifier(placement.product_id, adjustments),
            _texts(placement.category_ids),
            _search_query(query, adjustments),
        )

    # ── page views ───────────────────────────────────────────────────────────────────────────────

    def _page_view(self, event: ClickstreamEvent, shape: PageView, common: Common) -> MapResult:
        page = event.page or _NO_PAGE
        adjustments = common.adjustments
        page_id = _path(event) or text(page.id)
        if page_id is None:
            return Skipped("no_page_id", adjustments)
        kind = shape.type or PAGE_TYPES.get(page.type, "other")
        record = wire.PageView(
            event.event_id,
            common.occurred_at,
            common.user_id,
            wire.Page(kind, page_id, self._page_value(event, kind, adjustments)),
            common.device_type,
            common.channel,
        )
        body = wire.encode(record)
        if len(body) > self._record_bytes_max:
            return Refused("payload_too_large", "", adjustments)
        return Mapped((Item(record.id, "pageviews", body, common.at_ms),), adjustments)

    def _page_value(
        self, event: ClickstreamEvent, kind: str, adjustments: list[str]
    ) -> str | Sequence[str] | None:
        """What the page is about: a product, a category, a query, or the products of a cart."""
        match kind:
            case "PDP":
                return _identifier(self._product_of(event.items[0]), adjustments) if event.items else None
            case "category":
                return _category(event)
            case "search":
                return _search_query(event.search.query, adjustments) if event.search is not None else None
            case "cart":
                known = event.cart is not None and event.cart.items is not None
                lines = event.cart.items if known and event.cart is not None else event.items
                products = (_identifier(self._product_of(line), adjustments) for line in lines or ())
                return [product for product in products if product is not None] or None
            case _:
                return None

    # ── purchases ────────────────────────────────────────────────────────────────────────────────

    def _purchase(self, event: OrderEvent, common: Common) -> MapResult:
        adjustments = common.adjustments
        lines = self._lines(event, adjustments)
        if not lines:
            return Refused("missing_required_field:items", "items", adjustments)
        refusal = self._other_currency(event, lines, adjustments)
        if refusal is not None:
            return refusal
        sold: list[wire.PurchaseItem] = []
        for index, product, quantity, line in lines:
            micros = line.unit_price_micros
            if micros is not None and micros < 0:
                return Refused("invalid_price", f"items[{index}].unit_price_micros", adjustments)
            try:
                price, units = _price(micros or 0, quantity, adjustments)
            except OverflowError:  # no double holds it, so the vendor could not either
                return Refused("invalid_price", f"items[{index}].quantity", adjustments)
            if price is None:
                adjustments.append("line_dropped")
                continue
            sold.append(wire.PurchaseItem(product, price, units, _identifier(line.seller_id, adjustments)))
        if not sold:
            return Skipped("no_billable_lines", adjustments)
        record = wire.Purchase(
            _purchase_id(event),
            common.occurred_at,
            common.user_id,
            sold,
            common.device_type,
            common.channel,
        )
        body = wire.encode(record)
        if len(body) > self._record_bytes_max:
            return Refused("payload_too_large", "items", adjustments)
        return Mapped((Item(record.id, "purchases", body, common.at_ms),), adjustments)

    def _lines(self, event: OrderEvent, adjustments: list[str]) -> list[Line]:
        """The lines that say which product and how many of it."""
        lines: list[Line] = []
        for index, line in enumerate(event.items or ()):
            product = _identifier(self._product_of(line), adjustments)
            quantity = 1.0 if line.quantity is None else line.quantity
            if product is not None and quantity > 0:
                lines.append((index, product, quantity, line))
            else:
                adjustments.append("line_dropped")
        return lines

    def _other_currency(
        self, event: OrderEvent, lines: Sequence[Line], adjustments: list[str]
    ) -> Skipped | Refused | None:
        """Why these lines can't be sent as prices in the marketplace currency, the only one Topsort knows."""
        common = currency(event.order.currency)
        known = {currency(line.currency) or common for _, _, _, line in lines} - {None}
        if not known:
            return Refused("missing_required_field:currency", "order.currency", adjustments)
        if len(known) > 1:
            return Refused("mixed_currency", "items", adjustments)
        return None if self._currency in known else Skipped("unsupported_currency", adjustments)


# ── pieces ───────────────────────────────────────────────────────────────────────────────────────

Where = tuple[str, int | None, int | None, str | None, Sequence[str] | None, str | None]
"""The members of a placement that all items of an event share, in the order of `wire.Placement`."""

Line = tuple[int, str, float, canonical.EventItem]
"""Its place in the order, product, quantity, and the line itself."""


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


def _identifier(value: str | None, adjustments: list[str]) -> str | None:
    """An identifier or token as the vendor may have it: no placeholder, and never an e-mail address."""
    found = identifier(value)
    if found is not None and holds_email(found):
        adjustments.append("pii_identifier_suppressed")
        return None
    return found


def _own_token(item: canonical.EventItem, adjustments: list[str]) -> str | None:
    return (
        _identifier(item.attribution.resolved_bid_id, adjustments) if item.attribution is not None else None
    )


def _second_entity(attribution: canonical.Attribution, adjustments: list[str]) -> wire.Entity | None:
    found = _identifier(attribution.entity_id, adjustments)
    kind = text(attribution.entity_type)
    return wire.Entity(found, kind) if found is not None and kind in ENTITY_TYPES else None


def _path(event: ClickstreamEvent) -> str | None:
    placement, page = event.placement, event.page
    path = url_path(placement.path) if placement is not None else None
    if path is None and page is not None:
        path = url_path(page.path) or url_path(page.url)
    return path


def _position(item: canonical.EventItem, event: ClickstreamEvent, several: bool) -> int | None:
    own = _from_1(item.position)
    if own is None and not several and event.placement is not None:
        return _from_1(event.placement.position)
    return own


def _from_1(value: int | None) -> int | None:
    return value if value is not None and value >= 1 else None


def _texts(values: Sequence[str] | None) -> Sequence[str] | None:
    return [found for value in values if (found := text(value)) is not None] or None if values else None


def _search_query(value: str | None, adjustments: list[str]) -> str | None:
    """The query word for word, as the auction got it; None when blank or when it holds an e-mail address."""
    if value is None or not value.strip():
        return None
    if holds_email(value):
        adjustments.append("search_query_suppressed")
        return None
    return value


def _category(event: ClickstreamEvent) -> str | None:
    own = text(event.category.id) if event.category is not None else None
    about = _texts(event.placement.category_ids) if event.placement is not None else None
    return own or (about[0] if about else None) or (text(event.page.id) if event.page is not None else None)


def _price(micros: int, quantity: float, adjustments: list[str]) -> tuple[msgspec.Raw | None, int]:
    """What one unit costs and how many were sold; the price is None when there is nothing to bill.

    Goods by weight become one unit at the price of the whole, and so does a number of pieces that no integer
    holds exactly. OverflowError: the price is beyond every double.
    """
    if quantity.is_integer() and quantity <= QUANTITY_MAX:
        return msgspec.Raw(decimal_text(micros).encode()) if micros else None, int(quantity)
    units, scale = times_quantity(micros, quantity)
    if units / 10**scale == 0:  # no price, or one so small that a reader would take it for zero
        return None, 1
    adjustments.append("fractional_quantity_folded")
    return msgspec.Raw(decimal_text(units, scale).encode()), 1


def _order_id(event: Event) -> str | None:
    return _identifier(event.order.order_id, []) if isinstance(event, OrderEvent) else None


def _purchase_id(event: OrderEvent) -> str:
    """The order's id, so that an order counts once however often it is reported. One that is longer than ids
    may be is replaced by a digest of itself, which does the same."""
    order_id = _order_id(event) or event.event_id
    return order_id if len(order_id) <= ID_CHARS_MAX else derived_id(order_id)
