"""Who shares a key goes one after the other, who does not goes at once."""

from __future__ import annotations

from connector.delivery.lanes import Lanes
from connector.model.item import Item
from connector.model.record import Lease
from tests.delivery.acme import LEASE, item


def of(key: str | None, *names: str, lease: Lease = LEASE) -> list[Item]:
    return [item(name, key=key, lease=lease) for name in names]


def test_an_item_without_a_key_never_waits() -> None:
    """Order does not matter to it, so nobody stands before it and nobody behind."""
    lanes = Lanes()
    for one in of(None, "a", "b"):
        assert lanes.admit(one)
    lanes.seal()
    (again,) = of(None, "c")
    assert lanes.admit(again)
    assert not lanes.settle(again)


def test_items_of_one_key_travel_together_until_their_batch_is_closed() -> None:
    """One hot key fills a batch; what comes after that waits for all of it."""
    lanes = Lanes()
    first, second, third = of("k", "1", "2", "3")
    assert lanes.admit(first)
    assert lanes.admit(second)
    lanes.seal()
    assert not lanes.admit(third)
    assert lanes.waiting == 1
    assert not lanes.settle(first)
    assert lanes.settle(second)
    assert lanes.next("k") is third
    lanes.take("k")
    assert lanes.waiting == 0
    assert lanes.is_open("k")


def test_another_key_does_not_notice() -> None:
    """A key that waits holds nobody else up."""
    lanes = Lanes()
    assert lanes.admit(of("k", "1")[0])
    lanes.seal()
    assert not lanes.admit(of("k", "2")[0])
    assert lanes.admit(of("other", "3")[0])


def test_nobody_overtakes_those_that_wait() -> None:
    """Also not when the open batch would have room for it."""
    lanes = Lanes()
    first, second, third, fourth = of("k", "1", "2", "3", "4")
    lanes.admit(first)
    lanes.seal()
    lanes.admit(second)
    lanes.admit(third)
    assert lanes.settle(first)
    lanes.take("k")
    assert lanes.is_open("k")
    assert not lanes.admit(fourth)
    assert lanes.next("k") is third


def test_a_lane_that_is_empty_is_gone() -> None:
    """Millions of keys pass in a day; only those under way are remembered."""
    lanes = Lanes()
    for number in range(1000):
        (one,) = of(f"k{number}", "x")
        assert lanes.admit(one)
        lanes.seal()
        assert not lanes.settle(one)
    assert not lanes._lanes


def test_what_waits_for_a_fenced_partition_waits_no_more() -> None:
    """It is somebody else's; the rest of its lane goes on, and an empty lane is gone."""
    gone, ours = Lease("orders", 1, 1), Lease("orders", 2, 1)
    lanes = Lanes()
    first, second, third = *of("k", "1", "2", lease=gone), *of("k", "3", lease=ours)
    lanes.admit(first)
    lanes.seal()
    lanes.admit(second)
    lanes.admit(third)
    gone.live = False
    lanes.forget_fenced()
    assert lanes.waiting == 1
    assert lanes.settle(first)
    assert lanes.next("k") is third
    ours.live = False
    assert lanes.next("k") is None
    assert lanes.waiting == 0
    assert not lanes._lanes
