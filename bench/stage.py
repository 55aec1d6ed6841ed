"""Where runs take place: a broker with a job's records in it, and a vendor. Runs one contender at a time."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from uuid import uuid4

import msgspec
import yaml

from bench.books import Books, compare
from bench.process import Process
from bench.vendor import LOOK_EVERY_S, Vendor
from bench.work import FORMATS, OPTIONS, Work
from connector.kafka.embedded import PARTITION_KEEPS_BYTES
from connector.kafka.produce import Writer
from connector.traffic import TopicKind
from tests.broker.launcher.brokers import Broker

Contender = Literal["floor", "connector"]
CONTENDERS: tuple[Contender, ...] = ("floor", "connector")

PARTITIONS = 6
FLUSH_EVERY = 5_000
START_PATIENCE_S = 60.0

QUIET_S = 10.0
"""After so long without anything new at the vendor, what has not arrived counts as missing."""


class Result(msgspec.Struct, frozen=True):
    """One run of one contender. Times and CPU run from the first request to the last id's arrival."""

    contender: Contender
    events: int
    requests: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    books: Books

    @property
    def cpu_us(self) -> float:
        """CPU microseconds for an event."""
        return self.cpu_s * 1e6 / self.events


class Stage:
    """One job's records in topics of their own; every run reads them from the start in a group of its own."""

    def __init__(self, broker: Broker, work: Work, destination: str, folder: Path) -> None:
        self._broker = broker
        self._work = work
        self._destination = destination
        self._folder = folder
        self._topics: dict[TopicKind, str] = {kind: f"{kind}-{uuid4().hex[:8]}" for kind in FORMATS}
        self._dead_letter_topic = f"dead-letter-{uuid4().hex[:8]}"

    def prepare(self) -> None:
        """Create the topics and write every record, acknowledged."""
        partitions = PARTITIONS
        if self._broker.kind == "mock":  # it forgets what is beyond its partitions' size
            total = sum(len(record.value or b"") for record in self._work.records)
            partitions = max(PARTITIONS, total // PARTITION_KEEPS_BYTES + 1)
        for topic in self._topics.values():
            self._broker.create_topic(topic, partitions)
        self._broker.create_topic(self._dead_letter_topic, 1)
        asyncio.run(self._write())

    async def _write(self) -> None:
        writer = Writer({"bootstrap.servers": self._broker.bootstrap})
        try:
            for number, record in enumerate(self._work.records, 1):
                writer.write(self._topics[record.topic], record.key, record.value)
                if number % FLUSH_EVERY == 0:
                    await writer.flush()
            await writer.flush()
        finally:
            writer.close()

    def run(
        self, contender: Contender, vendor: Vendor, *, quiet_s: float = QUIET_S, profile: Path | None = None
    ) -> Result:
        """Let one contender carry everything, and hold the books."""
        vendor.forget()
        config = self._folder / f"{contender}.yaml"
        config.write_text(yaml.safe_dump(self._settings(vendor.url)))
        profiler = ["-m", "cProfile", "-o", str(profile)] if profile is not None else []
        module = {
            "floor": ["-m", "bench.floor", str(config)],
            "connector": ["-m", "bench.product", "run", "-c", str(config)],
        }[contender]
        with Process([sys.executable, *profiler, *module], self._folder / f"{contender}.log") as process:
            wall_s, cpu_s = self._watch(process, vendor, quiet_s)
            peak = process.peak_bytes()
            process.stop()
        return Result(
            contender=contender,
            events=len(self._work.records),
            requests=vendor.seen().requests,
            wall_s=wall_s,
            cpu_s=cpu_s,
            peak_bytes=peak,
            books=compare(self._work.due, vendor.accepted()),
        )

    def _watch(self, process: Process, vendor: Vendor, quiet_s: float) -> tuple[float, float]:
        """Wall and CPU seconds between the first request and the last arrival. Imports and joining the group
        are before it, the farewell is after it."""
        start_s, start_cpu_s = time.monotonic(), process.cpu_s()
        until = start_s + START_PATIENCE_S
        due, before = self._work.due.total(), vendor.seen()
        while True:
            now_s, cpu_s, seen = time.monotonic(), process.cpu_s(), vendor.seen()
            if not seen.requests:
                start_s, start_cpu_s = now_s, cpu_s
            if seen != before:
                end_s, end_cpu_s, before = now_s, cpu_s, seen
                until = now_s + quiet_s
            if seen.accepted >= due or now_s > until:
                if not seen.requests:
                    raise RuntimeError(f"nothing reached the vendor:\n{process.output()[-3000:]}")
                return end_s - start_s, end_cpu_s - start_cpu_s
            time.sleep(LOOK_EVERY_S)  # between two looks at other processes, which tell nobody; bounded above

    def _settings(self, url: str) -> Mapping[str, object]:
        return {
            "destination": {
                "name": self._destination,
                "url": url,
                "api_key": "bench-key",
                "options": OPTIONS,
            },
            "source": {
                "topics": [*self._topics.values()],
                "group_id": f"bench-{uuid4().hex[:8]}",
                "format": {self._topics[kind]: word for kind, word in FORMATS.items()},
                "properties": {"bootstrap.servers": self._broker.bootstrap},
            },
            "dead_letter": {"topic": self._dead_letter_topic},
            "http": {"host": "127.0.0.1", "port": 0},
        }
