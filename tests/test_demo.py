"""`connector demo`: it balances, the same seed gives the same figures, and one that lies is found out.

The report is only worth something if it can fail, so half of these break delivery on purpose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from connector.cli.run import fast_loop
from connector.delivery.sender import Sender
from connector.delivery.settlement import Settlement
from connector.demo import Demo, Report
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
        async with Demo("topsort", events, seed) as demo:
            return await demo.run(lambda progress: None, 0.05)

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
    assert first.books.balances
    assert again.books.balances
    assert other.books.balances
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
