"""The writer of samples: acknowledged or told, in order per key, and bounded."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from connector.kafka import produce
from connector.kafka.embedded import Api, EmbeddedKafka
from connector.kafka.produce import WriteError, Writer

REQUEST_TIMED_OUT = 7
PROPAGATION = "topic.metadata.propagation.max.ms"


def everything(kafka: EmbeddedKafka, topic: str, count: int) -> list[tuple[bytes | None, bytes | None]]:
    """Key and value of the first `count` records."""
    client = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "log_level": 0,
            "group.id": "reader",
        }
    )
    client.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    found: list[tuple[bytes | None, bytes | None]] = []
    while len(found) < count:
        found += [(message.key(), message.value()) for message in client.consume(count - len(found), 10)]
    client.close()
    return found


async def test_what_was_flushed_is_in_the_topic() -> None:
    """Every record once, keys and empty values kept, in order; properties of a consumer do no harm."""
    with EmbeddedKafka() as kafka:
        kafka.create_topic("orders", 1)
        kafka.fail_requests(Api.PRODUCE, [REQUEST_TIMED_OUT, REQUEST_TIMED_OUT])
        writer = Writer({"bootstrap.servers": kafka.bootstrap, "max.poll.interval.ms": "300000"})
        written = [(b"k%d" % (n % 3), b"%d" % n if n else None) for n in range(1_000)]
        for key, value in written:
            writer.write("orders", key, value)
        await writer.flush()
        writer.close()
        assert everything(kafka, "orders", len(written)) == written


async def test_what_kafka_does_not_take_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large at once; unreachable when its time is over."""
    monkeypatch.setattr(produce, "TIMEOUT_MS", 300)
    writer = Writer({"bootstrap.servers": "127.0.0.1:1"})
    with pytest.raises(WriteError, match="too large"):
        writer.write("orders", None, b"x" * 2_000_000)
    writer.write("orders", None, b"x")
    with pytest.raises(WriteError, match="timed out"):
        await writer.flush()
    writer.close()


@pytest.mark.parametrize(("given", "known_by_ms"), [({}, 5_000), ({PROPAGATION: "60000"}, "60000")])
def test_a_topic_that_nobody_knows_is_told_soon_or_as_the_operator_says(
    given: dict[str, str], known_by_ms: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """librdkafka's half a minute is long for who forgot a topic, and short on a slow cluster."""
    built: list[dict[str, object]] = []
    monkeypatch.setattr(produce, "Producer", built.append)
    Writer({"bootstrap.servers": "127.0.0.1:1", **given})
    assert built[0][PROPAGATION] == known_by_ms


async def test_a_name_that_was_mistyped_is_told_and_makes_no_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the broker makes every topic that a client lets it make, as Kafka does unless told otherwise."""
    monkeypatch.setattr(produce, "UNKNOWN_FOR_MS", 300)
    with EmbeddedKafka() as kafka:
        writer = Writer({"bootstrap.servers": kafka.bootstrap})
        writer.write("ordres", None, b"x")
        with pytest.raises(WriteError, match="ordres"):
            await writer.flush()
        writer.close()


def test_closing_waits_for_nobody() -> None:
    """What is not acknowledged is given up."""
    writer = Writer({"bootstrap.servers": "127.0.0.1:1"})
    writer.write("orders", None, b"x")
    began = time.monotonic()
    writer.close()
    assert time.monotonic() - began < 1


async def test_a_full_buffer_makes_writing_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than librdkafka may hold goes through, because `write` lets it drain."""
    monkeypatch.setattr(produce, "QUEUE_KIB", 64)
    with EmbeddedKafka() as kafka:
        kafka.create_topic("orders", 1)
        writer = Writer({"bootstrap.servers": kafka.bootstrap})
        for _ in range(300):
            writer.write("orders", None, b"x" * 1_000)
        await writer.flush()
        writer.close()
        assert len(everything(kafka, "orders", 300)) == 300
