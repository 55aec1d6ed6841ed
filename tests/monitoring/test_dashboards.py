"""The dashboards are well-formed, tidy, and speak of metrics that exist."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest

from connector.ops.metrics import METRICS, PREFIX
from tests.monitoring.dashboards import BOARDS, expressions, panels
from tests.monitoring.test_alerts import ALERTS

WIDTH = 24
EXISTING = {PREFIX + metric.name for metric in METRICS if metric.kind != "histogram"} | {
    f"{PREFIX}{metric.name}_{part}"
    for metric in METRICS
    if metric.kind == "histogram"
    for part in ("bucket", "sum", "count")
}

board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


def named(text: str) -> set[str]:
    """The connector's metrics in an expression."""
    return set(re.findall(r"\bconnector_[a-z_]+", text))


def test_alerts_and_dashboards_use_metrics_that_exist() -> None:
    """A misspelt one would be silent for ever."""
    used = {name for _, expression in expressions() for name in named(expression)}
    for rule in ALERTS.values():
        used |= named(rule["expr"])
    assert used <= EXISTING


def test_every_metric_is_on_a_dashboard() -> None:
    """What nobody looks at need not be measured."""
    shown = {name for _, expression in expressions() for name in named(expression)}
    for metric in METRICS:
        assert any(name.startswith(PREFIX + metric.name) for name in shown), metric.name


@board
def test_a_dashboard_can_be_imported(board: dict[str, Any]) -> None:
    """What Grafana asks for, and an address that stays when it is imported again."""
    assert re.fullmatch(r"commerce-connector-[a-z]+", board["uid"])
    assert board["title"]
    assert board["description"]
    assert board["schemaVersion"] >= 39
    assert [each["name"] for each in board["templating"]["list"]] == [
        "datasource",
        "namespace",
        "destination",
    ]


@board
def test_panels_say_what_they_show_and_where_it_comes_from(board: dict[str, Any]) -> None:
    """No unit, no number; and never somebody else's data source."""
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["legendFormat"]
            assert target["datasource"]["uid"] == "${datasource}"
            assert 'destination=~"$destination"' in target["expr"]


@board
def test_panels_stand_side_by_side(board: dict[str, Any]) -> None:
    """None over another, none beyond the edge."""
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
