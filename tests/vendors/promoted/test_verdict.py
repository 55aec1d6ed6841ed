"""What the golden answers can't say one by one: batches, details, and the probe."""

from __future__ import annotations

import json

import pytest

from connector.model.item import Item
from connector.model.verdict import Halt, Reject, Retry, Split
from connector.vendors.answers import DETAIL_CHARS_MAX
from connector.vendors.contract import Response
from connector.vendors.promoted.verdict import judge, judge_probe

NOW_MS = 1_795_010_587_000
ONE = [Item("id", "action", b"{}", NOW_MS)]


def answer(status: int, message: object = None) -> Response:
    return Response(status, {}, json.dumps({"message": message}).encode())


def test_a_batch_is_split_before_anything_is_rejected() -> None:
    """One bad record fails all, and the answer names none."""
    for status in (400, 409, 413, 418, 422):
        assert judge([*ONE, *ONE], answer(status), NOW_MS) == Split()


def test_a_rejection_keeps_the_vendors_words() -> None:
    """A gateway's message, cut to what a dead letter can hold; whatever else came is not repeated there."""
    assert judge(ONE, answer(400, "unknown field"), NOW_MS) == Reject("vendor_rejected", "unknown field")
    assert judge(ONE, answer(400, 5), NOW_MS) == Reject("vendor_rejected")
    assert judge(ONE, Response(422, {}, b"<html>"), NOW_MS) == Reject("vendor_rejected")
    long = judge(ONE, answer(400, "x" * 9_999), NOW_MS)
    assert isinstance(long, Reject)
    assert len(long.detail) == DETAIL_CHARS_MAX


def test_a_halt_says_nothing_that_the_vendor_wrote() -> None:
    """Its detail is shown to operators, and a message may echo personal data."""
    assert judge(ONE, answer(403, "jane@example.com"), NOW_MS) == Halt("auth", "403 Forbidden")


def test_silence_is_an_outage() -> None:
    """Timeout and broken connection are told apart."""
    assert judge(ONE, Response(None, silence="timeout"), NOW_MS) == Retry("timeout")
    assert judge(ONE, Response(None, silence="connection"), NOW_MS) == Retry("connection")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer(200), True),
        (Response(204), True),
        (answer(400), True),
        (answer(422), True),
        (answer(401), Halt("auth", "401 Unauthorized")),
        (answer(403), Halt("auth", "403 Forbidden")),
        (answer(404), Halt("not_found", "404 Not Found")),
        *((answer(status), False) for status in (302, 402, 405, 407, 408, 409, 410, 413, 415, 425, 426)),
        *((answer(status), False) for status in (418, 429, 500, 502, 503, 504, 101)),
        (Response(None, silence="timeout"), False),
        (Response(None, silence="connection"), False),
    ],
)
def test_the_probe_tells_healthy_from_not_yet_from_halt(response: Response, expected: Halt | bool) -> None:
    """An empty request that was read is health, also if it was refused; only three answers need a person."""
    assert judge_probe(response) == expected
