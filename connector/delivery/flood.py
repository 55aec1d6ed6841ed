"""Halt rather than turn a whole stream into dead letters. Decides only: no broker, no clock."""

from __future__ import annotations

from collections import deque

SEEN_MIN = 50
"""Records seen before a share means anything: the first bad one of a fresh process is a share of 1."""


class FloodGuard:
    """The share of dead letters among the last `window` records.

    The record that would lift it above `ratio` is not admitted: it stays open, and whoever asks halts. A
    ratio of 1 cannot be crossed, which switches the guard off. A restart begins with an empty window.
    """

    def __init__(self, ratio: float, window: int) -> None:
        self._ratio = ratio
        self._last: deque[bool] = deque(maxlen=window)
        self._rejected = 0
        self._seen = 0

    def admit(self, rejected: bool) -> bool:
        """Count one record; False when it is the dead letter too many (it is not counted then)."""
        last = self._last
        leaving = last[0] if len(last) == last.maxlen else False
        rejected_after = self._rejected + rejected - leaving
        if rejected and self._seen + 1 >= SEEN_MIN:
            length_after = min(len(last) + 1, last.maxlen or 0)
            if rejected_after > self._ratio * length_after:
                return False
        self._seen += 1
        self._rejected = rejected_after
        last.append(rejected)
        return True
