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

PARTS = {"dead_lettered": "dead letters", "in_flight": "in flight"}

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


def _several(all_progress: Sequence[Progress]) -> Group:
    table = _plain_table()
    table.add_column("destination", no_wrap=True)
    for name in ("settled", "delivered", "skipped", "dead letters"):
        table.add_column(name, justify="right", overflow="fold")
    for progress in all_progress:
        figures = [progress.settled, *(_of(progress, name) for name in OUTCOMES)]
        table.add_row(progress.destination, *(f"{figure:,}" for figure in figures))
    waits = [
        Text(f"{each.destination}: {words}", style="yellow", no_wrap=True, overflow="ellipsis")
        for each in all_progress
        if (words := each.status["waits_on"])
    ]
    whole, settled = sum(each.of for each in all_progress), sum(each.settled for each in all_progress)
    return Group(ProgressBar(total=whole, completed=settled), table, *waits)


def _one(progress: Progress) -> Group:
    status, sender = progress.status, progress.status["sender"]
    topics = _plain_table()
    topics.add_column("records", no_wrap=True)
    for name in status["topics"]:
        topics.add_column(name, justify="right", overflow="fold")
    for part in ("consumed", *OUTCOMES, "in_flight"):
        counts = (topic[part] for topic in status["topics"].values())
        topics.add_row(PARTS.get(part, part), *(f"{count:,}" for count in counts))
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
    rows = _plain_table()
    rows.title, rows.title_justify = "\nall together", "left"
    rows.add_column("destination", no_wrap=True)
    for name in ("produced", "delivered", "skipped", "dead letters", "missing", "sent again"):
        rows.add_column(name, justify="right", overflow="fold")
    rows.add_column("balances", overflow="fold")
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


# ── looks ────────────────────────────────────────────────────────────────────────────────────────


def _of(progress: Progress, outcome: str) -> int:
    return sum(topic[outcome] for topic in progress.status["topics"].values())


def _word(outcome: str) -> str:
    return outcome.replace("_", "-")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _plain_table() -> Table:
    """One without a frame, so that every figure is whole on a narrow terminal, too."""
    return Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
