"""What Promoted's answers mean.

Decides only. The vendor publishes no form of error: an answer is all or nothing, names no record, and the
status alone decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.model.item import Item
from connector.model.verdict import Halt, Reject, Verdict
from connector.vendors.answers import by_status, refused, stated_wait_s
from connector.vendors.contract import Response

WAIT_MIN_S, WAIT_MAX_S = 1.0, 300.0
"""Bounds of a wait that the vendor names: it publishes no rate limit, so we trust a header this far."""

PROBE_HALTS = frozenset({401, 403, 404})


def judge(items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
    """
    2xx                            Delivered  the body (`{}` by the book) is never needed
    3xx                            Halt       the address is wrong, and the key must not follow
    400, 422                       Split      one bad record fails all; alone it is rejected
    401, 403                       Halt       our key is wrong, or the path: a gateway says 403 to both
    402, 407, 410, 426             Halt       account, proxy or retired endpoint
    404, 405, 415                  Halt       it would fail for every event
    408, 425                       Retry
    409, 413, any other 4xx        Split      alone it is rejected
    429                            Retry      when Retry-After says
    5xx, silence, anything else    Retry      the ids stay the same, so a second arrival counts once

    How the vendor answers what it can't parse is not published; if with a 5xx for ever, the sender proves it.
    """
    verdict = by_status(response, stated_wait_s(response, now_ms, least_s=WAIT_MIN_S, most_s=WAIT_MAX_S))
    return refused(items, verdict.reason, _words(response.body)) if isinstance(verdict, Reject) else verdict


def judge_probe(response: Response) -> Halt | bool:
    """
    2xx, 400, 422                  healthy    an empty request was read
    401, 403, 404                  Halt
    anything else                  not yet
    """
    if response.status in PROBE_HALTS:
        verdict = by_status(response)
        assert isinstance(verdict, Halt), "these are halts for every vendor"
        return verdict
    return response.status in (400, 422) or (response.status is not None and 200 <= response.status < 300)


def _words(body: bytes) -> str:
    """The message of an error as gateways write it, blank when there is none."""
    try:
        decoded: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return ""
    found = decoded.get("message") if isinstance(decoded, dict) else None
    return found if isinstance(found, str) else ""
