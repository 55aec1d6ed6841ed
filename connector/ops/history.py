"""How many records got each outcome in the last minutes, for the page's curves. Decides only: no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

EVERY_S = 5.0
SLOTS = 120
"""Ten minutes: long enough to see an outage begin, short enough for every answer of `/status`."""

OUTCOMES = ("delivered", "skipped", "dead_lettered")


class History:
    """Counts that only grow go in, as often as one likes; how much they grew in each slot comes out.

    A slot that nobody looked at, since the process stood still, is as empty as it was.
    """

    def __init__(self, now: float) -> None:
        self._slots: dict[str, deque[int]] = {outcome: deque(maxlen=SLOTS) for outcome in OUTCOMES}
        self._before = dict.fromkeys(OUTCOMES, 0)
        self._slot_ends = now + EVERY_S

    def look(self, counts: Mapping[str, int], now: float) -> None:
        """The counts by outcome, as they are now."""
        while now >= self._slot_ends:
            for outcome, slots in self._slots.items():
                slots.append(counts[outcome] - self._before[outcome])
                self._before[outcome] = counts[outcome]
            self._slot_ends += EVERY_S

    def snapshot(self) -> dict[str, object]:
        """Records of each outcome in each slot, the oldest first, and how many seconds a slot lasts."""
        return {"every_s": EVERY_S, **{outcome: [*slots] for outcome, slots in self._slots.items()}}
