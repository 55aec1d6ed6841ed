"""A sender between a vendor without sockets and an outlet that remembers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random

from connector.delivery.breaker import BreakerState
from connector.delivery.sender import Sender
from connector.model.item import Item, Rejection
from connector.vendors.contract import Destination, Limits
from tests.delivery.acme import LIMITS, Acme, Answer, Wire


class Outcomes:
    """What the pipeline would be told. An item that is told twice is a failure at once."""

    def __init__(self) -> None:
        self.delivered_ids: list[str] = []
        self.rejections: dict[str, Rejection] = {}
        self.halts: list[tuple[str, str]] = []
        self.resumes = 0
        self.on_rejection: Callable[[], None] = lambda: None
        self._reached = asyncio.Event()
        self._awaited = 0

    @property
    def settled(self) -> int:
        return len(self.delivered_ids) + len(self.rejections)

    def wait_for(self, count: int) -> asyncio.Event:
        """Set when so many items have their outcome."""
        self._awaited = count
        self._reached = asyncio.Event()
        self._look()
        return self._reached

    def delivered(self, items: Sequence[Item]) -> None:
        for item in items:
            self._first(item)
            self.delivered_ids.append(item.id)
        self._look()

    def rejected(self, item: Item, rejection: Rejection) -> None:
        self._first(item)
        self.rejections[item.id] = rejection
        self.on_rejection()
        self._look()

    def halted(self, reason: str, detail: str) -> None:
        self.halts.append((reason, detail))

    def resumed(self) -> None:
        self.resumes += 1

    def _look(self) -> None:
        if self.settled >= self._awaited:
            self._reached.set()

    def _first(self, item: Item) -> None:
        assert item.ticket is not None
        assert item.ticket.open == 1, f"{item.id} was settled twice"
        item.ticket.open = 0


class Told:
    """What the operator would be told."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.waits_s: list[float | None] = []
        self.probes: Counter[tuple[str, str]] = Counter()
        self.gates: list[float] = []
        self.breaker: list[BreakerState] = []
        self.breaker_words: list[str] = []
        self.probes_s: list[float | None] = []
        self.limits: list[int] = []
        self.keys_refused: list[str] = []
        self.in_flight = 0

    def request_done(self, verdict: str, status: str, took_s: float, items: int, body_bytes: int) -> None:
        assert took_s >= 0
        assert items >= 1
        self.verdicts[verdict] += 1
        self.statuses[status] += 1

    def requests_in_flight(self, n: int) -> None:
        self.in_flight = n

    def concurrency_limit(self, n: int) -> None:
        self.limits.append(n)

    def probe_done(self, verdict: str, status: str, took_s: float) -> None:
        assert took_s >= 0
        self.probes[verdict, status] += 1

    def retry_scheduled(self, reason: str, wait_s: float | None) -> None:
        assert wait_s is None or wait_s >= 0
        self.retries[reason] += 1
        self.waits_s.append(wait_s)

    def gate_closed(self, wait_s: float) -> None:
        self.gates.append(wait_s)

    def breaker_changed(self, state: BreakerState, detail: str, probe_s: float | None) -> None:
        self.breaker.append(state)
        self.probes_s.append(probe_s)
        self.breaker_words.append(detail)

    def key_refused(self, detail: str) -> None:
        self.keys_refused.append(detail)


class Rig:
    """A sender with all its neighbours; `key` is what reading the secret gives."""

    def __init__(
        self,
        answer: Answer,
        *,
        limits: Limits = LIMITS,
        destination: Destination | None = None,
        linger_s: float = 0.05,
        max_in_flight: int = 8,
        latency_s: float = 0.05,
        keyed: bool = False,
        seed: int = 1,
    ) -> None:
        self.wire = Wire(answer, latency_s)
        self.outcomes = Outcomes()
        self.told = Told()
        self.key = "old"
        self.keys_read = 0
        self.sender = Sender(
            destination=destination if destination is not None else Acme(),
            url="https://acme.test/events",
            limits=limits,
            transport=self.wire,
            outlet=self.outcomes,
            telemetry=self.told,
            read_credentials=self._read,
            linger_s=linger_s,
            max_in_flight=max_in_flight,
            keyed=keyed,
            random=Random(seed),
        )
        self._loop = asyncio.get_running_loop()
        self.began = self._loop.time()

    def _read(self) -> Mapping[str, str]:
        self.keys_read += 1
        return {"x-key": self.key}

    @property
    def settled(self) -> int:
        return self.outcomes.settled

    @property
    def elapsed(self) -> float:
        return self._loop.time() - self.began

    async def until_settled(self, count: int, within_s: float = 3600.0) -> None:
        """Let time pass until so many items have their outcome."""
        await asyncio.wait_for(self.outcomes.wait_for(count).wait(), within_s)

    def sent_with(self, item_id: str) -> list[float]:
        """When requests with this item left, seconds since the beginning."""
        return [at - self.began for at, ids in self.wire.sent if item_id in ids]
