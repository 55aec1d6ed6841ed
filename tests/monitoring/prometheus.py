"""Prometheus and its promtool: those on this machine, or Debian's package unpacked beside other downloads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.broker.launcher.cache import cached
from tests.broker.launcher.java import MissingToolError
from tests.broker.launcher.ports import free_port
from tests.broker.launcher.process import Server

RULES = Path(__file__).parents[2] / "helm/commerce-connector/alerts/commerce-connector.yaml"
_APT = ("apt-get", "-qq", "-o", "APT::Sandbox::User=root")
_PATIENCE_S = 300
_ASK_PATIENCE_S = 10


def tool(name: str) -> Path:
    """`prometheus` or `promtool`. Raises `MissingToolError` where neither the tool nor Debian is."""
    if found := shutil.which(name):
        return Path(found)
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise MissingToolError(f"no {name} (on Debian: apt-get install prometheus)")
    return cached("prometheus", _unpack) / "usr/bin" / name


def _unpack(into: Path) -> None:
    """Nothing is installed, and no service started: the programs alone are wanted."""
    if _in(into, *_APT, "download", "prometheus").returncode != 0 and os.geteuid() == 0:
        _in(into, *_APT, "update")
        _in(into, *_APT, "download", "prometheus")
    packages = list(into.glob("prometheus_*.deb"))
    if not packages:
        raise MissingToolError("Debian's package prometheus can't be downloaded (apt-get install prometheus)")
    unpacked = _in(into, "dpkg", "-x", str(packages[0]), str(into))
    assert unpacked.returncode == 0, unpacked.stdout
    packages[0].unlink()


def _in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )


class Prometheus:
    """A real one on a free port, that scrapes the given addresses every second and evaluates our alerts."""

    def __init__(self, folder: Path, targets: Mapping[str, Sequence[str]]) -> None:
        """`targets`: job → `host:port` each."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "prometheus.yaml"
        config.write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(RULES)],
                    "scrape_configs": [
                        {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
                        for job, addresses in targets.items()
                    ],
                }
            )
        )
        self._server = Server(
            "Prometheus",
            [
                str(tool("prometheus")),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            folder / "prometheus.log",
            "Server is ready to receive web requests",
        )
        self._server.start()
        self._server.wait_ready()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now; raises `HTTPError` for one that Prometheus does not read."""
        return self._asked("query", query=expression)

    def query_range(self, expression: str, start: float, end: float, step_s: float) -> list[dict[str, Any]]:
        """The series that an expression had between two moments, each so many seconds."""
        return self._asked("query_range", query=expression, start=start, end=end, step=step_s)

    def _asked(self, what: str, **parameters: str | float) -> list[dict[str, Any]]:
        with urlopen(f"{self.url}/api/v1/{what}?{urlencode(parameters)}", timeout=_ASK_PATIENCE_S) as got:
            result: list[dict[str, Any]] = json.load(got)["data"]["result"]
        return result

    def stop(self) -> None:
        """End it."""
        self._server.kill()
