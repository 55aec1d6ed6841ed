"""A lease is live from its grant to its end, once; its place may be granted again."""

from __future__ import annotations

from connector.kafka.leases import Leases
from connector.model.record import Lease


def held(leases: Leases, topic: str, partition: int) -> Lease:
    """One that is ours."""
    lease = leases.grant(topic, partition)
    leases.hold({lease: 0})
    return lease


def test_a_lease_is_ours_when_it_is_held_not_before() -> None:
    """Where it begins must be asked first, and who asks may fail: then there is nothing to give back."""
    leases = Leases()
    lease = leases.grant("orders", 0)
    assert not [*leases]
    assert not leases.ours([lease])
    leases.hold({lease: 7})
    assert [*leases] == [lease]
    assert leases.starts == {lease: 7}


def test_where_nobody_told_the_start_it_is_asked_for_until_something_comes() -> None:
    """What has begun by itself must not be begun again; a lost offset is another matter."""
    leases = Leases()
    told, silent, lost = (leases.grant("orders", number) for number in range(3))
    leases.hold({told: 7, silent: None, lost: None})
    leases.unplaced[lost] = 5
    assert leases.unplaced == {silent: None, lost: 5}
    leases.came([told, silent, lost])
    assert leases.unplaced == {lost: 5}


def test_a_place_granted_again_has_another_lease() -> None:
    """Late results carry the old lease, and so can't be taken for the new one's."""
    leases = Leases()
    old = held(leases, "orders", 0)
    leases.end([old])
    new = held(leases, "orders", 0)
    assert new.epoch > old.epoch
    assert (old.live, new.live) == (False, True)
    assert leases.at([("orders", 0)]) == [new]
    assert leases.ours([old, new]) == [new]


def test_an_ended_lease_leaves_nothing_behind() -> None:
    """Pauses, halts and starts belong to the lease: the next owner's place, or ours again, begins clean."""
    leases = Leases()
    lease = held(leases, "orders", 0)
    stays = held(leases, "orders", 1)
    leases.paused.update([lease, stays])
    leases.halted.add(lease)
    leases.unplaced[lease] = 7
    leases.committing.update({("orders", 0): lease, ("orders", 1): stays})
    leases.end([lease])
    assert [*leases] == [stays]
    assert leases.paused == {stays}
    assert not leases.halted
    assert not leases.unplaced
    assert leases.starts == {stays: 0}
    assert leases.committing == {("orders", 1): stays}


def test_an_answer_to_the_new_lease_is_not_forgotten_with_the_old_one() -> None:
    """An answer names a place alone: it belongs to whoever sent the last commit for it."""
    leases = Leases()
    old, new = held(leases, "orders", 0), leases.grant("orders", 0)
    leases.committing["orders", 0] = new
    leases.end([old])
    assert leases.committing == {("orders", 0): new}


def test_a_lease_that_stands_is_told_nothing_but_to_be_quiet() -> None:
    """An eager group assigns all anew for one; where Kafka has that offset again by then, it would flow."""
    leases = Leases()
    halted, superseded, flows = (held(leases, "orders", number) for number in range(3))
    leases.halted.add(halted)
    leases.superseded[superseded] = 0
    assert [leases.stands(each) for each in leases] == [True, True, False]
    assert leases.flow() == ([halted, superseded], [flows])
    leases.place(flows, dict.fromkeys(leases))
    assert leases.flow() == ([halted, superseded], [flows])
    leases.end([superseded])
    assert not leases.superseded


# ── what librdkafka is told of pauses ────────────────────────────────────────────────────────────


def test_changes_alone_are_told() -> None:
    """Each pause throws away what was fetched ahead."""
    leases = Leases()
    first, second = held(leases, "orders", 0), held(leases, "orders", 1)
    assert leases.flow() == ([], [first, second])
    assert leases.flow() == ([], [])
    leases.paused.add(first)
    assert leases.flow() == ([first], [])
    assert leases.flow() == ([], [])
    leases.paused.discard(first)
    assert leases.flow() == ([], [first])


def test_a_choked_loop_is_fed_nothing_and_afterwards_only_what_it_wants() -> None:
    """What it paused itself stays paused; what comes meanwhile is quiet from the beginning."""
    leases = Leases()
    first, second = held(leases, "orders", 0), held(leases, "orders", 1)
    leases.paused.add(first)
    leases.flow()
    leases.choked = True
    third = held(leases, "orders", 2)
    assert leases.flow() == ([second, third], [])
    leases.choked = False
    assert leases.flow() == ([], [second, third])


def test_what_is_assigned_anew_is_told_in_any_case() -> None:
    """librdkafka may keep a pause that nobody would end, or forget one that still holds."""
    leases = Leases()
    lease, other = held(leases, "orders", 0), held(leases, "orders", 1)
    leases.paused.add(lease)
    leases.flow()
    leases.unplaced[lease] = 7
    leases.place(lease, {lease: 9})
    assert not leases.unplaced
    assert leases.starts == {lease: 9, other: 0}
    assert leases.flow() == ([lease], [])
    leases.end([other])
    again = held(leases, "orders", 1)
    assert leases.flow() == ([], [again])


def test_places_that_are_not_ours_are_passed_over() -> None:
    """A rebalance may name what we never had."""
    leases = Leases()
    assert leases.at([("orders", 3)]) == []
