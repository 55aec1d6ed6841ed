"""`connector demo`: it balances, the same seed gives the same figures, and it ends when it should."""

from __future__ import annotations

import asyncio
import io
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from confluent_kafka import KafkaError
from rich.console import Console

from connector.cli.demo_report import summary_of
from connector.cli.loop import fast_loop
from connector.conservation import Conservation
from connector.demo import Demo, Report
from connector.kafka.produce import WriteError, Writer
from connector.vendors import DESTINATIONS
from tests.cli.commandline import connector
from tests.kept_logging import kept_logging

__all__ = ["kept_logging"]
pytestmark = pytest.mark.usefixtures("kept_logging")


def run(events: int, seed: int) -> Report:
    """A whole demo, without its looks."""

    async def whole() -> Report:
        async with Demo(["topsort"], events, seed) as demo:
            await demo.run(lambda progress: None, 1.0)
            (report,) = await demo.reports()
            return report

    with asyncio.Runner(loop_factory=fast_loop) as runner:
        return runner.run(whole())


def figures(report: Report) -> tuple[object, ...]:
    """What a seed decides. Faults and timing only delay."""
    books: Conservation = report.books
    mistakes = [(each.kind, each.count) for each in report.injected if each.where == "producer"]
    return (books.produced, books.counted, books.found, books.letters, books.ids_accepted, mistakes)


def test_a_thousand_events_balance() -> None:
    """With every mistake and fault on the way, and with words for what happened."""
    ended = connector("demo", "--events", "1000", "--seed", "3")
    assert ended.code == 0, ended.out
    assert "balances: produced = delivered + skipped + dead-lettered, missing 0" in ended.out
    assert "DOES NOT BALANCE" not in ended.out
    assert "vendor: 503" in ended.out
    assert re.search(r"live status +http://127\.0\.0\.1:\d+/", ended.out)


def test_what_was_not_injected_is_told_too() -> None:
    """A hundred events meet few faults; a reader must not believe that they met all."""
    ended = connector("demo", "--events", "100")
    assert ended.code == 0, ended.out
    assert "not this time (one in 131 requests" in ended.out
    assert "not injected here" in ended.out


def test_the_same_seed_gives_the_same_figures_and_another_seed_others() -> None:
    """So a figure that somebody reports can be looked at again."""
    first, again, other = run(1000, 3), run(1000, 3), run(1000, 4)
    assert first.balances
    assert again.balances
    assert other.balances
    assert figures(first) == figures(again)
    assert figures(first) != figures(other)
    assert first.books.total("dead_lettered") > 0


@pytest.mark.slow
def test_ten_thousand_events_meet_every_kind_of_fault_and_balance() -> None:
    """What `make demo` does: every kind at the vendor, in Kafka and at the producers came, and is counted."""
    report = run(10_000, 1)
    assert report.balances, report.differences
    assert [(each.where, each.kind) for each in report.injected if not each.count] == []
    assert report.books.produced == 10_000 == sum(report.books.found.values())
    assert report.books.ids_accepted == report.books.ids_expected
    assert report.books.repeats > 0, "answers were lost, so some were sent again"
    assert report.took_s < 50


def test_several_destinations_end_in_a_table_with_a_row_each() -> None:
    """Nobody scrolls back through five books to see whether all of them balance; its words are whole at 80
    columns. And it says how to look around."""
    ended = connector("demo", "--destination", "all", "--events", "100")
    assert ended.code == 0, ended.out
    _, _, table = ended.out.partition("all together")
    rows = {words[0]: words for line in table.splitlines() if (words := line.split()) and words[-1] == "yes"}
    assert list(rows) == list(DESTINATIONS)
    for name, (_, produced, delivered, skipped, letters, missing, _, _) in rows.items():
        assert int(produced) == 100 == int(delivered) + int(skipped) + int(letters), name
        assert missing == "0"
    assert "--keep" in table


def test_a_destination_that_does_not_balance_stands_out_in_that_table() -> None:
    """One of two stopped before its end."""
    whole = run(100, 1)
    halted = msgspec.structs.replace(whole, destination="moloco", gave_up="halted")
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as shown:
        console.print(summary_of([whole, halted]))
    last = {line.split()[0]: line.split()[-1] for line in shown.get().splitlines() if line.strip()}
    assert (last["topsort"], last["moloco"]) == ("yes", "NO")


def test_a_kafka_that_takes_nothing_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the stage that failed, not the play: no books, and no traceback."""

    async def fail(writer: Writer) -> None:
        raise WriteError("orders", KafkaError(KafkaError._MSG_TIMED_OUT))

    monkeypatch.setattr(Writer, "flush", fail)
    ended = connector("demo", "--events", "100")
    assert ended.code == 1
    assert ended.err == "the embedded Kafka failed: orders: Local: Message timed out\n"


def test_an_unknown_destination_is_bad_usage() -> None:
    """And says which there are."""
    ended = connector("demo", "--destination", "nobody")
    assert ended.code == 2
    assert "topsort" in ended.err


# ── Ctrl-C ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def demo_process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """As a shell runs it."""
    command = [sys.executable, "-u", "-m", "connector", "demo", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """What it prints up to the line with this word."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if word in line:
            return seen
    raise AssertionError(f"it ended without {word!r}: {seen}")


def test_ctrl_c_ends_it_cleanly() -> None:
    """Soon, in a sentence, and with the exit code that shells know."""
    with demo_process("--events", "20000") as process:
        read_until(process, "settled")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
    assert (process.returncode, err) == (130, "")
    assert re.search(r"topsort: stopped with [\d,]+ of 20,000 records settled; no books were made", out)


def test_with_keep_everything_stays_up_until_ctrl_c() -> None:
    """The status page and the vendor's own counts; the exit code is then that of the books."""
    with demo_process("--events", "300", "--keep") as process:
        seen = read_until(process, "until Ctrl-C")
        assert "balances" in seen
        pages = re.findall(r"http://\S+", seen)
        assert len(pages) == 2
        for page in pages:
            with urllib.request.urlopen(page, timeout=5) as answer:
                assert answer.status == 200
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=15)
    assert process.returncode == 0
    assert not err
