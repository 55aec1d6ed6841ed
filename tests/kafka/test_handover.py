"""Partitions are given back in order: what is open is finished, committed, fenced, and only then let go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import cast

from confluent_kafka import Consumer

from connector.kafka.bridge import ANSWER_GRACE_S, Bridge
from connector.kafka.handover import Handover
from connector.kafka.leases import Leases
from connector.kafka.listener import Listener
from connector.model.record import Lease


class Loop:
    """Hears of the end of leases alone. Answers a revocation, with nothing to commit, and is then busy until
    the thread goes on, for a while at the most."""

    def __init__(self) -> None:
        self.released: list[Lease] = []
        self.went_on = threading.Event()

    def revoked(self, leases: Sequence[Lease], drained: Future[Mapping[Lease, int]]) -> None:
        drained.set_result({})
        self.went_on.wait(ANSWER_GRACE_S / 5)

    def fenced(self, leases: Sequence[Lease], lost: bool) -> None:
        self.released += leases


async def test_the_group_goes_on_when_the_loop_has_let_go() -> None:
    """The next owner may send at once: by then our requests must have been aborted."""
    bridge, leases, loop = Bridge(), Leases(), Loop()
    consumer = Consumer({"group.id": "g"})
    handover = Handover(consumer, leases, bridge, cast("Listener", loop), drain_timeout_s=10)
    lease = leases.grant("orders", 0)
    leases.hold({lease: 0})

    def give_back() -> list[Lease]:
        handover.give_back([lease])
        released = [*loop.released]
        loop.went_on.set()
        return released

    assert await asyncio.to_thread(give_back) == [lease]
    assert not lease.live
