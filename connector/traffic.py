"""Sample traffic with mistakes mixed in, and what must become of every record: the oracle of demo and tests.

Decides only: no broker, no clock. The same seed gives the same records and the same expectations.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from typing import Any, Literal

import msgspec

from connector.codec.decoder import Decoder, NeedSchema, Tombstone, Undecodable
from connector.model.outcome import Outcome
from connector.model.record import Lease, Record
from connector.sample import generate
from connector.vendors.contract import Destination, Mapped, Refused, Skipped

MistakeKind = Literal[
    "undecodable", "unknown_schema", "wrong_type", "missing_field", "not_a_number", "year_9999", "tombstone"
]
MISTAKES: tuple[MistakeKind, ...] = (
    "undecodable",
    "wrong_type",
    "missing_field",
    "not_a_number",
    "year_9999",
    "tombstone",
)
YEAR_9999_MS = 253_402_300_799_000

TopicKind = Literal["orders", "clickstream"]
Event = dict[str, Any]


class Planned(msgspec.Struct, frozen=True):
    """One record to produce: where, what, and of which kind (`event`, `repeat`, or a mistake)."""

    topic: TopicKind
    key: bytes
    value: bytes | None
    kind: str


class Expected(msgspec.Struct, frozen=True):
    """What must become of a record: its outcome and reason, and the ids the vendor must hold for it."""

    outcome: Outcome
    reason: str
    ids: tuple[str, ...]


class Traffic:
    """`count` records of shopping sessions; a share of `mistakes` is broken, one of `repeats` comes twice.

    `encode` writes an event in each topic's format. The seed says which records are broken; the kinds of
    mistakes take turns, so that a few dozen have them all.
    """

    def __init__(
        self,
        count: int,
        seed: int,
        now_ms: int,
        encode: Mapping[TopicKind, Callable[[Event], bytes]],
        mistakes: float = 0.002,
        repeats: float = 0.002,
    ) -> None:
        self._count = count
        self._seed = seed
        self._now_ms = now_ms
        self._encode = encode
        self._mistakes = mistakes
        self._repeats = repeats

    def __iter__(self) -> Iterator[Planned]:
        draw = random.Random(f"traffic {self._seed}")
        kinds = cycle(draw.sample(MISTAKES, len(MISTAKES)))
        left = self._count
        for event in generate(self._count, self._seed, "both", now_ms=self._now_ms):
            topic: TopicKind = "orders" if "order" in event else "clickstream"
            key = _key(event)
            dice = draw.random()
            if dice < self._mistakes:
                kind = next(kinds)
                yield Planned(topic, key, self._spoilt(kind, topic, event), kind)
            else:
                value = self._encode[topic](event)
                yield Planned(topic, key, value, "event")
                if dice > 1 - self._repeats and left > 1:
                    left -= 1
                    yield Planned(topic, key, value, "repeat")
            left -= 1
            if left <= 0:
                return

    def _spoilt(self, kind: MistakeKind, topic: TopicKind, event: Event) -> bytes | None:
        match kind:
            case "tombstone":
                return None
            case "undecodable":
                return b"\xff\xfe not an event \x00"
            case "unknown_schema":
                return b"\x00\x7f\xff\xff\xff" + b"never registered"
            case "year_9999":
                return self._encode[topic]({**event, "occurred_at": YEAR_9999_MS})
            case "wrong_type":
                return msgspec.json.encode({**event, "user": "a string"})
            case "missing_field":
                return msgspec.json.encode(
                    {name: value for name, value in event.items() if name != "event_id"}
                )
            case "not_a_number":
                return msgspec.json.encode(event)[:-1] + b',"items":[{"product_id":"p","quantity":NaN}]}'


def _key(event: Event) -> bytes:
    """What a producer keys its topic by, so that what must keep its order stays in one partition."""
    order, cart, user = (event.get(group) or {} for group in ("order", "cart", "user"))
    found = order.get("order_id") or cart.get("state_id") or cart.get("cart_id")
    return str(found or user.get("anonymous_id") or user.get("customer_id") or event["event_id"]).encode()


class Oracle:
    """Says what must become of a record, by decoding and mapping it alone, apart from the pipeline.

    Ids are the vendor's. `poison` are those that it will refuse; a record with one of them is a dead letter,
    and only its other ids arrive. `bodies` holds the bytes that must arrive under each id; of two events that
    share one, either's.
    """

    def __init__(
        self,
        decoder: Decoder,
        destination: Destination,
        topics: Mapping[TopicKind, str],
        now_ms: int,
        poison_every: int = 0,
    ) -> None:
        self._decoder = decoder
        self._destination = destination
        self._leases = {kind: Lease(topic, 0, 0) for kind, topic in topics.items()}
        self._now_ms = now_ms
        self._poison_every = poison_every
        self._mapped = 0
        self._seen: set[str] = set()
        self.poison: set[str] = set()
        self.bodies: dict[str, set[bytes]] = {}

    def expect(self, planned: Planned) -> Expected:
        """The one right outcome. Chooses every n-th mapped new event as poison on the way."""
        record = Record(self._leases[planned.topic], 0, self._now_ms, planned.key, planned.value, ())
        match self._decoder.decode(record):
            case Tombstone():
                return Expected("skipped", "tombstone", ())
            case Undecodable(reason, _):
                return Expected("dead_lettered", reason, ())
            case NeedSchema(schema_id):
                raise LookupError(f"the oracle's decoder does not know schema {schema_id}")
            case event:
                pass
        match self._destination.map(event, self._now_ms):
            case Skipped(reason):
                return Expected("skipped", reason, ())
            case Refused(reason):
                return Expected("dead_lettered", reason, ())
            case Mapped(items):
                ids = tuple(self._destination.vendor_id(item) for item in items)
                for vendor_id, item in zip(ids, items, strict=True):
                    self.bodies.setdefault(vendor_id, set()).add(item.body)
        self._mapped += 1
        if self._poison_every and self._mapped % self._poison_every == 0 and not self._seen.intersection(ids):
            self.poison.add(ids[0])
        self._seen.update(ids)
        good = tuple(each for each in ids if each not in self.poison)
        if len(good) < len(ids):
            return Expected("dead_lettered", "vendor_rejected", good)
        return Expected("delivered", "", ids)
