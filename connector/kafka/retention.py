"""Asks Kafka now and then how long it keeps the records of our topics: what stays open for longer is gone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import suppress
from typing import Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, though not by name
    AdminClient,
    ConfigResource,
    ResourceType,
)

from connector.kafka.properties import Properties

LOOK_EVERY_S = 10.0
"""How soon after its first partition came a topic is asked about."""

ASK_EVERY_S = 300.0
"""Seldom, as it hardly ever changes; but who has prolonged it in an outage wants to see the alert end."""

AGAIN_S = 60.0
"""After a question that Kafka did not answer: it is away, or just beginning."""

ANSWER_S = 2.0
"""How long one question may take, and so what it may add to a stop. The embedded cluster never answers it."""

_silent = logging.getLogger("connector.retention")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False  # a broker that is away is told by those who need it


class Report(Protocol):
    """What is told; `ops.telemetry.Telemetry` is one."""

    def topic_retention(self, topic: str, kept_s: float | None) -> None: ...


Ask = Callable[[Collection[str]], Mapping[str, float | None]]
"""How long the records of these topics are kept. Blocks, for a bounded time. What is unknown is left out."""


class Retention:
    """Tells how long Kafka keeps the records of each topic that we have partitions of, None for as long as
    there is room. Of a topic that is not ours any more it tells None, too. Without an answer it tells
    nothing: what was last known goes on.

    `topics` are those that are ours now.
    """

    def __init__(
        self,
        ask: Ask,
        topics: Callable[[], Collection[str]],
        report: Report,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._topics = topics
        self._report = report
        self._clock = clock
        self._asked: frozenset[str] = frozenset()
        self._ask_at = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        ours = frozenset(self._topics())
        for topic in self._asked - ours:
            self._report.topic_retention(topic, None)
        due = self._clock() >= self._ask_at or not ours <= self._asked
        self._asked = ours
        if not ours or not due:
            return
        answers = await asyncio.to_thread(self._ask, ours)
        self._ask_at = self._clock() + (ASK_EVERY_S if answers else AGAIN_S)
        for topic, kept_s in answers.items():
            self._report.topic_retention(topic, kept_s)


def ask(
    properties: Properties, topics: Collection[str], timeout_s: float = ANSWER_S
) -> dict[str, float | None]:
    """How long Kafka keeps the records of these. Those that it does not tell of (it is away, they are gone,
    we may not ask) are left out. Blocks, all in all for `timeout_s` and what building a client takes."""
    until = time.monotonic() + timeout_s
    try:
        client = AdminClient(properties, logger=_silent)  # not kept: this often, its connections cost more
    except KafkaException:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    try:
        answers = client.describe_configs(resources, request_timeout=timeout_s)
    except KafkaException:
        return {}
    found = {}
    for resource, answer in answers.items():
        try:
            entries = answer.result(max(0.0, until - time.monotonic()))
        except (KafkaException, NoAnswer):
            continue
        # Apache Kafka answers whole numbers; what else speaks its protocol may not, and no gauge is worth
        # the end of everything.
        with suppress(ValueError):
            found[resource.name] = kept_s({name: entry.value for name, entry in entries.items()})
    return found


def kept_s(settings: Mapping[str, str | None]) -> float | None:
    """How long a topic with these settings keeps records; None where no time is set to it: it is only
    compacted, or keeps them for ever. Raises ValueError where the time is no whole number."""
    if "delete" not in (settings.get("cleanup.policy") or ""):
        return None
    kept_ms = int(settings.get("retention.ms") or -1)
    return kept_ms / 1000 if kept_ms >= 0 else None
