"""Kafka no longer has the offset to go on from: the operator says what then, and nothing happens silently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from confluent_kafka.admin import AdminClient

from tests.broker.launcher.brokers import Broker
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
        ((lease, detail),) = member.lost.items()
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
    """At the first or behind the last record; told as a move, so that the frontier and the commit follow."""
    topic, group = unique("orders"), unique("group")
    await behind(broker, topic, group, protocol)
    async with Member(
        broker, group, topic, settles=False, on_offset_lost=rule, properties=protocol
    ) as member:
        await member.until(lambda: member.moves, "the move")
        assert [offset for _, offset in member.moves] == [start]
        await member.commit()
        assert committed(broker, group, topic) == start
        produce(broker, topic, 10)
        await member.has(110 - start)
        assert [offset for _, _, offset in member.spots()] == list(range(start, 110))


async def test_retention_overtakes_while_we_wait(broker: Broker, unique: Unique) -> None:
    """A vendor outage longer than the topic's retention: what is open is kept and settled, then it goes on
    behind the gap; the commit point never passes what is open."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=1)
    produce(broker, topic, 10)
    async with Member(broker, group, topic, settles=False, on_offset_lost="earliest") as member:
        await member.has(10)
        (partition,) = member.assignment
        member.poll.pause([partition.lease])
        await rounds(member, 2)
        produce(broker, topic, 90)
        broker.delete_records(topic, 0, 50)
        member.poll.resume([partition.lease])
        await member.has(60)
        assert [offset for _, _, offset in member.spots()] == [*range(10), *range(50, 100)]
        assert {record.lease for record in member.got} == {partition.lease}
        assert partition.frontier.commit_offset == 0
        member.settle_all()
        assert partition.frontier.commit_offset == 100
        assert not member.fences


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
            told = [*member.lost, *guest.lost]
            assert len(told) == len({(lease.topic, lease.epoch) for lease in told})
            assert topic not in {name for name, _, _ in member.spots() + guest.spots()}


@PROTOCOLS
async def test_a_topic_created_anew_begins_under_a_new_lease(
    real_broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """Offsets begin again at 0: what is open of the old topic is finished, and not mixed up with the new."""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=1)
    produce(real_broker, topic, 100)
    async with Member(
        real_broker, group, topic, settles=False, on_offset_lost="earliest", properties=protocol
    ) as member:
        await member.has(100)
        (old,) = member.leases()
        create_anew(real_broker, topic)
        produce(real_broker, topic, 10)
        await member.until(lambda: member.drains or not old.live, "the old lease to end")
        member.settle_all()
        await member.has(110)
        (new,) = member.leases()
        assert not old.live
        assert [record.offset for record in member.got if record.lease is new] == list(range(10))
        assert len([each for each in member.settled if each[2] < 100]) >= 10
        assert member.failure is None


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
        assert "0 up to 10" in next(iter(member.lost.values()))


def create_anew(broker: Broker, topic: str) -> None:
    """Delete a topic and create it again, empty."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    admin.delete_topics([topic], operation_timeout=PATIENCE_S)[topic].result(PATIENCE_S)
    broker.create_topic(topic, partitions=1)
