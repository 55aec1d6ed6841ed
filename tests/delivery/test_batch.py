"""What a batch knows about its items, and forgets."""

from __future__ import annotations

from typing import cast

from connector.delivery.batch import BODY_KEPT, Batch
from connector.delivery.poison import Tally
from connector.model.record import Lease, Record
from connector.vendors.contract import Response
from tests.delivery.acme import item

BAD = Response(500, {"a": "b"}, b"x" * 5000)


def suspected(batch: Batch, tally: Tally, failures: int) -> None:
    """The batch fails every 15 s while a hundred others pass each time."""
    for at in range(failures):
        tally.failed += 1
        batch.failed_by_5xx(BAD, at * 15.0, tally)
        tally.passed += 100
        if at < failures - 1:
            batch.proven(tally)


def test_a_proof_quotes_the_last_answer_and_keeps_no_more_of_it_than_a_dead_letter_may() -> None:
    """A batch may wait for hours; it must not hold an error page meanwhile."""
    batch, tally = Batch([item("a")]), Tally()
    suspected(batch, tally, 6)
    proof = batch.proven(tally)
    assert proof is not None
    assert proof[0] == "vendor_rejected_5xx"
    assert (proof[1].status, len(proof[1].body)) == (500, BODY_KEPT)


def test_what_was_suspected_of_several_is_not_held_against_one_of_them() -> None:
    """The partition of the guilty one was taken away; the innocent one starts with a clean sheet."""
    gone = Lease("clicks", 1, 1)
    batch, tally = Batch([item("innocent"), item("guilty", lease=gone)]), Tally()
    suspected(batch, tally, 6)
    gone.live = False
    assert [one.id for one in batch.drop_fenced()] == ["guilty"]
    assert [one.id for one in batch.items] == ["innocent"]
    assert batch.proven(tally) is None


def test_a_partition_that_goes_while_we_look_is_kept_or_dropped_never_both() -> None:
    """The poll thread takes partitions away while the loop looks at their items."""

    class Flips:
        looks = 0

        @property
        def live(self) -> bool:
            self.looks += 1
            return self.looks == 1

    gone = Lease("clicks", 1, 1)
    gone.live = False
    batch = Batch([item("flips"), item("gone", lease=gone)])
    ticket = batch.items[0].ticket
    assert ticket is not None
    flips = cast("Lease", Flips())
    ticket.record = Record(flips, 0, 0, None, None, ())
    dropped = batch.drop_fenced()
    assert sorted(one.id for one in [*dropped, *batch.items]) == ["flips", "gone"]


def test_a_batch_that_lost_nothing_keeps_what_is_known_of_it() -> None:
    """Looking for fenced items is not forgetting."""
    batch, tally = Batch([item("a")]), Tally()
    suspected(batch, tally, 6)
    assert batch.drop_fenced() == []
    assert batch.proven(tally) is not None


def test_halves_remember_the_requests_that_carried_them() -> None:
    """A dead letter tells how often its item was tried, in whatever company."""
    batch = Batch([item("a"), item("b"), item("c")])
    batch.attempts = 3
    first, second = batch.halves()
    assert [one.id for one in first.items + second.items] == ["a", "b", "c"]
    assert (first.attempts, second.attempts) == (3, 3)
