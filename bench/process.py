"""A process whose CPU time and peak memory are read from outside, so that measuring costs it nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

STOP_PATIENCE_S = 60.0
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Process:
    """One child with its output in `log`, as `with Process(…)`; killed at the end if it is still there."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._log = log
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CONNECTOR_")}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
        self._proc = Path("/proc") / str(self._process.pid)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def cpu_s(self) -> float:
        """User and system time of all its threads so far; raises RuntimeError when it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"ended by itself:\n{self._log.read_text()[-3000:]}")
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND  # utime, stime: proc(5)

    def peak_bytes(self) -> int:
        """The most memory it ever had resident."""
        for line in (self._proc / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) * 1024
        raise RuntimeError("this system does not tell a process's peak memory")

    def output(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    def stop(self) -> None:
        """SIGTERM, and wait for its end. RuntimeError unless it ends well."""
        self._process.send_signal(signal.SIGTERM)
        if code := self._process.wait(STOP_PATIENCE_S):
            raise RuntimeError(f"ended with {code}:\n{self._log.read_text()[-3000:]}")
