"""What the chaos tests share: records in two topics, a vendor with faults, and the books at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from connector.cli.loop import fast_loop
from connector.codec.avro_form import WriterSchema
from connector.codec.decoder import Decoder, NotFound
from connector.codec.encode import encode_framed
from connector.codec.schemas import text
from connector.conservation import Conservation, Found, Outcomes, Produced, audit
from connector.demo.stage import QUICK
from connector.faults import Faults
from connector.kafka.dead_letter import parse
from connector.kafka.inspect import Cluster
from connector.sample import NOW_MS
from connector.sandbox import SandboxServer, SandboxThread
from connector.settings import typed_options
from connector.settings.reference import example_options
from connector.traffic import Oracle, Planned, TopicKind, Traffic
from connector.vendors import DESTINATIONS
from connector.vendors.topsort import Topsort
from connector.witness import Witness
from tests.broker.launcher.brokers import Broker
from tests.chaos.rig import ConnectorProcess, produce

SEED = int(os.environ.get("CHAOS_SEED", "1"))
POISON_EVERY = 1_000
ASK_S = 10.0

UNCAPPED = {"requests_per_second": 0}
"""How fast a vendor lets us be proves nothing here, and minutes would be waited away."""

FORMATS: Mapping[TopicKind, str] = {"orders": "avro", "clickstream": "json"}
"""Avro in Confluent's wire format for the one, so that the registry has its part."""

Encode = Mapping[TopicKind, Callable[[dict[str, Any]], bytes]]
"""How an event is written in each topic's format."""


def sample_traffic(events: int) -> Callable[[Encode], Iterable[Planned]]:
    """Shopping sessions with a mistake and a repeat in every thousand."""
    return lambda encode: Traffic(events, SEED, NOW_MS, encode, mistakes=0.001, repeats=0.001)


class Records:
    """Planned records in a topic of each kind, and where each of them lies. Any number of scenes may read
    them."""

    def __init__(
        self,
        broker: Broker,
        registry_url: str,
        unique: Callable[[str], str],
        plan: Callable[[Encode], Iterable[Planned]],
        kinds: Sequence[TopicKind] = ("orders", "clickstream"),
        partitions: int = 6,
    ) -> None:
        print(f"\nCHAOS_SEED={SEED}")
        self.broker = broker
        self.registry_url = registry_url
        self.topics = {kind: unique(kind) for kind in kinds}
        self.formats = {topic: FORMATS[kind] for kind, topic in self.topics.items()}
        for topic in self.topics.values():
            broker.create_topic(topic, partitions)
        schema_id = _registered(registry_url, f"{unique('orders')}-value")
        self.decoder = Decoder(self.formats, _OneSchema(schema_id))
        planned = plan(
            {
                "orders": lambda event: encode_framed(schema_id, event, "OrderEvent"),
                "clickstream": msgspec.json.encode,
            }
        )
        self.planned = [*planned]
        written = produce(broker.bootstrap, self.planned, self.topics)
        place = {id(record): coordinate for record, coordinate in written}
        self.coordinates = [place[id(each)] for each in self.planned]
        """`topic:partition:offset` of each planned record."""


class Scene:
    """One story: a group that carries records to one destination, what must become of them, and a vendor in
    trouble."""

    def __init__(
        self,
        records: Records,
        unique: Callable[[str], str],
        folder: Path,
        *,
        faults: str,
        destination: str = Topsort.name,
        poison_every: int = POISON_EVERY,
        latency_s: float = 0.005,
    ) -> None:
        self.folder = folder
        self.group_id = unique("group")
        self.dead_letter_topic = unique("dead-letter")
        self._from = records
        records.broker.create_topic(self.dead_letter_topic, 3)
        kind = DESTINATIONS[destination]
        self._kind = kind
        self._options = example_options(kind.Options) | QUICK.get(destination, {})
        options = typed_options(destination, self._options)
        oracle = Oracle(records.decoder, kind(options), records.topics, NOW_MS, poison_every)
        expected = [oracle.expect(each) for each in records.planned]
        self.records = [*zip(records.coordinates, expected, strict=True)]
        """Every record's coordinate and what must become of it."""
        poison = (f"poison:{each}" for each in sorted(oracle.poison))
        spec = ",".join(filter(None, [faults, *poison]))
        self._witness = Witness(kind.sandbox(options), oracle.bodies)
        self._sandbox = SandboxThread(
            lambda: SandboxServer.of(
                kind, options, stand_in=self._witness, faults=Faults.parse(spec, SEED), latency_s=latency_s
            ),
            fast_loop,
        )

    def __enter__(self) -> Scene:
        self._sandbox.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.__exit__(None, None, None)

    def connector(
        self, name: str = "connector", module: str = "connector", **changes: dict[str, Any]
    ) -> ConnectorProcess:
        """A connector process in this scene's group; `changes` go over sections of its configuration."""
        settings: dict[str, dict[str, Any]] = {
            "destination": {
                "name": self._kind.name,
                "url": self._sandbox.url,
                "api_key": "chaos-key",
                "options": self._options,
            },
            "source": {
                "topics": [*self._from.topics.values()],
                "group_id": self.group_id,
                "format": self._from.formats,
                "properties": {
                    "bootstrap.servers": self._from.broker.bootstrap,
                    "session.timeout.ms": 6000,
                },
                "schema_registry": {"url": self._from.registry_url},
            },
            "delivery": {"request_timeout_s": 2},
            "dead_letter": {"topic": self.dead_letter_topic},
            "http": {"host": "127.0.0.1", "port": 0},
        }
        for section, values in changes.items():
            settings[section] = {**settings.get(section, {}), **values}
        return ConnectorProcess(self.folder, settings, name, module)

    # ── the books ────────────────────────────────────────────────────────────────────────────────

    def lag(self) -> int:
        """Records between the committed offsets and the log ends."""
        committed = self._committed()
        ends = {
            (topic, number): end
            for topic in self._from.topics.values()
            for number, end in self._from.broker.end_offsets(topic).items()
        }
        return sum(end - committed.get(place, 0) for place, end in ends.items())

    def ledger(self, ids: bool = True) -> dict[str, Any]:
        """What the vendor counted."""
        return self._sandbox.snapshot(ids)

    def accepted(self) -> dict[str, int]:
        """How often the vendor took each id."""
        ids: dict[str, int] = self.ledger()["accepted"]["ids"]
        return ids

    def faults(self) -> dict[str, int]:
        """What went wrong at the vendor, by kind."""
        faults: dict[str, int] = self.ledger(ids=False)["faults"]
        return faults

    def missing_and_unexpected(self) -> tuple[set[str], set[str]]:
        """Ids that the vendor should hold and does not, and those it holds and should not."""
        must = {each for _, expected in self.records for each in expected.ids}
        accepted = self.accepted().keys()
        return must - accepted, accepted - must

    def dead_letters(self) -> set[tuple[str, str]]:
        """Coordinate and reason of every dead letter there is, as a set: a crash may write one twice."""
        with self._cluster() as cluster:
            letters = [parse(each.headers) for each in cluster.records(self.dead_letter_topic)]
        assert None not in letters, "somebody else wrote into the dead-letter topic"
        return {(each.coordinate, each.reason) for each in letters if each is not None}

    def dead_letters_due(self) -> set[tuple[str, str]]:
        """Coordinate and reason of every dead letter there must be."""
        return {(place, must.reason) for place, must in self.records if must.outcome == "dead_lettered"}

    def books(self, counted: Outcomes) -> Conservation:
        """What Kafka and the vendor hold, and what the connector counted, against what had to happen."""
        produced = []
        for coordinate, must in self.records:
            topic, partition, offset = coordinate.rsplit(":", 2)
            produced.append(Produced(topic, int(partition), int(offset), must))
        ledger = self.ledger()
        found = Found(
            counted,
            dict(self.dead_letters()),
            self._committed(),
            ledger["accepted"]["ids"],
            ledger["ignored"]["ids"],
            self._witness.altered,
        )
        return audit(len(self.records), produced, found, self._kind.unavoidable)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _cluster(self) -> Cluster:
        return Cluster({"bootstrap.servers": self._from.broker.bootstrap}, self.group_id, ASK_S)

    def _committed(self) -> dict[tuple[str, int], int]:
        with self._cluster() as cluster:
            known = cluster.topics()
            topics = [(topic, known[topic]) for topic in self._from.topics.values()]
            offsets = cluster.committed(topics)
        places = [(topic, number) for topic, partitions in topics for number in range(partitions)]
        return {place: offset for place, offset in zip(places, offsets, strict=True) if offset is not None}


class _OneSchema:
    """The registry of the oracle: it knows the one id that the producer uses."""

    def __init__(self, schema_id: int) -> None:
        self._id = schema_id
        self._schema = WriterSchema(text("OrderEvent"))

    def get(self, schema_id: int) -> WriterSchema | NotFound | None:
        return self._schema if schema_id == self._id else NotFound()


def _registered(url: str, subject: str) -> int:
    with SchemaRegistryClient({"url": url}) as client:
        return int(client.register_schema(subject, Schema(text("OrderEvent"), "AVRO")))
