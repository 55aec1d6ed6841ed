"""The budget bounds what is in flight, starves nobody, and does not flap."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connector.kafka.assignment import Assignment, Partition
from connector.kafka.budget import Budget
from connector.model.record import Lease
from tests.examples import examples

LIMIT = 1000
COST_MAX = 40
AHEAD_MAX = 30


class House:
    """Partitions that take records while they run, as the pipeline does: balance after every step."""

    def __init__(self, partitions: int, share: float = 0.5) -> None:
        self.budget = Budget(LIMIT, share, AHEAD_MAX)
        self.assignment = Assignment()
        for number in range(partitions):
            self.assignment.add(Lease("orders", number, number), 0)
        self.partitions = list(self.assignment)
        self.open: dict[Partition, deque[tuple[int, int]]] = {each: deque() for each in self.partitions}
        self.next = dict.fromkeys(self.partitions, 0)
        self.hold = False
        self.changes: list[tuple[int, bool]] = []

    def take(self, partition: Partition, cost: int) -> None:
        offset = self.next[partition]
        self.next[partition] += 1
        partition.take(offset, 0, cost)
        self.open[partition].append((offset, cost))
        self.balance()

    def settle(self, partition: Partition, newest: bool = False) -> None:
        offset, cost = self.open[partition].pop() if newest else self.open[partition].popleft()
        partition.settle(offset, cost)
        self.balance()

    def balance(self) -> None:
        pause, resume = self.budget.balance(self.assignment, self.hold)
        self.changes += [(lease.partition, True) for lease in pause]
        self.changes += [(lease.partition, False) for lease in resume]


class BudgetMachine(RuleBasedStateMachine):
    """Any traffic, any order of settling, holds in between."""

    @initialize(partitions=st.integers(1, 4), share=st.sampled_from([0.1, 0.5, 0.9, 1.0]))
    def open_house(self, partitions: int, share: float) -> None:
        self.house = House(partitions, share)
        self.share = share

    @rule(draw=st.data(), cost=st.integers(1, COST_MAX))
    def take(self, draw: st.DataObject, cost: int) -> None:
        running = [each for each in self.house.partitions if not each.paused]
        if running:
            self.house.take(draw.draw(st.sampled_from(running)), cost)

    @rule(draw=st.data(), newest=st.booleans())
    def settle(self, draw: st.DataObject, newest: bool) -> None:
        busy = [each for each in self.house.partitions if self.house.open[each]]
        if busy:
            self.house.settle(draw.draw(st.sampled_from(busy)), newest)

    @rule(hold=st.booleans())
    def set_hold(self, hold: bool) -> None:
        self.house.hold = hold
        self.house.balance()

    @precondition(lambda self: not self.house.hold)
    @rule()
    def settle_all(self) -> None:
        """No starvation: with nothing left to wait for, everybody runs."""
        for partition in self.house.partitions:
            while self.house.open[partition]:
                self.house.settle(partition)
        assert not any(each.paused for each in self.house.partitions)

    @invariant()
    def bounded(self) -> None:
        """Never more than the limit and the one record that reached it; a partition never more than its share
        while it has company, and never more records than the mark."""
        if not hasattr(self, "house"):
            return
        house = self.house
        assert house.assignment.open_bytes < LIMIT + COST_MAX
        for each in house.partitions:
            assert each.frontier.ahead <= AHEAD_MAX
            if len(house.partitions) > 1:
                assert each.open_bytes < int(LIMIT * self.share) + COST_MAX

    @invariant()
    def told_only_changes(self) -> None:
        """Each partition is paused and resumed in turn; what is told is what is so."""
        if not hasattr(self, "house"):
            return
        for each in self.house.partitions:
            told = [paused for number, paused in self.house.changes if number == each.lease.partition]
            assert told == [index % 2 == 0 for index in range(len(told))]
            assert each.paused == (bool(told) and told[-1])


TestBudget = BudgetMachine.TestCase
TestBudget.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)


def fill(house: House) -> None:
    while running := [each for each in house.partitions if not each.paused]:
        house.take(running[0], COST_MAX)


def test_everything_pauses_at_the_limit_and_runs_again_at_the_low_mark() -> None:
    """The limit is for all together, though nobody is over its own share."""
    house = House(4, share=0.5)
    fill(house)
    assert LIMIT <= house.assignment.open_bytes < LIMIT + COST_MAX
    while len([each for each in house.partitions if each.paused]) == 4:
        house.settle(next(each for each in house.partitions if house.open[each]))
    assert LIMIT * 3 // 4 - COST_MAX < house.assignment.open_bytes <= LIMIT * 3 // 4


def test_full_lasts_until_a_quarter_of_the_budget_is_free() -> None:
    """A pause throws away what was fetched ahead, so it is worth it only when much has settled since."""
    house = House(4, share=0.5)
    fill(house)
    told, settled = len(house.changes), 0
    while settled + COST_MAX < LIMIT // 4:
        house.settle(next(each for each in house.partitions if house.open[each]))
        settled += COST_MAX
        assert len(house.changes) == told


@given(st.integers(1, COST_MAX))
@settings(max_examples=examples(20), deadline=None)
def test_a_partition_over_its_mark_waits_until_half_of_it_is_free(cost: int) -> None:
    """By bytes or by records, whichever it reached first: one record less does not set it running again."""
    house = House(2)
    one = house.partitions[0]
    while not house.changes:
        house.take(one, cost)
    while len(house.changes) == 1:
        house.settle(one)
    assert one.open_bytes < LIMIT // 4
    assert one.frontier.ahead < AHEAD_MAX // 2


def test_a_stuck_partition_leaves_room_for_the_others() -> None:
    """One key that waits for ever holds its share; everybody else goes on with the rest."""
    house = House(3)
    stuck, *others = house.partitions
    while not stuck.paused:
        house.take(stuck, COST_MAX)
    delivered = 0
    for step in range(500):
        for other in others:
            if not other.paused:
                house.take(other, COST_MAX)
            if step % 2 and house.open[other]:
                house.settle(other)
                delivered += 1
    assert stuck.paused
    assert delivered > 400


def test_a_partition_stuck_above_the_low_mark_does_not_stop_the_others_for_ever() -> None:
    """What came after a pause may lift a stuck partition above the mark at which all run again."""
    house = House(2)
    stuck, other = house.partitions
    stuck.take(0, 0, int(LIMIT * 0.9))
    house.take(other, COST_MAX)
    while not other.paused:
        house.take(other, COST_MAX)
    while house.open[other]:
        house.settle(other)
    assert stuck.paused
    assert not other.paused


def test_alone_a_partition_may_use_everything() -> None:
    """The share is for company; a topic with one partition is not slowed down by it."""
    house = House(1)
    (only,) = house.partitions
    for _ in range(20):
        house.take(only, COST_MAX)
    assert not only.paused
    assert only.open_bytes == 800


def test_hold_pauses_what_holds_nothing() -> None:
    """Nothing can be sent, so nothing is taken; and all run again when it is over."""
    house = House(2)
    house.hold = True
    house.balance()
    assert all(each.paused for each in house.partitions)
    house.hold = False
    house.balance()
    assert not any(each.paused for each in house.partitions)


def test_halted_and_draining_partitions_are_left_alone() -> None:
    """A halted one stands still by itself, a draining one leaves; neither is told anything more."""
    house = House(3)
    halted, draining, running = house.partitions
    halted.halted = "offset_lost"
    draining.draining = True
    house.hold = True
    house.balance()
    assert house.changes == [(running.lease.partition, True)]


def test_ahead_counts_records_that_cost_nothing() -> None:
    """Settled records behind a stuck one hold no bytes, but their offsets must be remembered."""
    house = House(2)
    one = house.partitions[0]
    for _ in range(AHEAD_MAX):
        assert not one.paused
        house.take(one, 1)
        if one.open_count > 1:
            house.settle(one, newest=True)
    assert one.open_bytes == 1
    assert one.paused
    house.settle(one)
    assert not one.paused
