"""Where a record's outcome stands, by what Kafka holds. Decides only: no broker, no clock."""

from __future__ import annotations

from typing import Literal

import msgspec

from connector.kafka.cases import Case

Word = Literal["open", "settled", "dead_lettered", "resolved"]


class Standing(msgspec.Struct, frozen=True):
    """What is sure (`word`), and in a sentence for people.

    `open`: the group has not committed past it. `settled`: it has, so the record was delivered or skipped.
    `dead_lettered`: it waits in the dead-letter topic. `resolved`: it did, until a replay.
    """

    word: Word
    text: str


def standing(offset: int, committed: int | None, case: Case | None) -> Standing:
    """`committed` is the group's offset of the partition, `case` the record's dead letters."""
    if case is not None and case.marker is not None:
        marker = case.marker
        how = " ".join(filter(None, (marker.outcome, marker.reason))) or "marked by hand"
        at = f" at {marker.resolved_at}" if marker.resolved_at else ""
        return Standing("resolved", f"it was a dead letter ({case.letter.reason}) and is resolved: {how}{at}")
    if case is not None:
        letter = case.letter
        again = f", and failed again in replay {letter.replays}" if letter.replays else ""
        text = f"a dead letter since {letter.failed_at}{again}; {letter.message or letter.reason}"
        return Standing("dead_lettered", text)
    if committed is None:
        return Standing("open", "the group has committed nothing in this partition")
    if offset >= committed:
        return Standing("open", f"not committed: the group is at {committed}, {offset - committed} before it")
    return Standing(
        "settled",
        f"committed (the group is at {committed}) and no dead letter: it was delivered, or skipped",
    )
