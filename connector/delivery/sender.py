"""The heart of delivery: attempt, judge, then settle, send again, halve or stop.

Does: tasks and timers on the event loop, one task for every request in flight and none for an item. How much,
how fast, who goes first and whether again is decided in the files next door.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from random import Random
from typing import assert_never

import msgspec

from connector.delivery.batch import BODY_KEPT, Batch, is_live, lease_of, live_only
from connector.delivery.batcher import NEVER
from connector.delivery.outbox import Outbox
from connector.delivery.outlet import Outlet, Report, SenderStatus, Wire
from connector.delivery.pace import FAILURES, Pace
from connector.model.item import Item, Rejection
from connector.model.record import Lease
from connector.model.verdict import Delivered, Halt, Partial, Reject, Retry, Split, Verdict
from connector.vendors.contract import Destination, Limits, Request, Response

HALT_PROBE_S = 30.0
"""How often a halt is tried again, at the cost of two calls a minute."""

SECRET_LOOK_S = 1.0
"""How often the secret is looked at meanwhile: a rotated key is tried at once, and a look is one `stat`."""

WAITING_MIN = 8
WAITING_PER_REQUEST = 2
"""Fresh batches that may wait for each request that may be in flight: one to follow, one in reserve."""

TICK_S = 0.001
"""uvloop counts milliseconds and rounds; a timer that is early by half of one would spin until it is due."""


class _Halted(msgspec.Struct, frozen=True):
    reason: str
    detail: str
    final: bool
    """Only a restart ends it."""


class Sender:
    """Carries items to the vendor until each is delivered or refused for good, and tells the outlet.

    Nothing is given up because it takes long: while a vendor is down, throttles or refuses our key, items
    wait. Requests in flight and waits are bounded here; what waits for another attempt is bounded by the byte
    budget of those who submit, for whom `room` and `nothing_can_leave` are there.

    `limits` are the destination's with the operator's settings applied; `read_credentials` reads the secret
    again and never raises. Build it on the running loop. The sender closes its transport.
    """

    def __init__(
        self,
        *,
        destination: Destination,
        url: str,
        limits: Limits,
        transport: Wire,
        outlet: Outlet,
        telemetry: Report,
        read_credentials: Callable[[], Mapping[str, str]],
        linger_s: float,
        max_in_flight: int,
        keyed: bool,
        random: Random,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._destination = destination
        self._url = url
        self._transport = transport
        self._outlet = outlet
        self._telemetry = telemetry
        self._read_credentials = read_credentials
        self._now_ms = now_ms
        self._outbox = Outbox(limits, linger_s, keyed=keyed)
        self._pace = Pace(limits, max_in_flight, random)
        self._throttles_alone = "throttled_identifier" in destination.reasons
        self._failed_last: Batch | None = None
        self._last_failure = ""
        self._halted: _Halted | None = None
        self._has_new_key = False
        """Read since the halt began, and not answered yet."""
        self._key_since = -NEVER
        """When the key in use was taken up; what was sent before bears the one before."""
        self._in_hand: set[Batch] = set()
        """Chosen to leave, and not yet judged: as many as requests are in flight."""
        self._on_the_wire: dict[Batch, asyncio.Task[object]] = {}
        self._broken_off: set[Batch] = set()
        self._limit_told = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._roomy = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        self._broken: asyncio.Future[None] = self._loop.create_future()
        self._closed = False

    # ── what the pipeline calls ──────────────────────────────────────────────────────────────────

    def submit(self, items: Sequence[Item]) -> None:
        """Take these items over, in order. Never waits; ask `has_room` between submissions."""
        if self._outbox.add(items, self._time()):
            self._pump()
        else:
            self._wake_at(self._outbox.closes_at)

    @property
    def has_room(self) -> bool:
        """Whether no more batches wait for their first attempt than will be needed soon."""
        return self._outbox.fresh < max(WAITING_MIN, WAITING_PER_REQUEST * self._pace.limit)

    async def room(self) -> None:
        """Wait until there is room."""
        while not self.has_room:
            self._roomy.clear()
            await self._roomy.wait()

    def flush(self) -> None:
        """Send what waits for company, without waiting longer."""
        self._outbox.close_batch()
        self._pump()

    def fenced(self) -> None:
        """Partitions were taken away. Requests that still carry a key of theirs are broken off: arriving
        late, they could overtake what the next owner sends."""
        if not self._outbox.keyed:
            return
        for batch, task in self._on_the_wire.items():
            if any(item.key is not None and not is_live(item) for item in batch.items):
                self._broken_off.add(batch)
                task.cancel()
        self._outbox.fenced(self._time())
        self._pump()

    def nothing_can_leave(self, deadline: float) -> bool:
        """Whether no other request will leave until `deadline` (loop time): halted, broken, the vendor is
        down, or the gate stays closed beyond it."""
        return (
            self._closed
            or self._is_halted()
            or self._pace.breaker != "closed"
            or self._pace.gate_until > deadline
        )

    def carries(self, leases: Collection[Lease]) -> bool:
        """Whether a request with something of these partitions is on the wire, or about to leave: its answer
        may settle it."""
        if self._closed:
            return False
        return any(lease_of(item) in leases for batch in self._in_hand for item in batch.items)

    def halt(self, reason: str, detail: str) -> None:
        """Stop sending until the process is restarted. What is in flight still counts. The first call tells
        the outlet, any other does nothing."""
        self._halt(Halt(reason, detail), final=True)

    def follow_secret(self) -> None:
        """Look at the secret: a rotated key is used from the next request on. Called about once a second;
        in a halt `_recover` looks, which must see the change itself."""
        if not self._is_halted():
            self._use_secret()

    def snapshot(self) -> SenderStatus:
        """How it stands, for people."""
        now = self._time()
        return SenderStatus(
            state="halted" if self._is_halted() else self._pace.state(now),
            halt_reason=self._halted.reason if self._halted is not None else None,
            breaker=self._pace.breaker,
            in_flight=len(self._in_hand),
            limit=self._pace.limit,
            waiting=self._outbox.fresh,
            retrying=self._outbox.retrying,
            in_lanes=self._outbox.in_lanes,
            gate_s=max(0.0, self._pace.gate_until - now),
            probe_s=self._pace.probe_s(now),
            last_failure=self._last_failure,
        )

    async def run(self) -> None:
        """Last as long as the sender works; raises the bug that broke it."""
        await asyncio.shield(self._broken)

    async def close(self, timeout_s: float = 5.0) -> None:
        """Give up what is in flight, within `timeout_s`.

        What is unsettled stays so, and is sent again by whoever reads it next. Nothing is reported any more.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        self._broken.cancel()
        await self._transport.close()

    # ── who leaves, and when ─────────────────────────────────────────────────────────────────────

    def _pump(self) -> None:
        """Start every request that may leave now, and set the timer for the first that may leave later."""
        if self._closed:
            return
        now = self._time()
        if self._outbox.closes_at <= now:
            self._outbox.close_batch()
        while len(self._in_hand) < self._pace.limit and self._start_next(now):
            pass
        self._wake_at(self._next_wake())
        if self._pace.limit != self._limit_told:
            self._limit_told = self._pace.limit
            self._telemetry.concurrency_limit(self._limit_told)
        if self.has_room:
            self._roomy.set()

    def _start_next(self, now: float) -> bool:
        if self._is_halted() or self._pace.until > now:
            return False
        probing = self._pace.breaker == "open"
        batch = self._next_batch(now, probing)
        if batch is None:
            return False
        if self._is_halted():  # on the way to it, one record too many was refused
            self._outbox.put_back(batch)
            return False
        self._pace.leaves(now)
        if probing:
            self._pace.probing()
            self._telemetry.breaker_changed("half_open", "", None)
        self._in_hand.add(batch)
        self._telemetry.requests_in_flight(len(self._in_hand))
        self._spawn(self._attempt(batch, probing))
        return True

    def _next_batch(self, now: float, probing: bool) -> Batch | None:
        """The next batch that is not proven to be at fault."""
        while True:
            if probing:
                batch = self._outbox.take_for_probe(now, self._failed_last)
            else:
                batch = self._outbox.take(now, self._pace.others_first_until)
            if batch is None or not self._condemn(batch):
                return batch

    def _next_wake(self) -> float:
        """When something may leave, or must be closed, that cannot now. An answer wakes us anyway."""
        closing = self._outbox.closes_at
        if self._is_halted() or len(self._in_hand) >= self._pace.limit:
            return closing
        held = self._pace.until
        if self._pace.breaker == "open":
            return min(closing, held) if self._outbox.can_probe else closing
        if self._outbox.ready:
            return min(closing, held)
        return min(closing, max(held, self._outbox.next_due))

    def _wake_at(self, at: float) -> None:
        at += TICK_S
        if self._timer_at <= at:
            return  # it comes early then, which costs one look
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._on_timer)
        self._timer_at = at

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = NEVER
        self._pump()

    # ── attempt ──────────────────────────────────────────────────────────────────────────────────

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, batch: Batch, probing: bool) -> None:
        """One request from its start to what follows from it. A bug here, or in the vendor's code, ends the
        process: `run` raises it."""
        try:
            if probing:
                await self._probe(batch)
            else:
                await self._send(batch)
            self._in_hand.remove(batch)
            self._telemetry.requests_in_flight(len(self._in_hand))
            self._pump()
        except Exception as error:
            self._break(error)

    async def _send(self, batch: Batch, probing: bool = False) -> Verdict | None:
        """One attempt. None when a rebalance came in between: what is still ours of the batch waits again."""
        if not self._outbox.drop_fenced(batch, self._time()):
            self._outbox.ended(batch)
            return None
        request = self._destination.request(batch.items)
        batch.attempts += 1
        sent_at = self._time()
        began = time.perf_counter()  # uvloop's clock counts milliseconds, a good answer may take less
        response = await self._on_wire(batch, request)
        if response is None:
            self._wait_after_break(batch)
            return None
        took_s = time.perf_counter() - began
        now = self._time()
        items = len(batch.items)
        verdict = self._destination.judge(batch.items, response, self._now_ms())
        name = type(verdict).__name__.lower()
        self._telemetry.request_done(name, _status(response), took_s, items, len(request.body))
        if isinstance(verdict, Retry) or (isinstance(verdict, Partial) and verdict.retry):
            self._remember(response)
        breaker = self._pace.learn(verdict, items, sent_at, now, len(self._in_hand), probing)
        if breaker is not None:
            self._tell_breaker()
        if isinstance(verdict, Halt) and sent_at <= self._key_since:
            self._outbox.put_back(batch)  # the key before was refused; it goes again with the one of now
        else:
            self._follow(verdict, batch, response, now)
        return verdict

    async def _on_wire(self, batch: Batch, request: Request) -> Response | None:
        """The vendor's answer; None when `fenced` broke the request off."""
        task = asyncio.current_task()
        assert task is not None, "attempts are tasks"
        self._on_the_wire[batch] = task
        try:
            return await self._transport.send(request)
        except asyncio.CancelledError:
            if batch not in self._broken_off:
                raise
            task.uncancel()  # it was this request that ended, not its task
            return None
        finally:
            del self._on_the_wire[batch]
            self._broken_off.discard(batch)

    def _wait_after_break(self, batch: Batch) -> None:
        """What is still ours of a request that was broken off. It is no failure of anybody, but it waits like
        after one: the vendor may be at work on these items still."""
        now = self._time()
        if self._outbox.drop_fenced(batch, now):
            self._outbox.add_retry(batch, now + self._pace.own_wait_s(batch.failures))
        else:
            self._outbox.ended(batch)

    def _break(self, error: Exception) -> None:
        self._closed = True
        if not self._broken.done():
            self._broken.set_exception(error)

    # ── judge ────────────────────────────────────────────────────────────────────────────────────

    def _follow(self, verdict: Verdict, batch: Batch, response: Response, now: float) -> None:
        """Settle, send again, halve or stop."""
        match verdict:
            case Delivered():
                self._deliver(batch.items)
                self._outbox.ended(batch)
            case Partial():
                self._settle_parts(verdict, batch, response, now)
            case Retry():
                self._retry(verdict, batch, response, now)
            case Split() if len(batch.items) > 1:
                self._outbox.refuse(batch)
            case Split():
                # The vendor's code breaks its contract here; a split must end all the same.
                self._reject_all(batch, "vendor_rejected", "", response)
            case Reject(reason, detail):
                self._reject_all(batch, reason, detail, response)
            case Halt():
                self._outbox.put_back(batch)
                self._halt(verdict, final=False)
            case unreachable:
                assert_never(unreachable)

    def _settle_parts(self, verdict: Partial, batch: Batch, response: Response, now: float) -> None:
        items, rejected, retry = batch.items, verdict.rejected, verdict.retry
        self._deliver([item for at, item in enumerate(items) if at not in rejected and at not in retry])
        for at, (reason, detail) in rejected.items():
            self._reject(batch, items[at], reason, detail, response)
        if not retry:
            self._outbox.ended(batch)
            return
        batch.keep([items[at] for at in sorted(retry)])
        self._retry(Retry("server_error"), batch, response, now)

    def _retry(self, verdict: Retry, batch: Batch, response: Response, now: float) -> None:
        batch.failures += 1
        if verdict.reason in FAILURES:
            self._failed_last = batch
            if response.status is not None and response.status >= 500:
                batch.failed_by_5xx(response, now, self._pace.tally)
        elif verdict.reason == "throttled":
            gate_s = self._pace.close_gate(now, verdict.after_s)
            if gate_s is not None:
                self._telemetry.gate_closed(gate_s)
            if self._throttles_alone:
                batch.throttled(response, now, self._pace.tally)
        wait_s = self._pace.wait_s(verdict, batch.failures, now)
        # While the breaker is not closed its probe decides when, and a wait of seconds would be read as news.
        self._telemetry.retry_scheduled(verdict.reason, wait_s if self._pace.breaker == "closed" else None)
        self._outbox.add_retry(batch, now + wait_s, throttled=verdict.reason == "throttled")

    def _condemn(self, batch: Batch) -> bool:
        """Its next attempt is due: true when it is proven to be at fault, and has been halved or rejected."""
        proof = batch.proven(self._pace.tally)
        if proof is None:
            return False
        if len(batch.items) > 1:
            self._outbox.refuse(batch)
            return True
        reason, answer = proof
        self._reject_all(batch, reason, f"refused {batch.attempts} times while others passed", answer)
        return True

    # ── settle ───────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, items: list[Item]) -> None:
        live = live_only(items)
        if live:
            self._outlet.delivered(live)
        self._outbox.settled(items, self._time())

    def _reject_all(self, batch: Batch, reason: str, detail: str, answer: Response) -> None:
        for item in batch.items:
            self._reject(batch, item, reason, detail, answer)
        self._outbox.ended(batch)

    def _reject(self, batch: Batch, item: Item, reason: str, detail: str, answer: Response) -> None:
        if live_only([item]):
            body = answer.body[:BODY_KEPT]
            rejection = Rejection(reason, detail, answer.status, body, item.id, batch.attempts)
            self._outlet.rejected(item, rejection)
        self._outbox.settled([item], self._time())

    # ── probe ────────────────────────────────────────────────────────────────────────────────────

    async def _probe(self, batch: Batch) -> None:
        """The breaker is half-open: the destination's own probe first, if it has one, then the batch."""
        answer = await self._ask_vendor()
        # While we asked, its partitions may have been taken away, or the flood guard may have said stop.
        if (answer is None or answer is True) and not self._is_halted():
            if await self._send(batch, probing=True) is not None:
                return
        else:
            self._outbox.put_back(batch)
        if answer is None:
            self._pace.probe_withdrawn(self._time())
        else:
            self._pace.probe_answered(answer is True or isinstance(answer, Halt), self._time())
        self._tell_breaker()
        if isinstance(answer, Halt):
            self._halt(answer, final=False)

    async def _ask_vendor(self) -> Halt | bool | None:
        """The vendor's answer to a call without side effects; None where it has none."""
        request = self._destination.probe(self._url)
        if request is None:
            return None
        self._pace.asked(self._time())
        began = time.perf_counter()
        response = await self._transport.send(request)
        took_s = time.perf_counter() - began
        answer = self._destination.judge_probe(response)
        verdict = "halt" if isinstance(answer, Halt) else "delivered" if answer else "retry"
        self._telemetry.probe_done(verdict, _status(response), took_s)
        if answer is False:
            self._remember(response)
        return answer

    def _tell_breaker(self) -> None:
        state = self._pace.breaker
        detail = self._last_failure if state == "open" else ""
        self._telemetry.breaker_changed(state, detail, self._pace.probe_s(self._time()))

    def _remember(self, failure: Response) -> None:
        """What the vendor said, or how it was silent: the wire knows words for that."""
        answered = failure.status is not None
        self._last_failure = f"HTTP {failure.status}" if answered else self._transport.last_failure

    # ── halt ─────────────────────────────────────────────────────────────────────────────────────

    def _is_halted(self) -> bool:
        return self._halted is not None

    def _is_final(self) -> bool:
        return self._halted is not None and self._halted.final

    def _halt(self, halt: Halt, *, final: bool) -> None:
        if self._is_final() or (self._is_halted() and not final):
            return
        self._halted = _Halted(halt.reason, halt.detail, final)
        self._outlet.halted(halt.reason, halt.detail)
        if not final:
            self._spawn(self._recover())

    async def _recover(self) -> None:
        """Halted: every 30 seconds, and when the secret changes, see whether the vendor lets us in."""
        try:
            while True:
                await self._until_next_try()
                if self._is_final():
                    return
                answer = await self._try_again()
                if self._is_final():  # somebody halted us for good while we asked
                    return
                if isinstance(answer, Halt):
                    self._refused_again(answer)
                elif answer:
                    break
            self._halted = None
            self._has_new_key = False
            self._pace.restart()
            self._outlet.resumed()
            self._pump()
        except Exception as error:
            self._break(error)

    async def _until_next_try(self) -> None:
        at = self._time() + HALT_PROBE_S
        while (left_s := at - self._time()) > 0 and not self._is_final():
            await asyncio.sleep(min(left_s, SECRET_LOOK_S))
            if self._use_secret():
                self._has_new_key = True
                at = min(at, max(self._time(), self._pace.asks_from))

    def _use_secret(self) -> bool:
        """Whether it is another one than before."""
        is_new = self._transport.use_credentials(self._read_credentials())
        if is_new:
            self._key_since = self._time()
        return is_new

    def _refused_again(self, halt: Halt) -> None:
        """The same as before, perhaps to another key, which is told once; or another reason to halt."""
        known, has_new_key = self._halted, self._has_new_key
        assert known is not None, "it was tried again because we are halted"
        self._halted = _Halted(halt.reason, halt.detail, final=False)
        self._has_new_key = False
        if has_new_key and halt.reason == known.reason == "auth":
            self._telemetry.key_refused(halt.detail)
        elif self._halted != known:
            self._outlet.halted(halt.reason, halt.detail)

    async def _try_again(self) -> Halt | bool:
        """Whether the vendor lets us in; the halt if it says why not."""
        answer = await self._ask_vendor()
        if answer is not None:
            return answer
        batch = self._next_batch(self._time(), probing=True)
        if batch is None:
            return True  # nothing to find out with: the next batch will tell, alone, since the limit restarts
        if self._is_final():  # on the way to it, one record too many was refused
            self._outbox.put_back(batch)
            return False
        self._in_hand.add(batch)
        verdict = await self._send(batch)
        self._in_hand.remove(batch)
        if isinstance(verdict, Halt):
            return verdict
        return verdict is not None and not isinstance(verdict, Retry)


def _status(response: Response) -> str:
    """The answer's number, or which silence there was."""
    return str(response.status or response.silence)
