"""One record, one outcome: what becomes of good, bad and unwanted ones, and that neighbours do not notice."""

from __future__ import annotations

import asyncio
from unittest import mock

import msgspec
from structlog.testing import capture_logs

from connector.delivery.flood import FloodGuard
from connector.model.record import Record
from connector.vendors.contract import Response
from tests.delivery import virtual_time
from tests.delivery.acme import LIMITS, Answer
from tests.pipeline.rig import Rig, event_id, in_json, item_ids
from tests.pipeline.waiting import soon


def poisoned(*ids: str) -> Answer:
    """A vendor that refuses every request with one of these."""
    return lambda sent: Response(400, body=b"bad price") if set(ids) & set(sent) else Response(200)


def test_a_record_is_delivered_and_its_offset_may_be_committed() -> None:
    """The plain way: from `polled` to a commit behind it, bytes given back."""

    async def story() -> None:
        async with Rig() as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1), in_json(2))
            await soon(lambda: rig.books() == {"delivered": 2})
            assert rig.partition(lease).frontier.commit_offset == 2
            assert rig.assignment.open_bytes == 0
            assert rig.kafka.slices_done == 1

    virtual_time.run(story())


def test_a_tombstone_is_skipped() -> None:
    """A record without a value is nobody's mistake."""

    async def story() -> None:
        async with Rig() as rig:
            lease = rig.assign()
            rig.poll(lease, None)
            await soon(lambda: rig.books() == {"skipped": 1})
            assert rig.telemetry.outcomes() == {"skipped": {"tombstone": 1}}
            assert rig.partition(lease).frontier.commit_offset == 1

    virtual_time.run(story())


def test_a_record_that_comes_again_is_not_taken_again() -> None:
    """librdkafka brings one of a damaged lz4 batch again and again. It must not end the process, at every
    start, and with it every other partition; that it comes is told."""

    async def story() -> None:
        async with Rig() as rig:
            lease, other = rig.assign(), rig.assign(1)
            first, again = rig.records(lease, in_json(1), in_json(2))
            with capture_logs() as lines:
                rig.pipeline.polled([first, again, again])
                rig.pipeline.polled([again])
                rig.poll(other, in_json(3))
                await soon(lambda: rig.books() == {"delivered": 3})
            assert rig.telemetry.counts[lease.topic].consumed == 3
            assert rig.partition(lease).frontier.commit_offset == 2
            assert rig.assignment.open_bytes == 0
            told = [line for line in lines if line["event"] == "record_came_again"]
            assert [(line["partition"], line["offset"]) for line in told] == [(lease.partition, 1)] * 2

    virtual_time.run(story())


def test_bytes_that_break_a_decoder_cost_one_record() -> None:
    """A bug that one record meets would otherwise meet it again at every start. What it held is not told."""

    async def story() -> None:
        async with Rig() as rig:
            decode = rig.decoder.decode

            def fragile(record: Record) -> object:
                if record.offset == 1:
                    raise ZeroDivisionError("personal")
                return decode(record)

            with mock.patch.object(rig.decoder, "decode", fragile), capture_logs() as logs:
                rig.poll(rig.assign(), in_json(1), in_json(2), in_json(3))
                await soon(lambda: rig.books() == {"delivered": 2, "dead_lettered": 1})
            assert rig.topic.reasons == {1: "undecodable"}
            assert [line["event"] for line in logs].count("decoder_failed") == 1
            assert "personal" not in str(logs)

    virtual_time.run(story())


def test_undecodable_bytes_are_a_dead_letter_and_their_neighbours_go_on() -> None:
    """What was read is written aside as it was read; the records before and after it arrive."""

    async def story() -> None:
        async with Rig() as rig:
            rig.poll(rig.assign(), in_json(1), b"\xff\xfe", in_json(3))
            await soon(lambda: rig.books() == {"delivered": 2, "dead_lettered": 1})
            assert rig.topic.reasons == {1: "undecodable"}
            assert rig.topic.letters[0].value == b"\xff\xfe"
            assert rig.sent == [*item_ids(event_id(1)), *item_ids(event_id(3))]

    virtual_time.run(story())


def test_what_the_mapper_skips_and_refuses_is_counted_with_its_reason() -> None:
    """Neither is sent."""

    async def story() -> None:
        async with Rig() as rig:
            rig.poll(rig.assign(), in_json(1, do="skip"), in_json(2, do="refuse"))
            await soon(lambda: rig.books() == {"skipped": 1, "dead_lettered": 1})
            assert rig.telemetry.outcomes() == {
                "skipped": {"no_entity": 1},
                "dead_lettered": {"invalid_price": 1},
            }
            assert not rig.sent

    virtual_time.run(story())


def test_a_mapper_that_raises_costs_one_event() -> None:
    """Its record is a dead letter that names the kind of the error and nothing that the event held."""

    async def story() -> None:
        async with Rig() as rig:
            rig.poll(rig.assign(), in_json(1), in_json(2, do="raise"), in_json(3))
            await soon(lambda: rig.books() == {"delivered": 2, "dead_lettered": 1})
            assert rig.topic.reasons == {1: "invalid_event"}
            message = dict(rig.topic.letters[0].headers)["__connect.errors.exception.message"]
            assert message == b"invalid_event: mapper failed: ZeroDivisionError"

    virtual_time.run(story())


def test_a_record_with_one_refused_item_is_one_dead_letter_that_names_it() -> None:
    """Its good items arrive all the same, and its neighbours' too."""
    bad = item_ids(event_id(1), 3)[1]

    async def story() -> None:
        async with Rig(poisoned(bad)) as rig:
            rig.poll(rig.assign(), in_json(1, items="3"), in_json(2))
            await soon(lambda: rig.books() == {"delivered": 1, "dead_lettered": 1})
            headers = dict(rig.topic.letters[0].headers)
            assert headers["connector.items"] == f'["{bad}"]'.encode()
            assert headers["connector.reason"] == b"vendor_rejected"
            assert headers["connector.response_body"] == b"bad price"
            assert len(rig.topic.letters) == 1

    virtual_time.run(story())


def test_a_dead_letter_settles_only_when_it_was_acknowledged() -> None:
    """While Kafka does not take it the frontier stays, whatever is settled beyond."""

    async def story() -> None:
        async with Rig() as rig:
            rig.topic.acknowledges = False
            lease = rig.assign()
            rig.poll(lease, b"\xff", in_json(2))
            await soon(lambda: rig.books() == {"delivered": 1, "in_flight": 1})
            assert rig.partition(lease).frontier.commit_offset == 0
            rig.topic.acknowledge()
            assert rig.books() == {"delivered": 1, "dead_lettered": 1}
            assert rig.partition(lease).frontier.commit_offset == 2

    virtual_time.run(story())


# ── the flood ────────────────────────────────────────────────────────────────────────────────────


def test_the_flood_halts_before_the_record_too_many() -> None:
    """That record stays open, and so does every bad one after it; what is good is not blamed."""

    async def story() -> None:
        async with Rig(flood=FloodGuard(0.5, 50)) as rig:
            lease = rig.assign()
            rig.poll(lease, *(in_json(number, do="skip") for number in range(25)), *[b"\xff"] * 40)
            await soon(lambda: rig.kafka.slices_done == 1)
            assert rig.telemetry.halt_reason == "dead_letter_flood"
            assert "25 of the last 50 records (50%) read" in rig.telemetry.halt_detail
            assert "clicks:0:50 (undecodable)" in rig.telemetry.halt_detail
            assert rig.books() == {"skipped": 25, "dead_lettered": 25, "in_flight": 15}
            assert rig.partition(lease).frontier.commit_offset == 50
            assert rig.kafka.paused == {lease}

    virtual_time.run(story())


def test_a_slow_vendor_makes_no_flood_of_a_few_bad_records() -> None:
    """A fresh start on a backlog of which every tenth record is broken: the bad ones have their fate at once,
    the good ones when the vendor has answered, and still only a tenth is lost."""

    async def story() -> None:
        limits = msgspec.structs.replace(LIMITS, items_max=50, body_bytes_max=1 << 20)
        async with Rig(flood=FloodGuard(0.5, 200), limits=limits, latency_s=2.0) as rig:
            lease = rig.assign()
            for start in range(0, 2_000, 500):
                values = [in_json(n) if n % 10 else b"\xff" for n in range(start, start + 500)]
                rig.poll(lease, *values)
            await soon(lambda: rig.books() == {"delivered": 1_800, "dead_lettered": 200})
            assert rig.telemetry.halt_reason is None

    virtual_time.run(story())


def test_a_flood_ends_with_a_restart_only() -> None:
    """No probe, no hour of waiting and no number of good records lets it go on: somebody must look."""

    async def story() -> None:
        async with Rig(flood=FloodGuard(0.1, 50)) as rig:
            rig.poll(rig.assign(), *[b"\xff"] * 60)
            await soon(lambda: rig.telemetry.halt_reason == "dead_letter_flood")
            before = rig.books()
            rig.poll(rig.assign(1), *[None] * 500, b"\xff", in_json(7))
            await soon(lambda: rig.kafka.slices_done == 2)
            await asyncio.sleep(3600)
            assert rig.telemetry.halt_reason == "dead_letter_flood"
            assert rig.books() == {**before, "skipped": 500, "in_flight": before["in_flight"] + 2}
            assert not rig.sent

    virtual_time.run(story())


# ── after a fence ────────────────────────────────────────────────────────────────────────────────


def test_a_late_answer_for_a_fenced_lease_is_inert() -> None:
    """The vendor's yes, its no, and Kafka's acknowledgement all come too late: the records are released, and
    counted as nothing else."""

    async def story() -> None:
        async with Rig(poisoned(*item_ids(event_id(2))), latency_s=5) as rig:
            rig.topic.acknowledges = False
            lease, other = rig.assign(), rig.assign(1)
            rig.poll(lease, in_json(1), in_json(2), b"\xff")
            rig.poll(other, in_json(3))
            await soon(lambda: bool(rig.wire.in_flight))
            rig.fence(lease, lost=True)
            rig.topic.acknowledge()
            await soon(lambda: rig.books() == {"delivered": 1, "released": 3})
            rig.topic.acknowledge()
            assert rig.books() == {"delivered": 1, "released": 3}
            assert rig.assignment.open_bytes == 0

    virtual_time.run(story())


def test_a_late_answer_between_the_fence_and_its_news_is_inert_too() -> None:
    """The poll thread ends a lease before the loop hears of it: an answer in between changes no book."""

    async def story() -> None:
        async with Rig(latency_s=5) as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1))
            await soon(lambda: bool(rig.wire.in_flight))
            lease.live = False
            await soon(lambda: not rig.wire.in_flight)
            assert rig.books() == {"in_flight": 1}
            rig.pipeline.fenced([lease], False)
            assert rig.books() == {"released": 1}

    virtual_time.run(story())


def test_records_of_a_partition_that_went_before_they_were_taken_are_handed_back() -> None:
    """Whoever has the partition now reads them; the books show that they were here."""

    async def story() -> None:
        async with Rig() as rig:
            lease, other = rig.assign(), rig.assign(1)
            slices = [rig.records(lease, in_json(1)), rig.records(other, None)]
            rig.fence(lease)
            for records in slices:
                rig.pipeline.polled(records)
            await soon(lambda: rig.kafka.slices_done == 2)
            assert rig.books() == {"skipped": 1, "released": 1}
            assert not rig.sent

    virtual_time.run(story())


def test_a_dead_letter_of_a_partition_that_went_is_forgotten() -> None:
    """Or each rebalance would leave some behind, for as long as the process lives; its answer is inert."""

    async def story() -> None:
        async with Rig() as rig:
            lease = rig.assign()
            rig.topic.acknowledges = False
            rig.poll(lease, in_json(1, do="refuse"))
            await soon(lambda: len(rig.topic.waiting) == 1)
            assert rig.pipeline._writing == {lease: {0}}
            rig.fence(lease)
            rig.topic.acknowledge()
            assert not rig.pipeline._writing
            assert rig.books() == {"released": 1}

    virtual_time.run(story())


def test_a_partition_that_comes_back_begins_anew() -> None:
    """The same offsets under a new lease are new records; the old lease's answer settles none of them."""

    async def story() -> None:
        async with Rig(latency_s=5) as rig:
            first = rig.assign()
            rig.poll(first, in_json(1))
            await soon(lambda: bool(rig.wire.in_flight))
            rig.fence(first)
            second = rig.assign()
            rig.poll(second, in_json(1))
            await soon(lambda: rig.books() == {"released": 1, "delivered": 1})
            assert rig.partition(second).frontier.commit_offset == 1

    virtual_time.run(story())
