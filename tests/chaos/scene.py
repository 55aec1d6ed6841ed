"""What the chaos tests share: records in two topics, a vendor with faults, and the books at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from connector.codec.avro_form import WriterSchema
from connector.codec.decoder import Decoder, NotFound
from connector.codec.encode import encode_framed
from connector.codec.schemas import text
from connector.faults import Faults
from connector.sample import NOW_MS
from connector.sandbox import SandboxServer, SandboxThread
from connector.traffic import Oracle, TopicKind, Traffic
from connector.vendors.topsort import Topsort
from connector.vendors.topsort.settings import TopsortOptions
from tests.chaos.rig import ConnectorProcess, Group, produce

SEED = int(os.environ.get("CHAOS_SEED", "1"))
POISON_EVERY = 1_000
OPTIONS = {"currency": "EUR"}


class Scene:
    """One story: topics, a group, planned traffic with what must become of it, and a vendor in trouble."""

    def __init__(
        self,
        bootstrap: str,
        registry_url: str,
        create_topic: Callable[[str, int], None],
        unique: Callable[[str], str],
        folder: Path,
        *,
        events: int,
        faults: str,
        partitions: int = 6,
        latency_s: float = 0.005,
    ) -> None:
        print(f"\nCHAOS_SEED={SEED}")
        self.bootstrap = bootstrap
        self.folder = folder
        self.topics: dict[TopicKind, str] = {"orders": unique("orders"), "clickstream": unique("clickstream")}
        self.group_id = unique("group")
        self.dead_letter_topic = unique("dead-letter")
        self._registry_url = registry_url
        for topic in self.topics.values():
            create_topic(topic, partitions)
        create_topic(self.dead_letter_topic, 3)
        self.group = Group(bootstrap, self.group_id)
        self._schema_id = _registered(registry_url, f"{self.topics['orders']}-value")
        options = TopsortOptions.model_validate(OPTIONS)
        oracle = Oracle(
            Decoder(self._formats, _OneSchema(self._schema_id)),
            Topsort(options),
            self.topics,
            NOW_MS,
            POISON_EVERY,
        )
        planned = [*self._traffic(events)]
        expected = [oracle.expect(each) for each in planned]
        poison = ",".join(f"poison:{each}" for each in sorted(oracle.poison))
        self._sandbox = SandboxThread(
            lambda: SandboxServer.of(
                Topsort, options, faults=Faults.parse(f"{faults},{poison}", SEED), latency_s=latency_s
            )
        )
        written = produce(bootstrap, planned, self.topics)
        place = {id(record): coordinate for record, coordinate in written}
        self.records = [(place[id(one)], must) for one, must in zip(planned, expected, strict=True)]
        """Every record's coordinate and what must become of it."""

    def __enter__(self) -> Scene:
        self._sandbox.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.__exit__(None, None, None)

    def connector(self, name: str = "connector", **changes: dict[str, Any]) -> ConnectorProcess:
        """A connector process in this scene's group; `changes` go over sections of its configuration."""
        settings: dict[str, dict[str, Any]] = {
            "destination": {
                "name": "topsort",
                "url": self._sandbox.url,
                "api_key": "chaos-key",
                "options": OPTIONS,
            },
            "source": {
                "topics": [*self.topics.values()],
                "group_id": self.group_id,
                "format": self._formats,
                "properties": {"bootstrap.servers": self.bootstrap, "session.timeout.ms": 6000},
                "schema_registry": {"url": self._registry_url},
            },
            "delivery": {"request_timeout_s": 2},
            "dead_letter": {"topic": self.dead_letter_topic},
            "http": {"host": "127.0.0.1", "port": 0},
        }
        for section, values in changes.items():
            settings[section] = {**settings.get(section, {}), **values}
        return ConnectorProcess(self.folder, settings, name)

    # ── the books ────────────────────────────────────────────────────────────────────────────────

    def lag(self) -> int:
        """Records between the committed offsets and the log ends."""
        return sum(self.group.lag(self.topics.values()).values())

    def accepted(self) -> dict[str, int]:
        """How often the vendor took each id."""
        accepted = self._sandbox.snapshot()["accepted"]
        assert isinstance(accepted, dict)
        ids: dict[str, int] = accepted["ids"]
        return ids

    def faults(self) -> dict[str, int]:
        """What went wrong at the vendor, by kind."""
        faults = self._sandbox.snapshot(ids=False)["faults"]
        assert isinstance(faults, dict)
        return faults

    def missing_and_unexpected(self) -> tuple[set[str], set[str]]:
        """Ids that the vendor should hold and does not, and those it holds and should not."""
        must = {each for _, expected in self.records for each in expected.ids}
        accepted = self.accepted().keys()
        return must - accepted, accepted - must

    def dead_letters(self) -> set[tuple[str, str]]:
        """Coordinate and reason of every dead letter there is, as a set: a crash may write one twice."""
        return set(self.group.dead_letters(self.dead_letter_topic))

    def dead_letters_due(self) -> set[tuple[str, str]]:
        """Coordinate and reason of every dead letter there must be."""
        return {(place, must.reason) for place, must in self.records if must.outcome == "dead_lettered"}

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    @property
    def _formats(self) -> dict[str, str]:
        return {self.topics["orders"]: "avro", self.topics["clickstream"]: "json"}

    def _traffic(self, events: int) -> Traffic:
        encode: dict[TopicKind, Callable[[dict[str, Any]], bytes]] = {
            "orders": lambda event: encode_framed(self._schema_id, event, "OrderEvent"),
            "clickstream": msgspec.json.encode,
        }
        return Traffic(events, SEED, NOW_MS, encode, mistakes=0.001, repeats=0.001)


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
