"""Is it the batch or the vendor? Proof that an event, not an outage, makes the vendor fail.

Decides only: no broker, no clock.

A vendor may answer 5xx to an event it cannot digest, for ever. An outage looks the same, and an outage must
never cost an event. So failures of one batch are weighed against how all *other* requests fared meanwhile:

- f, the share of the others that failed since the batch's first failure. One more than seen is counted,
  because a share of few is a guess, and it is never taken below 0.03;
- k, the failures of this batch after which another request passed before its own retry was due. While nobody
  passes, failures say nothing, so an outage adds at most the one after which it ended;
- f^k is then how likely luck alone explains it. Nothing is proven unless somebody passed after the last
  failure.

Some vendors throttle a single identifier. No share is weighed there, because the events of one identifier
would clear each other: see `ThrottledAlone`.
"""

from __future__ import annotations

import msgspec

SHARE_MIN = 0.03
"""The failure share below which we do not believe our own count. (0.03^6 is just below 1e-9.)"""


class Bar(msgspec.Struct, frozen=True):
    """What must be reached before luck is ruled out: failures, the time they span, and the chance left."""

    failures: int
    over_s: float
    chance: float


POISON = Bar(failures=6, over_s=60.0, chance=1e-9)
"""A single item is a dead letter then, which cannot be undone: 1e-9 is once in a thousand million items."""

SPLIT_ANYWAY = Bar(failures=3, over_s=0.0, chance=1e-3)
"""A batch is halved then, which costs a few requests if it was luck: once in a thousand is cheap."""

THROTTLED_ANSWERS = 10
"""Answers of 429 to one event, others being delivered meanwhile, that make it a dead letter where vendors
throttle a single identifier: usually a default that was set for very many events, and would wait for ever."""


class Tally:
    """How all requests of this process ended so far. Only ever grows."""

    __slots__ = ("failed", "passed", "passed_left_at", "throttled_anew")

    def __init__(self) -> None:
        self.passed = 0
        """Everything or something in the request was taken."""
        self.passed_left_at = float("-inf")
        """When the youngest request that passed had left."""
        self.failed = 0
        """5xx, timeout or connection."""
        self.throttled_anew = 0
        """Batches that were throttled for the first time, counted where single identifiers can be."""


class Suspicion:
    """The failures of one batch, and what the tallies were when they happened.

    `failed` after each of its failures (already in the tally), `retry_due` before each new attempt.
    """

    __slots__ = (
        "_bad_first",
        "_first_at",
        "_last_at",
        "_own",
        "_passed_first",
        "_passed_last",
        "_weighed",
        "failures",
    )

    def __init__(self, now: float, passed: int, bad: int) -> None:
        self._first_at = self._last_at = now
        self._passed_first = self._passed_last = passed
        self._bad_first = bad
        self._own = 0
        self._weighed = False
        self.failures = 0
        """k: failures after which somebody else passed."""

    def failed(self, now: float, passed: int) -> None:
        """It failed again."""
        self._own += 1
        self._last_at = now
        self._passed_last = passed
        self._weighed = False

    def retry_due(self, bar: Bar, passed: int, bad: int) -> bool:
        """Its retry is due: is it proven now that the batch is to blame?"""
        if passed == self._passed_last:
            return False
        if not self._weighed:
            self._weighed = True
            self.failures += 1
        if self.failures < bar.failures or self._last_at - self._first_at < bar.over_s:
            return False
        share = self._share(passed - self._passed_first, bad - self._bad_first - self._own)
        return bool(share**self.failures < bar.chance)

    @staticmethod
    def _share(passed: int, bad: int) -> float:
        assert passed > 0, "somebody passed"
        assert bad >= 0, "own failures are in the tally"
        return max(SHARE_MIN, (bad + 1) / (bad + passed + 1))


class ThrottledAlone:
    """The answers of 429 to one event, and what others met meanwhile.

    An answer counts unless, until its retry was due, others were throttled for the first time and nobody
    passed: that is our rate and not an identifier. Who was throttled before says nothing, as it may have the
    same identifier, and neither does silence: the last events of a topic must not stay open. Nothing is
    proven unless somebody passed who left after the first answer.
    """

    __slots__ = ("_anew_last", "_before", "_first_at", "_passed_last")

    def __init__(self, now: float, tally: Tally) -> None:
        tally.throttled_anew += 1
        self._first_at = now
        self._before = 0
        self._passed_last = tally.passed
        self._anew_last = tally.throttled_anew

    def again(self, tally: Tally) -> None:
        """It was throttled again."""
        self._before = self._answers(tally)
        self._passed_last = tally.passed
        self._anew_last = tally.throttled_anew

    def retry_due(self, tally: Tally) -> bool:
        """Its retry is due: is it proven now that it is throttled alone?"""
        return self._answers(tally) >= THROTTLED_ANSWERS and tally.passed_left_at > self._first_at

    def _answers(self, tally: Tally) -> int:
        everybody = tally.throttled_anew > self._anew_last and tally.passed == self._passed_last
        return self._before + (not everybody)
