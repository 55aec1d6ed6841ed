"""`connector demo`: the whole thing on this machine, and every event counted."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

from connector.cli.common import FAILED, command
from connector.cli.loop import fast_loop

if TYPE_CHECKING:
    from connector.demo import Demo, Progress, Report

app = command()

PLAIN_EVERY_S = 2.0
LIVE_EVERY_S = 0.25
INTERRUPTED = 130
"""The exit code of what Ctrl-C ended before its books were made, as shells have it."""


@app.command()
def demo(
    destination: Annotated[str, typer.Option(help="Which destination, or `all`.")] = "topsort",
    events: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many events.")] = 10_000,
    seed: Annotated[
        int,
        typer.Option(
            help="The same seed gives the same records with the same outcomes; how often a fault comes, and "
            "something is sent again, is a matter of timing, too."
        ),
    ] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything up for looking at, until Ctrl-C.")
    ] = False,
) -> None:
    """Show the whole thing on this machine: Kafka, a vendor with every fault, and the books at the end.

    Kafka is an embedded cluster, the vendor its strict stand-in; everything else is as deployed. The books
    are made from what Kafka and the vendor hold, and say what went wrong on purpose and how often. Exit code
    1 if they do not balance, or if a record stays open for ever.

    \b
    Example:
      connector demo --events 20000 --seed 7
    """
    from connector.vendors import DESTINATIONS

    names = [*DESTINATIONS] if destination == "all" else [destination]
    if unknown := [name for name in names if name not in DESTINATIONS]:
        raise typer.BadParameter(f"{unknown[0]} is not one of {', '.join(DESTINATIONS)}, all")
    sys.exit(_demonstrate(names, events, seed, keep))


def _demonstrate(names: Sequence[str], events: int, seed: int, keep: bool) -> int:
    from connector.demo import Demo
    from connector.kafka.inspect import ClusterError
    from connector.kafka.produce import WriteError
    from connector.ops import logs

    logs.configure("error", "text")
    logging.getLogger("connector.kafka").setLevel(logging.CRITICAL)  # its brokers fail on purpose here
    console = Console()
    console.print(
        f"[bold]{', '.join(names)}[/bold]: {events:,} events, seed {seed}; "
        "making them and what must become of each …"
    )
    try:
        running = Demo(names, events, seed)
        with asyncio.Runner(loop_factory=fast_loop) as runner:
            return runner.run(_show(console, running, keep))
    except (ClusterError, WriteError) as error:
        print(f"the embedded Kafka failed: {error}", file=sys.stderr)
        return FAILED


async def _show(console: Console, running: Demo, keep: bool) -> int:
    """The exit code."""
    from connector.cli.demo_report import report_of, summary_of

    stop = _asked_to_stop()
    async with running:
        for stage in running.stages:
            console.print(f"{stage.name}: live status   {stage.address}")
            console.print(f"{stage.name}: vendor's view {stage.ledger_address}", soft_wrap=True)
        reports = await _unless(stop, _play(console, running))
        if reports is None:
            for each in running.progress():
                console.print(
                    f"{each.destination}: stopped with {each.settled:,} of {each.of:,} records settled; "
                    "no books were made"
                )
            return INTERRUPTED
        for report in reports:
            console.print(report_of(report))
        if len(reports) > 1:
            console.print(summary_of(reports))
        if keep:
            console.print("everything stays up until Ctrl-C; the addresses are above")
            await stop.wait()
        else:
            console.print("to look around in it: --keep (make demo ARGS=--keep) leaves everything up")
    return 0 if all(report.balances for report in reports) else FAILED


async def _play(console: Console, running: Demo) -> list[Report]:
    from connector.cli.demo_report import lines_of, tables_of

    began = time.monotonic()
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            await running.run(lambda progress: live.update(tables_of(progress)), LIVE_EVERY_S)
    else:
        await running.run(_printer(lines_of, began), PLAIN_EVERY_S)
    console.print(
        f"over after {time.monotonic() - began:.1f} s; taking the books from Kafka and the vendor …"
    )
    return await running.reports()


def _printer(
    lines_of: Callable[[Sequence[Progress], float], list[str]], began: float
) -> Callable[[Sequence[Progress]], None]:
    def show(progress: Sequence[Progress]) -> None:
        print("\n".join(lines_of(progress, time.monotonic() - began)), flush=True)

    return show


def _asked_to_stop() -> asyncio.Event:
    """Set by the first Ctrl-C or SIGTERM; a second one ends the process where it stands."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        asked.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return asked


async def _unless(stop: asyncio.Event, play: Coroutine[None, None, list[Report]]) -> list[Report] | None:
    """What the play brings, or None when somebody asked to stop."""
    playing, stopped = asyncio.ensure_future(play), asyncio.ensure_future(stop.wait())
    await asyncio.wait({playing, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if playing.done():
        return playing.result()
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    return None
