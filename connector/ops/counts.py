"""How many records of a topic came, and what became of them. Plain numbers: once per record they move."""

from __future__ import annotations

import msgspec

from connector.ops.metrics import OVERFLOW

TOPICS_MAX = 1000
"""Topics with counts of their own; a pattern may match new ones every day. The others share one entry."""


class TopicCounts(msgspec.Struct):
    """Where a topic's records went; what was consumed and is nowhere here is in flight.

    `consumed`, `delivered` and `released` are added to directly, the others by `add`.
    """

    consumed: int = 0
    delivered: int = 0
    released: int = 0
    skips: dict[str, int] = msgspec.field(default_factory=dict)
    """By reason, as `dead_letters`."""
    dead_letters: dict[str, int] = msgspec.field(default_factory=dict)
    last: dict[tuple[str, str], tuple[int, int]] = msgspec.field(default_factory=dict)
    """(outcome, reason) → partition and offset of the last record that was not delivered for it."""

    def add(self, outcome: str, reason: str, partition: int, offset: int) -> None:
        """This record of the topic got its outcome."""
        if outcome == "delivered":
            self.delivered += 1
            return
        reasons = self.skips if outcome == "skipped" else self.dead_letters
        reasons[reason] = reasons.get(reason, 0) + 1
        self.last[outcome, reason] = (partition, offset)

    @property
    def skipped(self) -> int:
        """Of any reason."""
        return sum(self.skips.values())

    @property
    def dead_lettered(self) -> int:
        """Of any reason."""
        return sum(self.dead_letters.values())

    def outcomes(self) -> dict[tuple[str, str], int]:
        """(outcome, reason) → records. `delivered` is always among them."""
        found = {("delivered", ""): self.delivered}
        found |= {("skipped", reason): count for reason, count in self.skips.items()}
        return found | {("dead_lettered", reason): count for reason, count in self.dead_letters.items()}


class Counts(dict[str, TopicCounts]):
    """The counts of each topic; a topic's are there as soon as somebody asks for them."""

    def show(self, topic: str) -> None:
        """Begin with zeros before the first record comes, so that a rate over them misses nothing."""
        self[topic]

    def __missing__(self, topic: str) -> TopicCounts:
        name = topic if len(self) < TOPICS_MAX else OVERFLOW
        return self.setdefault(name, TopicCounts())
