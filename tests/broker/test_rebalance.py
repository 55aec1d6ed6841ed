"""Partitions change hands: nothing is lost, nothing is settled twice, and nobody waits for ever.

Only the new protocol does that on the embedded Kafka. In the classic one it waits `session.timeout.ms` less a
second for members to join again, and goes on without those it has not heard of by then: their partitions are
lost, their last commits refused (ILLEGAL_GENERATION), and what they sent is sent again. So on a busy machine
such a group proves nothing; Kafka waits for `max.poll.interval.ms`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from connector.kafka.embedded import Api, Failure
from connector.model.record import Lease
from tests.broker.launcher.brokers import Broker, MockBroker
from tests.broker.member import Member, committed, produce
from tests.broker.test_poll import PROTOCOLS, rounds

Unique = Callable[[str], str]


EAGER = {"partition.assignment.strategy": "range"}
NEW = {"group.protocol": "consumer"}
COOPERATIVE_GROUPS = [
    pytest.param("mock", NEW, id="mock-consumer"),
    pytest.param("real", NEW, id="real-consumer", marks=pytest.mark.broker),
    pytest.param("real", {}, id="real-cooperative", marks=pytest.mark.broker),
]
GROUPS = [*COOPERATIVE_GROUPS, pytest.param("real", EAGER, id="real-eager", marks=pytest.mark.broker)]
IN_GROUPS = pytest.mark.parametrize(("broker", "protocol"), GROUPS, indirect=["broker"])
IN_COOPERATIVE_GROUPS = pytest.mark.parametrize(
    ("broker", "protocol"), COOPERATIVE_GROUPS, indirect=["broker"]
)


@IN_GROUPS
async def test_members_come_and_go_without_loss_or_repeat(
    broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """Without a crash every record is settled exactly once, by whoever had its partition."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=6)
    sent = produce(broker, topic, 600, partitions=6)
    async with Member(broker, group, topic, settles=False, properties=protocol) as first:
        await first.has(600)
        async with Member(broker, group, topic, properties=protocol) as second:
            await first.until(lambda: first.drains, "the revocation")
            assert not second.got
            first.settle_all()
            await first.owns(3)
            await second.owns(3)
            sent += produce(broker, topic, 600, partitions=6)
            await second.until(lambda: len(first.settled) + len(second.got) >= 1200, "the second half")
            assert await second.poll.stop(10)
        await first.owns(6)
        sent += produce(broker, topic, 600, partitions=6)
        await first.until(lambda: len(first.settled) + len(second.settled) >= 1800, "the last third")
        assert await first.poll.stop(10)
    assert sorted(first.settled + second.settled) == sorted(sent)
    assert [committed(broker, group, topic, number) for number in range(6)] == [300] * 6
    assert not any(lost for _, lost in first.fences + second.fences)


async def test_who_hears_late_of_a_rebalance_loses_nothing(real_broker: Broker, unique: Unique) -> None:
    """On a busy machine a heartbeat may be seconds late; Kafka waits, so the last commit is taken."""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=2)
    produce(real_broker, topic, 20, partitions=2)
    late = {"heartbeat.interval.ms": "2500", "session.timeout.ms": "3000"}
    async with Member(real_broker, group, topic, settles=False, properties=late) as member:
        await member.has(20)
        async with Member(real_broker, group, topic) as other:
            await member.until(lambda: member.drains, "the revocation")
            member.settle_all()
            await member.until(lambda: member.fences, "the fence")
            await other.owns(1)
            assert [lost for _, lost in member.fences] == [False]
            assert not other.got


@PROTOCOLS
async def test_each_lease_gets_rising_offsets_while_the_group_churns(
    real_broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """What one call brings for a partition it also took away, or gave back, never reaches a new lease."""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=4)
    sent = produce(real_broker, topic, 4000, partitions=4)
    seen: list[Member] = []
    async with Member(real_broker, group, topic, properties=protocol) as first:
        seen.append(first)
        for _ in range(3):
            async with Member(real_broker, group, topic, properties=protocol) as guest:
                seen.append(guest)
                sent += produce(real_broker, topic, 2000, partitions=4)
                await guest.until(lambda: guest.assignment, "a partition for the guest")
                sent += produce(real_broker, topic, 2000, partitions=4)
                await guest.has(1)
        await first.until(lambda: sum(len(each.settled) for each in seen) >= 16000, "everything")
    assert sorted(spot for each in seen for spot in each.settled) == sorted(sent)
    for member in seen:
        for lease in {record.lease for record in member.got}:
            offsets = [record.offset for record in member.got if record.lease is lease]
            assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))


@pytest.mark.alone
@IN_GROUPS
async def test_a_drain_ends_at_its_deadline(broker: Broker, unique: Unique, protocol: dict[str, str]) -> None:
    """A record that can't be settled holds a rebalance no longer than agreed; its next owner reads it."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=2)
    produce(broker, topic, 20, partitions=2)
    async with Member(
        broker, group, topic, settles=False, answers="never", drain_timeout_s=1, properties=protocol
    ) as slow:
        await slow.has(20)
        async with Member(broker, group, topic, properties=protocol) as other:
            await slow.until(lambda: slow.drains, "the revocation")
            began = time.monotonic()
            await slow.until(lambda: slow.fences, "the fence")
            assert 0.9 < time.monotonic() - began < 2.5
            leases, _ = slow.fences[0]
            assert not any(lease.live for lease in leases)
            await other.has(10)
            assert {offset for _, _, offset in other.spots()} == set(range(10))


async def test_what_is_settled_in_the_drain_is_committed_with_it(real_broker: Broker, unique: Unique) -> None:
    """The next owner begins behind what we finished, also where something else stayed open."""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=2)
    produce(real_broker, topic, 20, partitions=2)
    async with Member(real_broker, group, topic, settles=False, answers="never") as leaving:
        await leaving.has(20)
        async with Member(real_broker, group, topic) as other:
            await leaving.until(lambda: leaving.drains, "the revocation")
            ((leases, drained),) = leaving.drains
            for record in leaving.got:
                if record.lease in leases and record.offset < 7:
                    leaving.assignment[record.lease].settle(record.offset, record.size)
            leaving.answer(leases, drained)
            await other.has(3)
            assert {offset for _, _, offset in other.spots()} == {7, 8, 9}


@pytest.mark.alone
@IN_GROUPS
async def test_a_stop_ends_a_drain_that_is_under_way(
    broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """A stop in the middle of a rebalance takes over its deadline, for what is revoked and for the rest."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=2)
    produce(broker, topic, 10, partitions=2)
    async with Member(broker, group, topic, settles=False, drain_timeout_s=60, properties=protocol) as member:
        await member.has(10)
        async with Member(broker, group, topic, properties=protocol):
            await member.until(lambda: member.drains, "the revocation")
            began = time.monotonic()
            await member.poll.stop(2)  # leaving the group may take longer; nothing waits for it
            assert time.monotonic() - began < 2.1
            assert not member.leases()
            assert sorted(each.epoch for fenced, _ in member.fences for each in fenced) == [1, 2]


async def test_a_stop_in_the_middle_of_a_rebalance_gives_nothing_away_unfinished(
    real_broker: Broker, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We leave the group when our last record is finished, not before: else the next owner would send newer
    events of a key while we are still sending older ones."""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=2)
    produce(real_broker, topic, 20, partitions=2)
    async with Member(real_broker, group, topic, settles=False, answers="never") as leaving:
        await leaving.has(20)
        async with Member(real_broker, group, topic) as other:
            await leaving.until(lambda: leaving.drains, "the revocation")
            first = leaving.drains[0]
            # From now on rounds are slow and hear nothing: the group's next word waits when we leave.
            monkeypatch.setattr(
                leaving.poll,
                "_poll_slice",
                lambda: time.sleep(1),  # the fault that is played, a round that hangs: nothing waits for it
            )
            leaving.answer(*first)
            await leaving.until(lambda: leaving.fences, "the first partition to be given back")
            await rounds(leaving, 1)
            stop = asyncio.create_task(leaving.poll.stop(20))
            await leaving.until(lambda: leaving.drains, "the drain of the stop")
            (last,) = leaving.drains
            await rounds(other, 15)
            assert {number for _, number, _ in other.spots()} <= {lease.partition for lease in first[0]}
            leaving.answer(*last)
            assert await stop
            await other.has(20)


async def test_a_refused_last_commit_counts_as_lost(mock_broker: MockBroker, unique: Unique) -> None:
    """Somebody else may have the partition already: what we finished there will be sent again."""
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    produce(mock_broker, topic, 10)
    async with Member(mock_broker, group, topic) as member:
        await member.has(10)
        mock_broker.kafka.fail_requests(Api.OFFSET_COMMIT, [Failure.UNKNOWN_MEMBER_ID])
        assert await member.poll.stop(5)
        assert [lost for _, lost in member.fences] == [True]
        assert member.commits[-1][1] is not None


async def test_lost_partitions_are_fenced_at_once(mock_broker: MockBroker, unique: Unique) -> None:
    """The group has thrown us out: no drain, no commit, and what comes late is inert. Then we join again."""
    topic, group = unique("orders"), unique("group")
    mock_broker.create_topic(topic, partitions=1)
    produce(mock_broker, topic, 10)
    async with Member(mock_broker, group, topic, settles=False) as member:
        await member.has(10)
        (lease,) = member.leases()
        mock_broker.kafka.fail_requests(Api.HEARTBEAT, [Failure.UNKNOWN_MEMBER_ID])
        await member.until(lambda: member.fences, "the fence")
        assert member.fences == [([lease], True)]
        assert not lease.live
        assert not member.drains
        assert not member.commits
        assert member.stays[:2] == [True, False]
        await member.has(20)
        assert member.joined
        (again,) = member.leases()
        assert again.epoch > lease.epoch
        assert [record.offset for record in member.got if record.lease is again] == list(range(10))


@pytest.mark.parametrize(
    "protocol",
    [
        pytest.param({"partition.assignment.strategy": "range", "session.timeout.ms": "2000"}, id="eager"),
        pytest.param({"group.protocol": "consumer"}, id="consumer"),
    ],
)
async def test_a_drain_longer_than_kafka_allows_is_lost_and_known_to_be(
    real_broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """Who gives nothing back for `max.poll.interval.ms` is thrown out, and the others go on; the commit after
    it is refused, and not believed. (A cooperative group waits for its member.)"""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=2)
    produce(real_broker, topic, 20, partitions=2)
    short = {**protocol, "max.poll.interval.ms": "2000"}
    async with Member(
        real_broker, group, topic, settles=False, answers="never", drain_timeout_s=30, properties=short
    ) as slow:
        await slow.has(20)
        async with Member(real_broker, group, topic, properties=short) as other:
            await slow.until(lambda: slow.drains, "the revocation")
            ((leases, drained),) = slow.drains
            await other.has(10)
            for record in slow.got:
                slow.assignment[record.lease].settle(record.offset, record.size)
            slow.answer(leases, drained)
            await slow.until(lambda: slow.fences, "the fence")
            assert slow.fences[0] == (leases, True)
            assert slow.commits[0][1] is not None
            slow.answers = "at_once"


@IN_COOPERATIVE_GROUPS
async def test_a_commanded_pause_survives_a_rebalance(
    broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """Partitions that stay ours stay paused; they must not flow because a neighbour came."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=4)
    async with Member(broker, group, topic, properties=protocol) as member:
        await member.owns(4)
        member.poll.pause(member.leases())
        await rounds(member, 2)
        async with Member(broker, group, topic, properties=protocol) as guest:
            await member.owns(2)
            await guest.owns(2)
            sent = produce(broker, topic, 80, partitions=4)
            await guest.has(40)
            await rounds(member, 3)
            assert not member.got
            member.poll.resume(member.leases())
            await member.has(40)
            assert sorted(member.spots() + guest.spots()) == sent


@PROTOCOLS
async def test_a_pause_does_not_outlive_its_lease(
    real_broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """librdkafka keeps a partition's pause though it was taken away and given back; nobody would end it."""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=2)
    async with Member(real_broker, group, topic, properties=protocol) as member:
        await member.owns(2)
        member.poll.pause(member.leases())
        await rounds(member, 2)
        async with Member(real_broker, group, topic, properties=protocol) as guest:
            await guest.owns(1)
            assert await guest.poll.stop(5)
        await member.owns(2)
        (back,) = {(each.topic, each.partition) for each in guest_leases(guest)}
        produce(real_broker, topic, 20, partitions=2)
        await member.has(10)
        assert back in {spot[:2] for spot in member.spots()}


def guest_leases(guest: Member) -> list[Lease]:
    """What a guest had, all of it given back."""
    return [lease for leases, _ in guest.fences for lease in leases]


@PROTOCOLS
async def test_a_member_without_a_partition_knows_that_it_is_in_the_group(
    broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """More replicas than partitions is normal; the spare one must become ready."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=1)
    async with Member(broker, group, topic, properties=protocol) as first:
        await first.owns(1)
        async with Member(broker, group, topic, properties=protocol) as spare:
            await spare.until(lambda: spare.joined, "the spare to be in the group")
            assert len(spare.assignment) + len(first.assignment) <= 1
