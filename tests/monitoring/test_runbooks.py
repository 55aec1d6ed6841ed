"""Every alert has its page, and every page its alert."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.ops.metrics import METRICS, PREFIX
from tests.monitoring.test_alerts import ALERTS

TEXT = (Path(__file__).parents[2] / "docs/runbooks.md").read_text()
SECTIONS = {
    part.partition("\n")[0]: part.partition("\n")[2] for part in re.split(r"^## ", TEXT, flags=re.M)[1:]
}


def test_an_alert_a_section() -> None:
    """`runbook_url` leads to it, as the anchor is the name in lower case."""
    assert SECTIONS.keys() == ALERTS.keys()


@pytest.mark.parametrize("alert", SECTIONS)
def test_a_section_says_what_it_means_where_to_look_and_what_to_do(alert: str) -> None:
    """In that order; at three in the morning nobody searches."""
    words = SECTIONS[alert]
    places = [words.find(f"**{word}.**") for word in ("Means", "Look", "Do")]
    assert -1 not in places
    assert places == sorted(places)


def test_metrics_in_the_runbooks_exist() -> None:
    """By their full names."""
    known = {PREFIX + metric.name for metric in METRICS}
    assert set(re.findall(r"\bconnector_[a-z_]+", TEXT)) <= known
