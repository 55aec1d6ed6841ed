"""How leases end: what is open is finished, the frontier is committed, the lease is fenced, in this order.

Runs in the poll thread, which stands still meanwhile, so every wait is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from confluent_kafka import Consumer

from connector.kafka import offsets
from connector.kafka.bridge import ANSWER_GRACE_S, Bridge
from connector.kafka.leases import Leases
from connector.kafka.listener import Listener
from connector.model.record import Lease

DRAIN_STEP_S = 0.1

COMMIT_MIN_S = 0.2
"""What the last commit may take although the time for a stop is up: without it, what the drain finished would
be sent again."""


def drain(
    leases: Sequence[Lease], bridge: Bridge, listener: Listener, timeout_s: float
) -> Mapping[Lease, int]:
    """Let the loop finish these, within the time, or what is left of it when we must end; their frontiers, or
    nothing if it does not answer."""
    drained: Future[Mapping[Lease, int]] = Future()
    bridge.tell(listener.revoked, leases, drained)
    deadline = time.monotonic() + timeout_s + ANSWER_GRACE_S
    while True:
        now = bridge.beat()
        left_s = (bridge.stop_at if bridge.stopping else deadline) - now
        try:
            return drained.result(max(0.0, min(left_s, DRAIN_STEP_S)))
        except TimeoutError:
            if left_s <= 0 and drained.cancel():
                return {}


class Handover:
    """Ends leases: for the group that takes them back, for a stop, and where another takes their place."""

    def __init__(
        self,
        consumer: Consumer,
        leases: Leases,
        bridge: Bridge,
        listener: Listener,
        drain_timeout_s: float,
    ) -> None:
        self._consumer = consumer
        self._leases = leases
        self._bridge = bridge
        self._listener = listener
        self._drain_timeout_s = drain_timeout_s

    def give_back(self, leases: Sequence[Lease]) -> None:
        """Finish, commit, fence. When this returns the loop has let go of them, and others may begin."""
        if not leases:
            return
        snapshot = drain(leases, self._bridge, self._listener, self._drain_timeout_s)
        chosen = {lease: snapshot[lease] for lease in leases if lease in snapshot}
        self.fence(leases, lost=not self.commit(chosen))
        self._bridge.be_heard()

    def commit(self, chosen: Mapping[Lease, int]) -> bool:
        """Commit and wait for the answer, for a bounded time. False if Kafka did not take it."""
        if not chosen:
            return True
        timeout_s = offsets.COMMIT_S - 2 * ANSWER_GRACE_S
        if self._bridge.stopping:
            timeout_s = max(COMMIT_MIN_S, min(timeout_s, self._bridge.stop_at - time.monotonic()))
        error = offsets.commit(self._consumer, chosen, timeout_s)
        self._bridge.tell(self._listener.committed, chosen, error)
        return error is None

    def fence(self, leases: Sequence[Lease], lost: bool) -> None:
        """Make everything late of these inert. `lost`: somebody else may have them already."""
        if leases:
            self._leases.end(leases)
            self._bridge.tell(self._listener.fenced, leases, lost)
