"""Starts, in the poll thread, what stands because Kafka does not have its offset."""

from __future__ import annotations

import time
from collections.abc import Mapping

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


class Placing:
    """Finds out where the unplaced leases go on, and lets them: where the group or the operator says, under a
    new lease if the topic was created anew, or not at all until a person acts."""

    def __init__(
        self,
        leases: Leases,
        start: Start,
        fetching: Fetching,
        handover: Handover,
        bridge: Bridge,
        listener: Listener,
    ) -> None:
        self._leases = leases
        self._start = start
        self._fetching = fetching
        self._handover = handover
        self._bridge = bridge
        self._listener = listener
        self._look_at = 0.0

    def look(self) -> None:
        """Place what can be placed now. What is not answered comes last the next time."""
        began = time.monotonic()
        if not self._leases.unplaced or began < self._look_at:
            return
        if self._start.halts:
            self._halt()
        created_anew = {}
        for lease, lost in [*self._leases.unplaced.items()]:
            offset = self._start.again(lease, lost)
            if offset is None:
                self._leases.unplaced[lease] = self._leases.unplaced.pop(lease)
                if time.monotonic() - began >= ASK_S:
                    break
            elif lost is not None and offset < lost:
                created_anew[lease] = offset
            else:
                self._restart(lease, offset)
        now = time.monotonic()
        self._look_at = now + REST * (now - began)
        self._renew(created_anew)

    def _halt(self) -> None:
        lost = {lease: offset for lease, offset in self._leases.unplaced.items() if offset is not None}
        for lease, detail in self._start.losses(lost).items():
            del self._leases.unplaced[lease]
            self._leases.halted.add(lease)
            self._bridge.tell(self._listener.offset_lost, lease, detail)

    def _renew(self, starts: Mapping[Lease, int]) -> None:
        """Their topics were created anew, with smaller offsets: what is open belongs to the old ones. Let all
        of it finish, commit nothing, and go on under new leases."""
        if not starts:
            return
        self._handover.drain([*starts])
        self._handover.fence([*starts], lost=False)
        renewed = {self._leases.grant(old.topic, old.partition): offset for old, offset in starts.items()}
        self._leases.hold(renewed)
        self._bridge.tell(self._listener.assigned, [*renewed.items()])
        for lease, offset in renewed.items():
            self._restart(lease, offset)

    def _restart(self, lease: Lease, offset: int) -> None:
        self._fetching.restart(lease, offset)
        self._bridge.tell(self._listener.moved, lease, offset)
