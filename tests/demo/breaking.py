"""Ways to break the connector on purpose, each a small lie somewhere between Kafka and the vendor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest

from connector.delivery.flood import FloodGuard
from connector.delivery.sender import Sender
from connector.delivery.settlement import Settlement
from connector.kafka.dead_letter import DeadLetters
from connector.kafka.frontier import Frontier
from connector.model.item import Item, Ticket
from connector.pipeline import Pipeline
from connector.vendors.topsort import Topsort

Submit = Callable[[Sender, Sequence[Item]], None]


class Breaking:
    """Breaks one thing at its first occasion; `items` are those that it concerned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.items: list[Item] = []

    @property
    def coordinate(self) -> str:
        """The record that was treated wrongly."""
        ticket = self.items[0].ticket
        assert ticket is not None
        return ticket.record.coordinate

    # ── items ────────────────────────────────────────────────────────────────────────────────────

    def drop_a_record(self) -> None:
        """Its items never reach the sender, so it stays open for ever."""
        self._at_first_submit(lambda sender, items: [])

    def drop_an_item_and_count_it(self) -> None:
        """One of several items is not sent, and the record counted as delivered all the same."""

        def forget_the_last(sender: Sender, items: Sequence[Item]) -> Sequence[Item]:
            ticket = items[-1].ticket
            assert ticket is not None
            ticket.open -= 1
            return items[:-1]

        self._at_first_submit(forget_the_last, lambda items: len(items) > 1)

    def call_delivered_what_was_never_sent(self) -> None:
        """The record is settled, and nothing left."""

        def lie(sender: Sender, items: Sequence[Item]) -> Sequence[Item]:
            outlet: Pipeline = sender._outlet  # type: ignore[assignment]
            asyncio.get_running_loop().call_soon(outlet.delivered, items)
            return []

        self._at_first_submit(lie)

    def send_again_with_other_bytes(self) -> None:
        """The id is the same; what it stands for is not."""

        def twice(sender: Sender, items: Sequence[Item]) -> Sequence[Item]:
            first = items[0]
            assert first.ticket is not None
            first.ticket.open += 1
            body = first.body.replace(b'"opaqueUserId":"', b'"opaqueUserId":"another-')
            other = msgspec.structs.replace(first, body=body)
            assert other.body != first.body
            return [*items, other]

        self._at_first_submit(twice)

    def call_refusals_deliveries(self) -> None:
        """What the vendor refused counts as delivered."""
        self._patch.setattr(Settlement, "reject", lambda self, item, rejection: self.deliver([item]))

    def _at_first_submit(
        self,
        instead: Callable[[Sender, Sequence[Item]], Sequence[Item]],
        fits: Callable[[Sequence[Item]], bool] = lambda items: True,
    ) -> None:
        submit = Sender.submit

        def break_once(sender: Sender, items: Sequence[Item]) -> None:
            if not self.items and fits(items):
                self.items.extend(items)
                items = instead(sender, items)
            if items:
                submit(sender, items)

        self._patch.setattr(Sender, "submit", break_once)

    # ── dead letters ─────────────────────────────────────────────────────────────────────────────

    def claim_dead_letters_and_write_none(self) -> None:
        """They count as written."""
        self._patch.setattr(DeadLetters, "write", lambda self, ticket, written: written())

    def write_a_neighbour_aside(self) -> None:
        """One letter of the right number and reason, about the wrong record."""
        write = DeadLetters.write
        wrong: list[Ticket] = []

        def write_wrongly(letters: DeadLetters, ticket: Ticket, written: Callable[[], None]) -> None:
            if not wrong:
                neighbour = msgspec.structs.replace(ticket.record, offset=ticket.record.offset + 1)
                ticket = msgspec.structs.replace(ticket, record=neighbour)
                wrong.append(ticket)
            write(letters, ticket, written)

        self._patch.setattr(DeadLetters, "write", write_wrongly)

    # ── offsets ──────────────────────────────────────────────────────────────────────────────────

    def commit_nothing(self) -> None:
        """Everything is settled, and Kafka never told."""
        self._patch.setattr(Pipeline, "commit", lambda self: None)

    def commit_what_is_open(self) -> None:
        """Up to where was read, whatever became of it."""
        self._patch.setattr(Frontier, "commit_offset", property(lambda self: self._next))

    # ── the whole ────────────────────────────────────────────────────────────────────────────────

    def halt_for_good(self) -> None:
        """Every refusal is a flood."""
        self._patch.setattr(FloodGuard, "admit_rejected", lambda self, reason: False)
        self._patch.setattr(FloodGuard, "admit_refused", lambda self, reason: False)

    def have_a_wrong_key(self) -> None:
        """The vendor lets nobody in, now or later."""
        self._patch.setattr(Topsort, "credentials", staticmethod(lambda key: {"Authorization": "wrong"}))

    def end_by_itself(self) -> None:
        """A bug in the vendor's code, which ends the process."""

        def fail(vendor: Topsort, *_: object) -> None:
            raise LookupError("a bug in judge")

        self._patch.setattr(Topsort, "judge", fail)
