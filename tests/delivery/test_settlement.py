"""Every record gets exactly one outcome, when its last item is settled."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connector.delivery.settlement import Settlement
from connector.model.item import Item, Rejection, Ticket
from connector.model.record import Record
from tests.delivery.acme import LEASE
from tests.examples import examples


def ticket_with(items: int) -> tuple[Ticket, list[Item]]:
    ticket = Ticket(Record(LEASE, 0, 0, None, None, ()), open=items)
    return ticket, [Item(id=str(n), kind="event", body=b"", at_ms=0, ticket=ticket) for n in range(items)]


class Settling(RuleBasedStateMachine):
    """Items of many records are settled in any order and any mix."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[Ticket] = []
        self.settlement = Settlement(self.done.append)
        self.tickets: list[Ticket] = []
        self.open: list[Item] = []
        self.refused: dict[int, list[Rejection]] = {}

    @rule(items=st.integers(1, 5))
    def record(self, items: int) -> None:
        ticket, new = ticket_with(items)
        self.tickets.append(ticket)
        self.open.extend(new)

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(0, len(self.open)))
        chosen = data.draw(st.permutations(self.open))[:count]
        self.settlement.deliver(chosen)
        self.open = [item for item in self.open if not any(item is one for one in chosen)]

    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        if not self.open:
            return
        item = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        rejection = Rejection("vendor_rejected", item_id=item.id)
        self.refused.setdefault(id(item.ticket), []).append(rejection)
        self.settlement.reject(item, rejection)

    @invariant()
    def a_record_is_done_exactly_when_its_last_item_is(self) -> None:
        still_open = {id(item.ticket) for item in self.open}
        done = [id(ticket) for ticket in self.done]
        assert len(done) == len(set(done))
        assert set(done) == {id(ticket) for ticket in self.tickets} - still_open

    @invariant()
    def a_done_record_carries_every_refusal(self) -> None:
        for ticket in self.done:
            assert list(ticket.rejections) == self.refused.get(id(ticket), [])


TestSettling = Settling.TestCase
TestSettling.settings = settings(max_examples=examples(40), stateful_step_count=25, deadline=None)


def test_an_item_settled_twice_is_a_bug_and_says_so() -> None:
    """A second outcome must never move a frontier."""
    _, items = ticket_with(1)
    settlement = Settlement(lambda ticket: None)
    settlement.deliver(items)
    with pytest.raises(AssertionError):
        settlement.deliver(items)
    with pytest.raises(AssertionError):
        settlement.reject(items[0], Rejection("vendor_rejected"))
