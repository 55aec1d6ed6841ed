"""One face for every broker, so that the same test body runs on the embedded and on the real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from connector.kafka.embedded import EmbeddedKafka
from tests.broker.launcher.admin import Admin


class Broker(Protocol):
    """A Kafka that a test may use. Topics must be created; the test names them with the fixture `unique`."""

    @property
    def kind(self) -> Literal["mock", "real"]:
        """Which it is, for the few tests that must know."""

    @property
    def bootstrap(self) -> str:
        """`bootstrap.servers` for clients."""

    def create_topic(self, name: str, partitions: int = 4, config: Mapping[str, str] | None = None) -> None:
        """Create a topic; when it returns, the first produce just works."""

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete a partition's records below an offset, as retention would."""

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset that the next record of each partition will get."""


class MockBroker:
    """The embedded Kafka as a `Broker`; `kafka` has its faults."""

    kind: Literal["mock"] = "mock"

    def __init__(self, kafka: EmbeddedKafka) -> None:
        self.kafka = kafka
        self.bootstrap = kafka.bootstrap
        self._admin = Admin(kafka.bootstrap)

    def create_topic(self, name: str, partitions: int = 4, config: Mapping[str, str] | None = None) -> None:
        """Create a topic. It has no settings here, so a test that needs one is refused, not misled."""
        if config:
            raise ValueError(
                f"the embedded Kafka knows no topic settings ({', '.join(config)}): use real_broker"
            )
        self.kafka.create_topic(name, partitions)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete a partition's records below an offset."""
        self.kafka.delete_records(topic, partition, before)

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset that the next record of each partition will get."""
        return self._admin.end_offsets(topic)


class ExistingBroker:
    """A broker somebody else runs, named by `KAFKA_BOOTSTRAP`. Tests cannot kill or protect it."""

    kind: Literal["real"] = "real"

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = Admin(bootstrap)

    def create_topic(self, name: str, partitions: int = 4, config: Mapping[str, str] | None = None) -> None:
        """Create a topic without replicas and wait until it can be used."""
        self._admin.create_topic(name, partitions, 1, config or {})

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete a partition's records below an offset."""
        self._admin.delete_records(topic, partition, before)

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset that the next record of each partition will get."""
        return self._admin.end_offsets(topic)
