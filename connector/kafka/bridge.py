"""Between a thread that reads and the loop: what is told, that the thread lives, and when it must end."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVarTuple

ANSWER_GRACE_S = 0.5
"""The loop's way to us: it answers at a deadline at the latest, and hears at once what it is told."""

CLOSE_S = 1.0
"""Of the time for a stop, what the last commit, leaving the group and closing the consumer may take."""

Ts = TypeVarTuple("Ts")


class Bridge:
    """Built on the loop. `heartbeat`: when the thread last went round (`time.monotonic`), old when it hangs.
    `stop_at`: when it must have finished, infinite as long as it may run."""

    def __init__(self) -> None:
        self.heartbeat = time.monotonic()
        self.stop_at = math.inf
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._cut = False

    # ── on the loop ──────────────────────────────────────────────────────────────────────────────

    async def end(self, timeout_s: float) -> bool:
        """Let the thread end in this time, and wait for it. False if it did not: then it is left behind, and
        whatever it still tells is not heard."""
        self.stop_at = time.monotonic() + timeout_s - min(CLOSE_S, timeout_s / 5)
        try:
            await asyncio.wait_for(self._ended.wait(), timeout_s)
        except TimeoutError:
            self._cut = True
            return False
        return True

    def _hear(self, method: Callable[[*Ts], object], *args: *Ts) -> None:
        if not self._cut:
            method(*args)

    # ── in the thread ────────────────────────────────────────────────────────────────────────────

    @property
    def stopping(self) -> bool:
        """Whether the thread shall end."""
        return self.stop_at < math.inf

    def beat(self) -> float:
        """The thread lives; the time."""
        self.heartbeat = time.monotonic()
        return self.heartbeat

    def tell(self, method: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call this on the loop, after all that was told before."""
        try:
            self._loop.call_soon_threadsafe(self._hear, method, *args)
        except RuntimeError:  # the loop is closed: nobody is there to hear it
            self.stop_at = min(self.stop_at, time.monotonic())

    def tell_end(self) -> None:
        """The last word."""
        self.tell(self._ended.set)

    def be_heard(self) -> None:
        """Wait until the loop has heard everything, `ANSWER_GRACE_S` at the most."""
        heard: Future[None] = Future()
        self.tell(heard.set_result, None)
        try:
            heard.result(ANSWER_GRACE_S)
        except TimeoutError:
            return
