"""A revocation: what can be finished is finished, what cannot is handed back, and nobody waits in vain."""

from __future__ import annotations

import asyncio
from unittest import mock

import pytest

from connector.pipeline import DRAIN_TICK_S
from connector.vendors.contract import Response
from tests.delivery import virtual_time
from tests.pipeline.rig import Rig, event_id, in_json
from tests.pipeline.waiting import soon


def test_a_partition_at_rest_is_given_back_at_once() -> None:
    """With the offset that its next owner begins at."""

    async def story() -> None:
        async with Rig() as rig:
            lease = rig.assign(start=40)
            assert rig.revoke(lease).result(timeout=0) == {lease: 40}

    virtual_time.run(story())


def test_what_is_under_way_is_finished_first() -> None:
    """Also what still lingered for company: it is sent at once, and the drain ends with the last answer."""

    async def story() -> None:
        async with Rig(latency_s=3, linger_s=50) as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1), in_json(2))
            await soon(lambda: rig.books() == {"in_flight": 2})
            began = asyncio.get_running_loop().time()
            drained = rig.revoke(lease)
            await soon(drained.done)
            assert drained.result() == {lease: 2}
            assert asyncio.get_running_loop().time() - began == pytest.approx(3, abs=0.1)
            rig.fence(lease)
            assert rig.books() == {"delivered": 2}

    virtual_time.run(story())


def test_a_drain_ends_at_its_deadline() -> None:
    """A slow vendor does not hold a rebalance up: what is left is the next owner's, from the frontier on."""

    async def story() -> None:
        async with Rig(lambda ids: Response(200), latency_s=300, drain_timeout_s=20) as rig:
            lease = rig.assign()
            rig.poll(lease, None, in_json(2), None)
            await soon(lambda: bool(rig.wire.in_flight))
            began = asyncio.get_running_loop().time()
            drained = rig.revoke(lease)
            await soon(drained.done)
            assert drained.result() == {lease: 1}
            assert asyncio.get_running_loop().time() - began == pytest.approx(20, abs=0.2)
            rig.fence(lease)
            assert rig.books() == {"skipped": 2, "released": 1}

    virtual_time.run(story())


def test_a_drain_ends_at_once_when_nothing_can_leave() -> None:
    """Halted: the deadline would pass for nothing."""

    async def story() -> None:
        async with Rig(lambda ids: Response(401)) as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1))
            await soon(lambda: rig.telemetry.halt_reason == "auth")
            assert rig.revoke(lease).result(timeout=0) == {lease: 0}

    virtual_time.run(story())


def test_what_is_on_the_wire_is_waited_for_even_when_nothing_else_can_leave() -> None:
    """A halt ends sending, not listening: the answer to come settles its record, which the next owner would
    send again. What waits behind it can't leave, and is not waited for."""

    async def story() -> None:
        async with Rig(lambda ids: Response(200 if event_id(1) in ids[0] else 401), max_in_flight=2) as rig:
            slow, refused = rig.assign(), rig.assign(1)
            rig.wire.latency_s = 3
            rig.poll(slow, in_json(1))
            await soon(lambda: rig.wire.in_flight == 1)
            rig.wire.latency_s = 0.05
            rig.poll(refused, in_json(2))
            await soon(lambda: rig.telemetry.halt_reason == "auth")
            rig.poll(slow, in_json(3))
            assert rig.revoke(refused).result(timeout=0) == {refused: 0}
            drained = rig.revoke(slow)
            assert not drained.done()
            await soon(drained.done, within_s=4)
            assert drained.result() == {slow: 1}

    virtual_time.run(story())


def test_a_dead_letter_on_its_way_is_waited_for_even_when_nothing_else_can_leave() -> None:
    """Kafka's acknowledgement settles it, whatever the vendor says."""

    async def story() -> None:
        async with Rig(lambda ids: Response(401)) as rig:
            rig.topic.acknowledges = False
            lease = rig.assign()
            rig.poll(lease, b"\xff", in_json(1))
            await soon(lambda: rig.telemetry.halt_reason == "auth")
            drained = rig.revoke(lease)
            assert not drained.done()
            rig.topic.acknowledge()
            await soon(drained.done, within_s=1)
            assert drained.result() == {lease: 1}

    virtual_time.run(story())


def test_nobody_waits_for_a_sender_that_a_bug_has_broken() -> None:
    """The process ends because of it, and what is open is the next run's."""

    async def story() -> None:
        rig = Rig(lambda ids: Response(200))
        async with rig:
            lease = rig.assign()
            with mock.patch.object(rig.destination, "judge", side_effect=ZeroDivisionError("a bug")):
                rig.poll(lease, in_json(1))
                await soon(lambda: bool(rig.wire.sent))
                await asyncio.sleep(1)
            drained.append(rig.revoke(lease).done())

    drained: list[bool] = []
    with pytest.raises(ZeroDivisionError):
        virtual_time.run(story())
    assert drained == [True]


def test_a_draining_partition_is_fed_no_more() -> None:
    """What was polled before the revocation and not looked at yet is handed back, and counted."""

    async def story() -> None:
        async with Rig(latency_s=3) as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1))
            await soon(lambda: bool(rig.wire.in_flight))
            drained = rig.revoke(lease)
            rig.poll(lease, in_json(2))
            await soon(drained.done)
            assert drained.result() == {lease: 1}
            assert rig.books() == {"delivered": 1, "released": 1}
            rig.fence(lease)
            rig.poll(lease, in_json(3))
            await soon(lambda: rig.kafka.slices_done == 3)
            assert rig.books() == {"delivered": 1, "released": 2}

    virtual_time.run(story())


def test_the_process_that_ends_has_the_time_it_was_given() -> None:
    """A drain that is already under way when the process is told to stop is cut to that time, too: whoever
    waits for it will not wait longer, and what was finished must be committed."""

    async def story() -> None:
        async with Rig(latency_s=300, drain_timeout_s=20) as rig:
            first, second = rig.assign(), rig.assign(1)
            rig.poll(first, None, in_json(1))
            rig.poll(second, in_json(2))
            await soon(lambda: rig.books() == {"skipped": 1, "in_flight": 2})
            began = asyncio.get_running_loop().time()
            under_way = rig.revoke(first)
            rig.pipeline.stop_within(5)
            at_the_end = rig.revoke(second)
            await soon(lambda: under_way.done() and at_the_end.done())
            assert asyncio.get_running_loop().time() - began == pytest.approx(5, abs=0.2)
            assert under_way.result() == {first: 1}

    virtual_time.run(story())


def test_what_a_stop_that_was_cut_off_leaves_open_is_released() -> None:
    """The poll thread is left behind and fences nothing any more: the books are right all the same, and late
    answers are inert."""

    async def story() -> None:
        async with Rig(latency_s=5) as rig:
            rig.poll(rig.assign(), in_json(1), in_json(2))
            rig.poll(rig.assign(1), None)
            await soon(lambda: bool(rig.wire.in_flight))
            rig.pipeline.let_go()
            assert rig.books() == {"skipped": 1, "released": 2}
            await asyncio.sleep(10)
            assert rig.books() == {"skipped": 1, "released": 2}
            rig.pipeline.let_go()

    virtual_time.run(story())


def test_a_poll_thread_that_gave_up_waiting_disturbs_nobody() -> None:
    """It fences without an answer when its own time is up; the other partitions go on, and so do later
    drains."""

    async def story() -> None:
        async with Rig(latency_s=5) as rig:
            lease, other = rig.assign(), rig.assign(1)
            rig.poll(lease, in_json(1))
            rig.poll(other, in_json(2))
            await soon(lambda: bool(rig.wire.in_flight))
            assert rig.revoke(lease).cancel()
            rig.fence(lease, lost=True)
            await soon(lambda: rig.books() == {"delivered": 1, "released": 1})
            assert rig.revoke(other).result(timeout=0) == {other: 1}

    virtual_time.run(story())


def test_a_long_drain_looks_as_often_however_much_settles_in_it() -> None:
    """A thousand outcomes during a drain are not a thousand timers."""

    async def story() -> None:
        async with Rig(latency_s=0.5) as rig:
            lease, other = rig.assign(), rig.assign(1)
            rig.topic.acknowledges = False
            rig.poll(lease, b"\xff", *(in_json(number) for number in range(1000)))
            rig.poll(other, None)
            await soon(lambda: rig.kafka.slices_done == 2)
            drained = rig.revoke(lease)
            await soon(lambda: rig.books().get("delivered") == 1000)
            assert not drained.done()
            with mock.patch.object(rig.sender, "nothing_can_leave", return_value=False) as asked:
                await asyncio.sleep(100 * DRAIN_TICK_S)
            assert 90 <= asked.call_count <= 101

    virtual_time.run(story())
