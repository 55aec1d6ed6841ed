"""Promoted's strict stand-in: refuses what its parser refuses, and drops in silence what its pipeline drops.

Decides only. Written from the vendor's documentation, its published schema (`log_request.py`) and its
published server of 2023, not from our mapping. A request is read whole or not at all; 200 says only that it
was read, so `ignored` tells what is lost afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from connector.vendors.contract import SandboxAnswer, SandboxRequest
from connector.vendors.promoted.log_request import LOG_REQUEST
from connector.vendors.promoted.protojson import Refusal, parse

PATH = "/log"

QUEUE_BYTES_MAX = 1_048_576
"""As protobuf, and about 1 MiB: above it the published server's queue client refuses the message, and the
request fails with a server error."""

KEPT_BYTES_MAX = 2_000_024
"""As protobuf: above it the published server answers 200 and stores nothing."""

DAY_MS = 86_400_000
KEYS: Mapping[str, tuple[str, int]] = {
    "view": ("viewId", DAY_MS // 4),
    "impression": ("impressionId", DAY_MS),
    "action": ("actionId", DAY_MS),
}
"""Each array's primary key, and for how long the published pipeline remembers it."""

KEYS_MAX = 2_000_000
"""Keys remembered in all, about 200 bytes each: the oldest is forgotten first."""

YEAR_2000_MS = 946_684_800_000

CARTS_JOINED = ("CHECKOUT", "PURCHASE")
NEED_NO_CONTENT = ("COMPLETE_SIGN_IN", "COMPLETE_SIGN_UP")

# ── what is dropped in silence ───────────────────────────────────────────────────────────────────

TOO_LARGE = f"request over {KEPT_BYTES_MAX:,} bytes as protobuf"
NOBODY = "neither anonUserId nor userId"
SUPPRESSED = "ignoreUsage"
IN_1970 = "clientLogTimestamp in seconds"
ODD_NUMBER = "a number that stands for no name of its enum"
NOTHING_SHOWN = "neither insertionId nor contentId"
BAD_LINE = "a cart line without contentId or quantity"
NO_TYPE = "no actionType, or custom without customActionType"
NOTHING_JOINED = "none of impressionId, insertionId, contentId"
CUSTOM_ALONE = "custom action with none of impressionId, insertionId, contentId"
SHARED: Mapping[str, str] = {
    "view": "viewId of another view",
    "impression": "impressionId of another impression",
    "action": "actionId of another action",
}

UNAVOIDABLE = frozenset({SHARED["view"], SHARED["impression"], CUSTOM_ALONE})
"""Two events of one view (`page_view` and `product_view`) share its id, and two reports of one impression
share that: the first one counts. A custom event may be about nothing that could be joined."""

# ── the stand-in ─────────────────────────────────────────────────────────────────────────────────


class PromotedSandbox:
    """Promoted's Metrics API. With `api_key` only that key is good, otherwise any is."""

    def __init__(self, api_key: str | None = None, platform_id: int = 1) -> None:
        self._api_key = api_key
        self._platform_id = platform_id
        self._memory = _Memory()

    def answer(self, request: SandboxRequest) -> SandboxAnswer:
        """Judge one request as the vendor would."""
        turned_away = self._door(request)
        if turned_away is not None:
            return turned_away
        try:
            log, size = LOG_REQUEST.open(parse(request.body))
            self._check_platform(log)
        except Refusal as refusal:
            return _answer(400, refusal.message, refused=refusal.code)
        if QUEUE_BYTES_MAX < size <= KEPT_BYTES_MAX:
            return _answer(500, "Internal server error", refused="queue_refused")
        accepted: list[tuple[str, str | None]] = []
        ignored: list[tuple[str, str]] = []
        for array, (key, _) in KEYS.items():
            for record in log.get(array, ()):
                vendor_id = record.get(key, "").lower()
                why = TOO_LARGE if size > KEPT_BYTES_MAX else _dropped(array, record, log)
                why = why or self._memory.clash(array, vendor_id, record, request.now_ms)
                if why is None:
                    accepted.append((vendor_id, None))
                else:
                    ignored.append((vendor_id, why))
        return SandboxAnswer(200, b"{}", _JSON, accepted=accepted, ignored=ignored)

    def _door(self, request: SandboxRequest) -> SandboxAnswer | None:
        """What a gateway turns away before the server sees it; it says 403 to a bad key and to a bad path."""
        if request.path.partition("?")[0] != PATH:
            return _answer(403, "Missing Authentication Token", refused="not_found")
        if request.method != "POST":
            return _answer(405, "Method Not Allowed", {"Allow": "POST"}, refused="method_not_allowed")
        key = request.headers.get("x-api-key", "")
        if not key or (self._api_key is not None and key != self._api_key):
            return _answer(403, "Forbidden", refused="invalid_api_key")
        media_type = request.headers.get("content-type", "").partition(";")[0]
        if media_type.strip().lower() != "application/json" or "content-encoding" in request.headers:
            return _answer(415, "Unsupported Media Type", refused="unsupported_media_type")
        return None

    def _check_platform(self, log: Mapping[str, Any]) -> None:
        """The key says whose records these are; another platform's id fails the request."""
        for holder in (log, *(record for array in KEYS for record in log.get(array, ()))):
            if holder.get("platformId", 0) not in (0, self._platform_id):
                raise Refusal("wrong_platform", "platformId is another account's")

    def ids(self, request: SandboxRequest) -> Sequence[str]:
        """The primary keys that the request carries, without judging it."""
        try:
            log, _ = LOG_REQUEST.open(parse(request.body))
        except Refusal:
            return ()
        return [
            record[key].lower()
            for array, (key, _) in KEYS.items()
            for record in log.get(array, ())
            if key in record
        ]

    def throttled(self, retry_after_s: float) -> SandboxAnswer:
        """429 as a gateway says it. No rate limit and no header is published."""
        headers = {"Retry-After": f"{retry_after_s:g}"}
        return _answer(429, "Too Many Requests", headers, refused="too_many_requests")

    def failed(self, status: int) -> SandboxAnswer:
        """An injected error; how the vendor words its own is not published."""
        words = "Forbidden" if status in (401, 403) else "Injected by the sandbox"
        return _answer(status, words if status < 500 else "Internal server error", refused="injected")


class _Memory:
    """The keys seen so far. What comes again is the same record; another one under its key is lost."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._order: deque[tuple[str, str]] = deque()

    def clash(self, array: str, vendor_id: str, record: Mapping[str, Any], now_ms: int) -> str | None:
        """Why this record is lost, None when it is new or was stored before."""
        if not vendor_id:
            return None  # the server gives it a key of its own
        key = (array, vendor_id)
        digest = blake2b(msgspec.json.encode(record, order="deterministic"), digest_size=8).digest()
        known = self._seen.get(key)
        if known is not None and now_ms - known[0] < KEYS[array][1]:
            return SHARED[array] if known[1] != digest else None
        if known is None:
            self._order.append(key)
            if len(self._order) > KEYS_MAX:
                del self._seen[self._order.popleft()]
        self._seen[key] = (now_ms, digest)
        return None


# ── what the pipeline makes of one record ────────────────────────────────────────────────────────


def _dropped(array: str, record: Mapping[str, Any], log: Mapping[str, Any]) -> str | None:
    """Why this record is dropped after the 200, None when it is kept."""
    user = record.get("userInfo") or log.get("userInfo") or {}
    timing = record.get("timing") or log.get("timing") or {}
    if user.get("ignoreUsage"):
        return SUPPRESSED
    if not user.get("anonUserId") and not user.get("userId"):
        return NOBODY
    if 0 < timing.get("clientLogTimestamp", 0) < YEAR_2000_MS:
        return IN_1970
    if _holds_odd_number(record):
        return ODD_NUMBER
    match array:
        case "impression" if not record.get("insertionId") and not record.get("contentId"):
            return NOTHING_SHOWN
        case "action":
            return _dropped_action(record)
        case _:
            return None


def _dropped_action(record: Mapping[str, Any]) -> str | None:
    kind = record.get("actionType", "UNKNOWN_ACTION_TYPE")
    custom = kind == "CUSTOM_ACTION_TYPE"
    if kind == "UNKNOWN_ACTION_TYPE" or (custom and not record.get("customActionType")):
        return NO_TYPE
    lines = (record.get("cart") or {}).get("contents") or ()
    if any(not line.get("contentId") or line.get("quantity", 0) <= 0 for line in lines):
        return BAD_LINE
    joined = any(record.get(name) for name in ("impressionId", "insertionId", "contentId"))
    if joined or kind in NEED_NO_CONTENT or (kind in CARTS_JOINED and lines):
        return None
    return CUSTOM_ALONE if custom else NOTHING_JOINED


_ENUMS = ("actionType", "useCase", "viewType", "sourceType")


def _holds_odd_number(record: Mapping[str, Any]) -> bool:
    """True if an enum was given as a number that has no name: the parser lets it pass, nobody can read it."""
    client = record.get("clientInfo") or {}
    found = [record.get(name) for name in _ENUMS]
    found += [client.get("clientType"), client.get("trafficType")]
    for line in (record.get("cart") or {}).get("contents") or ():
        found.append((line.get("pricePerUnit") or {}).get("currencyCode"))
    return any(isinstance(value, int) for value in found)


_JSON: Mapping[str, str] = {"Content-Type": "application/json"}


def _answer(
    status: int, message: str, headers: Mapping[str, str] | None = None, *, refused: str
) -> SandboxAnswer:
    body = msgspec.json.encode({"message": message})
    return SandboxAnswer(status, body, {**_JSON, **(headers or {})}, refused=refused)
