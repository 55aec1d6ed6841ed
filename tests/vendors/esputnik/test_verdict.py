"""What the golden answers can't say: details, and the probe."""

from __future__ import annotations

import pytest

from connector.model.item import Item
from connector.model.verdict import Halt, Reject
from connector.vendors.answers import DETAIL_CHARS_MAX
from connector.vendors.contract import Response
from connector.vendors.esputnik.verdict import judge, judge_probe

ITEM = Item("id", "event", b"{}", 0)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"Expected parameters: totalCost", "Expected parameters: totalCost"),
        (b" \n", ""),
        ("Невірно".encode(), "Невірно"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"message": "no"}', '{"message": "no"}'),
    ],
)
def test_a_rejection_keeps_the_vendors_words(body: bytes, detail: str) -> None:
    """Free text, whatever its form."""
    assert judge([ITEM], Response(400, {}, body), 0) == Reject("vendor_rejected", detail)


def test_a_rejection_keeps_as_much_as_a_dead_letter_can_hold() -> None:
    """Characters, not bytes."""
    said = judge([ITEM], Response(422, {}, ("ї" * 9_999).encode()), 0)
    assert isinstance(said, Reject)
    assert said.detail == "ї" * DETAIL_CHARS_MAX


def test_a_halt_says_nothing_that_the_vendor_wrote() -> None:
    """Its detail is shown to operators, and a text may echo personal data."""
    assert judge([ITEM], Response(403, {}, b"olena@example.com"), 0) == Halt("auth", "403 Forbidden")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(200, {}, b'{"organizationName":"Shop"}'), True),
        (Response(204), True),
        (Response(401), Halt("auth", "401 Unauthorized")),
        (Response(403), Halt("auth", "403 Forbidden")),
        (Response(404), Halt("not_found", "404 Not Found")),
        (Response(302), Halt("unexpected_redirect", "302 Found")),
        *((Response(status), False) for status in (400, 408, 409, 418, 429, 500, 503)),
        (Response(None, silence="timeout"), False),
        (Response(None, silence="connection"), False),
    ],
)
def test_the_probe_tells_healthy_from_not_yet_from_halt(response: Response, expected: Halt | bool) -> None:
    """An account that is told is health; a wrong key needs a person."""
    assert judge_probe(response) == expected
