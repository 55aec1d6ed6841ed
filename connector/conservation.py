"""Whether everything that was produced arrived where it must. Decides only: no broker, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from connector.traffic import Expected

Outcomes = Mapping[tuple[str, str], int]
"""(outcome, reason) → records."""


class Found(msgspec.Struct, frozen=True):
    """What a run left behind, each thing told by who holds it.

    `counted` is what the connector says of itself; `letters` (reason → records) is what the dead-letter topic
    holds; `uncommitted` counts the records behind the committed offsets; `accepted` and `ignored` are the
    vendor's: how often it took each id, and the ids that it dropped in silence, with its reason.
    """

    counted: Outcomes
    letters: Mapping[str, int]
    uncommitted: int
    accepted: Mapping[str, int]
    ignored: Mapping[str, str] = {}


class Conservation(msgspec.Struct, frozen=True):
    """The books of one run: what was produced against what the connector, Kafka and the vendor hold.

    `missing` and `unexpected` are ids at the vendor; `repeats` counts ids it was given more often than
    produced, which its idempotency absorbs; `ignored` what it dropped in silence and should not have.
    """

    produced: int
    expected: Outcomes
    counted: Outcomes
    letters_expected: Mapping[str, int]
    letters: Mapping[str, int]
    uncommitted: int
    ids_expected: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    ignored: Mapping[str, int]
    unavoidable: Mapping[str, int]
    """What the vendor drops in silence whatever is sent, by its reason: declared by the destination."""
    repeats: int

    @property
    def settled(self) -> int:
        """Delivered, skipped and dead-lettered records together."""
        return sum(self.counted.values())

    @property
    def balances(self) -> bool:
        """True when every record has its one right outcome, Kafka holds the right dead letters and offsets,
        and the vendor exactly the right ids."""
        return not self.differences

    @property
    def differences(self) -> tuple[str, ...]:
        """What does not balance, a sentence each."""
        found = []
        if self.produced != self.settled:
            found.append(f"{self.produced:,} produced, {self.settled:,} settled")
        for key in sorted(self.expected.keys() | self.counted.keys()):
            must, is_ = self.expected.get(key, 0), self.counted.get(key, 0)
            if must != is_:
                found.append(f"{' '.join(filter(None, key))}: {must:,} expected, {is_:,} counted")
        for reason in sorted(self.letters_expected.keys() | self.letters.keys()):
            must, is_ = self.letters_expected.get(reason, 0), self.letters.get(reason, 0)
            if must != is_:
                found.append(f"dead letters {reason}: {must:,} expected, {is_:,} in the topic")
        if self.uncommitted:
            found.append(f"{self.uncommitted:,} records behind the committed offsets")
        for what, ids in (("missing at the vendor", self.missing), ("unexpected there", self.unexpected)):
            if ids:
                more = ", …" if len(ids) > 5 else ""
                found.append(f"{len(ids):,} ids {what}: {', '.join(ids[:5])}{more}")
        found += [f"{count:,} ids ignored by the vendor: {why}" for why, count in self.ignored.items()]
        return tuple(found)

    def total(self, outcome: str) -> int:
        """Records with this outcome, whatever the reason."""
        return sum(count for (name, _), count in self.counted.items() if name == outcome)

    def reasons(self, outcome: str) -> dict[str, int]:
        """Records with this outcome by reason, most frequent first."""
        found = {reason: count for (name, reason), count in self.counted.items() if name == outcome}
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def audit(
    expected: Iterable[Expected], found: Found, unavoidable: frozenset[str] = frozenset()
) -> Conservation:
    """Hold what was found against what had to happen.

    `unavoidable` names the vendor's reasons for dropping in silence that no connector can avoid.
    """
    outcomes: Counter[tuple[str, str]] = Counter()
    ids: Counter[str] = Counter()
    produced = 0
    for each in expected:
        produced += 1
        outcomes[(each.outcome, each.reason)] += 1
        ids.update(each.ids)
    ignored = Counter(why for why in found.ignored.values() if why not in unavoidable)
    must_ignore = Counter(why for why in found.ignored.values() if why in unavoidable)
    given_up = {each for each, why in found.ignored.items() if why in unavoidable}
    accepted = found.accepted
    return Conservation(
        produced=produced,
        expected=dict(outcomes),
        counted={key: count for key, count in found.counted.items() if count},
        letters_expected={
            reason: count for (what, reason), count in outcomes.items() if what == "dead_lettered"
        },
        letters=dict(found.letters),
        uncommitted=found.uncommitted,
        ids_expected=len(ids),
        missing=tuple(
            sorted(
                each for each, count in ids.items() if accepted.get(each, 0) < count and each not in given_up
            )
        ),
        unexpected=tuple(sorted(accepted.keys() - ids.keys())),
        ignored=dict(ignored),
        unavoidable=dict(must_ignore),
        repeats=sum(max(0, count - ids[each]) for each, count in accepted.items()),
    )
