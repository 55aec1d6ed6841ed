"""What Kafka is told: only what moved, never past a gap, and again when it was refused."""

from __future__ import annotations

from tests.delivery import virtual_time
from tests.pipeline.rig import Rig, in_json
from tests.pipeline.waiting import soon


def test_only_partitions_that_moved_are_committed() -> None:
    """The first offer is where a partition starts; after that, silence until its frontier moves."""

    async def story() -> None:
        async with Rig() as rig:
            lease, other = rig.assign(start=5), rig.assign(1, start=9)
            rig.pipeline.commit()
            rig.pipeline.commit()
            rig.poll(lease, None)
            await soon(lambda: rig.books() == {"skipped": 1})
            rig.pipeline.commit()
            rig.pipeline.commit()
            assert rig.kafka.commits == [{lease: 5, other: 9}, {lease: 6}]

    virtual_time.run(story())


def test_a_commit_stops_at_the_first_open_record() -> None:
    """Whatever is settled beyond it."""

    async def story() -> None:
        async with Rig() as rig:
            rig.topic.acknowledges = False
            lease = rig.assign()
            rig.poll(lease, None, b"\xff", None, in_json(4))
            await soon(lambda: rig.books() == {"skipped": 2, "delivered": 1, "in_flight": 1})
            rig.pipeline.commit()
            rig.topic.acknowledge()
            rig.pipeline.commit()
            assert rig.kafka.commits == [{lease: 1}, {lease: 4}]

    virtual_time.run(story())


def test_a_refused_commit_is_offered_again() -> None:
    """Until Kafka takes it; the status shows what Kafka has, not what we hope."""

    async def story() -> None:
        async with Rig() as rig:
            lease = rig.assign()
            rig.poll(lease, None)
            await soon(lambda: rig.books() == {"skipped": 1})
            rig.pipeline.commit()
            rig.pipeline.committed(rig.kafka.commits[-1], "rebalance in progress")
            assert rig.partition(lease).committed is None
            rig.pipeline.commit()
            rig.pipeline.committed(rig.kafka.commits[-1], None)
            rig.pipeline.commit()
            assert rig.kafka.commits == [{lease: 1}, {lease: 1}]
            assert rig.partition(lease).committed == 1

    virtual_time.run(story())


def test_an_answer_for_a_partition_that_went_is_passed_over() -> None:
    """Its new lease is not told that anything was committed."""

    async def story() -> None:
        async with Rig() as rig:
            first = rig.assign(start=3)
            rig.pipeline.commit()
            rig.fence(first)
            second = rig.assign(start=3)
            rig.pipeline.committed(rig.kafka.commits[-1], None)
            assert rig.partition(second).committed is None

    virtual_time.run(story())
