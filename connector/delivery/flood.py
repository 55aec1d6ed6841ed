"""Halt rather than turn a whole stream into dead letters. Decides only: no broker, no clock."""

from __future__ import annotations

from collections import Counter, deque
from itertools import islice

SEEN_MIN = 50
"""Records with a fate before a share means anything: the first bad one of a fresh process is a share of 1."""

_SKIPPED, _MAPPED, _REFUSED = range(3)
_DELIVERED, _REJECTED = range(2)


class _Last:
    """The kinds of the last so many records, and how many there are of each."""

    __slots__ = ("_counts", "_kinds")

    def __init__(self, window: int, kinds: int) -> None:
        self._kinds: deque[int] = deque(maxlen=window)
        self._counts = [0] * kinds

    def add(self, kind: int) -> None:
        kinds = self._kinds
        if len(kinds) == kinds.maxlen:
            self._counts[kinds[0]] -= 1
        kinds.append(kind)
        self._counts[kind] += 1

    def count(self, kind: int) -> int:
        """How many of them are of this kind."""
        return self._counts[kind]

    def __len__(self) -> int:
        return len(self._kinds)

    def share(self, kind: int, of_at_least: int = 1) -> float:
        """What part of them is of this kind, counted as if there were `of_at_least`."""
        return self._counts[kind] / max(len(self._kinds), of_at_least)

    def share_with(self, new: int, kind: int, of_at_least: int = 1) -> float:
        """The same, were a record of the kind `new` added."""
        kinds = self._kinds
        full = len(kinds) == kinds.maxlen
        count = self._counts[kind] + (new == kind) - (full and kinds[0] == kind)
        return count / max(len(kinds) + (not full), of_at_least)


class FloodGuard:
    """The share of dead letters among all records, each seen through the last `window` of its kind:

        share = refused / read  +  mapped / read * rejected / answered

    A record that does not decode or map is refused at once, one that the vendor rejects much later. Counted
    in one row, a slow vendor would make a few bad records in front of many good ones look like a flood; so
    what was read is compared with what was read, and answers with answers. Until there are `SEEN_MIN`
    answers, the missing ones count as good.

    The record that would lift the share above `ratio` is not admitted nor counted: it stays open, and whoever
    asks halts. A ratio of 1 cannot be crossed, which switches the guard off. A restart begins with empty
    windows.
    """

    def __init__(self, ratio: float, window: int) -> None:
        self._ratio = ratio
        self._read = _Last(window, 3)
        self._answered = _Last(window, 2)
        self._refused_for: deque[str] = deque(maxlen=window)
        self._rejected_for: deque[str] = deque(maxlen=window)
        """Reasons of dead letters, the newest last; as many of them count as are still in the window."""
        self._decided = 0

    def skipped(self) -> None:
        """A record was skipped."""
        self._decided += 1
        self._read.add(_SKIPPED)

    def mapped(self) -> None:
        """A record is on its way to the vendor."""
        self._read.add(_MAPPED)

    def delivered(self) -> None:
        """The vendor took a record."""
        self._decided += 1
        self._answered.add(_DELIVERED)

    def admit_refused(self, reason: str) -> bool:
        """A record can't be decoded or mapped: may it become a dead letter?"""
        read = self._read
        share = read.share_with(_REFUSED, _REFUSED)
        share += read.share_with(_REFUSED, _MAPPED) * self._answered.share(_REJECTED, SEEN_MIN)
        if self._too_much(share):
            return False
        self._decided += 1
        read.add(_REFUSED)
        self._refused_for.append(reason)
        return True

    def admit_rejected(self, reason: str) -> bool:
        """The vendor will never take a mapped record: may it become a dead letter?"""
        rejected = self._answered.share_with(_REJECTED, _REJECTED, SEEN_MIN)
        if self._too_much(self._read.share(_REFUSED) + self._read.share(_MAPPED) * rejected):
            return False
        self._decided += 1
        self._answered.add(_REJECTED)
        self._rejected_for.append(reason)
        return True

    def told(self, last: str, reason: str) -> str:
        """For people: how many were refused and why most often, which record was not admitted any more, and
        what to do. `last` names that record."""
        refused, rejected = self._read.count(_REFUSED), self._answered.count(_REJECTED)
        counts = []
        if refused:
            counts.append(f"{_part(refused, len(self._read))} read were refused before sending")
        if rejected:
            counts.append(f"{_part(rejected, len(self._answered))} answered were rejected by the vendor")
        reasons = Counter([*_newest(self._refused_for, refused), *_newest(self._rejected_for, rejected)])
        often = f", most often with {reasons.most_common(1)[0][0]}" if reasons else ""
        return (
            f"{' and '.join(counts) or 'the first one is already too many'}{often}; "
            f"{last} ({reason}) would be one too many and stays open. Look at it with `connector explain`, "
            "mend the cause and restart: it goes on there. If all of them are meant to become dead letters, "
            f"restart with dead_letter.flood_ratio: 1 (now {self._ratio:g})"
        )

    def _too_much(self, share: float) -> bool:
        return self._decided + 1 >= SEEN_MIN and share > self._ratio


def _part(count: int, whole: int) -> str:
    return f"{count} of the last {whole} records ({count / whole:.0%})"


def _newest(reasons: deque[str], count: int) -> list[str]:
    return [*islice(reversed(reasons), count)]
