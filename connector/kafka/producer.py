"""Writes dead letters, each acknowledged by all replicas before anybody relies on it.

Runs on the event loop without a thread of its own: delivery reports are fetched by a timer that ticks only
while something is under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from connector.kafka.dead_letter import Letter
from connector.kafka.properties import producer_properties

REPORTS_EVERY_S = 0.01
AGAIN_AFTER_S = 1.0
"""The pause before a letter that Kafka did not take is written again."""

TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._BAD_MSG, KafkaError.RECORD_LIST_TOO_LARGE})


class Report(Protocol):
    """What the producer tells; `ops.telemetry.Telemetry` is one."""

    def dead_letter_written(self, ok: bool, error: str | None = None) -> None: ...


class _Write(msgspec.Struct):
    """One letter on its way: the form tried now, the smaller ones left, and whom to tell."""

    topic: str
    letter: Letter
    smaller: Iterator[Letter]
    done: Callable[[], None]


class DeadLetterProducer:
    """Writes each letter in the fullest form that its topic takes, for as long as it takes.

    A topic that is missing or a broker that is down makes letters wait; the records they stand for stay open
    and hold their bytes of the budget, which is what bounds the waiting ones. Build it on the running loop.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        *,
        client_id: str,
        buffer_bytes: int,
        telemetry: Report,
        logger: logging.Logger,
    ) -> None:
        properties = producer_properties(given, client_id=client_id, buffer_bytes=buffer_bytes)
        self._producer = Producer(properties, logger=logger)
        self._telemetry = telemetry
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Write] = deque()
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def write(self, topic: str, forms: Iterator[Letter], done: Callable[[], None]) -> None:
        """Write the first of `forms`, or a later one where the topic finds it too large; `done` comes on the
        loop once Kafka has acknowledged it."""
        self._produce(_Write(topic, next(forms), forms, done))

    def close(self) -> None:
        """Give up what is not acknowledged; it is written again by whoever reads the record next."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)

    def _produce(self, write: _Write) -> None:
        letter = write.letter
        try:
            self._producer.produce(
                write.topic,
                value=letter.value,
                key=letter.key,
                headers=list(letter.headers),
                on_delivery=lambda error, _: self._answered(write, error),
            )
        except BufferError:
            self._waiting.append(write)  # the reports of those before make room
        except KafkaException as error:
            self._refused(write, error.args[0])
            return
        else:
            self._under_way += 1
        self._listen()

    def _listen(self) -> None:
        if self._timer is None and not self._closed and (self._under_way or self._waiting):
            self._timer = self._loop.call_later(REPORTS_EVERY_S, self._fetch_reports)

    def _fetch_reports(self) -> None:
        self._timer = None
        self._producer.poll(0)
        for _ in range(len(self._waiting)):
            self._produce(self._waiting.popleft())
        self._listen()

    def _answered(self, write: _Write, error: KafkaError | None) -> None:
        self._under_way -= 1
        if self._closed:
            return
        if error is None:
            self._telemetry.dead_letter_written(True)
            write.done()
        else:
            self._refused(write, error)

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
