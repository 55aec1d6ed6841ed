"""Which right is missing, where Kafka says that one is: its words seldom tell on what, and never which.

Decides only: no broker, no clock.
"""

from __future__ import annotations

from confluent_kafka import KafkaError


def reading(error: KafkaError, group_id: str) -> str:
    """Kafka's words about reading a topic, as a member of this group or not."""
    match error.code():
        case KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return _and_so(error, "the user needs Read on the topic")
        case KafkaError.GROUP_AUTHORIZATION_FAILED:
            return _and_so(error, f"the user needs Read on the group {group_id}")
    return error.str()


def asking(error: KafkaError) -> str:
    """Kafka's words about a topic's settings."""
    if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return _and_so(error, "the user needs DescribeConfigs on the topic")
    return error.str()


def writing(error: KafkaError, topic: str) -> str:
    """Kafka's words about writing to a topic. Whoever may write to none is told so of the cluster, where each
    writer is given a number before anything is written."""
    match error.code():
        case KafkaError.TOPIC_AUTHORIZATION_FAILED | KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            return _and_so(error, f"the user needs Write on the topic {topic}")
    return f"{topic}: {error.str()}"


def _and_so(error: KafkaError, needs: str) -> str:
    return f"{error.str().rstrip('.')}: {needs}"
