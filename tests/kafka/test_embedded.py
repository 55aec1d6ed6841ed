"""The embedded Kafka does what its methods say, seen by real clients."""

from __future__ import annotations

import _ctypes
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from connector.kafka.embedded import PARTITION_KEEPS_BYTES, Api, EmbeddedKafka, Failure, _library

PATIENCE_S = 20.0
"""How long we wait for what must happen. Nothing waits this long unless the test fails."""


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka() as cluster:
        cluster.create_topic("orders", 1)
        yield cluster


@pytest.fixture
def pair() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(brokers=2) as cluster:
        cluster.create_topic("orders", 1)
        cluster.leader("orders", 0, 2)
        cluster.coordinator("g", 1)
        yield cluster


def producer(kafka: EmbeddedKafka, **more: str | int) -> Producer:
    quick = {
        "linger.ms": 0,
        "retry.backoff.ms": 10,
        "reconnect.backoff.ms": 10,
        "reconnect.backoff.max.ms": 50,
    }
    names = {name.replace("_", "."): value for name, value in more.items()}
    return Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0, **quick, **names})


def produce(kafka: EmbeddedKafka, *values: bytes) -> None:
    client = producer(kafka)
    for value in values:
        client.produce("orders", value, partition=0)
    assert client.flush(PATIENCE_S) == 0


def reader(kafka: EmbeddedKafka) -> Consumer:
    """A member-less consumer at the start of `orders`, partition 0; its group is only where it commits."""
    client = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "log_level": 0,
            "group.id": "g",
            "enable.auto.commit": False,
            "retry.backoff.ms": 10,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
        }
    )
    client.assign([TopicPartition("orders", 0, 0)])
    return client


def commit(client: Consumer, offset: int) -> None:
    (done,) = client.commit(offsets=[TopicPartition("orders", 0, offset)], asynchronous=False)
    if done.error is not None:
        raise KafkaException(done.error)


def failure_of(client: Consumer, offset: int) -> int:
    with pytest.raises(KafkaException) as failed:
        commit(client, offset)
    return int(failed.value.args[0].code())


def test_a_record_comes_back_as_it_was_written(kafka: EmbeddedKafka) -> None:
    """Key, value, headers and time survive, so what the demo shows is what Kafka would do."""
    client = producer(kafka)
    client.produce("orders", b"v", b"k", headers=[("h", b"1"), ("h", b"2")], timestamp=1_700_000_000_123)
    assert client.flush(PATIENCE_S) == 0
    consumer = reader(kafka)
    message = consumer.poll(PATIENCE_S)
    consumer.close()
    assert message is not None
    assert (message.value(), message.key(), message.timestamp()[1]) == (b"v", b"k", 1_700_000_000_123)
    assert message.headers() == [("h", b"1"), ("h", b"2")]


def test_a_topic_has_the_partitions_it_was_created_with(kafka: EmbeddedKafka) -> None:
    """Volume and parallelism are the caller's choice; creating a topic twice is refused, not ignored."""
    kafka.create_topic("clickstream", 7)
    topics = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=PATIENCE_S).topics
    assert len(topics["clickstream"].partitions) == 7
    with pytest.raises(ValueError, match="already exists"):
        kafka.create_topic("clickstream", 7)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_group_forms_at_once(kafka: EmbeddedKafka, protocol: str) -> None:
    """There is no initial rebalance delay (3 s by default), under either group protocol."""
    produce(kafka, b"v")
    client = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": "g",
            "group.protocol": protocol,
            "auto.offset.reset": "earliest",
        }
    )
    client.subscribe(["orders"])
    began = time.monotonic()
    message = client.poll(PATIENCE_S)
    took_s = time.monotonic() - began
    client.close()
    assert message is not None
    assert took_s < 2.5


def test_named_errors_answer_the_next_requests_in_order(kafka: EmbeddedKafka) -> None:
    """A fault hits exactly as many requests as it was given for, and the one after them passes."""
    produce(kafka, b"v")
    consumer = reader(kafka)
    kafka.fail_requests(
        Api.OFFSET_COMMIT, [Failure.REBALANCE_IN_PROGRESS, Failure.NONE, Failure.UNKNOWN_MEMBER_ID]
    )
    assert failure_of(consumer, 1) == KafkaError.REBALANCE_IN_PROGRESS
    commit(consumer, 1)
    assert failure_of(consumer, 1) == KafkaError.UNKNOWN_MEMBER_ID
    commit(consumer, 1)
    (committed,) = consumer.committed([TopicPartition("orders", 0)], timeout=PATIENCE_S)
    consumer.close()
    assert committed.offset == 1


def test_errors_not_yet_given_can_be_forgotten(kafka: EmbeddedKafka) -> None:
    """After `pass_requests` nothing fails any more, however many errors were left."""
    consumer = reader(kafka)
    kafka.fail_requests(Api.OFFSET_COMMIT, [Failure.REBALANCE_IN_PROGRESS] * 5)
    assert failure_of(consumer, 1) == KafkaError.REBALANCE_IN_PROGRESS
    kafka.pass_requests(Api.OFFSET_COMMIT)
    commit(consumer, 1)
    consumer.close()


def test_a_produce_error_that_may_be_retried_is_retried(kafka: EmbeddedKafka) -> None:
    """Leader changes and broken connections under an idempotent producer lose and double nothing."""
    kafka.fail_requests(
        Api.PRODUCE,
        [Failure.NOT_LEADER_FOR_PARTITION, Failure.BROKEN_CONNECTION, Failure.NOT_LEADER_FOR_PARTITION],
    )
    client = producer(kafka, enable_idempotence="true")
    for number in range(10):
        client.produce("orders", b"%d" % number, partition=0)
    assert client.flush(PATIENCE_S) == 0
    consumer = reader(kafka)
    values = [message.value() for message in consumer.consume(10, PATIENCE_S)]
    end = consumer.get_watermark_offsets(TopicPartition("orders", 0), PATIENCE_S)[1]
    consumer.close()
    assert values == [b"%d" % number for number in range(10)]
    assert end == 10


def test_a_broker_that_is_down_takes_nothing_and_keeps_its_records(kafka: EmbeddedKafka) -> None:
    """An outage refuses work and loses none: what was written before is read after."""
    produce(kafka, b"before")
    kafka.broker_down(1)
    failures: list[KafkaError | None] = []
    client = producer(kafka, message_timeout_ms=300)
    client.produce("orders", b"during", partition=0, on_delivery=lambda error, _: failures.append(error))
    client.flush(PATIENCE_S)
    assert [error.code() for error in failures if error] == [KafkaError._MSG_TIMED_OUT]

    kafka.broker_up(1)
    produce(kafka, b"after")
    consumer = reader(kafka)
    values = [message.value() for message in consumer.consume(2, PATIENCE_S)]
    consumer.close()
    assert values == [b"before", b"after"]


def test_a_broker_that_is_up_may_be_brought_up_and_one_that_is_down_taken_down(kafka: EmbeddedKafka) -> None:
    """Nothing happens then. librdkafka listened a second time, and the process died of it a little later."""
    for _ in range(100):
        kafka.broker_up(1)
    produce(kafka, b"before")
    for _ in range(100):
        kafka.broker_down(1)
    kafka.broker_up(1)
    produce(kafka, b"after")
    consumer = reader(kafka)
    values = [message.value() for message in consumer.consume(2, PATIENCE_S)]
    consumer.close()
    assert values == [b"before", b"after"]


@pytest.mark.alone
def test_answers_take_as_long_as_set(kafka: EmbeddedKafka) -> None:
    """A slow network is a setting, and 0 takes it back."""
    client = producer(kafka)
    client.list_topics("orders", timeout=PATIENCE_S)

    def took_s() -> float:
        began = time.monotonic()
        client.list_topics("orders", timeout=PATIENCE_S)
        return time.monotonic() - began

    kafka.set_rtt(400)
    assert took_s() >= 0.4
    kafka.set_rtt(0)
    assert min(took_s() for _ in range(3)) < 0.4


@pytest.mark.alone
def test_one_broker_alone_may_be_slow(pair: EmbeddedKafka) -> None:
    """Its partitions answer late, those of the other at once."""
    pair.create_topic("fast", 1)
    pair.leader("fast", 0, 1)
    client = reader(pair)

    def took_s(topic: str) -> float:
        began = time.monotonic()
        client.get_watermark_offsets(TopicPartition(topic, 0), timeout=PATIENCE_S)
        return time.monotonic() - began

    pair.set_rtt(400, 2)
    assert took_s("orders") >= 0.4
    assert min(took_s("fast") for _ in range(3)) < 0.4
    client.close()


def test_the_coordinator_moves_where_it_is_told(pair: EmbeddedKafka) -> None:
    """A group's commits fail with its coordinator and pass again once another broker has the group."""
    produce(pair, b"v")
    consumer = reader(pair)
    commit(consumer, 1)
    pair.broker_down(1)
    with pytest.raises(KafkaException):
        consumer.committed([TopicPartition("orders", 0)], timeout=0.5)
    pair.coordinator("g", 2)
    commit(consumer, 2)
    consumer.close()


def test_a_leader_moves_where_it_is_told(pair: EmbeddedKafka) -> None:
    """Clients follow a partition to its new leader, and the old one is no longer needed."""
    produce(pair, b"old")
    pair.leader("orders", 0, 1)
    pair.broker_down(2)
    produce(pair, b"new")
    consumer = reader(pair)
    values = [message.value() for message in consumer.consume(2, PATIENCE_S)]
    consumer.close()
    assert values == [b"old", b"new"]


def test_deleted_records_are_gone_as_by_retention(kafka: EmbeddedKafka) -> None:
    """A committed offset can be put below the log's start, which is what `offset_lost` is about."""
    for number in range(5):
        produce(kafka, b"%d" % number)
    kafka.delete_records("orders", 0, 3)
    consumer = reader(kafka)
    consumer.assign([TopicPartition("orders", 0, 3)])
    message = consumer.poll(PATIENCE_S)
    low, high = consumer.get_watermark_offsets(TopicPartition("orders", 0), PATIENCE_S)
    consumer.close()
    assert message is not None
    assert (message.offset(), low, high) == (3, 3, 5)


def test_a_partition_keeps_what_it_promises_and_forgets_older_records(kafka: EmbeddedKafka) -> None:
    """The newest `PARTITION_KEEPS_BYTES` are there; a caller who writes more loses the oldest, as told."""
    size = 10_000
    client = producer(kafka)
    for number in range(2 * PARTITION_KEEPS_BYTES // size):
        client.produce("orders", b"%d" % number + bytes(size), partition=0)
    assert client.flush(PATIENCE_S) == 0
    consumer = reader(kafka)
    low, high = consumer.get_watermark_offsets(TopicPartition("orders", 0), PATIENCE_S)
    consumer.close()
    assert low > 0
    assert (high - low) * size >= PARTITION_KEEPS_BYTES


def test_a_closed_cluster_is_gone_and_says_so() -> None:
    """No call reaches freed memory, and closing twice is harmless."""
    kafka = EmbeddedKafka()
    kafka.close()
    kafka.close()
    with pytest.raises(ValueError, match="closed"):
        kafka.create_topic("orders", 1)
    with pytest.raises(ValueError, match="closed"):
        kafka.set_rtt(1)
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0}).list_topics(timeout=0.5)


SIGNALLED = """
import os, signal
from connector.kafka.embedded import EmbeddedKafka

signal.signal(signal.SIGINT, lambda number, frame: None)
kafka = EmbeddedKafka()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
for number in range(20):
    os.kill(os.getpid(), signal.SIGINT)
    kafka.create_topic(f"topic-{number}")
kafka.close()
print("closed")
"""
"""While its only Python thread takes no signal, any other thread of the process does that can."""


@pytest.mark.process
def test_a_signal_is_no_business_of_the_clusters_thread() -> None:
    """One that it took ended it, and the next call brought the process down or waited for ever."""
    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLED], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "closed\n", "")


def test_an_unknown_broker_is_refused(kafka: EmbeddedKafka) -> None:
    """A fault injected into nothing would prove nothing."""
    with pytest.raises(ValueError, match="refused"):
        kafka.broker_down(9)


def test_a_build_without_the_mock_cluster_says_what_to_do() -> None:
    """Where the wheel does not carry it, the error names what is missing and the way out."""
    with pytest.raises(RuntimeError, match=r"no embedded Kafka .* or a real broker"):
        _library(_ctypes.__file__)
