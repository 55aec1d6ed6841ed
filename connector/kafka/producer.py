"""Writes dead letters, each acknowledged by all replicas before anybody relies on it.

Runs on the event loop without a thread of its own: a timer fetches delivery reports, quickly while something
is under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from connector.kafka import rights
from connector.kafka.dead_letter import Forms
from connector.kafka.offsets import words
from connector.kafka.properties import producer_properties

TICK_S = 0.01
"""How often delivery reports are fetched while something is under way."""

OFFERED_A_TICK = 64
"""Letters built and handed over at once: about 3 ms of work for the loop."""

UNDER_WAY_MAX = 1000
"""Letters that librdkafka may have at once, however small: all of them may time out in one turn of the loop,
which is 4 ms of work. 16,000 were 58 ms."""

AGAIN_AFTER_S = 1.0
"""The pause after a letter that Kafka did not take, and between two looks while nothing is under way."""

AGAIN_A_TICK = 10
"""Letters that Kafka will not have as they are, and that are tried again at once."""

ANY_PARTITION = -1
"""librdkafka's number for "as the key says"."""

TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
"""The topic's limit, and its segment's."""

ABOUT_THE_LETTER = TOO_LARGE | {KafkaError.INVALID_RECORD}
"""Refusals that say nothing about other letters. A compacted topic refuses those without a key."""


class Report(Protocol):
    """What the producer tells; `ops.telemetry.Telemetry` is one."""

    def dead_letter_written(self, ok: bool, error: str | None = None) -> None: ...

    def dead_letter_failed(self, error: Exception) -> None: ...


class _Write:
    """One letter on its way: in which of its forms, and whom to tell. It is built when it is handed over."""

    __slots__ = ("done", "form", "forms", "topic")

    def __init__(self, topic: str, forms: Forms, done: Callable[[], None]) -> None:
        self.topic = topic
        self.forms = forms
        self.form = 0
        self.done = done


class DeadLetterProducer:
    """Writes each letter in the fullest form that its topic takes, for as long as it takes.

    A topic that is missing or a broker that is down makes letters wait; the records they stand for stay open
    and hold their bytes of the budget, which is what bounds the waiting ones: a letter is built when there is
    room for it, and until then it is its ticket. librdkafka's copies are bounded by `buffer_bytes` (and one
    letter) and by number.

    After a failure one letter tries for all, so thousands that wait cost nothing; the one that failed goes to
    the back. A letter that Kafka refuses for what it is waits aside, and so does one that a bug keeps from
    being built. So neither holds others up. Build it on the running loop; nothing here blocks it.
    """

    def __init__(
        self,
        given: Mapping[str, str | int | float | bool],
        *,
        topic: str,
        client_id: str,
        buffer_bytes: int,
        telemetry: Report,
        logger: logging.Logger,
    ) -> None:
        self._topic = topic
        """Where nearly all of them go; for what is said before there is one."""
        self._properties = producer_properties(given, client_id=client_id, buffer_bytes=buffer_bytes)
        self._buffer_bytes = buffer_bytes
        self._telemetry = telemetry
        self._log = logger
        self._loop = asyncio.get_running_loop()
        self._producer = self._connect()
        self._waiting: deque[_Write] = deque()
        self._aside: deque[tuple[float, _Write]] = deque()
        """Letters that were refused for what they are, and when they line up again."""
        self._under_way: dict[_Write, None] = {}
        self._under_way_bytes = 0
        self._in_trouble = False
        """Kafka did not take the last letter that it answered."""
        self._held_until = 0.0
        """Loop time; in trouble, nothing is offered before."""
        self._broken = False
        """This producer will never write again."""
        self._timer: asyncio.TimerHandle | None = None
        self._ticks_at = 0.0
        self._closed = False
        self.alarm = asyncio.Event()
        """Set when all brokers seem to be down: somebody should ask whether they are."""
        self._listen()

    def write(self, topic: str, forms: Forms, done: Callable[[], None]) -> None:
        """Write the first of `forms`, or a later one where the topic finds it too large; `done` comes on the
        loop once Kafka has acknowledged it."""
        self._waiting.append(_Write(topic, forms, done))
        if len(self._waiting) == 1:  # else those before it are for the next tick, and so is this one
            self._offer_waiting()
        self._listen()

    def topics(self, only: str | None, timeout_s: float) -> frozenset[str]:
        """The topics that Kafka has, or whether it has this one. Blocks: call it from another thread. Raises
        KafkaException when Kafka does not answer in time."""
        ask = self._producer.list_topics
        found = ask(only, timeout_s) if only is not None else ask(timeout=timeout_s)
        return frozenset(name for name, topic in found.topics.items() if topic.error is None)

    def close(self) -> None:
        """Give up what is not acknowledged; it is written again by whoever reads the record next."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)

    # ── the timer ────────────────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        """Set the timer, or set it earlier. It never rests: librdkafka keeps what it has to say until it is
        asked, and after an outage of days that is much."""
        if self._closed:
            return
        busy = self._under_way or (self._waiting and not self._in_trouble)
        at = self._loop.time() + (TICK_S if busy else AGAIN_AFTER_S)
        if self._timer is not None:
            if self._ticks_at <= at:
                return
            self._timer.cancel()
        self._ticks_at = at
        self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            if self._broken:
                self._begin_anew()
            else:
                self._fetch_reports()
            self._line_up()
            self._offer_waiting()
        finally:  # a bug behind one letter stops no other
            self._listen()

    def _fetch_reports(self) -> None:
        try:
            self._producer.poll(0)
        except KafkaException as error:  # how a fatal one is told, whether or not somebody listens to errors
            self._on_error(error.args[0])

    # ── the way out ──────────────────────────────────────────────────────────────────────────────

    def _line_up(self) -> None:
        """Letters that waited aside for long enough go behind those that wait."""
        now = self._loop.time()
        for _ in range(AGAIN_A_TICK):
            if not self._aside or self._aside[0][0] > now:
                return
            self._waiting.append(self._aside.popleft()[1])

    def _offer_waiting(self) -> None:
        """Hand over what waits: as many as there is room for, or only one while Kafka is in trouble."""
        if self._broken:
            return
        if self._in_trouble and (self._under_way or self._loop.time() < self._held_until):
            return
        for _ in range(1 if self._in_trouble else OFFERED_A_TICK):
            if not self._waiting or not self._offer():
                return

    def _offer(self) -> bool:
        """Hand over the first that waits; False when there is no room, or Kafka is in trouble."""
        if len(self._under_way) >= UNDER_WAY_MAX:
            return False
        write = self._waiting.popleft()
        try:
            letter = write.forms[write.form]
            size = letter.size
            if self._under_way and self._under_way_bytes + size > self._buffer_bytes:
                self._waiting.appendleft(write)
                return False
            self._producer.produce(
                write.topic,
                value=letter.value,
                key=letter.key,
                headers=list(letter.headers),
                partition=ANY_PARTITION if letter.partition is None else letter.partition,
                on_delivery=lambda error, _: self._answered(write, size, error),
            )
        except BufferError:
            self._waiting.appendleft(write)
            return False
        except KafkaException as error:
            self._refused(write, error.args[0])
            return not self._in_trouble
        except Exception as error:
            self._cannot(write, error)
            return True
        self._under_way[write] = None
        self._under_way_bytes += size
        return True

    # ── the answers ──────────────────────────────────────────────────────────────────────────────

    def _answered(self, write: _Write, size: int, error: KafkaError | None) -> None:
        if self._closed or write not in self._under_way:
            return
        del self._under_way[write]
        self._under_way_bytes -= size
        if error is not None:
            self._refused(write, error)
            return
        self._in_trouble = False
        self._telemetry.dead_letter_written(True)
        write.done()

    def _refused(self, write: _Write, error: KafkaError) -> None:
        if error.code() in TOO_LARGE and write.form + 1 < len(write.forms):
            write.form += 1
            self._waiting.appendleft(write)
            return
        self._telemetry.dead_letter_written(False, rights.writing(error, write.topic))
        if error.code() in ABOUT_THE_LETTER:
            self._put_aside(write)
        else:
            self._waiting.append(write)
            self._hold()

    def _cannot(self, write: _Write, error: Exception) -> None:
        """A bug behind one letter is not the end of those who carry all records, nor of this one's place."""
        self._telemetry.dead_letter_failed(error)
        if write.form + 1 < len(write.forms):
            write.form += 1
            self._waiting.appendleft(write)
        else:
            self._telemetry.dead_letter_written(False, f"a bug: {type(error).__name__}")
            self._put_aside(write)

    def _put_aside(self, write: _Write) -> None:
        write.form = 0  # the topic's limit is a person's to raise, and then the fullest form may fit
        self._aside.append((self._loop.time() + AGAIN_AFTER_S, write))

    def _hold(self) -> None:
        self._in_trouble = True
        self._held_until = self._loop.time() + AGAIN_AFTER_S

    # ── librdkafka's end and beginning ───────────────────────────────────────────────────────────

    def _connect(self) -> Producer:
        """Raises ValueError for properties that librdkafka refuses."""
        try:
            return Producer({**self._properties, "error_cb": self._on_error}, logger=self._log)
        except KafkaException as refused:
            raise ValueError(words(refused)) from None

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.alarm.set()
        if not error.fatal():
            self._log.warning("%s", error.str())
        elif not self._broken:
            self._broken = True
            self._telemetry.dead_letter_written(False, rights.writing(error, self._topic))
            self._hold()

    def _begin_anew(self) -> None:
        """A fatal error (the right to write was taken away, say) ends a producer for good; another one may
        do better. What the first one may have written before is written twice, which a listing unites."""
        if self._loop.time() < self._held_until:
            return
        try:
            producer = self._connect()
        except ValueError as refused:  # a file with certificates, say, that is just being replaced
            self._telemetry.dead_letter_written(False, str(refused))
            self._hold()
            return
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        self._producer = producer
        self._broken = False
        self._waiting.extendleft(reversed(self._under_way))
        self._under_way.clear()
        self._under_way_bytes = 0
