"""What tests ask of any broker, embedded or real: topics, ends, deletions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, though not by name
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from tests.broker.launcher.process import wait_for

_PATIENCE_S = 20.0


class Right(NamedTuple):
    """One thing that a user may do to a topic or a group: a word of `ResourceType`, its name, and one of
    `AclOperation`."""

    kind: str
    name: str
    operation: str


class Admin:
    """An administrator's connection to a cluster. Every call returns when it is done, or raises."""

    def __init__(self, bootstrap: str) -> None:
        # Kept: futures of a client that is gone never end well (_DESTROY).
        self._client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._reader = Consumer({"bootstrap.servers": bootstrap, "log_level": 0, "group.id": "unused"})

    def create_topic(self, name: str, partitions: int, replicas: int, config: Mapping[str, str]) -> None:
        """Create it, and wait until every partition answers, so that the first produce just works."""
        topic = NewTopic(name, partitions, replicas, config=dict(config))
        _only(self._client.create_topics([topic], operation_timeout=_PATIENCE_S))
        wait_for(lambda: len(self._ends(name)) == partitions, f"topic {name} to be usable", _PATIENCE_S)

    def allow(self, principal: str, rights: Iterable[Right]) -> None:
        """Give a user these rights."""
        for future in self._client.create_acls(
            [AclBinding(*_acl(principal, right)) for right in rights]
        ).values():
            future.result(_PATIENCE_S)

    def forbid(self, principal: str, rights: Iterable[Right]) -> None:
        """Take these rights away again."""
        for future in self._client.delete_acls(
            [AclBindingFilter(*_acl(principal, right)) for right in rights]
        ).values():
            future.result(_PATIENCE_S)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete a partition's records below an offset."""
        _only(self._client.delete_records([TopicPartition(topic, partition, before)]))

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset that the next record of each partition will get. Waits while leaders are moving."""
        return wait_for(lambda: self._ends(topic), f"the ends of {topic}", _PATIENCE_S)

    def committed(self, group_id: str, topic: str) -> dict[int, TopicPartition]:
        """What a group has committed, by partition; offset -1001 is nothing."""
        asked = ConsumerGroupTopicPartitions(
            group_id, [TopicPartition(topic, partition) for partition in self._partitions(topic)]
        )
        answer = _only(self._client.list_consumer_group_offsets([asked]))
        return {place.partition: place for place in answer.topic_partitions}

    def brokers(self) -> set[int]:
        """The ids of the brokers that are part of the cluster now; empty when nobody answers."""
        try:
            return set(self._client.list_topics(timeout=2.0).brokers)
        except KafkaException:
            return set()

    def _partitions(self, topic: str) -> list[int]:
        # By the reader, so that it learns of new leaders.
        return sorted(self._reader.list_topics(topic, timeout=_PATIENCE_S).topics[topic].partitions)

    def _ends(self, topic: str) -> dict[int, int]:
        """The end of every partition; empty as long as one of them has no leader at work."""
        try:
            return {
                partition: self._reader.get_watermark_offsets(TopicPartition(topic, partition), _PATIENCE_S)[
                    1
                ]
                for partition in self._partitions(topic)
            }
        except KafkaException:
            return {}


def _acl(principal: str, right: Right) -> tuple[Any, ...]:
    """From any host, as the client wants it told."""
    return (
        ResourceType[right.kind],
        right.name,
        ResourcePatternType.LITERAL,
        principal,
        "*",
        AclOperation[right.operation],
        AclPermissionType.ALLOW,
    )


def _only(futures: Mapping[Any, Future[Any]]) -> Any:
    """The result of a request for one thing; raises what the broker said."""
    (future,) = futures.values()
    return future.result(_PATIENCE_S)
