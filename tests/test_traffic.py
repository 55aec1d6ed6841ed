"""The demo's traffic and its oracle: repeatable, with every mistake, and right about what becomes of it."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from connector.codec.decoder import Decoder
from connector.codec.encode import encode_framed, encode_raw
from connector.sample import NOW_MS
from connector.traffic import MISTAKES, Oracle, Planned, TopicKind, Traffic
from connector.vendors.topsort import Topsort
from connector.vendors.topsort.settings import TopsortOptions

TOPICS: dict[TopicKind, str] = {"orders": "orders", "clickstream": "clickstream"}


def traffic(count: int, seed: int = 1, mistakes: float = 0.2, repeats: float = 0.1) -> list[Planned]:
    """Records in the demo's two formats."""
    encode = {"orders": lambda event: encode_raw("OrderEvent", event), "clickstream": msgspec.json.encode}
    return list(Traffic(count, seed, NOW_MS, encode, mistakes, repeats))  # type: ignore[arg-type]


def oracle(poison_every: int = 0) -> Oracle:
    """The demo's."""
    decoder = Decoder({"orders": "avro-raw:OrderEvent", "clickstream": "json"})
    return Oracle(
        decoder, Topsort(TopsortOptions.model_validate({"currency": "EUR"})), TOPICS, NOW_MS, poison_every
    )


@pytest.mark.parametrize("count", [1, 2, 99, 1000])
def test_there_are_as_many_records_as_were_asked_for(count: int) -> None:
    """Repeats and mistakes counted."""
    assert len(traffic(count)) == count


def test_the_same_seed_gives_the_same_records() -> None:
    """Byte for byte, mistakes included; another seed gives others."""
    assert traffic(300, 5) == traffic(300, 5)
    assert traffic(300, 5) != traffic(300, 6)


def test_every_kind_of_mistake_occurs() -> None:
    """And those of the demo are the good events' neighbours, not their majority."""
    kinds = Counter(each.kind for each in traffic(2000))
    assert set(kinds) == {"event", "repeat", *MISTAKES}
    assert kinds["event"] > 1000


def test_the_kinds_of_mistakes_take_turns() -> None:
    """A dozen mistakes have each of the six twice, whatever the seed: no kind is left out by chance."""
    for seed in range(4):
        broken = [each.kind for each in traffic(200, seed) if each.kind in MISTAKES]
        assert {*Counter(broken[:12]).values()} == {2}


def test_a_repeat_is_the_record_before_it() -> None:
    """The same key and bytes: a producer that was not sure."""
    records = traffic(500)
    places = [place for place, each in enumerate(records) if each.kind == "repeat"]
    assert places
    for place in places:
        before = records[place - 1]
        assert (before.topic, before.key, before.value) == (
            records[place].topic,
            records[place].key,
            records[place].value,
        )


def test_the_oracle_knows_what_becomes_of_every_mistake() -> None:
    """What cannot be read is a dead letter and says why; a tombstone is skipped; the year 9999 is refused."""
    asked = oracle()
    found: dict[str, set[tuple[str, str]]] = {}
    for planned in traffic(3000):
        expected = asked.expect(planned)
        found.setdefault(planned.kind, set()).add((expected.outcome, expected.reason))
        if planned.kind == "year_9999" and planned.topic == "clickstream":  # an order has a date of its own
            assert expected.outcome != "delivered"
    assert found["tombstone"] == {("skipped", "tombstone")}
    assert found["undecodable"] == {("dead_lettered", "undecodable")}
    for kind in ("wrong_type", "missing_field", "not_a_number"):
        assert {outcome for outcome, _ in found[kind]} == {"dead_lettered"}, kind
    assert ("dead_lettered", "timestamp_in_future") in found["year_9999"]
    assert ("delivered", "") in found["event"]
    assert ("dead_lettered", "undecodable") not in found["event"] | found["repeat"]


def test_poison_is_chosen_once_and_counts_for_its_repeats() -> None:
    """A record that carries it is a dead letter whose other ids arrive; so is the same record again."""
    asked = oracle(poison_every=10)
    records = traffic(1000, mistakes=0.0)
    expected = [asked.expect(each) for each in records]
    refused = [each for each in expected if each.reason == "vendor_rejected"]
    assert len(asked.poison) > 10
    assert len(refused) >= len(asked.poison)
    assert not {each for one in expected for each in one.ids} & asked.poison


def test_the_oracle_says_when_it_lacks_a_schema() -> None:
    """Rather than expecting the wrong thing."""

    class Knows:
        def get(self, schema_id: int) -> None:
            return None

    asked = Oracle(
        Decoder("auto", Knows()), Topsort(TopsortOptions.model_validate({"currency": "EUR"})), TOPICS, NOW_MS
    )
    event = {
        "event_id": "00000000-0000-0000-0000-000000000001",
        "event_type": "home_view",
        "occurred_at": NOW_MS,
    }
    with pytest.raises(LookupError, match="schema 7"):
        asked.expect(Planned("clickstream", b"k", encode_framed(7, event), "event"))
