"""The canonical event: the mirror of `avro/`, held to it by a test.

Money is integer micros (amount × 1,000,000). Times are epoch milliseconds. Positions are 1-based. An absent
value is None, and absent never means zero or "no".
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

# ── values ───────────────────────────────────────────────────────────────────────────────────────

EPOCH_MS_MIN = -62_167_219_200_000  # 0000-01-01T00:00:00Z
EPOCH_MS_MAX = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last moment RFC 3339 can write

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]

if TYPE_CHECKING:
    EpochMs = int
    OffsetMinutes = int
else:
    # The JSON form may also write a time as text and the offset as null. The codec reads both in the same
    # pass and replaces them by the number before anybody else sees the event.
    EpochMs = Annotated[int, Meta(ge=EPOCH_MS_MIN, le=EPOCH_MS_MAX)] | str
    OffsetMinutes = Int32 | None


class EventType(StrEnum):
    """What happened. A word that this version does not know reads as `unknown`."""

    order_created = "order_created"
    order_updated = "order_updated"
    order_delivered = "order_delivered"
    order_cancelled = "order_cancelled"
    order_refunded = "order_refunded"
    subscription_renewal = "subscription_renewal"
    page_view = "page_view"
    home_view = "home_view"
    landing = "landing"
    product_view = "product_view"
    category_view = "category_view"
    search = "search"
    impression = "impression"
    click = "click"
    add_to_cart = "add_to_cart"
    remove_from_cart = "remove_from_cart"
    cart_updated = "cart_updated"
    add_to_wishlist = "add_to_wishlist"
    remove_from_wishlist = "remove_from_wishlist"
    checkout_started = "checkout_started"
    like = "like"
    unlike = "unlike"
    share = "share"
    comment = "comment"
    bookmark = "bookmark"
    remove_bookmark = "remove_bookmark"
    follow = "follow"
    unfollow = "unfollow"
    offer = "offer"
    question = "question"
    answer = "answer"
    sign_in = "sign_in"
    sign_up = "sign_up"
    custom = "custom"
    unknown = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> EventType:
        return cls.unknown


class Channel(StrEnum):
    """Where the shopper was. A word that this version does not know reads as `other`."""

    app = "app"
    web = "web"
    mobile_web = "mobile_web"
    desktop_web = "desktop_web"
    store = "store"
    offsite = "offsite"
    other = "other"

    @classmethod
    def _missing_(cls, value: object) -> Channel:
        return cls.other


class DeviceType(StrEnum):
    """What the shopper held in hand. A word that this version does not know reads as `other`."""

    desktop = "desktop"
    mobile = "mobile"
    tablet = "tablet"
    tv = "tv"
    other = "other"

    @classmethod
    def _missing_(cls, value: object) -> DeviceType:
        return cls.other


class PageType(StrEnum):
    """What kind of page it was. A word that this version does not know reads as `other`."""

    home = "home"
    category = "category"
    product = "product"
    search = "search"
    cart = "cart"
    checkout = "checkout"
    order_confirmation = "order_confirmation"
    wishlist = "wishlist"
    seller = "seller"
    account = "account"
    landing = "landing"
    other = "other"

    @classmethod
    def _missing_(cls, value: object) -> PageType:
        return cls.other


UNKNOWN_EVENT_TYPE = EventType.unknown
ORDER_EVENT_TYPES = (
    EventType.order_created,
    EventType.order_updated,
    EventType.order_delivered,
    EventType.order_cancelled,
    EventType.order_refunded,
    EventType.subscription_renewal,
)
EVENT_TYPES = tuple(EventType)
CLICKSTREAM_EVENT_TYPES = tuple(
    word for word in EVENT_TYPES if word not in ORDER_EVENT_TYPES and word != UNKNOWN_EVENT_TYPE
)

# ── groups ───────────────────────────────────────────────────────────────────────────────────────


class User(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Who it was, as far as anybody knows."""

    customer_id: str | None = None
    anonymous_id: str | None = None
    opaque_id: str | None = None
    session_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    push_token: str | None = None
    contact_id: str | None = None
    is_internal: bool | None = None


class Device(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """With what."""

    type: DeviceType | None = None
    os: str | None = None
    os_version: str | None = None
    app_version: str | None = None
    model: str | None = None
    user_agent: str | None = None
    ip: str | None = None
    language: str | None = None
    advertising_id: str | None = None
    persistent_id: str | None = None
    screen_width: Int32 | None = None
    screen_height: Int32 | None = None


class Page(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The page or screen it happened on. `url` is absolute or a deep link."""

    id: str | None = None
    type: PageType | None = None
    url: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None
    referrer_id: str | None = None


class Search(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What was searched for. `result_count` None: unknown, not zero."""

    query: str | None = None
    result_count: Int32 | None = None
    filters: dict[str, str] | None = None
    sort: str | None = None


class Category(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The category the page is about."""

    id: str | None = None
    name: str | None = None
    path: tuple[str, ...] | None = None


class ItemAttribution(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The tokens of this very item."""

    resolved_bid_id: str | None = None
    insertion_id: str | None = None
    impression_id: str | None = None


class EventItem(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A product in the event; `Item` in Avro, a word that here means what travels to a vendor.

    `unit_price_micros` is what was charged for one unit after item discounts; `quantity` may be fractional
    (goods by weight).
    """

    product_id: str | None = None
    parent_id: str | None = None
    sku: str | None = None
    name: str | None = None
    category: str | None = None
    category_path: tuple[str, ...] | None = None
    brand: str | None = None
    quantity: Finite | None = None
    unit_price_micros: Int64 | None = None
    list_price_micros: Int64 | None = None
    discount_micros: Int64 | None = None
    currency: str | None = None
    url: str | None = None
    image_url: str | None = None
    description: str | None = None
    position: Int32 | None = None
    seller_id: str | None = None
    in_stock: bool | None = None
    attributes: dict[str, str] | None = None
    attribution: ItemAttribution | None = None


class Order(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The order. `order_id` is unique per purchase, renewals too; `status` is free text, contracts say how it
    is read; `delivery_address` is one string; `cancelled_by` is customer, seller or system."""

    order_id: str
    status: str | None = None
    status_text: str | None = None
    total_micros: Int64 | None = None
    subtotal_micros: Int64 | None = None
    shipping_micros: Int64 | None = None
    discount_micros: Int64 | None = None
    tax_micros: Int64 | None = None
    refund_micros: Int64 | None = None
    currency: str | None = None
    created_at: EpochMs | None = None
    updated_at: EpochMs | None = None
    delivery_address: str | None = None
    delivery_method: str | None = None
    payment_method: str | None = None
    coupon: str | None = None
    restore_url: str | None = None
    store_id: str | None = None
    cancelled_by: str | None = None


class Cart(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The cart. `state_id` is constant from the first line to the purchase; `items` is the full cart, None:
    unknown, empty: emptied."""

    cart_id: str | None = None
    state_id: str | None = None
    items: tuple[EventItem, ...] | None = None
    total_micros: Int64 | None = None
    currency: str | None = None


class Placement(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Where on the page, and what that page is about. `position` and `page` are 1-based."""

    path: str | None = None
    position: Int32 | None = None
    page: Int32 | None = None
    page_size: Int32 | None = None
    product_id: str | None = None
    category_ids: tuple[str, ...] | None = None
    search_query: str | None = None
    location: str | None = None


class Attribution(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Vendors' tokens. `entity_id` and `entity_type` name the second entity to credit."""

    resolved_bid_id: str | None = None
    decision_track_id: str | None = None
    insertion_id: str | None = None
    impression_id: str | None = None
    request_id: str | None = None
    view_id: str | None = None
    campaign_id: str | None = None
    entity_id: str | None = None
    entity_type: str | None = None
    recommendation_variant: str | None = None
    ranked_by: str | None = None


class Target(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Who is followed."""

    type: str | None = None
    id: str | None = None


class Offer(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What was offered for a product."""

    amount_micros: Int64 | None = None
    currency: str | None = None


class Consent(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What the shopper allowed: true, false, or None, which is no refusal."""

    analytics: bool | None = None
    advertising: bool | None = None
    personalization: bool | None = None
    marketing: bool | None = None


# ── events ───────────────────────────────────────────────────────────────────────────────────────


class Envelope(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What every event has.

    `event_id` is a lower-case UUID; the same id twice is sent twice. `utc_offset_minutes` is the shopper's.
    """

    event_id: str
    event_type: EventType
    occurred_at: EpochMs
    utc_offset_minutes: OffsetMinutes = 0
    channel: Channel | None = None
    properties: dict[str, str] | None = None


class OrderEvent(Envelope, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Something happened to an order. `items` are a refund's or change's lines; None: none."""

    user: User | None = None
    device: Device | None = None
    page: Page | None = None
    order: Order
    items: tuple[EventItem, ...] | None = None
    cart: Cart | None = None
    attribution: Attribution | None = None
    consent: Consent | None = None


class ClickstreamEvent(Envelope, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Something happened on a site, in an app or in a shop.

    An event whose type this version does not know is one of these too, with its envelope alone: every group
    is absent, whatever it carried.
    """

    user: User | None = None
    device: Device | None = None
    page: Page | None = None
    search: Search | None = None
    category: Category | None = None
    items: tuple[EventItem, ...] | None = None
    cart: Cart | None = None
    placement: Placement | None = None
    attribution: Attribution | None = None
    target: Target | None = None
    offer: Offer | None = None
    consent: Consent | None = None


Event = OrderEvent | ClickstreamEvent
