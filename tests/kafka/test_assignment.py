"""What is ours is known by lease; what went stays gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.kafka.assignment import Assignment
from connector.model.record import Lease


def lease(epoch: int = 1, partition: int = 0) -> Lease:
    return Lease("orders", partition, epoch)


def test_a_partition_that_comes_back_is_another_one() -> None:
    """A new lease begins empty; the old one is not found, so late results have nowhere to go."""
    assignment = Assignment()
    old, new = lease(1), lease(2)
    assignment.add(old, 0)
    assignment[old].take(0, 0, 10)
    assert assignment.remove(old).open_count == 1
    assignment.add(new, 0)
    assert assignment.get(old) is None
    assert assignment[new].open_count == 0


def test_a_frontier_is_offered_once() -> None:
    """A commit is sent when the frontier moved, not every second."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 4)
    assert assignment.to_commit() == {one: 4}
    assert assignment.to_commit() == {}
    assignment[one].take(4, 0, 1)
    assert assignment.to_commit() == {}
    assignment[one].settle(4, 1)
    assert assignment.to_commit() == {one: 5}


def test_a_refused_commit_is_offered_again() -> None:
    """A rebalance or an outage refuses commits; the frontier is told again until Kafka has it."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 4)
    assignment.committed(assignment.to_commit(), ok=False)
    assert assignment[one].committed is None
    assert assignment.to_commit() == {one: 4}
    assignment.committed({one: 4}, ok=True)
    assert assignment[one].committed == 4
    assert assignment.to_commit() == {}


def test_a_partition_that_starts_nowhere_yet_commits_nothing() -> None:
    """Until the broker has told where it begins, there is no offset that would be true."""
    assignment, one = Assignment(), lease()
    assignment.add(one, None)
    assert assignment.to_commit() == {}
    assignment.moved({one: 12})
    assert assignment.to_commit() == {one: 12}


def test_a_topic_that_was_created_anew_is_committed_where_it_begins() -> None:
    """Whatever is still settled of the old one: its offsets mean other records now. A restart would skip."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 4)
    assignment[one].take(4, 0, 1)
    assignment[one].superseded = 0
    assert assignment.to_commit() == {one: 0}
    assignment[one].settle(4, 1)
    assert assignment.to_commit() == {}
    assert assignment[one].commit_offset == 0


def test_a_partition_on_its_way_out_takes_only_what_nobody_can_read_again() -> None:
    """The next owner reads the rest, unless the topic was created anew."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 0)
    assert assignment[one].takes
    assignment[one].draining = True
    assert not assignment[one].takes
    assignment[one].superseded = 0
    assert assignment[one].takes


def test_answers_for_a_partition_that_went_are_passed_over() -> None:
    """Kafka's answers cross with a rebalance."""
    assignment, gone = Assignment(), lease()
    assignment.add(gone, 0)
    assignment.remove(gone)
    assignment.committed({gone: 5}, ok=True)
    assignment.committed({gone: 5}, ok=False)
    assignment.ends({gone: 9}, 0)
    assignment.moved({gone: 7})
    assert len(assignment) == 0


def test_bytes_come_and_go_with_their_record() -> None:
    """What a record adds, its items included, leaves with its outcome."""
    assignment, one, two = Assignment(), lease(), lease(2, 1)
    assignment.add(one, 0)
    assignment.add(two, 0)
    assignment[one].take(0, 0, 100)
    assignment[one].add_bytes(50)
    assignment[two].take(0, 0, 7)
    assert assignment.open_bytes == 157
    assignment[one].settle(0, 150)
    assert assignment.open_bytes == 7


def test_lag_is_the_log_end_minus_what_is_committed() -> None:
    """Before a first commit the frontier stands for it; while either end is unknown so is the lag."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 10)
    assert assignment[one].lag is None
    assignment.ends({one: 30}, 0)
    assert assignment[one].lag == 20
    assignment.committed({one: 25}, ok=True)
    assert assignment[one].lag == 5
    assignment.committed({one: 31}, ok=True)  # the end is older than the commit
    assert assignment[one].lag == 0


# ── the age of what waits ────────────────────────────────────────────────────────────────────────


def test_the_oldest_unsettled_record_is_as_old_as_kafka_says() -> None:
    """The record at the frontier, not the oldest of all: what settled around it plays no part."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 0)
    for offset, timestamp_ms in ((0, 1_000), (1, 5_000), (2, 4_000)):
        assignment[one].take(offset, timestamp_ms, 1)
    assert assignment[one].unsettled_s(61_000) == 60
    assignment[one].settle(0, 1)
    assert assignment[one].unsettled_s(61_000) == 56
    assert assignment[one].unsettled_s(4_000) == 0  # written by a clock ahead of ours
    assignment[one].settle(1, 1)
    assignment[one].settle(2, 1)
    assert assignment[one].unsettled_s(61_000) == 0


def test_a_record_that_was_never_read_is_at_least_as_old_as_we_know_of_it() -> None:
    """Halted, paused or not fetched: nothing is in flight, and something waits all the same."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 10)
    assignment[one].halted = "offset_lost"
    assert assignment[one].unsettled_s(0) == 0
    assignment.ends({one: 30}, 1_000)
    assignment.ends({one: 40}, 5_000)
    assert assignment[one].unsettled_s(61_000) == 60
    assignment[one].take(10, 500, 1)
    assert assignment[one].unsettled_s(61_000) == 60.5
    assignment[one].settle(10, 1)
    assignment.ends({one: 40}, 61_000)
    assert assignment[one].unsettled_s(64_000) == 3


def test_a_record_without_a_timestamp_is_as_old_as_we_know_of_it() -> None:
    """0 is Kafka's "none": half a century would wake somebody up."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 0)
    assignment[one].take(0, 0, 1)
    assert assignment[one].unsettled_s(9_000) == 0
    assignment.ends({one: 1}, 10_000)
    assert assignment[one].unsettled_s(12_000) == 2


def test_nothing_waits_where_everything_is_settled_or_read() -> None:
    """A commit that is not made yet is lag, and no record waits; nor does one where the log ends with what is
    no record: a transaction's mark has an offset, too."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 0)
    assignment.committed({one: 0}, ok=True)
    assignment[one].take(0, 1_000, 1)
    assignment.ends({one: 1}, 2_000)
    assignment[one].settle(0, 1)
    assert (assignment[one].lag, assignment[one].unsettled_s(9_000)) == (1, 0)
    assignment.ends({one: 2}, 10_000)
    assert assignment[one].unsettled_s(12_000) == 2
    assignment.moved({one: 2})
    assert assignment[one].unsettled_s(12_000) == 0
    assignment.ends({one: 4}, 13_000)
    assert assignment[one].unsettled_s(14_000) == 1


@given(st.data())
def test_whatever_waits_has_an_age_and_what_does_not_has_none(data: st.DataObject) -> None:
    """Whatever came, was settled and told: 0 exactly when nothing waits, and never more than the age of the
    oldest record there is."""
    assignment, one = Assignment(), lease()
    assignment.add(one, 0)
    partition = assignment[one]
    written, taken, opened = 0, 0, set()
    for now in range(1, 30):
        match data.draw(st.sampled_from(("write", "take", "settle"))):
            case "write":
                written += 1
            case "take" if taken < written:
                partition.take(taken, now * 1000, 1)
                opened.add(taken)
                taken += 1
            case "settle" if opened:
                offset = data.draw(st.sampled_from(sorted(opened)))
                opened.remove(offset)
                partition.settle(offset, 1)
        assignment.ends({one: written}, now * 1000)
        age_s = partition.unsettled_s(now * 1000 + 500)
        assert (age_s > 0) == bool(opened or taken < written)
        assert age_s <= now
