"""What arrived against what had to arrive, id by id. Decides only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec


class Books(msgspec.Struct, frozen=True):
    """`missing` and `repeated` count arrivals, `unexpected` ids that nobody should have sent."""

    missing: int
    repeated: int
    unexpected: int


def compare(due: Mapping[str, int], accepted: Mapping[str, int]) -> Books:
    """Hold what the vendor took against what was due, each as id → how often.

    Two events may carry one id (an order reported twice): then it is due twice, once is one missing, and only
    a third time is a repeat.
    """
    lacking, extra = Counter(due), Counter(accepted)
    lacking.subtract(accepted)
    extra.subtract(due)
    return Books(
        missing=(+lacking).total(),
        repeated=sum(count for each, count in extra.items() if count > 0 and each in due),
        unexpected=len(accepted.keys() - due.keys()),
    )
