"""Whether everything that was produced arrived where it must. Decides only: no broker, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from connector.traffic import Expected


class Conservation(msgspec.Struct, frozen=True):
    """The books of one run: what was produced against what was counted and what the vendor holds.

    `missing` and `unexpected` are ids at the vendor; `repeats` counts ids it was given more than once, which
    its idempotency absorbs.
    """

    produced: int
    expected: Mapping[tuple[str, str], int]
    counted: Mapping[tuple[str, str], int]
    ids_expected: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    ignored: int
    repeats: int

    @property
    def settled(self) -> int:
        """Delivered, skipped and dead-lettered records together."""
        return sum(self.counted.values())

    @property
    def balances(self) -> bool:
        """True when every record has its one right outcome and the vendor holds exactly the right ids."""
        return (
            self.produced == self.settled
            and self.expected == self.counted
            and not self.missing
            and not self.unexpected
            and not self.ignored
        )

    def total(self, outcome: str) -> int:
        """Records with this outcome, whatever the reason."""
        return sum(count for (name, _), count in self.counted.items() if name == outcome)

    def reasons(self, outcome: str) -> dict[str, int]:
        """Records with this outcome by reason, most frequent first."""
        found = {reason: count for (name, reason), count in self.counted.items() if name == outcome}
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def audit(
    expected: Iterable[Expected],
    counted: Mapping[tuple[str, str], int],
    accepted: Mapping[str, int],
    ignored: int = 0,
) -> Conservation:
    """Hold what happened against what had to happen.

    `counted` maps (outcome, reason) to records, `accepted` an id to how often the vendor took it.
    """
    outcomes: Counter[tuple[str, str]] = Counter()
    ids: set[str] = set()
    produced = 0
    for each in expected:
        produced += 1
        outcomes[(each.outcome, each.reason)] += 1
        ids.update(each.ids)
    return Conservation(
        produced=produced,
        expected=dict(outcomes),
        counted={key: count for key, count in counted.items() if count},
        ids_expected=len(ids),
        missing=tuple(sorted(ids - accepted.keys())),
        unexpected=tuple(sorted(accepted.keys() - ids)),
        ignored=ignored,
        repeats=sum(count - 1 for count in accepted.values()),
    )
