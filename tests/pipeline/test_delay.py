"""How late events are, by Kafka's timestamps, and only by those."""

from __future__ import annotations

import msgspec

from tests.delivery import virtual_time
from tests.pipeline.rig import Rig, in_json
from tests.pipeline.waiting import soon


def test_each_outcome_is_as_late_as_it_came() -> None:
    """Delivered, skipped and dead-lettered alike: the time from Kafka's timestamp to the outcome."""

    async def story() -> None:
        async with Rig(latency_s=2.0) as rig:
            lease = rig.assign()
            rig.poll(lease, in_json(1), None, in_json(2, do="refuse"), in_json(3))
            await soon(lambda: len(rig.books()) == 3 and "in_flight" not in rig.books())
            rig.pipeline.commit()  # once a second: what was settled alone is counted then
            delays = rig.telemetry.metrics.histogram("delivery_delay_seconds")
            late = dict(delays.cumulative())
            assert (late["1.0"], late["5.0"], late["+Inf"]) == (2, 4, 4)
            assert 4.0 <= delays.total <= 4.5

    virtual_time.run(story())


def test_a_record_without_a_timestamp_has_no_delay() -> None:
    """A broker that has none says 0 or -1: counted, it would be half a century late."""

    async def story() -> None:
        async with Rig() as rig:
            lease = rig.assign()
            one, two = rig.records(lease, in_json(1), in_json(2))
            rig.pipeline.polled([msgspec.structs.replace(one, timestamp_ms=0), two])
            await soon(lambda: rig.books() == {"delivered": 2})
            delays = rig.telemetry.metrics.histogram("delivery_delay_seconds")
            assert dict(delays.cumulative())["+Inf"] == 1
            assert delays.total < 1

    virtual_time.run(story())
