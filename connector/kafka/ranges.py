"""Which part of which partitions is read, and by whom. Decides only: no broker, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from connector.kafka.inspect import Stored
from connector.kafka.leases import Place
from connector.model.coordinate import Coordinate
from connector.model.record import Record


class Range(msgspec.Struct, frozen=True):
    """Part of a partition, the end excluded."""

    topic: str
    partition: int
    start: int
    end: int

    @property
    def place(self) -> Place:
        """The partition."""
        return self.topic, self.partition


class Reader(Protocol):
    """Makes of what stands in a topic the record that goes through the pipeline."""

    def read(self, topic: str, stored: Stored) -> Record | None:
        """The record, under its lease; None when this one is not meant. Called in the thread."""


At = Coordinate | int
"""Where a range begins or ends: at a record, or at the first of that time (epoch milliseconds) or later."""


class BadRangeError(Exception):
    """The two ends do not make a range; the text says why, for people."""


def chosen(places: Mapping[Place, int], start: At | None, end: At | None) -> list[Place]:
    """Which of these partitions are read: the one that a coordinate names, or all."""
    named = {(at.topic, at.partition) for at in (start, end) if isinstance(at, Coordinate)}
    if len(named) > 1:
        raise BadRangeError("--from and --to name different partitions: a range is of one, or by time")
    if isinstance(start, int) and isinstance(end, int) and start >= end:
        raise BadRangeError("--from is not before --to")
    for topic, partition in named:
        if (topic, partition) not in places:
            raise BadRangeError(f"{topic}:{partition} is no partition of source.topics")
    return [place for place in sorted(places) if not named or place in named]


def bounded(
    place: Place,
    edges: tuple[int, int],
    start: At | None,
    end: At | None,
    starts_at: Mapping[Place, int],
    ends_at: Mapping[Place, int],
) -> Range:
    """One partition's range. `edges` are the first offset that Kafka has and its end; the other two the
    offsets at the times of `start` and `end`, where there are any.

    What is not there any more is an error, what is not there yet is left out: the end is now at the latest.
    """
    first, last = edges
    begin = _offset(place, start, starts_at, first, last)
    stop = min(last, _offset(place, end, ends_at, last, last))
    if begin < first:
        raise BadRangeError(
            f"Kafka no longer has {place[0]}:{place[1]}:{begin}: the partition begins at {first}"
        )
    return Range(*place, begin, max(begin, stop))


def _offset(place: Place, at: At | None, found: Mapping[Place, int], default: int, last: int) -> int:
    if at is None:
        return default
    return at.offset if isinstance(at, Coordinate) else found.get(place, last)
