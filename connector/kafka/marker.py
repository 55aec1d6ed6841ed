"""The mark that a dead letter is resolved: a record without value in the dead-letter topic itself.

Decides only: no broker, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from connector.kafka.dead_letter import OURS, RESOLVES, Letter
from connector.model.coordinate import Coordinate

LETTERS = f"{OURS}letters"
"""A JSON list of the letters that are resolved: partition and offset in the dead-letter topic."""

OUTCOME = f"{OURS}outcome"
REASON = f"{OURS}reason"
RESOLVED_AT = f"{OURS}resolved_at"


class Spot(NamedTuple):
    """Where a letter stands in the dead-letter topic."""

    partition: int
    offset: int


class Marker(msgspec.Struct, frozen=True):
    """Says of a record that its letters need nobody any more: what became of it, and when.

    `letters` are those that were known; one that comes later is open again. None: every letter written before
    the marker, which is what a marker without that header means (one that a person wrote, say).
    """

    record: Coordinate
    letters: tuple[Spot, ...] | None
    outcome: str = ""
    reason: str = ""
    resolved_at: str = ""

    def letter(self, partition: int) -> Letter:
        """As it is written: into the partition of a letter that it resolves, so that retention, which takes
        the oldest first, never leaves the letter behind without it."""
        texts = {
            RESOLVES: str(self.record),
            LETTERS: "" if self.letters is None else msgspec.json.encode(self.letters).decode(),
            OUTCOME: self.outcome,
            REASON: self.reason,
            RESOLVED_AT: self.resolved_at,
        }
        headers = tuple((name, text.encode()) for name, text in texts.items() if text)
        return Letter(None, None, headers, partition)


def read_marker(headers: Sequence[tuple[str, bytes | None]]) -> Marker | None:
    """The marker that these headers of a record without value make; None when they make none."""
    text = {name: value.decode("utf-8", "replace") for name, value in headers if value is not None}
    record = Coordinate.read(text.get(RESOLVES, ""))
    if record is None:
        return None
    try:
        letters = msgspec.json.decode(text.get(LETTERS, "null"), type=tuple[Spot, ...] | None)
    except msgspec.DecodeError:
        return None
    return Marker(
        record,
        letters,
        outcome=text.get(OUTCOME, ""),
        reason=text.get(REASON, ""),
        resolved_at=text.get(RESOLVED_AT, ""),
    )
