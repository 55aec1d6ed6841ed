"""A right that is missing is named, with what it is missing on."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from connector.kafka.rights import reading, writing


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "failed: the user needs Read on the topic"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "failed: the user needs Read on the group g"),
        (KafkaError.REQUEST_TIMED_OUT, "Request timed out"),
    ],
)
def test_reading_names_the_right(code: int, ends: str) -> None:
    """Behind Kafka's own words, which are all there is of anything else."""
    assert reading(KafkaError(code), "g").endswith(ends)


@pytest.mark.parametrize(
    "code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED]
)
def test_writing_names_the_topic_and_the_right(code: int) -> None:
    """Also where Kafka speaks of the cluster: whoever may write to no topic may not begin to."""
    assert writing(KafkaError(code), "dead").endswith("failed: the user needs Write on the topic dead")


def test_whatever_else_keeps_a_write_away_names_the_topic() -> None:
    """Kafka's words are the same for all of them."""
    assert writing(KafkaError(KafkaError.REQUEST_TIMED_OUT), "dead") == "dead: Broker: Request timed out"
