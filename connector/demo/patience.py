"""Says when nothing more will come of a run. Decides only: no broker, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FOR_GOOD = ("dead_letter_flood", "offset_lost")
"""Halts that only a person ends. All others try again by themselves: a key may be rotated."""


class Patience:
    """Watches one connector's progress, and ends a run that has no future.

    A run is over when every record is settled, when the connector has halted for good, or when nothing was
    settled for `stuck_s`. What it goes by is the connector's own word, which may be wrong: that decides when
    we look, not what we find.
    """

    def __init__(self, stuck_s: float) -> None:
        self._stuck_s = stuck_s
        self._settled = -1
        self._moved_at = 0.0

    def gives_up(self, settled: int, status: Mapping[str, Any], now: float) -> str | None:
        """Why nothing more will come, in words; None while something may. Called every so often."""
        if settled != self._settled:
            self._settled, self._moved_at = settled, now
        if (reason := status["halt_reason"]) in FOR_GOOD:
            return f"halted for good: {_with(reason, status['halt_detail'])}"
        for partition in status["partitions"]:
            if partition["halted"] in FOR_GOOD:
                place = f"{partition['topic']}:{partition['partition']}"
                return f"halted for good: {partition['halted']} in {place}"
        if now - self._moved_at < self._stuck_s:
            return None
        return f"no record was settled in {self._stuck_s:g} s; {_waits_on(status)}"


def _waits_on(status: Mapping[str, Any]) -> str:
    """What the connector itself says it waits for."""
    words = status["waits_on"]
    return f"it says: {_with(words, status['halt_detail'])}" if words else "it does not say why"


def _with(words: str, detail: str | None) -> str:
    return f"{words} ({detail})" if detail else words
