"""In the place of librdkafka: takes letters, answers at the next poll as it is told to, and counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException

Report = Callable[[KafkaError | None, object], None]


class Taken(NamedTuple):
    """A letter that was handed over."""

    value: bytes
    report: Report


class Cluster:
    """What all producers of a test write to. `verdict` gives the error code for a letter's value, None when
    it is acknowledged; `on_the_spot` those that are refused when they are handed over already."""

    def __init__(self) -> None:
        self.verdict: Callable[[bytes], int | None] = lambda value: None
        self.on_the_spot: Callable[[bytes], int | None] = lambda value: None
        self.answers = True
        """Otherwise it is silent, and what was handed over stays under way."""
        self.tried: list[bytes] = []
        self.written: list[bytes] = []
        self.work: list[int] = [0]
        """Reports and letters handed over, from one poll to the next."""
        self.producers: list[FakeProducer] = []
        self.refuses_properties = False
        self.chokes = False
        """Whether handing a letter over raises what is none of Kafka's errors."""

    def forget_work(self) -> None:
        self.work = [0]

    def producer(self, properties: Mapping[str, object], logger: object) -> FakeProducer:
        if self.refuses_properties:
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG, "ssl.ca.location failed"))
        self.producers.append(FakeProducer(self, properties))
        return self.producers[-1]


class FakeProducer:
    """One producer, until it is told that it is broken."""

    def __init__(self, cluster: Cluster, properties: Mapping[str, object]) -> None:
        self._cluster = cluster
        self._on_error: Callable[[KafkaError], None] = properties["error_cb"]  # type: ignore[assignment]  # by name
        self._under_way: deque[Taken] = deque()
        self._errors: list[KafkaError] = []
        self._broken = False

    def tell(self, error: KafkaError) -> None:
        """What goes wrong is told by the next poll; after a fatal error nothing is taken any more."""
        self._errors.append(error)
        self._broken = self._broken or error.fatal()

    def produce(self, topic: str, *, value: bytes, on_delivery: Report, **rest: object) -> None:
        self._cluster.work[-1] += 1
        self._cluster.tried.append(value)
        if self._cluster.chokes:
            raise TypeError("a header is neither bytes nor text")
        code = KafkaError._FATAL if self._broken else self._cluster.on_the_spot(value)
        if code is not None:
            raise KafkaException(KafkaError(code))
        self._under_way.append(Taken(value, on_delivery))

    def poll(self, timeout_s: float) -> int:
        self._cluster.work.append(0)
        errors, self._errors = self._errors, []
        for error in errors:
            self._on_error(error)
        if not self._cluster.answers:
            return len(errors)
        taken = len(self._under_way)
        for _ in range(taken):
            value, report = self._under_way.popleft()
            self._cluster.work[-1] += 1
            code = self._cluster.verdict(value)
            if code is None:
                self._cluster.written.append(value)
            report(None if code is None else KafkaError(code), None)
        return len(errors) + taken

    def purge(self, **which: bool) -> None:
        self._under_way.clear()
