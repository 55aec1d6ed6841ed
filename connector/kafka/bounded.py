"""Reads some ranges of some partitions from their beginning to their end, outside of any group.

Does: a thread of its own, which alone touches its consumer; as with the poll thread, only values cross. It
joins nothing and commits nothing, so the group that lives on these topics never notices.

    reading    records of a place (a topic's partition) flow
    quiet      the loop wants nothing from a lease of it, or nothing at all
    ended      the end of its range was reached
    exhausted  all places have ended and the loop has worked off every slice
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connector.kafka import offsets, rights
from connector.kafka.bridge import Bridge
from connector.kafka.consumer import GONE, POLL_S, SLICE_MAX, SLICES_MAX, SLOT_WAIT_S
from connector.kafka.handover import drain
from connector.kafka.inspect import is_of_concern, stored_of
from connector.kafka.leases import Place
from connector.kafka.listener import Listener
from connector.kafka.ranges import Range, Reader
from connector.model.record import Lease, Record

BURST_S = 0.1
"""With a rate, so much of a second's records are handed over at once."""

DELETED = (KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART)
"""The topic is gone, or the partition: a group waits for it to come again, a range has an end."""


class RangeLostError(Exception):
    """Kafka no longer has what was to be read; the text says what, for people."""


class BoundedFeed:
    """A `Feed` that ends by itself. Build it, and call everything, on the loop.

    Every lease that a record comes under is told as assigned before its first record. `rate` is the most
    records a second. Raises ValueError for properties that librdkafka refuses.
    """

    def __init__(
        self,
        properties: Mapping[str, str | int | float | bool],
        ranges: Sequence[Range],
        reader: Reader,
        listener: Listener,
        *,
        rate: float | None,
        drain_timeout_s: float,
        logger: logging.Logger,
    ) -> None:
        self._ranges = {each.place: each for each in ranges if each.start < each.end}
        self._reader = reader
        self._listener = listener
        self._rate = rate
        self._drain_timeout_s = drain_timeout_s
        self._log = logger
        self._bridge = Bridge()
        self._thread = threading.Thread(target=self._run, name="kafka-bounded", daemon=True)
        self._commands: deque[Callable[[], None]] = deque()
        self._slots = threading.Semaphore(SLICES_MAX)
        self._frontiers: Mapping[Lease, int] = {}
        self._all_read = False
        self._handed = 0
        self._taken = 0

        self._reading = set(self._ranges)
        self._behind: dict[Place, int] = {}
        """Right behind the last record that was read of each place."""
        self._home: dict[Lease, Place] = {}
        self._paused: set[Lease] = set()
        self._choked = False
        self._quiet: set[Place] = set()
        self._held: list[Record] = []
        self._again_at = 0.0
        self._fatal: KafkaError | None = None
        ours = {**properties, "enable.partition.eof": True}  # a range may end in what is no record
        try:
            self._consumer = Consumer({**ours, "error_cb": self._on_error}, logger=logger)
        except KafkaException as refused:
            raise ValueError(offsets.words(refused)) from None

    # ── from the loop ────────────────────────────────────────────────────────────────────────────

    @property
    def heartbeat(self) -> float:
        """When the thread last went round (`time.monotonic`); old when it hangs."""
        return self._bridge.heartbeat

    @property
    def ident(self) -> int | None:
        """The thread's, None before it started."""
        return self._thread.ident

    @property
    def exhausted(self) -> bool:
        """Whether everything was read and the loop has worked it off."""
        return self._all_read and self._handed == self._taken

    def unfinished(self) -> list[Range]:
        """After a stop: what of each range is not settled, where the records are the topic's own."""
        reached = {(lease.topic, lease.partition): offset for lease, offset in self._frontiers.items()}
        left = []
        for place, each in self._ranges.items():
            start = reached.get(place, each.start)
            # Read to its end, a range is finished with its last record: behind it may be no record's offsets.
            end = each.end if place in self._reading else self._behind.get(place, each.start)
            if start < end:
                left.append(msgspec.structs.replace(each, start=start))
        return left

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def pause(self, leases: Iterable[Lease]) -> None:
        """Bring nothing more from where these come from, until all of there are resumed."""
        chosen = list(leases)
        self._commands.append(lambda: self._paused.update(chosen))

    def resume(self, leases: Iterable[Lease]) -> None:
        """Bring records from there again."""
        chosen = list(leases)
        self._commands.append(lambda: self._paused.difference_update(chosen))

    def renew(self, lease: Lease) -> None:
        """Never asked for: a topic that is created anew has lost what was to be read."""
        raise AssertionError("a bounded feed supersedes no lease")

    def commit(self, frontiers: Mapping[Lease, int]) -> None:
        """Nothing is committed: how far the group is, is not ours to say."""

    def taken(self) -> None:
        """One slice is worked off."""
        self._taken += 1
        self._slots.release()

    async def stop(self, timeout_s: float) -> bool:
        """Let the loop finish what it has, and end; as the poll thread's."""
        if self._thread.ident is None:
            self._consumer.close()
            return True
        return await self._bridge.end(timeout_s)

    # ── the thread ───────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            self._consumer.assign(
                [TopicPartition(each.topic, each.partition, each.start) for each in self._ranges.values()]
            )
            self._bridge.tell(self._listener.assigned, [])
            while not self._bridge.stopping:
                self._round()
            leases = list(self._home)
            if leases:
                self._frontiers = drain(leases, self._bridge, self._listener, self._drain_timeout_s)
            self._fence()
            self._consumer.close()
        except BaseException as error:
            self._fence()
            self._bridge.tell(self._listener.poll_failed, error)
            self._consumer.close()
        finally:
            self._bridge.tell_end()

    def _fence(self) -> None:
        for lease in self._home:
            lease.live = False
        if self._home:
            self._bridge.tell(self._listener.fenced, list(self._home), False)

    def _round(self) -> None:
        now = self._bridge.beat()
        while self._commands:
            self._commands.popleft()()
        self._flow()
        if self._fatal is not None:
            raise KafkaException(self._fatal)
        if not self._reading and not self._held:
            self._end()
            time.sleep(POLL_S)  # nothing is left to poll for, and a command in the deque wakes nobody
        elif now < self._again_at:
            time.sleep(min(self._again_at - now, POLL_S))  # a poll would exceed the rate; steps, for commands
        elif self._slots.acquire(timeout=SLOT_WAIT_S):
            self._choked = False
            self._flow()
            self._poll_slice(now)
        else:
            # Fetch no more while the loop takes nothing; what came all the same is not dropped.
            self._choked = True
            self._flow()
            self._held += self._records(self._some(1, 0))

    def _poll_slice(self, now: float) -> None:
        """Hand over what is there. Uses up the slot that was acquired, or gives it back."""
        most = SLICE_MAX if self._rate is None else max(1, min(SLICE_MAX, int(self._rate * BURST_S)))
        records, self._held = self._held, []
        if len(records) < most:
            records += self._records(self._some(most - len(records), 0 if records else POLL_S))
        if not records:
            self._slots.release()
            return
        if self._rate is not None:
            self._again_at = now + len(records) / self._rate
        self._handed += 1
        self._bridge.tell(self._listener.polled, records)

    def _some(self, most: int, timeout_s: float) -> list[Message]:
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        return [first, *self._consumer.consume(most - 1, 0)] if most > 1 else [first]

    def _records(self, messages: Iterable[Message]) -> list[Record]:
        records = []
        for message in filter(is_of_concern, messages):
            place: Place = (message.topic(), message.partition())  # type: ignore[assignment]  # always set
            error, offset = message.error(), message.offset()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                self._failed(place, error)
                continue
            assert offset is not None, "a record has its offset, an end of partition too"
            end = self._ranges[place].end
            if offset + (error is None) >= end:
                self._reading.discard(place)
            if error is None and offset < end:
                self._behind[place] = offset + 1
                record = self._reader.read(place[0], stored_of(message))
                if record is not None:
                    self._lease(place, record)
                    records.append(record)
        return records

    def _lease(self, place: Place, record: Record) -> None:
        lease = record.lease
        if lease not in self._home:
            self._home[lease] = place
            self._bridge.tell(self._listener.assigned, [(lease, record.offset)])
            if (lease.topic, lease.partition) == place:
                self._bridge.tell(self._listener.ends, {lease: self._ranges[place].end})

    def _flow(self) -> None:
        """Let librdkafka fetch what is wanted, and nothing else."""
        quiet = {place for place in self._ranges if self._choked or place not in self._reading}
        quiet.update(self._home[lease] for lease in self._paused if lease in self._home)
        pause, resume = quiet - self._quiet, self._quiet - quiet
        self._quiet = quiet
        if pause:
            self._consumer.pause([TopicPartition(*place) for place in pause])
        if resume:
            self._consumer.resume([TopicPartition(*place) for place in resume])

    def _end(self) -> None:
        if not self._all_read:
            self._bridge.tell(self._told_all)

    def _told_all(self) -> None:
        self._all_read = True

    def _failed(self, place: Place, error: KafkaError) -> None:
        if error.code() in (*GONE, *DELETED):
            each = self._ranges[place]
            raise RangeLostError(
                f"Kafka no longer has all of {each.topic}:{each.partition}, {each.start} to {each.end}"
            )
        if error.code() == KafkaError._FATAL or place[0] is None:
            self._on_error(error)
        else:
            self._log.warning("%s: %s", place[0], rights.reading(error, ""))

    def _on_error(self, error: KafkaError) -> None:
        """Most pass by themselves (a broker restarts); fatal ones do not."""
        if error.code() == KafkaError._FATAL:
            self._fatal = error
        else:
            self._log.warning("%s", error.str())
