"""P1, P2, P10: members come and go, politely or not, and nothing is lost; politely, nothing is repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.broker.launcher.brokers import Broker
from tests.chaos.rig import wait_until
from tests.chaos.scene import Records, Scene, sample_traffic

EVENTS = 100_000
FAULTS = "503:0.05,429:burst=4/250:retry_after=1"
"""No fault that stores and fails: what the vendor holds twice here, we sent twice."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("farewell", ["stopped", "killed"])
def test_a_member_that_joins_and_leaves_costs_no_event(
    farewell: str,
    real_broker: Broker,
    schema_registry_url: str,
    unique: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """A second member takes partitions over and leaves during a run with faults and poison. Nothing is
    missing; if it was stopped, every id is at the vendor exactly as often as it was produced."""
    records = Records(real_broker, schema_registry_url, unique, sample_traffic(EVENTS))
    scene = Scene(records, unique, tmp_path, faults=FAULTS, latency_s=0.02)
    paced = {"max_in_flight": 8}
    with scene, scene.connector("first", delivery=paced) as first:
        wait_until(lambda: first.settled() > EVENTS * 0.05, "the first works", 60)
        with scene.connector("second", delivery=paced) as second:
            wait_until(lambda: second.settled() > EVENTS * 0.05, "the second took over and works", 60)
            assert first.partitions().isdisjoint(second.partitions())
            if farewell == "killed":
                second.kill()
            else:
                assert second.stop() == 0
        wait_until(lambda: scene.lag() == 0, "everything is committed", 180, 0.5, first.status)
        assert first.stop() == 0
        missing, unexpected = scene.missing_and_unexpected()
        assert not missing
        assert not unexpected
        assert scene.dead_letters() == scene.dead_letters_due()
        if farewell == "stopped":
            produced = Counter(each for _, must in scene.records for each in must.ids)
            assert scene.accepted() == dict(produced)
