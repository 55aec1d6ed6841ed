"""What the poll thread knows of the partitions it holds. Decides only: no broker, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from connector.model.record import Lease

Place = tuple[str, int]
"""Topic and partition, as librdkafka names them: without the lease."""


class Flow(NamedTuple):
    """What librdkafka must be told. Both are empty most of the time."""

    pause: list[Lease]
    resume: list[Lease]


class Leases:
    """The leases that are live, and how each stands.

    `starts`: the offset each was last started at, None while unknown. `unplaced`: those that stand because
    Kafka does not have their offset (None: the group has none, or nobody has told us yet). `halted`: those
    that stand until a person acts. `superseded`: those whose topic was created anew, and where that begins;
    they stand until the loop has finished them. `paused`: those that the loop wants nothing from; `choked`:
    it wants nothing at all. `committing`: whose commit was last sent for a place; the answer names the place
    alone. `reached`: where those go on that were read to their end, or to a gap, as far as the loop does not
    know it.
    """

    def __init__(self) -> None:
        self.by_place: dict[Place, Lease] = {}
        self.starts: dict[Lease, int | None] = {}
        self.unplaced: dict[Lease, int | None] = {}
        self.halted: set[Lease] = set()
        self.superseded: dict[Lease, int] = {}
        self.paused: set[Lease] = set()
        self.choked = False
        self.committing: dict[Place, Lease] = {}
        self.reached: dict[Lease, int] = {}
        self._told: dict[Lease, bool] = {}
        """Whether librdkafka was last told to pause it. Absent: not told yet, it may do either."""
        self._epoch = 0

    def __iter__(self) -> Iterator[Lease]:
        return iter(self.by_place.values())

    @property
    def quiet(self) -> set[Lease]:
        """Those that nothing is fetched from."""
        return self.paused | self.halted | self.superseded.keys()

    def grant(self, topic: str, partition: int) -> Lease:
        """A new lease, under a higher epoch than every one before. It is not ours before `hold`."""
        self._epoch += 1
        return Lease(topic, partition, self._epoch)

    def hold(self, starts: Mapping[Lease, int | None]) -> None:
        """From here on these are ours, and begin at these offsets."""
        for lease, start in starts.items():
            self.by_place[(lease.topic, lease.partition)] = lease
            self.starts[lease] = start
            if start is None:
                self.unplaced[lease] = None

    def came(self, leases: Iterable[Lease]) -> None:
        """Something came from these: where they begin was found without us."""
        for lease in leases:
            if self.unplaced.get(lease, 0) is None:
                del self.unplaced[lease]

    def stands(self, lease: Lease) -> bool:
        """Whether nothing may come from this one, whatever Kafka has at its offset by now."""
        return lease in self.halted or lease in self.superseded

    def place(self, lease: Lease, starts: Mapping[Lease, int | None]) -> None:
        """This one stands no more: it was assigned anew, and with it all that have a start here."""
        self.starts.update(starts)
        self.unplaced.pop(lease, None)
        for each in starts:
            self._told.pop(each, None)

    def flow(self) -> Flow:
        """What has changed in what is wanted. Only that is told: a pause throws away what was fetched ahead.
        Of what was assigned it is told in any case: librdkafka keeps a partition's pause through being taken
        away and given back, and nobody would end it."""
        flow = Flow([], [])
        for lease in self:
            quiet = self.choked or lease in self.paused or self.stands(lease)
            if self._told.get(lease) is not quiet:
                self._told[lease] = quiet
                (flow.pause if quiet else flow.resume).append(lease)
        return flow

    def end(self, leases: Iterable[Lease]) -> None:
        """Fence these: whatever still comes for them is inert. Forget them."""
        for lease in leases:
            place = (lease.topic, lease.partition)
            lease.live = False
            del self.by_place[place]
            del self.starts[lease]
            self.unplaced.pop(lease, None)
            self.halted.discard(lease)
            self.superseded.pop(lease, None)
            self.paused.discard(lease)
            self.reached.pop(lease, None)
            self._told.pop(lease, None)
            if self.committing.get(place) is lease:
                del self.committing[place]

    def at(self, places: Iterable[Place]) -> list[Lease]:
        """The leases at these places, where there is one."""
        found = (self.by_place.get(place) for place in places)
        return [lease for lease in found if lease is not None]

    def ours(self, leases: Iterable[Lease]) -> list[Lease]:
        """Those of these that are still live."""
        return [lease for lease in leases if self.by_place.get((lease.topic, lease.partition)) is lease]
