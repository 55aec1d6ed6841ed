"""Partitions whose offset Kafka does not have are placed one by one; one that can't be holds no other up."""

from __future__ import annotations

import asyncio
import threading
from typing import cast

import pytest

from connector.kafka import placing
from connector.kafka.bridge import Bridge
from connector.kafka.fetching import Fetching
from connector.kafka.handover import Handover
from connector.kafka.leases import Leases
from connector.kafka.listener import Listener
from connector.kafka.placing import Placing
from connector.kafka.start import Start
from connector.model.record import Lease


class Kafka:
    """In the place of `Start` and `Fetching`: knows where some leases start, and is silent about the others
    for `silence_s`."""

    halts = False

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self.starts: dict[Lease, int] = {}
        self.silence_s = 0.0
        self.asked: list[Lease] = []
        self.restarted: list[Lease] = []

    def again(self, lease: Lease, lost: int | None) -> int | None:
        self.asked.append(lease)
        if lease not in self.starts:
            threading.Event().wait(self.silence_s)
        return self.starts.get(lease)

    def restart(self, lease: Lease, offset: int) -> None:
        self.restarted.append(lease)
        self._leases.place(lease, {lease: offset})

    def flow(self) -> None:
        pass


class House:
    """Three partitions that stand, in this order."""

    def __init__(self) -> None:
        self.leases = Leases()
        self.three = [self.leases.grant("orders", number) for number in range(3)]
        self.leases.hold(dict.fromkeys(self.three))
        self.kafka = Kafka(self.leases)
        self.loop = Loop()
        self.held: set[Lease] = set()
        self.taken_back: list[Lease] = []
        self.placing = Placing(
            self.leases,
            cast("Start", self.kafka),
            cast("Fetching", self.kafka),
            cast("Handover", None),
            Bridge(),
            cast("Listener", self.loop),
            self.serve,
        )

    def serve(self) -> set[Lease]:
        """A rebalance that waited takes what it is to take."""
        self.leases.end(self.leases.ours(self.taken_back))
        return self.held


class Loop:
    """Hears, and remembers what was passed over."""

    def __init__(self) -> None:
        self.jumps: list[tuple[Lease, int, int]] = []
        self.moves: list[Lease] = []
        self.superseding: list[Lease] = []

    def jumped(self, lease: Lease, lost: int, offset: int) -> None:
        self.jumps.append((lease, lost, offset))

    def moved(self, lease: Lease, offset: int) -> None:
        self.moves.append(lease)

    def superseded(self, lease: Lease, offset: int) -> None:
        self.superseding.append(lease)


async def test_one_that_is_not_told_of_holds_no_other_up() -> None:
    """The others are asked about all the same."""
    house = House()
    silent, *told = house.three
    house.kafka.starts = dict.fromkeys(told, 7)
    house.placing.look()
    assert house.kafka.restarted == told
    assert [*house.leases.unplaced] == [silent]


async def test_where_the_time_is_up_the_next_look_begins_with_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many are silent, each has its turn."""
    monkeypatch.setattr(placing, "ASK_S", 0.0)
    monkeypatch.setattr(placing, "REST", 0)
    house = House()
    first, second, third = house.three
    house.kafka.starts = {third: 7}
    for _ in range(3):
        house.placing.look()
    assert house.kafka.asked == [first, second, third, first]
    assert house.kafka.restarted == [third]


async def test_after_a_silence_there_is_a_rest() -> None:
    """All that flow wait while we ask."""
    house = House()
    house.kafka.silence_s = 0.1
    house.placing.look()
    house.placing.look()
    assert house.kafka.asked == house.three


async def test_a_rebalance_that_waited_goes_first() -> None:
    """librdkafka would take the restart for the answer to its revocation."""
    house = House()
    stays, *others = house.three
    house.kafka.starts = dict.fromkeys(house.three, 7)
    house.taken_back = others
    house.placing.look()
    assert house.kafka.restarted == [stays]
    assert [*house.leases] == [stays]


async def test_a_smaller_offset_than_the_lost_one_is_another_topic() -> None:
    """The lease stands, and where the new topic begins is kept for its successor; a larger one is a gap."""
    house = House()
    anew, gap, fresh = house.three
    house.leases.unplaced.update({anew: 50, gap: 50})
    house.kafka.starts = {anew: 0, gap: 90, fresh: 0}
    house.placing.look()
    assert house.leases.superseded == {anew: 0}
    assert house.kafka.restarted == [gap, fresh]
    assert not house.leases.unplaced


async def test_a_jump_over_what_is_lost_is_told() -> None:
    """From where to where. A start is no jump, nor is an offset that Kafka has after all."""
    house = House()
    gap, there, fresh = house.three
    house.leases.unplaced.update({gap: 50, there: 50})
    house.kafka.starts = {gap: 90, there: 50, fresh: 7}
    house.placing.look()
    await asyncio.sleep(0)
    assert house.loop.jumps == [(gap, 50, 90)]


async def test_a_jump_moves_nothing_before_what_was_read_is_taken() -> None:
    """Records from before the gap may lie with the loop, untaken: told that nothing below comes any more, it
    would take them for ones that come again, and they would be lost."""
    house = House()
    gap, _, fresh = house.three
    house.leases.unplaced[gap] = 50
    house.kafka.starts = {gap: 90, fresh: 7}
    house.placing.look()
    await asyncio.sleep(0)
    assert house.loop.moves == [fresh]
    assert house.leases.reached == {gap: 90}, "so it is told once all that was handed over is taken"


async def test_what_is_held_back_is_handed_over_before_its_lease_is_superseded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once it is, the loop asks for the new lease as soon as it has finished what it was given; a record of
    the old topic that comes later is one that nobody can read again."""
    monkeypatch.setattr(placing, "REST", 0)
    house = House()
    anew, *_ = house.three
    house.leases.unplaced[anew] = 50
    house.kafka.starts = dict.fromkeys(house.three, 0)
    house.held = {anew}
    house.placing.look()
    await asyncio.sleep(0)
    assert house.loop.superseding == []
    assert [*house.leases.unplaced] == [anew]
    house.held = set()
    house.placing.look()
    await asyncio.sleep(0)
    assert house.loop.superseding == [anew]
