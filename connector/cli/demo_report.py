"""How a demo looks: progress while it plays, and the report at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from connector.demo.trouble import NOT_HERE

if TYPE_CHECKING:
    from connector.conservation import Conservation
    from connector.demo import Progress, Report

OUTCOMES = ("delivered", "skipped", "dead_lettered")

WITNESSES = {
    "delivered": "the vendor accepted all its ids",
    "skipped": "committed, and nothing was sent",
    "dead_lettered": "in the dead-letter topic",
}

# ── while it plays ───────────────────────────────────────────────────────────────────────────────


def lines_of(all_progress: Sequence[Progress], seconds: float) -> list[str]:
    """A line a destination, for a log or a pipe."""
    lines = []
    for progress in all_progress:
        whose = f"{progress.destination}: " if len(all_progress) > 1 else ""
        figures = ", ".join(f"{_of(progress, name):,} {_word(name)}" for name in OUTCOMES)
        waits = f"; {words}" if (words := progress.status["waits_on"]) else ""
        lines.append(
            f"{seconds:5.1f} s  {whose}{progress.settled:,} of {progress.of:,} settled: {figures}{waits}"
        )
    return lines


def tables_of(all_progress: Sequence[Progress]) -> RenderableType:
    """What a terminal shows, over and over in the same place."""
    return _one(all_progress[0]) if len(all_progress) == 1 else _several(all_progress)


def _several(all_progress: Sequence[Progress]) -> Table:
    table = Table("destination", "", "settled", *map(_word, OUTCOMES), "waits on")
    for progress in all_progress:
        table.add_row(
            progress.destination,
            ProgressBar(total=progress.of, completed=progress.settled, width=20),
            f"{progress.settled:,}",
            *(f"{_of(progress, name):,}" for name in OUTCOMES),
            Text(progress.status["waits_on"] or "", style="yellow"),
        )
    return table


def _one(progress: Progress) -> Group:
    status, sender = progress.status, progress.status["sender"]
    topics = Table("topic", "consumed", *map(_word, OUTCOMES), "in flight", expand=True)
    for name, topic in status["topics"].items():
        cells = [topic["consumed"], *(topic[outcome] for outcome in OUTCOMES), topic["in_flight"]]
        topics.add_row(name, *(f"{cell:,}" for cell in cells))
    wire = (
        f"{sender['in_flight']} of {status['concurrency_limit']} requests open, "
        f"{sender['waiting']} batches wait, {sender['retrying']} again; breaker {status['breaker']}"
    )
    return Group(
        ProgressBar(total=progress.of, completed=progress.settled),
        topics,
        Text(wire),
        Text(f"faults so far: {_counts(progress.faults) or 'none yet'}", style="dim"),
        Text(status["waits_on"] or "", style="yellow"),
    )


# ── at the end ───────────────────────────────────────────────────────────────────────────────────


def report_of(report: Report) -> RenderableType:
    """The books of one destination, what was done to it, and the verdict."""
    return Group(_records(report), _ids(report.books), _injected(report), *_verdict(report))


def summary_of(reports: Sequence[Report]) -> Table:
    """All destinations of a run, a row each."""
    rows = Table(title="\nall together", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    rows.add_column("destination", no_wrap=True)
    for name in ("produced", "delivered", "skipped", "dead letters", "missing", "sent again"):
        rows.add_column(name, justify="right")
    rows.add_column("balances")
    for report in reports:
        books = report.books
        figures = [books.produced, *(books.found.get(name, 0) for name in OUTCOMES)]
        figures += [len(books.missing), books.repeats]
        verdict = Text("yes", style="green") if report.balances else Text("NO", style="bold red")
        rows.add_row(report.destination, *(f"{each:,}" for each in figures), verdict)
    return rows


def _records(report: Report) -> RenderableType:
    """What must be, what the connector says, and what Kafka and the vendor bear witness to."""
    books = report.books
    rows = Table(title=f"\n{report.destination}, seed {report.seed}: the books", title_justify="left")
    rows.add_column("records")
    for name in ("expected", "counted", "found"):
        rows.add_column(name, justify="right")
    rows.add_column("found where")
    for name in OUTCOMES:
        figures = (books.must(name), books.total(name), books.found.get(name, 0))
        rows.add_row(_word(name), *(f"{each:,}" for each in figures), WITNESSES[name])
    rows.add_section()
    together = (books.produced, books.settled, sum(books.found.values()))
    rows.add_row("together", *(f"{each:,}" for each in together), f"in Kafka: {books.produced:,} produced")
    rows.add_row("not committed", "0", "", f"{sum(books.behind.values()):,}", "the offsets of the group")
    rows.add_row("dead letters", f"{books.must('dead_lettered'):,}", "", f"{books.letters:,}", "their topic")
    why = [
        Text(f"{_word(name)}: {_counts(reasons)}", style="dim")
        for name in ("skipped", "dead_lettered")
        if (reasons := books.reasons(name))
    ]
    return Group(rows, *why)


def _ids(books: Conservation) -> Table:
    rows = Table("ids at the vendor", "count", "")
    rows.columns[1].justify = "right"
    rows.add_row("expected", f"{books.ids_expected:,}", "")
    rows.add_row("accepted", f"{books.ids_accepted:,}", "")
    rows.add_row("missing", f"{len(books.missing):,}", "")
    rows.add_row("unexpected", f"{len(books.unexpected):,}", "")
    rows.add_row("with other bytes", f"{len(books.altered):,}", "than were mapped")
    rows.add_row("sent again", f"{books.repeats:,}", "after a lost answer; the vendor counts them once")
    for reason, count in books.unavoidable.items():
        rows.add_row("dropped by the vendor", f"{count:,}", f"{reason}, whoever sends it")
    return rows


def _injected(report: Report) -> RenderableType:
    faults = Table("faults injected", "what it is", "count")
    faults.columns[2].justify = "right"
    where = ""
    for each in report.injected:
        if each.where != where:
            where = each.where
            faults.add_section()
        if each.count:
            faults.add_row(f"{where}: {each.kind}", each.words, f"{each.count:,}")
        else:
            faults.add_row(f"{where}: {each.kind}", f"not this time ({each.seldom})", "0", style="dim")
    return Group(faults, Text(f"not injected here, but in the tests: {NOT_HERE}", style="dim"))


def _verdict(report: Report) -> list[RenderableType]:
    books = report.books
    if report.balances:
        sums = " + ".join(f"{books.found.get(name, 0):,}" for name in OUTCOMES)
        return [
            Text(
                "balances: produced = delivered + skipped + dead-lettered, missing 0 "
                f"({report.took_s:.1f} s)",
                "bold green",
            ),
            Text(
                f"{books.produced:,} = {sums}; ids accepted = ids expected = {books.ids_expected:,}", "green"
            ),
        ]
    wrong = Table("what does not balance", show_lines=True)
    for difference in report.differences:
        wrong.add_row(difference)
    return [wrong, Text(f"DOES NOT BALANCE ({report.took_s:.1f} s)", "bold red")]


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def _of(progress: Progress, outcome: str) -> int:
    return sum(topic[outcome] for topic in progress.status["topics"].values())


def _word(outcome: str) -> str:
    return outcome.replace("_", "-")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
