"""What we hold is bounded: partitions pause when a vendor or the dead-letter topic is slow, and go on."""

from __future__ import annotations

import asyncio

import pytest

from connector.kafka.budget import Budget
from connector.model.record import RECORD_OVERHEAD_BYTES
from connector.vendors.contract import Response
from tests.delivery import virtual_time
from tests.pipeline.rig import Rig, framed, in_json
from tests.pipeline.waiting import soon

HOLDS_TEN = 10 * RECORD_OVERHEAD_BYTES


def test_a_full_sender_pauses_everything_after_100_ms_and_resumes_when_there_is_room() -> None:
    """Not sooner: a burst must not throw away what was fetched ahead."""

    async def story() -> None:
        async with Rig(latency_s=10) as rig:
            lease, other = rig.assign(), rig.assign(1)
            rig.poll(lease, *(in_json(number) for number in range(320)))
            rig.poll(lease, in_json(999))
            await asyncio.sleep(0.09)
            assert not rig.sender.has_room
            assert not rig.kafka.paused
            await asyncio.sleep(0.02)
            assert rig.kafka.paused == {lease, other}
            assert rig.kafka.slices_done == 0
            await soon(lambda: rig.books() == {"delivered": 321}, 600)
            assert not rig.kafka.paused

    virtual_time.run(story())


def test_a_halt_pauses_everything_and_the_end_of_the_halt_resumes_it() -> None:
    """A key that works again is found within half a minute, without a restart and without a dead letter."""

    async def story() -> None:
        async with Rig(lambda ids: Response(200 if rig.wire.credentials["x-key"] == "new" else 401)) as rig:
            lease, other = rig.assign(), rig.assign(1)
            rig.poll(lease, in_json(1), in_json(2))
            await soon(lambda: rig.telemetry.halt_reason == "auth")
            assert rig.kafka.paused == {lease, other}
            assert rig.books() == {"in_flight": 2}
            await soon(lambda: rig.books() == {"delivered": 2}, 31)
            assert not rig.kafka.paused
            assert rig.telemetry.halt_reason is None

    virtual_time.run(story())


def test_a_partition_that_comes_during_a_halt_is_paused_at_once() -> None:
    """It would only fill memory."""

    async def story() -> None:
        async with Rig(lambda ids: Response(401)) as rig:
            rig.poll(rig.assign(), in_json(1))
            await soon(lambda: rig.telemetry.halt_reason == "auth")
            late = rig.assign(1)
            assert late in rig.kafka.paused

    virtual_time.run(story())


def test_the_budget_pauses_and_what_the_vendor_takes_resumes() -> None:
    """Bytes, not records: a partition pauses alone at its share, and goes on with room to spare."""

    async def story() -> None:
        async with Rig(latency_s=10, budget=Budget(4 * HOLDS_TEN, 0.5, 50_000)) as rig:
            lease, other = rig.assign(), rig.assign(1)
            rig.poll(lease, *(in_json(number) for number in range(20)))
            await soon(lambda: rig.kafka.slices_done == 1)
            assert rig.kafka.paused == {lease}
            rig.poll(other, *(in_json(number) for number in range(100, 120)))
            await soon(lambda: rig.kafka.slices_done == 2)
            assert rig.kafka.paused == {lease, other}
            await soon(lambda: rig.books() == {"delivered": 40})
            assert not rig.kafka.paused
            assert rig.kafka.pauses == 2

    virtual_time.run(story())


@pytest.mark.parametrize("bad", [b"\xff", in_json(1, do="refuse")])
def test_partitions_that_pause_for_dead_letters_go_on_when_those_are_written(bad: bytes) -> None:
    """A dead-letter topic that was missing fills the budget with nothing but letters: once Kafka takes them,
    nobody must act and no other event must come by."""

    async def story() -> None:
        async with Rig(budget=Budget(HOLDS_TEN, 0.5, 50_000)) as rig:
            rig.topic.acknowledges = False
            lease = rig.assign()
            rig.poll(lease, *[bad] * 12)
            await soon(lambda: rig.kafka.paused == {lease})
            rig.topic.acknowledge()
            await soon(lambda: not rig.kafka.paused, 2)
            assert rig.books() == {"dead_lettered": 12}

    virtual_time.run(story())


def test_partitions_that_pause_for_a_schema_go_on_when_it_is_known() -> None:
    """Even when not one of the records that waited is for the vendor."""

    async def story() -> None:
        async with Rig(budget=Budget(HOLDS_TEN, 0.5, 50_000)) as rig:
            lease = rig.assign()
            rig.poll(lease, *(framed(7, number, do="skip") for number in range(12)))
            await soon(lambda: rig.kafka.paused == {lease})
            rig.schemas.register(7)
            await soon(lambda: rig.books() == {"skipped": 12})
            await soon(lambda: not rig.kafka.paused, 2)

    virtual_time.run(story())


def test_what_is_kept_of_a_refusal_counts_until_its_letter_is_written() -> None:
    """Vendors may say more than the record does: uncounted, a missing topic would fill memory with it."""

    async def story() -> None:
        words = b"w" * 1000
        async with Rig(lambda ids: Response(400, body=words)) as rig:
            rig.topic.acknowledges = False
            lease = rig.assign()
            (record,) = rig.records(lease, in_json(1, items="2"))
            rig.pipeline.polled([record])
            await soon(lambda: len(rig.topic.waiting) == 1)
            kept = rig.partition(lease).open_bytes - record.size
            assert 2 * len(words) < kept < 4 * len(words)  # once each as detail and body, not once an item
            rig.topic.acknowledge()
            assert rig.partition(lease).open_bytes == 0

    virtual_time.run(story())
