"""What Moloco's answers mean.

Decides only. The status decides; of the body `{"code", "message", "details"}` the vendor says to ignore
`code` and `details`, and `message` is for people. Sources: Moloco, OpenAPI document of the Event API; Moloco,
error catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.model.item import Item
from connector.model.verdict import Halt, Reject, Verdict
from connector.vendors.answers import by_status, is_healthy, refused, stated_wait_s
from connector.vendors.contract import Response

WAIT_MAX_S = 900.0
"""The longest wait that we believe a `Retry-After`, which the vendor does not document."""


def judge(items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
    """
    2xx                            Delivered  normally `{}`; a body is never needed
    3xx                            Halt       the address is wrong, and the key must not follow
    400, 422                       Reject     the event is malformed
    401, 403                       Halt       our key is wrong, or has no right to this platform
    402, 407, 410, 426             Halt       account, proxy or retired endpoint
    404, 405, 415                  Halt       wrong platform, method, media type: it would fail for all events
    408, 425                       Retry
    409, 413, any other 4xx        Reject     one event a request, so there is nothing to split
    429                            Retry      when Retry-After says; the platform is throttled, or one
                                              identifier alone: the sender finds out which
    5xx, silence, anything else    Retry      the id stays the same, so a second arrival is dropped
    """
    verdict = by_status(response, stated_wait_s(response, now_ms, most_s=WAIT_MAX_S))
    return refused(items, verdict.reason, _message(response.body)) if isinstance(verdict, Reject) else verdict


def judge_probe(response: Response) -> Halt | bool:
    """As its status says; there is no call without side effects, so nobody asks."""
    return is_healthy(by_status(response))


class _Error(msgspec.Struct):
    message: str = ""


_decode = msgspec.json.Decoder(_Error).decode


def _message(body: bytes) -> str:
    """The vendor's words; blank where the body is not the vendor's."""
    try:
        return _decode(body).message
    except (ValueError, RecursionError):
        return ""
