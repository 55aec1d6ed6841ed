"""What travels to Topsort: the records' exact field names, and the request that carries them.

Decides only. Source of names, types and limits: openapi topsort-api-v2 of 2026-05-25, `EventsRequest`.
Objects are closed and know no null: an absent member is left out, one unknown member fails the whole request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from connector.model.item import Item
from connector.vendors.contract import Limits, ProbePolicy, Request, RetryPolicy
from connector.vendors.topsort.settings import TopsortOptions

URL = "https://api.topsort.com/v2/events"

ARRAYS = ("impressions", "clicks", "purchases", "pageviews")
"""The arrays of a request, which are the kinds of our items."""

FRAME_BYTES = len(b'{"":[],"":[],"":[],"":[]}') + sum(map(len, ARRAYS))
"""A body with all four arrays and no record: more than any frame we send, as no empty array is ever sent."""

HEADERS: Mapping[str, str] = {"Content-Type": "application/json", "Accept": "application/json"}


# ── records ──────────────────────────────────────────────────────────────────────────────────────


class Payload(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename="camel"):
    """An object of the vendor's: camel case, absent members left out."""


class Entity(Payload, frozen=True, gc=False):
    """What was seen or clicked, or is to be credited too. `type` is product or vendor."""

    id: str
    type: str


class ClickObject(Payload, frozen=True, gc=False, tag_field="type", tag="listing"):
    """What kind of thing an organic click met; always a listing, as the model has no asset ids."""

    click_type: str


class Placement(Payload, frozen=True, gc=False):
    """Where it was shown, and what that page is about. Numbers are 1-based."""

    path: str
    page: int | None = None
    page_size: int | None = None
    product_id: str | None = None
    category_ids: Sequence[str] | None = None
    search_query: str | None = None
    position: int | None = None


class Interaction(Payload, frozen=True, gc=False):
    """An impression or a click: sponsored (`resolved_bid_id`) or organic (`entity`), never both."""

    id: str
    occurred_at: str
    opaque_user_id: str
    resolved_bid_id: str | None = None
    entity: Entity | None = None
    additional_attribution: Entity | None = None
    click_type: str | None = None
    object: ClickObject | None = None
    placement: Placement | None = None
    device_type: str | None = None
    channel: str | None = None
    external_campaign_id: str | None = None
    external_vendor_id: str | None = None


class PurchaseItem(Payload, frozen=True, gc=False):
    """One line of a purchase. `unit_price` is the number's exact text: a float would lose digits."""

    product_id: str
    unit_price: msgspec.Raw
    quantity: int
    vendor_id: str | None = None


class Purchase(Payload, frozen=True, gc=False):
    """An order. Its id is the order's, so an order that is reported twice counts once."""

    id: str
    occurred_at: str
    opaque_user_id: str
    items: Sequence[PurchaseItem]
    device_type: str | None = None
    channel: str | None = None


class Page(Payload, frozen=True, gc=False):
    """The page seen. `value` is a list for carts only."""

    type: str
    page_id: str
    value: str | Sequence[str] | None = None


class PageView(Payload, frozen=True, gc=False):
    """A page was seen."""

    id: str
    occurred_at: str
    opaque_user_id: str
    page: Page
    device_type: str | None = None
    channel: str | None = None


encode = msgspec.json.Encoder().encode


# ── the request ──────────────────────────────────────────────────────────────────────────────────


def limits(options: TopsortOptions) -> Limits:
    """What one request may hold, and how long to wait for what."""
    return Limits(
        items_max=options.max_per_array * len(ARRAYS),  # each array is counted on its own
        per_kind=dict.fromkeys(ARRAYS, options.max_per_array),
        body_bytes_max=options.max_bytes,
        frame_bytes=FRAME_BYTES,
        unique_ids=True,  # an id counts once, and ids have no published scope: never two of one in a request
        connect_timeout_s=5.0,
        request_timeout_s=30.0,  # the vendor's own clients wait 30 to 60 s
        retry_after_max_s=300.0,
        retry=RetryPolicy(first_s=0.5, cap_s=60.0, jitter="full"),
        probe=ProbePolicy(first_s=1.0, cap_s=60.0),
    )


def credentials(api_key: str) -> Mapping[str, str]:
    """The header that carries the key."""
    return {"Authorization": f"Bearer {api_key}"}


def request(items: Sequence[Item]) -> Request:
    """One request for these items: each goes to its kind's array, in its order; no array is ever empty."""
    bodies: dict[str, list[bytes]] = {array: [] for array in ARRAYS}
    for item in items:
        bodies[item.kind].append(item.body)
    members = [b'"%b":[%b]' % (name.encode(), b",".join(of)) for name, of in bodies.items() if of]
    return Request("POST", HEADERS, b"{%b}" % b",".join(members))


def probe(url: str) -> Request:
    """An empty request: a good key is told `empty_request`, a bad one 401 or 403, and nothing is stored.

    Never an invented event: clicks are billed.
    """
    return Request("POST", HEADERS, b"{}", url)
