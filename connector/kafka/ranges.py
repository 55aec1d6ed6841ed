"""Which part of which partitions is read, and by whom. Decides only: no broker, no clock."""

from __future__ import annotations

from typing import Protocol

import msgspec

from connector.kafka.inspect import Stored
from connector.kafka.leases import Place
from connector.model.record import Record


class Range(msgspec.Struct, frozen=True):
    """Part of a partition, the end excluded."""

    topic: str
    partition: int
    start: int
    end: int

    @property
    def place(self) -> Place:
        """The partition."""
        return self.topic, self.partition


class Reader(Protocol):
    """Makes of what stands in a topic the record that goes through the pipeline."""

    def read(self, topic: str, stored: Stored) -> Record | None:
        """The record, under its lease; None when this one is not meant. Called in the thread."""
