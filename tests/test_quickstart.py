"""`docs/quickstart.md`, followed to the letter, but for Docker: another Kafka has its place."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.kafka.embedded import EmbeddedKafka
from tests.broker.launcher.kafka import KafkaCluster
from tests.broker.launcher.ports import free_port
from tests.broker.launcher.process import wait_for

PAGE = (Path(__file__).parents[1] / "docs" / "quickstart.md").read_text()


class Shell:
    """The page's commands, in one folder, with this machine's addresses in place of the page's."""

    def __init__(self, folder: Path, kafka: str) -> None:
        self._folder = folder
        self.sandbox = f"127.0.0.1:{free_port()}"
        self._kafka = kafka
        configuration = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", PAGE, re.M | re.S)
        for name, text in configuration:
            (folder / name).write_text(self._here(text))
        assert configuration, "the page has lost its configuration"

    def _here(self, text: str) -> str:
        return (
            text.replace("localhost:9092", self._kafka)
            .replace("127.0.0.1:8900", self.sandbox)
            .replace("--port 8900", f"--port {self.sandbox.rpartition(':')[2]}")
        )

    def _command(self, begins: str) -> tuple[list[str], dict[str, str]]:
        """The command that a line or a word in backquotes begins so with, and its environment."""
        found = re.search(rf"(?:^|`)((?:CONNECTOR_\S+ )?connector {begins}\b[^`\n]*)", PAGE, re.M)
        assert found, f"the page has lost its connector {begins}"
        words = shlex.split(self._here(found[1]))
        at = words.index("connector")
        given = dict(word.split("=", 1) for word in words[:at])
        return [sys.executable, "-m", "connector", *words[at + 1 :]], os.environ | given

    def run(self, begins: str) -> str:
        """What the command prints, when it ends well."""
        command, environment = self._command(begins)
        ended = subprocess.run(
            command,
            cwd=self._folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    @contextlib.contextmanager
    def running(self, begins: str) -> Iterator[subprocess.Popen[str]]:
        """The command, until the end of the block; its standard error is with its standard output."""
        command, environment = self._command(begins)
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env=environment | {"CONNECTOR_HTTP__PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.terminate()

    def accepted(self) -> int:
        """How many items the stand-in has."""
        with urllib.request.urlopen(f"http://{self.sandbox}/_stats?ids=0", timeout=10) as answer:
            return int(json.load(answer)["accepted"]["count"])


def until(process: subprocess.Popen[str], word: str) -> None:
    """Read what it prints until this was said; the test's own time limit ends a long silence."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if word in line:
            return
    pytest.fail(f"{word} was never said:\n{''.join(said)}")


def columns(table: str) -> list[list[str]]:
    """What is in each row, but for where and when it was."""
    return [re.split(r"  +", row)[2:] for row in table.splitlines() if re.match(r"(RECORD|orders:) *", row)]


@pytest.fixture(params=["embedded", pytest.param("fresh", marks=pytest.mark.broker)])
def kafka(request: pytest.FixtureRequest) -> Iterator[EmbeddedKafka | KafkaCluster]:
    """Where nothing was done before, as with a reader."""
    if request.param == "fresh":
        yield request.getfixturevalue("fresh_broker")
        return
    with EmbeddedKafka() as embedded:
        yield embedded


@pytest.mark.process
@pytest.mark.timeout(120)
def test_it_can_be_followed(kafka: EmbeddedKafka | KafkaCluster, tmp_path: Path) -> None:
    """Events arrive, also after the stand-in was away, and the bad one is listed as the page shows it."""
    for topic in re.findall(r"^for topic in (.*); do$", PAGE, re.M)[0].split():
        kafka.create_topic(topic, 3)
    shell = Shell(tmp_path, kafka.bootstrap)
    with shell.running("sandbox") as sandbox:
        until(sandbox, "listening")
        assert "wrong" not in shell.run("check")
        assert "events to orders" in shell.run("sample --count 1000 --produce")
        assert shell.run("sample --count 1") == "1 events to orders\n"
        with shell.running("run") as connector:
            until(connector, "record_dead_lettered")
            wait_for(shell.accepted, "the stand-in to take events")
            sandbox.terminate()
            sandbox.wait()
            assert "events to orders" in shell.run("sample --count 1000 --seed 2")
            with shell.running("sandbox") as again:
                until(again, "listening")
                wait_for(shell.accepted, "the stand-in to take events again")
                connector.terminate()
                until(connector, '"event":"stopped"')
    letters = shell.run("dlq list")
    shown = re.findall(r"^```\n(RECORD.*?)^```$", PAGE, re.M | re.S)[0]
    assert columns(letters) == columns(shown)
