"""What a bounded feed makes of what it reads: records as they stand, or dead letters as what they were.

Decides only: no broker, no clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from connector.kafka.cases import Case
from connector.kafka.dead_letter import REPLAYS, DeadLetter, Headers, parse
from connector.kafka.inspect import Stored
from connector.kafka.leases import Place
from connector.kafka.marker import Spot
from connector.kafka.ranges import Range
from connector.model.coordinate import Coordinate
from connector.model.record import Lease, Record

Fetch = Callable[[Coordinate], Stored | None]
"""Reads one record from its source topic; None when Kafka has it no more."""


class SourceReader:
    """Records as they stand in their source topics, one lease a partition."""

    def __init__(self) -> None:
        self._leases: dict[Place, Lease] = {}

    def read(self, topic: str, stored: Stored) -> Record:
        """The record."""
        place = (topic, stored.partition)
        lease = self._leases.get(place)
        if lease is None:
            lease = self._leases[place] = Lease(topic, stored.partition, 1)
        return record_of(lease, stored.offset, stored, stored.headers)


class LetterReader:
    """Chosen letters as the records that they were, with their number of replays behind their own headers.

    A frontier only goes forward, and letters stand in no order of their records. So a record comes under the
    first lease of its partition whose last one it is behind, and under a new one if there is none: letters
    of one run ascend, so a few leases do. Those of two partitions of the dead-letter topic share none: a
    lease that is paused must not hold what comes from elsewhere.
    """

    def __init__(self, cases: Iterable[Case], fetch: Fetch) -> None:
        self.unreadable = 0
        """Chosen ones that nobody has any more: too large for the dead-letter topic, gone from the source."""
        self._cases = {case.spot: case for case in cases}
        self._fetch = fetch
        self._strands: dict[tuple[int, str, int], list[tuple[Lease, int]]] = {}
        self._epoch = 0

    def read(self, topic: str, stored: Stored) -> Record | None:
        """The record of a chosen letter."""
        case = self._cases.get(Spot(stored.partition, stored.offset))
        if case is None:
            return None
        letter = parse(stored.headers)
        original = whole(stored, letter, self._fetch) if letter is not None else None
        if letter is None or original is None:
            self.unreadable += 1
            return None
        headers = (*original.headers, (REPLAYS, b"%d" % (letter.replays + 1)))
        return record_of(self._lease(stored.partition, case.record), case.record.offset, original, headers)

    def _lease(self, partition: int, record: Coordinate) -> Lease:
        strands = self._strands.setdefault((partition, record.topic, record.partition), [])
        for at, (lease, last) in enumerate(strands):
            if record.offset > last:
                strands[at] = (lease, record.offset)
                return lease
        self._epoch += 1
        lease = Lease(record.topic, record.partition, self._epoch)
        strands.append((lease, record.offset))
        return lease


def whole(stored: Stored, letter: DeadLetter, fetch: Fetch) -> Stored | None:
    """The record that a letter is about: from the letter, or from its source where the letter was too large.
    None when neither has it; what stands there now under its offset must have its hash."""
    if letter.value_omitted is None:
        return Stored(
            stored.partition,
            stored.offset,
            stored.timestamp_ms,
            stored.key,
            stored.value,
            letter.source_headers,
        )
    original = fetch(Coordinate(letter.topic, letter.partition, letter.offset))
    if original is None or original.value is None:
        return None
    return original if hashlib.sha256(original.value).hexdigest() == letter.value_sha256 else None


def record_of(lease: Lease, offset: int, stored: Stored, headers: Headers) -> Record:
    """What stands in Kafka, under a lease of ours."""
    return Record(lease, offset, stored.timestamp_ms, stored.key, stored.value, headers)


def ranges_of(topic: str, cases: Iterable[Case]) -> Sequence[Range]:
    """What must be read of the dead-letter topic to see the chosen letters."""
    found: dict[int, tuple[int, int]] = {}
    for case in cases:
        partition, offset = case.spot
        first, last = found.get(partition, (offset, offset))
        found[partition] = (min(first, offset), max(last, offset))
    return [Range(topic, partition, first, last + 1) for partition, (first, last) in sorted(found.items())]
