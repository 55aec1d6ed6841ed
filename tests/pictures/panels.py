"""One panel of a dashboard as HTML: curves, figures or bars, as its JSON says. Decides only.

It is no Grafana: what our dashboards use is drawn, in its plainest form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import msgspec

from tests.pictures.figures import clock, ticks, written

COLOURS = ("#3274d9", "#e0752d", "#299c46", "#a352cc", "#c4162a", "#8f8c00", "#0f8f8f", "#d44a9b")
"""One a series, in turn; all are told apart from white and from each other."""

NAMED = {"green": "#19703a", "orange": "#b35c00", "red": "#b3261e", "blue": "#2457c5"}

Panel = Mapping[str, Any]


class Series(msgspec.Struct, frozen=True):
    """What one query gave under one name: moments and values, holes left out."""

    name: str
    points: Sequence[tuple[float, float]]

    @property
    def last(self) -> float:
        return self.points[-1][1]


class Span(msgspec.Struct, frozen=True):
    """From when to when a picture shows, in seconds, and how far apart its points are."""

    start: float
    end: float
    step: float


def drawn(panel: Panel, series: Sequence[Series], span: Span, width: int, height: int) -> str:
    """The inside of a panel that is so large, in pixels."""
    if not series:
        return '<p class="none">No data</p>'
    match panel["type"]:
        case "timeseries":
            return _curves(panel, series, span, width, height)
        case "stat":
            return _figure(panel, series)
        case "bargauge":
            return _bars(panel, series)
        case kind:
            raise ValueError(f"nobody has drawn a {kind} so far")


# ── figures and bars ─────────────────────────────────────────────────────────────────────────────


def _figure(panel: Panel, series: Sequence[Series]) -> str:
    (only, *_) = series
    colour = _threshold(panel, only.last)
    style = (
        f"background:{colour};color:#fff" if colour and panel["options"]["colorMode"] == "background" else ""
    )
    return f'<p class="figure" style="{style}">{escape(_text(panel, only.last))}</p>'


def _bars(panel: Panel, series: Sequence[Series]) -> str:
    most = max(each.last for each in series) or 1.0
    rows = (
        f"<dt>{escape(each.name)}</dt><dd><i style='width:{80 * each.last / most:.1f}%'></i>"
        f"{escape(_text(panel, each.last))}</dd>"
        for each in sorted(series, key=lambda each: -each.last)
    )
    return f'<dl class="bars">{"".join(rows)}</dl>'


def _text(panel: Panel, value: float) -> str:
    """A value by the panel's own words for it, else with its unit."""
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults["mappings"]:
        if word := mapping["options"].get(f"{value:g}"):
            return str(word["text"])
    if defaults["unit"] == "short":
        value = float(round(value))  # a count; `increase` guesses between two scrapes
    return written(value, defaults["unit"])


def _threshold(panel: Panel, value: float) -> str | None:
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", ())
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return NAMED[reached[-1]] if reached else None


# ── curves ───────────────────────────────────────────────────────────────────────────────────────

LEFT, RIGHT, TOP, BOTTOM = 64, 10, 6, 20
"""Room for the labels of the axes, in pixels."""


def _curves(panel: Panel, series: Sequence[Series], span: Span, width: int, height: int) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    custom, unit = defaults["custom"], defaults["unit"]
    lines = [(each.name, _levels(each, span)) for each in series]
    floors: list[dict[int, float]] = [{} for _ in lines]
    if custom.get("stacking", {}).get("mode") == "normal":
        lines, floors = stacked(lines)
    most = max((level for _, levels in lines for level in levels.values()), default=0.0)
    marks = ticks(most, unit)
    slots = max(1, round((span.end - span.start) / span.step))

    def x(slot: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * slot / slots

    def y(level: float) -> float:
        return height - BOTTOM - (height - TOP - BOTTOM) * level / marks[-1]

    parts = [
        f"<line x1='{LEFT}' x2='{width - RIGHT}' y1='{y(mark):.1f}' y2='{y(mark):.1f}'/>"
        f"<text x='{LEFT - 6}' y='{y(mark) + 4:.1f}' text-anchor='end'>{written(mark, unit)}</text>"
        for mark in marks
    ]
    parts += [
        f"<text x='{x(slots * part / 4):.1f}' y='{height - 4}' text-anchor='{anchor}'>"
        f"{clock(span.start + (span.end - span.start) * part / 4)}</text>"
        for part, anchor in enumerate(("start", "middle", "middle", "middle", "end"))
    ]
    opacity = custom["fillOpacity"] / 100
    for number, ((_, levels), floor) in enumerate(zip(lines, floors, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        for run in _runs(sorted(levels)):
            top = [f"{x(slot):.1f} {y(levels[slot]):.1f}" for slot in run]
            bottom = [f"{x(slot):.1f} {y(floor.get(slot, 0.0)):.1f}" for slot in reversed(run)]
            parts.append(f"<path d='M{' L'.join(top + bottom)}Z' fill='{colour}' fill-opacity='{opacity}'/>")
            parts.append(f"<path d='M{' L'.join(top)}' fill='none' stroke='{colour}' stroke-width='1.5'/>")
    names = (
        f"<li><i style='background:{COLOURS[number % len(COLOURS)]}'></i>{escape(name)}</li>"
        for number, (name, _) in enumerate(lines)
    )
    return (
        f"<svg width='{width}' height='{height}' role='img'>{''.join(parts)}</svg><ul>{''.join(names)}</ul>"
    )


def _levels(series: Series, span: Span) -> dict[int, float]:
    """Slot → value. What is no number (0 / 0 while nothing happened) is a hole."""
    return {
        round((at - span.start) / span.step): value for at, value in series.points if math.isfinite(value)
    }


def stacked(
    lines: Sequence[tuple[str, Mapping[int, float]]],
) -> tuple[list[tuple[str, dict[int, float]]], list[dict[int, float]]]:
    """Each on top of those before it, and what each stands on."""
    height: dict[int, float] = {}
    raised, floors = [], []
    for name, levels in lines:
        floors.append({slot: height.get(slot, 0.0) for slot in levels})
        for slot, level in levels.items():
            height[slot] = height.get(slot, 0.0) + level
        raised.append((name, {slot: height[slot] for slot in levels}))
    return raised, floors


def _runs(slots: Sequence[int]) -> list[list[int]]:
    """Unbroken pieces: nobody draws a line over a hole."""
    runs: list[list[int]] = []
    for slot in slots:
        if runs and runs[-1][-1] == slot - 1:
            runs[-1].append(slot)
        else:
            runs.append([slot])
    return runs
