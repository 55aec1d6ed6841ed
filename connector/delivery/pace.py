"""How much and how fast: limit, gate, cap and breaker, taught by the same answers.

Decides only: no broker, no clock.
"""

from __future__ import annotations

from random import Random
from typing import assert_never

from connector.delivery.backoff import backoff_s, upward_s
from connector.delivery.breaker import Breaker, BreakerState
from connector.delivery.gate import Gate, RateCap
from connector.delivery.limiter import Limiter
from connector.delivery.outlet import SenderState
from connector.delivery.poison import Tally
from connector.model.verdict import Delivered, Halt, Partial, Reject, Retry, Split, Verdict
from connector.vendors.contract import Limits

FAILURES = frozenset({"server_error", "timeout", "connection"})
"""Retry reasons that say the vendor is in trouble: they count for breaker and limit."""


class Pace:
    """One endpoint's state of health as we know it, and what it lets us do.

    A request may leave when fewer than `limit` are in flight and `until` has come. While the breaker is open
    the next one to leave is the probe: the caller says so with `probing` and passes it on to `learn`.
    """

    def __init__(self, limits: Limits, max_in_flight: int, random: Random) -> None:
        self._limits = limits
        self._random = random
        self._gate = Gate(limits, random)
        self._cap = RateCap(limits.requests_per_second)
        self._limiter = Limiter(max_in_flight)
        self._breaker = Breaker(limits.probe, random)
        self.tally = Tally()

    # ── may one leave? ───────────────────────────────────────────────────────────────────────────

    @property
    def limit(self) -> int:
        """Requests that may be in flight."""
        return self._limiter.limit

    @property
    def until(self) -> float:
        """When the next request may leave (loop time)."""
        return max(self._gate.until, self._breaker.until, self._cap.until)

    @property
    def breaker(self) -> BreakerState:
        """Closed, open or half-open."""
        return self._breaker.state

    @property
    def gate_until(self) -> float:
        """When the gate opens, or when it did."""
        return self._gate.until

    @property
    def others_first_until(self) -> float:
        """Until when those go first that were not throttled."""
        return self._gate.others_first_until

    def probe_s(self, now: float) -> float | None:
        """How long until an open breaker lets its probe leave; None while it is not open."""
        return max(0.0, self.until - now) if self._breaker.state == "open" else None

    def leaves(self, now: float) -> None:
        """A request leaves now."""
        self._cap.take(now)

    def probing(self) -> None:
        """And it is the probe: nothing else leaves before its answer."""
        self._breaker.probing()

    def asked(self, now: float) -> None:
        """The destination's own probe request leaves now: vendors say how often they like that."""
        self._breaker.asked(now)

    @property
    def asks_from(self) -> float:
        """When it likes to be asked again."""
        return self._breaker.asks_from

    def state(self, now: float) -> SenderState:
        """What holds the next request back, for people."""
        if self._breaker.state != "closed":
            return "breaker_open"
        if self._gate.until > now:
            return "gated"
        return "capped" if self._cap.until > now else "sending"

    # ── what an answer teaches ───────────────────────────────────────────────────────────────────

    def learn(
        self, verdict: Verdict, items: int, sent_at: float, now: float, in_flight: int, probe: bool
    ) -> BreakerState | None:
        """A request with so many items was answered, or met silence. The breaker's state if it changed."""
        match verdict:
            case Retry(reason) if reason in FAILURES:
                self.tally.failed += 1
                self._limiter.failed(sent_at, now)
                return self._breaker.state if self._breaker.failed(now, probe) else None
            case Retry("throttled"):
                self._limiter.throttled(sent_at, now)
            case Delivered():
                self._passed(in_flight, sent_at)
            case Partial(rejected, retry) if len(rejected) + len(retry) < items:
                self._passed(in_flight, sent_at)
            case Partial() | Retry() | Split() | Reject() | Halt():
                pass  # an answer, so the vendor is there; nothing was taken, so it proves no more
            case unreachable:
                assert_never(unreachable)
        return self._answered(now, probe)

    def probe_answered(self, healthy: bool, now: float) -> BreakerState:
        """The destination's own probe request, and not a batch, decided over the breaker."""
        if healthy:
            self._answered(now, probe=True)
        else:
            self._breaker.failed(now, probe=True)
        return self._breaker.state

    def probe_withdrawn(self, now: float) -> None:
        """A rebalance took the batch that was the probe: we know as much as before."""
        self._breaker.withdrawn(now)

    def restart(self) -> None:
        """Begin again with one request."""
        self._limiter.restart()

    def _passed(self, in_flight: int, sent_at: float) -> None:
        self.tally.passed += 1
        self.tally.passed_left_at = max(self.tally.passed_left_at, sent_at)
        self._limiter.passed(in_flight)
        self._gate.passed()

    def _answered(self, now: float, probe: bool) -> BreakerState | None:
        if not self._breaker.answered(now, probe):
            return None
        self._limiter.restart()
        return self._breaker.state

    # ── when again? ──────────────────────────────────────────────────────────────────────────────

    def close_gate(self, now: float, after_s: float | None) -> float | None:
        """The vendor throttles: how long everybody waits, or None if they wait so long already."""
        before = self._gate.until
        wait_s = self._gate.throttled(now, after_s)
        return wait_s if self._gate.until > before else None

    def wait_s(self, verdict: Retry, failures: int, now: float) -> float:
        """How long one batch waits for its next attempt.

        Throttled, it waits for the gate and then its own time: others, who may be innocent, go first when the
        gate opens.
        """
        own_s = self.own_wait_s(failures)
        if verdict.reason == "throttled":
            return max(0.0, self._gate.until - now) + own_s
        if verdict.after_s is not None:
            return upward_s(min(max(verdict.after_s, 0.0), self._limits.retry_after_max_s), self._random)
        return own_s

    def own_wait_s(self, failures: int) -> float:
        """How long one batch waits because of what it met itself: the first wait at least."""
        return backoff_s(self._limits.retry, max(1, failures), self._random)
