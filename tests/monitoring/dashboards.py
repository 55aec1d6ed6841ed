"""The dashboards of the chart, read as Grafana reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "helm/commerce-connector/dashboards"
BOARDS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in FOLDER.glob("*.json")
}

_FILLED_IN = {"$__rate_interval": "5m", "$__range": "1h", "$namespace": ".*", "$destination": ".*"}
"""What Grafana puts in place of its variables while "All" is chosen."""


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that show something: no rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Every query with where it stands, as Prometheus gets it."""
    for name, board in BOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", filled_in(target["expr"])


def filled_in(expression: str, instead: Mapping[str, str] | None = None) -> str:
    """A query with values for Grafana's variables; some may be given."""
    for variable, value in (_FILLED_IN | dict(instead or {})).items():
        expression = expression.replace(variable, value)
    return expression
