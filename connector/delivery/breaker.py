"""Stops sending while the vendor is down. Decides only: no broker, no clock.

    state      what happens                                   next        and then
    closed     too many failures (see `_is_down`)             open        wait `first_s`
    open       the wait is over and a batch is there          half_open   one probe leaves
    half_open  the probe fails (5xx, timeout, connection)     open        wait twice as long, up to `cap_s`
    half_open  the probe is answered in any other way         closed      the next wait is `first_s` again
    half_open  the probe is withdrawn before its answer       open        wait as long as before it

Answers to other requests that were still under way change nothing while it is not closed. A throttled,
refused or halved batch is an answer: the vendor is there.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Literal

from connector.delivery.backoff import doubled_s, upward_s
from connector.vendors.contract import ProbePolicy

BreakerState = Literal["closed", "open", "half_open"]

LAST = 100
"""Attempts looked back on. At 30 % random failures half of 100 fail in 1 look of 45,000, half of 20 in 1 of
20: enough to stay closed, few enough to open within one round of requests."""

WITHIN_S = 10.0
"""How old an attempt may be to count: what is down shows it in seconds; an old failure says nothing."""

ATTEMPTS_MIN = 20
RATIO = 0.5
"""Half of at least 20 recent attempts failed: what still passes is not worth what we add to its trouble."""

RUN = 5
RUN_S = 5.0
"""On a quiet system 20 attempts never come together: five failures in a row, over at least five seconds, and
nothing passed between. Without the five seconds one restart of a vendor's host would do."""

FOREVER = float("inf")


class Breaker:
    """Closed, open or half-open, by the table above. The caller sends the probe: first the destination's own
    probe request if it has one, then a real batch; it never dead-letters."""

    def __init__(self, policy: ProbePolicy, random: Random) -> None:
        self._policy = policy
        self._random = random
        self._last: deque[tuple[float, bool]] = deque(maxlen=LAST)
        self._failed = 0
        self._run = 0
        self._run_since = 0.0
        self._probes_failed = 0
        self._asked_at = -FOREVER
        self.state: BreakerState = "closed"
        self.until = 0.0
        """When the next request may leave: 0 while closed, never while a probe is out."""

    def probing(self) -> None:
        """The probe leaves now."""
        assert self.state == "open", "a probe leaves an open breaker"
        self.state = "half_open"
        self.until = FOREVER

    def asked(self, now: float) -> None:
        """The destination's own probe request leaves now, for us or because of a halt."""
        self._asked_at = now

    @property
    def asks_from(self) -> float:
        """When the destination's own probe request may be sent again."""
        return self._asked_at + self._policy.apart_s

    def failed(self, now: float, probe: bool = False) -> bool:
        """A request, or the probe, failed. True when the state changed."""
        if probe:
            assert self.state == "half_open", "there is one probe at a time"
            self._probes_failed += 1
            self._open(now)
            return True
        if self.state != "closed":
            return False
        if not self._run:
            self._run_since = now
        self._run += 1
        self._count(now, failed=True)
        if not self._is_down(now):
            return False
        self._probes_failed = 0
        self._open(now)
        return True

    def answered(self, now: float, probe: bool = False) -> bool:
        """A request, or the probe, was answered by a vendor that works. True when the state changed."""
        if probe:
            assert self.state == "half_open", "there is one probe at a time"
            self.state = "closed"
            self.until = 0.0
            self._last.clear()
            self._failed = self._run = 0
            return True
        if self.state == "closed":
            self._run = 0
            self._count(now, failed=False)
        return False

    def withdrawn(self, now: float) -> None:
        """The probe was given up by us, without an answer."""
        assert self.state == "half_open", "there is one probe at a time"
        self._open(now)

    def _open(self, now: float) -> None:
        self.state = "open"
        wait_s = doubled_s(self._policy.first_s, self._policy.cap_s, self._probes_failed + 1)
        begin = max(now + wait_s, self.asks_from)
        self.until = now + upward_s(begin - now, self._random)

    def _count(self, now: float, *, failed: bool) -> None:
        last = self._last
        if len(last) == LAST:
            self._failed -= last.popleft()[1]
        while last and last[0][0] < now - WITHIN_S:
            self._failed -= last.popleft()[1]
        last.append((now, failed))
        self._failed += failed

    def _is_down(self, now: float) -> bool:
        attempts = len(self._last)
        if attempts >= ATTEMPTS_MIN and self._failed >= RATIO * attempts:
            return True
        return self._run >= RUN and now - self._run_since >= RUN_S
