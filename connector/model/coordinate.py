"""How people and tools name a record: `topic:partition:offset`."""

from __future__ import annotations

import re
from typing import NamedTuple

_WRITTEN = re.compile(r"([a-zA-Z0-9._-]{1,249}):(\d{1,10}):(\d{1,19})", re.ASCII).fullmatch
"""A topic's name holds no colon, by Kafka's own rule."""


class Coordinate(NamedTuple):
    """Where a record stands in Kafka, whoever reads it."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"

    @classmethod
    def read(cls, text: str) -> Coordinate | None:
        """What `str` wrote; None when this is no coordinate."""
        match = _WRITTEN(text)
        return cls(match[1], int(match[2]), int(match[3])) if match is not None else None
