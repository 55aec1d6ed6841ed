"""On a real Prometheus that scrapes a real run, no alert and no panel looks at nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.broker.launcher.brokers import Broker
from tests.chaos.rig import wait_until
from tests.chaos.scene import Records, Scene, sample_traffic
from tests.conftest import launched
from tests.monitoring.dashboards import BOARDS, expressions
from tests.monitoring.prometheus import Prometheus
from tests.monitoring.test_alerts import ALERTS
from tests.pictures.board import page
from tests.pictures.panels import Span

EVENTS = 5_000
FAULTS = "503:0.1,429:burst=4/40:retry_after=1"

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def prometheus(
    real_broker: Broker, schema_registry_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """One that has watched a run with every kind of outcome and a vendor in trouble."""
    folder = tmp_path_factory.mktemp("prometheus")

    def unique(name: str) -> str:
        return f"{name}-{folder.name}"

    records = Records(real_broker, schema_registry_url, unique, sample_traffic(EVENTS))
    scene = Scene(records, unique, folder, faults=FAULTS)
    with scene, scene.connector() as connector:
        wait_until(lambda: connector.address is not None, "the connector listens", 60)
        watching = launched(lambda: Prometheus(folder, {"commerce-connector": [str(connector.address)]}))
        wait_until(lambda: scene.lag() == 0, "everything is committed", 120, every_s=0.5)
        last = 'min(count_over_time(connector_records_settled_total{outcome="dead_lettered"}[1m])) >= 3'
        wait_until(
            lambda: bool(watching.query(last)), "Prometheus has seen the end three times", 30, every_s=0.2
        )
        wait_until(
            lambda: bool(watching.query("connector_topic_retention_seconds")),
            "the retention",
            30,
            every_s=0.2,
        )
        yield watching
        watching.stop()


def test_every_panel_shows_something(prometheus: Prometheus) -> None:
    """Each query of each dashboard has a series."""
    empty = [where for where, expression in expressions() if not prometheus.query(expression)]
    assert not empty


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_can_be_drawn(prometheus: Prometheus, name: str) -> None:
    """As the pictures of the docs are: over a stretch of time, with nothing left blank."""
    now = time.time()

    def ask(expression: str, span: Span) -> list[dict[str, Any]]:
        return prometheus.query_range(expression, span.start, span.end, span.step)

    html = page(BOARDS[name], ask, Span(now - 60, now, 1.0))
    blank = [section.split("</h2>")[0] for section in html.split("<h2>") if "No data" in section]
    assert not blank


def test_every_alert_looks_at_something(prometheus: Prometheus) -> None:
    """The sides of every comparison have a series; that they compare as meant is `test_alerts`' affair."""
    empty = [
        (alert, side)
        for alert, rule in ALERTS.items()
        for side in sides(rule["expr"])
        if not prometheus.query(side)
    ]
    assert not empty


def test_a_healthy_run_alerts_nobody(prometheus: Prometheus) -> None:
    """But for the dead letters, which it has."""
    firing = {each["metric"]["alertname"] for each in prometheus.query('ALERTS{alertstate="firing"}')}
    assert firing <= {"ConnectorDeadLetters"}


def sides(expression: str) -> list[str]:
    """What an alert compares and joins, each to be asked for alone, and now."""
    now = expression.replace("offset 30m", "")
    parts = re.split(r"\s(?:==|>|and|unless)\s", now)
    return [part.strip() for part in parts if not re.fullmatch(r"[\d.]+", part.strip())]


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("max(a) == 1", ["max(a)"]),
        ("sum(a) > 0 unless sum(rate(b[1m])) > 0", ["sum(a)", "sum(rate(b[1m]))"]),
        ("max(a) > 0.7 * max(b)", ["max(a)", "0.7 * max(b)"]),
    ],
)
def test_sides(expression: str, parts: list[str]) -> None:
    """As the test above needs them."""
    assert sides(expression) == parts
