"""The watchdog: what it notices, and what it must not make a fuss about."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from connector.ops.telemetry import Telemetry
from connector.ops.watchdog import DEAD_S, STALLED_S, FrontierSnapshot, Stalls, Watchdog


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Frontiers:
    def __init__(self, *snapshots: FrontierSnapshot) -> None:
        self.snapshots = snapshots

    def frontiers(self) -> Iterable[FrontierSnapshot]:
        return self.snapshots


class Told(Telemetry):
    """Keeps what it was told."""

    def __init__(self) -> None:
        super().__init__("topsort")
        self.stacks: list[str] = []
        self.told = threading.Event()

    def loop_delayed(self, delay_s: float, stack: str | None = None) -> None:
        super().loop_delayed(delay_s, stack)
        if stack is not None:
            self.stacks.append(stack)
            self.told.set()


def snapshot(frontier: int, open_count: int = 1, partition: int = 0) -> FrontierSnapshot:
    return FrontierSnapshot("orders", partition, frontier, open_count, "the vendor")


# ── stalls ───────────────────────────────────────────────────────────────────────────────────────


def test_a_stall_is_told_once_and_again_after_it_moved() -> None:
    """Once per stall: neither silence nor a line every ten seconds."""
    stalls = Stalls(after_s=60)
    assert stalls.look([snapshot(5)], 0) == []
    assert stalls.look([snapshot(5)], 59) == []
    assert stalls.look([snapshot(5)], 61) == [(snapshot(5), 61)]
    assert stalls.look([snapshot(5)], 600) == []
    assert stalls.look([snapshot(6)], 610) == []
    assert stalls.look([snapshot(6)], 671) == [(snapshot(6), 61)]


def test_an_idle_partition_is_not_stalled() -> None:
    """Its frontier stands still as there is nothing to do; time counts from the first open record."""
    stalls = Stalls(after_s=60)
    assert stalls.look([snapshot(5, open_count=0)], 0) == []
    assert stalls.look([snapshot(5, open_count=0)], 1000) == []
    assert stalls.look([snapshot(5, open_count=1)], 2000) == []
    assert stalls.look([snapshot(5, open_count=1)], 2059) == []


def test_a_partition_that_went_and_came_back_starts_anew() -> None:
    """A rebalance ends a stall."""
    stalls = Stalls(after_s=60)
    stalls.look([snapshot(5)], 0)
    stalls.look([], 30)
    assert stalls.look([snapshot(5)], 70) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)), max_size=60))
def test_a_moving_frontier_is_never_a_stall(steps: list[tuple[int, int, int]]) -> None:
    """Whatever else happens, a stall means: open records, and the same frontier for that long."""
    stalls = Stalls(after_s=60)
    unmoved: dict[int, tuple[int, float]] = {}
    for step, (advance, partition, open_count) in enumerate(steps):
        now = step * 10.0
        frontier = unmoved.get(partition, (0, now))[0] + advance
        if open_count == 0 or partition not in unmoved or advance:
            unmoved = {partition: (frontier, now)}
        else:
            unmoved = {partition: unmoved[partition]}
        if open_count == 0:
            unmoved = {}
        for stall, waited_s in stalls.look([snapshot(frontier, open_count, partition)], now):
            assert now - unmoved[stall.partition][1] == waited_s >= 60


# ── alive ────────────────────────────────────────────────────────────────────────────────────────


def watchdog(clock: Clock, polled_at: float | None, max_poll_interval_s: float = 300) -> Watchdog:
    return Watchdog(
        Telemetry("topsort"),
        frontiers=Frontiers(),
        poll_heartbeat=lambda: polled_at,
        max_poll_interval_s=max_poll_interval_s,
        clock=clock,
    )


def test_a_dead_loop_is_not_alive() -> None:
    """No tick for a minute: a restart helps."""
    clock = Clock()
    dog = watchdog(clock, None)
    clock.now += DEAD_S
    assert dog.alive()[0]
    clock.now += 1
    assert not dog.alive()[0]


def test_a_hanging_poll_thread_is_not_alive() -> None:
    """Kafka has taken the partitions away by then, and nothing would ever come again."""
    clock = Clock()
    dog = watchdog(clock, polled_at=clock.now - 299)
    assert dog.alive()[0]
    dog = watchdog(clock, polled_at=clock.now - 301)
    good, facts = dog.alive()
    assert not good
    assert facts["polled_s_ago"] == 301


def test_before_the_poll_thread_starts_we_are_alive() -> None:
    """A slow start is no reason for a restart."""
    good, facts = watchdog(Clock(), None).alive()
    assert good
    assert facts["polled_s_ago"] is None


# ── on a real loop ───────────────────────────────────────────────────────────────────────────────


async def test_a_hanging_callback_is_told_with_its_place_in_the_code() -> None:
    """Once per hang, from a thread of its own, while it hangs; the delay is measured when it ends."""
    telemetry = Told()
    dog = Watchdog(
        telemetry,
        frontiers=Frontiers(),
        poll_heartbeat=lambda: None,
        max_poll_interval_s=300,
        stuck_s=0.25,
    )
    dog.start()

    def hangs_here() -> None:
        telemetry.told.wait(10)
        until = time.monotonic() + 0.3  # two more looks of the thread
        while time.monotonic() < until:
            pass

    await asyncio.sleep(0)
    hangs_here()
    await asyncio.sleep(0.25)
    dog.stop()
    (stack,) = telemetry.stacks
    assert "hangs_here" in stack
    assert telemetry.metrics.histogram("loop_delay_seconds").total > 0.2
    assert dog.alive()[0]


async def test_a_stall_is_looked_for_while_the_loop_ticks() -> None:
    """The snapshots are asked for from the loop, where they are safe to read."""
    clock = Clock()
    told: list[tuple[str, int, int, float, str]] = []
    ticked = asyncio.Event()

    class Stalled(Telemetry):
        def partition_stalled(
            self, topic: str, partition: int, offset: int, waited_s: float, waits_on: str = ""
        ) -> None:
            told.append((topic, partition, offset, waited_s, waits_on))
            ticked.set()

    class Ticking(Frontiers):
        def frontiers(self) -> Iterable[FrontierSnapshot]:
            clock.now += STALLED_S  # time passes between two looks
            return super().frontiers()

    dog = Watchdog(
        Stalled("topsort"),
        frontiers=Ticking(snapshot(5)),
        poll_heartbeat=lambda: None,
        max_poll_interval_s=300,
        clock=clock,
    )
    dog.start()
    clock.now += 20
    await asyncio.wait_for(ticked.wait(), 10)
    dog.stop()
    assert told == [("orders", 0, 5, STALLED_S, "the vendor")]


async def test_a_stopped_watchdog_leaves_neither_timer_nor_thread() -> None:
    """Stopping is complete, and may happen before the first tick."""
    dog = watchdog(Clock(), None)
    dog.start()
    threads = [thread for thread in threading.enumerate() if thread.name == "watchdog"]
    dog.stop()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
