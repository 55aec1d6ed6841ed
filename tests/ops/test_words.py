"""What a person is told."""

from __future__ import annotations

import pytest

from connector.model.outcome import HALT_REASONS
from connector.ops import words


def test_every_halt_has_its_sentence() -> None:
    """One that says what to do, and no other."""
    assert words.HALTS.keys() == HALT_REASONS
    assert "409" in words.halt("http_409")


def test_the_next_probe() -> None:
    """None is one that is under way."""
    assert words.next_probe(12.4) == "next probe in 12 s"
    assert words.next_probe(0.2) == "next probe in 1 s"
    assert words.next_probe(0.0) == "the next batch is its probe"
    assert words.next_probe(None) == "a probe is under way"


@pytest.mark.parametrize(
    ("state", "halt_reason", "waits", "lag", "in_flight", "said"),
    [
        ("starting", None, False, 0, 0, "Joining"),
        ("running", None, False, 0, 0, "Everything"),
        ("running", None, False, 10, 0, "Reading and delivering"),
        ("running", None, False, 0, 3, "Reading and delivering"),
        ("running", None, True, 10, 3, "waited for"),
        ("halted", "auth", True, 10, 3, "api_key_file"),
        ("stopping", "auth", True, 10, 3, "leaving the group"),
    ],
)
def test_the_first_sentence(
    state: str, halt_reason: str | None, waits: bool, lag: int, in_flight: int, said: str
) -> None:
    """As one would say it."""
    assert said in words.told(state, halt_reason, waits, lag, in_flight)
