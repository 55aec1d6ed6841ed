"""P5 on a real broker: what shares a key arrives in its order, and what that costs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from connector.traffic import TopicKind
from tests.broker.launcher.brokers import Broker
from tests.chaos.lives import lives
from tests.chaos.rig import wait_until
from tests.chaos.scene import SEED, UNCAPPED, Records, Scene

EVENTS = 100_000 if os.environ.get("CI") else 20_000
"""Of either destination: 200,000 in all where it counts."""

KEYS = 2_000
FAULTS = "503:0.1,hang:burst=1/3001:seconds=3,hang_after:burst=1/4001:seconds=3"

KEYED: Sequence[tuple[str, TopicKind]] = (("esputnik-orders", "orders"), ("esputnik-site", "clickstream"))

MEASURED = 30_000
"""Several fetches a partition (a thousand records or so each). With one or two, the hottest key's partition
may come last as a whole, and what is measured is that key alone, one answer after the other."""

ZIPF_EXPONENT = 0.5
LATENCY_S = 0.02
SHARE_MIN = 0.7
"""What lanes must leave of the throughput."""


def test_an_inversion_shows_and_a_new_beginning_is_none() -> None:
    """Or the tests below would prove nothing."""
    produced = [("a",), ("b",), ("c",)]
    assert went_back({"k": ["a", "b", "c"]}, produced) == 0
    assert went_back({"k": ["a", "b", "a", "b", "c"]}, produced) == 1
    assert went_back({"k": ["a", "c"], "l": ["b"]}, produced) == 0
    for inverted in (["b", "a", "c"], ["a", "c", "b"], ["a", "b", "c", "a", "c"]):
        with pytest.raises(AssertionError, match="came too early"):
            went_back({"k": inverted}, produced)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "topic"), KEYED)
def test_a_key_keeps_its_order_through_errors_timeouts_and_a_rebalance(
    name: str,
    topic: TopicKind,
    real_broker: Broker,
    schema_registry_url: str,
    unique: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """Many events of 2,000 orders, or carts; every tenth request fails, some get no answer, and a second
    member takes half of the partitions over. Of no key does anything arrive before what was produced before
    it, and nothing is missing. What comes again comes in its order, too."""
    records = Records(real_broker, schema_registry_url, unique, lives(topic, EVENTS, KEYS, SEED), [topic])
    scene = Scene(records, unique, tmp_path, faults=FAULTS, destination=name, poison_every=0, latency_s=0.002)
    with scene, scene.connector("first", delivery=UNCAPPED) as first:
        wait_until(lambda: first.settled() > EVENTS * 0.2, "a fifth is settled", 200, 0.2, first.status)
        with scene.connector("second", delivery=UNCAPPED) as second:
            wait_until(lambda: second.settled() > EVENTS * 0.02, "the second works", 100, 0.2, second.status)
            wait_until(lambda: scene.lag() == 0, "everything is committed", 280, 0.5, first.status)
            assert first.partitions().isdisjoint(second.partitions())
            assert second.stop() == 0
        assert first.stop() == 0
        missing, unexpected = scene.missing_and_unexpected()
        ledger = scene.ledger()
    order: Mapping[str, Sequence[str]] = ledger["order"]
    back = went_back(order, (must.ids for _, must in scene.records))
    print(
        f"{name}: {EVENTS:,} events of {len(order):,} keys in {ledger['requests']:,} requests;"
        f" missing {len(missing)}, began again {back} times; faults {ledger['faults']}"
    )
    assert not missing
    assert not unexpected
    assert len(order) == KEYS
    assert ledger["faults"].keys() == {"503", "hang", "hang_after"}


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "topic"), KEYED)
def test_order_costs_little_throughput(
    name: str,
    topic: TopicKind,
    real_broker: Broker,
    schema_registry_url: str,
    unique: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """A vendor that takes 20 ms, and keys of which some are much busier than others: with lanes at least
    seven tenths of what the same events do without."""
    plan = lives(topic, MEASURED, KEYS, SEED, ZIPF_EXPONENT)
    records = Records(real_broker, schema_registry_url, unique, plan, [topic])
    rates: dict[str, float] = {}
    overlaps: dict[str, int] = {}
    for way, module, destination in (
        ("with lanes", "connector", name),
        ("without", "tests.chaos.unordered", f"{name}-unordered"),
    ):
        scene = Scene(
            records, unique, tmp_path, faults="", destination=name, poison_every=0, latency_s=LATENCY_S
        )
        with (
            scene,
            scene.connector(module=module, delivery=UNCAPPED, destination={"name": destination}) as connector,
        ):
            rates[way] = _rate(scene)
            overlaps[way] = scene.ledger(ids=False)["overlaps"]
            assert connector.stop() == 0
            assert scene.missing_and_unexpected() == (set(), set())
    share = rates["with lanes"] / rates["without"]
    told = ", ".join(f"{way} {rate:,.0f} events/s" for way, rate in rates.items())
    print(f"{name}: {told}: {share:.0%}")
    assert share >= SHARE_MIN
    assert overlaps["with lanes"] == 0 < overlaps["without"]


def _rate(scene: Scene) -> float:
    """Arrivals a second, from the first to the last."""
    begun = accepted = 0
    began_at = ended_at = 0.0

    def arrived() -> bool:
        nonlocal begun, accepted, began_at, ended_at
        accepted, ended_at = scene.ledger(ids=False)["accepted"]["count"], time.monotonic()
        if not begun:
            begun, began_at = accepted, ended_at
        return bool(accepted == MEASURED)

    wait_until(arrived, "all arrived", 120)
    return (accepted - begun) / (ended_at - began_at)


def went_back(order: Mapping[str, Sequence[str]], produced: Iterable[Sequence[str]]) -> int:
    """How often a key's ids began again from an earlier one, as after a rebalance. Fails when one came before
    what was produced before it."""
    place = {vendor_id: number for number, (vendor_id,) in enumerate(produced)}
    back = 0
    for key, arrived in order.items():
        due = sorted(arrived, key=place.__getitem__)
        index = {vendor_id: number for number, vendor_id in enumerate(dict.fromkeys(due))}
        before = -1
        for vendor_id in arrived:
            assert index[vendor_id] <= before + 1, f"{key}: {vendor_id} came too early"
            back += index[vendor_id] < before
            before = index[vendor_id]
    return back
