"""The run that is photographed: two topics in a real Kafka, traffic in waves, a vendor that fails.

traffic    a few faults at any time, as vendors have them
outage     every request is answered 503: the breaker opens, the backlog grows
recovered  the backlog is worked off beside the traffic
quiet      nothing is written any more
refused    the vendor withdraws the key: the connector halts
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any

import msgspec
from confluent_kafka import Producer

from connector.cli.loop import fast_loop
from connector.faults import Faults
from connector.sandbox import SandboxServer, SandboxThread
from connector.settings import typed_options
from connector.settings.reference import example_options
from connector.traffic import Planned, TopicKind, Traffic
from connector.vendors import DESTINATIONS
from tests.broker.launcher.kafka import KafkaCluster
from tests.chaos.rig import ConnectorProcess, wait_until
from tests.monitoring.prometheus import Prometheus
from tests.pictures.panels import Span

DESTINATION = "topsort"
PARTITIONS: Mapping[TopicKind, int] = {"orders": 2, "clickstream": 4}
SEED = 1
EVENTS_MAX = 60_000
MISTAKES, REPEATS = 0.01, 0.002

WRITE_EVERY_S = 0.2
PER_SECOND, WAVE, WAVE_S = 160, 0.45, 35
"""So many events on average, up and down by this share, in so many seconds: a curve that one can see move."""

USUAL = "503:0.02,429:burst=2/90:retry_after=2,slow:0.05:seconds=0.8,reset:0.005"
OUTAGE = "503:1"
WITHDRAWN = "401:1"
LATENCY_S = 0.2

KEY_FILE = "secrets/topsort-api-key"
"""As a page of a halt shows it: below the folder of the run, of which nothing shall be seen."""

PATIENCE_S = 60.0


class Story:
    """`with Story(folder) as story:` has everything up; each method goes on to where it says."""

    def __init__(self, folder: Path) -> None:
        kind = DESTINATIONS[DESTINATION]
        options = example_options(kind.Options)
        self._vendor = SandboxThread(
            lambda: SandboxServer.of(
                kind,
                typed_options(DESTINATION, options),
                faults=Faults.parse(USUAL, SEED),
                latency_s=LATENCY_S,
            ),
            fast_loop,
        )
        self._folder = folder
        (folder / KEY_FILE).parent.mkdir()
        (folder / KEY_FILE).write_text("a-key-for-the-stand-in")
        self._options = options
        encode: Callable[[dict[str, Any]], bytes] = msgspec.json.encode
        traffic = Traffic(
            EVENTS_MAX,
            SEED,
            time.time_ns() // 1_000_000,
            {"orders": encode, "clickstream": encode},
            MISTAKES,
            REPEATS,
        )
        self._records = iter(traffic)
        self._quiet = Event()
        self._writer = Thread(target=self._write, name="traffic", daemon=True)
        self.began = time.time()

    def __enter__(self) -> Story:
        with ExitStack() as up:  # what is up already ends, too, when something does not come up
            self._kafka = KafkaCluster()
            up.callback(self._kafka.stop)
            for topic, partitions in PARTITIONS.items():
                self._kafka.create_topic(topic, partitions)
            self._kafka.create_topic(f"{DESTINATION}.dead-letter", 1)
            up.enter_context(self._vendor)
            self._connector = up.enter_context(
                ConnectorProcess(self._folder, self._settings(), cwd=self._folder)
            )
            wait_until(lambda: self._connector.address is not None, "the connector listens", PATIENCE_S)
            self.prometheus = Prometheus(self._folder, {"commerce-connector": [str(self._connector.address)]})
            up.callback(self.prometheus.stop)
            wait_until(self._has_partitions, "all partitions", PATIENCE_S)
            self._writer.start()
            up.callback(self._writer.join)
            up.callback(self._quiet.set)
            self._up = up.pop_all()
        self.began = time.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._up.__exit__(kind, error, trace)

    @property
    def page(self) -> str:
        """The address of the status page."""
        return f"http://{self._connector.address}/"

    def ask(self, expression: str, span: Span) -> list[dict[str, Any]]:
        """What Prometheus has seen of it."""
        return self.prometheus.query_range(expression, span.start, span.end, span.step)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────

    def outage(self) -> None:
        """The vendor answers nobody, until the breaker is seen open."""
        self._vendor.fail(Faults.parse(OUTAGE))
        wait_until(lambda: self._status()["breaker"] == "open", "the breaker opens", PATIENCE_S)

    def recover(self) -> None:
        """The vendor is back, and so are we."""
        self._vendor.fail(Faults.parse(USUAL, SEED))
        wait_until(lambda: self._status()["breaker"] == "closed", "the breaker closes", PATIENCE_S)

    def quiet(self) -> None:
        """Nobody writes any more, and everything is settled and committed."""
        self._quiet.set()
        self._writer.join()
        wait_until(lambda: self._lag() == 0, "everything is committed", PATIENCE_S)

    def refuse(self) -> None:
        """The key is taken no more, which the next events show."""
        self._vendor.fail(Faults.parse(WITHDRAWN))
        producer = Producer({"bootstrap.servers": self._kafka.bootstrap})
        self._produce(producer, 200)
        producer.flush(PATIENCE_S)
        wait_until(lambda: self._status()["state"] == "halted", "the halt", PATIENCE_S)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _write(self) -> None:
        producer = Producer({"bootstrap.servers": self._kafka.bootstrap, "linger.ms": 20})
        due = 0.0
        began = time.monotonic()
        while not self._quiet.wait(WRITE_EVERY_S):  # the pace of the traffic
            wave = 1 + WAVE * math.sin(2 * math.pi * (time.monotonic() - began) / WAVE_S)
            due += PER_SECOND * WRITE_EVERY_S * wave
            self._produce(producer, int(due))
            due -= int(due)
        producer.flush(PATIENCE_S)

    def _produce(self, producer: Producer, count: int) -> None:
        for _ in range(count):
            record: Planned = next(self._records)
            producer.produce(record.topic, record.value, record.key)
        producer.poll(0)

    def _status(self) -> dict[str, Any]:
        return self._connector.status()

    def _has_partitions(self) -> bool:
        return len(self._status()["partitions"]) == sum(PARTITIONS.values())

    def _lag(self) -> int | None:
        lags = [each["lag"] for each in self._status()["partitions"]]
        return None if None in lags else sum(lags)

    def _settings(self) -> dict[str, Any]:
        return {
            "destination": {
                "name": DESTINATION,
                "url": self._vendor.url,
                "api_key_file": KEY_FILE,
                "options": self._options,
            },
            "source": {
                "topics": [*PARTITIONS],
                "group_id": DESTINATION,
                "format": "json",
                "properties": {"bootstrap.servers": self._kafka.bootstrap},
            },
            "http": {"host": "127.0.0.1", "port": 0},
        }
