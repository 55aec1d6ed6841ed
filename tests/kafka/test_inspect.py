"""Looking at a cluster, on the embedded broker and on Apache Kafka."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from connector.kafka.embedded import Api, EmbeddedKafka, Failure
from connector.kafka.inspect import Cluster, ClusterError, Stored
from connector.model.coordinate import Coordinate
from tests.broker.launcher.brokers import Broker, MockBroker
from tests.broker.launcher.kafka import KafkaCluster
from tests.broker.launcher.process import wait_for

Unique = Callable[[str], str]

ANSWER_S = 15.0


def at(bootstrap: str, group_id: str = "inspected") -> Cluster:
    return Cluster({"bootstrap.servers": bootstrap}, group_id, ANSWER_S)


def test_topics_are_told_with_their_partitions(broker: Broker, unique: Unique) -> None:
    """And asking creates none."""
    topic, nothing = unique("orders"), unique("nothing")
    broker.create_topic(topic, 3)
    with at(broker.bootstrap) as cluster:
        assert cluster.topics()[topic] == 3
        assert nothing not in cluster.topics()


def test_a_groups_offsets_are_told_and_joining_is_not_needed(broker: Broker, unique: Unique) -> None:
    """None where the group has none, so that `start_from: fail` can be judged before the start."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, 2)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, 1, 42)], asynchronous=False)
    consumer.close()
    with at(broker.bootstrap, group) as cluster:
        assert cluster.committed([(topic, 2)]) == [None, 42]


@pytest.mark.parametrize(
    "failure",
    [Failure.NOT_COORDINATOR, Failure.COORDINATOR_LOAD_IN_PROGRESS, Failure.BROKEN_CONNECTION],
    ids=lambda failure: failure.name,
)
def test_a_groups_offsets_are_asked_for_again_where_a_coordinator_is_not_ready(
    failure: Failure, mock_broker: MockBroker, unique: Unique
) -> None:
    """As on a Kafka that never had a group: the first command that one tries on it is a check."""
    topic = unique("orders")
    mock_broker.create_topic(topic, 1)
    mock_broker.kafka.fail_requests(Api.OFFSET_FETCH, [failure, failure])
    with at(mock_broker.bootstrap, unique("group")) as cluster:
        assert cluster.committed([(topic, 1)]) == [None]


def test_a_groups_offsets_that_nobody_tells_are_waited_for_no_longer_than_asked(unique: Unique) -> None:
    """And said to be late, in words."""
    with EmbeddedKafka() as kafka:
        topic = unique("orders")
        kafka.create_topic(topic, 1)
        with Cluster({"bootstrap.servers": kafka.bootstrap}, "late", 1.5) as cluster:
            cluster.topics()
            kafka.broker_down(1)
            with pytest.raises(ClusterError, match="group late: no answer in time"):
                cluster.committed([(topic, 1)])


@pytest.mark.broker
@pytest.mark.parametrize("policy", ["delete", "compact", "compact,delete"])
def test_a_topics_setting_is_told(policy: str, real_broker: Broker, unique: Unique) -> None:
    """As Kafka has it: `check` refuses a compacted dead-letter topic by it."""
    topic = unique("letters")
    real_broker.create_topic(topic, 1, {"cleanup.policy": policy})
    with at(real_broker.bootstrap) as cluster:
        assert set(cluster.topic_setting(topic, "cleanup.policy").split(",")) == set(policy.split(","))
        with pytest.raises(ClusterError):
            cluster.topic_setting(unique("nothing"), "cleanup.policy")


@pytest.mark.broker
def test_a_wrong_password_is_called_that(secure_broker: KafkaCluster) -> None:
    """librdkafka's call says only "transport failure"; its error callback knows better."""
    properties = secure_broker.client_properties()
    with Cluster(properties, "inspected", ANSWER_S) as cluster:
        cluster.topics()
    with Cluster(properties | {"sasl.password": "wrong"}, "inspected", 5.0) as cluster:
        with pytest.raises(ClusterError, match=r"(?i)authentication") as caught:
            cluster.topics()
        assert properties["sasl.password"] not in str(caught.value)


def test_a_topics_records_are_read_completely_and_in_order(broker: Broker, unique: Unique) -> None:
    """Each partition's, with value and headers; empty partitions and another topic before it do no harm."""
    first, second = unique("first"), unique("second")
    broker.create_topic(first, 3)
    broker.create_topic(second, 6)
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number in range(2_000):
        value = b"%d" % number if number % 7 else None
        producer.produce(second, value, partition=number % 3, headers=[("n", b"%d" % number)])
    producer.produce(first, b"x", partition=1)
    producer.flush(ANSWER_S)
    with at(broker.bootstrap) as cluster:
        assert [each.value for each in cluster.records(first)] == [b"x"]
        found = [*cluster.records(second)]
    assert len(found) == 2_000
    for partition in range(3):
        own = [each for each in found if each.partition == partition]
        assert [each.offset for each in own] == [*range(len(own))]
        assert [each.headers for each in own] == [
            (("n", b"%d" % number),) for number in range(partition, 2_000, 3)
        ]
        assert [each.value for each in own] == [
            b"%d" % number if number % 7 else None for number in range(partition, 2_000, 3)
        ]


def test_one_record_is_read_where_it_stands(broker: Broker, unique: Unique) -> None:
    """With key, headers and time; nothing else is read in the place of one that is gone or not there yet."""
    topic = unique("orders")
    broker.create_topic(topic, 2)
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number in range(5):
        producer.produce(topic, b"%d" % number, b"k", partition=1, headers=[("n", None)], timestamp=7_000)
    producer.flush(ANSWER_S)
    broker.delete_records(topic, 1, 2)
    with at(broker.bootstrap) as cluster:
        found = cluster.record(Coordinate(topic, 1, 3))
        assert found == Stored(1, 3, 7_000, b"k", b"3", (("n", None),))
        for offset in (0, 1, 5, 99):
            assert cluster.record(Coordinate(topic, 1, offset)) is None
        assert cluster.record(Coordinate(topic, 0, 0)) is None
        assert [each.offset for each in cluster.records(topic)] == [2, 3, 4]


def test_what_cannot_be_read_is_told_with_its_place(
    mock_broker: MockBroker, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka's client tells of a partition as a whole, without an offset."""
    topic = unique("orders")
    mock_broker.create_topic(topic, 1)
    producer = Producer({"bootstrap.servers": mock_broker.bootstrap})
    producer.produce(topic, b"x")
    producer.flush(ANSWER_S)
    lost = Message(topic=topic, partition=0, error=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with at(mock_broker.bootstrap) as cluster:
        monkeypatch.setattr(cluster, "_some", lambda: [lost])
        for read in (
            lambda: [*cluster.records(topic)],
            lambda: cluster.record(Coordinate(topic, 0, 0)),
            lambda: cluster.newest(topic, 0),
        ):
            with pytest.raises(ClusterError, match=f"{topic}:0.* can't be read: Broker: Topic auth"):
                read()


def test_the_end_of_a_transaction_is_no_record(real_broker: Broker, unique: Unique) -> None:
    """It takes an offset at the end of the topic, and no record will ever come for it."""
    topic = unique("orders")
    real_broker.create_topic(topic, 1)
    producer = Producer({"bootstrap.servers": real_broker.bootstrap, "transactional.id": unique("tx")})
    producer.init_transactions(ANSWER_S)
    producer.begin_transaction()
    producer.produce(topic, b"x")
    producer.commit_transaction(ANSWER_S)
    # Kafka promises the end of the transaction here; it writes it a little later.
    looker = Consumer({"bootstrap.servers": real_broker.bootstrap, "group.id": unique("group")})
    place = TopicPartition(topic, 0)
    wait_for(lambda: looker.get_watermark_offsets(place, ANSWER_S)[1] == 2, "the end of the transaction")
    looker.close()
    with at(real_broker.bootstrap) as cluster:
        assert [each.value for each in cluster.records(topic)] == [b"x"]
        assert cluster.record(Coordinate(topic, 0, 1)) is None
