"""Every destination takes what shops produce, whatever goes wrong at its vendor: the same records for all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from connector.demo.trouble import VENDOR, vendor_faults
from connector.settings import typed_options
from connector.settings.reference import example_options
from connector.vendors import DESTINATIONS
from tests.broker.launcher.brokers import Broker
from tests.chaos.rig import wait_until
from tests.chaos.scene import UNCAPPED, Records, Scene, sample_traffic

EVENTS = 50_000


@pytest.fixture(scope="module")
def records(real_broker: Broker, schema_registry_url: str, unique: Callable[[str], str]) -> Records:
    """Written once; each destination reads them in a group of its own, as in production. That they are rich
    enough to prove it is `test_sample.py`'s."""
    return Records(real_broker, schema_registry_url, unique, sample_traffic(EVENTS))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", DESTINATIONS)
def test_fifty_thousand_events_arrive_whatever_goes_wrong_at_the_vendor(
    name: str, records: Records, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """Errors, throttling, resets, silence and lost answers, from a vendor that refuses whatever its contract
    refuses: nothing is missing, nothing is altered, and of what is valid nothing is refused or dropped in
    silence, but for what the destination says is unavoidable."""
    scene = Scene(records, unique, tmp_path, faults=_faults(name), destination=name, poison_every=0)
    valid = [each.kind in ("event", "repeat") for each in records.planned]
    fates = {must.outcome for _, must in itertools.compress(scene.records, valid)}
    assert fates == {"delivered", "skipped"}

    with scene, scene.connector(delivery=UNCAPPED) as connector:
        wait_until(lambda: connector.settled() == EVENTS, "all is settled", 200, 0.2, connector.status)
        wait_until(lambda: scene.lag() == 0, "everything is committed", 20, every_s=0.2)
        books = scene.books(connector.outcomes())
        ledger = scene.ledger(ids=False)
        assert connector.stop() == 0
    refused = ledger["refused"]["count"]
    print(
        f"{name}: {books.must('delivered'):,} of {books.produced:,} events delivered as"
        f" {books.ids_accepted:,} ids in {ledger['requests']:,} requests; missing {len(books.missing)},"
        f" repeated {books.repeats:,}, refused {refused}, dropped in silence {books.ignored or 0},"
        f" unavoidably {books.unavoidable or 0}; faults {ledger['faults']}"
    )
    assert books.differences == ()
    assert books.produced == EVENTS
    assert not books.ignored
    assert refused == 0
    assert ledger["faults"].keys() == {fault.partition(":")[0] for fault, _, _ in VENDOR}


def _faults(name: str) -> str:
    """Every kind that a demo has, each at least twice, and an error now and then beside them."""
    kind = DESTINATIONS[name]
    one_event = kind(typed_options(name, example_options(kind.Options))).limits.items_max == 1
    return f"{vendor_faults(one_event, [])},503:0.03"
