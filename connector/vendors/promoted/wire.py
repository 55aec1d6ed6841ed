"""What travels to Promoted: the records' exact field names, and the request that carries them.

Decides only. Source of names and types: the vendor's published schema, message `event.LogRequest`, revision
e59c0321 of 2025-03-25, in its protobuf JSON form. One unknown field fails the whole request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from connector.model.item import Item
from connector.vendors.contract import Limits, ProbePolicy, Request, RetryPolicy
from connector.vendors.promoted.settings import PromotedOptions

EXAMPLE_URL = "https://your-account.promoted.example/log"
"""Every account has its own, and older ones do not end in `/log`."""

ARRAYS = ("view", "impression", "action")
"""The arrays of a request, which are the kinds of our items."""

FRAME_BYTES = len(b'{"":[],"":[],"":[]}') + sum(map(len, ARRAYS))
"""A body with all three arrays and no record: more than any frame we send, as no empty array is ever sent."""

HEADERS: Mapping[str, str] = {"Content-Type": "application/json"}

CURRENCIES = frozenset(
    {
        *("USD", "EUR", "JPY", "GBP", "AUD", "CAD", "CHF", "CNY", "HKD", "NZD", "SEK", "KRW", "SGD", "NOK"),
        *("MXN", "INR", "RUB", "ZAR", "TRY", "BRL"),
    }
)
"""common.CurrencyCode; any other name fails the whole request."""

INT64_MAX = 2**63 - 1
DOUBLE_EXACT_MAX = 2**53 - 1
"""Numbers inside `properties.struct` are doubles; a larger integer goes as text."""


def in_struct(number: int) -> int | str:
    """An integer as `properties.struct` can hold it without losing digits."""
    return number if -DOUBLE_EXACT_MAX <= number <= DOUBLE_EXACT_MAX else str(number)


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────


class Payload(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename="camel"):
    """An object of the vendor's: camel case, absent members left out."""


class UserInfo(Payload, frozen=True, gc=False):
    """Who it was; at least one of the two ids."""

    user_id: str | None = None
    anon_user_id: str | None = None
    is_internal_user: bool = False


class Timing(Payload, frozen=True, gc=False):
    """When, in epoch milliseconds."""

    client_log_timestamp: int


class ClientInfo(Payload, frozen=True, gc=False):
    """What sort of client speaks, and of what sort of traffic."""

    client_type: str
    traffic_type: str


class Properties(Payload, frozen=True, gc=False):
    """Custom values; the wrapper is mandatory."""

    struct: Mapping[str, object]


class IndexPath(Payload, frozen=True, gc=False):
    """A place in a list, counted from 0."""

    index: tuple[int, ...]


class Money(Payload, frozen=True, gc=False):
    """A price. The same factor for every currency, also yen. As text only inside `properties.struct`."""

    currency_code: str
    amount_micros: int | str


class CartContent(Payload, frozen=True, gc=False):
    """One line of a cart: of `Action.cart`, or of a list inside `properties.struct`."""

    content_id: str
    quantity: int | str
    price_per_unit: Money | None = None


class OrderLine(Payload, frozen=True, gc=False):
    """What `properties.struct` tells of a line whose currency `Money` can't."""

    content_id: str
    quantity: int | str
    unit_price_micros: int | str
    currency_code: str


class Cart(Payload, frozen=True, gc=False):
    """What was bought; never empty."""

    contents: Sequence[CartContent]


class Locale(Payload, frozen=True, gc=False):
    """The visitor's language, and region if known."""

    language_code: str
    region_code: str | None = None


class WebPageView(Payload, frozen=True, gc=False):
    """The view was a web page; empty when neither address is known."""

    url: str | None = None
    referrer: str | None = None


class AppScreenView(Payload, frozen=True, gc=False):
    """The view was a screen of an app; it has no fields."""


class NavigateAction(Payload, frozen=True, gc=False):
    """Where a NAVIGATE led."""

    target_url: str


# ── records ──────────────────────────────────────────────────────────────────────────────────────


class View(Payload, frozen=True, gc=False, kw_only=True):
    """A page or screen was seen. At most one of `web_page_view` and `app_screen_view`."""

    view_id: str
    user_info: UserInfo
    timing: Timing
    client_info: msgspec.Raw
    session_id: str | None = None
    content_id: str | None = None
    name: str
    use_case: str | None = None
    search_query: str | None = None
    locale: Locale | None = None
    web_page_view: WebPageView | None = None
    app_screen_view: AppScreenView | None = None
    properties: Properties | None = None


class Impression(Payload, frozen=True, gc=False, kw_only=True):
    """A product was shown."""

    impression_id: str
    user_info: UserInfo
    timing: Timing
    client_info: msgspec.Raw
    insertion_id: str | None = None
    request_id: str | None = None
    view_id: str | None = None
    session_id: str | None = None
    content_id: str
    source_type: str | None = None
    client_position: IndexPath | None = None
    properties: Properties | None = None


class Action(Payload, frozen=True, gc=False, kw_only=True):
    """Somebody did something."""

    action_id: str
    user_info: UserInfo
    timing: Timing
    client_info: msgspec.Raw
    impression_id: str | None = None
    insertion_id: str | None = None
    request_id: str | None = None
    view_id: str | None = None
    session_id: str | None = None
    action_type: str
    custom_action_type: str | None = None
    content_id: str | None = None
    navigate_action: NavigateAction | None = None
    client_position: IndexPath | None = None
    cart: Cart | None = None
    properties: Properties | None = None


encode = msgspec.json.Encoder().encode


# ── the request ──────────────────────────────────────────────────────────────────────────────────


def limits(options: PromotedOptions) -> Limits:
    """What one request may hold, and how long to wait for what."""
    return Limits(
        items_max=options.max_records,
        body_bytes_max=options.max_bytes,
        frame_bytes=FRAME_BYTES,
        unique_ids=True,  # of two records with one key in a request the second would be lost in silence
        connect_timeout_s=3.0,
        request_timeout_s=10.0,  # the vendor's own server-side library waits 3 s in total
        retry_after_max_s=300.0,
        retry=RetryPolicy(first_s=0.5, cap_s=60.0, jitter="full"),
        probe=ProbePolicy(first_s=1.0, cap_s=60.0, apart_s=30.0),
    )


def credentials(api_key: str) -> Mapping[str, str]:
    """The header that carries the key."""
    return {"x-api-key": api_key}


def request(items: Sequence[Item]) -> Request:
    """One request for these items: each goes to its kind's array, in its order; no array is ever empty.

    Its first byte is `{`: the vendor's server tells JSON from base64 by that byte alone.
    """
    bodies: dict[str, list[bytes]] = {array: [] for array in ARRAYS}
    for item in items:
        bodies[item.kind].append(item.body)
    members = [b'"%b":[%b]' % (name.encode(), b",".join(of)) for name, of in bodies.items() if of]
    return Request("POST", HEADERS, b"{%b}" % b",".join(members))


def probe(url: str) -> Request:
    """A valid empty `LogRequest`: it carries no record, so nothing is stored."""
    return Request("POST", HEADERS, b"{}", url)
