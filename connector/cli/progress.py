"""How far a run is: a bar on a terminal, a line every so often elsewhere. Both on standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from connector.app import App

PLAIN_EVERY_S = 2.0
LIVE_EVERY_S = 0.2


@contextlib.contextmanager
def shown(what: str, total: int, done: Callable[[App], int]) -> Iterator[tuple[Callable[[App], None], float]]:
    """What to call with the run, and how often (seconds)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(what, total, done), PLAIN_EVERY_S
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("[yellow]{task.fields[waits_on]}"), console=console) as progress:
        task = progress.add_task(what, total=total, waits_on="")
        yield (
            lambda run: progress.update(task, completed=done(run), waits_on=run.status()["waits_on"] or ""),
            LIVE_EVERY_S,
        )


def _plain(what: str, total: int, done: Callable[[App], int]) -> Callable[[App], None]:
    began = time.monotonic()

    def show(run: App) -> None:
        waits_on = run.status()["waits_on"]
        words = f"; {waits_on}" if waits_on else ""
        seconds = time.monotonic() - began
        print(f"{seconds:5.1f} s  {done(run):,} of {total:,} {what}{words}", file=sys.stderr, flush=True)

    return show
