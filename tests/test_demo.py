"""`connector demo`: it balances, the same seed gives the same figures, and one that lies is found out.

The report is only worth something if it can fail, so half of these break delivery on purpose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from connector import demo as demo_module
from connector.cli.run import fast_loop
from connector.delivery.flood import FloodGuard
from connector.delivery.sender import Sender
from connector.delivery.settlement import Settlement
from connector.demo import Demo, Report
from connector.kafka.dead_letter import DeadLetters
from connector.model.item import Item
from connector.pipeline import Pipeline
from tests.cli.commandline import connector
from tests.kept_logging import kept_logging

__all__ = ["kept_logging"]
pytestmark = pytest.mark.usefixtures("kept_logging")

FEW = ("demo", "--events", "300", "--seed", "3")


def figures(report: Report) -> tuple[object, ...]:
    """What a seed decides. Faults and timing only delay."""
    books = report.books
    return (books.produced, books.counted, books.ids_expected, report.mistakes, report.poisoned)


def run(events: int, seed: int) -> Report:
    async def whole() -> Report:
        async with Demo(["topsort"], events, seed) as demo:
            (report,) = await demo.run(lambda progress: None, 0.05)
            return report

    with asyncio.Runner(loop_factory=fast_loop) as runner:
        return runner.run(whole())


def test_a_thousand_events_balance() -> None:
    """With every mistake and fault on the way, and with words for what happened."""
    ended = connector("demo", "--events", "1000", "--seed", "3")
    assert ended.code == 0, ended.out
    assert "balances: produced = delivered + skipped + dead-lettered, missing 0" in ended.out
    assert "DOES NOT BALANCE" not in ended.out
    assert "vendor: 503" in ended.out


def test_the_same_seed_gives_the_same_figures_and_another_seed_others() -> None:
    """So a figure that somebody reports can be looked at again."""
    first, again, other = run(500, 3), run(500, 3), run(500, 4)
    assert first.balances
    assert again.balances
    assert other.balances
    assert figures(first) == figures(again)
    assert figures(first) != figures(other)
    assert first.books.total("dead_lettered") > 0
    assert first.vendor_faults


def test_a_batch_that_is_called_delivered_but_was_never_sent_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The vendor's own ledger says what is missing."""
    submit = Sender.submit
    lied: list[str] = []

    def lie_once(self: Sender, items: Sequence[Item]) -> None:
        if lied:
            submit(self, items)
        else:
            lied.append(items[0].id)
            outlet: Pipeline = self._outlet  # type: ignore[assignment]
            asyncio.get_running_loop().call_soon(outlet.delivered, items)

    monkeypatch.setattr(Sender, "submit", lie_once)
    ended = connector(*FEW)
    assert ended.code == 1
    assert "DOES NOT BALANCE" in ended.out
    assert lied[0] in ended.out


def test_an_item_that_is_lost_on_the_way_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a record's items is dropped, and the record counted as delivered all the same."""
    monkeypatch.setattr(Sender, "submit", _without_one_item(Sender.submit))
    ended = connector(*FEW)
    assert ended.code == 1
    assert "DOES NOT BALANCE" in ended.out


def test_a_refusal_that_is_called_a_delivery_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcomes are held against the oracle's, reason by reason."""
    monkeypatch.setattr(Settlement, "reject", lambda self, item, rejection: self.deliver([item]))
    ended = connector("demo", "--events", "600", "--seed", "3")
    assert ended.code == 1
    assert "DOES NOT BALANCE" in ended.out
    assert "vendor_rejected" in ended.out


def broken(events: int = 300) -> Report:
    """A run that something was broken for; given up soon when it stands still."""

    async def whole() -> Report:
        async with Demo(["topsort"], events, 3) as demo:
            (report,) = await demo.run(lambda progress: None, 0.05, stuck_s=6.0)
            return report

    with asyncio.Runner(loop_factory=fast_loop) as runner:
        return runner.run(whole())


def test_an_item_that_is_never_sent_ends_the_run_and_names_the_open_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its record stays open for ever, which is right; a demo that waits for it for ever is not."""
    submit = Sender.submit
    dropped: list[Item] = []

    def drop_once(self: Sender, items: Sequence[Item]) -> None:
        if dropped:
            submit(self, items)
        else:
            dropped.extend(items)

    monkeypatch.setattr(Sender, "submit", drop_once)
    report = broken()
    assert not report.balances
    assert report.stuck is not None
    assert dropped[0].ticket is not None
    topic, partition, _ = dropped[0].ticket.record.coordinate.split(":")
    assert f"{topic}:{partition}:" in report.stuck
    assert dropped[0].id in report.books.missing
    assert report.books.uncommitted > 0


def test_a_halt_that_only_a_person_can_end_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and says so."""
    monkeypatch.setattr(FloodGuard, "admit_rejected", lambda self: False)
    report = broken(600)
    assert report.stuck == "halted: dead_letter_flood"
    assert not report.balances


def test_a_dead_letter_that_was_never_written_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic is read, whatever the connector counted."""
    monkeypatch.setattr(DeadLetters, "write", lambda self, ticket, written: written())
    report = broken(600)
    assert report.stuck is None
    assert report.books.counted == report.books.expected
    assert any("in the topic" in each for each in report.books.differences)


def test_offsets_that_are_never_committed_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group is asked, whatever the connector believes."""
    monkeypatch.setattr(demo_module, "COMMITTED_WITHIN_S", 1.0)
    monkeypatch.setattr(Pipeline, "commit", lambda self: None)
    report = broken()
    assert report.stuck is None
    assert report.books.counted == report.books.expected
    assert any("behind the committed offsets" in each for each in report.books.differences)


def test_an_unknown_destination_is_bad_usage() -> None:
    """And says which there are."""
    ended = connector("demo", "--destination", "nobody")
    assert ended.code == 2
    assert "topsort" in ended.err


Submit = Callable[[Sender, Sequence[Item]], None]


def _without_one_item(submit: Submit) -> Submit:
    dropped: list[Item] = []

    def dropping(self: Sender, items: Sequence[Item]) -> None:
        if not dropped and len(items) > 1:
            lost = items[-1]
            dropped.append(lost)
            assert lost.ticket is not None
            lost.ticket.open -= 1
            items = items[:-1]
        submit(self, items)

    return dropping
