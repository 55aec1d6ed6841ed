"""Asks Kafka now and then whether it is there, and has the topics we need: when it is silent, nothing comes,
and nothing else would say why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from confluent_kafka import KafkaException

EVERY_S = 10.0
AGAIN_S = 2.0
"""While it is silent, so that its return is told soon."""

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
    """Looks at once, then every ten seconds, sooner while Kafka is silent and when `alarm` is set, which is
    cleared then. All topics are asked for only until the `needed` ones have been seen, and while something is
    amiss: on a large cluster that answer is long."""

    def __init__(
        self,
        topics: Topics,
        needed: Iterable[str],
        amiss: Callable[[], bool],
        report: Report,
        alarm: asyncio.Event,
        every_s: float = EVERY_S,
    ) -> None:
        self._topics = topics
        self._needed = sorted(set(needed))
        self._amiss = amiss
        self._report = report
        self._alarm = alarm
        self._every_s = every_s
        self._seen = False
        self._silent = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._alarm.clear()
            await self._look()
            if self._silent:  # that is known, and sounds the alarm again and again
                await asyncio.sleep(min(AGAIN_S, self._every_s))
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._alarm.wait(), self._every_s)

    async def _look(self) -> None:
        only = self._needed[0] if self._seen and not self._amiss() else None
        try:
            found = await asyncio.to_thread(self._topics, only, ANSWER_S)
        except KafkaException as error:
            self._silent = True
            self._report.kafka_silent(error.args[0].str())
            return
        self._silent = False
        missing = [] if only is not None else [name for name in self._needed if name not in found]
        self._seen = not missing
        self._report.kafka_answered(missing)
