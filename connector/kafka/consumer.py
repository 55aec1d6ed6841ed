"""The poll thread: the one owner of the Kafka consumer. Only values cross between it and the event loop.

A partition in here:

    what happens                       lease            and then
    assigned                           new, live        told to the loop, polled
    its offset is not in Kafka         live             `start_from` or `on_offset_lost` says where to go on,
                                                        or it stands still until somebody acts
    revoked: the loop drains it        live             commit what the loop answers, then fence
    that commit refused, or lost       fenced           no commit; whatever is late is inert
    fenced                             not live         told to the loop, forgotten

In the revoke callback this thread waits for the loop; the loop never waits for this thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as DrainTimeoutError
from typing import Any, Literal, Protocol

from confluent_kafka import OFFSET_STORED, Consumer, KafkaError, KafkaException, Message, TopicPartition

from connector.kafka.properties import consumer_properties, is_cooperative
from connector.model.record import Lease, Record

log = logging.getLogger("connector.kafka")

SLICE_MAX = 500
"""Records handed over at once: a drain of this size costs about 0.2 ms."""

SLICES_OPEN = 4
"""Slices the loop may owe us. Two keep it busy; the rest covers a moment in which it does something else."""

POLL_S = 0.05
"""How long a poll waits for the first record, which bounds how late a command is obeyed."""

LOOKUP_S = 5.0
"""How long a question about offsets may take; it is asked again when it fails."""

ENDS_EVERY_S = 1.0
ENDS_ASKED_AT_ONCE = 3
ENDS_ASK_S = 0.2
"""Log ends come with fetches for nothing.
Those of partitions that are not fetched are asked for, a few at a time."""

DRAIN_GRACE_S = 0.5
"""What the loop may take beyond the drain's deadline to answer."""

StartFrom = Literal["earliest", "latest", "fail"]
OnOffsetLost = Literal["halt", "earliest", "latest"]
Place = tuple[str, int]


class Listener(Protocol):
    """What the thread tells. Called on the event loop, in the order things happened."""

    def assigned(self, leases: Sequence[tuple[Lease, int | None]]) -> None:
        """Partitions are ours, each from this offset on (None: where the group left off)."""

    def polled(self, records: list[Record]) -> None:
        """One slice, rising offsets in each partition. Answer with `PollThread.taken` once worked off."""

    def revoked(self, leases: Sequence[Lease], drained: Future[Mapping[Lease, int]], within_s: float) -> None:
        """Partitions will be taken; set `drained` to what may be committed, within that time."""

    def fenced(self, leases: Sequence[Lease], lost: bool) -> None:
        """Partitions are gone; nothing that comes late for them counts."""

    def committed(self, offsets: Mapping[Lease, int], error: str | None) -> None:
        """Kafka's answer to a commit."""

    def offset_lost(self, lease: Lease, detail: str) -> None:
        """Kafka no longer has the offset where this partition should go on; it stands still."""

    def ends(self, ends: Mapping[Lease, int]) -> None:
        """Log ends, one past the last record."""

    def poll_failed(self, error: BaseException) -> None:
        """The thread is dead."""


class PollThread:
    """Polls, and obeys: commands return at once and are carried out within `POLL_S`, in order.

    `prefetch_bytes` is what librdkafka may hold ahead of us. `heartbeat` is the (monotonic) time of the last
    round, None before the first. `ended` is done when the thread is.
    """

    def __init__(
        self,
        given: Mapping[str, str],
        *,
        group_id: str,
        client_id: str,
        topics: Sequence[str],
        start_from: StartFrom,
        on_offset_lost: OnOffsetLost,
        drain_timeout_s: float,
        prefetch_bytes: int,
        listener: Listener,
    ) -> None:
        self._properties = consumer_properties(
            given, group_id=group_id, client_id=client_id, prefetch_bytes=prefetch_bytes
        )
        self._cooperative = is_cooperative(self._properties)
        self._topics = list(topics)
        self._start_from = start_from
        self._on_offset_lost = on_offset_lost
        self._drain_timeout_s = drain_timeout_s
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._commands: deque[Callable[[], None]] = deque()
        self._slices = threading.Condition()
        self._slices_open = 0
        self._stop_by: float | None = None
        self._consumer: Consumer
        self._leases: dict[Place, Lease] = {}
        self._epoch = 0
        self._unplaced: dict[Place, StartFrom | OnOffsetLost] = {}
        self._ends: dict[Place, int] = {}
        self._next_look = 0.0
        self.heartbeat: float | None = None
        self.ended: Future[None] = Future()

    # ── commands, from the loop ──────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin. Raises ValueError for properties that librdkafka refuses."""
        try:
            self._consumer = Consumer(
                self._properties | {"error_cb": _tell_error, "on_commit": self._on_commit}, logger=log
            )
        except KafkaException as error:
            raise ValueError(str(error.args[0])) from None
        threading.Thread(target=self._run, name="poll", daemon=True).start()

    def pause(self, leases: Iterable[Lease]) -> None:
        """Poll these no more until `resume`."""
        chosen = tuple(leases)
        self._commands.append(lambda: self._pause(chosen))

    def resume(self, leases: Iterable[Lease]) -> None:
        """Poll these again."""
        chosen = tuple(leases)
        self._commands.append(lambda: self._resume(chosen))

    def commit(self, offsets: Mapping[Lease, int]) -> None:
        """Commit these; the answer comes to `Listener.committed`."""
        self._commands.append(lambda: self._commit(offsets))

    def taken(self) -> None:
        """One slice is worked off."""
        with self._slices:
            self._slices_open -= 1
            self._slices.notify()

    def stop(self, timeout_s: float) -> None:
        """Drain, commit, leave the group; `ended` tells when. The drain takes what time is left."""
        self._stop_by = time.monotonic() + timeout_s

    # ── the thread ───────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            self._consumer.subscribe(
                self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            while self._stop_by is None:
                self.heartbeat = time.monotonic()
                self._obey()
                self._poll()
                if self.heartbeat >= self._next_look:
                    self._next_look = self.heartbeat + ENDS_EVERY_S
                    self._look()
            self._obey()
            self._consumer.close()  # calls _on_revoke for what is ours
        except BaseException as error:
            # The edge of the thread: without it nothing is polled, so the process must end.
            self._tell(self._listener.poll_failed, error)
        finally:
            self.ended.set_result(None)

    def _obey(self) -> None:
        while self._commands:
            self._commands.popleft()()

    def _poll(self) -> None:
        roomy = self._wait_for_slot()
        first = self._consumer.poll(POLL_S if roomy else 0)
        if first is None:
            return
        # Without room we still poll, one record at a time, because callbacks are served here.
        more = self._consumer.consume(SLICE_MAX - 1, 0) if roomy else ()
        records = self._records([first, *more])
        if records:
            with self._slices:
                self._slices_open += 1
            self._tell(self._listener.polled, records)

    def _wait_for_slot(self) -> bool:
        with self._slices:
            return self._slices.wait_for(lambda: self._slices_open < SLICES_OPEN, POLL_S)

    def _records(self, messages: Sequence[Message]) -> list[Record]:
        records = []
        leases = self._leases
        for message in messages:
            if message.error() is not None:
                self._on_error(message)
                continue
            lease = leases.get((message.topic(), message.partition()))  # type: ignore[arg-type]
            if lease is None or not lease.live:
                continue  # came with its own revocation; the next owner reads it again
            headers = message.headers()
            records.append(
                Record(
                    lease,
                    message.offset(),  # type: ignore[arg-type]  # set on every message without an error
                    max(0, message.timestamp()[1]),
                    message.key(),  # bytes, as read
                    message.value(),
                    tuple(headers) if headers else (),  # type: ignore[arg-type]
                )
            )
        return records

    def _tell(self, listen: Callable[..., None], *values: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(listen, *values)
        except RuntimeError:
            pass  # the loop is closed: nobody is left to tell

    # ── commands, carried out ────────────────────────────────────────────────────────────────────

    def _pause(self, leases: Sequence[Lease]) -> None:
        ours = self._ours(leases)
        if ours:
            self._consumer.pause(ours)

    def _resume(self, leases: Sequence[Lease]) -> None:
        ours = self._ours(leases)
        if ours:
            self._consumer.resume(ours)

    def _commit(self, offsets: Mapping[Lease, int]) -> None:
        ours = [
            TopicPartition(lease.topic, lease.partition, offset)
            for lease, offset in offsets.items()
            if lease.live
        ]
        if not ours:
            return
        try:
            self._consumer.commit(offsets=ours, asynchronous=True)
        except KafkaException as error:
            self._tell(self._listener.committed, offsets, str(error.args[0]))

    def _on_commit(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        accepted: dict[Lease, int] = {}
        refused: dict[Lease, int] = {}
        why = error
        for partition in partitions:
            lease = self._leases.get((partition.topic, partition.partition))
            if lease is None or partition.offset < 0:
                continue
            if error is None and partition.error is None:
                accepted[lease] = partition.offset
            else:
                refused[lease] = partition.offset
                why = why or partition.error
        if accepted:
            self._tell(self._listener.committed, accepted, None)
        if refused:
            self._tell(self._listener.committed, refused, str(why))

    def _ours(self, leases: Iterable[Lease]) -> list[TopicPartition]:
        return [
            TopicPartition(lease.topic, lease.partition)
            for lease in leases
            if self._leases.get((lease.topic, lease.partition)) is lease
        ]

    # ── what the group gives and takes ───────────────────────────────────────────────────────────

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        starts = self._starts(partitions)
        leases = []
        for partition in partitions:
            place = (partition.topic, partition.partition)
            start = starts.get(place)
            leases.append((self._lease(place), start))
            partition.offset = OFFSET_STORED if start is None else start
        if self._cooperative:
            consumer.incremental_assign(partitions)
        else:
            consumer.assign(partitions)
        self._tell(self._listener.assigned, leases)

    def _lease(self, place: Place) -> Lease:
        self._epoch += 1
        lease = self._leases[place] = Lease(*place, self._epoch)
        return lease

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        leases = self._held(partitions)
        if leases:
            self._fence(leases, lost=not self._commit_drained(leases))

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        leases = self._held(partitions)
        if leases:
            self._fence(leases, lost=True)

    def _held(self, partitions: Iterable[TopicPartition]) -> list[Lease]:
        places = ((partition.topic, partition.partition) for partition in partitions)
        return [self._leases[place] for place in places if place in self._leases]

    def _commit_drained(self, leases: Sequence[Lease]) -> bool:
        """Wait for the loop to finish what it can, and commit that. False: Kafka refused, others have them."""
        drained: Future[Mapping[Lease, int]] = Future()
        within_s = self._drain_timeout_s
        if self._stop_by is not None:
            within_s = max(0.0, self._stop_by - time.monotonic() - DRAIN_GRACE_S)
        self._tell(self._listener.revoked, leases, drained, within_s)
        try:
            offsets = drained.result(within_s + DRAIN_GRACE_S)
        except DrainTimeoutError:
            log.warning("the event loop did not answer a drain in time; its last commit stands")
            return True
        ours = [TopicPartition(lease.topic, lease.partition, offset) for lease, offset in offsets.items()]
        if not ours:
            return True
        try:
            self._consumer.commit(offsets=ours, asynchronous=False)
        except KafkaException as error:
            self._tell(self._listener.committed, offsets, str(error.args[0]))
            return False
        self._tell(self._listener.committed, offsets, None)
        return True

    def _fence(self, leases: Sequence[Lease], *, lost: bool) -> None:
        for lease in leases:
            lease.live = False
            place = (lease.topic, lease.partition)
            del self._leases[place]
            self._unplaced.pop(place, None)
            self._ends.pop(place, None)
        self._tell(self._listener.fenced, leases, lost)

    # ── where a partition begins, and what when its offset is gone ───────────────────────────────

    def _starts(self, partitions: Sequence[TopicPartition]) -> dict[Place, int]:
        """The offsets to begin at. What can't be found out now is left out: librdkafka then asks for
        itself, and if there is none, tells us."""
        asked = [TopicPartition(each.topic, each.partition) for each in partitions]
        try:
            known = self._consumer.committed(asked, timeout=LOOKUP_S) if asked else []
        except KafkaException:
            return {}
        starts = {}
        for partition in known:
            place = (partition.topic, partition.partition)
            offset = partition.offset if partition.offset >= 0 else self._edge(place, self._start_from)
            if offset is not None:
                starts[place] = offset
        return starts

    def _edge(self, place: Place, rule: StartFrom | OnOffsetLost) -> int | None:
        """The first or the next offset of a partition, as a number: a frontier that begins there is committed
        soon, so that a crash before the first record changes nothing. None: not now."""
        if rule in ("fail", "halt"):
            return None
        try:
            edges = self._consumer.get_watermark_offsets(
                TopicPartition(*place), timeout=LOOKUP_S, cached=False
            )
        except KafkaException:
            return None
        return edges[0] if rule == "earliest" else edges[1]

    def _on_error(self, message: Message) -> None:
        """An error that came instead of a record. Raises what can't be survived."""
        error = message.error()
        assert error is not None
        place = (message.topic(), message.partition())
        if error.fatal():
            raise KafkaException(error)
        if error.code() == KafkaError._AUTO_OFFSET_RESET and place in self._leases:
            self._offset_gone(place, message.offset(), error.str())
        elif error.code() != KafkaError._PARTITION_EOF:
            log.warning("%s:%s: %s", place[0], place[1], error.str())

    def _offset_gone(self, place: Place, offset: int | None, detail: str) -> None:
        first_time = offset is None or offset < 0
        rule = self._start_from if first_time else self._on_offset_lost
        if rule in ("fail", "halt"):
            self._tell(self._listener.offset_lost, self._leases[place], detail)
        else:
            log.warning("%s:%s goes on at its %s record: %s", place[0], place[1], rule, detail)
            self._unplaced[place] = rule

    def _place(self, place: Place, rule: StartFrom | OnOffsetLost) -> None:
        """Go on at an edge of the partition. After such an error librdkafka takes no seek, but a new
        assignment."""
        offset = self._edge(place, rule)
        if offset is None:
            return
        del self._unplaced[place]
        known = self._ends.get(place)
        if known is not None and offset < known:
            # Offsets began anew: the topic was created again. What is open of the old one is finished first.
            leases = [self._leases[place]]
            self._commit_drained(leases)
            self._fence(leases, lost=False)
            self._tell(self._listener.assigned, [(self._lease(place), offset)])
        target = TopicPartition(*place, offset)
        if self._cooperative:
            self._consumer.incremental_unassign([TopicPartition(*place)])
            self._consumer.incremental_assign([target])
        else:
            others = [
                each
                for each in self._consumer.position(self._consumer.assignment())
                if (each.topic, each.partition) != place
            ]
            self._consumer.assign([*others, target])

    # ── once a second ────────────────────────────────────────────────────────────────────────────

    def _look(self) -> None:
        for place, rule in list(self._unplaced.items()):
            self._place(place, rule)
        found: dict[Lease, int] = {}
        unknown: list[Place] = []
        for place, lease in self._leases.items():
            edges = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            if edges is None or edges[1] < 0:
                unknown.append(place)
            else:
                found[lease] = self._ends[place] = edges[1]
        for place in unknown[:ENDS_ASKED_AT_ONCE]:
            end = self._ask_end(place)
            if end is None:
                break
            found[self._leases[place]] = self._ends[place] = end
        if found:
            self._tell(self._listener.ends, found)

    def _ask_end(self, place: Place) -> int | None:
        try:
            edges = self._consumer.get_watermark_offsets(
                TopicPartition(*place), timeout=ENDS_ASK_S, cached=False
            )
        except KafkaException:
            return None
        return edges[1]


def _tell_error(error: KafkaError) -> None:
    """librdkafka's own troubles: it mends them itself, people should know."""
    log.warning("%s", error.str())
