"""Halt rather than turn a whole stream into dead letters. Decides only: no broker, no clock."""

from __future__ import annotations

from collections import deque

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

    def admit_refused(self) -> bool:
        """A record can't be decoded or mapped: may it become a dead letter?"""
        read = self._read
        share = read.share_with(_REFUSED, _REFUSED)
        share += read.share_with(_REFUSED, _MAPPED) * self._answered.share(_REJECTED, SEEN_MIN)
        if self._too_much(share):
            return False
        self._decided += 1
        read.add(_REFUSED)
        return True

    def admit_rejected(self) -> bool:
        """The vendor will never take a mapped record: may it become a dead letter?"""
        rejected = self._answered.share_with(_REJECTED, _REJECTED, SEEN_MIN)
        if self._too_much(self._read.share(_REFUSED) + self._read.share(_MAPPED) * rejected):
            return False
        self._decided += 1
        self._answered.add(_REJECTED)
        return True

    def _too_much(self, share: float) -> bool:
        return self._decided + 1 >= SEEN_MIN and share > self._ratio
