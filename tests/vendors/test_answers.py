"""What every vendor's answers have in common, status by status."""

from __future__ import annotations

import pytest

from connector.model.item import Item
from connector.model.outcome import RETRY_REASONS, is_dead_letter_reason, is_halt_reason
from connector.model.verdict import Delivered, Halt, Reject, Retry, Split
from connector.vendors.answers import (
    DETAIL_CHARS_MAX,
    REASONS,
    by_status,
    is_healthy,
    refused,
    stated_wait_s,
)
from connector.vendors.contract import Response

NOW_MS = 1_795_010_587_000


def test_every_status_has_a_listed_reason() -> None:
    """No status without a meaning, and no meaning that is not in the closed list."""
    for status in range(100, 700):
        match by_status(Response(status)):
            case Delivered():
                assert 200 <= status < 300
            case Retry(reason):
                assert reason in RETRY_REASONS, status
            case Halt(reason):
                assert is_halt_reason(reason), status
            case Reject(reason):
                assert is_dead_letter_reason(reason), status
                assert reason in REASONS, status


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (204, Delivered()),
        (302, Halt("unexpected_redirect", "302 Found")),
        (399, Halt("unexpected_redirect", "399")),
        (401, Halt("auth", "401 Unauthorized")),
        (403, Halt("auth", "403 Forbidden")),
        (404, Halt("not_found", "404 Not Found")),
        (405, Halt("wrong_method", "405 Method Not Allowed")),
        (415, Halt("wrong_media_type", "415 Unsupported Media Type")),
        (410, Halt("http_410", "410 Gone")),
        (408, Retry("timeout")),
        (425, Retry("server_error")),
        (429, Retry("throttled", 7.0)),
        (503, Retry("server_error")),
        (400, Reject("vendor_rejected")),
        (422, Reject("vendor_rejected")),
        (413, Reject("payload_too_large")),
        (409, Reject("http_409")),
        (101, Retry("connection")),
    ],
)
def test_what_a_status_means(status: int, verdict: object) -> None:
    """The table, row by row."""
    assert by_status(Response(status), throttled_s=7.0) == verdict


def test_silence_blames_nobody() -> None:
    """A timeout and a broken connection are sent again."""
    assert by_status(Response(None, silence="timeout")) == Retry("timeout")
    assert by_status(Response(None)) == Retry("connection")


def test_several_are_halved_and_one_is_given_up() -> None:
    """An all-or-nothing answer names no culprit, and its words are cut to what a dead letter holds."""
    item = Item("a", "k", b"{}", 0)
    assert refused([item, item], "vendor_rejected", "why") == Split()
    assert refused([item], "vendor_rejected", "w" * 999) == Reject("vendor_rejected", "w" * DETAIL_CHARS_MAX)


@pytest.mark.parametrize(("header", "wait_s"), [("0", 1.0), ("30", 30.0), ("9999", 300.0), ("soon", None)])
def test_a_stated_wait_stays_within_bounds(header: str, wait_s: float | None) -> None:
    """The header is trusted, but not blindly; one that nobody can read says nothing."""
    answer = Response(429, {"retry-after": header})
    assert stated_wait_s(answer, NOW_MS, least_s=1.0, most_s=300.0) == wait_s


def test_a_probe_is_healthy_halted_or_not_yet() -> None:
    """Only a good answer opens the way; a halt says why it stays closed."""
    assert is_healthy(Delivered()) is True
    assert is_healthy(Retry("timeout")) is False
    assert is_healthy(Reject("vendor_rejected")) is False
    assert is_healthy(Halt("auth")) == Halt("auth")
