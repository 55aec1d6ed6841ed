"""The watchdog: what it notices, and what it must not make a fuss about."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from connector.ops.telemetry import Telemetry
from connector.ops.watchdog import (
    DEAD_S,
    LOOK_EVERY_S,
    STALLED_S,
    FrontierSnapshot,
    PollThreadHungError,
    Stalls,
    Watchdog,
    where_tasks_wait,
)
from connector.vendors.contract import Response
from tests.delivery.acme import item
from tests.delivery.rig import Rig


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


def test_what_is_explained_is_no_stall_and_time_counts_from_its_end() -> None:
    """A vendor that was down for an hour, and is told as that, leaves no stall behind."""
    stalls = Stalls(after_s=60)
    explained = msgspec.structs.replace(snapshot(5), explained=True)
    for now in range(0, 3600, 10):
        assert stalls.look([explained], now) == []
    assert stalls.look([snapshot(5)], 3600) == []
    assert stalls.look([snapshot(5)], 3659) == []
    assert stalls.look([snapshot(5)], 3660) == [(snapshot(5), 60)]
    assert stalls.count == 1
    assert stalls.look([explained], 3670) == []
    assert stalls.count == 0


def test_an_explanation_now_and_then_explains_no_stall_away() -> None:
    """A vendor that throttles at every other look is no reason why one frontier never moves."""
    stalls = Stalls(after_s=60)
    explained = msgspec.structs.replace(snapshot(5), explained=True)
    told = [stalls.look([explained if look % 2 else snapshot(5)], look * 10) for look in range(100)]
    assert [each for each in told if each] == [[(snapshot(5), 60)]]


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


class Poll:
    """A poll thread whose heart the test beats."""

    def __init__(self, polled_at: float | None = None) -> None:
        self.polled_at = polled_at
        self.hung: list[PollThreadHungError] = []


def watchdog(clock: Clock, poll: Poll, telemetry: Telemetry | None = None) -> Watchdog:
    return Watchdog(
        telemetry if telemetry is not None else Telemetry("topsort"),
        frontiers=Frontiers(),
        poll_heartbeat=lambda: poll.polled_at,
        poll_ident=threading.get_ident,
        on_hung=poll.hung.append,
        max_poll_interval_s=300,
        clock=clock,
    )


def test_a_dead_loop_is_not_alive() -> None:
    """No tick for a minute: a restart helps. A loop that was blocked for half a minute goes on by itself."""
    clock = Clock()
    dog = watchdog(clock, Poll())
    clock.now += 30
    assert dog.alive()[0]
    clock.now += DEAD_S - 30
    assert dog.alive()[0]
    clock.now += 1
    assert not dog.alive()[0]


def test_a_hanging_poll_thread_is_alive_and_out_of_the_group() -> None:
    """Kafka has taken the partitions away by then; it is not the probe that ends the process."""
    clock = Clock()
    poll = Poll(clock.now - 299)
    dog = watchdog(clock, poll)
    assert dog.polls()
    clock.now += 2
    assert not dog.polls()
    good, facts = dog.alive()
    assert good
    assert facts["polled_s_ago"] == 301


def test_before_the_poll_thread_starts_all_is_well() -> None:
    """A slow start is no reason for a restart."""
    dog = watchdog(Clock(), Poll())
    good, facts = dog.alive()
    assert good
    assert dog.polls()
    assert facts["polled_s_ago"] is None


# ── on a real loop ───────────────────────────────────────────────────────────────────────────────


async def test_a_hanging_callback_is_told_with_its_place_in_the_code() -> None:
    """Once per hang, from a thread of its own, while it hangs; the delay is measured when it ends."""
    telemetry = Told()
    dog = Watchdog(
        telemetry,
        frontiers=Frontiers(),
        poll_heartbeat=lambda: None,
        poll_ident=lambda: None,
        on_hung=lambda _: None,
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
    tasks_told: list[str] = []
    ticked = asyncio.Event()

    class Stalled(Telemetry):
        def partition_stalled(
            self,
            topic: str,
            partition: int,
            offset: int,
            waited_s: float,
            waits_on: str = "",
            tasks: str = "",
        ) -> None:
            told.append((topic, partition, offset, waited_s, waits_on))
            tasks_told.append(tasks)
            ticked.set()

    class Ticking(Frontiers):
        def frontiers(self) -> Iterable[FrontierSnapshot]:
            clock.now += STALLED_S  # time passes between two looks
            return super().frontiers()

    telemetry = Stalled("topsort")
    dog = Watchdog(
        telemetry,
        frontiers=Ticking(snapshot(5)),
        poll_heartbeat=lambda: None,
        poll_ident=lambda: None,
        on_hung=lambda _: None,
        max_poll_interval_s=300,
        clock=clock,
    )
    dog.start()
    clock.now += 20
    await asyncio.wait_for(ticked.wait(), 10)
    dog.stop()
    assert told == [("orders", 0, 5, STALLED_S, "the vendor")]
    assert tasks_told[0].endswith(" in a library")  # this test's own task waits there
    assert telemetry.metrics.values("stalled_partitions")[()] == 1


async def test_a_poll_thread_that_hangs_ends_the_process_and_shows_where() -> None:
    """Told once, with its stack, and at the second look: a process that was stopped for an hour goes on as if
    nothing had been."""
    clock, poll = Clock(), Poll()
    poll.polled_at = clock.now
    with capture_logs() as lines:
        dog = watchdog(clock, poll)
        loop = asyncio.get_running_loop()

        def look() -> None:
            dog._tick(loop)
            assert dog._timer is not None
            dog._timer.cancel()

        clock.now += 3600
        look()
        assert not poll.hung
        poll.polled_at = clock.now
        clock.now += 3600  # stopped again before anybody looked
        look()
        assert not poll.hung
        poll.polled_at = clock.now
        for _ in range(40):
            clock.now += LOOK_EVERY_S
            look()
    (hung,) = poll.hung
    assert "has not gone round for 320 s" in str(hung)
    (line,) = [line for line in lines if line["event"] == "poll_thread_hung"]
    assert "test_watchdog.py" in line["stack"]


async def test_a_bug_in_what_it_asks_does_not_stop_its_clock() -> None:
    """Else the process would be called dead a minute later."""

    class Broken(Frontiers):
        def frontiers(self) -> Iterable[FrontierSnapshot]:
            raise ZeroDivisionError

    clock, poll = Clock(), Poll()
    dog = watchdog(clock, poll)
    dog._frontiers = Broken()
    clock.now += LOOK_EVERY_S
    with pytest.raises(ZeroDivisionError):
        dog._tick(asyncio.get_running_loop())
    assert dog._timer is not None
    assert dog._timer.when() > asyncio.get_running_loop().time()
    dog._timer.cancel()
    assert dog.alive()[1]["loop_ticked_s_ago"] == 0


async def test_where_tasks_wait_names_our_own_code() -> None:
    """Of a chain of coroutines the innermost that is ours, and a count where many wait alike."""
    gone = asyncio.Event()
    rig = Rig(lambda ids: Response(200), latency_s=1000)
    rig.sender.submit([item(name) for name in "abc"])
    rig.sender.flush()
    tasks = [asyncio.create_task(gone.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    places = where_tasks_wait()
    assert "connector.delivery.sender" in places
    assert "Sender._on_wire" in places
    assert "in a library" in places
    for task in tasks:
        task.cancel()
    await rig.sender.close()


async def test_a_stopped_watchdog_leaves_neither_timer_nor_thread() -> None:
    """Stopping is complete, and may happen before the first tick."""
    dog = watchdog(Clock(), Poll())
    dog.start()
    threads = [thread for thread in threading.enumerate() if thread.name == "watchdog"]
    dog.stop()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
