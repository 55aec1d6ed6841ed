"""The canonical event: the mirror of `avro/`, held to it by a test.

Money is integer micros (amount × 1,000,000). Times are epoch milliseconds. Positions are 1-based. An absent value
is None, and absent never means zero or "no".
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Word(str, Enum):
    """A word of a closed list that equals its plain string; a word that a newer producer knows is the default."""

    __str__ = str.__str__
    __hash__ = str.__hash__


class Channel(Word):
    """Where the shopper was."""

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


class DeviceType(Word):
    """What the shopper held in hand."""

    desktop = "desktop"
    mobile = "mobile"
    tablet = "tablet"
    tv = "tv"
    other = "other"

    @classmethod
    def _missing_(cls, value: object) -> DeviceType:
        return cls.other


class PageType(Word):
    """What kind of page it was."""

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


ORDER_EVENT_TYPES = (
    "order_created",
    "order_updated",
    "order_delivered",
    "order_cancelled",
    "order_refunded",
    "subscription_renewal",
)
CLICKSTREAM_EVENT_TYPES = (
    "page_view",
    "home_view",
    "landing",
    "product_view",
    "category_view",
    "search",
    "impression",
    "click",
    "add_to_cart",
    "remove_from_cart",
    "cart_updated",
    "add_to_wishlist",
    "remove_from_wishlist",
    "checkout_started",
    "like",
    "unlike",
    "share",
    "comment",
    "bookmark",
    "remove_bookmark",
    "follow",
    "unfollow",
    "offer",
    "question",
    "answer",
    "sign_in",
    "sign_up",
    "custom",
)
UNKNOWN_EVENT_TYPE = "unknown"
EVENT_TYPES = (*ORDER_EVENT_TYPES, *CLICKSTREAM_EVENT_TYPES, UNKNOWN_EVENT_TYPE)


class User(msgspec.Struct, gc=False):
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


class Device(msgspec.Struct, gc=False):
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


class Page(msgspec.Struct, gc=False):
    """The page or screen it happened on. `url` is absolute or a deep link."""

    id: str | None = None
    type: PageType | None = None
    url: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None
    referrer_id: str | None = None


class Search(msgspec.Struct, gc=False):
    """What was searched for. `result_count` None: unknown, not zero."""

    query: str | None = None
    result_count: Int32 | None = None
    filters: dict[str, str] | None = None
    sort: str | None = None


class Category(msgspec.Struct, gc=False):
    """The category the page is about."""

    id: str | None = None
    name: str | None = None
    path: list[str] | None = None


class ItemAttribution(msgspec.Struct, gc=False):
    """The tokens of this very item."""

    resolved_bid_id: str | None = None
    insertion_id: str | None = None
    impression_id: str | None = None


class EventItem(msgspec.Struct, gc=False):
    """A product in the event. `unit_price_micros` is what was charged for one unit after item discounts;
    `quantity` may be fractional (goods by weight)."""

    product_id: str | None = None
    parent_id: str | None = None
    sku: str | None = None
    name: str | None = None
    category: str | None = None
    category_path: list[str] | None = None
    brand: str | None = None
    quantity: float | None = None
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


class Order(msgspec.Struct, gc=False):
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
    created_at: Int64 | None = None
    updated_at: Int64 | None = None
    delivery_address: str | None = None
    delivery_method: str | None = None
    payment_method: str | None = None
    coupon: str | None = None
    restore_url: str | None = None
    store_id: str | None = None
    cancelled_by: str | None = None


class Cart(msgspec.Struct, gc=False):
    """The cart. `state_id` is constant from the first line to the purchase; `items` is the full cart, None:
    unknown, empty: emptied."""

    cart_id: str | None = None
    state_id: str | None = None
    items: list[EventItem] | None = None
    total_micros: Int64 | None = None
    currency: str | None = None


class Placement(msgspec.Struct, gc=False):
    """Where on the page, and what that page is about. `position` and `page` are 1-based."""

    path: str | None = None
    position: Int32 | None = None
    page: Int32 | None = None
    page_size: Int32 | None = None
    product_id: str | None = None
    category_ids: list[str] | None = None
    search_query: str | None = None
    location: str | None = None


class Attribution(msgspec.Struct, gc=False):
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


class Target(msgspec.Struct, gc=False):
    """Who is followed."""

    type: str | None = None
    id: str | None = None


class Offer(msgspec.Struct, gc=False):
    """What was offered for a product."""

    amount_micros: Int64 | None = None
    currency: str | None = None


class Consent(msgspec.Struct, gc=False):
    """What the shopper allowed: true, false, or None, which is no refusal."""

    analytics: bool | None = None
    advertising: bool | None = None
    personalization: bool | None = None
    marketing: bool | None = None


class Envelope(msgspec.Struct, gc=False, kw_only=True):
    """What every event has; all that is read of an event type that this version does not know.

    `event_id` is a lower-case UUID; the same id twice is sent twice. `utc_offset_minutes` is the shopper's.
    """

    event_id: str
    event_type: str
    occurred_at: Int64
    utc_offset_minutes: Int32 = 0
    channel: Channel | None = None
    properties: dict[str, str] | None = None
    user: User | None = None
    device: Device | None = None
    page: Page | None = None
    items: list[EventItem] | None = None
    cart: Cart | None = None
    attribution: Attribution | None = None
    consent: Consent | None = None


class OrderEvent(Envelope, gc=False, kw_only=True):
    """Something happened to an order. `items` are a refund's or change's lines; None: not told."""

    order: Order


class ClickstreamEvent(Envelope, gc=False, kw_only=True):
    """Something happened on a site, in an app or in a shop."""

    search: Search | None = None
    category: Category | None = None
    placement: Placement | None = None
    target: Target | None = None
    offer: Offer | None = None


Event = OrderEvent | ClickstreamEvent | Envelope
