"""Whatever the answers: every item leaves, those of one key in order, and never in two requests at once."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from connector.delivery.batch import Batch, is_live
from connector.delivery.outbox import Outbox
from connector.delivery.splitter import TREES_MAX
from connector.model.item import Item
from connector.model.record import Lease
from connector.vendors.contract import Limits
from tests.delivery.acme import item
from tests.examples import examples

KEYS = ("a", "b", "c", None)
KEY_LISTS = st.lists(st.sampled_from(KEYS), min_size=1, max_size=4)


def test_the_next_of_a_key_does_not_queue_up_again() -> None:
    """A busy key has many steps: behind everybody at each, it would be slow out of all proportion."""
    outbox = Outbox(Limits(items_max=1, body_bytes_max=10_000), 0.05, keyed=True)
    lease = Lease("orders", 0, 1)
    busy = [item(f"busy{number}", key="busy", lease=lease) for number in range(2)]
    others = [item(f"other{number}", key=f"k{number}", lease=lease) for number in range(3)]
    outbox.add([*busy, *others], 0.0)
    first = outbox.take(0.0)
    assert first is not None
    assert first.items == [busy[0]]
    outbox.settled(first.items, 0.1)
    outbox.ended(first)
    left = [outbox.take(0.1) for _ in range(4)]
    assert [each.items[0] for each in left if each is not None] == [busy[1], *others]


class Ordering(RuleBasedStateMachine):
    """Items come, batches leave, answers come in any order, partitions are taken away: as with the sender."""

    @initialize(
        items_max=st.integers(1, 5),
        bytes_max=st.sampled_from([30, 60, 10_000]),
        unique=st.booleans(),
        backlog=st.lists(KEY_LISTS, min_size=3, max_size=3),
    )
    def begin(self, items_max: int, bytes_max: int, unique: bool, backlog: list[list[str | None]]) -> None:
        """Something of each partition is there from the start: left to chance, most stories have nothing."""
        limits = Limits(items_max=items_max, body_bytes_max=bytes_max, unique_ids=unique)
        self.outbox = Outbox(limits, 0.05, keyed=True)
        self.now = 0.0
        self.number = 0
        self.leases = [Lease("orders", number, 1) for number in range(3)]
        self.on_wire: list[Batch] = []
        self.open: dict[str | None, list[Item]] = defaultdict(list)
        """Submitted, ours, not settled, in order."""
        for partition, keys in enumerate(backlog):
            self.submit(keys, partition)

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    @rule(keys=KEY_LISTS, partition=st.integers(0, 2))
    def submit(self, keys: list[str | None], partition: int) -> None:
        new = []
        for key in keys:
            self.number += 1
            new.append(item(f"i{self.number % 7}", key=key, size=8, lease=self.leases[partition]))
            self.open[key].append(new[-1])
        self.outbox.add(new, self.now)

    @rule(seconds=st.floats(0.01, 30.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.outbox.closes_at <= self.now:
            self.outbox.close_batch()

    @rule(
        seconds=st.sampled_from([0.0, 0.05, 30.0]),
        probing=st.booleans(),
        others_first_s=st.sampled_from([-1.0, 5.0]),
    )
    def send_after(self, seconds: float, probing: bool, others_first_s: float) -> None:
        self.time_passes(seconds)
        self.send(probing, others_first_s)

    def send(self, probing: bool, others_first_s: float) -> None:
        if probing:
            batch = self.outbox.take_for_probe(self.now, self.on_wire[0] if self.on_wire else None)
        else:
            batch = self.outbox.take(self.now, self.now + others_first_s)
        if batch is None:
            return
        assert all(map(is_live, batch.items))
        self.on_wire.append(batch)
        for key in {one.key for one in batch.items} - {None}:
            mine = [one for one in batch.items if one.key == key]
            assert mine == self.open[key][: len(mine)], f"out of order: {key}"

    # ── what becomes of it ───────────────────────────────────────────────────────────────────────

    def _answered(self, which: int) -> Batch:
        return self.on_wire.pop(which % len(self.on_wire))

    def _settle(self, items: list[Item]) -> None:
        for one in items:
            if is_live(one):
                self.open[one.key].remove(one)
        self.outbox.settled(items, self.now)

    @precondition(lambda self: self.on_wire)
    @rule(which=st.integers(0, 20))
    def delivered(self, which: int) -> None:
        batch = self._answered(which)
        self._settle(batch.items)
        self.outbox.ended(batch)

    @precondition(lambda self: self.on_wire)
    @rule(which=st.integers(0, 20), wait_s=st.floats(0.0, 40.0), throttled=st.booleans())
    def failed(self, which: int, wait_s: float, throttled: bool) -> None:
        self.outbox.add_retry(self._answered(which), self.now + wait_s, throttled=throttled)

    @precondition(lambda self: self.on_wire)
    @rule(which=st.integers(0, 20))
    def not_tried(self, which: int) -> None:
        self.outbox.put_back(self._answered(which))

    @precondition(lambda self: self.on_wire)
    @rule(which=st.integers(0, 20))
    def refused(self, which: int) -> None:
        batch = self._answered(which)
        if len(batch.items) > 1:
            self.outbox.refuse(batch)
        else:
            self._settle(batch.items)
            self.outbox.ended(batch)

    @precondition(lambda self: self.on_wire)
    @rule(which=st.integers(0, 20), wait_s=st.floats(0.0, 40.0))
    def half_taken(self, which: int, wait_s: float) -> None:
        """The first items were taken, the others may come again."""
        batch = self._answered(which)
        taken, again = batch.items[: len(batch.items) // 2], batch.items[len(batch.items) // 2 :]
        self._settle(taken)
        batch.keep(again)
        self.outbox.add_retry(batch, self.now + wait_s)

    @rule(partition=st.integers(0, 2), wait_s=st.floats(0.0, 40.0))
    def fenced(self, partition: int, wait_s: float) -> None:
        """A partition is taken away, and given back under a new epoch. Requests with a key of it are broken
        off, and what is left of them waits."""
        lease = self.leases[partition]
        lease.live = False
        self.leases[partition] = Lease("orders", partition, lease.epoch + 1)
        for key, waiting in self.open.items():
            self.open[key] = [one for one in waiting if is_live(one)]
        self.outbox.fenced(self.now)
        for batch in [*self.on_wire]:
            if any(one.key is not None and not is_live(one) for one in batch.items):
                self.on_wire.remove(batch)
                if self.outbox.drop_fenced(batch, self.now):
                    self.outbox.add_retry(batch, self.now + wait_s)
                else:
                    self.outbox.ended(batch)

    # ── what must hold ───────────────────────────────────────────────────────────────────────────

    @invariant()
    def never_two_requests_of_one_key(self) -> None:
        if not hasattr(self, "on_wire"):
            return
        keys = [key for batch in self.on_wire for key in {one.key for one in batch.items} - {None}]
        assert len(keys) == len(set(keys))

    def teardown(self) -> None:
        """When the vendor takes everything, nothing is left behind: not an item, not a lane."""
        if not hasattr(self, "outbox"):
            return
        for _ in range(10_000):
            while self.on_wire:
                self.delivered(0)
            if not any(self.open.values()):
                break
            self.outbox.close_batch()
            self.now += 50.0
            self.send(False, -1.0)
        assert not any(self.open.values())
        self.outbox.close_batch()
        assert self.outbox.take(self.now + 1e9) is None, "something was left that nobody waits for"
        assert self.outbox.in_lanes == 0
        assert self.outbox._lanes is not None
        assert not self.outbox._lanes._lanes


TestOrdering = Ordering.TestCase
TestOrdering.settings = settings(max_examples=examples(200), stateful_step_count=50, deadline=None)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_what_waits_to_be_halved_may_lose_its_items_to_a_rebalance(kept: int) -> None:
    """More batches were refused than may be halved at once; those that wait shrink, and end all the same."""
    outbox = Outbox(Limits(items_max=10, body_bytes_max=10_000), 0.05, keyed=True)
    gone, ours = Lease("orders", 1, 1), Lease("orders", 2, 1)
    for number in range(TREES_MAX + 3):
        waits = number >= TREES_MAX
        leases = [ours if not waits or at < kept else gone for at in range(4)]
        outbox.add([item(f"{number}/{at}", lease=lease) for at, lease in enumerate(leases)], 0.0)
        outbox.close_batch()
    batches = [outbox.take(0.0) for _ in range(TREES_MAX + 3)]
    for batch in batches:
        assert batch is not None
        outbox.refuse(batch)
    gone.live = False
    outbox.fenced(0.0)
    settled = 0
    while (part := outbox.take(0.0)) is not None:
        settled += len(part.items)
        outbox.settled(part.items, 0.0)
        outbox.ended(part)
    assert settled == TREES_MAX * 4 + 3 * kept
    assert outbox.retrying == 0


def test_one_that_must_wait_anyway_closes_no_batch() -> None:
    """A hot key's next item would not fit, but it may not go yet either."""
    outbox = Outbox(Limits(items_max=10, body_bytes_max=60, frame_bytes=0), 0.05, keyed=True)
    outbox.add([item("1", key="hot", size=10)], 0.0)
    outbox.close_batch()
    outbox.add([item("2", key="other", size=40), item("3", key="hot", size=40)], 0.0)
    assert outbox.fresh == 1
    outbox.add([item("4", key="third", size=15)], 0.0)
    outbox.close_batch()
    sizes = [len(batch.items) for batch in (outbox.take(0.0), outbox.take(0.0)) if batch is not None]
    assert sizes == [1, 2]


def test_without_keys_nobody_waits() -> None:
    """Order by key costs nothing where it is not asked for."""
    outbox = Outbox(Limits(items_max=1, body_bytes_max=1000), 0.05, keyed=False)
    assert outbox.add([item("1", key="k"), item("2", key="k")], 0.0)
    assert outbox.fresh == 2
    assert outbox.in_lanes == 0


def test_a_hot_key_fills_batches() -> None:
    """It does not wait for an answer per event: as many as fit travel together."""
    outbox = Outbox(Limits(items_max=10, body_bytes_max=10_000), 0.05, keyed=True)
    outbox.add([item(f"{number}", key="hot") for number in range(25)], 0.0)
    sizes = []
    while True:
        batch = outbox.take(0.0)
        if batch is None:
            outbox.close_batch()
            batch = outbox.take(0.0)
        if batch is None:
            break
        assert outbox.take(0.0) is None
        sizes.append(len(batch.items))
        outbox.settled(batch.items, 0.0)
        outbox.ended(batch)
    assert sizes == [10, 10, 5]


def left(outbox: Outbox) -> list[list[str]]:
    """The ids of every batch that may leave now, batch by batch."""
    outbox.close_batch()
    found = []
    while (batch := outbox.take(0.0)) is not None:
        found.append([one.id for one in batch.items])
    return found


def test_after_a_rebalance_nobody_waits_for_what_is_gone() -> None:
    """Neither behind a batch that waits for another attempt, nor behind the second half of one."""
    outbox = Outbox(Limits(items_max=3, body_bytes_max=10_000), 0.05, keyed=True)
    gone, ours = Lease("orders", 1, 1), Lease("orders", 2, 1)
    outbox.add([item("late", key="a", lease=gone)], 0.0)
    outbox.close_batch()
    late = outbox.take(0.0)
    assert late is not None
    outbox.add_retry(late, 3600.0)
    outbox.add(
        [item("1", key="b", lease=ours), item("2", key="b", lease=ours), item("half", key="c", lease=gone)],
        0.0,
    )
    refused = outbox.take(0.0)
    assert refused is not None
    outbox.refuse(refused)
    outbox.add([item("behind late", key="a", lease=ours), item("behind half", key="c", lease=ours)], 0.0)
    gone.live = False
    outbox.fenced(0.0)
    assert left(outbox) == [["1"], ["behind late", "behind half"]]


def test_a_lane_whose_waiting_died_unannounced_is_free() -> None:
    """The poll thread fences before the loop hears of it."""
    outbox = Outbox(Limits(items_max=1, body_bytes_max=10_000), 0.05, keyed=True)
    gone, ours = Lease("orders", 1, 1), Lease("orders", 2, 1)
    outbox.add([item("first", key="a", lease=gone), item("second", key="a", lease=gone)], 0.0)
    first = outbox.take(0.0)
    assert first is not None
    gone.live = False
    outbox.settled(first.items, 0.0)
    outbox.ended(first)
    outbox.add([item("ours", key="a", lease=ours)], 0.0)
    assert left(outbox) == [["ours"]]


def test_who_finds_no_room_behind_its_own_key_waits_for_that_batch() -> None:
    """Also when a lane goes on: two batches with one key would be two requests at once."""
    outbox = Outbox(Limits(items_max=10, body_bytes_max=60, frame_bytes=0), 0.05, keyed=True)
    outbox.add([item(f"{number}", key="hot", size=40) for number in range(4)], 0.0)
    for number in range(4):
        outbox.close_batch()
        batch = outbox.take(0.0)
        assert batch is not None
        assert [one.id for one in batch.items] == [f"{number}"]
        assert left(outbox) == []
        outbox.settled(batch.items, 0.0)
        outbox.ended(batch)
