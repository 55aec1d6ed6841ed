"""What the golden answers can't say one by one: batches of several ages, details, and the probe."""

from __future__ import annotations

import json

import pytest

from connector.model.item import Item
from connector.model.verdict import Halt, Reject, Retry, Split
from connector.vendors.answers import DETAIL_CHARS_MAX
from connector.vendors.contract import Response
from connector.vendors.topsort.verdict import judge, judge_probe

NOW_MS = 1_795_010_587_000


def item(age_ms: int = 3_600_000) -> Item:
    return Item("id", "clicks", b"{}", NOW_MS - age_ms)


def answer(status: int, *codes: str, message: str | None = None) -> Response:
    """An error with these codes."""
    errors = [{"errCode": code, "message": message} for code in codes]
    return Response(status, {}, json.dumps(errors).encode() if codes else b"")


def test_one_young_record_keeps_a_batch_whole() -> None:
    """The clocks disagree and the records are fine: again, unsplit, until none is under five minutes old."""
    early = answer(400, "invalid_event_time")
    assert judge([item(), item(299_999)], early, NOW_MS) == Retry("clock_skew", 5.0)
    assert judge([item(), item(300_000)], early, NOW_MS) == Split()
    assert judge([item(-1)], early, NOW_MS) == Retry("clock_skew", 5.0)
    assert judge([item()], early, NOW_MS) == Reject("vendor_rejected", "invalid_event_time")


def test_a_batch_is_split_before_anything_is_rejected() -> None:
    """One bad record fails all, and the answer names none."""
    for status in (400, 409, 413, 418, 422):
        assert judge([item(), item()], answer(status), NOW_MS) == Split()


def test_a_rejection_keeps_the_vendors_words() -> None:
    """Code and message, as many as were said, cut to what a dead letter can hold."""
    said = judge([item()], answer(400, "bad_request", "missing_product_id", message="look"), NOW_MS)
    assert said == Reject("vendor_rejected", "bad_request: look; missing_product_id: look")
    long = judge([item()], answer(400, "bad_request", message="x" * 9_999), NOW_MS)
    assert isinstance(long, Reject)
    assert len(long.detail) == DETAIL_CHARS_MAX


def test_a_halt_says_nothing_that_the_vendor_wrote() -> None:
    """Its detail is shown to operators, and a message may echo personal data."""
    halt = judge([item()], answer(403, "invalid_api_key", message="jane@example.com"), NOW_MS)
    assert halt == Halt("auth", "403 Forbidden, invalid_api_key")
    assert judge([item()], answer(401), NOW_MS) == Halt("auth", "401 Unauthorized")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer(400, "empty_request"), True),
        (answer(422, "empty_request"), True),
        (answer(400, "renamed_code"), True),
        (answer(400), True),
        (answer(204), True),
        (answer(400, "internal_server_error"), False),
        (answer(400, "invalid_api_key"), Halt("auth", "400 Bad Request, invalid_api_key")),
        (answer(401), Halt("auth", "401 Unauthorized")),
        (answer(403, "no_permission"), Halt("auth", "403 Forbidden")),
        (answer(404), Halt("not_found", "404 Not Found")),
        (answer(302), Halt("unexpected_redirect", "302 Found")),
        (answer(409), False),
        (answer(413), False),
        (answer(429), False),
        (answer(500), False),
        (answer(503, "empty_request"), True),
        (Response(None, silence="timeout"), False),
        (Response(None, silence="connection"), False),
    ],
)
def test_the_probe_tells_healthy_from_not_yet_from_halt(response: Response, expected: Halt | bool) -> None:
    """An empty request that was read and refused is health; a wrong key needs a person."""
    assert judge_probe(response) == expected
