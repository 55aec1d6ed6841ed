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

REPORTS_EVERY_S = 0.01
AGAIN_AFTER_S = 1.0
"""The pause before a letter that Kafka did not take is written again."""

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
    and hold their bytes of the budget, which is what bounds the waiting ones. librdkafka's copies are bounded
    by `buffer_bytes` (and one letter). Build it on the running loop; nothing here blocks it.
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
        self._under_way: set[_Write] = set()
        self._under_way_bytes = 0
        self._open = 0
        self._nothing_open = asyncio.Event()
        self._nothing_open.set()
        self._timer: asyncio.TimerHandle | None = None
        self._broken = False
        self._closed = False

    def write(self, topic: str, forms: Iterator[Letter], done: Callable[[], None]) -> None:
        """Write the first of `forms`, or a later one where the topic finds it too large; `done` comes on the
        loop once Kafka has acknowledged it."""
        self._open += 1
        self._nothing_open.clear()
        self._produce(_Write(topic, forms, done))

    async def flush(self, timeout_s: float) -> bool:
        """Wait until every letter so far is acknowledged; False if some were not in that time."""
        try:
            await asyncio.wait_for(self._nothing_open.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

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

    def _produce(self, write: _Write) -> None:
        letter = write.letter
        size = letter.size
        if self._under_way and self._under_way_bytes + size > self._buffer_bytes:
            self._waiting.append(write)  # the reports of those before make room
            return
        try:
            self._producer.produce(
                write.topic,
                value=letter.value,
                key=letter.key,
                headers=list(letter.headers),
                on_delivery=lambda error, _: self._answered(write, size, error),
            )
        except BufferError:
            self._waiting.append(write)
        except KafkaException as error:
            self._refused(write, error.args[0])
            return
        else:
            self._under_way.add(write)
            self._under_way_bytes += size
        self._listen()

    def _listen(self) -> None:
        if self._timer is None and not self._closed and (self._under_way or self._waiting):
            self._timer = self._loop.call_later(REPORTS_EVERY_S, self._fetch_reports)

    def _fetch_reports(self) -> None:
        self._timer = None
        try:
            self._producer.poll(0)
        except KafkaException as error:  # how a fatal one is told, whether or not somebody listens to errors
            self._on_error(error.args[0])
        for _ in range(len(self._waiting)):
            self._produce(self._waiting.popleft())
        self._listen()

    def _answered(self, write: _Write, size: int, error: KafkaError | None) -> None:
        if self._closed or write not in self._under_way:
            return
        self._under_way.remove(write)
        self._under_way_bytes -= size
        if error is not None:
            self._refused(write, error)
            return
        self._open -= 1
        if not self._open:
            self._nothing_open.set()
        self._telemetry.dead_letter_written(True)
        write.done()

    def _refused(self, write: _Write, error: KafkaError) -> None:
        smaller = next(write.smaller, None) if error.code() in TOO_LARGE else None
        if smaller is not None:
            write.letter = smaller
            self._produce(write)
            return
        self._telemetry.dead_letter_written(False, error.str())
        self._loop.call_later(AGAIN_AFTER_S, self._again, write)

    def _again(self, write: _Write) -> None:
        if not self._closed:
            self._produce(write)

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
        self._waiting.extend(self._under_way)
        self._under_way.clear()
        self._under_way_bytes = 0
        self._listen()
