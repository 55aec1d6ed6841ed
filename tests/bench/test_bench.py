"""The benchmark's own books: what it prints as missing and repeated is what happened at the vendor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.books import Books, compare
from bench.one_by_one import TopsortOneByOne
from bench.stage import CONTENDERS, Stage
from bench.vendor import Vendor
from bench.work import Work, plan
from connector.kafka.embedded import EmbeddedKafka
from connector.vendors.topsort import Topsort
from tests.broker.launcher.brokers import MockBroker

EVENTS = 300
QUIET_S = 3.0


@pytest.fixture(scope="module")
def work() -> Work:
    """A few hundred records; planning them is the slow part."""
    return plan(EVENTS, seed=3)


@pytest.fixture(scope="module")
def kafka() -> Iterator[MockBroker]:
    """One embedded broker for all runs: each stage has topics of its own."""
    with EmbeddedKafka() as embedded:
        yield MockBroker(embedded)


def test_the_books_count_arrivals_not_ids() -> None:
    """An id that is due twice and came once is one missing; a third arrival is a repeat."""
    assert compare({"a": 2, "b": 1}, {"a": 1, "b": 1}) == Books(missing=1, repeated=0, unexpected=0)
    assert compare({"a": 2, "b": 1}, {"a": 3, "b": 1}) == Books(missing=0, repeated=1, unexpected=0)
    assert compare({"a": 1}, {"a": 1, "x": 2}) == Books(missing=0, repeated=0, unexpected=1)
    assert compare({"a": 1, "b": 1}, {"a": 2}) == Books(missing=1, repeated=1, unexpected=0)


def test_the_work_is_half_avro_half_json_and_the_same_for_a_seed() -> None:
    """Figures of two runs are comparable, and both decoders are in them."""
    once, again = plan(101, seed=5), plan(101, seed=5)
    assert once == again
    assert [each.topic for each in once.records].count("orders") == 51
    assert once.due


@pytest.mark.slow
@pytest.mark.parametrize("destination", [Topsort.name, TopsortOneByOne.name])
def test_both_contenders_deliver_everything_to_a_vendor_in_good_health(
    destination: str, work: Work, kafka: MockBroker, tmp_path: Path
) -> None:
    """Floor and connector did the same work: as many arrivals, in requests of the vendor's sizes."""
    stage = Stage(kafka, work, destination, tmp_path)
    stage.prepare()
    with Vendor(tmp_path) as vendor:
        for contender in CONTENDERS:
            result = stage.run(contender, vendor, quiet_s=QUIET_S)
            assert result.books == Books(missing=0, repeated=0, unexpected=0)
            assert result.events == EVENTS
            assert result.peak_bytes > 0
            if destination == TopsortOneByOne.name:
                assert result.requests == work.due.total()
            else:
                assert result.requests < work.due.total() / 10


@pytest.mark.slow
def test_what_is_lost_shows_as_missing(work: Work, kafka: MockBroker, tmp_path: Path) -> None:
    """A vendor refuses every fifth request. The floor tries nothing again, and its loss is in the books, to
    the event; the connector's books balance."""
    stage = Stage(kafka, work, TopsortOneByOne.name, tmp_path)
    stage.prepare()
    with Vendor(tmp_path, fail="503:burst=1/5") as vendor:
        floor = stage.run("floor", vendor, quiet_s=QUIET_S)
        assert floor.requests == work.due.total()
        assert floor.books == Books(missing=floor.requests // 5, repeated=0, unexpected=0)
        ours = stage.run("connector", vendor, quiet_s=QUIET_S)
        assert ours.requests > work.due.total()
        assert ours.books == Books(missing=0, repeated=0, unexpected=0)
