"""The poll thread brings every record once and in order, and goes on where the group left off."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import Future

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from connector.kafka import consumer as consumer_module
from connector.kafka import offsets as offsets_module
from connector.kafka.consumer import SLICE_MAX, SLICES_MAX
from connector.kafka.embedded import Api, EmbeddedKafka, Failure
from connector.kafka.start import NoOffsetError
from connector.model.record import Lease
from tests.broker.launcher.brokers import Broker, MockBroker
from tests.broker.launcher.kafka import KafkaCluster
from tests.broker.member import PATIENCE_S, Member, committed, produce

Unique = Callable[[str], str]

PROTOCOLS = pytest.mark.parametrize(
    "protocol",
    [
        pytest.param({}, id="cooperative"),
        pytest.param({"partition.assignment.strategy": "range"}, id="eager"),
        pytest.param({"group.protocol": "consumer"}, id="consumer"),
    ],
)


@PROTOCOLS
async def test_every_record_comes_once_and_in_order(
    broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """All of each partition, rising, whichever protocol the group speaks; and all of it is committed."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=3)
    sent = produce(broker, topic, 3000, partitions=3)
    async with Member(broker, group, topic, properties=protocol) as member:
        await member.has(len(sent))
        for number in range(3):
            assert [each for each in member.spots() if each[1] == number] == [
                each for each in sent if each[1] == number
            ]
        assert await member.poll.stop(5)
    assert [committed(broker, group, topic, number) for number in range(3)] == [1000] * 3
    assert member.commits[-1][1] is None


async def test_a_record_is_as_it_was_written(broker: Broker, unique: Unique) -> None:
    """Key, value, headers and time byte for byte, nothing where there is nothing."""
    topic = unique("orders")
    broker.create_topic(topic, partitions=1)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    headers: list[tuple[str, str | bytes | None]] = [("a", b"\xff"), ("a", b""), ("b", None)]
    producer.produce(topic, b"\x00\xff", b"key", headers=headers, timestamp=1_700_000_000_123)
    producer.produce(topic, None, None)
    assert producer.flush(PATIENCE_S) == 0
    async with Member(broker, unique("group"), topic) as member:
        await member.has(2)
    full, empty = member.got
    assert (full.key, full.value, full.headers) == (b"key", b"\x00\xff", tuple(headers))
    assert full.timestamp_ms == 1_700_000_000_123
    assert (empty.key, empty.value, empty.headers) == (None, None, ())


async def test_a_restart_goes_on_at_the_frontier(broker: Broker, unique: Unique) -> None:
    """What was settled before it does not come again, the first open record and all after it do."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=1)
    produce(broker, topic, 100)
    async with Member(broker, group, topic, settles=False, answers="at_once") as first:
        await first.has(100)
        (partition,) = first.assignment
        for record in first.got:
            if record.offset != 40:
                partition.settle(record.offset, record.size)
        await first.commit()
        assert committed(broker, group, topic) == 40
        assert await first.poll.stop(3)
    async with Member(broker, group, topic) as second:
        await second.has(60)
        assert [offset for _, _, offset in second.spots()] == list(range(40, 100))


async def test_paused_partitions_bring_nothing_and_resumed_ones_everything(
    broker: Broker, unique: Unique
) -> None:
    """A pause loses nothing: what was fetched ahead and thrown away comes again."""
    topic = unique("orders")
    broker.create_topic(topic, partitions=2)
    async with Member(broker, unique("group"), topic) as member:
        await member.owns(2)
        (paused,) = [each for each in member.leases() if each.partition == 0]
        member.poll.pause([paused])
        member.poll.commit({})
        await rounds(member, 2)
        sent = produce(broker, topic, 400, partitions=2)
        await member.has(200)
        await rounds(member, 3)
        assert {number for _, number, _ in member.spots()} == {1}
        member.poll.resume([paused])
        await member.has(400)
        assert sorted(member.spots()) == sent


async def test_the_end_of_a_paused_partition_is_still_told(
    broker: Broker, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lag must be seen while nothing is fetched: that is when it grows."""
    monkeypatch.setattr(offsets_module, "ENDS_STALE_S", 0.5)
    topic = unique("orders")
    broker.create_topic(topic, partitions=1)
    async with Member(broker, unique("group"), topic) as member:
        await member.owns(1)
        (partition,) = member.assignment
        await member.until(lambda: partition.end == 0, "the end of an empty partition")
        member.poll.pause([partition.lease])
        await rounds(member, 2)
        produce(broker, topic, 50)
        await member.until(lambda: partition.end == 50, "the end of a paused partition")
        assert partition.lag == 50


async def test_a_loop_that_takes_nothing_is_fed_no_more_than_agreed(broker: Broker, unique: Unique) -> None:
    """At most four slices wait for the loop, and one by one a few more; when it takes again, all comes in
    order."""
    topic = unique("orders")
    broker.create_topic(topic, partitions=1)
    sent = produce(broker, topic, 6000)
    async with Member(broker, unique("group"), topic, takes=False) as member:
        await member.until(lambda: member.slices == SLICES_MAX, "four slices")
        await rounds(member, 30)
        assert member.slices == SLICES_MAX
        assert len(member.poll._held) <= 1
        assert len(member.got) <= SLICES_MAX * SLICE_MAX
        member.take_on()
        await member.has(6000)
        assert member.spots() == sent


async def test_rebalances_go_on_while_the_loop_takes_nothing(broker: Broker, unique: Unique) -> None:
    """Callbacks are served although no slice can be handed over, or the whole group would wait for us."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=2)
    produce(broker, topic, 6000, partitions=2)
    async with Member(broker, group, topic, takes=False) as busy:
        await busy.until(lambda: busy.slices == SLICES_MAX, "four slices")
        async with Member(broker, group, topic) as other:
            await other.owns(1)
            await busy.owns(1)


async def test_a_refused_commit_is_told(mock_broker: MockBroker, unique: Unique) -> None:
    """The loop offers it again; nothing is taken for committed that is not."""
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    produce(mock_broker, topic, 10)
    async with Member(mock_broker, group, topic) as member:
        await member.has(10)
        mock_broker.kafka.fail_requests(Api.OFFSET_COMMIT, [Failure.REBALANCE_IN_PROGRESS])
        await member.commit()
        (partition,) = member.assignment
        assert member.commits[-1][1] is not None
        assert partition.committed is None
        await member.commit()
        assert partition.committed == 10


async def test_a_commit_for_what_is_not_ours_is_dropped(broker: Broker, unique: Unique) -> None:
    """A lease that was fenced, or never was one, moves no offset."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=1)
    produce(broker, topic, 10)
    async with Member(broker, group, topic) as member:
        await member.has(10)
        member.poll.commit({Lease(topic, 0, 99): 3})
        await rounds(member, 3)
        assert committed(broker, group, topic) is None
        await member.commit()
    assert committed(broker, group, topic) == 10
    assert all(lease.epoch != 99 for told, _ in member.commits for lease in told)


# ── where a group begins ─────────────────────────────────────────────────────────────────────────


async def test_latest_is_committed_before_it_is_used(broker: Broker, unique: Unique) -> None:
    """A crash right after joining must not move the start to a later end: what came between would be lost."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=1)
    produce(broker, topic, 100)
    async with Member(broker, group, topic, start_from="latest") as member:
        await member.owns(1)
        assert committed(broker, group, topic) == 100
        produce(broker, topic, 5)
        await member.has(5)
        assert [offset for _, _, offset in member.spots()] == [100, 101, 102, 103, 104]


async def test_fail_ends_the_thread_when_the_group_has_no_offset(broker: Broker, unique: Unique) -> None:
    """Who expects an existing group is told of a misspelt one, instead of having everything sent again."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=1)
    async with Member(broker, group, topic, start_from="fail") as member:
        await member.until(lambda: member.failure, "the failure")
        assert isinstance(member.failure, NoOffsetError)
        assert topic in str(member.failure)


async def test_what_was_never_given_to_the_loop_is_not_taken_back_from_it(
    mock_broker: MockBroker, unique: Unique
) -> None:
    """The thread dies in the middle of an assignment: the loop is told the end of what it had, no more."""
    topic, unread, group = unique("orders"), unique("unread"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    produce(mock_broker, topic, 10)
    async with Member(mock_broker, group, topic) as first:
        await first.has(10)
    async with Member(mock_broker, group, topic, f"^{unread}", start_from="fail") as member:
        await member.owns(1)
        given = member.leases()
        mock_broker.create_topic(unread, partitions=1)
        await member.until(lambda: member.failure, "the failure")
        assert isinstance(member.failure, NoOffsetError)
        assert member.fences == [(given, True)]


async def test_fail_goes_on_where_the_group_has_an_offset(broker: Broker, unique: Unique) -> None:
    """`start_from` speaks of groups without an offset only."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=1)
    produce(broker, topic, 10)
    async with Member(broker, group, topic) as first:
        await first.has(10)
    produce(broker, topic, 5)
    async with Member(broker, group, topic, start_from="fail") as second:
        await second.has(5)
        assert [offset for _, _, offset in second.spots()] == [10, 11, 12, 13, 14]


async def test_a_start_that_nobody_tells_is_asked_again(mock_broker: MockBroker, unique: Unique) -> None:
    """Questions for offsets fail while we join; nothing is skipped, and they are asked again."""
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    sent = produce(mock_broker, topic, 10)
    mock_broker.kafka.fail_requests(Api.LIST_OFFSETS, [Failure.BROKEN_CONNECTION] * 8)
    async with Member(mock_broker, group, topic) as member:
        await member.has(10)
        assert member.spots() == sent


@PROTOCOLS
async def test_a_coordinator_that_moves_as_we_begin_is_asked_again(
    mock_broker: MockBroker, unique: Unique, protocol: dict[str, str]
) -> None:
    """librdkafka asks once where the group was, too, and then lets the partitions stand for ever."""
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=2)
    sent = produce(mock_broker, topic, 10, partitions=2)
    mock_broker.kafka.fail_requests(Api.OFFSET_FETCH, [Failure.NOT_COORDINATOR] * 4)
    async with Member(mock_broker, group, topic, properties=protocol) as member:
        await member.has(10)
        assert sorted(member.spots()) == sent


async def test_that_the_group_has_no_offset_is_no_loss_once_we_have_begun(
    mock_broker: MockBroker, unique: Unique
) -> None:
    """Both of us look for it, and librdkafka's word may wait in its queue while we begin where we found."""
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    produce(mock_broker, topic, 10)
    late = no_offset(mock_broker, group, topic)
    async with Member(mock_broker, group, topic) as member:
        await member.has(10)
        (lease,) = member.leases()
        member.poll._commands.append(lambda: member.poll._failed(late, lease))
        await rounds(member, 3)
        assert not member.poll._leases.unplaced
        assert not member.lost


def no_offset(broker: MockBroker, group: str, topic: str) -> Message:
    """librdkafka's word for it."""
    reader = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": group, "auto.offset.reset": "error"}
    )
    reader.assign([TopicPartition(topic, 0)])
    message = reader.poll(PATIENCE_S)
    reader.close()
    assert message is not None
    error = message.error()
    assert error is not None
    assert error.code() == KafkaError._AUTO_OFFSET_RESET
    return message


async def test_a_partition_that_cannot_begin_holds_no_other_up(unique: Unique) -> None:
    """Where three begin can't be told, as their broker is away; the fourth begins, and flows."""
    topic, group = unique("orders"), unique("group")
    with EmbeddedKafka(2) as kafka:
        broker = MockBroker(kafka)
        broker.create_topic(topic, partitions=4)
        for number in range(4):
            kafka.leader(topic, number, 2 if number < 3 else 1)
        kafka.coordinator(group, 1)
        produce(broker, topic, 40, partitions=4)
        kafka.set_rtt(60_000, 2)
        async with Member(broker, group, topic) as member:
            await member.has(10)
            began = time.monotonic()
            await rounds(member, 40)
            # Quiet rounds take 0.1 s each; questions take at most a fifth of all time.
            assert time.monotonic() - began < 10
            assert {number for _, number, _ in member.spots()} == {3}
            kafka.set_rtt(0, 2)
            kafka.broker_down(2)
            kafka.broker_up(2)
            await member.has(40)


# ── topics that come and go ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("protocol", "api", "refusal"),
    [
        pytest.param(
            {"group.instance.id": "one"}, Api.HEARTBEAT, KafkaError.FENCED_INSTANCE_ID, id="same_instance"
        ),
        pytest.param(
            {"group.protocol": "consumer"},
            Api.CONSUMER_GROUP_HEARTBEAT,
            KafkaError.GROUP_AUTHORIZATION_FAILED,
            id="not_allowed",
        ),
    ],
)
async def test_a_fatal_error_ends_the_thread(
    mock_broker: MockBroker, unique: Unique, protocol: dict[str, str], api: Api, refusal: int
) -> None:
    """librdkafka lets go of all partitions then without a call, and never takes one again: whoever polls on
    waits for ever. Its word for that comes in the place of a record, and does not call itself fatal."""
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    async with Member(mock_broker, group, topic, properties=protocol) as member:
        await member.owns(1)
        mock_broker.kafka.fail_requests(api, [refusal] * 3)
        await member.until(lambda: member.failure, "the end of the thread")
        assert "Fatal error" in str(member.failure)
        (fenced, lost) = member.fences[-1]
        assert (len(fenced), lost) == (1, True)


async def test_a_topic_may_come_later(real_broker: Broker, unique: Unique) -> None:
    """The connector may be deployed before its topics are; a pattern finds new ones too."""
    later, group = unique("later"), unique("group")
    async with Member(real_broker, group, later, f"^{later}-.*") as member:
        await rounds(member, 3)
        real_broker.create_topic(later, partitions=1)
        produce(real_broker, later, 10)
        await member.has(10)
        real_broker.create_topic(f"{later}-eu", partitions=1)
        produce(real_broker, f"{later}-eu", 10)
        await member.has(20)
        assert {topic for topic, _, _ in member.spots()} == {later, f"{later}-eu"}
        assert member.failure is None


# ── outages ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
async def test_a_killed_broker_ends_nothing(own_broker: KafkaCluster, unique: Unique) -> None:
    """Kafka dies and comes back: the thread lives, every record comes, and what was settled is committed."""
    topic, group = unique("orders"), unique("group")
    own_broker.create_topic(topic, partitions=1)
    produce(own_broker, topic, 100)
    patient = {"session.timeout.ms": "30000"}
    async with Member(own_broker, group, topic, properties=patient) as member:
        await member.has(100)
        own_broker.kill()
        member.poll.commit(member.assignment.to_commit())
        await rounds(member, 5)
        await asyncio.to_thread(own_broker.start)
        produce(own_broker, topic, 100)
        await member.until(
            lambda: {offset for _, _, offset in member.spots()} >= {*range(200)}, "all records"
        )
        assert member.failure is None
        assert await member.poll.stop(10)
    assert committed(own_broker, group, topic) == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "protocol",
    [
        pytest.param({"session.timeout.ms": "6000"}, id="cooperative"),
        pytest.param({"group.protocol": "consumer"}, id="consumer"),
    ],
)
async def test_a_kafka_that_is_away_for_longer_than_the_session_is_a_group_that_was_left(
    own_broker: KafkaCluster, unique: Unique, protocol: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not sooner, and in either protocol; when it is back we are in it again, and every record comes."""
    monkeypatch.setattr(consumer_module, "AWAY_S", 6.0)
    topic, group = unique("orders"), unique("group")
    own_broker.create_topic(topic, partitions=1)
    produce(own_broker, topic, 100)
    async with Member(own_broker, group, topic, properties=protocol) as member:
        await member.has(100)
        await member.commit()
        own_broker.kill()
        killed = time.monotonic()
        await member.until(lambda: not member.joined, "the end of the stay")
        assert time.monotonic() - killed > 3
        await asyncio.to_thread(own_broker.start)
        produce(own_broker, topic, 100)
        await member.until(lambda: member.joined, "the return", 60)
        await member.until(
            lambda: {*member.spots()} >= {(topic, 0, each) for each in range(200)}, "all records"
        )
        assert member.stays == [True, False, True]
        assert member.failure is None


async def test_in_the_new_protocol_only_a_long_absence_in_one_piece_ends_a_stay(
    mock_broker: MockBroker, unique: Unique
) -> None:
    """A broker that restarts quickly makes no pod unready, however long it was up and however often."""
    member = Member(mock_broker, unique("group"), unique("orders"), properties={"group.protocol": "consumer"})

    async def stay(*story: tuple[float, str]) -> list[bool]:
        for now, state in story:
            member.poll._bridge.heartbeat = now
            member.poll._on_stats(json.dumps({"cgrp": {"state": state}}))
        await asyncio.sleep(0)
        return member.stays

    away = consumer_module.AWAY_S
    assert await stay((1.0, "wait-coord")) == []
    up_for_an_hour = [(float(second), "up") for second in range(2, 3600)]
    assert await stay(*up_for_an_hour, (3600.0, "wait-coord"), (3599.0 + away, "wait-coord")) == [True]
    assert await stay((3600.0 + away, "up"), (3600.0 + 2 * away, "wait-coord")) == [True]
    assert await stay((3601.0 + 2 * away, "wait-coord"), (3602.0 + 2 * away, "wait-coord")) == [True, False]
    assert await stay((3603.0 + 2 * away, "up")) == [True, False, True]
    assert await member.poll.stop(1)


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.alone
async def test_a_stop_never_takes_longer_than_it_may(broker: Broker, unique: Unique) -> None:
    """Records that stay open hold a stop no longer than its time, and are not committed."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=1)
    produce(broker, topic, 10)
    async with Member(broker, group, topic, settles=False) as member:
        await member.has(10)
        began = time.monotonic()
        assert await member.poll.stop(1.0)
        assert time.monotonic() - began < 1.1
        assert member.got[0].lease.live is False
    assert committed(broker, group, topic) in (None, 0)


@pytest.mark.alone
async def test_a_stop_does_not_wait_for_a_broker_that_does_not_answer(
    mock_broker: MockBroker, unique: Unique
) -> None:
    """The last commit may hang in the network; the process still ends in time, and hears no more of it."""
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    produce(mock_broker, topic, 10)
    async with Member(mock_broker, group, topic) as member:
        await member.has(10)
        mock_broker.kafka.set_rtt(60_000)
        began = time.monotonic()
        assert not await member.poll.stop(0.5)
        assert time.monotonic() - began < 0.7
        fences = len(member.fences)
        mock_broker.kafka.set_rtt(0)
        await rounds_end(member)
        assert len(member.fences) == fences


async def rounds_end(member: Member) -> None:
    """Wait for a thread that was left behind."""
    await asyncio.to_thread(member.poll._thread.join, PATIENCE_S)
    assert not member.poll._thread.is_alive()


@pytest.mark.alone
async def test_a_commit_in_a_revocation_does_not_wait_for_a_coordinator_that_is_away(
    mock_broker: MockBroker, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """librdkafka's own would wait until it is back. Unanswered counts as lost: it may be committed or not."""
    monkeypatch.setattr(offsets_module, "COMMIT_S", 1.5)
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    produce(mock_broker, topic, 10)
    async with Member(mock_broker, group, topic) as member:
        await member.has(10)
        mock_broker.kafka.broker_down(1)
        began = time.monotonic()
        chosen = {member.got[0].lease: 10}
        took: Future[bool] = Future()
        member.poll._commands.append(lambda: took.set_result(member.poll._handover.commit(chosen)))
        assert not await asyncio.wrap_future(took)
        assert time.monotonic() - began < 2.0
        mock_broker.kafka.broker_up(1)


async def rounds(member: Member, count: int) -> None:
    """Wait until the thread went round so often: what it was told before has had its effect."""
    last = member.poll.heartbeat
    for _ in range(count):
        async with asyncio.timeout(PATIENCE_S):
            while member.poll.heartbeat == last:  # noqa: ASYNC110  # the thread has no event for it
                await asyncio.sleep(0.005)
        last = member.poll.heartbeat
