"""Starts, in the poll thread, what stands because Kafka does not have its offset."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from connector.kafka.bridge import Bridge
from connector.kafka.fetching import Fetching
from connector.kafka.handover import Handover
from connector.kafka.leases import Leases
from connector.kafka.listener import Listener
from connector.kafka.start import ASK_S, Start
from connector.model.record import Lease

REST = 4
"""After unanswered questions we poll for so many times as long as they took: all other partitions wait while
we ask, and one broker may be silent for hours."""

GONE = -1
"""In the place of a lost offset: the lease is not unplaced any more."""


class Placing:
    """Finds out where the unplaced leases go on, and lets them: where the group or the operator says, under a
    new lease once the loop has finished the old one if the topic was created anew, or not at all until a
    person acts.

    `serve` lets a rebalance that waits for us go first, and tells of which leases there are records that the
    loop has not been told of. In a cooperative group librdkafka would take our unassigning a partition for
    the answer to a revocation that it has not even called yet, and others would begin before we have
    finished.
    """

    def __init__(
        self,
        leases: Leases,
        start: Start,
        fetching: Fetching,
        handover: Handover,
        bridge: Bridge,
        listener: Listener,
        serve: Callable[[], Collection[Lease]],
    ) -> None:
        self._leases = leases
        self._start = start
        self._fetching = fetching
        self._handover = handover
        self._bridge = bridge
        self._listener = listener
        self._serve = serve
        self._look_at = 0.0

    def look(self) -> None:
        """Place what can be placed now. What is not answered comes last the next time."""
        began = time.monotonic()
        if not self._leases.unplaced or began < self._look_at:
            return
        if self._start.halts:
            self._halt()
        for lease, lost in [*self._leases.unplaced.items()]:
            offset = self._start.again(lease, lost)
            if offset is None:
                self._leases.unplaced[lease] = self._leases.unplaced.pop(lease)
                if time.monotonic() - began >= ASK_S:
                    break
                continue
            held = self._serve()
            if self._leases.unplaced.get(lease, GONE) != lost:
                continue  # given back meanwhile, or begun by itself
            if lost is None:
                self._begin(lease, offset)
            elif offset >= lost:
                self._jump(lease, lost, offset)
            elif lease not in held:  # those the loop must be told of before it may finish their lease
                self._supersede(lease, offset)
        now = time.monotonic()
        self._look_at = now + REST * (now - began)

    def renew(self, lease: Lease) -> None:
        """The loop has finished a superseded lease, if it is still ours: a new one takes its place."""
        offset = self._leases.superseded.get(lease)
        if offset is None:
            return
        self._handover.fence([lease], lost=False)
        renewed = self._leases.grant(lease.topic, lease.partition)
        self._leases.hold({renewed: offset})
        self._bridge.tell(self._listener.assigned, [(renewed, offset)])
        self._begin(renewed, offset)

    def _halt(self) -> None:
        lost = {lease: offset for lease, offset in self._leases.unplaced.items() if offset is not None}
        for lease, detail in self._start.losses(lost).items():
            del self._leases.unplaced[lease]
            self._leases.halted.add(lease)
            self._bridge.tell(self._listener.offset_lost, lease, detail)

    def _supersede(self, lease: Lease, offset: int) -> None:
        """Its topic was created anew, with smaller offsets. What is open of the old one nobody can read
        again, so the loop may finish it, however long that takes."""
        del self._leases.unplaced[lease]
        self._leases.superseded[lease] = offset
        self._fetching.flow()
        self._bridge.tell(self._listener.superseded, lease, offset)

    def _begin(self, lease: Lease, offset: int) -> None:
        """Nothing has come under this lease."""
        self._fetching.restart(lease, offset)
        self._bridge.tell(self._listener.moved, lease, offset)

    def _jump(self, lease: Lease, lost: int, offset: int) -> None:
        """What came from before the gap may still lie with the loop: only once that is taken may it be told
        that nothing below `offset` comes any more."""
        if offset > lost:
            self._bridge.tell(self._listener.jumped, lease, lost, offset)
        self._leases.reached[lease] = offset
        self._fetching.restart(lease, offset)
