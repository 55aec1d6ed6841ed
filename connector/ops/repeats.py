"""Which of many equal lines is written: a storm is a line, then a count. Decides only: no clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

REPEAT_S = 30.0
"""What comes again and again is written this often: enough to see that it goes on."""
KINDS_MAX = 512

Level = Literal["info", "warning", "error"]
Words = dict[str, object]


class Line(msgspec.Struct):
    """One line that may be written. `kind` tells equal ones from others of the same `event`."""

    level: Level
    event: str
    words: Words
    kind: str = ""


class _Seen(msgspec.Struct):
    since: float
    written: int = 0
    left_out: int = 0
    last: Line | None = None
    """The last one that was left out."""


class Repeats:
    """Of equal lines the first ones are written, in every `period_s` so many; the others are counted.

    The count is never lost: when the period is over, `due` gives the last one that was left out, and how many
    were left out beside it. Kinds beyond `KINDS_MAX` share one entry an event, so that memory and volume stay
    bounded whatever happens.
    """

    def __init__(self, period_s: float = REPEAT_S) -> None:
        self._period_s = period_s
        self._seen: dict[tuple[str, str], _Seen] = {}

    def admit(self, line: Line, now: float, most: int = 1) -> bool:
        """Whether this one is written; `most` are in a period."""
        key = (line.event, line.kind)
        seen = self._seen.get(key)
        if seen is None and len(self._seen) >= KINDS_MAX:
            key = (line.event, "")
            seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(now)
        elif now - seen.since >= self._period_s and not seen.left_out:
            seen.since, seen.written = now, 0
        if seen.written < most:
            seen.written += 1
            return True
        seen.left_out += 1
        seen.last = line
        return False

    def due(self, now: float) -> Iterator[tuple[Line, int]]:
        """What was left out and is told now: the last line of each kind, and how many others there were.

        Ask about once a second; at the end with `now` infinite, for the rest.
        """
        for key, seen in [*self._seen.items()]:
            if now - seen.since < self._period_s:
                continue
            if seen.last is None:
                del self._seen[key]
                continue
            yield seen.last, seen.left_out - 1
            self._seen[key] = _Seen(now, written=1)
