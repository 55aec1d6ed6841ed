"""Whether everything that was produced arrived where it must. Decides only: no broker, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from connector.traffic import Expected

NAMED_MAX = 5
"""Coordinates or ids named in one sentence; of more, somebody wants the number."""

Outcomes = Mapping[tuple[str, str], int]
"""(outcome, reason) → records."""


class Produced(msgspec.Struct, frozen=True):
    """A record where Kafka holds it, and what must become of it."""

    topic: str
    partition: int
    offset: int
    expected: Expected

    @property
    def coordinate(self) -> str:
        """`topic:partition:offset`."""
        return f"{self.topic}:{self.partition}:{self.offset}"


class Found(msgspec.Struct, frozen=True):
    """What a run left behind, each thing told by who holds it.

    `counted` is what the connector says of itself: one more claim to be checked, and believed in nothing.
    Kafka holds `letters` (coordinate of the source record → reason) and `committed` (topic, partition → the
    group's offset). The vendor holds `accepted` (how often it took each id), `ignored` (id → why it dropped
    it in silence) and `altered` (ids under which something else arrived than was mapped).
    """

    counted: Outcomes
    letters: Mapping[str, str]
    committed: Mapping[tuple[str, int], int]
    accepted: Mapping[str, int]
    ignored: Mapping[str, str] = {}
    altered: Collection[str] = ()

    def is_committed(self, record: Produced) -> bool:
        """Whether no other run will read it again."""
        return record.offset < self.committed.get((record.topic, record.partition), 0)


class Conservation(msgspec.Struct, frozen=True):
    """The books of one run: what was produced against what the connector, Kafka and the vendor hold.

    A record is `found` when Kafka and the vendor bear witness to its one right outcome: its ids accepted, its
    letter written, or, for a skip, nothing but the commit. Of those that are not found, `open` ones are read
    again by the next run; the `lost` ones were committed, so they are not. `missing` and `unexpected` are ids
    at the vendor; `repeats` counts ids it was given more often than produced, which its idempotency absorbs.
    """

    planned: int
    produced: int
    expected: Outcomes
    counted: Outcomes
    found: Mapping[str, int]
    open: tuple[str, ...]
    lost: tuple[str, ...]
    behind: Mapping[str, int]
    """First coordinate that is not committed → how many records that is, per partition that has any."""
    letters: int
    letters_unexpected: tuple[str, ...]
    ids_expected: int
    ids_accepted: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    altered: tuple[str, ...]
    ignored: Mapping[str, int]
    """What the vendor dropped in silence and should not have, by its reason."""
    unavoidable: Mapping[str, int]
    """What the vendor drops in silence whatever is sent, by its reason: declared by the destination."""
    repeats: int

    @property
    def settled(self) -> int:
        """Delivered, skipped and dead-lettered records together, as the connector counts them."""
        return sum(self.counted.values())

    @property
    def balances(self) -> bool:
        """True when every record has its one right outcome, Kafka holds the right dead letters and offsets,
        the vendor exactly the right ids, and the connector says the same."""
        return not self.differences

    @property
    def differences(self) -> tuple[str, ...]:
        """What does not balance, a sentence each, the worst first."""
        told = [
            _named("record", self.lost, "committed without {its} outcome"),
            _named("record", self.open, "without {its} outcome"),
            _behind_in_words(self.behind),
            _named("dead letter", self.letters_unexpected, "that should not be"),
            _named("id", self.missing, "missing at the vendor"),
            _named("id", self.unexpected, "at the vendor that should not be there"),
            _named("id", self.altered, "with other bytes than mapped"),
            *(
                f"{_several(count, 'id')} dropped by the vendor in silence: {why}"
                for why, count in self.ignored.items()
            ),
        ]
        if self.produced != self.planned:
            told.append(f"{self.planned:,} records planned, {self.produced:,} in Kafka")
        if self.produced != self.settled:
            told.append(f"{self.produced:,} produced, {self.settled:,} counted as settled")
        for key in sorted(self.expected.keys() | self.counted.keys()):
            must, is_ = self.expected.get(key, 0), self.counted.get(key, 0)
            if must != is_:
                told.append(f"{' '.join(filter(None, key))}: {must:,} expected, {is_:,} counted")
        return tuple(filter(None, told))

    def must(self, outcome: str) -> int:
        """Records that must have this outcome, whatever the reason."""
        return _total(self.expected, outcome)

    def total(self, outcome: str) -> int:
        """Records with this outcome, whatever the reason, as the connector counts them."""
        return _total(self.counted, outcome)

    def reasons(self, outcome: str) -> dict[str, int]:
        """Records with this outcome by reason, most frequent first."""
        found = {reason: count for (name, reason), count in self.counted.items() if name == outcome}
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def audit(
    planned: int, produced: Iterable[Produced], found: Found, unavoidable: frozenset[str] = frozenset()
) -> Conservation:
    """Hold what was found against what had to happen to the records that Kafka holds.

    `unavoidable` names the vendor's reasons for dropping in silence that no connector can avoid.
    """
    # What one id can be found for is found for committed records first: of two that share an id of which one
    # arrived, it is the other that is still open.
    records = sorted(produced, key=found.is_committed, reverse=True)
    given_up = {each for each, why in found.ignored.items() if why in unavoidable}
    left = dict(found.accepted)
    proven: Counter[str] = Counter()
    unproven: dict[bool, list[Produced]] = {True: [], False: []}
    for each in records:
        if _is_found(each, found, left, given_up):
            proven[each.expected.outcome] += 1
        elif each.expected.outcome != "skipped":
            unproven[found.is_committed(each)].append(each)
    ids = Counter(one for each in records for one in each.expected.ids)
    accepted = found.accepted
    short = (one for one, count in ids.items() if accepted.get(one, 0) < count and one not in given_up)
    letters_due = {(each.coordinate, each.expected.reason) for each in records if _is_dead(each)}
    letters_wrong = (pair for pair in found.letters.items() if pair not in letters_due)
    ignored = Counter(found.ignored.values())
    return Conservation(
        planned=planned,
        produced=len(records),
        expected=dict(Counter((each.expected.outcome, each.expected.reason) for each in records)),
        counted={key: count for key, count in found.counted.items() if count},
        found=dict(proven),
        open=_coordinates(unproven[False]),
        lost=_coordinates(unproven[True]),
        behind=_behind(each for each in records if not found.is_committed(each)),
        letters=len(found.letters),
        letters_unexpected=tuple(sorted(f"{place} {reason}" for place, reason in letters_wrong)),
        ids_expected=len(ids),
        ids_accepted=len(accepted),
        missing=tuple(sorted(short)),
        unexpected=tuple(sorted(accepted.keys() - ids.keys())),
        altered=tuple(sorted(found.altered)),
        ignored={why: count for why, count in ignored.items() if why not in unavoidable},
        unavoidable={why: count for why, count in ignored.items() if why in unavoidable},
        repeats=sum(max(0, count - ids[one]) for one, count in accepted.items()),
    )


def _is_found(record: Produced, found: Found, left: dict[str, int], given_up: Collection[str]) -> bool:
    """Whether the world shows this record's outcome; takes its ids from what is `left` of the accepted."""
    must = record.expected
    there = True
    for one in must.ids:
        if left.get(one, 0):
            left[one] -= 1
        elif one not in given_up:
            there = False
    if _is_dead(record):
        return there and found.letters.get(record.coordinate) == must.reason
    return there and (must.outcome == "delivered" or found.is_committed(record))


def _is_dead(record: Produced) -> bool:
    return record.expected.outcome == "dead_lettered"


def _coordinates(records: Iterable[Produced]) -> tuple[str, ...]:
    in_order = sorted(records, key=lambda each: (each.topic, each.partition, each.offset))
    return tuple(each.coordinate for each in in_order)


def _behind(records: Iterable[Produced]) -> dict[str, int]:
    first: dict[tuple[str, int], Produced] = {}
    counts: Counter[tuple[str, int]] = Counter()
    for each in records:
        place = (each.topic, each.partition)
        counts[place] += 1
        if place not in first or each.offset < first[place].offset:
            first[place] = each
    return {first[place].coordinate: counts[place] for place in sorted(first)}


def _behind_in_words(behind: Mapping[str, int]) -> str:
    """`3 records not committed, from orders:0:17 on`; empty when there are none."""
    if not behind:
        return ""
    return f"{_several(sum(behind.values()), 'record')} not committed, from {_first([*behind])} on"


def _total(outcomes: Outcomes, outcome: str) -> int:
    return sum(count for (name, _), count in outcomes.items() if name == outcome)


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _named(what: str, names: Sequence[str], state: str) -> str:
    """`2 records without their outcome: …`; empty when there are none."""
    if not names:
        return ""
    state = state.format(its="its" if len(names) == 1 else "their")
    return f"{_several(len(names), what)} {state}: {_first(names)}"


def _first(names: Sequence[str]) -> str:
    return ", ".join([*names[:NAMED_MAX], *(["…"] if len(names) > NAMED_MAX else [])])
