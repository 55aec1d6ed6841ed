"""Builds every object once, runs, drains, closes. One `App` is one run of the connector."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from collections.abc import Iterable, Mapping
from functools import partial

import msgspec
import structlog

from connector.codec.decoder import Decoder
from connector.configured import destination_of, keeps_order, registry_of
from connector.delivery.flood import FloodGuard
from connector.delivery.sender import Sender
from connector.delivery.transport import Transport
from connector.kafka.assignment import Assignment
from connector.kafka.bounded import BoundedFeed
from connector.kafka.budget import Budget
from connector.kafka.consumer import PollThread
from connector.kafka.dead_letter import Context, DeadLetters
from connector.kafka.outlook import Outlook
from connector.kafka.producer import DeadLetterProducer
from connector.kafka.properties import (
    client_properties,
    consumer_properties,
    max_poll_interval_ms,
    prefetch_of,
    session_timeout_ms,
)
from connector.kafka.ranges import Range
from connector.kafka.retention import Retention, ask
from connector.ops import kafka_lines, logs
from connector.ops.health import HealthServer
from connector.ops.telemetry import Telemetry
from connector.ops.watchdog import Watchdog
from connector.ops.words import Key
from connector.pipeline import Pipeline
from connector.settings import Settings, describe, fingerprint
from connector.side import Side
from connector.status import MEASURED_EVERY_S, Status
from connector.vendors.contract import Limits

KAFKA_LOG = logging.getLogger(kafka_lines.LOGGER)

FOR_GOOD = ("dead_letter_flood",)
"""Halts that only a restart ends, so that a run which shall end by itself must not wait for it."""

LOOK_S = 0.02
"""How often it is seen whether such a run has ended."""

STOP_GRACE_S = 2.0
"""Of the time for a stop, what the last commit and leaving the group may take; the drain has the rest."""

CLOSING_S = 2.0
"""What closing sockets may take after the drain."""


class App:
    """One run of the connector: `start`, then `wait` until it ends by itself or somebody calls `stop`.

    With `side` it reads what that says instead of joining the group, commits nothing, and `finish` waits for
    its end. Build it on the running loop. Raises OSError when a secret's file can't be read, ValueError for
    properties that librdkafka refuses.
    """

    def __init__(self, settings: Settings, side: Side | None = None) -> None:
        self._settings = settings
        self._side = side
        name = settings.destination.name
        self._log = structlog.stdlib.get_logger("connector")
        self.telemetry = Telemetry(name)
        self.destination, url = destination_of(settings)
        limits = _limits(settings, self.destination.limits)
        is_keyed = keeps_order(settings)
        memory = settings.limits.memory_mib << 20
        prefetch = prefetch_of(memory)
        self._budget_bytes = memory - prefetch
        properties = settings.source.librdkafka()
        self._secret = settings.destination.secret()

        self._registry = registry_of(settings, self.telemetry)
        self._assignment = Assignment()
        self._producer = DeadLetterProducer(
            properties,
            topic=settings.dead_letter_topic,
            client_id=_client_id(),
            buffer_bytes=prefetch,
            telemetry=self.telemetry,
            logger=KAFKA_LOG,
        )
        self._pipeline = Pipeline(
            decoder=Decoder(settings.source.format, self._registry),
            registry=self._registry,
            destination=self.destination,
            assignment=self._assignment,
            budget=Budget(self._budget_bytes, settings.limits.partition_share, settings.limits.ahead_max),
            dead_letters=DeadLetters(
                settings.dead_letter_topic,
                Context(name, settings.source.group_id, fingerprint(settings), logs.redact),
                self._producer,
                lambda: time.time_ns() // 1_000_000,
            ),
            flood=FloodGuard(settings.dead_letter.flood_ratio, settings.dead_letter.flood_window),
            telemetry=self.telemetry,
            drain_timeout_s=settings.limits.drain_timeout_s,
            key_by_record=is_keyed and self.destination.ordering != "key",
            replay=side.replay if side is not None else None,
        )
        self._sender = Sender(
            destination=self.destination,
            url=url,
            limits=limits,
            transport=Transport(
                url,
                self._credentials(),
                limits,
                max_in_flight=settings.delivery.max_in_flight,
                proxy=settings.destination.proxy,
            ),
            outlet=self._pipeline,
            telemetry=self.telemetry,
            read_credentials=self._credentials,
            linger_s=settings.delivery.linger_ms / 1000,
            max_in_flight=settings.delivery.max_in_flight,
            keyed=is_keyed,
            random=random.Random(),
        )
        self._poll = self._feed(properties, prefetch)
        self._pipeline.connect(self._sender, self._poll)
        self._status = Status(
            assignment=self._assignment,
            sender=self._sender,
            pipeline=self._pipeline,
            telemetry=self.telemetry,
            settings=describe(settings),
            session_timeout_s=session_timeout_ms(properties) / 1000 if side is None else None,
        )
        self._watchdog = Watchdog(
            self.telemetry,
            frontiers=self._status,
            poll_heartbeat=lambda: self._poll.heartbeat,
            poll_ident=lambda: self._poll.ident,
            on_hung=self._poll_hung,
            max_poll_interval_s=max_poll_interval_ms(properties) / 1000,
        )
        self._status.watchdog = self._watchdog
        self._outlook = Outlook(
            self._producer.topics,
            [*_named(settings.source.topics), settings.dead_letter_topic],
            lambda: not self._pipeline.joined or bool(self.telemetry.dead_letters_held),
            self.telemetry,
            self._producer.alarm,
        )
        self._retention = Retention(
            partial(ask, client_properties(properties, client_id=_client_id())),
            lambda: {partition.lease.topic for partition in self._assignment},
            self.telemetry,
        )
        self._health = HealthServer(
            settings.http.host, settings.http.port, self._status, self.telemetry.exposition
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False

    def _feed(self, properties: Mapping[str, str], prefetch: int) -> PollThread | BoundedFeed:
        """Where records come from: the group, or what the side run reads."""
        settings, side = self._settings, self._side
        consumer = consumer_properties(
            properties,
            group_id=settings.source.group_id if side is None else side.group_id,
            client_id=_client_id(),
            prefetch_bytes=prefetch,
        )
        if side is not None:
            if side.replay is not None:
                side.replay.connect(self._producer)
            return BoundedFeed(
                consumer,
                side.ranges,
                side.reader,
                self._pipeline,
                rate=side.rate,
                drain_timeout_s=settings.limits.drain_timeout_s,
                logger=KAFKA_LOG,
            )
        return PollThread(
            consumer,
            settings.source.topics,
            self._pipeline,
            start_from=settings.source.start_from,
            on_offset_lost=settings.source.on_offset_lost,
            drain_timeout_s=settings.limits.drain_timeout_s,
            logger=KAFKA_LOG,
        )

    @property
    def address(self) -> str:
        """Where the page for people is."""
        return f"http://{self._health.host}:{self._health.port}/"

    def status(self) -> Mapping[str, object]:
        """What `/status` answers."""
        return self._status.status()

    async def start(self) -> None:
        """Listen, join the group, go. Raises OSError when the address for health checks can't be had."""
        if self._side is None or self._side.serves:
            try:
                await self._listen()
            except OSError:
                await self._close()
                raise
            self._log.info("listening", address=self.address, port=self._health.port)
        for sentence in self.destination.advice():
            self.telemetry.advised(sentence)
        self._watchdog.start()
        self._tasks = [
            asyncio.create_task(self._pipeline.run(), name="pipeline"),
            asyncio.create_task(self._sender.run(), name="sender"),
            asyncio.create_task(self._tick(), name="tick"),
            asyncio.create_task(self._outlook.run(), name="outlook"),
            asyncio.create_task(self._retention.run(), name="retention"),
        ]
        self._poll.start()

    async def _listen(self) -> None:
        """A side run may be on the live one's machine: where the port is taken, any free one does."""
        try:
            await self._health.start()
        except OSError:
            if self._side is None:
                raise
            self._health.port = 0
            await self._health.start()

    async def wait(self) -> None:
        """Last until something that must not end ends, and raise why."""
        ends = [*self._tasks, asyncio.shield(self._pipeline.failed)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in ends:
            if task.done():
                task.result()

    def _poll_hung(self, error: BaseException) -> None:
        """Kafka gives our partitions to others, whom nothing of them that we still send would help."""
        self._pipeline.let_go()
        self._pipeline.poll_failed(error)

    async def finish(self) -> str | None:
        """Of a side run: wait until everything is read and settled. In words why that will never be, or None
        when it is so."""
        assert self._side is not None, "a run in the group has no end"
        assert isinstance(self._poll, BoundedFeed), "and no other feed"
        replay = self._side.replay
        while not self._poll.exhausted or any(self._assignment.in_flight().values()):
            reason = self.telemetry.halt_reason
            if reason in FOR_GOOD or (reason is not None and replay is not None):
                whose = f", to the key from {self._secret.place}" if reason == "auth" else ""
                return f"halted: {reason} ({self.telemetry.halt_detail}{whose})"
            refused = self.telemetry.dead_letters_held
            if replay is not None and replay.is_stuck(bool(refused), time.monotonic()):
                return f"Kafka takes nothing for {self._settings.dead_letter_topic}: {refused}"
            await asyncio.sleep(LOOK_S)
        return None

    def unfinished(self) -> list[Range]:
        """Of a side run that was stopped: what it has not settled of its ranges."""
        return self._poll.unfinished() if isinstance(self._poll, BoundedFeed) else []

    async def stop(self) -> None:
        """Finish what is under way, commit, leave the group, close; bounded by `limits.shutdown_timeout_s`.

        What could not be finished is open and will be read again. May be called twice.
        """
        if self._stopped:
            return
        self._stopped = self._status.stopping = True
        timeout_s = self._settings.limits.shutdown_timeout_s
        self._log.info("stopping", within_s=timeout_s)
        self._pipeline.stop_within(timeout_s - min(STOP_GRACE_S, timeout_s / 2))
        if not await self._poll.stop(timeout_s):
            self._pipeline.let_go()
            self._log.warning("stop_cut_off", consequence="what was in flight is sent again by the next run")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pipeline.close()
        await self._close()
        self._watchdog.stop()
        await self._health.close()
        self.telemetry.tell_repeats(at_the_end=True)
        self._log.info("stopped", topics=self._status.topics())

    async def _close(self) -> None:
        """Let go of every connection but the consumer's, which is the poll thread's."""
        await self._sender.close(CLOSING_S)
        self._producer.close()
        if self._registry is not None:
            await self._registry.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(MEASURED_EVERY_S)
            self._pipeline.commit()  # once a second, as often as anybody looks
            self._sender.follow_secret()
            self._status.measure(self._budget_bytes)

    def _credentials(self) -> Mapping[str, str]:
        key = self._secret.read()
        logs.register_secret(key)
        secret = self._secret
        self.telemetry.key_read(Key(secret.place, secret.is_followed, secret.read_ms, secret.trouble))
        return self.destination.credentials(key)


def _named(topics: Iterable[str]) -> list[str]:
    """Those that are names: a pattern may match what does not exist yet."""
    return [topic for topic in topics if not topic.startswith("^")]


def _limits(settings: Settings, limits: Limits) -> Limits:
    """The destination's limits with the operator's wishes over them."""
    delivery = settings.delivery
    if delivery.requests_per_second is not None:
        limits = msgspec.structs.replace(limits, requests_per_second=delivery.requests_per_second)
    if delivery.request_timeout_s is not None:
        limits = msgspec.structs.replace(limits, request_timeout_s=delivery.request_timeout_s)
    return limits


def _client_id() -> str:
    """Names this process in the brokers' logs and quotas."""
    return f"commerce-connector-{socket.gethostname()}"
