"""What goes wrong in a demo is told completely: every kind with a count, also when it is 0."""

from __future__ import annotations

from connector.demo.trouble import KAFKA, PRODUCERS, VENDOR, injected, vendor_faults
from connector.faults import Faults
from connector.traffic import MISTAKES


def test_every_mistake_of_a_producer_has_words() -> None:
    """And no words are left over."""
    assert PRODUCERS.keys() == {*MISTAKES, "repeat"}


def test_every_kind_of_fault_meets_a_run_of_300_requests() -> None:
    """So many carry 10,000 events. Where one carries one, requests are more, and faults as much rarer."""
    kinds = {fault.partition(":")[0] for fault, _, _ in VENDOR}
    for one_event, requests in ((False, 300), (True, 3_000)):
        faults = Faults.parse(vendor_faults(one_event, []))
        met = [fault.name for _ in range(requests) if (fault := faults.next()) is not None]
        assert {*met} == kinds
        assert len(met) < requests / 4, "most requests are answered well"


def test_poison_is_quoted_for_the_faults() -> None:
    """Ids are the vendor's and may be anything."""
    faults = Faults.parse(vendor_faults(False, ["a,b:c", "d"]))
    assert faults.poisoned(["a,b:c"]) == ("poison", 400)
    assert faults.poisoned(["d"]) == ("poison", 400)
    assert faults.poisoned(["a"]) is None


def test_what_never_came_is_told_with_its_reason() -> None:
    """A kind that is left out would look as if it did not exist."""
    told = injected(False, 60, 2, {"500": 1, "poison": 9}, {"fetch": 4}, {"repeat": 3})
    counts = {(each.where, each.kind): each.count for each in told}
    assert len(counts) == len(VENDOR) + 1 + len(KAFKA) + len(PRODUCERS)
    assert counts["vendor", "500"] == 1
    assert counts["vendor", "poison"] == 9
    assert counts["Kafka", "fetch"] == 4
    assert counts["producer", "repeat"] == 3
    assert sum(counts.values()) == 17
    (hang,) = (each for each in told if each.kind == "hang_after")
    assert hang.seldom == "one in 97 requests, 60 came"
