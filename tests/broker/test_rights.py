"""What a user may do in Kafka: what is enough, and what is said where a right is missing."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Producer

from connector.kafka.inspect import Cluster
from connector.model.coordinate import Coordinate
from tests.broker.launcher.admin import Right
from tests.broker.launcher.kafka import KafkaCluster

Unique = Callable[[str], str]

ANSWER_S = 5.0


def written(kafka: KafkaCluster, topic: str, *values: bytes) -> None:
    """By somebody else, into partition 0."""
    producer = Producer({"bootstrap.servers": kafka.admin_bootstrap, "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(ANSWER_S) == 0


def test_reading_outside_of_a_group_needs_no_right_to_one(
    guarded_broker: KafkaCluster, unique: Unique
) -> None:
    """A consumer asks for its group's coordinator all the same, and hears a no among the records."""
    topic = unique("orders")
    guarded_broker.create_topic(topic, 2)
    guarded_broker.allow(Right("TOPIC", topic, "READ"))
    written(guarded_broker, topic, b"1", b"2")
    with Cluster(guarded_broker.client_properties(), "nobodys", ANSWER_S) as cluster:
        newest = cluster.newest(topic, 0)
        assert (newest is not None, newest and newest.value) == (True, b"2")
        assert [each.value for each in cluster.records(topic)] == [b"1", b"2"]
        found = cluster.record(Coordinate(topic, 0, 0))
        assert (found is not None, found and found.value) == (True, b"1")
