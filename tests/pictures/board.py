"""A dashboard as one page: its own queries asked of a Prometheus, its panels where its JSON puts them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from tests.monitoring.dashboards import filled_in
from tests.pictures.panels import Panel, Series, Span, drawn

Ask = Callable[[str, Span], list[dict[str, Any]]]
"""A query and a span → series, as Prometheus' `query_range` answers."""

COLUMN_PX, ROW_PX, GAP_PX = 46, 28, 8
COLUMNS = 24
WIDTH_PX = COLUMNS * COLUMN_PX + GAP_PX
HEAD_PX, LEGEND_LINE_PX, PADDING_PX = 26, 18, 8
LEGEND_NAME_PX = 9
"""About so wide is a letter of a legend with its share of the space between two names."""

RATE_INTERVAL = "10s"
"""What `$__rate_interval` is where Prometheus scrapes each second: enough scrapes for a smooth curve."""

STYLE = f"""
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #f4f5f7; color: #16181d; font: 12px/1.4 "DejaVu Sans", system-ui, sans-serif;
  width: {WIDTH_PX}px; padding: {GAP_PX}px; }}
h1 {{ font-size: 17px; margin: 4px 2px 10px; }}
main {{ display: grid; grid-template-columns: repeat({COLUMNS}, 1fr); grid-auto-rows: {ROW_PX - GAP_PX}px;
  gap: {GAP_PX}px; }}
section {{ background: #fff; border: 1px solid #d9dce3; border-radius: 3px; padding: 0 {PADDING_PX}px;
  overflow: hidden; display: flex; flex-direction: column; min-width: 0; }}
h2 {{ font-size: 12px; line-height: {HEAD_PX}px; margin: 0; font-weight: 600; white-space: nowrap; }}
h2.row {{ line-height: {ROW_PX - GAP_PX}px; font-size: 14px; }}
svg {{ display: block; }}
svg text {{ font-size: 10.5px; fill: #575d69; }}
svg line {{ stroke: #e4e6eb; }}
ul {{ list-style: none; margin: 0; padding: 0; line-height: {LEGEND_LINE_PX}px; font-size: 11px; }}
li {{ display: inline-block; margin-right: 14px; white-space: nowrap; }}
li i {{ display: inline-block; width: 12px; height: 3px; margin-right: 5px; vertical-align: middle; }}
.figure {{ margin: 0 -{PADDING_PX}px; flex: 1; display: flex; align-items: center; justify-content: center;
  font-size: 24px; font-weight: 600; }}
.none {{ margin: auto; color: #575d69; }}
.bars {{ margin: 4px 0; }}
.bars dt {{ font-size: 11px; }}
.bars dd {{ margin: 0 0 5px; display: flex; align-items: center; gap: 8px; }}
.bars i {{ background: #3274d9; height: 14px; }}
"""


def page(board: Mapping[str, Any], ask: Ask, span: Span) -> str:
    """The whole dashboard as HTML, without a script."""
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(board['title'])}</title>"
        f"<style>{STYLE}</style><h1>{escape(board['title'])}</h1>"
        f"<main>{''.join(_placed(panel, ask, span) for panel in board['panels'])}</main></html>"
    )


def _placed(panel: Panel, ask: Ask, span: Span) -> str:
    place = panel["gridPos"]
    area = f"grid-column:{place['x'] + 1}/span {place['w']};grid-row:{place['y'] + 1}/span {place['h']}"
    title = escape(panel["title"])
    if panel["type"] == "row":
        return f"<h2 class='row' style='{area}'>{title}</h2>"
    series = _asked(panel, ask, span)
    width = place["w"] * COLUMN_PX - GAP_PX - 2 * PADDING_PX - 2
    letters = sum(len(each.name) + 4 for each in series)
    legend = LEGEND_LINE_PX * (1 + letters * LEGEND_NAME_PX // width)
    height = place["h"] * ROW_PX - GAP_PX - HEAD_PX - legend - 4
    inside = drawn(panel, series, span, width, height)
    return f"<section style='{area}'><h2>{title}</h2>{inside}</section>"


def _asked(panel: Panel, ask: Ask, span: Span) -> list[Series]:
    """Every series of every query, named as the query's legend says."""
    found = []
    for target in panel["targets"]:
        expression = filled_in(
            target["expr"],
            {"$__rate_interval": RATE_INTERVAL, "$__range": f"{span.end - span.start:.0f}s"},
        )
        for each in ask(expression, span):
            points = [(float(at), float(value)) for at, value in each["values"]]
            found.append(Series(_named(target["legendFormat"], each["metric"]), points))
    return found


def _named(legend: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{\s*(\w+)\s*}}", lambda found: labels.get(found[1], ""), legend).strip()
