"""Between the poll thread and the loop: what is told, that the thread lives, and when it must end."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVarTuple

ANSWER_GRACE_S = 0.5
"""The loop's way to us: it answers at a deadline at the latest, and hears at once what it is told."""

Ts = TypeVarTuple("Ts")


class Bridge:
    """Built on the loop. `heartbeat`: when the thread last went round (`time.monotonic`), old when it hangs.
    `stop_at`: when it must have finished, infinite as long as it may run."""

    def __init__(self) -> None:
        self.heartbeat = time.monotonic()
        self.stop_at = math.inf
        self._loop = asyncio.get_running_loop()
        self._cut = False

    # ── on the loop ──────────────────────────────────────────────────────────────────────────────

    def cut(self) -> None:
        """The thread is left behind: whatever it still tells is not heard."""
        self._cut = True

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

    def be_heard(self) -> None:
        """Wait until the loop has heard everything, `ANSWER_GRACE_S` at the most."""
        heard: Future[None] = Future()
        self.tell(heard.set_result, None)
        try:
            heard.result(ANSWER_GRACE_S)
        except TimeoutError:
            return
