"""What a drawn panel says is what its series say: heights, holes, stacks, units and words."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from tests.monitoring.dashboards import BOARDS, panels
from tests.pictures.board import page
from tests.pictures.figures import UNITS, ticks, written
from tests.pictures.panels import BOTTOM, LEFT, RIGHT, TOP, Series, Span, drawn, stacked

SPAN = Span(0.0, 10.0, 1.0)
WIDTH, HEIGHT = LEFT + RIGHT + 100, TOP + BOTTOM + 100


def panel(kind: str = "timeseries", **defaults: Any) -> dict[str, Any]:
    """One as Grafana's JSON has it."""
    custom = {"fillOpacity": 5}
    return {
        "type": kind,
        "title": "A title",
        "options": {"colorMode": "background"},
        "fieldConfig": {"defaults": {"unit": "short", "mappings": [], "custom": custom} | defaults},
    }


def lines_in(html: str) -> list[list[tuple[float, float]]]:
    """The curves, as points of 0 to 100 in both directions, upwards."""
    return [
        [
            (float(x) - LEFT, HEIGHT - BOTTOM - float(y))
            for x, y in (point.split() for point in path.split(" L"))
        ]
        for path in re.findall(r"d='M([^']*)' fill='none'", html)
    ]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0, "s", "0 s"),
        (0.0724, "s", "72.4 ms"),
        (60, "s", "1 min"),
        (5400, "s", "1.5 h"),
        (0.031, "percentunit", "3.1 %"),
        (1536, "bytes", "1.5 KiB"),
        (1200, "short", "1.2 K"),
        (0.5, "cps", "0.5/s"),
        (14, "reqps", "14 req/s"),
    ],
)
def test_a_number_is_written_in_its_unit(value: float, unit: str, words: str) -> None:
    assert written(value, unit) == words


@pytest.mark.parametrize("unit", sorted(UNITS))
@pytest.mark.parametrize("most", [1e-6, 0.3, 1, 7.5, 99, 1234, 5e8])
def test_an_axis_begins_at_0_and_ends_in_a_round_number_above_all_values(most: float, unit: str) -> None:
    marks = ticks(most, unit)
    assert marks[0] == 0
    assert marks[-1] >= most * (1 - 1e-9)
    assert 2 <= len(marks) <= 7
    assert len({written(mark, unit) for mark in marks}) == len(marks), "no two alike"


def test_a_curve_is_as_high_as_its_values() -> None:
    """The highest mark is 8."""
    html = drawn(panel(), [Series("one", [(0, 0.0), (5, 4.0), (10, 8.0)])], SPAN, WIDTH, HEIGHT)
    assert lines_in(html) == [[(0, 0)], [(50, 50)], [(100, 100)]]
    assert "one" in html


def test_where_nothing_was_there_is_a_hole() -> None:
    """0 / 0 is one, too."""
    points = [(0, 1.0), (1, 1.0), (2, math.nan), (3, 1.0), (4, 1.0), (7, 1.0)]
    html = drawn(panel(), [Series("one", points)], SPAN, WIDTH, HEIGHT)
    assert [[x for x, _ in line] for line in lines_in(html)] == [[0, 10], [30, 40], [70]]


def test_what_is_stacked_stands_on_what_came_before() -> None:
    """Moment by moment; a hole below is nothing."""
    raised, floors = stacked([("a", {0: 1.0, 1: 2.0}), ("b", {0: 3.0, 2: 1.0})])
    assert raised == [("a", {0: 1.0, 1: 2.0}), ("b", {0: 4.0, 2: 1.0})]
    assert floors == [{0: 0.0, 1: 0.0}, {0: 1.0, 2: 0.0}]


def test_a_figure_has_the_panels_words_and_the_colour_of_its_threshold() -> None:
    steps = [{"color": "green", "value": None}, {"color": "red", "value": 1}]
    words = [{"type": "value", "options": {"1": {"text": "halted"}}}]
    stat = panel("stat", thresholds={"steps": steps}, mappings=words)
    assert "#b3261e" in drawn(stat, [Series("", [(0, 0.0), (10, 1.0)])], SPAN, WIDTH, HEIGHT)
    assert ">halted<" in drawn(stat, [Series("", [(10, 1.0)])], SPAN, WIDTH, HEIGHT)
    assert "#19703a" in drawn(stat, [Series("", [(10, 0.0)])], SPAN, WIDTH, HEIGHT)


def test_a_kind_of_panel_that_nobody_can_draw_is_no_blank() -> None:
    with pytest.raises(ValueError, match="nobody has drawn a heatmap"):
        drawn(panel("heatmap"), [Series("", [(0, 1.0)])], SPAN, WIDTH, HEIGHT)


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_of_a_dashboard_is_on_its_page_where_it_belongs(name: str) -> None:
    """Each with its title; one whose queries find nothing says so."""
    asked: list[str] = []

    def ask(expression: str, span: Span) -> list[dict[str, Any]]:
        asked.append(expression)
        labels = {"destination": "topsort", "reason": "<b>"}
        return [{"metric": labels, "values": [[0, "1"], [1, "2"]]}] if len(asked) > 1 else []

    html = page(BOARDS[name], ask, SPAN)
    assert len(asked) == sum(len(each["targets"]) for each in panels(BOARDS[name]))
    assert not [expression for expression in asked if "$" in expression]
    assert html.count("No data") == 1
    assert "<b>" not in html
    for each in BOARDS[name]["panels"]:
        place = each["gridPos"]
        assert f"grid-column:{place['x'] + 1}/span {place['w']};grid-row:{place['y'] + 1}/span" in html
        assert f">{each['title']}</h2>" in html
