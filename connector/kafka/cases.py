"""The dead-letter topic, record by record: what is open, what is resolved. Decides only: no broker, no clock.

All letters that one connector wrote about one record are one case, however often it failed or was written.
Where a topic was created anew, a place in it names another record than before: what a record is, its value
tells.

    open        a letter of it is named by no marker
    resolved    a marker names each of them
    open again  one more letter came, which no marker names
"""

from __future__ import annotations

import hashlib
import sys
from typing import Literal

import msgspec

from connector.kafka.dead_letter import DeadLetter, Headers, parse
from connector.kafka.marker import Marker, Spot, read_marker
from connector.model.coordinate import Coordinate

State = Literal["open", "resolved"]


Key = tuple[Coordinate, str, str, str]
"""A record by its place and its value, and whose letters they are: two connectors may share a topic for what
neither could deliver."""


class Case(msgspec.Struct, frozen=True):
    """One record's letters: the newest of them, where it stands, where all stand, and how it ended."""

    record: Coordinate
    letter: DeadLetter
    spot: Spot
    spots: tuple[Spot, ...]
    marker: Marker | None
    """The one that resolves it; None while it is open."""
    value_hash: str = ""
    """`value_hash` of the record's value: what tells it from another that had its place."""

    @property
    def state(self) -> State:
        """`open` or `resolved`."""
        return "open" if self.marker is None else "resolved"


class Choice(msgspec.Struct, frozen=True):
    """Which cases are meant; nothing said, all that are open.

    A reason with an open end (`missing_required_field`) means all of its kind. `since` and `until` are
    compared with `failed_at`, in its own form (`rfc3339`); the end is excluded.
    """

    records: frozenset[Coordinate] = frozenset()
    reasons: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    event_types: frozenset[str] = frozenset()
    since: str = ""
    until: str = ""
    states: frozenset[State] = frozenset({"open"})

    def takes(self, case: Case) -> bool:
        """Whether this one is meant."""
        letter = case.letter
        reason = letter.reason
        return (
            case.state in self.states
            and (not self.records or case.record in self.records)
            and (not self.reasons or not self.reasons.isdisjoint((reason, reason.partition(":")[0])))
            and (not self.topics or letter.topic in self.topics)
            and (not self.event_types or letter.event_type in self.event_types)
            and self.since <= letter.failed_at
            and (not self.until or letter.failed_at < self.until)
        )


class _Letters:
    """What is known of one record's letters. Its newest is kept, of the others where and when."""

    __slots__ = ("newest", "spot", "written")

    def __init__(self) -> None:
        self.newest: DeadLetter | None = None
        self.spot = Spot(0, 0)
        self.written: list[tuple[Spot, int]] = []

    def add(self, letter: DeadLetter, spot: Spot, written_ms: int) -> None:
        self.written.append((spot, written_ms))
        if self.newest is None or (letter.failed_at, spot) >= (self.newest.failed_at, self.spot):
            self.newest, self.spot = letter, spot


class Cases:
    """Unites what the dead-letter topic holds, whatever order its partitions are read in.

    About 1 KB a record that has a letter; values and the vendor's words are not kept.
    """

    def __init__(self) -> None:
        self.foreign = 0
        """Records that are neither a letter nor a marker of ours."""
        self._letters: dict[Key, _Letters] = {}
        self._markers: dict[Coordinate, list[tuple[Marker, int]]] = {}

    def add(self, spot: Spot, written_ms: int, value: bytes | None, headers: Headers) -> None:
        """One more record of the dead-letter topic."""
        letter = parse(headers)
        if letter is not None:
            letter = _brief(letter)
            record = Coordinate(letter.topic, letter.partition, letter.offset)
            key = (record, letter.destination, letter.group_id, _hash(letter, value))
            self._letters.setdefault(key, _Letters()).add(letter, spot, written_ms)
            return
        marker = None if value is not None else read_marker(headers)
        if marker is None:
            self.foreign += 1
        else:
            self._markers.setdefault(marker.record, []).append((marker, written_ms))

    def all(self) -> list[Case]:
        """Every case, the one that failed first before the others."""
        cases = [self._case(key, letters) for key, letters in self._letters.items()]
        return sorted(cases, key=lambda case: (case.letter.failed_at, case.record))

    def _case(self, key: Key, letters: _Letters) -> Case:
        record, *_, found = key
        assert letters.newest is not None, "a case begins with a letter"
        resolving = {spot: self._resolving(record, spot, written) for spot, written in letters.written}
        marker = None if None in resolving.values() else resolving[letters.spot]
        return Case(record, letters.newest, letters.spot, tuple(resolving), marker, found)

    def _resolving(self, record: Coordinate, spot: Spot, written_ms: int) -> Marker | None:
        """The marker that resolves this letter."""
        for marker, marked_ms in self._markers.get(record, ()):
            if written_ms <= marked_ms if marker.letters is None else spot in marker.letters:
                return marker
        return None


def value_hash(value: bytes | None) -> str:
    """What stands for a record's value where two are compared."""
    return hashlib.sha256(value or b"").hexdigest()


def _hash(letter: DeadLetter, value: bytes | None) -> str:
    """Of the record's value, also where the letter was written without it."""
    return letter.value_sha256 if letter.value_sha256 is not None else value_hash(value)


def _brief(letter: DeadLetter) -> DeadLetter:
    """Without what only one who looks at a single letter wants; words that many share are kept once."""
    return msgspec.structs.replace(
        letter,
        topic=sys.intern(letter.topic),
        reason=sys.intern(letter.reason),
        destination=sys.intern(letter.destination),
        group_id=sys.intern(letter.group_id),
        event_type=None if letter.event_type is None else sys.intern(letter.event_type),
        settings=sys.intern(letter.settings),
        response_body="",
        source_headers=(),
    )
