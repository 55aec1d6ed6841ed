"""Who goes first, and how many refused batches are halved at once."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connector.delivery.backlog import NEXT_IN_A_ROW, Backlog
from connector.delivery.batch import Batch
from connector.delivery.splitter import TREES_MAX
from tests.delivery.acme import item
from tests.examples import examples


def batch(name: str, items: int = 1) -> Batch:
    return Batch([item(f"{name}{n}") for n in range(items)])


def test_due_retries_go_before_fresh_batches_and_not_before_they_are_due() -> None:
    """What is old holds the commit point."""
    backlog = Backlog()
    old, fresh = batch("old"), batch("fresh")
    backlog.add_retry(old, due=10.0)
    backlog.add_fresh(fresh)
    assert backlog.next_due == 10.0
    assert backlog.take(9.9) is fresh
    backlog.add_fresh(fresh)
    assert backlog.take(10.0) is old
    assert backlog.take(10.0) is fresh
    assert backlog.take(10.0) is None


def test_some_that_waited_for_a_predecessor_go_before_one_that_did_not() -> None:
    """Each in their order; what was sent before goes first all the same, and who was throttled still last."""
    backlog = Backlog()
    old, fresh, fresher, throttled = map(batch, ("old", "fresh", "fresher", "throttled"))
    waited = [batch(f"waited-{number}") for number in range(NEXT_IN_A_ROW + 1)]
    backlog.add_fresh(fresh)
    backlog.add_fresh(fresher)
    for one in waited:
        backlog.add_next(one)
    backlog.add_retry(throttled, due=1.0, throttled=True)
    backlog.add_retry(old, due=1.0)
    assert backlog.fresh == len(waited) + 2
    expected = [old, *waited[:-1], fresh, waited[-1], fresher, throttled]
    assert [backlog.take(1.0, 10.0) for _ in expected] == expected
    assert not backlog.ready


def test_busy_keys_that_never_run_dry_hold_nobody_up_for_long() -> None:
    """A few keys with a long queue each would otherwise go before every other for as long as they last."""
    backlog = Backlog()
    others = [batch(f"other-{number}") for number in range(5)]
    for other in others:
        backlog.add_fresh(other)
    taken = []
    for step in range(5 * (NEXT_IN_A_ROW + 1)):
        backlog.add_next(batch(f"busy-{step}"))
        taken.append(backlog.take(0.0))
    assert [one for one in taken if one in others] == others


def test_who_was_throttled_lets_others_go_first_until_it_is_time() -> None:
    """Otherwise the events of one throttled identifier meet the gate each time it opens."""
    backlog = Backlog()
    throttled, failed = batch("throttled"), batch("failed")
    backlog.add_retry(throttled, due=1.0, throttled=True)
    backlog.add_retry(failed, due=2.0)
    fresh = [batch("a"), batch("b"), batch("c")]
    for one in fresh:
        backlog.add_fresh(one)
    assert backlog.take(9.0, 10.0) is failed
    assert backlog.take(9.9, 10.0) is fresh[0]
    assert backlog.take(10.0, 10.0) is throttled
    assert backlog.take(10.0, 10.0) is fresh[1]


def test_who_was_throttled_waits_for_nobody_when_there_is_nobody() -> None:
    """Others first is no reason to send nothing; and its own time comes first."""
    backlog = Backlog()
    throttled = batch("throttled")
    backlog.add_retry(throttled, due=3.0, throttled=True)
    assert backlog.take(2.9, 10.0) is None
    assert not backlog.ready
    assert (backlog.retrying, backlog.next_due, backlog.can_probe) == (1, 3.0, True)
    assert backlog.batches() == [throttled]
    assert backlog.take(3.0, 10.0) is throttled


def test_who_was_throttled_is_the_last_choice_for_a_probe() -> None:
    """It might be throttled alone, and tell nothing about the vendor."""
    backlog = Backlog()
    throttled, fresh = batch("throttled"), batch("fresh")
    backlog.add_retry(throttled, due=1.0, throttled=True)
    backlog.add_fresh(fresh)
    assert backlog.take_for_probe(2.0, None) is fresh
    assert backlog.take_for_probe(2.0, None) is throttled


def test_retries_leave_in_the_order_they_are_due() -> None:
    """Two that are due at the same time leave in the order they failed."""
    backlog = Backlog()
    a, b, c = batch("a"), batch("b"), batch("c")
    backlog.add_retry(a, due=3.0)
    backlog.add_retry(b, due=2.0)
    backlog.add_retry(c, due=2.0)
    assert [backlog.take(5.0) for _ in range(3)] == [b, c, a]


def test_a_probe_takes_another_batch_than_the_last_failure_even_before_it_is_due() -> None:
    """The breaker's interval has replaced each batch's own wait."""
    backlog = Backlog()
    failed, other = batch("failed"), batch("other")
    backlog.add_retry(failed, due=1.0)
    backlog.add_retry(other, due=100.0)
    assert backlog.take_for_probe(2.0, failed) is other
    assert backlog.take_for_probe(2.0, failed) is failed
    assert backlog.take_for_probe(2.0, failed) is None


def test_what_waits_for_a_batch_is_sent_when_its_last_half_has_ended() -> None:
    """Halves of halves keep the order of a key."""
    backlog = Backlog()
    whole = Batch([item(f"i{n}", key="k") for n in range(4)])
    backlog.refuse(whole)
    first = backlog.take(0.0)
    assert first is not None
    assert backlog.take(0.0) is None
    backlog.refuse(first)
    order: list[str] = []
    while (part := backlog.take(0.0)) is not None:
        assert backlog.take(0.0) is None
        order.extend(one.id for one in part.items)
        backlog.end(part)
    assert order == ["i0", "i1", "i2", "i3"]


def test_what_waits_for_a_batch_waits_for_both_of_its_halves() -> None:
    """Also when those two have no key in common with each other."""
    backlog = Backlog()
    backlog.refuse(Batch([item(f"i{n}", key=key) for n, key in enumerate("abxa")]))
    first = backlog.take(0.0)
    assert first is not None
    backlog.refuse(first)
    order: list[str] = []
    while (part := backlog.take(0.0)) is not None:
        order.extend(one.id for one in part.items)
        backlog.end(part)
    assert order == ["i0", "i1", "i2", "i3"]


def test_halves_without_a_common_key_may_travel_together() -> None:
    """Only a shared key makes one wait for the other."""
    backlog = Backlog()
    backlog.refuse(batch("i", 4))
    assert backlog.take(0.0) is not None
    assert backlog.take(0.0) is not None


class Splitting(RuleBasedStateMachine):
    """Refused batches, halves that pass, fail or are refused again, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog()
        self.out: list[Batch] = []
        self.unsettled: set[str] = set()
        self.roots = 0
        self.now = 0.0

    @rule(keys=st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=9))
    def submit(self, keys: list[str | None]) -> None:
        self.roots += 1
        new = [item(f"{self.roots}-{n}", key=key) for n, key in enumerate(keys)]
        self.unsettled.update(one.id for one in new)
        self.backlog.add_fresh(Batch(new))

    @rule(count=st.integers(1, 5))
    def send(self, count: int) -> None:
        for _ in range(count):
            taken = self.backlog.take(self.now)
            if taken is not None:
                self.out.append(taken)

    @rule(at=st.integers(0, 30), fate=st.sampled_from(["ends", "refused", "refused", "fails", "put back"]))
    def answer(self, at: int, fate: str) -> None:
        if not self.out:
            return
        answered = self.out.pop(at % len(self.out))
        if fate == "refused" and len(answered.items) > 1:
            self.backlog.refuse(answered)
        elif fate == "fails":
            self.backlog.add_retry(answered, self.now + 2.0)
        elif fate == "put back":
            self.backlog.put_back(answered)
        else:
            self._end(answered)

    def _end(self, ended: Batch) -> None:
        for one in ended.items:
            self.unsettled.remove(one.id)  # a second time would raise
        self.backlog.end(ended)

    @rule()
    def time_passes(self) -> None:
        self.now += 1.0

    @invariant()
    def parts_of_one_batch_that_are_out_together_share_no_key(self) -> None:
        seen: set[tuple[int, str]] = set()
        for one in self.out:
            if one.tree is not None:
                keys = {(id(one.tree), part.key) for part in one.items if part.key is not None}
                assert seen.isdisjoint(keys)
                seen |= keys

    @invariant()
    def no_more_trees_than_allowed(self) -> None:
        trees = {id(one.tree) for one in self.out if one.tree is not None}
        assert len(trees) <= TREES_MAX

    def teardown(self) -> None:
        """Once everything passes, everything ends: nothing was lost and no split goes on for ever."""
        while self.out or self.backlog.can_probe:
            self.now += 10.0
            for one in self.out:
                self._end(one)
            self.out.clear()
            self.send(1000)
        assert self.unsettled == set()
        assert self.backlog.retrying == 0


TestSplitting = Splitting.TestCase
TestSplitting.settings = settings(max_examples=examples(60), stateful_step_count=50, deadline=None)


def test_the_ninth_refused_batch_waits_until_a_tree_has_ended() -> None:
    """And the tenth after it."""
    backlog = Backlog()
    for at in range(TREES_MAX + 2):
        backlog.refuse(batch(f"b{at}-", 2))
    halves = []
    while (half := backlog.take(0.0)) is not None:
        halves.append(half)
    assert len(halves) == 2 * TREES_MAX
    assert backlog.retrying == 2
    backlog.end(halves[0])
    assert backlog.take(0.0) is None
    backlog.end(halves[1])
    ninth = backlog.take(0.0)
    assert ninth is not None
    assert ninth.items[0].id == f"b{TREES_MAX}-0"
    assert backlog.retrying == 2
