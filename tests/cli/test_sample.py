"""`connector sample`: printed as JSON Lines, or written to Kafka as the configuration says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.codec import schemas
from connector.codec.avro_form import WriterSchema
from connector.codec.decoder import Decoder
from connector.codec.encode import Json
from connector.kafka.embedded import EmbeddedKafka
from connector.model.event import ClickstreamEvent, OrderEvent
from connector.model.record import Lease, Record
from tests.broker.launcher.brokers import Broker
from tests.cli.answering import answering
from tests.cli.commandline import Ended, connector
from tests.kafka.test_produce import everything

COUNT = 300

Unique = Callable[[str], str]


def printed(*arguments: str) -> list[Json]:
    ended = connector("sample", *arguments)
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


# ── printed ──────────────────────────────────────────────────────────────────────────────────────


def test_so_many_lines_are_printed_as_asked() -> None:
    """A thousand without being asked; none is a number, too."""
    assert len(printed()) == 1_000
    assert len(printed("--count", "7")) == 7
    assert printed("--count", "0") == []


def test_seed_and_kind_decide_what_is_printed() -> None:
    """The same bytes for the same seed; only orders, only the rest, or both."""
    one, again, other = (connector("sample", "--count", "50", "--seed", seed).out for seed in "118")
    assert one == again != other
    assert all("order" in event for event in printed("--count", "50", "--topic-kind", "orders"))
    assert not any("order" in event for event in printed("--count", "50", "--topic-kind", "clickstream"))


def test_now_is_the_moment_they_lead_up_to() -> None:
    """All a little before it."""
    times = [event["occurred_at"] for event in printed("--count", "50", "--now", "2026-11-18T14:03:07Z")]
    assert 1_795_010_587_000 - 120_000 < min(times) < max(times) < 1_795_010_587_000


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    """As with `| head -1`, also under a locale that knows no umlauts."""
    command = [sys.executable, "-m", "connector", "sample", "--count", "100000"]
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--count", "-1"), "--count"),
        (("--topic-kind", "carts"), "--topic-kind"),
        (("--now", "yesterday"), "RFC 3339"),
    ],
)
def test_bad_usage_is_told_and_exits_2(arguments: tuple[str, ...], word: str) -> None:
    """Nothing is printed."""
    ended = connector("sample", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert word in ended.err


# ── written ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka() as cluster:
        for topic in ("web.clicks", "shop.Orders", "other"):
            cluster.create_topic(topic, 1)
        yield cluster


def written(tmp_path: Path, kafka: EmbeddedKafka | None, source: dict[str, Any], *arguments: str) -> Ended:
    """The command with a configuration whose source holds these."""
    raw = {
        "destination": {"name": "topsort", "api_key": "tse-key", "options": {"currency": "EUR"}},
        "source": {
            "topics": ["^orders-.*", "web.clicks", "shop.Orders"],
            "group_id": "connector",
            "properties": {"bootstrap.servers": kafka.bootstrap if kafka else "127.0.0.1:1"},
        }
        | source,
    }
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(raw))
    return connector("sample", "--produce", "-c", str(file), "--count", str(COUNT), *arguments)


class OneSchema:
    """The registry's answer to every id: the shipped schema."""

    def __init__(self, record: schemas.RecordName) -> None:
        self._schema = WriterSchema(schemas.text(record))

    def get(self, schema_id: int) -> WriterSchema:
        assert schema_id == 7
        return self._schema


def decoded(kafka: EmbeddedKafka, topic: str, count: int, decoder: Decoder) -> list[tuple[bytes | None, Any]]:
    lease = Lease(topic, 0, 1)
    return [
        (key, decoder.decode(Record(lease, offset, 0, key, value, ())))
        for offset, (key, value) in enumerate(everything(kafka, topic, count))
    ]


@pytest.mark.parametrize(
    "formats", ["auto", "json", {"web.clicks": "json", "shop.Orders": "avro-raw:OrderEvent"}], ids=str
)
def test_events_go_to_the_topics_named_like_them(tmp_path: Path, kafka: EmbeddedKafka, formats: Any) -> None:
    """In the topic's format, keyed by order or by shopper; patterns name no topic to write to."""
    ended = written(tmp_path, kafka, {"format": formats})
    assert (ended.code, ended.err) == (0, "")
    counts = {line.split()[-1]: int(line.split()[0]) for line in ended.out.splitlines()}
    assert set(counts) == {"shop.Orders", "web.clicks"}
    assert sum(counts.values()) == COUNT
    decoder = Decoder(formats)
    orders = decoded(kafka, "shop.Orders", counts["shop.Orders"], decoder)
    assert all(
        isinstance(event, OrderEvent) and key == event.order.order_id.encode() for key, event in orders
    )
    for key, event in decoded(kafka, "web.clicks", counts["web.clicks"], decoder):
        assert not isinstance(event, OrderEvent)
        assert key
        if event.user is not None:  # None where the event type is unknown: of those only the envelope is read
            assert key.decode() in (event.user.anonymous_id, event.user.opaque_id)


def test_framed_avro_is_registered_first(tmp_path: Path, kafka: EmbeddedKafka) -> None:
    """Under TOPIC-value, and written with the id that the registry gave."""
    with answering(200, b'{"id": 7}') as registry:
        ended = written(
            tmp_path,
            kafka,
            {"schema_registry": {"url": registry.url}},
            "--topic-kind",
            "clickstream",
            "--clickstream-topic",
            "other",
        )
    assert ended.out == f"{COUNT} events to other\n"
    ((method, path, _, body),) = registry.asked
    assert (method, path) == ("POST", "/subjects/other-value/versions")
    assert json.loads(body) == {"schema": schemas.text("ClickstreamEvent"), "schemaType": "AVRO"}
    decoder = Decoder("avro", OneSchema("ClickstreamEvent"))
    events = [event for _, event in decoded(kafka, "other", COUNT, decoder)]
    assert sum(isinstance(event, ClickstreamEvent) for event in events) > COUNT * 0.9


def test_written_events_are_of_now(tmp_path: Path, kafka: EmbeddedKafka) -> None:
    """Unless another moment is asked for: a stream that is written should look alive."""
    written(tmp_path, kafka, {"format": "json"}, "--topic-kind", "orders")
    ((_, fresh), *_) = decoded(kafka, "shop.Orders", COUNT, Decoder("json"))
    assert fresh.occurred_at > 1_750_000_000_000


def test_what_cannot_be_written_is_told(tmp_path: Path, kafka: EmbeddedKafka) -> None:
    """No topic named like it, the wrong record for a topic, no configuration: bad usage, exit 2. A registry
    that refuses: exit 1."""
    ended = written(tmp_path, kafka, {"topics": ["web.clicks"]})
    assert (ended.code, "--orders-topic" in ended.err) == (2, True)
    ended = written(tmp_path, kafka, {"format": "avro-raw:OrderEvent"})
    assert (ended.code, "holds OrderEvent" in ended.err) == (2, True)
    assert connector("sample", "--produce").code == 2
    with answering(409) as registry:
        ended = written(tmp_path, kafka, {"schema_registry": {"url": registry.url}})
    assert (ended.code, "answered 409" in ended.err) == (1, True)


def test_a_topic_that_does_not_exist_is_named(tmp_path: Path, real_broker: Broker, unique: Unique) -> None:
    """With what to do, and not the one that does exist; exit 1, as for a Kafka that is not there."""
    orders, clicks = unique("orders"), unique("clicks")
    real_broker.create_topic(orders, 1)
    properties = {"bootstrap.servers": real_broker.bootstrap, "topic.metadata.propagation.max.ms": "0"}
    ended = written(tmp_path, None, {"topics": [orders, clicks], "properties": properties})
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"Kafka: {clicks} does not exist, or may not be seen: create it")
    assert orders not in ended.err


def test_an_unreachable_kafka_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with exit code 1."""
    monkeypatch.setattr("connector.kafka.produce.TIMEOUT_MS", 300)
    ended = written(tmp_path, None, {"format": "json"})
    assert ended.code == 1
    assert ended.err.startswith("Kafka: ")
