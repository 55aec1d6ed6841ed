"""Moloco's strict stand-in: where the vendor's documents disagree, the stricter one holds.

Decides only. Written from the vendor's user event guide, its OpenAPI document of the Event API, its error
catalogue and data specification, not from our mapping. What the server takes and loses is `ignored`: unknown
names, and enums that are missing and so mean UNKNOWN_….
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec
from msgspec import UNSET, Meta, UnsetType

from connector.vendors.contract import SandboxAnswer, SandboxRequest

PATH = "/rmp/event/v1/platforms/{}/userevents"
BODY_BYTES_MAX = 1_000_000  # nothing is published; more than this we have promised not to send
IDENTIFIER_CHARS_MAX = 128  # data specification
PAGE_ID_CHARS_MAX = 128  # data specification
SECONDS = range(10**9, 10**10)
"""Milliseconds in this range are of early 1970; seconds in it are of 2001 to 2286."""

WINDOW_MS = 60_000
"""How long an identifier's requests are counted before they are forgotten."""

# ── the schema ───────────────────────────────────────────────────────────────────────────────────
# UNSET, not None: a member may be absent, but null is refused. Names that are not here are taken and lost.

Text = Annotated[str, Meta(min_length=1)]

EventType = Literal[
    "UNKNOWN_EVENT_TYPE",
    "HOME",
    "LAND",
    "PAGE_VIEW",
    "SEARCH",
    "ITEM_PAGE_VIEW",
    "ADD_TO_CART",
    "ADD_TO_WISHLIST",
    "PURCHASE",
]
ChannelType = Literal["UNKNOWN_CHANNEL_TYPE", "APP", "SITE", "DESKTOP_SITE", "MOBILE_SITE"]
UNKNOWN_CURRENCY = "UNKNOWN_CURRENCY"
CURRENCIES = frozenset(
    {
        *("USD", "KRW", "JPY", "EUR", "GBP", "SEK", "INR", "THB", "IDR", "CNY", "CAD", "RUB", "BRL"),
        *("SGD", "HKD", "AUD", "PLN", "DKK", "VND", "MYR", "PHP", "TRY", "VES", "AED", "CHF"),
    }
)


class Money(msgspec.Struct):
    amount: Annotated[float, Meta(ge=0)]
    currency: str = UNKNOWN_CURRENCY

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES and self.currency != UNKNOWN_CURRENCY:
            raise ValueError(f"no such currency: {self.currency}")


class Device(msgspec.Struct):
    os: Text | UnsetType = UNSET
    os_version: Text | UnsetType = UNSET
    model: Text | UnsetType = UNSET
    ua: Text | UnsetType = UNSET
    language: Annotated[str, Meta(pattern=r"^[a-z]{2}\Z")] | UnsetType = UNSET
    persistent_id: str | UnsetType = UNSET
    advertising_id: Text | UnsetType = UNSET
    unique_device_id: Text | UnsetType = UNSET


class Line(msgspec.Struct):
    id: Text | UnsetType = UNSET
    item_group_id: Text | UnsetType = UNSET
    price: Money | UnsetType = UNSET
    price_seller: Money | UnsetType = UNSET
    quantity: Annotated[int, Meta(ge=1, le=2**31 - 1)] | UnsetType = UNSET
    seller_id: Text | UnsetType = UNSET


class UserEvent(msgspec.Struct, kw_only=True):
    id: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    event_type: EventType = "UNKNOWN_EVENT_TYPE"
    timestamp: Annotated[str, Meta(pattern=r"^[0-9]{1,19}\Z")]
    channel_type: ChannelType = "UNKNOWN_CHANNEL_TYPE"
    domain: Text | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    custom_id: str | UnsetType = UNSET
    session_id: Text | UnsetType = UNSET
    device: Device | UnsetType = UNSET
    items: list[Line] | UnsetType = UNSET
    revenue: Money | UnsetType = UNSET
    shipping_charge: Money | UnsetType = UNSET
    search_query: str | UnsetType = UNSET
    page_id: str | UnsetType = UNSET
    referrer_page_id: Text | UnsetType = UNSET
    decision_track_id: Text | UnsetType = UNSET
    personalization_mode: Literal["STANDARD", "METRIC_ONLY", "ID_LESS"] | UnsetType = UNSET


_OBJECTS: Mapping[str, type[msgspec.Struct]] = {
    "device": Device,
    "items": Line,
    "revenue": Money,
    "shipping_charge": Money,
    "price": Money,
    "price_seller": Money,
}

WITH_ITEMS = frozenset({"ITEM_PAGE_VIEW", "ADD_TO_CART", "ADD_TO_WISHLIST", "PURCHASE"})

NO_IDENTIFIERS = frozenset(
    {
        *("", "null", "undefined", "invalid", "nil", "none", "unknown", "anonymous", "guest", "nan", "n/a"),
        *("na", "-", "0", "00000000-0000-0000-0000-000000000000"),
    }
)
"""What a broken client sends for nobody, in any case and trimmed."""


class Refusal(Exception):  # noqa: N818 - the vendor's no is no error of ours
    """Why the event is refused: a word for the ledger, and the vendor's message."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(word, message)
        self.word = word
        self.message = message


# ── the stand-in ─────────────────────────────────────────────────────────────────────────────────


class MolocoSandbox:
    """Moloco's user event endpoint for one platform.

    With `api_key`, only that key is good; otherwise any is. `foreign_platforms` exist, but no key here has a
    right to them. `purchases_without_revenue`: the platform was set up to take them. With
    `identifier_events_max`, an identifier that comes more often in a minute is throttled, and nobody else.
    """

    def __init__(
        self,
        platform_id: str,
        api_key: str | None = None,
        *,
        foreign_platforms: Sequence[str] = (),
        purchases_without_revenue: bool = False,
        identifier_events_max: int | None = None,
    ) -> None:
        self._path = PATH.format(quote(platform_id, safe=""))
        self._foreign = [PATH.format(quote(each, safe="")) for each in foreign_platforms]
        self._api_key = api_key
        self._without_revenue = purchases_without_revenue
        self._identifier_events_max = identifier_events_max
        self._window = 0
        self._seen: Counter[str] = Counter()

    def answer(self, request: SandboxRequest) -> SandboxAnswer:
        """Judge one request as the vendor would."""
        turned_away = self._door(request)
        if turned_away is not None:
            return turned_away
        try:
            raw = _object(request.body)
            if self._identifier_events_max is not None and self._comes_too_often(raw, request.now_ms):
                return _refuse(429, "Too many requests for one user.", "throttled_identifier")
            event = _event(raw)
            self._check(event, request.now_ms)
        except Refusal as refusal:
            return _refuse(400, refusal.message, refusal.word)
        event_id = event.id if event.id is not UNSET else ""
        lost = _lost(raw, event)
        if lost is not None:
            return _answer(200, b"{}", ignored=[(event_id, lost)])
        return _answer(200, b"{}", accepted=[(event_id, None)])

    def _door(self, request: SandboxRequest) -> SandboxAnswer | None:
        """What is refused before the body is read."""
        path = request.path.partition("?")[0]
        if path != self._path and path not in self._foreign:
            return _refuse(404, "Not Found", "not_found")
        if request.method != "POST":
            return _refuse(405, "Method Not Allowed", "method_not_allowed")
        key = request.headers.get("x-api-key", "")
        if not key.strip() or (self._api_key is not None and key != self._api_key):
            return _refuse(401, "The API key is missing or not valid.", "no_valid_api_key")
        if path in self._foreign:
            return _refuse(403, "The API key has no right to this platform.", "no_right_to_platform")
        media_type = request.headers.get("content-type", "").partition(";")[0]
        if media_type.strip().lower() != "application/json" or "content-encoding" in request.headers:
            return _refuse(415, "Send plain JSON.", "unsupported_media_type")
        if len(request.body) > BODY_BYTES_MAX:
            return _refuse(413, "The event is too large.", "payload_too_large")
        return None

    def _comes_too_often(self, raw: dict[str, Any], now_ms: int) -> bool:
        """Whether one of its identifiers has come more often than it may. Throttled requests count too."""
        window = now_ms // WINDOW_MS
        if window != self._window:
            self._window = window
            self._seen.clear()
        assert self._identifier_events_max is not None, "asked only then"
        found = set(_identifiers_of(raw))
        self._seen.update(found)
        return any(self._seen[each] > self._identifier_events_max for each in found)

    def _check(self, event: UserEvent, now_ms: int) -> None:
        """What the server demands and types alone can't say."""
        at_ms = int(event.timestamp)
        if at_ms > now_ms or at_ms in SECONDS:
            raise Refusal("invalid_timestamp", "The timestamp is invalid: milliseconds, not in the future.")
        _check_os(event)
        _check_identifiers(event)
        _check_pages(event)
        if event.event_type in WITH_ITEMS:
            if not event.items:
                raise Refusal("missing_items", f"{event.event_type} needs items.")
        elif event.items is not UNSET and not event.items:
            raise Refusal("empty_items", "items is empty.")
        for line in event.items or ():
            if line.id is UNSET:  # the error catalogue would take item_group_id instead, the schema does not
                raise Refusal("item_without_id", "An item has neither id nor item_group_id.")
        if event.event_type == "PURCHASE" and event.revenue is UNSET and not self._without_revenue:
            raise Refusal("missing_revenue", "PURCHASE needs revenue.")
        if event.event_type == "SEARCH" and (event.search_query is UNSET or not event.search_query.strip()):
            raise Refusal("missing_search_query", "SEARCH needs search_query.")

    def ids(self, request: SandboxRequest) -> Sequence[str]:
        """The id of the event, without judging it."""
        try:
            found = _object(request.body).get("id")
        except Refusal:
            return ()
        return (found,) if isinstance(found, str) else ()

    def throttled(self, retry_after_s: float) -> SandboxAnswer:
        """429. The vendor documents no header for it; `Retry-After` is the one that HTTP has."""
        return _refuse(429, "Too many requests.", "too_many_requests", {"Retry-After": f"{retry_after_s:g}"})

    def failed(self, status: int) -> SandboxAnswer:
        """An injected error with the body that all of them have."""
        return _refuse(status, "Injected by the sandbox.", "injected")


def _object(body: bytes) -> dict[str, Any]:
    try:
        raw: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise Refusal("invalid_json", "The body is not JSON.") from None
    if not isinstance(raw, dict):
        raise Refusal("not_an_object", "The body must be one JSON object.")
    return raw


def _event(raw: dict[str, Any]) -> UserEvent:
    try:
        return msgspec.convert(raw, UserEvent)
    except msgspec.ValidationError as error:
        raise Refusal("invalid_argument", str(error)) from None


def _check_os(event: UserEvent) -> None:
    if event.channel_type == "APP":
        os = event.device.os if event.device is not UNSET else UNSET
        if os is UNSET or not any(name in os.lower() for name in ("ios", "android")):
            raise Refusal("invalid_device_os", "device.os must contain ios or android for app traffic.")


def _check_identifiers(event: UserEvent) -> None:
    persistent_id = event.device.persistent_id if event.device is not UNSET else UNSET
    found = [each for each in (event.user_id, persistent_id, event.custom_id) if each is not UNSET]
    if not found or not all(map(_is_identifier, found)):
        raise Refusal("no_valid_identifier", "The event has no valid identifier.")


def _is_identifier(value: str) -> bool:
    return value.strip().lower() not in NO_IDENTIFIERS and len(value) <= IDENTIFIER_CHARS_MAX


def _check_pages(event: UserEvent) -> None:
    page_id = event.page_id
    missing = page_id is UNSET and event.event_type == "PAGE_VIEW"
    if missing or (page_id is not UNSET and not page_id.strip()):
        raise Refusal("missing_page_id", "page_id is missing or empty.")
    for name, value in (("page_id", page_id), ("referrer_page_id", event.referrer_page_id)):
        if value is not UNSET and len(value) > PAGE_ID_CHARS_MAX:
            raise Refusal("page_id_too_long", f"{name} is longer than {PAGE_ID_CHARS_MAX} characters.")


def _identifiers_of(raw: dict[str, Any]) -> Iterator[str]:
    """Every identifier of the event, before anything is known about it."""
    device = raw.get("device")
    persistent_id = device.get("persistent_id") if isinstance(device, dict) else None
    for found in (raw.get("user_id"), persistent_id, raw.get("custom_id")):
        if isinstance(found, str):
            yield found


# ── what is taken and lost ───────────────────────────────────────────────────────────────────────


def _lost(raw: dict[str, Any], event: UserEvent) -> str | None:
    """Why the vendor takes the event and loses it or a part of it, without a word to anybody."""
    unknown = next(_unknown(raw, UserEvent), None)
    if unknown is not None:
        return f"unknown name {unknown}"
    if event.id is UNSET:
        return "no id to know a duplicate by"
    if event.event_type == "UNKNOWN_EVENT_TYPE":
        return "UNKNOWN_EVENT_TYPE"
    if event.channel_type == "UNKNOWN_CHANNEL_TYPE":
        return "UNKNOWN_CHANNEL_TYPE"
    if any(money.currency == UNKNOWN_CURRENCY for money in _moneys(event)):
        return UNKNOWN_CURRENCY
    return None


def _unknown(value: Any, kind: type[msgspec.Struct], path: str = "") -> Iterator[str]:
    """The paths of members that the schema does not know."""
    for each in value if isinstance(value, list) else [value]:
        for name, member in each.items():
            if name not in kind.__struct_fields__:
                yield path + name
            elif name in _OBJECTS:
                yield from _unknown(member, _OBJECTS[name], f"{path}{name}.")


def _moneys(event: UserEvent) -> Iterator[Money]:
    lines = event.items or ()
    prices = (money for line in lines for money in (line.price, line.price_seller))
    for money in (event.revenue, event.shipping_charge, *prices):
        if money is not UNSET:
            yield money


# ── answers ──────────────────────────────────────────────────────────────────────────────────────

_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 409: 10, 413: 8, 415: 3, 429: 8, 503: 14, 504: 4}
"""`code` in the vendor's numbers (those of gRPC); who reads it must not rely on it."""


def _refuse(status: int, message: str, word: str, headers: Mapping[str, str] | None = None) -> SandboxAnswer:
    code = _CODES.get(status, 13 if status >= 500 else 3)
    body = msgspec.json.encode({"code": code, "message": message, "details": []})
    return _answer(status, body, headers, refused=word)


def _answer(
    status: int,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    accepted: Sequence[tuple[str, str | None]] = (),
    ignored: Sequence[tuple[str, str]] = (),
    refused: str | None = None,
) -> SandboxAnswer:
    content = {"Content-Type": "application/json"}
    return SandboxAnswer(status, body, {**content, **(headers or {})}, accepted, ignored, refused)
