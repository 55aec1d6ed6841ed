"""What eSputnik's answers mean.

Decides only. The status decides; a body, if there is one, is free text for people. Sources: eSputnik, "How to
send orders via the API resource v1/event"; the vendor's own shop plug-in draws the same lines between 400,
401 and 429 with 500.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.model.item import Item
from connector.model.verdict import Halt, Reject, Verdict
from connector.vendors.answers import DETAIL_CHARS_MAX, by_status, is_healthy, refused, stated_wait_s
from connector.vendors.contract import Response
from connector.vendors.esputnik import wire

UTF8_BYTES_MAX = 4


def judge(items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
    """
    2xx                            Delivered  which does not say that it was stored: see README.md
    3xx                            Halt       the address is wrong, and the key must not follow
    400, 422                       Reject     malformed, no identifier, or refused by the account's own rules
    401, 403                       Halt       our key is wrong or lacks the right; no event is to blame
    402, 407, 410, 426             Halt       account, proxy or retired endpoint
    404                            Halt       the address is wrong: what the vendor does not know, it ignores
    405, 415                       Halt       it would fail for every event
    408, 425                       Retry
    409, 413, any other 4xx        Reject     one event a request, so there is nothing to split
    429                            Retry      when Retry-After says, up to 15 minutes
    5xx, silence, anything else    Retry      it may arrive twice: the vendor knows no key against that
    """
    verdict = by_status(response, stated_wait_s(response, now_ms, most_s=wire.LIMITS.retry_after_max_s))
    return refused(items, verdict.reason, _words(response.body)) if isinstance(verdict, Reject) else verdict


def judge_probe(response: Response) -> Halt | bool:
    """2xx healthy: the key works; what is a Halt for events is one here; anything else is not yet."""
    return is_healthy(by_status(response))


def _words(body: bytes) -> str:
    return body[: DETAIL_CHARS_MAX * UTF8_BYTES_MAX].decode(errors="replace").strip()
