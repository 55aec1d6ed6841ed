"""Ranges are read from their beginning to their end, and the end is noticed; no group is touched."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from connector.kafka.bounded import BoundedFeed, RangeLostError
from connector.kafka.properties import consumer_properties
from connector.kafka.ranges import Range
from connector.kafka.readers import SourceReader
from connector.model.record import Lease, Record
from tests.broker.launcher.brokers import Broker
from tests.broker.member import PATIENCE_S, produce

Unique = Callable[[str], str]


class Loop:
    """The loop's side: takes what comes, settles everything at once, answers a stop when it is told to."""

    def __init__(self) -> None:
        self.takes = True
        self.slices = 0
        self.got: list[Record] = []
        self.starts: dict[Lease, int | None] = {}
        self.ended: dict[Lease, int] = {}
        self.fences: list[Lease] = []
        self.failure: BaseException | None = None
        self.frontiers: dict[Lease, int] = {}
        """What is answered when the end is asked for."""
        self.feed: BoundedFeed

    def assigned(self, leases: Sequence[tuple[Lease, int | None]]) -> None:
        self.starts.update(leases)

    def polled(self, records: list[Record]) -> None:
        assert {record.lease for record in records} <= self.starts.keys(), "a lease comes before its records"
        self.got += records
        if self.takes:
            self.feed.taken()
        else:
            self.slices += 1

    def left(self) -> None:
        raise AssertionError("it was never in a group")

    def take_on(self) -> None:
        """Work off what was left lying, and what comes."""
        self.takes = True
        for _ in range(self.slices):
            self.feed.taken()

    def revoked(self, leases: Sequence[Lease], drained: Future[Mapping[Lease, int]]) -> None:
        drained.set_result(self.frontiers)

    def fenced(self, leases: Sequence[Lease], lost: bool) -> None:
        assert not any(lease.live for lease in leases)
        self.fences += leases

    def ends(self, ends: Mapping[Lease, int]) -> None:
        self.ended.update(ends)

    def poll_failed(self, error: BaseException) -> None:
        self.failure = error

    def committed(self, offsets: Mapping[Lease, int], error: str | None) -> None:
        raise AssertionError("nothing is ever committed")

    def moved(self, lease: Lease, offset: int) -> None:
        raise AssertionError("a range begins where it begins")

    def passed(self, offsets: Mapping[Lease, int]) -> None:
        raise AssertionError("of a range, the end that was asked for counts")

    def jumped(self, lease: Lease, lost: int, offset: int) -> None:
        raise AssertionError("what is lost ends the run")

    def superseded(self, lease: Lease, offset: int) -> None:
        raise AssertionError("what is lost ends the run")

    def offset_lost(self, lease: Lease, detail: str) -> None:
        raise AssertionError("what is lost ends the run")

    def spots(self) -> list[tuple[int, int]]:
        return [(record.lease.partition, record.offset) for record in self.got]


Start = Callable[..., Loop]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start reading ranges; every feed is stopped at the end."""
    feeds: list[BoundedFeed] = []

    def begin(broker: Broker, *ranges: Range, rate: float | None = None) -> Loop:
        loop = Loop()
        given = {"bootstrap.servers": broker.bootstrap, "log_level": "0"}
        loop.feed = BoundedFeed(
            consumer_properties(given, group_id="side", client_id="test", prefetch_bytes=8 << 20),
            ranges,
            SourceReader(),
            loop,
            rate=rate,
            drain_timeout_s=5,
            logger=logging.getLogger("connector.kafka"),
        )
        feeds.append(loop.feed)
        loop.feed.start()
        return loop

    yield begin
    for feed in feeds:
        assert await feed.stop(5)


async def until(holds: Callable[[], object], what: str) -> None:
    """Wait for what the thread tells."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110  # the loop's side has no event for it
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(what) from None


async def test_exactly_the_ranges_are_read_and_their_end_is_noticed(
    broker: Broker, unique: Unique, start: Start
) -> None:
    """Each from its first offset up to its end, which is not in it; an empty one costs nothing."""
    topic = unique("orders")
    broker.create_topic(topic, 4)
    produce(broker, topic, 4_000, partitions=4)
    loop = start(
        broker,
        Range(topic, 0, 10, 990),
        Range(topic, 1, 0, 1_000),
        Range(topic, 2, 500, 500),
        Range(topic, 3, 0, 1),
    )
    await until(lambda: loop.feed.exhausted, "the end")
    assert len(loop.got) == 980 + 1_000 + 1
    assert sorted(loop.spots()) == [
        *((0, offset) for offset in range(10, 990)),
        *((1, offset) for offset in range(1_000)),
        (3, 0),
    ]
    assert {lease.partition: start for lease, start in loop.starts.items()} == {0: 10, 1: 0, 3: 0}
    assert {lease.partition: end for lease, end in loop.ended.items()} == {0: 990, 1: 1_000, 3: 1}
    assert await loop.feed.stop(5)
    assert len(loop.fences) == 3


async def test_it_is_over_when_the_loop_has_worked_off_what_it_was_given(
    broker: Broker, unique: Unique, start: Start
) -> None:
    """Not when everything was read: a slice that lies in a queue is not settled."""
    topic = unique("orders")
    broker.create_topic(topic, 1)
    produce(broker, topic, 100)
    loop = start(broker)
    await until(lambda: loop.feed.exhausted, "nothing to read is over at once")
    loop = start(broker, Range(topic, 0, 0, 100))
    loop.takes = False
    await until(lambda: len(loop.got) == 100, "all records")
    await asyncio.sleep(0.3)
    assert not loop.feed.exhausted
    loop.take_on()
    await until(lambda: loop.feed.exhausted, "the end")


async def test_a_range_may_end_in_what_is_no_record(
    real_broker: Broker, unique: Unique, start: Start
) -> None:
    """The mark of a transaction has an offset, and nothing ever comes for it."""
    topic = unique("orders")
    real_broker.create_topic(topic, 1)
    producer = Producer({"bootstrap.servers": real_broker.bootstrap, "transactional.id": unique("tx")})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(topic, b"x")
    producer.commit_transaction(PATIENCE_S)
    loop = start(real_broker, Range(topic, 0, 0, 2))
    await until(lambda: loop.feed.exhausted, "the end")
    assert loop.spots() == [(0, 0)]
    loop.frontiers = {loop.got[0].lease: 1}
    assert await loop.feed.stop(5)
    assert loop.feed.unfinished() == [], "stopped by somebody else meanwhile, nothing is left of this one"


async def test_what_was_read_and_is_not_settled_is_unfinished(
    real_broker: Broker, unique: Unique, start: Start
) -> None:
    """Also where behind it only the mark of a transaction is left."""
    topic = unique("orders")
    real_broker.create_topic(topic, 2)
    producer = Producer({"bootstrap.servers": real_broker.bootstrap, "transactional.id": unique("tx")})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(topic, b"x", partition=0)
    producer.commit_transaction(PATIENCE_S)
    loop = start(real_broker, Range(topic, 0, 0, 4), Range(topic, 1, 0, 0))
    await until(lambda: loop.feed.exhausted, "the end")
    loop.frontiers = {loop.got[0].lease: 2}
    assert await loop.feed.stop(5)
    assert loop.feed.unfinished() == [Range(topic, 0, 2, 4)]


async def test_a_lease_that_is_paused_brings_nothing_and_holds_no_other_up(
    broker: Broker, unique: Unique, start: Start
) -> None:
    """Until it is resumed; then all of it comes."""
    topic = unique("orders")
    broker.create_topic(topic, 2)
    produce(broker, topic, 20_000, partitions=2)
    loop = start(broker, Range(topic, 0, 0, 10_000), Range(topic, 1, 0, 10_000))
    loop.takes = False
    await until(lambda: len(loop.got) > 0, "a first slice")
    paused = loop.got[0].lease
    loop.feed.pause([paused])
    loop.take_on()
    other = 1 - paused.partition
    await until(lambda: sum(spot[0] == other for spot in loop.spots()) == 10_000, "all of the other")
    await asyncio.sleep(0.3)
    came = sum(spot[0] == paused.partition for spot in loop.spots())
    assert came < 10_000
    assert not loop.feed.exhausted
    loop.feed.resume([paused])
    await until(lambda: loop.feed.exhausted, "the end")
    assert len(set(loop.spots())) == len(loop.got) == 20_000


async def test_a_rate_is_kept(broker: Broker, unique: Unique, start: Start) -> None:
    """No more records a second than were asked for, whatever the topic holds."""
    topic = unique("orders")
    broker.create_topic(topic, 1)
    produce(broker, topic, 60)
    began = time.monotonic()
    loop = start(broker, Range(topic, 0, 0, 60), rate=50)
    await until(lambda: loop.feed.exhausted, "the end")
    assert time.monotonic() - began >= 1.0
    assert len(loop.got) == 60


async def test_what_kafka_no_longer_has_ends_the_run(broker: Broker, unique: Unique, start: Start) -> None:
    """Instead of reading something else in its place."""
    topic = unique("orders")
    broker.create_topic(topic, 1)
    produce(broker, topic, 20)
    broker.delete_records(topic, 0, 10)
    loop = start(broker, Range(topic, 0, 5, 20))
    await until(lambda: loop.failure is not None, "the failure")
    assert isinstance(loop.failure, RangeLostError)
    assert str(loop.failure) == f"Kafka no longer has all of {topic}:0, 5 to 20"
    assert loop.got == []


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._LOG_TRUNCATION,
    ],
)
async def test_a_topic_that_was_deleted_or_cut_short_ends_the_run(
    mock_broker: Broker, unique: Unique, start: Start, code: int
) -> None:
    """A group would wait for it to come again; what was to be read will not. librdkafka says so in one of
    these words, without an offset, and only after half a minute, so it is said here for it."""
    topic = unique("orders")
    mock_broker.create_topic(topic, 1)
    loop = start(mock_broker, Range(topic, 0, 0, 20))
    with pytest.raises(RangeLostError, match=f"no longer has all of {topic}:0"):
        loop.feed._records([Message(topic=topic, partition=0, error=KafkaError(code))])


async def test_that_a_group_may_not_be_asked_for_is_no_news(
    mock_broker: Broker, unique: Unique, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """It joins none, and nobody need look for that right; of a topic, the right is named."""
    topic = unique("orders")
    mock_broker.create_topic(topic, 1)
    caplog.set_level("WARNING", "connector.kafka")
    loop = start(mock_broker, Range(topic, 0, 0, 20))
    assert loop.feed._records([Message(error=KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))]) == []
    assert not [each for each in caplog.messages if "authorization" in each]
    refused = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    assert loop.feed._records([Message(topic=topic, partition=0, error=refused)]) == []
    assert f"{topic}: Broker: Topic authorization failed: the user needs Read on the topic" in caplog.messages


async def test_no_group_is_touched(broker: Broker, unique: Unique, start: Start) -> None:
    """Neither the live one nor the one that it names itself has an offset afterwards."""
    topic = unique("orders")
    broker.create_topic(topic, 1)
    produce(broker, topic, 20)
    loop = start(broker, Range(topic, 0, 0, 20))
    await until(lambda: loop.feed.exhausted, "the end")
    loop.feed.commit({loop.got[0].lease: 20})
    assert await loop.feed.stop(5)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "side"})
    (place,) = consumer.committed([TopicPartition(topic, 0)], timeout=PATIENCE_S)
    consumer.close()
    assert place.offset < 0
