"""What an HTTP answer means before a vendor's own words are read: the part that all contracts share.

Decides only. What differs from vendor to vendor (waits, error codes, whether a batch can be halved) is in
the vendor's own `verdict.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from connector.model.item import Item
from connector.model.verdict import Delivered, Halt, Reject, Retry, Split
from connector.vendors.contract import Response
from connector.vendors.formats import retry_after_s

DETAIL_CHARS_MAX = 500
"""What a dead letter keeps of the vendor's words."""

HALTS: Mapping[int, str] = {
    401: "auth",
    403: "auth",
    404: "not_found",
    405: "wrong_method",
    415: "wrong_media_type",
    **{status: f"http_{status}" for status in (402, 407, 410, 426)},  # account, proxy or retired endpoint
}
RETRIES: Mapping[int, str] = {408: "timeout", 425: "server_error"}
REFUSALS: Mapping[int, str] = {400: "vendor_rejected", 422: "vendor_rejected", 413: "payload_too_large"}

REASONS = frozenset(
    {"vendor_rejected_5xx", *REFUSALS.values()}
    | {f"http_{n}" for n in range(400, 500) if n not in {*HALTS, *RETRIES, *REFUSALS, 429}}
)
"""Why an answer can make a record a dead letter. `vendor_rejected_5xx` is proven by the sender."""


def by_status(response: Response, throttled_s: float | None = None) -> Delivered | Retry | Halt | Reject:
    """
    2xx                         Delivered  a body is never needed
    3xx                         Halt       the address is wrong, and the key must not follow
    401, 403                    Halt       our key is wrong; no event is to blame
    402, 407, 410, 426          Halt       account, proxy or retired endpoint
    404, 405, 415               Halt       it would fail for every event
    408, 425                    Retry
    429                         Retry      after `throttled_s`, the wait that the answer names
    400, 413, 422, other 4xx    Reject     what a batch of several makes of it: `refused`
    5xx, silence                Retry
    anything else               Retry      no final answer of HTTP: a broken response
    """
    status = response.status
    if status is None:
        return Retry(response.silence or "connection")
    if 200 <= status < 300:
        return Delivered()
    if 300 <= status < 400:
        return Halt("unexpected_redirect", in_words(status))
    if not 400 <= status < 600:
        return Retry("connection")
    if status == 429:
        return Retry("throttled", throttled_s)
    if status in HALTS:
        return Halt(HALTS[status], in_words(status))
    if status in RETRIES:
        return Retry(RETRIES[status])
    if status >= 500:
        return Retry("server_error")
    return Reject(REFUSALS.get(status, f"http_{status}"))


def in_words(status: int) -> str:
    """A status as people know it, `401 Unauthorized`; the number alone where HTTP has no name for it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def refused(items: Sequence[Item], reason: str, detail: str = "") -> Split | Reject:
    """An all-or-nothing answer refused these: halve them, or give the one up with the vendor's words."""
    return Split() if len(items) > 1 else Reject(reason, detail[:DETAIL_CHARS_MAX])


def stated_wait_s(response: Response, now_ms: int, *, most_s: float, least_s: float = 0.0) -> float | None:
    """The wait that `Retry-After` asks for, within these bounds; None when it is absent or unreadable."""
    wait_s = retry_after_s(response.headers.get("retry-after"), now_ms)
    return None if wait_s is None else min(max(wait_s, least_s), most_s)


def is_healthy(verdict: Delivered | Retry | Halt | Reject | Split) -> Halt | bool:
    """What a verdict on a probe says of the endpoint: True healthy, False not (yet), or the halt itself."""
    return verdict if isinstance(verdict, Halt) else isinstance(verdict, Delivered)
