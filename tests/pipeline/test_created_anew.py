"""A topic is created anew while we work on the old one. Nobody can read that again: none is given up."""

from __future__ import annotations

import asyncio

from connector.vendors.contract import Response
from tests.delivery import virtual_time
from tests.pipeline.rig import Rig, framed, in_json
from tests.pipeline.waiting import soon

EVERY_S = 1.0
"""How often the process commits."""


async def commits(rig: Rig, count: int) -> None:
    """So many seconds go by."""
    for _ in range(count):
        await asyncio.sleep(EVERY_S)
        rig.pipeline.commit()


def test_what_is_open_and_what_was_handed_over_is_delivered_first() -> None:
    """Also what nobody has looked at yet; then the new topic is asked for."""

    async def story() -> None:
        async with Rig(latency_s=5) as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1))
            await soon(lambda: bool(rig.wire.in_flight))
            rig.poll(lease, in_json(2), in_json(3))
            rig.pipeline.superseded(lease, 0)
            rig.pipeline.commit()
            await commits(rig, 4)
            assert not rig.kafka.renewed
            await commits(rig, 10)
            assert rig.kafka.renewed[0] is lease
            rig.fence(lease)
            assert rig.books() == {"delivered": 3}

    virtual_time.run(story())


def test_the_new_topic_is_not_asked_for_while_records_of_the_old_one_wait_to_be_looked_at() -> None:
    """Nothing is open yet, and all of it is still to come."""

    async def story() -> None:
        async with Rig() as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1))
            rig.pipeline.superseded(lease, 0)
            rig.pipeline.commit()
            assert not rig.kafka.renewed
            await commits(rig, 2)
            assert rig.kafka.renewed[0] is lease
            assert rig.books() == {"delivered": 1}

    virtual_time.run(story())


def test_where_the_new_topic_begins_is_committed_at_once() -> None:
    """After a crash the old offsets would mean other records, and skip those before them."""

    async def story() -> None:
        async with Rig(latency_s=5) as rig:
            lease = rig.assign(start=40)
            rig.poll(lease, None, in_json(1))
            await soon(lambda: bool(rig.wire.in_flight))
            rig.pipeline.superseded(lease, 0)
            rig.pipeline.commit()
            assert rig.kafka.commits == [{lease: 0}]
            drained = rig.revoke(lease)
            await soon(drained.done)
            assert drained.result() == {lease: 0}

    virtual_time.run(story())


def test_an_outage_is_waited_for() -> None:
    """Of the vendor and of the registry, however long."""

    async def story() -> None:
        async with Rig(lambda ids: Response(200 if rig.schemas.known else 503)) as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1), framed(7, 2), in_json(3))
            await soon(lambda: bool(rig.wire.sent))
            rig.pipeline.superseded(lease, 0)
            await commits(rig, 3600)
            assert not rig.kafka.renewed
            rig.schemas.register(7)
            await commits(rig, 600)
            assert rig.kafka.renewed
            assert rig.books() == {"delivered": 3}

    virtual_time.run(story())


def test_a_rebalance_in_the_middle_of_it_waits_for_what_was_handed_over() -> None:
    """The next owner can't read it; and what does not fit into the deadline is counted."""

    async def story() -> None:
        async with Rig(latency_s=5, drain_timeout_s=20) as rig:
            lease, slow = rig.assign(), rig.assign(1)
            for each in (lease, slow):
                rig.pipeline.superseded(each, 0)
            rig.poll(lease, in_json(1))
            drained = rig.revoke(lease)
            assert not drained.done()
            await soon(drained.done, within_s=6)
            rig.fence(lease)
            assert rig.books() == {"delivered": 1}
            rig.wire.latency_s = 60
            rig.poll(slow, in_json(2))
            drained = rig.revoke(slow)
            await soon(drained.done, within_s=21)
            rig.fence(slow)
            rig.poll(slow, in_json(3))
            await soon(lambda: rig.kafka.slices_done == 3)
            assert rig.books() == {"delivered": 1, "released": 2}

    virtual_time.run(story())
