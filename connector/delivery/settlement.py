"""Item outcomes become one outcome a record. Decides only: no broker, no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connector.model.item import Item, Rejection, Ticket


class Settlement:
    """Counts a record's items down; the last one calls `on_done`, exactly once a ticket.

    A record with any refused item carries the refusals in its ticket then.
    """

    def __init__(self, on_done: Callable[[Ticket], None]) -> None:
        self._on_done = on_done

    def deliver(self, items: Sequence[Item]) -> None:
        """The vendor took these."""
        for item in items:
            ticket = item.ticket
            assert ticket is not None, "the pipeline gives every item its ticket"
            assert ticket.open > 0, "an item is settled once"
            ticket.open -= 1
            if not ticket.open:
                self._on_done(ticket)

    def reject(self, item: Item, rejection: Rejection) -> None:
        """The vendor will never take this one."""
        ticket = item.ticket
        assert ticket is not None, "the pipeline gives every item its ticket"
        assert ticket.open > 0, "an item is settled once"
        ticket.rejections = (*ticket.rejections, rejection)
        ticket.open -= 1
        if not ticket.open:
            self._on_done(ticket)
