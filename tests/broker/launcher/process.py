"""Server processes: started, known to be ready, stopped or killed, and never left behind."""

from __future__ import annotations

import atexit
import functools
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from tests.broker.launcher import guard

START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 15.0
_LOOK_EVERY_S = 0.02

T = TypeVar("T")


def wait_for(ask: Callable[[], T], what: str, patience_s: float = START_PATIENCE_S) -> T:
    """The first answer that is true (not empty); raises `TimeoutError` naming `what` when none comes."""
    deadline = time.monotonic() + patience_s
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {patience_s:g} s")
        time.sleep(_LOOK_EVERY_S)  # a file or socket of another process wakes nobody; bounded above
    return answer


def spawn(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that ends with this interpreter at the latest; what it says is added to the log.

    Once it was waited for, `reaped` takes it off the list.
    """
    with log.open("ab") as output:
        # In a session of its own: Ctrl-C is for us, and we end it in order.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _keeper().watch(process.pid)
    return process


def reaped(process: subprocess.Popen[bytes]) -> None:
    """It has ended and its id may belong to somebody else now: nothing is to be killed by it any more."""
    _keeper().forget(process.pid)


class Server:
    """One server process, its log, and the line in it that says the server is up.

    It ends with this interpreter at the latest, also when that is interrupted or killed.
    """

    _known: ClassVar[weakref.WeakSet[Server]] = weakref.WeakSet()

    def __init__(self, name: str, command: Sequence[str], log: Path, ready_line: str) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._ready_line = ready_line.encode()
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._known.add(self)

    @classmethod
    def last_words(cls) -> dict[str, str]:
        """What every server that was started and is not gone said last, by its name and how it is."""
        return {
            f"{server.name} ({'running' if server.running else 'not running'})": server._log_end()
            for server in cls._known
            if server._process is not None
        }

    @property
    def running(self) -> bool:
        """Started and not ended, whether by us or by itself."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; `wait_ready` tells when it can be used."""
        if self.running:
            raise ValueError(f"{self.name} is running already")
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        self._process = spawn(self._command, self._log)

    def wait_ready(self) -> None:
        """Return once the log says so; raises with the end of the log when the server ends instead."""
        try:
            wait_for(self._ready_or_ended, f"{self.name} to start")
        except TimeoutError as late:
            raise TimeoutError(f"{late}\n{self._log_end()}") from None
        if not self.running:
            raise RuntimeError(f"{self.name} ended while it started\n{self._log_end()}")

    def terminate(self) -> None:
        """Ask it to stop in order, and return at once; `wait_ended` follows."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9: it gets no chance to write anything down."""
        if self._process is not None and self.running:
            self._process.kill()
        self.wait_ended()

    def wait_ended(self) -> None:
        """Return once it has ended; one that does not stop in time is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_PATIENCE_S)
        reaped(self._process)
        self._process = None

    def _ready_or_ended(self) -> bool:
        return self._ready_line in self._log_of_this_start() or not self.running

    def _log_of_this_start(self) -> bytes:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()

    def _log_end(self) -> str:
        return self._log_of_this_start()[-3000:].decode(errors="replace")


def work_dir(name: str) -> Path:
    """A new empty folder for a server's files, gone when this interpreter is."""
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_keeper().folder))


class _Keeper:
    """Our side of the guard."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="commerce-connector-"))
        self._guard = subprocess.Popen(
            [sys.executable, guard.__file__, str(self.folder)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        atexit.register(self._leave)

    def watch(self, pid: int) -> None:
        self._tell(f"+{pid}")

    def forget(self, pid: int) -> None:
        self._tell(f"-{pid}")

    def _tell(self, line: str) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.write(line + "\n")
        self._guard.stdin.flush()

    def _leave(self) -> None:
        self._guard.communicate()


@functools.cache
def _keeper() -> _Keeper:
    return _Keeper()
