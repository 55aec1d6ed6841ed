"""`connector demo`: the whole thing on this machine, and every event counted."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from connector.cli.common import FAILED, command
from connector.cli.run import fast_loop

if TYPE_CHECKING:
    from connector.demo import Progress, Report

app = command()

PLAIN_EVERY_S = 2.0
LIVE_EVERY_S = 0.25
OUTCOMES = ("delivered", "skipped", "dead_lettered")


@app.command()
def demo(
    destination: Annotated[str, typer.Option(help="Which destination, or `all`.")] = "topsort",
    events: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many events.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Go on serving the status page until Ctrl-C.")] = False,
) -> None:
    """Show the whole thing on this machine: Kafka, a vendor with every fault, and the books at the end.

    Kafka is an embedded cluster, the vendor its strict stand-in; everything else is as deployed. Ends with a
    report; exit code 1 if it does not balance.

    \b
    Example:
      connector demo --events 20000 --seed 7
    """
    from connector.vendors import DESTINATIONS

    names = [*DESTINATIONS] if destination == "all" else [destination]
    if unknown := [name for name in names if name not in DESTINATIONS]:
        raise typer.BadParameter(f"{unknown[0]} is not one of {', '.join(DESTINATIONS)}, all")
    console = Console()
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        balanced = runner.run(_show(console, names, events, seed, keep))
    if not balanced:
        sys.exit(FAILED)


async def _show(console: Console, names: list[str], events: int, seed: int, keep: bool) -> bool:
    from connector.demo import Demo
    from connector.ops import logs

    logs.configure("error", "text")
    logging.getLogger("connector.kafka").setLevel(logging.CRITICAL)  # its brokers fail on purpose here
    console.print(
        f"[bold]{', '.join(names)}[/bold]: {events:,} events, seed {seed}; "
        "making them and what must become of them …"
    )
    async with Demo(names, events, seed) as running:
        for stage in running.stages:
            console.print(f"live status of {stage.name}: {stage.app.address}")
        if console.is_terminal:
            with Live(console=console, refresh_per_second=4) as live:
                reports = await running.run(lambda progress: live.update(_tables(progress)), LIVE_EVERY_S)
        else:
            reports = await running.run(_lines, PLAIN_EVERY_S)
        for report in reports:
            console.print(_report(report))
        if keep:
            console.print("the status pages stay until Ctrl-C")
            await asyncio.Event().wait()
    return all(report.balances for report in reports)


def _lines(all_progress: Sequence[Progress]) -> None:
    for progress in all_progress:
        topics = progress.status["topics"].values()
        figures = ", ".join(
            f"{sum(topic[name] for topic in topics):,} {name.replace('_', '-')}" for name in OUTCOMES
        )
        whose = f"{progress.destination}: " if len(all_progress) > 1 else ""
        print(
            f"{whose}{progress.settled:>9,} of {progress.of:,} settled: {figures}; "
            f"breaker {progress.status['breaker']}",
            flush=True,
        )


def _tables(all_progress: Sequence[Progress]) -> Group:
    if len(all_progress) == 1:
        return _table(all_progress[0])
    table = Table("destination", "", "settled", *(name.replace("_", "-") for name in OUTCOMES), "waits on")
    for progress in all_progress:
        topics = progress.status["topics"].values()
        table.add_row(
            progress.destination,
            ProgressBar(total=progress.of, completed=progress.settled, width=20),
            f"{progress.settled:,}",
            *(f"{sum(topic[name] for topic in topics):,}" for name in OUTCOMES),
            Text(progress.status["waits_on"] or "", style="yellow"),
        )
    return Group(table)


def _table(progress: Progress) -> Group:
    status, sender = progress.status, progress.status["sender"]
    topics = Table(
        "topic", "consumed", *(name.replace("_", "-") for name in OUTCOMES), "in flight", expand=True
    )
    for name, topic in status["topics"].items():
        cells = [topic["consumed"], *(topic[outcome] for outcome in OUTCOMES), topic["in_flight"]]
        topics.add_row(name, *(f"{cell:,}" for cell in cells))
    wire = (
        f"{sender['in_flight']} of {status['concurrency_limit']} requests open, "
        f"{sender['waiting']} batches wait, {sender['retrying']} again; breaker {status['breaker']}"
    )
    faults = ", ".join(f"{name} {count}" for name, count in progress.faults.items()) or "none yet"
    return Group(
        ProgressBar(total=progress.of, completed=progress.settled),
        topics,
        Text(wire),
        Text(f"faults so far: {faults}", style="dim"),
        Text(status["waits_on"] or "", style="yellow"),
    )


def _report(report: Report) -> Group:
    books = report.books
    rows = Table("conservation report", "records", "why", title=f"{report.destination}, seed {report.seed}")
    rows.add_row("produced", f"{books.produced:,}", _counts(report.mistakes))
    for outcome in OUTCOMES:
        why = {reason: count for reason, count in books.reasons(outcome).items() if reason}
        rows.add_row(outcome.replace("_", "-"), f"{books.total(outcome):,}", _counts(why))
    rows.add_section()
    rows.add_row("in the dead-letter topic", f"{sum(books.letters.values()):,}", "")
    rows.add_row("behind the committed offsets", f"{books.uncommitted:,}", "")
    rows.add_section()
    rows.add_row("ids the vendor must hold", f"{books.ids_expected:,}", "")
    rows.add_row("missing", f"{len(books.missing):,}", ", ".join(books.missing[:5]))
    rows.add_row("unexpected", f"{len(books.unexpected):,}", ", ".join(books.unexpected[:5]))
    for reason, count in books.unavoidable.items():
        rows.add_row("dropped by the vendor, unavoidably", f"{count:,}", reason)
    faults = Table("faults injected", "count")
    for name, count in sorted(report.vendor_faults.items()):
        faults.add_row(f"vendor: {name}", f"{count:,}")
    for name, count in sorted(report.kafka_faults.items()):
        faults.add_row(f"Kafka: {name}", f"{count:,}")
    faults.add_section()
    faults.add_row("ids sent again, an answer having been lost", f"{books.repeats:,}")
    if report.balances:
        words = f"balances: produced = delivered + skipped + dead-lettered, missing 0 ({report.took_s:.1f} s)"
        return Group(rows, faults, Text(words, "bold green"))
    wrong = Table("what does not balance")
    for difference in (*([report.stuck] if report.stuck else []), *books.differences):
        wrong.add_row(difference)
    return Group(rows, faults, Text("DOES NOT BALANCE", "bold red"), wrong)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
