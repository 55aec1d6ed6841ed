"""JSON Lines in and out: one line at a time, in constant memory, and quiet when the reader goes away."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import typer

LINE_BYTES_MAX = 16 << 20
"""Far above what Kafka takes as one record; a longer line is cut there, and so is no JSON any more."""


def read_lines(path: Path | None) -> Iterator[tuple[int, bytes]]:
    """Line numbers from 1 and lines, of a file or of standard input; blank lines are left out."""
    with contextlib.ExitStack() as stack:
        source: BinaryIO = sys.stdin.buffer if path is None else stack.enter_context(path.open("rb"))
        number = 0
        while line := source.readline(LINE_BYTES_MAX):
            number += 1
            if len(line) == LINE_BYTES_MAX and not line.endswith(b"\n"):
                _finish_line(source)
            if not line.isspace():
                yield number, line


def _finish_line(source: BinaryIO) -> None:
    while (rest := source.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
        pass


@contextlib.contextmanager
def output() -> Iterator[None]:
    """Prints UTF-8, whatever the locale. A reader that has seen enough, like `head`, ends us quietly."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would be tried again, and complained about, when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None
