"""Beside the pipeline while dead letters are replayed: which items go again, and who gets a marker.

A record that is replayed:

    chosen      it was to be replayed, and goes through the pipeline like any other
    marked      delivered or skipped: a marker that says so is on its way, and until Kafka has it the record
                is as open as one whose dead letter is being written
    settled     Kafka has its marker or, where it was refused again, its new letter, with one replay more
    left        none of these; its letters are as they were

While Kafka takes neither markers nor letters the records wait, and after a time for all of them the replay
ends: here a person waits, who may know why.

So a replay that is cut off sends some records again the next time, and marks none that was not sent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from connector.kafka.cases import Case
from connector.kafka.dead_letter import Writer, rfc3339
from connector.kafka.marker import Marker
from connector.model.coordinate import Coordinate
from connector.model.item import Item
from connector.model.outcome import Outcome
from connector.model.record import Record

MAX_REPLAYS = 3
"""A record that failed again after so many replays is nothing that one more will mend."""

WRITES_PATIENCE_S = 30.0
"""So long may Kafka refuse what is written about the records and none be settled: a topic's new leader is
found within seconds."""


def held_back(case: Case, destination: str, group_id: str, max_replays: int) -> str | None:
    """Why this one is not replayed, in words; None when it may be."""
    letter = case.letter
    if letter.destination != destination:
        return f"of another destination ({letter.destination})"
    if letter.group_id not in ("", group_id):
        return f"of another connector ({letter.group_id})"
    if letter.replays >= max_replays:
        return f"replayed {letter.replays} times already"
    return None


def items_again(case: Case, items: Sequence[Item]) -> Sequence[Item]:
    """Of a record's items those that were refused; all of them when the record as a whole was, or when it
    maps to none of those any more (the vendor knows by their ids what it has already)."""
    return [item for item in items if item.id in case.letter.items] or items


class Replay:
    """Keeps the books of one replay. `topic` is the dead-letter topic."""

    def __init__(
        self,
        cases: Sequence[Case],
        topic: str,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.chosen_count = len(cases)
        self.delivered = 0
        self.skipped: Counter[str] = Counter()
        """By reason, as `again`."""
        self.again: Counter[str] = Counter()
        self._cases = {case.record: case for case in cases}
        self._topic = topic
        self._now_ms = now_ms
        self._writer: Writer
        self._marking: dict[Coordinate, Outcome] = {}
        self._stood_at = 0
        self._stands_since = 0.0

    def connect(self, writer: Writer) -> None:
        """Give it who writes into the dead-letter topic."""
        self._writer = writer

    @property
    def done(self) -> int:
        """Records that were replayed, whatever came of it."""
        return self.delivered + self.skipped.total() + self.again.total()

    def chosen(self, record: Record, items: Sequence[Item]) -> Sequence[Item]:
        """The items that go again."""
        return items_again(self._case_of(record), items)

    def mark(self, record: Record, outcome: Outcome, reason: str, written: Callable[[], None]) -> None:
        """A record got through: say so in the dead-letter topic, and call `written` when Kafka has it."""
        case = self._case_of(record)
        marker = Marker(case.record, case.spots, outcome, reason, rfc3339(self._now_ms()))
        partitions = {spot.partition for spot in case.spots}
        waiting = len(partitions)
        self._marking[case.record] = outcome

        def acknowledged() -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting:
                del self._marking[case.record]
                written()

        for partition in partitions:
            self._writer.write(self._topic, (marker.letter(partition),), acknowledged)

    def settled(self, outcome: Outcome, reason: str) -> None:
        """A record has its outcome, and Kafka its marker or its new letter."""
        match outcome:
            case "delivered":
                self.delivered += 1
            case "skipped":
                self.skipped[reason] += 1
            case "dead_lettered":
                self.again[reason] += 1

    def is_stuck(self, refused: bool, now: float) -> bool:
        """Whether Kafka has refused for too long what is written here; `refused`: the last that was."""
        if not refused or self.done != self._stood_at:
            self._stood_at, self._stands_since = self.done, now
        return now - self._stands_since >= WRITES_PATIENCE_S

    def unmarked(self) -> list[Coordinate]:
        """Records that were delivered and whose markers Kafka does not have."""
        return sorted(record for record, outcome in self._marking.items() if outcome == "delivered")

    def _case_of(self, record: Record) -> Case:
        return self._cases[Coordinate(record.lease.topic, record.lease.partition, record.offset)]
