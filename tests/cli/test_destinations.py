"""`connector destinations`: the list, and one in full."""

from __future__ import annotations

import pytest

from connector.model.outcome import SKIP_REASONS
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
    for option, field in destination.Options.model_fields.items():
        assert f"  {option} (" in ended.out
        if field.is_required():
            assert f"  {option} (must be given)" in ended.out
    _, _, reasons = ended.out.partition("\nreasons for a skip\n")
    skips, _, letters = reasons.partition("\nreasons for a dead letter\n")
    for reason in destination.reasons:
        where = skips if reason in SKIP_REASONS else letters
        assert reason in where.split() or reason[:-2] + "xx" in where.split(), reason
    assert "bytes a request" in ended.out


def test_statuses_are_one_line_and_the_list_says_what_each_is() -> None:
    """Seventy-five lines from http_406 to http_499 hid the reasons that somebody looks for."""
    out = connector("destinations", "topsort").out
    assert sum("http_" in line for line in out.splitlines()) == 1
    assert "http_4xx" in out
    assert "  pageviews (" in out
    assert "The events endpoint of API v2." in connector("destinations").out


def test_an_unknown_destination_is_bad_usage() -> None:
    """With the known ones."""
    ended = connector("destinations", "nobody")
    assert ended.code == 2
    for name in DESTINATIONS:
        assert name in ended.err
