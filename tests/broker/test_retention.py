"""How long Kafka keeps the records of a topic: by a real broker, and in what a running connector shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connector.kafka import retention
from tests.app_rig import Stage
from tests.broker.launcher.brokers import Broker

Unique = Callable[[str], str]


def test_a_real_broker_tells_of_each_topic_what_is_so(real_broker: Broker, unique: Unique) -> None:
    """The topic's own setting, or the broker's default; of one that is not there nothing is told."""
    day, ever, compacted, default = (unique(name) for name in ("day", "ever", "compacted", "default"))
    real_broker.create_topic(day, 1, {"retention.ms": "86400000"})
    real_broker.create_topic(ever, 1, {"retention.ms": "-1"})
    real_broker.create_topic(compacted, 1, {"cleanup.policy": "compact"})
    real_broker.create_topic(default, 1)
    found = retention.ask(
        {"bootstrap.servers": real_broker.bootstrap}, [day, ever, compacted, default, unique("missing")], 20
    )
    week_s = 168 * 3600  # Kafka's own default, log.retention.hours
    assert found == {day: 86_400, ever: None, compacted: None, default: week_s}


async def test_it_is_among_the_metrics_while_the_topic_is_ours(
    real_broker: Broker, unique: Unique, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the age of the oldest open record, with the same labels, so that an alert can compare them."""
    monkeypatch.setattr(retention, "LOOK_EVERY_S", 0.1)
    async with Stage(real_broker, unique, tmp_path) as stage:
        shown = f'connector_topic_retention_seconds{{destination="topsort",topic="{stage.topic}"}} 604800.0'
        await stage.until(lambda: shown in stage.app.telemetry.exposition().decode(), "the metric")
