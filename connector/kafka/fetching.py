"""What librdkafka brings, and from where: tells it, from the poll thread, what our leases ask for."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import Consumer, TopicPartition

from connector.kafka import offsets
from connector.kafka.leases import Leases
from connector.model.record import Lease


class Fetching:
    """Assigns, unassigns and pauses. `cooperative`: partitions come and go one by one; in an eager group all
    are assigned at once, and all are taken back at once."""

    def __init__(self, consumer: Consumer, leases: Leases, *, cooperative: bool) -> None:
        self._consumer = consumer
        self._leases = leases
        self._cooperative = cooperative

    def begin(self, starts: Mapping[Lease, int | None]) -> None:
        """Bring these, which the group gave us; without an offset, from the committed one on."""
        places = [offsets.place(*each) for each in starts.items()]
        if self._cooperative:
            self._consumer.incremental_assign(places)
        else:
            self._consumer.assign(places)
        self.flow()

    def end(self, places: list[TopicPartition]) -> None:
        """Bring these no more: the group has taken them back."""
        if self._cooperative:
            self._consumer.incremental_unassign(places)
        else:
            self._consumer.unassign()

    def restart(self, lease: Lease, offset: int) -> None:
        """Assign a partition that stands anew."""
        starts: Mapping[Lease, int | None] = {lease: offset}
        if self._cooperative:
            self._consumer.incremental_unassign([offsets.place(lease)])
            self._consumer.incremental_assign([offsets.place(lease, offset)])
        else:
            starts = {**offsets.positions(self._consumer, self._leases.starts), **starts}
            self._consumer.assign([offsets.place(*each) for each in starts.items()])
        self._leases.place(lease, starts)
        self.flow()

    def flow(self) -> None:
        """Let flow what is wanted, and nothing else."""
        pause, resume = self._leases.flow()
        if pause:
            self._consumer.pause([offsets.place(lease) for lease in pause])
        if resume:
            self._consumer.resume([offsets.place(lease) for lease in resume])
