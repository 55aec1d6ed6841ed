"""How many requests may be in flight: more while it goes well, fewer when it does not.

Decides only: no broker, no clock.
"""

from __future__ import annotations

FIRST = 4
"""Where a fresh process begins. It doubles with every round of answers: the ceiling is a few rounds away."""

THROTTLED_FACTOR = 0.5
"""A vendor that throttles has told us that we are too many."""

FAILED_FACTOR = 0.8
"""A failure may be one bad host among many: at 5 % failures halving would leave room for 5 requests at once,
this leaves 9 (the square root of 1.8 / (0.4 · 0.05)). Where everything fails, the breaker acts instead."""


class Limiter:
    """Additive increase, multiplicative decrease, between one and `ceiling`.

    Below the level where trouble last began, every good answer adds one (so it doubles a round); above it,
    every full round adds one. It grows only while at least half of it is used, because a limit that was not
    tried proves nothing. Requests that were under way when it was lowered do not lower it again.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = float(ceiling)
        self._careful_from = float(ceiling)
        self._value = min(float(FIRST), self._ceiling)
        self._lowered_at = float("-inf")
        self.limit = int(self._value)
        """Requests that may be in flight now."""

    def passed(self, in_flight: int) -> None:
        """A request was taken; `in_flight` counts it too."""
        if in_flight * 2 < self.limit:
            return
        step = 1.0 if self._value < self._careful_from else 1.0 / self._value
        self._set(self._value + step)

    def throttled(self, sent_at: float, now: float) -> None:
        """A request that left at `sent_at` was throttled."""
        self._lower(THROTTLED_FACTOR, sent_at, now)

    def failed(self, sent_at: float, now: float) -> None:
        """A request that left at `sent_at` failed: 5xx, timeout or connection."""
        self._lower(FAILED_FACTOR, sent_at, now)

    def restart(self) -> None:
        """Begin again with one, and be careful from half of what it was."""
        self._careful_from = max(1.0, self._value / 2)
        self._set(1.0)

    def _lower(self, factor: float, sent_at: float, now: float) -> None:
        if sent_at < self._lowered_at:
            return
        self._lowered_at = now
        self._set(self._value * factor)
        self._careful_from = self._value

    def _set(self, value: float) -> None:
        self._value = min(max(value, 1.0), self._ceiling)
        self.limit = int(self._value)
