"""The story: poll → decode → map → batch → send → judge → settle → commit, top to bottom.

Everything here runs on the event loop and reads in the order a record lives. The Kafka room calls in with
what it polled and what it lost (`Listener`), the delivery room with what the vendor said (`Outlet`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Literal

from connector import guarded
from connector.codec.decoder import Decoder, NeedSchema, Tombstone, Undecodable
from connector.codec.registry import Registry
from connector.delivery.flood import FloodGuard
from connector.delivery.sender import Sender
from connector.delivery.settlement import Settlement
from connector.kafka.assignment import Assignment
from connector.kafka.budget import Budget
from connector.kafka.dead_letter import DeadLetters
from connector.kafka.drain import Drain
from connector.kafka.listener import Feed
from connector.model.event import Event
from connector.model.item import Item, Rejection, Ticket
from connector.model.outcome import Outcome
from connector.model.record import Lease, Record
from connector.ops.telemetry import Telemetry
from connector.replay import Replay
from connector.vendors.contract import Destination, Mapped, Refused, Skipped

DECODE_SLICE = 64
"""Records decoded and mapped before the loop may turn: about 1 ms, so a slice never delays an answer."""

CONGESTED_S = 0.1
"""How long the sender may be full before partitions are paused. Shorter, and every burst would throw
prefetched records away; longer, and the poll thread would trickle records into a full house."""

DRAIN_TICK_S = 0.02
"""How often a drain is looked at: a rebalance may take this much longer than it must."""


class Pipeline:
    """Carries records from Kafka to the vendor and gives every one of them exactly one outcome.

    A record is *in flight* from `polled` until it is settled; its partition's frontier waits for it. What
    comes late for a fenced partition is inert. Nothing here waits for Kafka: commands go to the poll thread,
    answers come back as calls.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        registry: Registry | None,
        destination: Destination,
        assignment: Assignment,
        budget: Budget,
        dead_letters: DeadLetters,
        flood: FloodGuard,
        telemetry: Telemetry,
        drain_timeout_s: float,
        key_by_record: bool = False,
        replay: Replay | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._decoder = decoder
        self._registry = registry
        self._destination = destination
        self._assignment = assignment
        self._budget = budget
        self._dead_letters = dead_letters
        self._flood = flood
        self._telemetry = telemetry
        self._counts = telemetry.counts
        self._delays_ms: list[int] = []
        """Of what was settled since they were last told."""
        self._delivered_ms = 0
        """When the batch that is being settled was answered."""
        self._drain_timeout_s = drain_timeout_s
        self._key_by_record = key_by_record
        self._replay = replay
        self._now_ms = now_ms
        self._settlement = Settlement(self._settled_items)
        self._intake: deque[list[Record]] = deque()
        self._arrived = asyncio.Event()
        self._parked: dict[Lease, deque[Ticket]] = {}
        self._fetching: set[int] = set()
        """Schemas that the registry is being asked for."""
        self._fetches: set[asyncio.Task[None]] = set()
        """Who asks, and then goes on with what waited."""
        self._writing: dict[Lease, set[int]] = {}
        """Offsets whose dead letter, or marker of a replay, Kafka has not acknowledged yet."""
        self._stop_by = math.inf
        self.joined = False
        """It was in the group, with or without a partition."""
        self.in_group = False
        """It is now, as far as we know."""
        self.failed: asyncio.Future[None] = self._loop.create_future()
        """Done with the error after which nothing can go on."""
        self._drains: list[Drain] = []
        self._paused = 0
        self._drain_timer: asyncio.TimerHandle | None = None
        self._congested = False
        self._halted: str | None = None
        self._sender: Sender
        self._poll: Feed

    def connect(self, sender: Sender, poll: Feed) -> None:
        """Give the pipeline its two neighbours, which need it themselves to be built."""
        self._sender = sender
        self._poll = poll

    # ── poll ─────────────────────────────────────────────────────────────────────────────────────

    def polled(self, records: list[Record]) -> None:
        """One slice from the poll thread; it is worked off by `run`, in order."""
        self._intake.append(records)
        self._arrived.set()

    async def run(self) -> None:
        """Work slices off for as long as the process lives."""
        while True:
            while not self._intake:
                self._arrived.clear()
                await self._arrived.wait()
            records = self._intake[0]
            for start in range(0, len(records), DECODE_SLICE):
                self._take(records[start : start + DECODE_SLICE])
                await self._room()
            self._intake.popleft()
            self._poll.taken()

    async def _room(self) -> None:
        """Let the loop turn, and hold the intake while the sender is full: backpressure begins here."""
        if self._sender.has_room:
            await asyncio.sleep(0)
            return
        try:
            await asyncio.wait_for(self._sender.room(), CONGESTED_S)
        except TimeoutError:
            self._congested = True
            self._balance()
            await self._sender.room()
            self._congested = False
            self._balance()

    def _take(self, records: list[Record]) -> None:
        now_ms = self._now_ms()
        for record in records:
            lease = record.lease
            partition = self._assignment.get(lease)
            if partition is not None and partition.frontier.has_seen(record.offset):
                self._telemetry.record_came_again(lease.topic, lease.partition, record.offset)
                continue
            self._counts[lease.topic].consumed += 1
            if partition is None or not partition.takes:
                self._counts[lease.topic].released += 1
                continue
            ticket = Ticket(record, cost=record.size)
            partition.take(record.offset, record.timestamp_ms, ticket.cost)
            if lease in self._parked:
                self._parked[lease].append(ticket)
            else:
                self._decode(ticket, now_ms)
        self._tell_delays()
        self._balance()

    # ── decode ───────────────────────────────────────────────────────────────────────────────────

    def _decode(self, ticket: Ticket, now_ms: int) -> bool:
        """Decode and pass on; False when the partition must wait for a schema first."""
        match guarded.decode(self._decoder, ticket.record, self._telemetry.decoder_failed):
            case Tombstone():
                self._skip(ticket, "tombstone", now_ms)
            case Undecodable(reason, detail):
                self._refuse(ticket, reason, detail)
            case NeedSchema(schema_id):
                self._park(ticket, schema_id)
                return False
            case event:
                self._map(ticket, event, now_ms)
        return True

    def _park(self, ticket: Ticket, schema_id: int) -> None:
        """The registry must be asked: the whole partition waits, so that its order is kept."""
        self._parked.setdefault(ticket.record.lease, deque()).appendleft(ticket)
        if schema_id not in self._fetching:
            self._fetching.add(schema_id)
            task = asyncio.create_task(self._fetch(schema_id))
            self._fetches.add(task)
            task.add_done_callback(self._fetched)

    async def _fetch(self, schema_id: int) -> None:
        assert self._registry is not None, "a decoder without a registry never asks for a schema"
        await self._registry.fetch(schema_id)
        self._fetching.remove(schema_id)
        await self._unpark()

    async def _unpark(self) -> None:
        """Go on where partitions were parked, a slice of each in turn. What they poll meanwhile still queues
        up behind."""
        turn = deque(self._parked)
        while turn:
            lease = turn.popleft()
            if self._go_on(lease):
                turn.append(lease)
            self._balance()
            await self._room()

    def _go_on(self, lease: Lease) -> bool:
        """One slice of what is parked; True when more of it may follow."""
        waiting = self._parked.get(lease)
        if waiting is None or not self._assignment[lease].takes:
            return False
        now_ms = self._now_ms()
        for _ in range(min(DECODE_SLICE, len(waiting))):
            if not self._decode(waiting.popleft(), now_ms):
                return False  # parked again, for another schema
        if waiting:
            return True
        del self._parked[lease]
        return False

    def _fetched(self, task: asyncio.Task[None]) -> None:
        self._fetches.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.poll_failed(error)

    # ── map ──────────────────────────────────────────────────────────────────────────────────────

    def _map(self, ticket: Ticket, event: Event, now_ms: int) -> None:
        ticket.event_id = event.event_id
        ticket.event_type = event.event_type
        result = guarded.mapped(self._destination, event, now_ms, self._telemetry.mapper_failed)
        for kind in result.adjustments:
            self._telemetry.adjusted(kind)
        match result:
            case Mapped(items):
                if self._replay is not None:
                    items = self._replay.chosen(ticket.record, items)
                self._flood.mapped()
                ticket.open = len(items)
                cost = 0
                for item in items:
                    item.ticket = ticket
                    cost += len(item.body)
                if self._key_by_record and ticket.record.key is not None:
                    for item in items:
                        item.key = ticket.record.key.decode("latin-1")  # any bytes, one to one
                self._hold(ticket, cost)
                self._sender.submit(items)
            case Skipped(reason):
                self._skip(ticket, reason, now_ms)
            case Refused(reason, path):
                self._refuse(ticket, reason, path)

    # ── batch, send, judge: the delivery room; it answers here ───────────────────────────────────

    def delivered(self, items: Sequence[Item]) -> None:
        """The vendor took these."""
        self._delivered_ms = self._now_ms()
        self._settlement.deliver(items)
        self._tell_delays()
        if self._paused:
            self._balance()

    def rejected(self, item: Item, rejection: Rejection) -> None:
        """The vendor will never take this one."""
        ticket = item.ticket
        assert ticket is not None, "items from here have their ticket"
        if ticket.rejections:
            rejection = rejection.brief()
        self._hold(ticket, rejection.size)
        self._settlement.reject(item, rejection)

    def halted(self, reason: str, detail: str) -> None:
        """Nothing is sent until a person acts, or a rotated key works."""
        self._halted = reason
        self._telemetry.halted(reason, detail)
        self._balance()

    def resumed(self) -> None:
        """The probe passed: go on where we stopped."""
        self._halted = None
        self._telemetry.resumed()
        self._balance()

    # ── settle ───────────────────────────────────────────────────────────────────────────────────

    def _hold(self, ticket: Ticket, cost: int) -> None:
        """Until its outcome this record holds so much more of the budget."""
        ticket.cost += cost
        self._assignment[ticket.record.lease].add_bytes(cost)

    def _settled_items(self, ticket: Ticket) -> None:
        """The last item of a record was settled."""
        if ticket.rejections:
            self._dead_letter(ticket, self._flood.admit_rejected)
        elif ticket.record.lease.live:
            self._flood.delivered()
            self._conclude(ticket, "delivered", "", self._delivered_ms)

    def _skip(self, ticket: Ticket, reason: str, now_ms: int) -> None:
        self._flood.skipped()
        self._conclude(ticket, "skipped", reason, now_ms)

    def _refuse(self, ticket: Ticket, reason: str, detail: str) -> None:
        rejection = Rejection(reason, detail)
        ticket.rejections = (rejection,)
        self._hold(ticket, rejection.size)
        self._dead_letter(ticket, self._flood.admit_refused)

    def _dead_letter(self, ticket: Ticket, admit: Callable[[str], bool]) -> None:
        """Write the record aside; it is settled when Kafka has acknowledged it.

        The record that would make it a flood stays open, and so does every one after it: somebody must look.
        """
        if not ticket.record.lease.live:
            return
        reason = ticket.rejections[0].reason
        if self._halted == "dead_letter_flood" or not admit(reason):
            self._sender.halt("dead_letter_flood", self._flood.told(str(ticket.record.coordinate), reason))
            return
        self._write_begins(ticket)
        self._dead_letters.write(ticket, lambda: self._dead_lettered(ticket))

    def _dead_lettered(self, ticket: Ticket) -> None:
        reason = ticket.rejections[0].reason
        self._telemetry.dead_lettered(reason, ticket.record.coordinate)
        self._written(ticket, "dead_lettered", reason, self._now_ms())

    def _conclude(self, ticket: Ticket, outcome: Outcome, reason: str, now_ms: int) -> None:
        """Settle what got through. In a replay once its marker is written, as one whose dead letter is."""
        if self._replay is None:
            self._settle(ticket, outcome, reason, now_ms)
            return
        self._write_begins(ticket)
        self._replay.mark(
            ticket.record, outcome, reason, lambda: self._written(ticket, outcome, reason, now_ms)
        )

    def _write_begins(self, ticket: Ticket) -> None:
        """Something about this record is on its way to Kafka."""
        self._writing.setdefault(ticket.record.lease, set()).add(ticket.record.offset)

    def _written(self, ticket: Ticket, outcome: Outcome, reason: str, now_ms: int) -> None:
        """Kafka has what was written about this record."""
        if (writing := self._writing.get(ticket.record.lease)) is not None:
            writing.remove(ticket.record.offset)
        self._settle(ticket, outcome, reason, now_ms)
        if self._paused:
            self._balance()

    def _settle(self, ticket: Ticket, outcome: Outcome, reason: str, now_ms: int) -> None:
        record = ticket.record
        lease = record.lease
        if not lease.live:
            return
        self._assignment[lease].settle(record.offset, ticket.cost)
        self._counts[lease.topic].add(outcome, reason, lease.partition, record.offset)
        if self._replay is not None:
            self._replay.settled(outcome, reason)
        if record.timestamp_ms > 0:  # a producer may leave it out
            self._delays_ms.append(now_ms - record.timestamp_ms)

    def _tell_delays(self) -> None:
        self._telemetry.delivery_delayed(self._delays_ms)
        self._delays_ms.clear()

    # ── commit ───────────────────────────────────────────────────────────────────────────────────

    def commit(self) -> None:
        """Tell Kafka how far we are, for every partition that moved."""
        self._tell_delays()
        self._renew()
        offsets = self._assignment.to_commit()
        if offsets:
            self._poll.commit(offsets)

    def committed(self, offsets: Mapping[Lease, int], error: str | None) -> None:
        """Kafka's answer to a commit. A refused one is offered again within a second."""
        self._telemetry.committed(len(offsets), error)
        self._assignment.committed(offsets, error is None)

    # ── assignment: what the group gives and takes ───────────────────────────────────────────────

    def assigned(self, leases: Sequence[tuple[Lease, int | None]]) -> None:
        """Partitions are ours from here on."""
        self.joined = self.in_group = True
        for lease, start in leases:
            self._assignment.add(lease, start)
            self._counts.show(lease.topic)
        self._telemetry.rebalanced("assigned", [_name(lease) for lease, _ in leases])
        self._balance()

    def left(self) -> None:
        """We are not in the group until partitions, or none, are assigned again."""
        self.in_group = False

    def revoked(self, leases: Sequence[Lease], drained: Future[Mapping[Lease, int]]) -> None:
        """Feed these partitions no more, send what is queued, and answer with what may be committed."""
        for lease in leases:
            self._assignment[lease].draining = True
        self._sender.flush()
        now = self._time()
        deadline = self._stop_by if self._stop_by < math.inf else now + self._drain_timeout_s
        self._drains.append(Drain(tuple(leases), drained, now, deadline))
        self._end_drains()

    def stop_within(self, timeout_s: float) -> None:
        """The process ends: the drain that comes now has this long, and one that is under way no longer."""
        self._stop_by = self._time() + timeout_s

    def _end_drains(self) -> None:
        """Answer every drain whose partitions have come to rest, or whose time is up."""
        now = self._time()
        for drain in [*self._drains]:
            left = sum(self._moving(lease) for lease in drain.leases)
            deadline = min(drain.deadline, self._stop_by)
            if left and now < deadline and self._can_settle(drain.leases, deadline):
                continue
            self._drains.remove(drain)
            partitions = [self._assignment[lease] for lease in drain.leases]
            offsets = {each.lease: each.commit_offset for each in partitions}
            drain.answer({lease: offset for lease, offset in offsets.items() if offset is not None})
            self._telemetry.drained(now - drain.since, sum(each.open_count for each in partitions))
        if self._drains and self._drain_timer is None:
            self._drain_timer = self._loop.call_later(DRAIN_TICK_S, self._tick_drains)

    def _tick_drains(self) -> None:
        self._drain_timer = None
        self._end_drains()

    def _can_settle(self, leases: Sequence[Lease], deadline: float) -> bool:
        """Whether anything of these may still get its outcome here: what is on the wire, or on its way to the
        dead-letter topic, does so even when nothing else can leave."""
        return (
            not self._sender.nothing_can_leave(deadline)
            or self._sender.carries(leases)
            or any(self._writing.get(lease) for lease in leases)
        )

    def waits_for(self, lease: Lease) -> Literal["schema", "dead letter"] | None:
        """What outside the vendor keeps the first open record of a partition from being settled."""
        first = self._assignment[lease].frontier.commit_offset
        parked = self._parked.get(lease)
        if self._fetching and parked and parked[0].record.offset == first:
            return "schema"
        return "dead letter" if first in self._writing.get(lease, ()) else None

    def _moving(self, lease: Lease) -> int:
        """Open records of a partition that can still be finished here: not those that wait for a schema."""
        partition = self._assignment[lease]
        to_come = self._untaken(lease) if partition.takes else 0
        return partition.open_count + to_come - len(self._parked.get(lease, ()))

    def _untaken(self, lease: Lease) -> int:
        """Records of a partition in the intake; those of the slice in work are counted to its end."""
        return sum(record.lease is lease for records in self._intake for record in records)

    def fenced(self, leases: Sequence[Lease], lost: bool) -> None:
        """These partitions are somebody else's now; what is still open of them is released."""
        for lease in leases:
            if self._assignment.get(lease) is None:
                continue  # granted to the poll thread, which failed before it told us
            partition = self._assignment.remove(lease)
            self._parked.pop(lease, None)
            self._writing.pop(lease, None)
            self._counts[lease.topic].released += partition.open_count
        self._sender.fenced()
        # The poll thread may have given up waiting, and fenced without our answer.
        self._drains = [drain for drain in self._drains if not {*leases}.intersection(drain.leases)]
        self._telemetry.rebalanced("lost" if lost else "revoked", [_name(lease) for lease in leases])
        self._balance()

    def let_go(self) -> None:
        """The poll thread could not end in time and is left behind: whatever is still ours is released."""
        leases = [partition.lease for partition in self._assignment]
        for lease in leases:
            lease.live = False
        if leases:
            self.fenced(leases, lost=True)

    def moved(self, lease: Lease, offset: int) -> None:
        """The partition begins there."""
        self._assignment.moved({lease: offset})

    def passed(self, offsets: Mapping[Lease, int]) -> None:
        """Nothing below these offsets will come any more, and everything there was taken."""
        self._assignment.moved(offsets)

    def jumped(self, lease: Lease, lost: int, offset: int) -> None:
        """Kafka has lost records that nobody had read, and the operator wishes to go on behind them."""
        self._telemetry.offset_lost_jumped(lease.topic, lease.partition, lost, offset)

    def superseded(self, lease: Lease, offset: int) -> None:
        """The partition's topic was created anew: from now on that is what we commit, and once all that we
        have of the old one is settled, `_renew` asks for the new one."""
        partition = self._assignment[lease]
        partition.superseded = offset
        self._telemetry.topic_created_anew(lease.topic, lease.partition, offset, partition.open_count)

    def _renew(self) -> None:
        for partition in self._assignment:
            if partition.superseded is not None and not partition.open_count + self._untaken(partition.lease):
                self._poll.renew(partition.lease)

    def offset_lost(self, lease: Lease, detail: str) -> None:
        """Kafka no longer has the offset where this partition should go on; it waits for a person."""
        self._assignment[lease].halted = "offset_lost"
        self._telemetry.partition_halted(lease.topic, lease.partition, "offset_lost", detail)

    def ends(self, ends: Mapping[Lease, int]) -> None:
        """Log ends, for the lag."""
        self._assignment.ends(ends, self._now_ms())

    async def close(self) -> None:
        """Nothing goes on here once `run` was cancelled: no wait for a schema, and no drain."""
        for task in self._fetches:
            task.cancel()
        await asyncio.gather(*self._fetches, return_exceptions=True)
        if self._drain_timer is not None:
            self._drain_timer.cancel()

    def poll_failed(self, error: BaseException) -> None:
        """Something that must not end has ended, the poll thread as a rule; so do we."""
        if not self.failed.done():
            self.failed.set_exception(error)

    # ── backpressure ─────────────────────────────────────────────────────────────────────────────

    def _balance(self) -> None:
        """Pause and resume partitions so that what we hold stays bounded."""
        hold = self._halted is not None or self._congested
        pause, resume = self._budget.balance(self._assignment, hold)
        if pause:
            self._poll.pause(pause)
        if resume:
            self._poll.resume(resume)
        if pause or resume or self._paused:  # a partition that went may have been a paused one
            self._paused = sum(partition.paused for partition in self._assignment)
            self._telemetry.paused(self._paused)


def _name(lease: Lease) -> str:
    return f"{lease.topic}:{lease.partition}"
