"""Kafka no longer has the offset to go on from: the operator says what then, and nothing happens silently."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import pytest
from confluent_kafka.admin import AdminClient

from connector.kafka.embedded import Api, Failure
from connector.model.record import Lease
from tests.broker.launcher.brokers import Broker, MockBroker
from tests.broker.launcher.kafka import KafkaCluster
from tests.broker.member import PATIENCE_S, Member, committed, produce
from tests.broker.test_poll import PROTOCOLS, rounds

Unique = Callable[[str], str]


async def behind(broker: Broker, topic: str, group: str, protocol: dict[str, str]) -> None:
    """A group that committed 10 of 100 records, of which Kafka then forgets the first 50."""
    broker.create_topic(topic, partitions=1)
    produce(broker, topic, 10)
    async with Member(broker, group, topic, properties=protocol) as member:
        await member.has(10)
        await member.commit()
    produce(broker, topic, 90)
    broker.delete_records(topic, 0, 50)


@PROTOCOLS
async def test_by_default_the_partition_stands_still_and_says_why(
    broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """Jumping would skip what a person may still have elsewhere; other partitions go on."""
    topic, group = unique("orders"), unique("group")
    fine = unique("fine")
    broker.create_topic(fine, partitions=1)
    await behind(broker, topic, group, protocol)
    async with Member(broker, group, topic, fine, properties=protocol) as member:
        await member.until(lambda: member.lost, "the loss to be told")
        ((lease, detail),) = member.lost
        assert lease.topic == topic
        assert "10" in detail
        assert "50 up to 100" in detail
        produce(broker, fine, 5)
        await member.has(5)
        member.poll.resume([lease])
        await rounds(member, 3)
        assert {topic for topic, _, _ in member.spots()} == {fine}
        assert len(member.lost) == 1
    assert committed(broker, group, topic) == 10


@PROTOCOLS
@pytest.mark.parametrize(("rule", "start"), [("earliest", 50), ("latest", 100)])
async def test_it_goes_on_where_the_operator_says(
    broker: Broker,
    unique: Unique,
    rule: Literal["earliest", "latest"],
    start: int,
    protocol: dict[str, str],
) -> None:
    """At the first or behind the last record; told, so that the frontier and the commit follow."""
    topic, group = unique("orders"), unique("group")
    await behind(broker, topic, group, protocol)
    async with Member(
        broker, group, topic, settles=False, on_offset_lost=rule, properties=protocol
    ) as member:
        await member.until(lambda: member.jumps, "the jump")
        assert [to for _, to in member.jumps] == [start]
        (partition,) = member.assignment
        await member.until(lambda: partition.frontier.commit_offset == start, "the frontier follows")
        await member.commit()
        assert committed(broker, group, topic) == start
        produce(broker, topic, 10)
        await member.has(110 - start)
        assert [offset for _, _, offset in member.spots()] == list(range(start, 110))


@PROTOCOLS
async def test_retention_overtakes_while_we_wait(
    broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """A vendor outage longer than the topic's retention: what is open is kept and settled, then it goes on
    behind the gap; the commit point never passes what is open, and other partitions notice nothing."""
    topic, group = unique("orders"), unique("group")
    fine = unique("fine")
    for each in (topic, fine):
        broker.create_topic(each, partitions=1)
        produce(broker, each, 10)
    async with Member(
        broker, group, topic, fine, settles=False, on_offset_lost="earliest", properties=protocol
    ) as member:
        await member.has(20)
        (partition,) = [each for each in member.assignment if each.lease.topic == topic]
        member.poll.pause([partition.lease])
        await rounds(member, 2)
        produce(broker, topic, 90)
        broker.delete_records(topic, 0, 50)
        member.poll.resume([partition.lease])
        await member.has(70)
        assert {record.lease for record in member.got if record.lease.topic == topic} == {partition.lease}
        assert partition.frontier.commit_offset == 0
        member.settle_all()
        assert partition.frontier.commit_offset == 100
        produce(broker, fine, 5)
        await member.has(75)
        assert [offset for name, _, offset in member.spots() if name == topic] == [
            *range(10),
            *range(50, 100),
        ]
        assert [offset for name, _, offset in member.spots() if name == fine] == list(range(15))
        assert not member.fences


async def test_a_loss_is_told_once_however_often_librdkafka_tells_it(
    mock_broker: MockBroker, unique: Unique
) -> None:
    """An eager group can start one partition only by starting all anew, the halted one too."""
    topic, fresh, group = unique("orders"), unique("fresh"), unique("group")
    protocol = {"partition.assignment.strategy": "range"}
    mock_broker.create_topic(fresh, partitions=1)
    sent = produce(mock_broker, fresh, 10)
    await behind(mock_broker, topic, group, protocol)
    # Where `fresh` starts is not answered at once, so it is started later, and with it all the others.
    mock_broker.kafka.fail_requests(Api.LIST_OFFSETS, [Failure.BROKEN_CONNECTION] * 8)
    async with Member(mock_broker, group, topic, fresh, properties=protocol) as member:
        await member.has(10)
        await member.until(lambda: member.lost, "the loss to be told")
        await rounds(member, 15)
        assert member.spots() == sent
        assert len(member.lost) == 1


async def test_a_halted_partition_stands_still_through_a_rebalance(
    real_broker: Broker, unique: Unique
) -> None:
    """A neighbour that comes changes nothing for a partition that stays ours; it is told once."""
    topic, group = unique("orders"), unique("group")
    fine = unique("fine")
    real_broker.create_topic(fine, partitions=3)
    await behind(real_broker, topic, group, {})
    async with Member(real_broker, group, topic, fine) as member:
        await member.until(lambda: member.lost, "the loss to be told")
        async with Member(real_broker, group, topic, fine) as guest:
            await guest.until(lambda: guest.assignment, "a partition for the guest")
            await rounds(member, 5)
            told = [lease for lease, _ in member.lost + guest.lost]
            assert len(told) == len({*told})
            assert topic not in {name for name, _, _ in member.spots() + guest.spots()}


@PROTOCOLS
async def test_a_topic_created_anew_begins_under_a_new_lease(
    real_broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """Offsets begin again at 0: what is open of the old topic is finished, and not mixed up with the new."""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=1)
    produce(real_broker, topic, 100)
    async with unaware(real_broker, group, topic, protocol) as member:
        await member.has(100)
        (old,) = member.leases()
        await unnoticed(member, lambda: create_anew(real_broker, topic))
        produce(real_broker, topic, 10)
        await member.until(lambda: member.superseding or member.drains or not old.live, "the old one's end")
        member.settle_all()
        await member.has(110)
        (new,) = member.leases()
        assert not old.live
        await member.until(lambda: [each.end for each in member.assignment] == [10], "the new topic's end")
        assert [record.offset for record in member.got if record.lease is new] == list(range(10))
        assert len(member.settled) == 110
        assert member.failure is None


@PROTOCOLS
async def test_a_topic_created_anew_is_seen_by_its_epoch_too(
    own_broker: KafkaCluster, unique: Unique, protocol: dict[str, str]
) -> None:
    """A broker that comes back leads under a higher epoch, and librdkafka asks it how far that reached: the
    loss it then tells bears no offset. Not to be taken for a partition that the group has no offset of."""
    topic, group = unique("orders"), unique("group")
    own_broker.create_topic(topic, partitions=1)
    produce(own_broker, topic, 100)
    async with unaware(own_broker, group, topic, protocol) as member:
        await member.has(100)
        (old,) = member.leases()
        member.poll.pause([old])
        await rounds(member, 3)
        create_anew(own_broker, topic)
        produce(own_broker, topic, 10)
        own_broker.kill()
        await asyncio.to_thread(own_broker.start)
        await rounds(member, 3)
        member.poll.resume([old])
        await member.until(lambda: member.superseding or member.drains or not old.live, "the old one's end")
        member.settle_all()
        await member.has(110)
        assert not old.live
        assert [record.offset for record in member.got if record.lease is not old] == list(range(10))
        assert member.failure is None


@pytest.mark.parametrize("strategy", ["cooperative-sticky", "range"])
async def test_what_is_open_of_a_topic_created_anew_is_finished_however_long_it_takes(
    real_broker: Broker, unique: Unique, strategy: str
) -> None:
    """Nobody can read it again. Other partitions go on meanwhile, and a restart would begin the new topic at
    its beginning. (In the new protocol the group itself takes the partition back, as in any rebalance.)"""
    topic, fine, group = unique("orders"), unique("fine"), unique("group")
    for each in (topic, fine):
        real_broker.create_topic(each, partitions=1)
    produce(real_broker, topic, 100)
    async with Member(
        real_broker,
        group,
        topic,
        fine,
        settles=False,
        on_offset_lost="earliest",
        drain_timeout_s=1,
        properties=UNAWARE | {"partition.assignment.strategy": strategy},
    ) as member:
        await member.has(100)
        old = member.got[0].lease
        await unnoticed(member, lambda: create_anew(real_broker, topic))
        produce(real_broker, topic, 10)
        await member.until(lambda: member.superseding, "the new topic to be seen")
        assert member.superseding == [(old, 0)]
        await member.commit()
        assert committed(real_broker, group, topic) == 0
        await rounds(member, 20)
        produce(real_broker, fine, 5)
        await member.has(105)
        assert old.live
        member.settle_all()
        await member.has(115)
        assert len({*member.settled}) == 105


async def test_what_is_not_superseded_keeps_its_lease(mock_broker: MockBroker, unique: Unique) -> None:
    """The command crosses with a rebalance: by then the partition may be somebody else's, or ours anew."""
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    produce(mock_broker, topic, 10)
    async with Member(mock_broker, group, topic) as member:
        await member.has(10)
        (lease,) = member.leases()
        member.poll.renew(Lease(topic, 0, epoch=99))
        member.poll.renew(lease)
        await rounds(member, 3)
        assert member.leases() == [lease]
        assert lease.live


async def test_a_topic_created_anew_halts_by_default(real_broker: Broker, unique: Unique) -> None:
    """Offsets above the log end are lost ones too."""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=1)
    produce(real_broker, topic, 100)
    async with Member(real_broker, group, topic) as member:
        await member.has(100)
        create_anew(real_broker, topic)
        produce(real_broker, topic, 10)
        await member.until(lambda: member.lost, "the loss to be told")
        assert "it has 0 up to" in member.lost[0][1]


UNAWARE = {"topic.metadata.refresh.interval.ms": "300000"}
"""librdkafka's default. A member that looks at the right moment sees the topic missing, and loses it."""


def unaware(broker: Broker, group: str, topic: str, protocol: dict[str, str]) -> Member:
    """One that looks seldom, and settles nothing before it is told to."""
    return Member(
        broker,
        group,
        topic,
        settles=False,
        on_offset_lost="earliest",
        properties=UNAWARE | protocol,
    )


async def unnoticed(member: Member, happens: Callable[[], None]) -> None:
    """While it happens the member fetches nothing, so that no refusal makes it look either."""
    leases = member.leases()
    member.poll.pause(leases)
    await rounds(member, 3)
    happens()
    member.poll.resume(leases)


def create_anew(broker: Broker, topic: str) -> None:
    """Delete a topic and create it again, empty."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    admin.delete_topics([topic], operation_timeout=PATIENCE_S)[topic].result(PATIENCE_S)
    broker.create_topic(topic, partitions=1)
