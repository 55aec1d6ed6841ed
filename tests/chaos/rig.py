"""A run of the connector as it is deployed: a process, a configuration file, signals, a status page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from connector.traffic import Planned, TopicKind

ROUND_S = 0.05
"""How often a condition is looked at; nothing is ever assumed after a wait."""


def wait_until(
    holds: Callable[[], bool],
    what: str,
    patience_s: float,
    every_s: float = ROUND_S,
    tell: Callable[[], object] = str,
) -> None:
    """Return as soon as `holds`; fail with `what`, and what `tell` says, when it has not in `patience_s`."""
    until = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < until, f"not within {patience_s:g} s: {what}\n{tell()}"
        time.sleep(every_s)  # another process wakes nobody when it is so far; bounded above


class ConnectorProcess:
    """One `connector run`, to be stopped politely or killed. `module` may stand for the connector's own."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        name: str = "connector",
        module: str = "connector",
        cwd: Path | None = None,
    ) -> None:
        self._config = folder / f"{name}.yaml"
        self._config.write_text(yaml.safe_dump(dict(settings)))
        self.log = folder / f"{name}.log"
        self._log_file = self.log.open("ab")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CONNECTOR_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "run", "-c", str(self._config)],
            stdout=self._log_file,
            stderr=self._log_file,
            env=environment,
            cwd=cwd,
        )
        self._port: int | None = None

    def __enter__(self) -> ConnectorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._log_file.close()

    @property
    def running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def kill(self) -> None:
        """`kill -9`: no farewell, no commit."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self, patience_s: float = 40) -> int:
        """SIGTERM, and the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(patience_s)

    def status(self) -> dict[str, Any]:
        """`/status`; empty while the process is not listening yet."""
        assert self.running, f"the connector ended: {self.log.read_text()[-2000:]}"
        facts: dict[str, Any] = json.loads(self._get("/status") or "{}")
        return facts

    def settled(self) -> int:
        """Records that have their outcome."""
        return sum(
            topic["delivered"] + topic["skipped"] + topic["dead_lettered"]
            for topic in self.status().get("topics", {}).values()
        )

    def outcomes(self) -> dict[tuple[str, str], int]:
        """(outcome, reason) → records, as a scrape of `/metrics` tells them."""
        counted: Counter[tuple[str, str]] = Counter()
        for family in text_string_to_metric_families(self._get("/metrics")):
            for sample in family.samples:
                if sample.name == "connector_records_settled_total":
                    labels = sample.labels
                    counted[labels["outcome"], labels["reason"]] += int(sample.value)
        return counted

    def partitions(self) -> set[tuple[str, int]]:
        """The partitions that are this process's."""
        return {(each["topic"], each["partition"]) for each in self.status().get("partitions", ())}

    @property
    def address(self) -> str | None:
        """`host:port` of its pages; None while it is not listening yet."""
        if self._port is None:
            self._port = self._port_from_log()
        return f"127.0.0.1:{self._port}" if self._port is not None else None

    def _get(self, path: str) -> str:
        """What it answers; empty while it is not listening."""
        address = self.address
        if address is None:
            return ""
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return ""

    def _port_from_log(self) -> int | None:
        for line in self.log.read_text().splitlines():
            if '"listening"' in line:
                return int(json.loads(line)["port"])
        return None


def produce(
    bootstrap: str, records: Iterable[Planned], topics: Mapping[TopicKind, str]
) -> list[tuple[Planned, str]]:
    """Write records, acknowledged; each with its `topic:partition:offset`."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "acks": "all"})
    written: list[tuple[Planned, str]] = []
    for record in records:

        def acknowledged(error: object, message: Any, record: Planned = record) -> None:
            assert error is None, error
            written.append((record, f"{message.topic()}:{message.partition()}:{message.offset()}"))

        while True:
            try:
                producer.produce(topics[record.topic], record.value, record.key, on_delivery=acknowledged)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(60)
    assert left == 0, f"{left} records were not acknowledged"
    return written
