"""Notices what nobody would report: a hanging loop, a dead poll thread, a partition that stands still.

Only a dead loop or poll thread makes the process not alive, since only then a restart helps.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
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


class FrontierSnapshot(msgspec.Struct, frozen=True, gc=False):
    """How far one partition is. `waits_on` tells, in words, what its first open record waits for."""

    topic: str
    partition: int
    frontier: int
    open_count: int
    waits_on: str = ""


class FrontierSource(Protocol):
    """Whoever knows the frontiers of the assigned partitions."""

    def frontiers(self) -> Iterable[FrontierSnapshot]:
        """One snapshot a partition that is ours."""


class Stalls:
    """Which frontiers have not moved for long although records are open. Decides only: no clock.

    Each stall is told once; it ends when the frontier moves, nothing is open, or the partition goes.
    """

    def __init__(self, after_s: float = STALLED_S) -> None:
        self._after_s = after_s
        self._since: dict[tuple[str, int], tuple[int, float, bool]] = {}

    def look(self, snapshots: Iterable[FrontierSnapshot], now: float) -> list[tuple[FrontierSnapshot, float]]:
        """The stalls that are new since the last look, with how long each lasts."""
        still: dict[tuple[str, int], tuple[int, float, bool]] = {}
        new = []
        for snapshot in snapshots:
            if snapshot.open_count == 0:
                continue
            key = (snapshot.topic, snapshot.partition)
            frontier, since, told = self._since.get(key, (None, now, False))
            if frontier != snapshot.frontier:
                since, told = now, False
            if not told and now - since >= self._after_s:
                new.append((snapshot, now - since))
                told = True
            still[key] = (snapshot.frontier, since, told)
        self._since = still
        return new


class Watchdog:
    """Ticks on the loop, and looks at those ticks from a thread of its own.

    `poll_heartbeat` gives the time (same clock) of the poll thread's last round, None before it started.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        *,
        frontiers: FrontierSource,
        poll_heartbeat: Callable[[], float | None],
        max_poll_interval_s: float,
        stuck_s: float = STUCK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._telemetry = telemetry
        self._frontiers = frontiers
        self._poll_heartbeat = poll_heartbeat
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
        """False when the loop or the poll thread is dead. A vendor or broker that is down changes nothing."""
        now = self._clock()
        loop_age_s = now - self._ticked_at
        polled_at = self._poll_heartbeat()
        poll_age_s = None if polled_at is None else now - polled_at
        polls = poll_age_s is None or poll_age_s <= self._max_poll_interval_s
        facts = {
            "loop_ticked_s_ago": round(loop_age_s, 3),
            "polled_s_ago": None if poll_age_s is None else round(poll_age_s, 3),
        }
        return loop_age_s <= DEAD_S and polls, facts

    # ── on the loop ──────────────────────────────────────────────────────────────────────────────

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = self._clock()
        self._telemetry.loop_delayed(max(0.0, now - self._ticked_at - TICK_S))
        self._ticked_at = now
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            for stall, waited_s in self._stalls.look(self._frontiers.frontiers(), now):
                self._telemetry.partition_stalled(
                    stall.topic, stall.partition, stall.frontier, waited_s, stall.waits_on
                )
        self._timer = loop.call_later(TICK_S, self._tick, loop)

    # ── on the thread ────────────────────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        told_about = -1.0
        while not self._stop.wait(self._stuck_s / 5):
            ticked_at = self._ticked_at
            stuck_for_s = self._clock() - ticked_at
            if stuck_for_s > self._stuck_s and ticked_at != told_about:
                told_about = ticked_at
                self._telemetry.loop_delayed(stuck_for_s, self._stack())

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None:
            return "the loop's thread is gone"
        return "".join(traceback.format_stack(frame)[-STACK_FRAMES_MAX:])
