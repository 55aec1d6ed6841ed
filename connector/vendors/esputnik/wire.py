"""What travels to eSputnik: one event a request, its params as names and values, structures as JSON text.

Decides only. Sources: eSputnik, "How to send orders via the API resource v1/event"; eSputnik, "Site activity
tracking using Generate event". JSON inside JSON is compact and holds UTF-8 as it is: `\\u` escapes would
triple the size of Cyrillic names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

import msgspec

from connector.model.item import Item
from connector.vendors.contract import Limits, ProbePolicy, Request, RetryPolicy
from connector.vendors.formats import decimal_text

ORDERS_URL = "https://esputnik.com/api/v1/event"
SITE_URL = "https://esputnik.com/api/v2/event"
"""Accounts under the newer brand have the same paths at yespo.io and api.yespo.io."""

ACCOUNT_PATH = "../v1/account/info"
"""Tells whose key it is and changes nothing; seen from either address of events."""

BODY_BYTES_MAX = 20_000  # eSputnik's API reference: 20 kB a request; kB taken as 1,000
REQUESTS_PER_SECOND = 300.0
"""eSputnik's API reference: 350 a second, v1 and v2 apart. Some are left for what is sent beside us."""

HEADERS: Mapping[str, str] = {"Content-Type": "application/json; charset=UTF-8", "Accept": "application/json"}
PROBE_HEADERS: Mapping[str, str] = {"Accept": "application/json"}

KIND = "event"
"""The one kind of our items: a request carries one event."""

USER_NAME = "api"
"""Basic authentication wants a user name; the vendor reads the password alone."""

ID_HEX_DIGITS = 16

# ── payloads: the order of their members is the order on the wire ────────────────────────────────


class Payload(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename="camel"):
    """An object of the vendor's: camel case, absent members left out."""


class Param(Payload, frozen=True, gc=False):
    """One name and its value: text, also for numbers and structures; v2 has one integer, `isFound`."""

    name: str
    value: str | int


class GeneratedEvent(Payload, frozen=True, gc=False):
    """The whole body."""

    event_type_key: str
    key_value: str | int
    params: Sequence[Param]


class OrderLine(Payload, frozen=True, gc=False, kw_only=True):
    """A line of an order. `cost` is for one unit. Numbers are their exact text: a float loses digits."""

    external_item_id: str
    name: str
    category: str | None = None
    quantity: msgspec.Raw
    cost: msgspec.Raw
    url: str | None = None
    image_url: str | None = None
    description: str | None = None


class Product(Payload, frozen=True, gc=False):
    """A product that was looked at or wished for. `quantity` is in the v1 document only."""

    product_id: str
    price: msgspec.Raw
    quantity: msgspec.Raw | None = None
    is_in_stock: int | None = None


class CartLine(Payload, frozen=True, gc=False):
    """A line of a cart."""

    product_id: str
    quantity: msgspec.Raw
    price: msgspec.Raw
    name: str | None = None
    category: str | None = None
    discount: str | None = None


class ShownProduct(Payload, frozen=True, gc=False):
    """A product in a recommendation block."""

    product_id: str


class Page(Payload, frozen=True, gc=False):
    """The page or screen seen."""

    location: str


class Category(Payload, frozen=True, gc=False):
    """The category seen, under its id in the account's product feed."""

    product_category_id: str


encode = msgspec.json.Encoder().encode


def json_text(value: Payload | Sequence[Payload] | str) -> str:
    """A structure as JSON text, to be a param's value."""
    return encode(value).decode()


@lru_cache(maxsize=4096)
def amount_text(micros: int) -> str:
    """The amount's shortest decimal: 45500000 → `45.5`. The same prices come again and again."""
    return decimal_text(micros)


@lru_cache(maxsize=4096)
def amount(micros: int) -> msgspec.Raw:
    """The same as a number of JSON."""
    return msgspec.Raw(decimal_text(micros).encode())


# ── the request ──────────────────────────────────────────────────────────────────────────────────

LIMITS = Limits(
    items_max=1,
    body_bytes_max=BODY_BYTES_MAX,
    frame_bytes=0,
    connect_timeout_s=5.0,
    request_timeout_s=10.0,
    requests_per_second=REQUESTS_PER_SECOND,
    retry_after_max_s=900.0,  # the header is not documented, so it is believed this far
    retry=RetryPolicy(first_s=1.0, cap_s=60.0, jitter="upward"),
    probe=ProbePolicy(first_s=15.0, cap_s=300.0),
)
"""Of either method."""


def request(items: Sequence[Item]) -> Request:
    """The request for the one event: its body is the item's, byte for byte."""
    (item,) = items
    return Request("POST", HEADERS, item.body)


def credentials(api_key: str) -> Mapping[str, str]:
    """The key travels as the password of Basic authentication."""
    pair = base64.b64encode(f"{USER_NAME}:{api_key}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def probe(url: str) -> Request:
    """Asks for the account, beside the configured address: an event of any kind could start a workflow."""
    path = urlsplit(url)._replace(query="", fragment="")
    return Request("GET", PROBE_HEADERS, b"", urljoin(path.geturl().rstrip("/"), ACCOUNT_PATH))


# ── what the vendor calls an item ────────────────────────────────────────────────────────────────


class _Named(msgspec.Struct):
    name: str
    value: str | int


class _Read(msgspec.Struct, rename="camel"):
    event_type_key: str
    params: list[_Named]


_read = msgspec.json.Decoder(_Read).decode


def vendor_id(item: Item) -> str:
    """`orderCreated:12345679:9f86d081884c7d65`: event type, order or cart, and a digest of the body.

    Bodies carry no id of ours, so this is read off the body. Two events with equal bodies share one name: to
    the vendor they are the same event twice.
    """
    event = _read(item.body)
    values = {param.name: param.value for param in event.params}
    about = values.get("externalOrderId", values.get("recycleStateId", ""))
    return f"{event.event_type_key}:{about}:{hashlib.sha256(item.body).hexdigest()[:ID_HEX_DIGITS]}"
