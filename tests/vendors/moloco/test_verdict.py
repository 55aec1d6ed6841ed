"""What the golden answers can't say: details, and the answer to a probe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.model.item import Item
from connector.model.verdict import Halt, Reject, Retry
from connector.vendors.answers import DETAIL_CHARS_MAX
from connector.vendors.contract import Response
from connector.vendors.moloco import Moloco
from connector.vendors.moloco.verdict import judge, judge_probe

NOW_MS = 1_795_010_587_000
ITEMS = [Item("id", "userevents", b"{}", NOW_MS)]


def answer(status: int, **error: Any) -> Response:
    """An error with these members."""
    return Response(status, {}, json.dumps({"code": 3, "message": "m", "details": [], **error}).encode())


def test_a_rejection_keeps_the_vendors_message() -> None:
    """Its first 500 characters, and nothing of code and details, which the vendor says to ignore."""
    assert judge(ITEMS, answer(400, message="no valid identifier"), NOW_MS) == Reject(
        "vendor_rejected", "no valid identifier"
    )
    long = judge(ITEMS, answer(422, message="ä" * 501, details=["jane@example.com"]), NOW_MS)
    assert long == Reject("vendor_rejected", "ä" * DETAIL_CHARS_MAX)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"text"', b"<html>", b'{"message": null}', b"\xff"])
def test_a_body_that_is_not_the_vendors_is_no_trouble(body: bytes) -> None:
    """A proxy in between says what it likes."""
    assert judge(ITEMS, Response(409, {}, body), NOW_MS) == Reject("http_409", "")


def test_a_halt_says_nothing_that_the_vendor_wrote() -> None:
    """Its detail is shown to operators, and a message may echo personal data."""
    assert judge(ITEMS, answer(403, message="jane@example.com"), NOW_MS) == Halt("auth", "403 Forbidden")


def test_a_code_in_the_body_changes_nothing() -> None:
    """The status alone decides."""
    for code in (0, 7, 8, 16, "auth", None):
        assert judge(ITEMS, answer(503, code=code), NOW_MS) == Retry("server_error")
        assert isinstance(judge(ITEMS, answer(400, code=code), NOW_MS), Reject)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(200), True),
        (Response(401), Halt("auth", "401 Unauthorized")),
        (Response(302), Halt("unexpected_redirect", "302 Found")),
        (Response(400), False),
        (Response(429), False),
        (Response(503), False),
        (Response(None, silence="timeout"), False),
    ],
)
def test_a_probes_answer_is_read_by_its_status(response: Response, expected: Halt | bool) -> None:
    """Nobody asks, since there is no probe; but the question has an answer."""
    assert judge_probe(response) == expected


def test_an_identifier_may_be_throttled_alone() -> None:
    """The word by which the sender knows that ten answers of 429 to one event may be that event's own."""
    assert "throttled_identifier" in Moloco.reasons
