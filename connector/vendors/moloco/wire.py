"""What travels to Moloco: the exact names of a user event, and the request that carries it.

Decides only. Sources: Moloco, OpenAPI document of the Event API, `UserEvent`; Moloco, data specification
(lengths) and failure protocol (waits). Unknown names are accepted and lost: a misspelt one is never noticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote

import msgspec

from connector.model.item import Item
from connector.vendors.contract import Limits, ProbePolicy, Request, RetryPolicy
from connector.vendors.formats import decimal_text
from connector.vendors.moloco.settings import MolocoOptions

KIND = "userevents"

BODY_BYTES_MAX = 1_000_000
"""Nothing is published; below 1 MiB, the smallest body limit that is common in front of HTTP services."""

IDENTIFIER_CHARS_MAX = 128  # data specification: id, user_id, custom_id, device.persistent_id
PAGE_ID_CHARS_MAX = 128  # data specification: page_id, referrer_page_id
QUANTITY_MAX = 2**31 - 1  # openapi: items[].quantity is int32

CURRENCIES = frozenset(
    {
        *("USD", "KRW", "JPY", "EUR", "GBP", "SEK", "INR", "THB", "IDR", "CNY", "CAD", "RUB", "BRL"),
        *("SGD", "HKD", "AUD", "PLN", "DKK", "VND", "MYR", "PHP", "TRY", "VES", "AED", "CHF"),
    }
)
"""openapi: the enum of `Money.currency` but UNKNOWN_CURRENCY."""

HEADERS: Mapping[str, str] = {"Content-Type": "application/json", "Accept": "application/json"}


# ── the event ────────────────────────────────────────────────────────────────────────────────────


class Payload(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An object of the vendor's: absent members are left out, never null."""


class Money(Payload, frozen=True, gc=False):
    """An amount in major units, 12.34 and not 1234, for yen too. `amount` is the number's exact text."""

    currency: str
    amount: msgspec.Raw


class Device(Payload, frozen=True, gc=False):
    """With what. `persistent_id` is the device's, or the cookie's."""

    os: str | None = None
    os_version: str | None = None
    model: str | None = None
    ua: str | None = None
    language: str | None = None
    persistent_id: str | None = None


class Line(Payload, frozen=True, gc=False):
    """One product of `items`; `price` is that of one unit."""

    id: str
    quantity: int
    item_group_id: str | None = None
    price: Money | None = None
    seller_id: str | None = None


class UserEvent(Payload, frozen=True, gc=False):
    """What one request holds."""

    id: str
    event_type: str
    timestamp: str
    channel_type: str
    domain: str | None = None
    user_id: str | None = None
    custom_id: str | None = None
    device: Device | None = None
    page_id: str | None = None
    referrer_page_id: str | None = None
    items: Sequence[Line] | None = None
    revenue: Money | None = None
    shipping_charge: Money | None = None
    search_query: str | None = None
    decision_track_id: str | None = None
    personalization_mode: str | None = None


encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def amount(micros: int) -> msgspec.Raw:
    """The number's shortest text: 129900000 → 129.9. The same prices come again and again."""
    return msgspec.Raw(decimal_text(micros).encode())


# ── the request ──────────────────────────────────────────────────────────────────────────────────


PLATFORM_NAME, PLATFORM_ID = "your-platform", "YOUR_PLATFORM"


def url(options: MolocoOptions) -> str:
    """The address of the platform's user events. (`rmp-api.moloco.com` is the older name of the same API.)

    Where a name is not given (`destination.url` is, then) a stand-in for it shows the form.
    """
    platform_id = quote(options.platform_id or PLATFORM_ID, safe="")
    host = f"{options.platform_name or PLATFORM_NAME}-evt.mcm-api.moloco.com"
    return f"https://{host}/rmp/event/v1/platforms/{platform_id}/userevents"


def limits(options: MolocoOptions) -> Limits:
    """What one request may hold, and how long to wait for what."""
    return Limits(
        items_max=1,
        body_bytes_max=BODY_BYTES_MAX,
        frame_bytes=0,
        connect_timeout_s=5.0,
        request_timeout_s=10.0,
        requests_per_second=None,  # none published; the 30 a second of another page are for management calls
        retry_after_max_s=900.0,  # the failure protocol's own example of a long wait
        retry=RetryPolicy(first_s=5.0, cap_s=80.0, jitter="upward"),  # failure protocol: 5, 10, 20, 40, 80 s
        probe=ProbePolicy(first_s=options.probe_interval_min_s, cap_s=options.probe_interval_max_s),
    )


def credentials(api_key: str) -> Mapping[str, str]:
    """The header that carries the key."""
    return {"X-API-Key": api_key}


def request(items: Sequence[Item]) -> Request:
    """The request for the one event: its body is the item's, byte for byte."""
    (item,) = items
    return Request("POST", HEADERS, item.body)
