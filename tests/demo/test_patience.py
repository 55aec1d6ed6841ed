"""When a demo is given up: never while something may come, always when nothing will."""

from __future__ import annotations

from typing import Any

import pytest

from connector.demo.patience import FOR_GOOD, Patience
from connector.model.outcome import is_halt_reason


def status(
    halt: str | None = None, waits_on: str | None = None, halted: str | None = None, detail: str | None = None
) -> dict[str, Any]:
    """What matters of `/status`."""
    return {
        "halt_reason": halt,
        "halt_detail": detail,
        "waits_on": waits_on,
        "partitions": [
            {"topic": "orders", "partition": 0, "halted": None},
            {"topic": "orders", "partition": 1, "halted": halted},
        ],
    }


def test_a_run_that_moves_is_never_given_up() -> None:
    """However slowly."""
    patience = Patience(10.0)
    assert all(patience.gives_up(settled, status(), settled * 9.0) is None for settled in range(100))


def test_one_that_stands_is_given_up_after_so_long_and_says_what_it_waits_for() -> None:
    """In the connector's own words, and says so if there are none."""
    patience = Patience(10.0)
    assert patience.gives_up(5, status(), 100.0) is None
    assert patience.gives_up(5, status(), 109.9) is None
    assert patience.gives_up(5, status(), 110.0) == "no record was settled in 10 s; it does not say why"
    waits = status(waits_on="2 batches wait to be sent again (timeout)")
    words = "no record was settled in 10 s; it says: 2 batches wait to be sent again (timeout)"
    assert patience.gives_up(5, waits, 111.0) == words


def test_moving_again_begins_anew() -> None:
    """An outage of nine seconds, and another one."""
    patience = Patience(10.0)
    assert patience.gives_up(5, status(), 0.0) is None
    assert patience.gives_up(6, status(), 9.0) is None
    assert patience.gives_up(6, status(), 18.0) is None


def test_a_halt_for_good_ends_it_at_once() -> None:
    """Of the whole, or of one partition."""
    flood = status(halt="dead_letter_flood", detail="too many records are refused")
    words = "halted for good: dead_letter_flood (too many records are refused)"
    assert Patience(10.0).gives_up(5, flood, 0.0) == words
    lost = status(halted="offset_lost")
    assert Patience(10.0).gives_up(5, lost, 0.0) == "halted for good: offset_lost in orders:1"


def test_any_other_halt_may_end_by_itself() -> None:
    """A key can be rotated; one that nobody rotates is told."""
    patience = Patience(10.0)
    halted = status(halt="auth", waits_on="halted: auth", detail="401")
    assert patience.gives_up(5, halted, 0.0) is None
    assert patience.gives_up(5, halted, 10.0) == "no record was settled in 10 s; it says: halted: auth (401)"


@pytest.mark.parametrize("reason", FOR_GOOD)
def test_what_ends_it_are_reasons_that_exist(reason: str) -> None:
    """Of the closed list."""
    assert is_halt_reason(reason)
