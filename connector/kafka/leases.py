"""What the poll thread knows of the partitions it holds. Decides only: no broker, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from connector.model.record import Lease

Place = tuple[str, int]
"""Topic and partition, as librdkafka names them: without the lease."""


class Leases:
    """The leases that are live, and how each stands.

    `starts`: the offset each was last started at, None while unknown. `unplaced`: those that stand because
    Kafka does not have their offset (None: the group never had one). `halted`: those that stand until a
    person acts. `paused`: those that the loop wants nothing from.
    """

    def __init__(self) -> None:
        self.by_place: dict[Place, Lease] = {}
        self.starts: dict[Lease, int | None] = {}
        self.unplaced: dict[Lease, int | None] = {}
        self.halted: set[Lease] = set()
        self.paused: set[Lease] = set()
        self._epoch = 0

    def __iter__(self) -> Iterator[Lease]:
        return iter(self.by_place.values())

    def grant(self, topic: str, partition: int) -> Lease:
        """A new lease, under a higher epoch than every one before. It is not ours before `hold`."""
        self._epoch += 1
        return Lease(topic, partition, self._epoch)

    def hold(self, starts: Mapping[Lease, int | None]) -> None:
        """From here on these are ours, and begin at these offsets."""
        for lease, start in starts.items():
            self.by_place[(lease.topic, lease.partition)] = lease
            self.starts[lease] = start

    def end(self, leases: Iterable[Lease]) -> None:
        """Fence these: whatever still comes for them is inert. Forget them."""
        for lease in leases:
            lease.live = False
            del self.by_place[(lease.topic, lease.partition)]
            del self.starts[lease]
            self.unplaced.pop(lease, None)
            self.halted.discard(lease)
            self.paused.discard(lease)

    def at(self, places: Iterable[Place]) -> list[Lease]:
        """The leases at these places, where there is one."""
        found = (self.by_place.get(place) for place in places)
        return [lease for lease in found if lease is not None]

    def ours(self, leases: Iterable[Lease]) -> list[Lease]:
        """Those of these that are still live."""
        return [lease for lease in leases if self.by_place.get((lease.topic, lease.partition)) is lease]
