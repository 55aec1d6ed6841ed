"""A schema registry on this machine: Apicurio, which speaks the Confluent API that the connector speaks."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from tests.broker.launcher.cache import cached
from tests.broker.launcher.java import Java, MissingToolError, fetch_artifact, find_java
from tests.broker.launcher.ports import free_port
from tests.broker.launcher.process import Server, wait_for, work_dir

_JVM = ["-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # starts fast, stays small
_API = "/apis/ccompat/v7"
_READY_LINE = "Listening on: http"
_ANSWERS_IN_A_ROW = 8
"""It serves with several threads (Quarkus: two a processor), each new connection by the next: one that
answers is not all of them. A connection closed without an answer was seen once, right after a restart."""


@dataclass(frozen=True)
class Edition:
    """A version of the registry, what it needs, and how it is told where to keep its schemas."""

    version: str
    archive: str
    jar: str
    java_version_min: int
    database_property: str


EDITIONS = (
    Edition("3.3.3", "tar.gz", "quarkus-run.jar", 21, "apicurio.datasource.url"),
    Edition(
        "2.6.13.Final",
        "zip",
        "apicurio-registry-app-2.6.13.Final-runner.jar",
        17,
        "REGISTRY_DATASOURCE_URL",
    ),
)
"""Newest first; which one runs depends on the Java of this machine."""


class SchemaRegistry:
    """A registry at `url`, up when constructed. It keeps schemas, ids and port over `kill` and `start`."""

    def __init__(self, editions: Sequence[Edition] = EDITIONS) -> None:
        self.edition, java = _runnable(editions)
        port, management_port = free_port(), free_port()
        folder = work_dir("registry")
        jar = _unpacked(self.edition) / self.edition.jar
        command = [
            java.command,
            *_JVM,
            "-Dquarkus.http.host=127.0.0.1",
            f"-Dquarkus.http.port={port}",
            "-Dquarkus.management.host=127.0.0.1",
            f"-Dquarkus.management.port={management_port}",
            # No write delay: a schema whose id was given out is still there after kill -9.
            f"-D{self.edition.database_property}=jdbc:h2:file:{folder}/schemas;WRITE_DELAY=0",
            "-jar",
            str(jar),
        ]
        self._server = Server("schema registry", command, folder / "server.log", _READY_LINE)
        self.url = f"http://127.0.0.1:{port}{_API}"
        """The base address of the Confluent API."""
        self.start()

    def start(self) -> None:
        """Start it if it is not running, and wait until it answers."""
        if self._server.running:
            return
        self._server.start()
        self._server.wait_ready()
        wait_for(self._answers, "the schema registry to answer")

    def kill(self) -> None:
        """kill -9. It keeps what it had answered, and its port stays ours."""
        self._server.kill()

    def stop(self) -> None:
        """Stop it in order and wait for it. May be called twice."""
        self._server.terminate()
        self._server.wait_ended()

    def _answers(self) -> bool:
        try:
            for _ in range(_ANSWERS_IN_A_ROW):
                urlopen(f"{self.url}/subjects", timeout=5).close()
            return True
        except (OSError, HTTPException):
            return False


def _runnable(editions: Sequence[Edition]) -> tuple[Edition, Java]:
    """The first edition that this machine has a Java for."""
    for edition in editions[:-1]:
        try:
            return edition, find_java(edition.java_version_min)
        except MissingToolError:
            continue
    return editions[-1], find_java(editions[-1].java_version_min)


def _unpacked(edition: Edition) -> Path:
    """The registry's files, fetched on this machine's first run."""

    def fill(folder: Path) -> None:
        packed = folder / "packed"
        file = fetch_artifact(
            f"io.apicurio:apicurio-registry-app:{edition.version}:{edition.archive}:all", packed
        )
        shutil.unpack_archive(file, folder)
        shutil.rmtree(packed)

    return cached(f"registry-{edition.version}", fill)
