"""What holds every request of the endpoint back: the vendor's wish, and the operator's cap.

Decides only: no broker, no clock.
"""

from __future__ import annotations

from random import Random

from connector.delivery.backoff import doubled_s, upward_s
from connector.vendors.contract import Limits

BURST_S = 0.05
"""How far the rate cap lets requests run ahead of an even spacing. A timer is late by a few milliseconds,
and without this what it lost would be lost for good."""


class Gate:
    """Closed for everybody until a time, because the vendor throttles.

    A stated time counts as stated (up to the destination's `retry_after_max_s`), plus jitter upwards. Without
    one the waits grow as the retry policy says, until something passes; jitter is upwards here even where the
    policy says `full`, because a gate that opens at once would only be throttled again.
    """

    def __init__(self, limits: Limits, random: Random) -> None:
        self._policy = limits.retry
        self._stated_max_s = limits.retry_after_max_s
        self._random = random
        self._in_a_row = 0
        self._closed_at = 0.0
        self.until = 0.0
        """Loop time; not after now means open."""

    @property
    def others_first_until(self) -> float:
        """How long after it opens those go first that were not throttled: as long as it was closed, so that
        one throttled identifier takes half of the time at most, and no longer than the longest back-off."""
        return self.until + min(self.until - self._closed_at, self._policy.cap_s)

    def throttled(self, now: float, after_s: float | None) -> float:
        """A request was throttled; how long the gate stays closed from now.

        Answers to requests that were under way when it closed do not lengthen an unstated wait: one wave of
        throttled requests is one sign.
        """
        if now >= self.until:
            self._closed_at = now
        if after_s is not None:
            wait_s = min(max(after_s, 0.0), self._stated_max_s)
        elif now < self.until:
            return self.until - now
        else:
            self._in_a_row += 1
            wait_s = doubled_s(self._policy.first_s, self._policy.cap_s, self._in_a_row)
        self.until = max(self.until, now + upward_s(wait_s, self._random))
        return self.until - now

    def passed(self) -> None:
        """A request was taken: the next unstated wait begins small again."""
        self._in_a_row = 0


class RateCap:
    """At most `per_second` requests a second, evenly spaced; None or 0 is no cap."""

    def __init__(self, per_second: float | None) -> None:
        self._spacing_s = 1.0 / per_second if per_second else 0.0
        self._next = 0.0

    @property
    def until(self) -> float:
        """When the next request may leave (loop time)."""
        return self._next - BURST_S if self._spacing_s else 0.0

    def take(self, now: float) -> None:
        """A request leaves now."""
        if self._spacing_s:
            self._next = max(self._next, now) + self._spacing_s
