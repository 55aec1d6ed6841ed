"""How long Kafka keeps what we have not settled: asked for seldom, never on the loop, and bounded in time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]  # exported, though not by name

from connector.kafka import retention
from connector.kafka.embedded import EmbeddedKafka
from connector.kafka.retention import AGAIN_S, ASK_EVERY_S, Retention, ask, kept_s

DAY_MS = 86_400_000


class Setting(NamedTuple):
    """One of a topic's, as Kafka's client brings it."""

    value: str


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"cleanup.policy": "delete", "retention.ms": str(DAY_MS)}, 86_400),
        ({"cleanup.policy": "delete", "retention.ms": "-1"}, None),
        ({"cleanup.policy": "delete", "retention.ms": "0"}, 0),
        ({"cleanup.policy": "compact", "retention.ms": str(DAY_MS)}, None),
        ({"cleanup.policy": "compact,delete", "retention.ms": str(DAY_MS)}, 86_400),
        ({"cleanup.policy": "delete", "retention.ms": None}, None),
        ({"cleanup.policy": "delete"}, None),
        ({"retention.ms": str(DAY_MS)}, None),
        ({}, None),
    ],
)
def test_a_time_is_told_where_kafka_deletes_by_time(
    settings: Mapping[str, str | None], expected: float | None
) -> None:
    """A topic that is only compacted has a retention.ms, too, which nothing follows."""
    assert kept_s(settings) == expected


class Kafka:
    """Answers as the test says, and remembers what was asked and told."""

    def __init__(self, **kept: float | None) -> None:
        self.kept = kept
        self.topics: set[str] = set(kept)
        self.now = 1000.0
        self.asked: list[set[str]] = []
        self.told: list[tuple[str, float | None]] = []

    def ask(self, topics: Collection[str]) -> dict[str, float | None]:
        assert threading.current_thread() is not threading.main_thread()
        self.asked.append({*topics})
        return {topic: self.kept[topic] for topic in topics if topic in self.kept}

    def topic_retention(self, topic: str, kept_s: float | None) -> None:
        self.told.append((topic, kept_s))

    def watching(self) -> Retention:
        return Retention(self.ask, lambda: self.topics, self, clock=lambda: self.now)


async def test_a_topic_is_asked_about_when_it_comes_and_then_seldom() -> None:
    """Whatever else is looked at: what Kafka is asked is a question in five minutes."""
    kafka = Kafka(orders=60.0)
    watching = kafka.watching()
    for _ in range(30):
        await watching._look()
    assert kafka.asked == [{"orders"}]
    assert kafka.told == [("orders", 60.0)]
    kafka.now += ASK_EVERY_S
    kafka.kept["orders"] = 120.0
    await watching._look()
    assert kafka.told[1:] == [("orders", 120.0)]
    kafka.topics.add("clicks")
    kafka.kept["clicks"] = None
    await watching._look()
    await watching._look()
    assert kafka.asked[2:] == [{"orders", "clicks"}]


async def test_nothing_is_asked_while_nothing_is_ours() -> None:
    """A replica without a partition has nothing to warn of."""
    kafka = Kafka()
    watching = kafka.watching()
    for _ in range(3):
        await watching._look()
        kafka.now += ASK_EVERY_S
    assert not kafka.asked


async def test_a_topic_that_went_is_shown_no_more() -> None:
    """Nobody here would notice when its retention changes. It is asked about again if it comes back."""
    kafka = Kafka(orders=60.0)
    watching = kafka.watching()
    await watching._look()
    kafka.topics.clear()
    await watching._look()
    assert kafka.told == [("orders", 60.0), ("orders", None)]
    await watching._look()
    kafka.topics.add("orders")
    await watching._look()
    assert kafka.told[2:] == [("orders", 60.0)]


async def test_without_an_answer_what_was_known_goes_on_and_no_storm_begins() -> None:
    """Kafka is away, or we may not ask: the alert must not end for that."""
    kafka = Kafka(orders=60.0)
    watching = kafka.watching()
    await watching._look()
    kafka.kept.clear()
    kafka.now += ASK_EVERY_S
    for _ in range(30):
        await watching._look()
    assert len(kafka.asked) == 2
    assert kafka.told == [("orders", 60.0)]
    kafka.now += AGAIN_S
    kafka.kept["orders"] = 120.0
    await watching._look()
    assert kafka.told[1:] == [("orders", 120.0)]


async def test_it_goes_on_until_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look follows a look."""
    monkeypatch.setattr(retention, "LOOK_EVERY_S", 0)
    kafka = Kafka(orders=60.0)
    task = asyncio.create_task(kafka.watching().run())
    async with asyncio.timeout(10):
        while len(kafka.asked) < 3:
            kafka.now += ASK_EVERY_S
            await asyncio.sleep(0)
    task.cancel()


@pytest.mark.parametrize("bootstrap", [None, "127.0.0.1:1"], ids=["embedded", "nobody there"])
def test_a_question_that_nobody_answers_ends_in_time_and_tells_nothing(bootstrap: str | None) -> None:
    """The embedded cluster has topics and knows nothing of their settings."""
    with EmbeddedKafka() as kafka:
        began = time.monotonic()
        found = ask({"bootstrap.servers": bootstrap or kafka.bootstrap}, ["orders", "clicks", "more"], 0.3)
        assert found == {}
        assert time.monotonic() - began < 3


def answering(monkeypatch: pytest.MonkeyPatch, **answers: Future[Mapping[str, Setting]]) -> list[str]:
    """Kafka's answers, by topic; what it was asked about."""

    class Client:
        def __init__(self, properties: object, logger: object) -> None:
            pass

        def describe_configs(
            self, resources: Sequence[ConfigResource], request_timeout: float
        ) -> Mapping[ConfigResource, Future[Mapping[str, Setting]]]:
            assert 0 < request_timeout <= retention.ANSWER_S
            return {each: answers[each.name] for each in resources}

    monkeypatch.setattr(retention, "AdminClient", Client)
    return [*answers]


def test_futures_that_are_never_done_are_given_up_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for all of them: a thousand topics must not make it a thousand times as long."""
    topics = answering(monkeypatch, one=Future(), two=Future(), three=Future(), four=Future())
    began = time.monotonic()
    assert ask({}, topics, 0.5) == {}
    assert time.monotonic() - began < 1


def test_a_topic_that_we_may_not_ask_about_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """DescribeConfigs is a right of its own, and given by topic."""
    denied: Future[Mapping[str, Setting]] = Future()
    denied.set_exception(KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)))
    given: Future[Mapping[str, Setting]] = Future()
    given.set_result({"cleanup.policy": Setting("delete"), "retention.ms": Setting("1000")})
    assert ask({}, answering(monkeypatch, denied=denied, given=given)) == {"given": 1}


@pytest.mark.parametrize("odd", ["7d", "infinite", "604800000.0"])
def test_a_time_that_is_no_number_is_not_known(monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    """Whatever the broker is, a gauge does not end the process, and hides no other topic's."""
    strange: Future[Mapping[str, Setting]] = Future()
    strange.set_result({"cleanup.policy": Setting("delete"), "retention.ms": Setting(odd)})
    plain: Future[Mapping[str, Setting]] = Future()
    plain.set_result({"cleanup.policy": Setting("delete"), "retention.ms": Setting("1000")})
    assert ask({}, answering(monkeypatch, strange=strange, plain=plain)) == {"plain": 1}


def test_properties_that_no_client_takes_tell_nothing() -> None:
    """They were refused long before, and with words; here they must not end the process."""
    assert (
        ask(
            {"bootstrap.servers": "localhost:1", "ssl.ca.location": "/nowhere", "security.protocol": "ssl"},
            ["o"],
        )
        == {}
    )
