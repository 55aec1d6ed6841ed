"""The poll thread: the only one that touches the Kafka consumer. Only values cross to the loop and back.

A lease, from the group giving us a partition to the group taking it away:

    placed     its offset is known, records flow
    unplaced   Kafka does not have its offset, or did not tell: asked about every second, then one of the next
    halted     its offset is lost and a person must say how to go on; nothing comes from it
    superseded its topic was created anew; nothing comes from it until the loop has finished what is open
    paused     the loop wants nothing from it now; kept through every rebalance
    draining   taken back: we wait for the loop to finish what is open, with a deadline, then commit
    fenced     `lease.live` is false: whatever still arrives for it is inert

    assigned → placed ⇄ paused      assigned | placed → unplaced → placed | halted | superseded
    superseded → fenced             finished; a new lease takes its place
    any → draining → fenced         revoked by the group, or at stop
    any → fenced                    lost: somebody else has it already, nothing is committed
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connector.kafka import offsets, rights
from connector.kafka.bridge import Bridge
from connector.kafka.fetching import Fetching
from connector.kafka.handover import Handover
from connector.kafka.leases import Leases, Place
from connector.kafka.listener import Listener
from connector.kafka.placing import Placing
from connector.kafka.properties import SESSION_TIMEOUT_MS, is_cooperative, is_new_protocol
from connector.kafka.start import OnOffsetLost, Start, StartFrom
from connector.model.record import Lease, Record

SLICE_MAX = 500
"""Records handed over at once: a few milliseconds of work for the loop."""

SLICES_MAX = 4
"""Slices handed over and not worked off. One is in work, one waits, two cover a loop that is late."""

POLL_S = 0.1
"""How long a quiet poll takes, and so how late a command may be obeyed. A record ends it at once."""

SLOT_WAIT_S = 0.05
CHOKED_S = 0.5
"""How long the loop may take no slice before we stop fetching. From then on we poll for the callbacks of a
rebalance alone: a poll that could bring records too would let what we hold grow."""

TIDY_EVERY_S = 1.0

AWAY_S = SESSION_TIMEOUT_MS / 1000
"""In the new protocol, how long the coordinator may be away before we are taken for out of the group: for so
long it waits for us. In the older one librdkafka knows that time, and tells the loss."""

GONE = (KafkaError._AUTO_OFFSET_RESET, KafkaError._LOG_TRUNCATION)
"""Kafka does not have the offset. librdkafka then lets the partition stand, and refuses to seek in it
(`_STATE`, 2.16): it must be assigned anew."""

NO_OFFSET = KafkaError(KafkaError._NO_OFFSET).str()
"""Part of its words where the group has none. It only looks for that where we have told it no offset."""


class PollThread:
    """Polls, hands slices of records to the loop, and obeys what the loop commands.

    Build it and call everything on the loop; no call waits for Kafka. At most `SLICES_MAX` slices are with
    the loop at any time. `drain_timeout_s` bounds what a revocation may take.
    """

    def __init__(
        self,
        properties: Mapping[str, str | int | float | bool],
        topics: Sequence[str],
        listener: Listener,
        *,
        start_from: StartFrom,
        on_offset_lost: OnOffsetLost,
        drain_timeout_s: float,
        logger: logging.Logger,
    ) -> None:
        """Raises ValueError for properties that librdkafka refuses. Connects when started."""
        self._topics = list(topics)
        self._group_id = str(properties.get("group.id", ""))
        self._listener = listener
        self._log = logger
        self._bridge = Bridge()
        self._thread = threading.Thread(target=self._run, name="kafka-poll", daemon=True)
        self._commands: deque[Callable[[], None]] = deque()
        self._slots = threading.Semaphore(SLICES_MAX)
        self._slices_told = 0
        self._slices_taken = 0

        self._leases = Leases()
        self._held: list[Record] = []
        self._fed_at = 0.0
        self._joined = False
        self._coordinated_at = 0.0
        """When we had a coordinator last, as far as the new protocol's statistics tell."""
        self._tidy_at = 0.0
        self._fatal: KafkaError | None = None
        callbacks = {"error_cb": self._on_error, "on_commit": self._on_commit}
        if is_new_protocol(properties):
            callbacks["stats_cb"] = self._on_stats
        try:
            self._consumer = Consumer({**properties, **callbacks}, logger=logger)
        except KafkaException as refused:
            raise ValueError(offsets.words(refused)) from None
        self._log_ends = offsets.LogEnds(self._consumer)
        self._fetching = Fetching(self._consumer, self._leases, cooperative=is_cooperative(properties))
        self._handover = Handover(self._consumer, self._leases, self._bridge, listener, drain_timeout_s)
        self._start = Start(self._consumer, start_from, on_offset_lost, self._handover.commit)
        self._placing = Placing(
            self._leases, self._start, self._fetching, self._handover, self._bridge, listener, self._serve
        )

    @property
    def heartbeat(self) -> float:
        """When the thread last went round (`time.monotonic`); old when it hangs."""
        return self._bridge.heartbeat

    @property
    def ident(self) -> int | None:
        """The thread's, None before it started."""
        return self._thread.ident

    # ── commands, from the loop ──────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    def pause(self, leases: Iterable[Lease]) -> None:
        """Bring nothing more from these, until `resume`. What is on its way still comes."""
        chosen = list(leases)
        self._commands.append(lambda: self._leases.paused.update(self._leases.ours(chosen)))

    def resume(self, leases: Iterable[Lease]) -> None:
        """Bring records from these again."""
        chosen = list(leases)
        self._commands.append(lambda: self._leases.paused.difference_update(chosen))

    def renew(self, lease: Lease) -> None:
        """All that was open of a superseded lease is finished: begin with what Kafka has now."""
        self._commands.append(lambda: self._placing.renew(lease))

    def commit(self, frontiers: Mapping[Lease, int]) -> None:
        """Tell Kafka these offsets; `Listener.committed` has its answer. What is not ours is left out."""
        chosen = dict(frontiers)
        self._commands.append(lambda: self._commit(chosen))

    def taken(self) -> None:
        """One slice is worked off: the thread may hand over another."""
        self._slices_taken += 1
        self._slots.release()

    async def stop(self, timeout_s: float) -> bool:
        """Drain, commit, leave the group. False if that did not fit into `timeout_s`: then the thread is left
        behind and tells nothing any more; the caller fences what it still has. Never takes longer."""
        if self._thread.ident is None:
            self._consumer.close()
            return True
        return await self._bridge.end(timeout_s)

    # ── the thread ───────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        try:
            self._consumer.subscribe(
                self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            while not self._bridge.stopping:
                self._round()
            # Not left to `close`: while another rebalance is under way it leaves the group at once, and the
            # next owner would begin before we have finished.
            self._handover.give_back([*self._leases])
            self._consumer.close()
        except BaseException as error:
            self._handover.fence([*self._leases], lost=True)
            self._bridge.tell(self._listener.poll_failed, error)
            self._consumer.close()
        finally:
            self._bridge.tell_end()

    def _round(self) -> None:
        now = self._bridge.beat()
        if self._commands:
            self._obey()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY_S
            self._placing.look()
            self._tell_passed()
            if ends := self._log_ends.look(self._leases, self._leases.quiet, now):
                self._bridge.tell(self._listener.ends, ends)
        if self._slots.acquire(timeout=SLOT_WAIT_S):
            self._fed_at = now
            self._set_choked(False)
            self._poll_slice()
        elif now - self._fed_at > CHOKED_S:
            self._set_choked(True)
            self._serve()
        if self._fatal is not None:
            raise KafkaException(self._fatal)

    def _obey(self) -> None:
        while self._commands:
            self._commands.popleft()()
        self._fetching.flow()

    def _poll_slice(self) -> None:
        """Wait for one message, take what is there with it, and hand it over: prompt when idle, cheap when
        busy. Uses up the slot that was acquired, or gives it back."""
        first = self._one(0 if self._held else POLL_S)
        # Before `consume`, which may take the partition away and give it back: it came under its old lease.
        records = self._held + self._records(first)
        self._held = []
        if first:
            records += self._records(self._consumer.consume(SLICE_MAX - 1, 0))
        if records:
            self._slices_told += 1
            self._bridge.tell(self._listener.polled, records)
        else:
            self._slots.release()

    def _serve(self) -> set[Lease]:
        """Poll for the callbacks of a rebalance. If a record comes after all, it is not dropped; the leases
        of those that are held so."""
        self._held += self._records(self._one(0))
        return {record.lease for record in self._held}

    def _one(self, timeout_s: float) -> list[Message]:
        message = self._consumer.poll(timeout_s)
        return [] if message is None else [message]

    def _set_choked(self, choked: bool) -> None:
        """Fetch nothing while the loop takes nothing."""
        if choked != self._leases.choked:
            self._leases.choked = choked
            self._fetching.flow()

    def _records(self, messages: Iterable[Message]) -> list[Record]:
        """Messages as records of their lease. What the same call returned for a partition that it also took
        away finds no lease, and is discarded."""
        records: list[Record] = []
        leases = self._leases.by_place
        for message in messages:
            place: Place = (message.topic(), message.partition())  # type: ignore[assignment]  # always set
            lease = leases.get(place)
            if message.error() is not None:
                self._failed(message, lease)
            elif lease is not None:
                records.append(
                    Record(
                        lease,
                        message.offset(),  # type: ignore[arg-type]  # always set
                        max(0, message.timestamp()[1]),
                        message.key(),
                        message.value(),
                        tuple(message.headers() or ()),  # type: ignore[arg-type]  # bytes, as received
                    )
                )
        if self._leases.unplaced:
            self._leases.came(record.lease for record in records)
        return records

    def _tell_passed(self) -> None:
        """How far partitions were read to their end; only when nothing is on its way to the loop, which could
        be before it."""
        reached = self._leases.reached
        if reached and not self._held and self._slices_told == self._slices_taken:
            self._bridge.tell(self._listener.passed, dict(reached))
            reached.clear()

    # ── commits ──────────────────────────────────────────────────────────────────────────────────

    def _commit(self, chosen: Mapping[Lease, int]) -> None:
        ours = {lease: chosen[lease] for lease in self._leases.ours(chosen)}
        if not ours:
            return
        self._leases.committing.update({(lease.topic, lease.partition): lease for lease in ours})
        places = [offsets.place(lease, offset) for lease, offset in ours.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
        except KafkaException as error:
            self._bridge.tell(self._listener.committed, ours, offsets.words(error))

    def _on_commit(self, error: KafkaError | None, places: Sequence[TopicPartition]) -> None:
        answers: dict[str | None, dict[Lease, int]] = {}
        for place in places:
            lease = self._leases.committing.get((place.topic, place.partition))
            if lease is not None:
                refused = error or place.error
                answers.setdefault(refused.str() if refused else None, {})[lease] = place.offset
        for words, told in answers.items():
            self._bridge.tell(self._listener.committed, told, words)

    # ── rebalance: called by poll, consume and close ─────────────────────────────────────────────

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        starts = self._start.begin([self._leases.grant(place.topic, place.partition) for place in places])
        self._leases.hold(starts)
        self._joined = True
        self._coordinated_at = self._bridge.heartbeat
        self._bridge.tell(self._listener.assigned, [*starts.items()])
        self._fetching.begin(starts)

    def _on_revoke(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self._handover.give_back(self._leased(places))
        self._fetching.end(places)

    def _on_lost(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self._joined = False
        self._bridge.tell(self._listener.left)
        self._handover.fence(self._leased(places), lost=True)
        self._fetching.end(places)

    def _leased(self, places: Iterable[TopicPartition]) -> list[Lease]:
        return self._leases.at((place.topic, place.partition) for place in places)

    # ── what librdkafka has to say ───────────────────────────────────────────────────────────────

    def _failed(self, message: Message, lease: Lease | None) -> None:
        """An error in the place of a record."""
        error, topic = message.error(), message.topic()
        assert error is not None
        if error.code() == KafkaError._PARTITION_EOF:
            offset = message.offset()
            if lease is not None and offset is not None:
                self._leases.reached[lease] = offset
                self._leases.came([lease])
        elif error.code() in GONE and lease is not None:
            found_meanwhile = NO_OFFSET in error.str() and self._leases.starts[lease] is not None
            if not self._leases.stands(lease) and not found_meanwhile:
                self._leases.unplaced[lease] = self._lost(message, lease)
                self._tidy_at = 0.0
        elif topic is None:
            self._on_error(error)
        else:
            words = rights.reading(error, self._group_id)
            self._log.warning("%s", words if topic in words else f"{topic}: {words}")

    def _lost(self, message: Message, lease: Lease) -> int | None:
        """The offset that Kafka does not have. A log found shorter by its epoch is told without one: then it
        is where we are. None: we are nowhere yet, the group has none."""
        offset = message.offset()
        if offset is not None and offset >= 0:
            return offset
        return offsets.positions(self._consumer, {lease: self._leases.starts[lease]})[lease]

    def _on_error(self, error: KafkaError) -> None:
        """Most pass by themselves (a broker restarts, a topic is not there yet); fatal ones do not. They
        come in the place of a record, where `fatal()` is never true."""
        if error.code() == KafkaError._FATAL:
            self._fatal = error
        else:
            self._log.warning("%s", rights.reading(error, self._group_id))

    def _on_stats(self, text: str) -> None:
        """In the new protocol a member learns only here that the coordinator has it, where it gets no
        partition, and that there is none for longer than the group waits. Its leases stay: when the
        coordinator is back, either they go on, or it tells us that they are lost."""
        now = self._bridge.heartbeat
        if json.loads(text)["cgrp"]["state"] == "up":
            self._coordinated_at = now
            if not self._joined:
                self._joined = True
                self._bridge.tell(self._listener.assigned, [])
        elif self._joined and now - self._coordinated_at > AWAY_S:
            self._joined = False
            self._bridge.tell(self._listener.left)
