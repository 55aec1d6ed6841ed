"""A command on a real terminal (a pty), of a size one chooses: what it writes there, escapes and all."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

PATIENCE_S = 60.0
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")
"""A colour of letters or of what is behind them; bold and dim are none."""

MOVES_UP = re.compile(r"\x1b\[\d*A")
"""Only who draws in the same place again does that."""

_OURS = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""What would decide instead of the terminal."""


class Terminal:
    """A running command and all that it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self._raw = b""

    @property
    def text(self) -> str:
        """As it was written."""
        return self._raw.decode("utf-8", "replace")

    @property
    def lines(self) -> list[str]:
        """What stood in each line, without escapes; what was drawn over is still among them."""
        return [line.rpartition("\r")[2] for line in ESCAPE.sub("", self.text).split("\r\n")]

    def until(self, word: str) -> None:
        """Return once this was written."""
        deadline = time.monotonic() + PATIENCE_S
        while word not in self.text:
            more = self._read(deadline - time.monotonic())
            assert more, f"{word!r} never came:\n{self.text[-2000:]}"

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.write(self._master, b"\x03")

    def ends(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self, patience_s: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, patience_s))[0]:
            return False
        try:
            more = os.read(self._master, 65_536)
        except OSError:  # so Linux says that nobody has the other end any more
            return False
        self._raw += more
        return bool(more)


@contextmanager
def on_a_terminal(
    *arguments: str, columns: int = 80, environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """`connector …` with a terminal as its input, output and error output."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
    process = subprocess.Popen(
        [sys.executable, "-m", "connector", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=inherited | {"TERM": "xterm-256color"} | dict(environment or {}),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # or Ctrl-C reaches nobody
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(master)
