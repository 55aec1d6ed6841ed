"""Writes events to a topic: samples, demo and tests do. The connector itself writes dead letters only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connector.kafka.properties import Properties

POLL_EVERY_S = 0.005
BUFFER_FULL_S = 0.1
CLOSE_S = 5.0
TIMEOUT_MS = 30_000
"""After so long without an answer a record counts as not taken."""

UNKNOWN_FOR_MS = 5_000
"""How long a topic that no broker knows may be one that was created just now, and is told then. librdkafka's
default is half a minute, in which somebody who forgot a topic waits for a sentence that says so."""

QUEUE_KIB = 64 << 10
"""What librdkafka may hold; a full queue makes `write` wait, so a fast source does not fill memory."""


_MISSING = "does not exist, or may not be seen: create it, or allow the user Write on it"
_HINTS = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: _MISSING,
    KafkaError._UNKNOWN_TOPIC: _MISSING,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "may not be written to: allow the user Write on it",
}


class WriteError(Exception):
    """Kafka did not take a record; the text names the topic, and what to do where that is known."""

    def __init__(self, topic: str, error: KafkaError) -> None:
        hint = _HINTS.get(error.code())
        super().__init__(f"{topic} {hint} ({error.str()})" if hint else f"{topic}: {error.str()}")


class Writer:
    """Writes records, each acknowledged by all replicas once `flush` has returned.

    `properties` may be those of a consumer: librdkafka passes over what does not concern a producer. A record
    of one key comes after the earlier ones of that key, also over retries.
    """

    def __init__(self, properties: Mapping[str, str]) -> None:
        ours: Properties = {
            "allow.auto.create.topics": False,  # a name that was mistyped is told, not made
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "lz4",
            "message.timeout.ms": TIMEOUT_MS,
            "queue.buffering.max.kbytes": QUEUE_KIB,
        }
        defaults: Properties = {
            "log_level": 0,  # what goes wrong, `flush` says
            "topic.metadata.propagation.max.ms": UNKNOWN_FOR_MS,
        }
        self._producer = Producer({**defaults, **properties, **ours})
        self._error: WriteError | None = None

    def write(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Hand a record over; raises `WriteError` at once when Kafka can never take it."""
        while True:
            try:
                self._producer.produce(topic, key=key, value=value, on_delivery=self._answered)
            except BufferError:
                self._producer.poll(BUFFER_FULL_S)
            except KafkaException as error:
                raise WriteError(topic, error.args[0]) from None
            else:
                self._producer.poll(0)
                return

    async def flush(self) -> None:
        """Wait until every record so far is acknowledged. Raises `WriteError` if one was not."""
        while len(self._producer):
            self._producer.poll(0)
            self._raise()
            await asyncio.sleep(POLL_EVERY_S)
        self._raise()

    def close(self) -> None:
        """Give up what is not acknowledged."""
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)
        self._producer.flush(CLOSE_S)

    def _answered(self, error: KafkaError | None, record: Message) -> None:
        if error is not None and self._error is None:
            self._error = WriteError(record.topic() or "", error)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
