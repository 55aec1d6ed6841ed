"""A run beside the live one: what it reads instead of joining the group, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.kafka.ranges import Range, Reader
from connector.replay import Replay
from connector.settings import Settings


class Side(msgspec.Struct, frozen=True):
    """What `App` needs to know of such a run.

    `replay` keeps its books when dead letters are replayed; `rate` is the most records a second; `serves`:
    health, metrics and status are served as usual.
    """

    group_id: str
    ranges: Sequence[Range]
    reader: Reader
    replay: Replay | None = None
    rate: float | None = None
    serves: bool = True


def group_of(settings: Settings) -> str:
    """The group that a side run names itself. It joins none and commits nothing; brokers that ask for a right
    to a group are asked about this one, never about the live one."""
    return f"{settings.source.group_id}.side"
