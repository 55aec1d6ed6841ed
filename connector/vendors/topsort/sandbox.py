"""Topsort's strict stand-in: where the vendor's documents disagree, the stricter one holds.

Decides only. Written from the vendor's published schema (openapi topsort-api-v2 of 2026-05-25) and error
reference, not from our mapping. A request is taken whole or not at all; what passes the schema but means
nothing to the vendor is `ignored`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal
from zlib import crc32

import msgspec
from msgspec import UNSET, Meta, UnsetType

from connector.vendors.contract import SandboxAnswer, SandboxRequest

PATH = "/v2/events"
BODY_BYTES_MAX = 900_000  # nothing is published; more than this we have promised not to send

# ── the schema ───────────────────────────────────────────────────────────────────────────────────
# UNSET, not None: a member may be absent, but null is refused.

Text = Annotated[str, Meta(min_length=1)]
From1 = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Price = Annotated[float, Meta(gt=0)]
ClickType = Literal["product", "like", "add-to-cart"]


class Open(msgspec.Struct, rename="camel"):
    """An object that takes members nobody knows, and loses them."""


class Closed(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An object in which one unknown member refuses the whole request."""


class Entity(Closed):
    id: Text
    type: Literal["product", "vendor"]


class Placement(Closed):
    path: Text
    position: From1 | UnsetType = UNSET
    page: From1 | UnsetType = UNSET
    page_size: From1 | UnsetType = UNSET
    product_id: Text | UnsetType = UNSET
    category_ids: Annotated[list[Text], Meta(min_length=1)] | UnsetType = UNSET
    search_query: Text | UnsetType = UNSET


class ClickObject(Open):
    type: Literal["listing", "banner"]
    asset_id: str | UnsetType = UNSET
    click_type: ClickType | UnsetType = UNSET


class Page(Open):
    type: Literal["home", "category", "PDP", "search", "cart", "other"]
    page_id: Text
    value: Text | Annotated[list[Text], Meta(min_length=1)] | UnsetType = UNSET


class Record(Closed, kw_only=True):
    id: Text
    occurred_at: Text
    opaque_user_id: Text
    device_type: Literal["desktop", "mobile"] | UnsetType = UNSET
    channel: Literal["onsite", "offsite", "instore"] | UnsetType = UNSET


class Impression(Record, kw_only=True):
    resolved_bid_id: Text | UnsetType = UNSET
    entity: Entity | UnsetType = UNSET
    additional_attribution: Entity | UnsetType = UNSET
    placement: Placement | UnsetType = UNSET
    object: ClickObject | UnsetType = UNSET
    external_campaign_id: Text | UnsetType = UNSET
    external_vendor_id: Text | UnsetType = UNSET
    page: Page | UnsetType = UNSET


class Click(Impression, kw_only=True):
    click_type: ClickType | UnsetType = UNSET


class PurchaseItem(Closed):
    product_id: Text
    unit_price: Price
    quantity: From1 | UnsetType = UNSET
    vendor_id: Text | UnsetType = UNSET


class Purchase(Record, kw_only=True):
    items: Annotated[list[PurchaseItem], Meta(min_length=1)]


class PageView(Record, kw_only=True):
    page: Page


class Events(Closed):
    """The body. Bounds of the arrays are checked afterwards: all empty is an error of its own."""

    impressions: list[Impression] | UnsetType = UNSET
    clicks: list[Click] | UnsetType = UNSET
    purchases: list[Purchase] | UnsetType = UNSET
    pageviews: list[PageView] | UnsetType = UNSET

    def arrays(self) -> Iterator[tuple[str, Sequence[Record]]]:
        """Every array that was sent, with its name."""
        for name in self.__struct_fields__:
            records = getattr(self, name)
            if records is not UNSET:
                yield name, records


RECORDS_PER_ARRAY_MAX = 50

_decode = msgspec.json.Decoder(Events).decode

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)

_NOT_A_TOKEN = frozenset({"null", "undefined", "none", "nil", "nan"})
"""What a broken client sends for a missing token; the auction never gave it out."""

_CODES = (
    ("Object missing required field `productId`", "", "missing_product_id"),
    ("Expected `array` of length >= 1", ".items`", "no_purchase_items"),
    ("Expected `int` >= 1", ".quantity`", "purchase_item_quantity_less_or_equal_than_zero"),
)
"""How msgspec's complaint begins and ends, and the vendor's code for it; all others are `bad_request`."""


class Refusal(Exception):  # noqa: N818 - the vendor's no is no error of ours
    """Why the whole request is refused, in the vendor's code and in words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


# ── the stand-in ─────────────────────────────────────────────────────────────────────────────────


class TopsortSandbox:
    """Topsort's events endpoint. With `api_key`, only that key is good; otherwise any is."""

    def __init__(self, api_key: str | None = None) -> None:
        self._api_key = api_key

    def answer(self, request: SandboxRequest) -> SandboxAnswer:
        """Judge one request as the vendor would."""
        turned_away = self._door(request)
        if turned_away is not None:
            return turned_away
        try:
            events = _read(request.body)
            _check(events, request.now_ms)
        except Refusal as refusal:
            # Documentation says an array, the schema an object; a client must bear both.
            errors = _error(refusal.code, refusal.message, as_array=crc32(request.body) % 2 == 0)
            return _answer(400, errors, refused=refusal.code)
        meaningless = {
            record.id
            for _, records in events.arrays()
            for record in records
            if isinstance(record, Impression) and record.resolved_bid_id is UNSET and record.entity is UNSET
        }
        ids = [record.id for _, records in events.arrays() for record in records]
        return SandboxAnswer(
            204,
            accepted=[(each, None) for each in ids if each not in meaningless],
            ignored=[(each, "neither resolvedBidId nor entity") for each in ids if each in meaningless],
        )

    def _door(self, request: SandboxRequest) -> SandboxAnswer | None:
        """What is refused before the body is read."""
        if request.path.partition("?")[0] != PATH:
            return _answer(404, b"", refused="not_found")
        if request.method != "POST":
            return _answer(405, b"", {"Allow": "POST"}, refused="method_not_allowed")
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return _answer(401, b"", refused="no_api_key")  # the vendor documents no body for it
        if self._api_key is not None and key != self._api_key:
            return _answer(
                401, _error("invalid_api_key", "The API key is not valid"), refused="invalid_api_key"
            )
        media_type = request.headers.get("content-type", "").partition(";")[0]
        if media_type.strip().lower() != "application/json" or "content-encoding" in request.headers:
            return _answer(
                415, _error("unsupported_media_type", "Send plain JSON"), refused="unsupported_media_type"
            )
        if len(request.body) > BODY_BYTES_MAX:
            return _answer(413, _error("payload_too_large", "Send less"), refused="payload_too_large")
        return None

    def ids(self, request: SandboxRequest) -> Sequence[str]:
        """The ids that the request carries, without judging it."""
        try:
            return [record.id for _, records in _read(request.body).arrays() for record in records]
        except Refusal:
            return ()

    def throttled(self, retry_after_s: float) -> SandboxAnswer:
        """429 with the vendor's three headers; what `Reset` counts is not published, here seconds."""
        headers = {
            "X-RateLimit-Limit": "100",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{retry_after_s:g}",
        }
        return _answer(429, _error("too_many_requests", "Slow down"), headers, refused="too_many_requests")

    def failed(self, status: int) -> SandboxAnswer:
        """An injected error with the body that fits its status."""
        if status == 401:
            return _answer(status, b"", refused="injected")
        code = (
            "invalid_api_key" if status == 403 else "bad_request" if status < 500 else "internal_server_error"
        )
        return _answer(status, _error(code, "Injected by the sandbox"), refused="injected")


def _read(body: bytes) -> Events:
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        message = str(error)
        for begin, end, code in _CODES:
            if message.startswith(begin) and message.endswith(end):
                raise Refusal(code, message) from None
        raise Refusal("bad_request", message) from None
    except (ValueError, RecursionError) as error:
        raise Refusal("invalid_json", str(error)) from None


def _check(events: Events, now_ms: int) -> None:
    """What types alone can't say."""
    arrays = dict(events.arrays())
    if not any(arrays.values()):
        raise Refusal("empty_request", "The request holds no event")
    for name, records in arrays.items():
        if not 1 <= len(records) <= RECORDS_PER_ARRAY_MAX:
            raise Refusal("bad_request", f"{name} must hold 1 to {RECORDS_PER_ARRAY_MAX} events")
        for record in records:
            _check_time(record.occurred_at, now_ms)
            if isinstance(record, Impression):
                _check_token(record)
            page = record.page if isinstance(record, PageView | Impression) else UNSET
            if page is not UNSET and isinstance(page.value, list) and page.type != "cart":
                raise Refusal("bad_request", "page.value may be an array for carts only")


def _check_time(value: str, now_ms: int) -> None:
    if not _RFC3339.fullmatch(value):
        raise Refusal("bad_request", "occurredAt is not an RFC 3339 time with offset")
    try:
        instant = datetime.fromisoformat(value)
        at_ms = instant.timestamp() * 1000
    except (ValueError, OverflowError):
        raise Refusal("bad_request", "occurredAt is an impossible date") from None
    if at_ms > now_ms:
        raise Refusal("invalid_event_time", "occurredAt lies in the future")


def _check_token(record: Impression) -> None:
    token = record.resolved_bid_id
    if token is UNSET:
        if record.additional_attribution is not UNSET:
            raise Refusal("bad_request", "additionalAttribution needs resolvedBidId")
    elif token.strip().lower() in _NOT_A_TOKEN or not token.strip():
        raise Refusal("resolved_bid_id_not_found", "resolvedBidId was never given out")


def _error(code: str, message: str, *, as_array: bool = True) -> bytes:
    error = {"errCode": code, "docUrl": "https://docs.topsort.com/", "message": message}
    return msgspec.json.encode([error] if as_array else error)


def _answer(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, *, refused: str | None = None
) -> SandboxAnswer:
    content = {"Content-Type": "application/json"} if body else {}
    return SandboxAnswer(status, body, {**content, **(headers or {})}, refused=refused)
