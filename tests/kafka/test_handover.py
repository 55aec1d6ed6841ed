"""Partitions are given back in order: what is open is finished, committed, fenced, and only then let go."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import cast

import pytest
from confluent_kafka import Consumer

from connector.kafka import offsets
from connector.kafka.bridge import ANSWER_GRACE_S, Bridge
from connector.kafka.handover import Handover
from connector.kafka.leases import Leases
from connector.kafka.listener import Listener
from connector.model.record import Lease


class Loop:
    """Hears of the end of leases alone. Answers a revocation, and is then busy until the thread goes on, for
    `busy_s` at the most."""

    def __init__(self, busy_s: float, frontier: int | None = None) -> None:
        self.busy_s = busy_s
        self.frontier = frontier
        self.released: list[Lease] = []
        self.went_on = threading.Event()

    def revoked(self, leases: Sequence[Lease], drained: Future[Mapping[Lease, int]]) -> None:
        drained.set_result({} if self.frontier is None else dict.fromkeys(leases, self.frontier))
        self.went_on.wait(self.busy_s)

    def committed(self, frontiers: Mapping[Lease, int], error: str | None) -> None:
        pass

    def fenced(self, leases: Sequence[Lease], lost: bool) -> None:
        self.released += leases


def holding_one(loop: Loop) -> tuple[Handover, Lease]:
    """One partition to give back."""
    leases = Leases()
    lease = leases.grant("orders", 0)
    leases.hold({lease: 0})
    consumer = Consumer({"group.id": "g", "log_level": 0})
    return Handover(consumer, leases, Bridge(), cast("Listener", loop), drain_timeout_s=10), lease


async def test_the_group_goes_on_when_the_loop_has_let_go() -> None:
    """The next owner may send at once: by then our requests must have been aborted."""
    loop = Loop(busy_s=ANSWER_GRACE_S / 5)
    handover, lease = holding_one(loop)

    def give_back() -> list[Lease]:
        handover.give_back([lease])
        released = [*loop.released]
        loop.went_on.set()
        return released

    assert await asyncio.to_thread(give_back) == [lease]
    assert not lease.live


async def test_a_revocation_takes_no_longer_than_was_reckoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is silent: beyond the drain it takes what `max.poll.interval.ms` was compared with."""
    asked: list[float] = []

    def silent(consumer: Consumer, chosen: Mapping[Lease, int], timeout_s: float) -> str:
        threading.Event().wait(timeout_s)
        asked.append(timeout_s)
        return "no answer"

    monkeypatch.setattr(offsets, "commit", silent)
    monkeypatch.setattr(offsets, "COMMIT_S", 1.5)
    loop = Loop(busy_s=3, frontier=1)
    handover, lease = holding_one(loop)

    def give_back() -> float:
        began = time.monotonic()
        handover.give_back([lease])
        loop.went_on.set()
        return time.monotonic() - began

    assert await asyncio.to_thread(give_back) < 1.5
    assert asked == [0.5]
