"""Every alert fires on its fault, with what else it should and nothing more, and none on a healthy day.

Proved with promtool on made-up series, a sample a minute, of two replicas.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.model.outcome import HALT_REASONS
from tests.conftest import launched
from tests.monitoring.prometheus import RULES, tool

ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}
LENGTH_MIN = 120
WHERE = 'namespace="shop",destination="topsort"'
FOR_EVER = "x120"

HEALTHY: Mapping[str, str] = {
    'build_info{version="1"}': f"1{FOR_EVER}",
    **{f'halted{{reason="{reason}"}}': f"0{FOR_EVER}" for reason in HALT_REASONS},
    "breaker_state{}": "0x40 2x1 1x1 0x100",
    "kafka_up{}": f"1{FOR_EVER}",
    'consumer_lag{topic="orders",partition="0"}': f"40{FOR_EVER}",
    'oldest_unsettled_seconds{topic="orders",partition="0"}': f"1{FOR_EVER}",
    'topic_retention_seconds{topic="orders"}': f"604800{FOR_EVER}",
    'records_settled_total{topic="orders",outcome="delivered",reason=""}': f"0+6000{FOR_EVER}",
    "stalled_partitions{}": f"0{FOR_EVER}",
    "in_flight_bytes{}": f"1000000{FOR_EVER}",
    "in_flight_bytes_limit{}": f"200000000{FOR_EVER}",
    'dead_letter_writes_total{result="ok"}': f"0{FOR_EVER}",
    'dead_letter_writes_total{result="failed"}': f"0{FOR_EVER}",
    'requests_total{verdict="delivered",status="204"}': f"0+200{FOR_EVER}",
    'requests_total{verdict="retry",status="503"}': f"0+4{FOR_EVER}",
    'requests_total{verdict="retry",status="429"}': f"0+50{FOR_EVER}",
    'commits_total{result="ok"}': f"0+60{FOR_EVER}",
    'commits_total{result="failed"}': f"0+1{FOR_EVER}",
    'rebalances_total{kind="assigned"}': f"1{FOR_EVER}",
    'rebalances_total{kind="revoked"}': f"0{FOR_EVER}",
    'rebalances_total{kind="lost"}': f"0{FOR_EVER}",
    'schema_registry_requests_total{result="ok"}': f"4{FOR_EVER}",
    'schema_registry_requests_total{result="failed"}': f"0{FOR_EVER}",
}
"""A busy day: now and then a failed request, a commit that a rebalance refused, a pause the vendor asks for,
and two minutes in which it was away."""

IDLE = {
    'consumer_lag{topic="orders",partition="0"}': f"0{FOR_EVER}",
    'oldest_unsettled_seconds{topic="orders",partition="0"}': f"0{FOR_EVER}",
    'records_settled_total{topic="orders",outcome="delivered",reason=""}': f"500{FOR_EVER}",
    'requests_total{verdict="delivered",status="204"}': f"20{FOR_EVER}",
    'requests_total{verdict="retry",status="503"}': f"1{FOR_EVER}",
    'requests_total{verdict="retry",status="429"}': f"0{FOR_EVER}",
    'commits_total{result="ok"}': f"10{FOR_EVER}",
    'commits_total{result="failed"}': f"0{FOR_EVER}",
}
OF_A_PARTITION = (
    'consumer_lag{topic="orders",partition="0"}',
    'oldest_unsettled_seconds{topic="orders",partition="0"}',
)
NOTHING_SETTLES = {
    'records_settled_total{topic="orders",outcome="delivered",reason=""}': "0+6000x60 360000x60"
}
BEHIND = {'oldest_unsettled_seconds{topic="orders",partition="0"}': f"700+30{FOR_EVER}"}


def halted(reason: str) -> dict[str, str]:
    return {f'halted{{reason="{reason}"}}': "0x60 1x60"}


FAULTS: Mapping[str, tuple[Mapping[str, str], int, Iterable[str]]] = {
    "ConnectorCredentialRefused": (halted("auth"), 64, ()),
    "ConnectorFlood": (halted("dead_letter_flood"), 62, ()),
    "ConnectorOffsetLost": (halted("offset_lost"), 62, ()),
    "ConnectorHalted": (halted("not_found"), 64, ()),
    "ConnectorBreakerOpen": ({"breaker_state{}": "0x60 2x3 1 2x3 1 2x3 1 2x60"}, 68, ()),
    "ConnectorNotDelivering": (NOTHING_SETTLES, 85, ()),
    "ConnectorNoPartition": (dict.fromkeys(OF_A_PARTITION, "1x60 stale"), 67, ()),
    "ConnectorGone": (dict.fromkeys(HEALTHY, "1x60 stale"), 68, ()),
    "ConnectorLagGrowing": (BEHIND, 60, ()),
    "ConnectorRetentionNear": (
        {'oldest_unsettled_seconds{topic="orders",partition="0"}': f"430000-1{FOR_EVER}"},
        60,
        (),
    ),
    "ConnectorPartitionStalled": ({"stalled_partitions{}": "0x60 1x60"}, 71, ()),
    "ConnectorBudgetFull": ({"in_flight_bytes{}": "0x30 199000000 152000000 199000000x80"}, 70, ()),
    "ConnectorDeadLetters": ({'dead_letter_writes_total{result="ok"}': "0x60 1x60"}, 63, ()),
    "ConnectorVendorErrors": ({'requests_total{verdict="retry",status="503"}': f"0+40{FOR_EVER}"}, 60, ()),
    "ConnectorKafkaUnreachable": ({"kafka_up{}": "1x60 0x60"}, 64, ()),
    "ConnectorDeadLetterTopicFailing": (
        {'dead_letter_writes_total{result="failed"}': "0x60 0+10x60"},
        65,
        (),
    ),
    "ConnectorCommitFailing": ({'commits_total{result="failed"}': f"0+90{FOR_EVER}"}, 60, ()),
    "ConnectorRebalancing": ({'rebalances_total{kind="lost"}': "0x40 0+1x80"}, 70, ()),
    "ConnectorRegistryFailing": (
        {'schema_registry_requests_total{result="failed"}': "0x40 0+2x80"},
        60,
        (),
    ),
}
"""What goes wrong, in the minute in which its alert must fire, and what else fires then."""


@pytest.fixture(scope="module")
def promtool() -> Path:
    return launched(lambda: tool("promtool"))


def scenario(
    promtool: Path, folder: Path, series: Mapping[str, str], expected: Mapping[int, Iterable[str]]
) -> str:
    """What promtool finds wrong: at each minute these alerts must fire and no other. Empty if it is so."""
    rules = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": _of(name, pod), "values": values}
                    for name, values in series.items()
                    for pod in ("a", "b")
                ],
                "promql_expr_test": [
                    {
                        "expr": 'count by (alertname, namespace, destination) (ALERTS{alertstate="firing"})',
                        "eval_time": f"{minute}m",
                        "exp_samples": [
                            {"labels": f'{{alertname="{name}",{WHERE}}}', "value": 1}
                            for name in sorted(names)
                        ],
                    }
                    for minute, names in expected.items()
                ],
            }
        ],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump(rules))
    ended = subprocess.run(
        [promtool, "test", "rules", file],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode == 0) is ("SUCCESS" in ended.stdout)
    return "" if ended.returncode == 0 else ended.stdout


def _of(name: str, pod: str) -> str:
    """`halted{reason="auth"}` as the series of one replica."""
    name, _, labels = name.partition("{")
    return f'connector_{name}{{{WHERE},pod="{pod}"' + ("," if labels != "}" else "") + labels


# ── they fire, and they do not ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("alert", FAULTS)
def test_every_alert_fires_on_its_fault_and_alone(promtool: Path, tmp_path: Path, alert: str) -> None:
    """Only the series of the fault differ from a healthy day, so nothing else can be what it fires on."""
    changed, minute, others = FAULTS[alert]
    assert changed.keys() <= HEALTHY.keys()
    assert not scenario(promtool, tmp_path, {**HEALTHY, **changed}, {minute: {alert, *others}})


@pytest.mark.parametrize("day", [{}, IDLE], ids=["busy", "idle"])
def test_none_fires_on_a_healthy_day(promtool: Path, tmp_path: Path, day: Mapping[str, str]) -> None:
    """Whatever the minute."""
    never: dict[int, Iterable[str]] = dict.fromkeys(range(0, LENGTH_MIN, 2), ())
    assert not scenario(promtool, tmp_path, {**HEALTHY, **day}, never)


def test_a_vendor_that_is_down_is_first_a_warning_and_then_nothing_is_delivered(
    promtool: Path, tmp_path: Path
) -> None:
    """Twenty minutes without any delivery need a person; five may not."""
    down = {**HEALTHY, **NOTHING_SETTLES, **BEHIND, "breaker_state{}": "0x60 2x3 1 2x3 1 2x60"}
    expected = {
        59: {"ConnectorLagGrowing"},
        68: {"ConnectorLagGrowing", "ConnectorBreakerOpen"},
        90: {"ConnectorLagGrowing", "ConnectorBreakerOpen", "ConnectorNotDelivering"},
    }
    assert not scenario(promtool, tmp_path, down, expected)


def test_a_vendor_that_is_down_is_not_told_twice(promtool: Path, tmp_path: Path) -> None:
    """Every request is a probe then and fails; the alert about errors is for where others pass."""
    down = {
        **HEALTHY,
        "breaker_state{}": "0x30 2x3 1 2x3 1 2x100",
        'requests_total{verdict="delivered",status="204"}': "0+200x30 6000x100",
        'requests_total{verdict="retry",status="503"}': "0+4x30 120+20x100",
    }
    assert not scenario(
        promtool, tmp_path, down, {60: {"ConnectorBreakerOpen"}, 90: {"ConnectorBreakerOpen"}}
    )


def test_a_vendor_that_comes_and_goes_is_told_of(promtool: Path, tmp_path: Path) -> None:
    """Four minutes away, four there, again and again: too short for the alert about the breaker, and so no
    reason to be silent about the errors."""
    flapping = {
        **HEALTHY,
        "breaker_state{}": "0x29 " + "2x3 0x3 " * 12,
        'requests_total{verdict="retry",status="503"}': "0+4x29 " + f"120+60{FOR_EVER}",
    }
    assert not scenario(
        promtool, tmp_path, flapping, {50: {"ConnectorVendorErrors"}, 100: {"ConnectorVendorErrors"}}
    )


def test_a_kafka_that_is_away_is_told_once(promtool: Path, tmp_path: Path) -> None:
    """Out of the group no replica knows of a partition, which is no news then, nor while they join again."""
    away = {
        **HEALTHY,
        **dict.fromkeys(OF_A_PARTITION, "1x60 stale _x43 1x16"),
        "kafka_up{}": "1x59 0x40 1x20",
    }
    only = {minute: {"ConnectorKafkaUnreachable"} for minute in range(64, 100, 2)}
    assert not scenario(promtool, tmp_path, away, {**only, 102: (), 104: (), 110: ()})


def test_a_rollout_disturbs_nobody(promtool: Path, tmp_path: Path) -> None:
    """Every replica leaves and another comes: a few revocations each."""
    rollout = {'rebalances_total{kind="revoked"}': "0x60 0+2x5 10x55"}
    never: dict[int, Iterable[str]] = dict.fromkeys(range(0, LENGTH_MIN, 2), ())
    assert not scenario(promtool, tmp_path, {**HEALTHY, **rollout}, never)


def test_the_test_would_notice(promtool: Path, tmp_path: Path) -> None:
    """An alert that fires unexpectedly, or does not, is told."""
    assert "ConnectorFlood" in scenario(
        promtool, tmp_path, {**HEALTHY, **halted("dead_letter_flood")}, {70: ()}
    )
    assert "ConnectorFlood" in scenario(promtool, tmp_path, HEALTHY, {70: {"ConnectorFlood"}})


# ── their words ──────────────────────────────────────────────────────────────────────────────────


def test_every_alert_has_its_fault_here() -> None:
    """A new alert comes with its proof."""
    assert ALERTS.keys() == FAULTS.keys()


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_a_person_needs(alert: str) -> None:
    """How bad, what, and where to read on."""
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("warning", "critical")
    words = rule["annotations"]
    assert set(words) == {"summary", "description", "runbook_url"}
    assert "$labels.destination" in words["summary"]
    assert words["runbook_url"] == f"docs/runbooks.md#{alert.lower()}"
    assert not re.search(r"\$labels\.(?!destination|topic|reason)", words["summary"] + words["description"])


def test_promtool_finds_nothing_to_say(promtool: Path) -> None:
    """The file is one Prometheus takes."""
    assert (
        subprocess.run(
            [promtool, "check", "rules", RULES], capture_output=True, timeout=60, check=False
        ).returncode
        == 0
    )
