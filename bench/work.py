"""The work of one job: sample events, half of them orders in Avro and half clickstream in JSON.

Decides only: the same count and seed give the same records and the same ids due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from connector.cli.sample_produce import key_of
from connector.codec.decoder import Decoder
from connector.codec.encode import encode_raw
from connector.sample import NOW_MS, generate
from connector.sample.shop import Json
from connector.traffic import Oracle, Planned, TopicKind
from connector.vendors.topsort import Topsort
from connector.vendors.topsort.settings import TopsortOptions

OPTIONS = {"currency": "EUR"}
FORMATS: dict[TopicKind, str] = {"orders": "avro-raw:OrderEvent", "clickstream": "json"}


class Work(msgspec.Struct, frozen=True):
    """Records to write, and the ids that the vendor must take for them, each with how often."""

    records: list[Planned]
    due: Counter[str]


def plan(events: int, seed: int) -> Work:
    """`events` records in turn from both topics, and what an oracle apart from the pipeline makes of them."""
    kinds: tuple[TopicKind, TopicKind] = ("orders", "clickstream")
    oracle = Oracle(
        Decoder({kind: FORMATS[kind] for kind in kinds}),
        Topsort(TopsortOptions.model_validate(OPTIONS)),
        {kind: kind for kind in kinds},
        NOW_MS,
    )
    halves = _records("orders", events - events // 2, seed), _records("clickstream", events // 2, seed)
    records: list[Planned] = []
    for order in halves[0]:
        records.append(order)
        records.extend(each for each in (next(halves[1], None),) if each is not None)
    return Work(records, Counter(each for record in records for each in oracle.expect(record).ids))


def _records(kind: TopicKind, count: int, seed: int) -> Iterator[Planned]:
    encode: Callable[[Json], bytes] = (
        msgspec.json.encode if kind == "clickstream" else lambda event: encode_raw("OrderEvent", event)
    )
    for event in generate(count, seed, kind):
        yield Planned(kind, key_of(event), encode(event), "event")
