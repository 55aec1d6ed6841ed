"""A shop for stories about dead letters and replays: its topic, its vendor, and its operator's commands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition

from connector.kafka.inspect import Cluster
from connector.model.coordinate import Coordinate
from connector.sandbox import SandboxServer, SandboxThread
from connector.vendors.topsort import Topsort
from connector.vendors.topsort.settings import TopsortOptions
from tests.broker.launcher.brokers import Broker
from tests.chaos.rig import ConnectorProcess, wait_until
from tests.cli.commandline import Ended, connector
from tests.letters import letter, write

Unique = Callable[[str], str]
PATIENCE_S = 30.0

SMALL, LARGE = 1_024, 900_000
"""The option that is wrong, and what it should have been: `max_bytes`."""

Event = dict[str, Any]


def click(number: int, path: str = "/search") -> Event:
    """One item, with the event's own id."""
    return {
        "event_id": f"00000000-0000-4000-8000-{number:012d}",
        "event_type": "click",
        "occurred_at": time.time_ns() // 1_000_000,
        "channel": "web",
        "user": {"opaque_id": "visitor-1"},
        "items": [{"product_id": f"p-{number}"}],
        "placement": {"path": path},
    }


def impression(number: int, items: int) -> Event:
    """So many items, each with an id of its own."""
    products = [{"product_id": f"p-{number}-{n}"} for n in range(items)]
    return {**click(number), "event_type": "impression", "items": products}


class Shop:
    """A topic, its dead letters, a vendor, and one configuration for all commands."""

    def __init__(self, broker: Broker, unique: Unique, folder: Path, latency_s: float = 0.0) -> None:
        self.broker = broker
        self.topic, self.letters = unique("clickstream"), unique("dead-letter")
        self.group_id = unique("group")
        self.folder = folder
        broker.create_topic(self.topic, 2)
        broker.create_topic(self.letters, 3)
        options = TopsortOptions.model_validate({"currency": "EUR"})
        self.vendor = SandboxThread(lambda: SandboxServer.of(Topsort, options, latency_s=latency_s))
        self._partition = 0

    def settings(self, max_bytes: int = LARGE, **changes: dict[str, Any]) -> dict[str, Any]:
        """The configuration, with this option and these changes to its sections."""
        settings: dict[str, Any] = {
            "destination": {
                "name": "topsort",
                "url": self.vendor.url,
                "api_key": "tse-s3cret-key",
                "options": {"currency": "EUR", "max_bytes": max_bytes},
            },
            "source": {
                "topics": [self.topic],
                "group_id": self.group_id,
                "properties": {"bootstrap.servers": self.broker.bootstrap},
            },
            "dead_letter": {"topic": self.letters, "flood_ratio": 1},
            "http": {"host": "127.0.0.1", "port": 0},
        }
        for section, values in changes.items():
            settings[section] = {**settings.get(section, {}), **values}
        return settings

    def write_letters(self, *values: Event | bytes, destination: str = "topsort", group_id: str = "") -> None:
        """Letters as if the live connector had written them, spread over the topic's partitions."""
        for partition in range(3):
            write(
                self.broker.bootstrap,
                self.letters,
                (
                    msgspec.structs.replace(
                        letter(
                            Coordinate(self.topic, 0, offset),
                            failed_at_ms=offset,
                            value=self.body(value),
                            destination=destination,
                            group_id=group_id or self.group_id,
                        ),
                        partition=partition,
                    )
                    for offset, value in enumerate(values)
                    if offset % 3 == partition
                ),
            )

    @staticmethod
    def body(value: Event | bytes) -> bytes:
        """As it stands in the topic."""
        return value if isinstance(value, bytes) else msgspec.json.encode(value)

    def write(self, *values: Event | bytes) -> list[str]:
        """Records in Kafka, acknowledged, alternately in both partitions; their coordinates."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        places: list[str] = []
        for value in values:
            producer.produce(
                self.topic,
                self.body(value),
                b"key",
                partition=self._partition,
                headers=[("trace", b"t-1")],
                on_delivery=lambda _, message: places.append(
                    f"{message.topic()}:{message.partition()}:{message.offset()}"
                ),
            )
            self._partition = 1 - self._partition
            assert producer.flush(PATIENCE_S) == 0
        return places

    def carry(self, records: int, max_bytes: int = LARGE) -> None:
        """The live connector, until so many records are settled; then it is stopped."""
        with ConnectorProcess(self.folder, self.settings(max_bytes)) as live:
            wait_until(lambda: live.settled() >= records, f"{records} settled", PATIENCE_S, tell=live.status)
            assert live.stop() == 0

    def run(self, *arguments: str, max_bytes: int = LARGE, **changes: dict[str, Any]) -> Ended:
        """One of the connector's commands with the shop's configuration."""
        file = self.folder / "shop.yaml"
        file.write_text(yaml.safe_dump(self.settings(max_bytes, **changes)))
        verb = 2 if arguments[0] == "dlq" else 1
        return connector(*arguments[:verb], "-c", str(file), *arguments[verb:])

    def open(self) -> dict[str, dict[str, Any]]:
        """What `dlq list` says is open."""
        ended = self.run("dlq", "list", "--json")
        assert ended.code == 0, ended.err
        return {facts["record"]: facts for facts in map(json.loads, ended.out.splitlines())}

    def accepted(self) -> dict[str, int]:
        """How often the vendor took each id."""
        ids: dict[str, int] = self.vendor.snapshot()["accepted"]["ids"]  # type: ignore[index]  # a ledger's
        return ids

    def markers(self) -> list[str]:
        """The records whose letters are marked as resolved, a marker each."""
        with Cluster({"bootstrap.servers": self.broker.bootstrap}, "reader", 15) as cluster:
            found = []
            for stored in cluster.records(self.letters):
                resolves = dict(stored.headers).get("connector.resolves")
                if resolves is not None:
                    assert stored.value is None
                    found.append(resolves.decode())
            return found

    def committed(self) -> list[int]:
        """The live group's offsets."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self.group_id})
        places = [TopicPartition(self.topic, number) for number in range(2)]
        found = [place.offset for place in consumer.committed(places, timeout=PATIENCE_S)]
        consumer.close()
        return found
