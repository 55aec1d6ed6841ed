"""Dead letters are acknowledged by Kafka or still waiting to be; none is lost, and the loop never waits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from connector.kafka import producer as producer_module
from connector.kafka import properties as properties_module
from connector.kafka.dead_letter import Context, DeadLetter, DeadLetters, Letter, parse
from connector.kafka.embedded import Api, Failure
from connector.kafka.producer import DeadLetterProducer
from connector.model.item import Rejection, Ticket
from connector.model.record import Lease, Record
from tests.broker.launcher.brokers import Broker, MockBroker
from tests.broker.member import PATIENCE_S

Unique = Callable[[str], str]
BUFFER_BYTES = 1 << 20


class Written:
    """What the producer told, and which letters are done."""

    def __init__(self) -> None:
        self.oks = 0
        self.errors: list[str | None] = []
        self.done: list[int] = []

    def dead_letter_written(self, ok: bool, error: str | None = None) -> None:
        if ok:
            self.oks += 1
        else:
            self.errors.append(error)

    def dead_letter_failed(self, error: Exception) -> None:
        raise error


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
async def connect(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[Broker], DeadLetterProducer]]:
    """A producer that tries again quickly; closed at the end."""
    monkeypatch.setattr(producer_module, "AGAIN_AFTER_S", 0.1)
    opened: list[DeadLetterProducer] = []

    def open_one(broker: Broker) -> DeadLetterProducer:
        given = {
            "bootstrap.servers": broker.bootstrap,
            "log_level": "0",
            "reconnect.backoff.max.ms": "200",
            "topic.metadata.propagation.max.ms": "500",
        }
        opened.append(
            DeadLetterProducer(
                given,
                topic="dead",
                client_id="test",
                buffer_bytes=BUFFER_BYTES,
                telemetry=written,
                logger=logging.getLogger("connector.kafka"),
            )
        )
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


def letter(value: bytes | None = b"v", key: bytes | None = b"k") -> Letter:
    return Letter(key, value, (("h", b"x"),))


def write(producer: DeadLetterProducer, written: Written, topic: str, number: int, *forms: Letter) -> None:
    producer.write(topic, forms or (letter(b"%d" % number),), lambda: written.done.append(number))


def read(broker: Broker, topic: str) -> list[Letter]:
    """Everything in partition 0 of a topic."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "log_level": 0, "group.id": "reader"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    for _ in range(broker.end_offsets(topic)[0]):
        message = consumer.poll(PATIENCE_S)
        assert message is not None
        assert message.error() is None
        headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
        found.append(Letter(message.key(), message.value(), tuple(headers)))
    consumer.close()
    return found


async def test_a_letter_is_done_when_kafka_has_it(
    broker: Broker, unique: Unique, written: Written, connect: Callable[[Broker], DeadLetterProducer]
) -> None:
    """Every one is there, as it was given, by the time it is called done."""
    topic = unique("dead")
    broker.create_topic(topic, partitions=1)
    producer = connect(broker)
    odd = Letter(None, None, (("a", b""), ("a", None)))
    write(producer, written, topic, 0, odd)
    for number in range(1, 500):
        write(producer, written, topic, number)
    assert not written.done
    await until(lambda: len(written.done) == 500)
    assert written.done == list(range(500))
    assert (written.oks, written.errors) == (500, [])
    found = read(broker, topic)
    assert found[0] == odd
    assert sorted(int(each.value or b"0") for each in found) == list(range(500))


@pytest.mark.alone
async def test_the_loop_is_not_kept_waiting(
    broker: Broker, unique: Unique, written: Written, connect: Callable[[Broker], DeadLetterProducer]
) -> None:
    """More letters than librdkafka may copy wait on our side; the loop turns all the time."""
    topic = unique("dead")
    broker.create_topic(topic, partitions=1)
    producer = connect(broker)
    large = letter(b"x" * 400_000)
    began = time.monotonic()
    for number in range(12):
        write(producer, written, topic, number, large)
    assert time.monotonic() - began < 0.2
    assert producer._under_way_bytes <= BUFFER_BYTES
    await until(lambda: len(written.done) == 12)
    assert written.done == list(range(12))


async def test_a_topic_that_comes_later_gets_its_letters(
    broker: Broker,
    unique: Unique,
    written: Written,
    connect: Callable[[Broker], DeadLetterProducer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody created the topic: the failure is told, the letter waits, and is written when it is there. The
    embedded broker makes every topic that a client lets it make; ours does not, as this topic may need other
    settings than a broker gives it."""
    monkeypatch.setattr(properties_module, "LETTER_TIMEOUT_MS", 1000)
    topic = unique("dead")
    producer = connect(broker)
    write(producer, written, topic, 1)
    await until(lambda: written.errors)
    assert not written.done
    assert topic not in await asyncio.to_thread(producer.topics, topic, PATIENCE_S)
    assert topic not in await asyncio.to_thread(producer.topics, None, PATIENCE_S)
    broker.create_topic(topic, partitions=1)
    await until(lambda: written.done)
    assert written.done == [1]


async def test_an_outage_loses_no_letter(
    mock_broker: MockBroker,
    unique: Unique,
    written: Written,
    connect: Callable[[Broker], DeadLetterProducer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kafka is down for longer than a write may take: it counts as failed, and goes on when Kafka is back."""
    monkeypatch.setattr(properties_module, "LETTER_TIMEOUT_MS", 1000)
    topic = unique("dead")
    mock_broker.create_topic(topic, partitions=1)
    producer = connect(mock_broker)
    write(producer, written, topic, 0)
    await until(lambda: written.done)
    mock_broker.kafka.broker_down(1)
    for number in range(1, 20):
        write(producer, written, topic, number)
    await until(lambda: written.errors)
    assert written.done == [0]
    mock_broker.kafka.broker_up(1)
    await until(lambda: len(written.done) == 20)
    assert sorted(written.done) == list(range(20))


async def test_a_producer_that_broke_is_replaced(
    mock_broker: MockBroker, unique: Unique, written: Written, connect: Callable[[Broker], DeadLetterProducer]
) -> None:
    """Without the right to write, librdkafka gives up for good; when the right is given, letters flow."""
    topic = unique("dead")
    mock_broker.create_topic(topic, partitions=1)
    mock_broker.kafka.fail_requests(Api.INIT_PRODUCER_ID, [KafkaError.CLUSTER_AUTHORIZATION_FAILED] * 2)
    producer = connect(mock_broker)
    write(producer, written, topic, 1)
    await until(lambda: written.done)
    assert written.done == [1]
    assert read(mock_broker, topic) == [letter(b"1")]
    assert len(written.errors) >= 2


async def test_a_letter_too_large_is_written_in_a_smaller_form(
    real_broker: Broker, unique: Unique, written: Written, connect: Callable[[Broker], DeadLetterProducer]
) -> None:
    """The topic's own limit decides, for each letter alone: small ones beside it stay whole."""
    topic = unique("dead")
    real_broker.create_topic(topic, partitions=1, config={"max.message.bytes": "2000"})
    producer = connect(real_broker)
    for number in range(20):
        write(producer, written, topic, number)
    write(producer, written, topic, 20, letter(b"x" * 3000), letter(None), letter(None, None))
    write(
        producer, written, topic, 21, letter(key=b"k" * 3000), letter(None, b"k" * 3000), letter(None, None)
    )
    await until(lambda: len(written.done) == 22)
    found = read(real_broker, topic)
    assert [each for each in found if each.value is None] == [letter(None), letter(None, None)]
    assert len(found) == 22
    assert not written.errors


async def test_what_fits_in_no_form_waits_and_says_so(
    mock_broker: MockBroker, unique: Unique, written: Written, connect: Callable[[Broker], DeadLetterProducer]
) -> None:
    """The topic's limit is a mistake that a person can mend; until then the record is not given up, and then
    it is written in full."""
    topic = unique("dead")
    mock_broker.create_topic(topic, partitions=1)
    producer = connect(mock_broker)
    mock_broker.kafka.fail_requests(Api.PRODUCE, [Failure.MSG_SIZE_TOO_LARGE] * 4)
    write(producer, written, topic, 1, letter(b"full"), letter(b"less"))
    await until(lambda: written.done)
    assert len(written.errors) == 2
    assert read(mock_broker, topic) == [letter(b"full")]


async def test_a_ticket_is_written_and_read_back(
    broker: Broker, unique: Unique, written: Written, connect: Callable[[Broker], DeadLetterProducer]
) -> None:
    """All the way through Kafka: what the listing shows is what was refused."""
    topic = unique("dead")
    broker.create_topic(topic, partitions=1)
    producer = connect(broker)
    record = Record(Lease("orders", 3, 1), 42, 0, b"k", b"\x00v", (("a", None), ("b", b"\xff")))
    ticket = Ticket(record, event_id="e", event_type="click", rejections=(Rejection("http_409", "no", 409),))
    context = Context("promoted", "group", "5e77", lambda text: text)
    DeadLetters(topic, context, producer, lambda: 0).write(ticket, lambda: written.done.append(1))
    await until(lambda: written.done)
    (found,) = read(broker, topic)
    assert (found.key, found.value) == (b"k", b"\x00v")
    assert parse(found.headers) == DeadLetter(
        topic="orders",
        partition=3,
        offset=42,
        reason="http_409",
        destination="promoted",
        failed_at="1970-01-01T00:00:00.000Z",
        group_id="group",
        message="http_409: no",
        event_id="e",
        event_type="click",
        response_status=409,
        settings="5e77",
        source_headers=record.headers,
    )


@pytest.mark.alone
async def test_closing_gives_up_at_once(
    mock_broker: MockBroker, unique: Unique, written: Written, connect: Callable[[Broker], DeadLetterProducer]
) -> None:
    """A stop does not wait for letters: their records are open, and read again."""
    mock_broker.kafka.broker_down(1)
    producer = connect(mock_broker)
    write(producer, written, unique("dead"), 1)
    began = time.monotonic()
    producer.close()
    assert time.monotonic() - began < 0.5
    await asyncio.sleep(0)
    assert not written.done


async def until(holds: Callable[[], object]) -> None:
    """Wait for what the producer's timer brings."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  # the producer has no event for it
            await asyncio.sleep(0.01)
