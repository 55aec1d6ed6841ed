"""Writes dead letters, each acknowledged by all replicas before anybody relies on it.

Runs on the event loop without a thread of its own: delivery reports are fetched by a timer that ticks only
while something is under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from connector.kafka.dead_letter import Letter
from connector.kafka.offsets import words
from connector.kafka.properties import producer_properties

TICK_S = 0.01
"""How often delivery reports are fetched while something is under way."""

OFFERED_A_TICK = 200
"""Letters handed to librdkafka at once: about 2 ms of work for the loop."""

AGAIN_AFTER_S = 1.0
"""The pause after a letter that Kafka did not take."""

TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
"""The topic's limit, and its segment's."""


class Report(Protocol):
    """What the producer tells; `ops.telemetry.Telemetry` is one."""

    def dead_letter_written(self, ok: bool, error: str | None = None) -> None: ...


class _Write:
    """One letter on its way: the form tried now, the smaller ones left, and whom to tell."""

    __slots__ = ("done", "letter", "smaller", "topic")

    def __init__(self, topic: str, forms: Iterator[Letter], done: Callable[[], None]) -> None:
        self.topic = topic
        self.letter = next(forms)
        self.smaller = forms
        self.done = done


class DeadLetterProducer:
    """Writes each letter in the fullest form that its topic takes, for as long as it takes.

    A topic that is missing or a broker that is down makes letters wait; the records they stand for stay open
    and hold their bytes of the budget, which is what bounds the waiting ones. After a failure one letter
    tries for all, so thousands that wait cost nothing; the one that failed goes to the back, so a letter that
    Kafka never takes holds no other up. librdkafka's copies are bounded by `buffer_bytes` (and one letter).
    Build it on the running loop; nothing here blocks it.
    """

    def __init__(
        self,
        given: Mapping[str, str | int | float | bool],
        *,
        client_id: str,
        buffer_bytes: int,
        telemetry: Report,
        logger: logging.Logger,
    ) -> None:
        self._properties = producer_properties(given, client_id=client_id, buffer_bytes=buffer_bytes)
        self._buffer_bytes = buffer_bytes
        self._telemetry = telemetry
        self._log = logger
        self._loop = asyncio.get_running_loop()
        self._producer = self._connect()
        self._waiting: deque[_Write] = deque()
        self._under_way: dict[_Write, None] = {}
        self._under_way_bytes = 0
        self._in_trouble = False
        """Kafka did not take the last letter that it answered."""
        self._held_until = 0.0
        """Loop time; in trouble, nothing is offered before."""
        self._timer: asyncio.TimerHandle | None = None
        self._broken = False
        self._closed = False

    def write(self, topic: str, forms: Iterator[Letter], done: Callable[[], None]) -> None:
        """Write the first of `forms`, or a later one where the topic finds it too large; `done` comes on the
        loop once Kafka has acknowledged it."""
        self._waiting.append(_Write(topic, forms, done))
        if len(self._waiting) == 1:  # else those before it are for the next tick, and so is this one
            self._offer_waiting()
        self._listen()

    def close(self) -> None:
        """Give up what is not acknowledged; it is written again by whoever reads the record next."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)

    def _connect(self) -> Producer:
        """Raises ValueError for properties that librdkafka refuses."""
        try:
            return Producer({**self._properties, "error_cb": self._on_error}, logger=self._log)
        except KafkaException as refused:
            raise ValueError(words(refused)) from None

    def _offer_waiting(self) -> None:
        """Hand over what waits: as many as there is room for, or only one while Kafka is in trouble."""
        if self._in_trouble and (self._under_way or self._loop.time() < self._held_until):
            return
        for _ in range(1 if self._in_trouble else OFFERED_A_TICK):
            if not self._waiting or not self._offer(self._waiting[0]):
                return

    def _offer(self, write: _Write) -> bool:
        """Hand over the first that waits; False when there is no room, or Kafka is in trouble."""
        letter = write.letter
        size = letter.size
        if self._under_way and self._under_way_bytes + size > self._buffer_bytes:
            return False
        try:
            self._producer.produce(
                write.topic,
                value=letter.value,
                key=letter.key,
                headers=list(letter.headers),
                on_delivery=lambda error, _: self._answered(write, size, error),
            )
        except BufferError:
            return False
        except KafkaException as error:
            self._waiting.popleft()
            self._refused(write, error.args[0])
            return not self._in_trouble
        self._waiting.popleft()
        self._under_way[write] = None
        self._under_way_bytes += size
        return True

    def _listen(self) -> None:
        if self._timer is not None or self._closed or not (self._under_way or self._waiting):
            return
        wait_s = TICK_S
        if not self._under_way and self._in_trouble:
            wait_s = max(wait_s, self._held_until - self._loop.time())
        self._timer = self._loop.call_later(wait_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self._producer.poll(0)
        except KafkaException as error:  # how a fatal one is told, whether or not somebody listens to errors
            self._on_error(error.args[0])
        self._offer_waiting()
        self._listen()

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
        smaller = next(write.smaller, None) if error.code() in TOO_LARGE else None
        if smaller is not None:
            write.letter = smaller
            self._waiting.appendleft(write)
            return
        self._telemetry.dead_letter_written(False, error.str())
        self._waiting.append(write)
        self._hold()

    def _hold(self) -> None:
        self._in_trouble = True
        self._held_until = self._loop.time() + AGAIN_AFTER_S

    def _on_error(self, error: KafkaError) -> None:
        if not error.fatal():
            self._log.warning("%s", error.str())
        elif not self._broken:
            self._broken = True
            self._telemetry.dead_letter_written(False, error.str())
            self._loop.call_later(AGAIN_AFTER_S, self._begin_anew)

    def _begin_anew(self) -> None:
        """A fatal error (the right to write was taken away, say) ends a producer for good; another one may
        do better. What the first one may have written before is written twice, which a listing unites."""
        if self._closed:
            return
        self._broken = False
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        self._producer = self._connect()
        self._waiting.extendleft(reversed(self._under_way))
        self._under_way.clear()
        self._under_way_bytes = 0
        self._listen()
