"""`connector explain`: one record's story, live or dead-lettered, on the embedded Kafka; nothing is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition

from connector.kafka.cases import Case
from connector.kafka.dead_letter import DeadLetter, rfc3339
from connector.kafka.marker import Marker, Spot
from connector.kafka.standing import standing
from connector.model.coordinate import Coordinate
from tests.broker.launcher.brokers import MockBroker
from tests.cli.answering import answering
from tests.cli.commandline import Ended, connector
from tests.letters import letter, write

KEY = "tse-s3cret-key"
LETTERS = "connector.dead-letter"
Unique = Callable[[str], str]

CLICK: dict[str, Any] = {
    "event_id": "00000000-0000-4000-8000-000000000001",
    "event_type": "click",
    "occurred_at": "2026-11-18T14:00:00Z",
    "channel": "web",
    "user": {"opaque_id": "b2222222-2222-4222-8222-222222222222"},
    "items": [{"product_id": "p-1"}],
    "placement": {"path": "/search"},
}


class Scene:
    """Three records in a topic, the group past the first, and a configuration that names a vendor."""

    def __init__(self, broker: MockBroker, folder: Path) -> None:
        self.broker = broker
        self._folder = folder
        broker.create_topic("clickstream", 2)
        broker.create_topic(LETTERS, 1)

    def produce(self, *values: dict[str, Any] | bytes) -> None:
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        for value in values:
            body = value if isinstance(value, bytes) else msgspec.json.encode(value)
            producer.produce("clickstream", body, b"k", partition=1, headers=[("h", b"x")], timestamp=7_000)
        producer.flush(15)

    def commit(self, offset: int) -> None:
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": "connector"})
        consumer.commit(offsets=[TopicPartition("clickstream", 1, offset)], asynchronous=False)
        consumer.close()

    def explain(self, where: str, *arguments: str, url: str | None = None) -> Ended:
        raw = {
            "destination": {
                "name": "topsort",
                "api_key": KEY,
                "url": url,
                "options": {"currency": "EUR"},
            },
            "source": {
                "topics": ["^click.*"],
                "group_id": "connector",
                "properties": {"bootstrap.servers": self.broker.bootstrap},
            },
        }
        file = self._folder / "connector.yaml"
        file.write_text(yaml.safe_dump(raw))
        ended = connector("explain", "-c", str(file), where, *arguments)
        assert KEY not in ended.out + ended.err
        return ended

    def facts(self, where: str) -> dict[str, Any]:
        ended = self.explain(where, "--json")
        assert ended.code == 0, ended.err
        found: dict[str, Any] = json.loads(ended.out)
        return found


@pytest.fixture
def scene(mock_broker: MockBroker, tmp_path: Path) -> Scene:
    return Scene(mock_broker, tmp_path)


def test_a_live_record_is_told_up_to_its_exact_request(scene: Scene) -> None:
    """Everything but the sending: the request is the vendor's, with the key hidden, and none arrives."""
    scene.produce(CLICK)
    with answering(200, b"") as vendor:
        ended = scene.explain("clickstream:1:0", url=f"{vendor.url}/v2/events")
        facts = json.loads(scene.explain("clickstream:1:0", "--json", url=f"{vendor.url}/v2/events").out)
        assert vendor.asked == []
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0] == "record    clickstream:1:0"
    assert lines[1].startswith(f"read      from the source topic: written {rfc3339(7_000)}, key of 1 bytes")
    assert f"decoded   click {CLICK['event_id']}, occurred 2026-11-18T14:00:00.000Z" in lines
    assert f"mapped    for topsort: 1 item: {CLICK['event_id']}" in lines
    assert "          Authorization: **********" in lines
    assert lines[-1] == "stands    the group has committed nothing in this partition"
    (request,) = facts["requests"]
    assert (request["method"], request["url"]) == ("POST", f"{vendor.url}/v2/events")
    assert f"          {request['body']}" in lines
    assert json.loads(request["body"])["clicks"][0]["id"] == CLICK["event_id"]
    assert facts["event"]["placement"] == {"path": "/search"}
    assert (facts["outcome"], facts["items"]) == ("mapped", [CLICK["event_id"]])


def test_refused_consent_is_told_where_it_decides(scene: Scene) -> None:
    """Which purposes count here, and what the event says of them."""
    scene.produce({**CLICK, "consent": {"advertising": False}})
    facts = scene.facts("clickstream:1:0")
    assert facts["consent"]["given"] == {"advertising": False}
    assert "advertising" in facts["consent"]["must_not_be_refused"]
    assert (facts["outcome"], facts["reason"], facts["requests"]) == ("skipped", "consent_denied", [])
    assert "advertising refused" in scene.explain("clickstream:1:0").out


def test_bytes_that_are_no_event_are_told_with_their_reason(scene: Scene) -> None:
    """And the exit code is 0: it was explained."""
    scene.produce(b"nonsense")
    ended = scene.explain("clickstream:1:0")
    assert ended.code == 0
    assert "decoded   no: refused, undecodable: neither framed Avro" in ended.out
    assert "request" not in ended.out


def test_what_is_committed_without_a_letter_was_delivered_or_skipped(scene: Scene) -> None:
    """The record before the group's offset, and the one at it."""
    scene.produce(CLICK, CLICK)
    scene.commit(1)
    assert scene.facts("clickstream:1:0")["stands"]["word"] == "settled"
    facts = scene.facts("clickstream:1:1")
    assert (facts["stands"]["word"], facts["committed"]) == ("open", 1)


def test_a_dead_letter_is_told_although_the_source_has_the_record_no_more(scene: Scene) -> None:
    """By the record's coordinate or the letter's own; with the headers that the record had."""
    scene.produce(CLICK, CLICK)
    record = Coordinate("clickstream", 1, 0)
    value = msgspec.json.encode({**CLICK, "items": "p-1"})
    write(scene.broker.bootstrap, LETTERS, [letter(record, "invalid_event", value=value)])
    scene.broker.delete_records("clickstream", 1, 1)
    for where in (str(record), f"{LETTERS}:0:0"):
        facts = scene.facts(where)
        assert facts["record"] == str(record)
        assert facts["read_from"] == "the dead letter; the source has it no more"
        assert facts["written_at"] is None
        assert (facts["outcome"], facts["reason"]) == ("refused", "invalid_event")
        assert facts["stands"]["word"] == "dead_lettered"
        assert facts["dead_letter"]["letters"] == ["0:0"]


def test_a_resolved_letter_says_what_became_of_it(scene: Scene) -> None:
    """The last chapter of the story."""
    scene.produce(CLICK)
    record = Coordinate("clickstream", 1, 0)
    marker = Marker(record, (Spot(0, 0),), "delivered", "", rfc3339(9)).letter(0)
    value = msgspec.json.encode(CLICK)
    write(scene.broker.bootstrap, LETTERS, [letter(record, value=value), marker])
    facts = scene.facts("clickstream:1:0")
    assert facts["stands"] == {
        "word": "resolved",
        "text": f"it was a dead letter (invalid_price) and is resolved: delivered at {rfc3339(9)}",
    }


@pytest.mark.parametrize(
    ("where", "code", "says"),
    [
        ("clickstream:1:1", 1, "Kafka has no record clickstream:1:1: it has the offsets 0 up to 1"),
        ("clickstream:7:0", 1, "clickstream has 2 partitions, and none with the number 7"),
        ("clicks:0:0", 1, "clicks does not exist, or may not be seen: the user needs Read on the topic"),
        ("orders:0:0", 1, "orders is none of source.topics, and there is no dead letter of orders:0:0"),
        ("clickstream", 2, "is not TOPIC:PARTITION:OFFSET"),
    ],
)
def test_a_record_that_is_not_there_is_told(scene: Scene, where: str, code: int, says: str) -> None:
    """With what Kafka has instead."""
    scene.produce(CLICK)
    ended = scene.explain(where)
    assert ended.code == code
    assert says in ended.err


def test_records_that_had_one_place_in_turn_are_not_mixed(scene: Scene) -> None:
    """The topic was created anew. Its place tells what Kafka has there, with that one's letter if it has one;
    a letter's own place tells the record that the letter is about."""
    place = Coordinate("clickstream", 1, 0)
    old, new = ({**CLICK, "event_id": f"00000000-0000-4000-8000-00000000000{n}"} for n in (2, 3))
    scene.produce(CLICK)
    values = [msgspec.json.encode(each) for each in (old, new)]
    write(scene.broker.bootstrap, LETTERS, [letter(place, value=value) for value in values])
    facts = scene.facts(str(place))
    assert facts["event"]["event_id"] == CLICK["event_id"]
    assert (facts["dead_letter"], facts["stands"]["word"]) == (None, "open")
    assert facts["read_from"] == (
        f"the source topic; other records had this place before it: see connector dlq show {place}"
    )
    for number, event in enumerate((old, new)):
        facts = scene.facts(f"{LETTERS}:0:{number}")
        assert facts["event"]["event_id"] == event["event_id"]
        assert facts["dead_letter"]["letters"] == [f"0:{number}"]
        assert facts["read_from"] == "the dead letter; the source has another record there by now"
    write(scene.broker.bootstrap, LETTERS, [letter(place, value=msgspec.json.encode(CLICK))])
    facts = scene.facts(str(place))
    assert facts["dead_letter"]["letters"] == ["0:2"]
    write(scene.broker.bootstrap, LETTERS, [letter(place, value=b"large", form=1)])
    ended = scene.explain(f"{LETTERS}:0:3")
    assert ended.code == 1
    assert "is another record by now; its dead letter was written without the value" in ended.err


def test_a_letter_without_its_value_is_told(scene: Scene) -> None:
    """Too large for the dead-letter topic, and gone from the source: nobody has it any more."""
    scene.produce(CLICK, CLICK)
    write(scene.broker.bootstrap, LETTERS, [letter(Coordinate("clickstream", 1, 0), form=1)])
    scene.broker.delete_records("clickstream", 1, 1)
    ended = scene.explain("clickstream:1:0")
    assert ended.code == 1
    assert "its dead letter was written without the value, as too large" in ended.err


# ── where it stands ──────────────────────────────────────────────────────────────────────────────


def case(replays: int = 0, marker: Marker | None = None) -> Case:
    failed = DeadLetter(
        "orders", 0, 5, "invalid_price", "acme", rfc3339(0), message="invalid_price: x", replays=replays
    )
    return Case(Coordinate("orders", 0, 5), failed, Spot(0, 0), (Spot(0, 0),), marker)


@pytest.mark.parametrize(
    ("committed", "found", "word", "says"),
    [
        (None, None, "open", "nothing in this partition"),
        (5, None, "open", "not committed: the group is at 5, 0 before it"),
        (3, None, "open", "the group is at 3, 2 before it"),
        (6, None, "settled", "the group is at 6"),
        (6, case(), "dead_lettered", "invalid_price: x"),
        (5, case(2), "dead_lettered", "failed again in replay 2"),
        (6, case(marker=Marker(Coordinate("orders", 0, 5), None)), "resolved", "marked by hand"),
    ],
)
def test_a_record_stands_where_kafka_says(
    committed: int | None, found: Case | None, word: str, says: str
) -> None:
    """A dead letter decides before the offset does: it is written before the commit."""
    told = standing(5, committed, found)
    assert told.word == word
    assert says in told.text
