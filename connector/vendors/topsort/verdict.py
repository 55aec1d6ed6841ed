"""What Topsort's answers mean.

Decides only. An answer is all or nothing and names no record; status and `errCode` decide, `message` is for
people. Sources: openapi topsort-api-v2, the vendor's error reference, and for `invalid_event_time` a third
party's connector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from connector.model.item import Item
from connector.model.verdict import Delivered, Halt, Reject, Retry, Split, Verdict
from connector.vendors.answers import by_status, in_words, refused, stated_wait_s
from connector.vendors.contract import Response
from connector.vendors.formats import date_ms, number

WAIT_MIN_S, WAIT_MAX_S = 1.0, 300.0
"""Bounds of a wait that the vendor names: the header has no published form, so we trust it this far."""

CLOCK_SKEW_MS = 300_000
CLOCK_SKEW_RETRY_S = 5.0

ERRORS_MAX = 20
"""Error objects of one answer that we read. More say nothing more."""

_RETRY_CODES = frozenset({"internal_server_error", "request_canceled"})


def judge(items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
    """
    2xx                            Delivered  204 by the book; a body is never needed
    3xx                            Halt       the address is wrong, and the key must not follow
    400, 422                       Split      one bad record fails all; alone it is rejected
    401, 403                       Halt       our key is wrong; no event is to blame
    402, 407, 410, 426             Halt       account, proxy or retired endpoint
    404, 405, 415                  Halt       it would fail for every event
    408, 425                       Retry
    409, 413, any other 4xx        Split      alone it is rejected
    429                            Retry      when Retry-After or X-RateLimit-Reset says
    5xx, silence, anything else    Retry      the ids stay the same, so a second arrival counts once

    and whatever the status of an error, its `errCode`:

    invalid_api_key                Halt
    empty_request                  Halt       our body did not arrive
    internal_server_error          Retry
    request_canceled               Retry
    invalid_event_time             Retry      while a record is younger than 5 minutes: the clocks disagree;
                                              after that as 400
    """
    status = response.status
    if status is None or not 400 <= status < 600:
        return by_status(response)
    errors = list(_errors(response.body))
    codes = {code for code, _ in errors}
    if "invalid_api_key" in codes:
        return Halt("auth", f"{in_words(status)}, invalid_api_key")
    if "empty_request" in codes:
        return Halt("empty_request", f"{in_words(status)}, empty_request")
    if status != 429:
        if codes & _RETRY_CODES:
            return Retry("server_error")
        if "invalid_event_time" in codes:
            if any(now_ms - item.at_ms < CLOCK_SKEW_MS for item in items):
                return Retry("clock_skew", CLOCK_SKEW_RETRY_S)
            return refused(items, "vendor_rejected", _words(errors))
    verdict = by_status(response, _stated_wait_s(response, now_ms))
    return refused(items, verdict.reason, _words(errors)) if isinstance(verdict, Reject) else verdict


def judge_probe(response: Response) -> Halt | bool:
    """
    400, 422, 2xx                  healthy    an empty request was read and, rightly, refused: `empty_request`
    3xx, and all that is a Halt    Halt
    anything else                  not yet

    Any code of a 400 will do but those of a fault: codes may change, and a probe that insists on one of them
    would keep the breaker open for ever.
    """
    match judge((), response, 0):
        case Halt("empty_request") | Delivered():
            return True
        case Halt() as halt:
            return halt
        case Split() | Reject():
            return response.status in (400, 422)
        case _:
            return False


def _words(errors: Sequence[tuple[str, str]]) -> str:
    return "; ".join(": ".join(filter(None, error)) for error in errors)


def _errors(body: bytes) -> Iterator[tuple[str, str]]:
    """(`errCode`, `message`) of every error in the body, blank where missing or not text.

    The schema says an object, the documentation an array, and a proxy says what it likes.
    """
    try:
        decoded: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return
    for error in (decoded if isinstance(decoded, list) else [decoded])[:ERRORS_MAX]:
        if isinstance(error, dict):
            code, message = error.get("errCode"), error.get("message")
            yield code if isinstance(code, str) else "", message if isinstance(message, str) else ""


def _stated_wait_s(response: Response, now_ms: int) -> float | None:
    """The wait that the answer names, within bounds; None when it names none that we can read."""
    wait_s = stated_wait_s(response, now_ms, least_s=WAIT_MIN_S, most_s=WAIT_MAX_S)
    if wait_s is not None:
        return wait_s
    wait_s = _reset_s(response.headers.get("x-ratelimit-reset"), now_ms)
    return None if wait_s is None else min(max(wait_s, WAIT_MIN_S), WAIT_MAX_S)


def _reset_s(value: str | None, now_ms: int) -> float | None:
    """`X-RateLimit-Reset`, in no published form: by its size epoch ms, epoch s or seconds; or a date."""
    if value is None:
        return None
    at = number(value)
    if at is None:
        at_ms = date_ms(value.strip())
        return (at_ms - now_ms) / 1000 if at_ms is not None else None
    if at > 1e12:
        return (at - now_ms) / 1000
    if at > 1e9:
        return at - now_ms / 1000
    return at
