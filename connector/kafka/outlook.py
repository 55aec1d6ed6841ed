"""Asks Kafka now and then whether it is there, and has the topics we need: when it is silent, nothing comes,
and nothing else would say why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from confluent_kafka import KafkaException

EVERY_S = 10.0
ANSWER_S = 2.0
"""How long one question may take, and so what it may add to a stop."""


class Report(Protocol):
    """What is told; `ops.telemetry.Telemetry` is one."""

    def kafka_answered(self, missing: Iterable[str]) -> None: ...

    def kafka_silent(self, error: str) -> None: ...


class Topics(Protocol):
    """Whoever can ask for the topics there are; `DeadLetterProducer.topics` does. Raises KafkaException."""

    def __call__(self, only: str | None, timeout_s: float) -> frozenset[str]: ...


class Outlook:
    """Looks at once, then every ten seconds. All topics are asked for only until the `needed` ones have been
    seen, and while something is amiss: on a large cluster that answer is long."""

    def __init__(
        self,
        topics: Topics,
        needed: Iterable[str],
        amiss: Callable[[], bool],
        report: Report,
        every_s: float = EVERY_S,
    ) -> None:
        self._topics = topics
        self._needed = sorted(set(needed))
        self._amiss = amiss
        self._report = report
        self._every_s = every_s
        self._seen = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(self._every_s)

    async def _look(self) -> None:
        only = self._needed[0] if self._seen and not self._amiss() else None
        try:
            found = await asyncio.to_thread(self._topics, only, ANSWER_S)
        except KafkaException as error:
            self._report.kafka_silent(error.args[0].str())
            return
        missing = [] if only is not None else [name for name in self._needed if name not in found]
        self._seen = not missing
        self._report.kafka_answered(missing)
