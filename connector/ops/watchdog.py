"""Notices what nobody would report: a hanging loop or poll thread, a partition that stands still.

A hanging loop is told with its stack, and makes the process not alive if it lasts. A poll thread that hangs
until Kafka has taken its partitions away ends the process, since nothing else would bring them back.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from connector.ops.telemetry import Telemetry

TICK_S = 0.2  # five timers a second cost nothing and show a hiccup of a few milliseconds
STUCK_S = 5.0  # no callback of ours may take this long; then the stack tells which one does
DEAD_S = 60.0
STALLED_S = 120.0
LOOK_EVERY_S = 10.0
STACK_FRAMES_MAX = 40
PLACES_SHOWN = 10


class FrontierSnapshot(msgspec.Struct, frozen=True, gc=False):
    """How far one partition is. `waits_on` tells, in words, what its first open record waits for;
    `explained`: nothing else need be looked for, as somebody was told already."""

    topic: str
    partition: int
    frontier: int
    open_count: int
    waits_on: str = ""
    explained: bool = False


class PollThreadHungError(Exception):
    """The poll thread did not go round for so long that Kafka has given its partitions to others."""


class FrontierSource(Protocol):
    """Whoever knows the frontiers of the assigned partitions."""

    def frontiers(self) -> Iterable[FrontierSnapshot]:
        """One snapshot a partition that is ours."""


class _Standing(msgspec.Struct, gc=False):
    """A frontier that stands, since it is looked at; the time that something explained does not count."""

    frontier: int
    explained: bool
    for_s: float = 0.0
    told: bool = False


class Stalls:
    """Which frontiers have not moved for long although records are open and nothing explains it. Decides
    only: no clock.

    Time that something explains does not count, and begins nothing anew: a vendor that throttles now and then
    would else explain for ever what has another reason. Each stall is told once; it ends when the frontier
    moves, nothing is open, or the partition goes. `count` is how many there are that nothing explains now.
    """

    def __init__(self, after_s: float = STALLED_S) -> None:
        self._after_s = after_s
        self._standing: dict[tuple[str, int], _Standing] = {}
        self._looked_at: float | None = None
        self.count = 0

    def look(self, snapshots: Iterable[FrontierSnapshot], now: float) -> list[tuple[FrontierSnapshot, float]]:
        """The stalls that are new since the last look, with how long each has lasted unexplained, in s."""
        passed_s = 0.0 if self._looked_at is None else now - self._looked_at
        self._looked_at = now
        still: dict[tuple[str, int], _Standing] = {}
        new = []
        self.count = 0
        for snapshot in snapshots:
            if snapshot.open_count == 0:
                continue
            key = (snapshot.topic, snapshot.partition)
            standing = self._standing.get(key)
            if standing is None or standing.frontier != snapshot.frontier:
                standing = _Standing(snapshot.frontier, snapshot.explained)
            elif not standing.explained:  # at the last look, and so until now
                standing.for_s += passed_s
            standing.explained = snapshot.explained
            if not standing.told and not snapshot.explained and standing.for_s >= self._after_s:
                new.append((snapshot, standing.for_s))
                standing.told = True
            self.count += standing.told and not snapshot.explained
            still[key] = standing
        self._standing = still
        return new


class Watchdog:
    """Ticks on the loop, and looks at those ticks from a thread of its own.

    `poll_heartbeat` gives the time (same clock) of the poll thread's last round, None before it started;
    `poll_ident` is the thread's. `on_hung` is called once, when it hangs.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        *,
        frontiers: FrontierSource,
        poll_heartbeat: Callable[[], float | None],
        poll_ident: Callable[[], int | None],
        on_hung: Callable[[PollThreadHungError], None],
        max_poll_interval_s: float,
        stuck_s: float = STUCK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._telemetry = telemetry
        self._frontiers = frontiers
        self._poll_heartbeat = poll_heartbeat
        self._poll_ident = poll_ident
        self._on_hung = on_hung
        self._hung_at: float | None = None
        self._hung_looks = 0
        self._max_poll_interval_s = max_poll_interval_s
        self._stuck_s = stuck_s
        self._clock = clock
        self._stalls = Stalls()
        self._ticked_at = clock()
        self._looked_at = clock()
        self._timer: asyncio.TimerHandle | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop_thread = 0

    def start(self) -> None:
        """Begin. Called on the loop that is to be watched."""
        assert self._thread is None, "started once"
        self._loop_thread = threading.get_ident()
        self._ticked_at = self._looked_at = self._clock()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_S, self._tick, loop)
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; the thread goes within a moment."""
        self._stop.set()
        if self._timer is not None:
            self._timer.cancel()

    def alive(self) -> tuple[bool, Mapping[str, object]]:
        """False when the loop is dead. Whatever else is wrong, a restart would not help, or comes anyway."""
        now = self._clock()
        loop_age_s = now - self._ticked_at
        polled_at = self._poll_heartbeat()
        facts = {
            "loop_ticked_s_ago": round(loop_age_s, 3),
            "polled_s_ago": None if polled_at is None else round(now - polled_at, 3),
        }
        return loop_age_s <= DEAD_S, facts

    def polls(self) -> bool:
        """Whether the poll thread goes round often enough for the group to keep us."""
        polled_at = self._poll_heartbeat()
        return polled_at is None or self._clock() - polled_at <= self._max_poll_interval_s

    # ── on the loop ──────────────────────────────────────────────────────────────────────────────

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = self._clock()
        self._timer = loop.call_later(TICK_S, self._tick, loop)
        self._telemetry.loop_delayed(max(0.0, now - self._ticked_at - TICK_S))
        self._ticked_at = now
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._look_at_frontiers(now)
            self._look_at_poll_thread(now)

    def _look_at_frontiers(self, now: float) -> None:
        stalls = self._stalls.look(self._frontiers.frontiers(), now)
        places = where_tasks_wait() if stalls else ""
        for stall, waited_s in stalls:
            self._telemetry.partition_stalled(
                stall.topic, stall.partition, stall.frontier, waited_s, stall.waits_on, places
            )
        self._telemetry.stalled(self._stalls.count)

    def _look_at_poll_thread(self, now: float) -> None:
        """Told at the second look: the whole process may have been stopped for a while, and the thread has
        had no time yet to go round."""
        polled_at = self._poll_heartbeat()
        if polled_at is None or self.polls():
            self._hung_looks = 0
            return
        self._hung_looks = self._hung_looks + 1 if self._hung_at == polled_at else 1
        self._hung_at = polled_at
        if self._hung_looks == 2:
            self._telemetry.poll_thread_hung(now - polled_at, _stack(self._poll_ident()))
            self._on_hung(
                PollThreadHungError(f"the poll thread has not gone round for {now - polled_at:.0f} s")
            )

    # ── on the thread ────────────────────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        told_about = -1.0
        while not self._stop.wait(self._stuck_s / 5):
            ticked_at = self._ticked_at
            stuck_for_s = self._clock() - ticked_at
            if stuck_for_s > self._stuck_s and ticked_at != told_about:
                told_about = ticked_at
                self._telemetry.loop_delayed(stuck_for_s, _stack(self._loop_thread))


def _stack(ident: int | None) -> str:
    """Where a thread is right now."""
    frame = sys._current_frames().get(ident) if ident is not None else None
    if frame is None:
        return "the thread is gone"
    return "".join(traceback.format_stack(frame)[-STACK_FRAMES_MAX:])


def where_tasks_wait() -> str:
    """The innermost place of ours in each of the loop's tasks, and how many are there: a stalled partition
    has no stack of its own, but who could move it may have."""
    places = Counter(_innermost(task) for task in asyncio.all_tasks())
    return ", ".join(f"{count} in {place}" for place, count in places.most_common(PLACES_SHOWN))


def _innermost(task: asyncio.Task[object]) -> str:
    place = "a library"
    step: object = task.get_coro()
    for _ in range(STACK_FRAMES_MAX):
        frame = getattr(step, "cr_frame", None)
        if frame is None:
            break
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] == "connector":
            place = f"{name}:{frame.f_lineno} {frame.f_code.co_qualname}"
        step = getattr(step, "cr_await", None)
    return place
