"""What we know of records that we have not read: where the log ends, and where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from connector.kafka import offsets
from tests.broker.launcher.brokers import Broker
from tests.broker.member import PATIENCE_S, Member, produce
from tests.broker.test_offset_lost import behind
from tests.broker.test_poll import PROTOCOLS, rounds

Unique = Callable[[str], str]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@PROTOCOLS
async def test_the_lag_of_a_halted_partition_grows(
    broker: Broker, unique: Unique, protocol: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched from it, so its end is asked for; and what waits there gets older."""
    monkeypatch.setattr(offsets, "ENDS_STALE_S", 0.5)
    topic, group = unique("orders"), unique("group")
    await behind(broker, topic, group, protocol)
    async with Member(broker, group, topic, properties=protocol) as member:
        await member.until(lambda: member.lost, "the loss to be told")
        (partition,) = member.assignment
        await member.until(lambda: partition.end == 100, "the end")
        assert not partition.open_count
        produce(broker, topic, 20)
        await member.until(lambda: partition.end == 120, "the new end")
        await member.until(lambda: partition.unsettled_s(now_ms()) > 0, "an age")


@PROTOCOLS
async def test_a_transaction_s_mark_is_no_record_that_waits(
    real_broker: Broker, unique: Unique, protocol: dict[str, str]
) -> None:
    """It has an offset, so a group that has read everything would lag by one for as long as nothing comes. It
    is passed, and committed, once what is before it is settled."""
    topic, group = unique("orders"), unique("group")
    real_broker.create_topic(topic, partitions=1)
    writer = Producer({"bootstrap.servers": real_broker.bootstrap, "transactional.id": unique("writer")})
    writer.init_transactions(PATIENCE_S)

    def write(count: int) -> None:
        writer.begin_transaction()
        for number in range(count):
            writer.produce(topic, b"%d" % number)
        writer.commit_transaction(PATIENCE_S)

    write(3)
    async with Member(real_broker, group, topic, properties=protocol) as member:
        await member.has(3)
        (partition,) = member.assignment
        await member.commit()
        await member.until(lambda: partition.end == 4 == partition.frontier.commit_offset, "the mark")
        assert partition.unsettled_s(now_ms()) == 0
        await member.commit()
        assert partition.lag == 0
        member.settles = False
        write(2)
        await member.has(5)
        await member.until(lambda: partition.end == 7, "the second mark")
        await rounds(member, 30)
        assert partition.frontier.commit_offset == 4
        assert partition.unsettled_s(now_ms()) > 0
        member.settle_all()
        await member.until(lambda: partition.frontier.commit_offset == 7, "its end")
        assert partition.unsettled_s(now_ms()) == 0
    async with Member(real_broker, group, topic, properties=protocol) as member:
        await member.owns(1)
        write(1)
        await member.has(1)
        assert [offset for _, _, offset in member.spots()] == [7]


async def test_an_end_is_not_told_before_the_records_in_front_of_it_were_taken(
    broker: Broker, unique: Unique
) -> None:
    """Whoever is told first would commit what it never saw."""
    topic, group = unique("orders"), unique("group")
    broker.create_topic(topic, partitions=1)
    produce(broker, topic, 5)
    async with Member(broker, group, topic, settles=False, takes=False) as member:
        await member.until(lambda: member.slices, "a slice")
        (partition,) = member.assignment
        await member.until(lambda: partition.end == 5, "the end")
        await rounds(member, 30)
        assert not member.passes
        member.take_on()
        await member.until(lambda: member.passes, "the end, once it is told")
        assert member.passes == [{partition.lease: 5}]
        assert partition.frontier.commit_offset == 0
