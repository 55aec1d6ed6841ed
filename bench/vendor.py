"""The sandbox as a process of its own, so that being the vendor costs the measured process nothing."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

import msgspec

from bench.process import Process

START_PATIENCE_S = 30.0
LOOK_EVERY_S = 0.02


class Seen(msgspec.Struct, frozen=True):
    """What reached the vendor so far."""

    requests: int
    accepted: int


class Vendor:
    """A Topsort stand-in, as `with Vendor(…) as vendor: … vendor.url`."""

    def __init__(self, folder: Path, latency_ms: int = 0, fail: str = "") -> None:
        command = [sys.executable, "-m", "connector", "sandbox", "--destination", "topsort"]
        command += ["--latency-ms", str(latency_ms), "--fail", fail]
        self._process = Process(command, folder / "vendor.log")
        self.url = ""

    def __enter__(self) -> Vendor:
        until = time.monotonic() + START_PATIENCE_S
        while not (said := self._process.output()).endswith("\n"):
            self._process.cpu_s()  # raises when it has ended
            if time.monotonic() > until:
                raise TimeoutError("the sandbox did not start")
            time.sleep(LOOK_EVERY_S)  # another process's output wakes nobody; bounded above
        self.url = said.split()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.__exit__()

    def seen(self) -> Seen:
        """Counts only, which is quick."""
        stats = json.loads(self._ask("/_stats?ids=0"))
        return Seen(stats["requests"], stats["accepted"]["count"])

    def accepted(self) -> dict[str, int]:
        """How often each id was taken."""
        ids: dict[str, int] = json.loads(self._ask("/_stats"))["accepted"]["ids"]
        return ids

    def forget(self) -> None:
        """Begin anew with nothing seen."""
        self._ask("/_reset", b"")

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(urljoin(self.url, path), body, timeout=30) as answer:
            found: bytes = answer.read()
            return found
