"""P1, P2, P7: nothing is lost through kill -9, a vendor in trouble and poison."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.broker.launcher.brokers import Broker
from tests.chaos.rig import wait_until
from tests.chaos.scene import Records, Scene, sample_traffic

EVENTS = 100_000
FAULTS = "503:0.05,429:burst=4/250:retry_after=1"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_in_the_middle_and_restarted_every_good_event_arrives_and_only_poison_is_a_dead_letter(
    real_broker: Broker, schema_registry_url: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """100,000 events in two topics (Avro and JSON), 5 % 503, bursts of 429, 0.1 % poison of each kind, `kill
    -9` in the middle: what arrived, what was dead-lettered and what is committed are exactly what must be."""
    records = Records(real_broker, schema_registry_url, unique, sample_traffic(EVENTS))
    scene = Scene(records, unique, tmp_path, faults=FAULTS)
    with scene:
        with scene.connector("first") as first:
            wait_until(lambda: first.settled() > EVENTS * 0.4, "40 % are settled", 120)
            first.kill()
        with scene.connector("second") as second:
            wait_until(lambda: scene.lag() == 0, "everything is committed", 240, every_s=0.5)
            assert second.stop() == 0
        missing, unexpected = scene.missing_and_unexpected()
        assert not missing
        assert not unexpected
        assert scene.dead_letters() == scene.dead_letters_due()
        assert scene.lag() == 0
        assert scene.faults()["503"] > 20
        assert scene.faults()["429"] >= 8
