"""`connector destinations`: the list, and one in full."""

from __future__ import annotations

import pytest

from connector.vendors import DESTINATIONS
from tests.cli.commandline import connector


def test_every_destination_is_listed() -> None:
    """A line each."""
    ended = connector("destinations")
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == list(DESTINATIONS)


@pytest.mark.parametrize("name", sorted(DESTINATIONS))
def test_one_destination_is_told_in_full(name: str) -> None:
    """Limits, options, what becomes of every event type, and every reason."""
    ended = connector("destinations", name)
    assert ended.code == 0
    destination = DESTINATIONS[name]
    for event, fate in destination.events.items():
        assert any(line.split()[:1] == [event] and fate in line for line in ended.out.splitlines()), event
    for option in destination.Options.model_fields:
        assert f"  {option} " in ended.out
    for reason in destination.reasons:
        assert reason in ended.out
    assert "bytes a request" in ended.out


def test_an_unknown_destination_is_bad_usage() -> None:
    """With the known ones."""
    ended = connector("destinations", "nobody")
    assert ended.code == 2
    for name in DESTINATIONS:
        assert name in ended.err
