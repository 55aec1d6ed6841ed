"""A schema that the registry must be asked for: its partition waits, in order, and nobody else."""

from __future__ import annotations

import asyncio

import pytest

from connector.codec.decoder import NotFound
from connector.pipeline import DECODE_SLICE
from connector.vendors.contract import Response
from tests.delivery import virtual_time
from tests.pipeline.rig import Rig, event_id, framed, in_json, item_ids
from tests.pipeline.waiting import soon


def ids(*numbers: int) -> list[str]:
    """The item ids of these events."""
    return [each for number in numbers for each in item_ids(event_id(number))]


def test_an_unknown_schema_parks_its_partition_only() -> None:
    """An outage of the registry is not a bad event: nothing of the partition passes, everything else does."""

    async def story() -> None:
        async with Rig() as rig:
            lease, other = rig.assign(), rig.assign(1)
            rig.poll(lease, framed(7, 1), in_json(2), None)
            rig.poll(other, in_json(3))
            await soon(lambda: rig.books() == {"delivered": 1, "in_flight": 3})
            await asyncio.sleep(3600)
            assert rig.sent == ids(3)
            assert rig.partition(lease).frontier.commit_offset == 0
            assert rig.books() == {"delivered": 1, "in_flight": 3}

    virtual_time.run(story())


def test_order_is_kept_after_the_fetch() -> None:
    """Records that came while the partition waited follow those that waited before them."""

    async def story() -> None:
        async with Rig() as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1), framed(7, 2), in_json(3))
            await asyncio.sleep(5)
            rig.poll(lease, in_json(4), framed(7, 5))
            await asyncio.sleep(5)
            rig.schemas.register(7)
            await soon(lambda: rig.books() == {"delivered": 5})
            assert rig.sent == ids(1, 2, 3, 4, 5)

    virtual_time.run(story())


@pytest.mark.parametrize("first_known", [7, 8])
def test_order_is_kept_when_two_schemas_are_unknown(first_known: int) -> None:
    """Whichever the registry tells first, and although the other one is still missing then."""

    async def story() -> None:
        async with Rig() as rig:
            lease, other = rig.assign(), rig.assign(1)
            rig.poll(lease, framed(7, 1), framed(8, 2), in_json(3), framed(7, 4))
            rig.poll(other, framed(8, 11), framed(7, 12))
            await asyncio.sleep(1)
            rig.schemas.register(first_known)
            await asyncio.sleep(60)
            rig.schemas.register(15 - first_known)
            await soon(lambda: rig.books() == {"delivered": 6})
            assert [each for each in rig.sent if each in ids(1, 2, 3, 4)] == ids(1, 2, 3, 4)
            assert [each for each in rig.sent if each in ids(11, 12)] == ids(11, 12)

    virtual_time.run(story())


def test_an_id_that_does_not_exist_is_a_dead_letter_and_the_partition_goes_on() -> None:
    """Only the registry's own word for it counts."""

    async def story() -> None:
        async with Rig() as rig:
            rig.schemas.known[7] = NotFound()
            rig.poll(rig.assign(), framed(7, 1), in_json(2))
            await soon(lambda: rig.books() == {"delivered": 1, "dead_lettered": 1})
            assert rig.topic.reasons == {0: "unknown_schema"}

    virtual_time.run(story())


def test_a_partition_that_is_revoked_while_it_waits_is_handed_back_at_once() -> None:
    """Nothing of it can be finished here; the answer of the registry comes too late and touches nothing."""

    async def story() -> None:
        async with Rig() as rig:
            lease, other = rig.assign(), rig.assign(1)
            rig.poll(lease, in_json(1), framed(7, 2), in_json(3))
            rig.poll(other, framed(7, 4))
            await soon(lambda: rig.books() == {"delivered": 1, "in_flight": 3})
            assert rig.revoke(lease).result(timeout=0) == {lease: 1}
            rig.schemas.register(7)
            await soon(lambda: rig.books() == {"delivered": 2, "in_flight": 2})
            rig.fence(lease)
            assert rig.books() == {"delivered": 2, "released": 2}
            assert rig.sent == ids(1, 4)

    virtual_time.run(story())


def test_a_partition_that_was_lost_while_it_waited_waits_for_nothing() -> None:
    """And when it comes back its records wait under the new lease."""

    async def story() -> None:
        async with Rig() as rig:
            first = rig.assign()
            rig.poll(first, framed(7, 1))
            await asyncio.sleep(1)
            rig.fence(first, lost=True)
            rig.poll(rig.assign(), framed(7, 1), in_json(2))
            await asyncio.sleep(1)
            rig.schemas.register(7)
            await soon(lambda: rig.books() == {"delivered": 2, "released": 1})
            assert rig.sent == ids(1, 2)

    virtual_time.run(story())


def test_a_long_wait_ends_in_slices() -> None:
    """Thousands of records that waited are taken up as they would have been polled: the loop turns in between
    and the sender's room counts."""

    async def story() -> None:
        many = 40 * DECODE_SLICE
        waiting: list[int] = []

        def answer(_: list[str]) -> Response:
            waiting.append(rig.sender.snapshot().waiting)
            return Response(200)

        async with Rig(answer) as rig:
            rig.poll(rig.assign(), framed(7, 0), *(in_json(number) for number in range(1, many)))
            await soon(lambda: rig.kafka.slices_done == 1)
            rig.schemas.register(7)
            await soon(lambda: rig.books() == {"delivered": many})
            assert rig.sent == ids(*range(many))
            assert max(waiting) < 40, "batches piled up before a vendor that takes a few at a time"

    virtual_time.run(story())


def test_partitions_that_waited_go_on_side_by_side() -> None:
    """A long one does not hold a short one up."""

    async def story() -> None:
        async with Rig() as rig:
            long, short = rig.assign(), rig.assign(1)
            rig.poll(long, *(framed(7, number) for number in range(10 * DECODE_SLICE)))
            rig.poll(short, framed(7, 99_999))
            await soon(lambda: rig.books() == {"in_flight": 10 * DECODE_SLICE + 1})
            rig.schemas.register(7)
            await soon(lambda: rig.books() == {"delivered": 10 * DECODE_SLICE + 1}, within_s=3600)
            assert rig.sent.index(ids(99_999)[0]) <= 2 * DECODE_SLICE

    virtual_time.run(story())


def test_a_bug_on_the_way_back_from_the_registry_ends_the_process() -> None:
    """A partition must not wait for ever for what died unseen."""

    async def story() -> None:
        async with Rig() as rig:
            rig.schemas.bug = True
            rig.poll(rig.assign(), framed(7, 1))
            with pytest.raises(ZeroDivisionError):
                await asyncio.wait_for(asyncio.shield(rig.pipeline.failed), 60)

    virtual_time.run(story())


@pytest.mark.parametrize("answered", [False, True], ids=["waiting for the registry", "waiting for room"])
def test_closing_ends_whoever_waits_for_a_schema(answered: bool) -> None:
    """No task outlives a stop, wherever it is on its way back."""

    async def story() -> None:
        async with Rig(latency_s=3600) as rig:
            rig.poll(rig.assign(), *(framed(7, number) for number in range(40 * DECODE_SLICE)))
            await soon(lambda: rig.kafka.slices_done == 1)
            if answered:
                rig.schemas.register(7)
                await soon(lambda: not rig.sender.has_room)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual_time.run(story())
