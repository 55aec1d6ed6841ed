"""Kafka is killed and comes back: what the one on call reads of it meanwhile, in the log and in `/status`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.sandbox import SandboxServer, SandboxThread
from connector.traffic import Planned
from connector.vendors.topsort import Topsort
from connector.vendors.topsort.settings import TopsortOptions
from tests.app_rig import click
from tests.broker.launcher.kafka import KafkaCluster
from tests.chaos.rig import ConnectorProcess, produce, wait_until

KAFKA_LINES_MAX = 8
"""Of Kafka's client until Kafka is back: a connection that ended, one that is refused, all brokers down, a
session that timed out. Without `ops.kafka_lines` there are hundreds in ten seconds."""


@pytest.mark.slow
def test_an_outage_is_a_few_lines_and_what_is_not_known_is_said_to_be(
    own_broker: KafkaCluster, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """Each cause once, ours among them; lag with its age, then nothing that claims to be done; the way back
    into the group with how long it may take, and then everything that came meanwhile."""
    topic, dead_letter_topic = unique("clickstream"), unique("dead-letter")
    own_broker.create_topic(topic, 1)
    own_broker.create_topic(dead_letter_topic, 1)
    options = {"currency": "EUR"}

    def write(first: int) -> None:
        records = [
            Planned("clickstream", b"%d" % number, msgspec.json.encode(click(number)), "event")
            for number in range(first, first + 100)
        ]
        produce(own_broker.bootstrap, records, {"clickstream": topic, "orders": topic})

    with SandboxThread(lambda: SandboxServer.of(Topsort, TopsortOptions.model_validate(options))) as vendor:
        settings = {
            "destination": {"name": "topsort", "url": vendor.url, "api_key": "a-key", "options": options},
            "source": {
                "topics": [topic],
                "group_id": unique("group"),
                "format": "json",
                "properties": {"bootstrap.servers": own_broker.bootstrap, "session.timeout.ms": "8000"},
            },
            "dead_letter": {"topic": dead_letter_topic},
            "http": {"host": "127.0.0.1", "port": 0},
        }
        write(0)
        with ConnectorProcess(tmp_path, settings) as connector:

            def until(holds: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
                seen: list[dict[str, Any]] = []

                def look() -> bool:
                    facts = connector.status()
                    seen[:] = [facts]
                    return bool(facts) and holds(facts)

                wait_until(look, what, 60, tell=connector.status)
                return seen[0]

            until(lambda facts: connector.settled() == 100, "the first records")
            until(lambda facts: facts["partitions"][0]["lag"] == 0, "the lag")
            own_broker.kill()
            silent = until(lambda facts: facts["kafka_silent_s"] is not None, "the silence")
            assert silent["told"].startswith("Kafka has not answered for")
            assert silent["in_group"], "a broker may restart"
            assert silent["partitions"][0]["oldest_unsettled_s"] > 0
            out = until(lambda facts: not facts["in_group"], "the end of the session")
            assert out["no_partitions"].startswith("Not known: Kafka has not answered for")
            lines = [json.loads(line) for line in connector.log.read_text().splitlines()]
            own_broker.start()
            write(100)
            joins = until(lambda facts: facts["kafka_silent_s"] is None, "its answer")
            assert joins["waits_on"] in (
                None,
                "joining the group: up to the session timeout (8 s), else the log says what is amiss",
            )
            until(lambda facts: connector.settled() == 200, "the records that came meanwhile")
            assert until(lambda facts: facts["in_group"], "the group")["no_partitions"] is None
            assert connector.stop() == 0
            after = [json.loads(line) for line in connector.log.read_text().splitlines()]
    client = [line["event"] for line in lines if line["logger"] == "connector.kafka"]
    assert any("Connection refused" in each for each in client)
    assert len(client) <= KAFKA_LINES_MAX, client
    ours = [line["event"] for line in after if line["logger"] == "connector"]
    told = [each for each in ours if each.startswith("kafka_")]
    assert told[:2] == ["kafka_unreachable", "kafka_reachable"]
    counted = [
        line["left_out"] for line in after if "Connection refused" in line["event"] and "left_out" in line
    ]
    assert sum(counted) > 20, "what was left out is told at the latest with the stop"
