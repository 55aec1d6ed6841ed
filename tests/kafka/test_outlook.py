"""Kafka is asked whether it is there, and has what we need: seldom for everything, and never on the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

import pytest
from confluent_kafka import KafkaError, KafkaException

from connector.kafka import outlook
from connector.kafka.outlook import Outlook


class Kafka:
    """Answers as the test says; remembers what was asked."""

    def __init__(self, *topics: str) -> None:
        self.topics = frozenset(topics)
        self.silent = False
        self.asked: list[str | None] = []
        self.told: list[tuple[str, ...]] = []
        self.errors: list[str] = []
        self.amiss = False
        self.heard = asyncio.Event()

    def __call__(self, only: str | None, timeout_s: float) -> frozenset[str]:
        assert threading.current_thread() is not threading.main_thread()
        self.asked.append(only)
        if self.silent:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return self.topics

    def kafka_answered(self, missing: Iterable[str]) -> None:
        self.told.append(tuple(missing))
        self.heard.set()

    def kafka_silent(self, error: str) -> None:
        self.errors.append(error)
        self.heard.set()


async def looks(kafka: Kafka, outlook: Outlook, count: int) -> None:
    """So many answers more."""
    task = asyncio.create_task(outlook.run())
    for _ in range(count):
        kafka.heard.clear()
        await kafka.heard.wait()
    task.cancel()


def watching(kafka: Kafka) -> Outlook:
    return Outlook(kafka, ["orders", "dead"], lambda: kafka.amiss, kafka, asyncio.Event(), every_s=0)


async def test_everything_is_asked_for_once_and_then_only_whether_kafka_is_there() -> None:
    """On a cluster with ten thousand topics a whole answer is a megabyte."""
    kafka = Kafka("orders", "dead", "others")
    await looks(kafka, watching(kafka), 3)
    assert kafka.asked[:3] == [None, "dead", "dead"]
    assert {*kafka.told} == {()}


async def test_what_is_missing_is_told_until_it_is_there() -> None:
    """And it is looked for each time."""
    kafka = Kafka("orders")
    watch = watching(kafka)
    await looks(kafka, watch, 2)
    assert kafka.asked[:2] == [None, None]
    assert kafka.told[:2] == [("dead",), ("dead",)]
    kafka.topics |= {"dead"}
    await looks(kafka, watch, 2)
    assert kafka.told[-1] == ()


async def test_while_something_is_amiss_everything_is_asked_for() -> None:
    """The dead-letter topic may have been deleted since."""
    kafka = Kafka("orders", "dead")
    watch = watching(kafka)
    await looks(kafka, watch, 2)
    kafka.amiss = True
    kafka.topics -= {"dead"}
    await looks(kafka, watch, 2)
    assert kafka.told[-1] == ("dead",)


async def test_silence_is_told_with_its_error() -> None:
    """In librdkafka's words."""
    kafka = Kafka()
    kafka.silent = True
    await looks(kafka, watching(kafka), 1)
    assert "Broker transport failure" in kafka.errors[0]


@pytest.mark.parametrize("silent", [False, True])
async def test_an_alarm_is_looked_into_at_once_and_silence_now_and_then(
    silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All brokers seem to be down: ten seconds of "all is well" would be false. Once it is known, the alarm
    goes on and makes no more questions, and Kafka's return is noticed in a moment."""
    monkeypatch.setattr(outlook, "AGAIN_S", 0.01)
    kafka = Kafka("orders", "dead")
    alarm = asyncio.Event()
    task = asyncio.create_task(Outlook(kafka, ["orders"], lambda: False, kafka, alarm, every_s=60).run())
    await kafka.heard.wait()
    assert len(kafka.asked) == 1
    kafka.silent = silent
    for _ in range(3):
        kafka.heard.clear()
        alarm.set()
        await asyncio.wait_for(kafka.heard.wait(), 20)
    if silent:
        alarm.clear()
        kafka.silent = False
        kafka.heard.clear()
        await asyncio.wait_for(kafka.heard.wait(), 20)
    task.cancel()
    assert len(kafka.errors) == 3 * silent
    assert len(kafka.told) == (2 if silent else 4)
