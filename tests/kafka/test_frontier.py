"""The frontier never passes an open record, whatever the order of settling and the holes in the log."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.kafka.frontier import Frontier
from tests.examples import examples


class FrontierMachine(RuleBasedStateMachine):
    """Any order of taking, settling, jumping ahead and starting over, against lists that are searched."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[int] = []
        """Every offset that the broker ever had, in order."""
        self.end = 0
        self.start_over(0)

    def start_over(self, at: int) -> None:
        self.begun_at = at
        self.frontier = Frontier(at)
        self.taken: list[int] = []
        self.done: set[int] = set()

    @rule(hole=st.integers(0, 3), timestamp_ms=st.integers(0, 10**12))
    def take(self, hole: int, timestamp_ms: int) -> None:
        offset = self.end + hole
        self.end = offset + 1
        self.log.append(offset)
        self.taken.append(offset)
        self.frontier.take(offset, offset * 10)

    @precondition(lambda self: self.open())
    @rule(draw=st.data())
    def settle(self, draw: st.DataObject) -> None:
        offset = draw.draw(st.sampled_from(self.open()))
        self.frontier.settle(offset)
        self.done.add(offset)

    @rule(jump=st.integers(0, 5))
    def skip(self, jump: int) -> None:
        self.end += jump
        self.frontier.skip_to(self.end)

    @rule()
    def restart(self) -> None:
        """A crash, and a new owner from the commit point: what it reads holds everything that was open."""
        commit = self.frontier.commit_offset
        assert commit is not None
        assert set(self.open()) <= {offset for offset in self.log if offset >= commit}
        again = [offset for offset in self.log if offset >= commit]
        self.start_over(commit)
        for offset in again:
            self.taken.append(offset)
            self.frontier.take(offset, offset * 10)
        self.frontier.skip_to(self.end)

    @rule(offset=st.integers(0, 100))
    def ask(self, offset: int) -> None:
        """What came, and the holes before it, are seen; what may come is not."""
        assert self.frontier.has_seen(offset) == (offset < self.end)

    def open(self) -> Sequence[int]:
        return [offset for offset in self.taken if offset not in self.done]

    @invariant()
    def agrees(self) -> None:
        first = next(iter(self.open()), None)
        self.check_commit(first)
        beyond = [] if first is None else [offset for offset in self.taken if offset >= first]
        assert self.frontier.open_count == len(self.open())
        assert self.frontier.oldest_open_ms == (None if first is None else first * 10)
        assert self.frontier.ahead == len(beyond)
        assert list(self.frontier.completed()) == [offset for offset in beyond if offset in self.done]

    def check_commit(self, first: int | None) -> None:
        expected = first if first is not None else max(self.begun_at, self.end)
        assert self.frontier.commit_offset == expected


TestFrontier = FrontierMachine.TestCase
TestFrontier.settings = settings(max_examples=examples(100), stateful_step_count=40, deadline=None)


def test_before_anything_is_known_there_is_nothing_to_commit() -> None:
    """An unknown start is no offset; 0 would make a restart send everything again."""
    assert Frontier().commit_offset is None


def test_an_empty_partition_commits_where_it_starts() -> None:
    """Without a record the start is safe, and committing it is what makes its loss seen."""
    assert Frontier(7).commit_offset == 7


def test_a_hole_does_not_stop_it() -> None:
    """Compaction leaves holes; the frontier goes on to the next record that exists."""
    frontier = Frontier(0)
    for offset in (0, 5, 9):
        frontier.take(offset, 0)
    frontier.settle(0)
    assert frontier.commit_offset == 5


def test_it_never_goes_back() -> None:
    """A jump to where we have been already changes nothing."""
    frontier = Frontier(10)
    frontier.skip_to(4)
    assert frontier.commit_offset == 10


@pytest.mark.parametrize("offset", [3, 8])
def test_only_an_open_record_can_be_settled(offset: int) -> None:
    """A second outcome, or one for a record that never came, is a bug that must be loud."""
    frontier = Frontier()
    frontier.take(3, 0)
    frontier.settle(3)
    with pytest.raises(KeyError):
        frontier.settle(offset)


def test_an_offset_that_comes_twice_is_refused() -> None:
    """One lease gets rising offsets; anything else would commit past an open record."""
    frontier = Frontier()
    frontier.take(3, 0)
    with pytest.raises(AssertionError):
        frontier.take(3, 0)


@given(st.permutations(range(40)))
@settings(max_examples=examples(50), deadline=None)
def test_when_all_is_settled_nothing_is_remembered(order: Sequence[int]) -> None:
    """Whatever the order, memory ends at nothing and the commit point behind the last record."""
    frontier = Frontier(0)
    for offset in range(40):
        frontier.take(offset, 0)
    for offset in order:
        frontier.settle(offset)
    assert (frontier.commit_offset, frontier.ahead, frontier.open_count) == (40, 0, 0)
    assert frontier.oldest_open_ms is None
