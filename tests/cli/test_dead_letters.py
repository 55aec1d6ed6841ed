"""`connector dlq list`, `show` and `stats` over a dead-letter topic on the embedded Kafka."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from connector.kafka.dead_letter import Letter, rfc3339
from connector.kafka.embedded import EmbeddedKafka
from connector.kafka.marker import Marker, Spot
from connector.model.coordinate import Coordinate
from connector.model.item import Rejection
from tests.cli.commandline import Ended, connector
from tests.letters import letter, write

TOPIC = "connector.dead-letter"
DAY_MS = 86_400_000
KEY = "tse-s3cret-key"
PERSONAL = b'{"user": {"email": "olena@example.org"}}'

RESOLVED = Coordinate("clickstream", 0, 9)
REFUSED = (
    Rejection("vendor_rejected", "items.0: \x1b[31mno price", 422, b'{"why":"no price"}', "i-2", 3),
    Rejection("vendor_rejected", "", 422, b"", "i-3", 2),
)
LETTERS: Sequence[Letter] = (
    letter(Coordinate("orders", 3, 42), failed_at_ms=DAY_MS, value=PERSONAL, more=(("trace", b"t-1"),)),
    letter(Coordinate("orders", 3, 42), failed_at_ms=DAY_MS + 1, value=PERSONAL, more=(("trace", b"t-1"),)),
    letter(Coordinate("clickstream", 0, 5), failed_at_ms=2 * DAY_MS, rejections=REFUSED, replays=1),
    letter(Coordinate("clickstream", 0, 6), "undecodable", failed_at_ms=2 * DAY_MS, event_type=""),
    letter(RESOLVED, "payload_too_large", failed_at_ms=3 * DAY_MS, form=1),
    Marker(RESOLVED, (Spot(0, 4),), "skipped", "stale_event", rfc3339(4 * DAY_MS)).letter(0),
)


@pytest.fixture(scope="module")
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka() as kafka:
        kafka.create_topic(TOPIC, 3)
        write(kafka.bootstrap, TOPIC, LETTERS)
        yield kafka


@pytest.fixture
def config(kafka: EmbeddedKafka, tmp_path: Path) -> str:
    """A configuration's file."""
    return file_of(tmp_path, kafka.bootstrap)


def file_of(folder: Path, bootstrap: str, topic: str = TOPIC) -> str:
    raw = {
        "destination": {"name": "topsort", "api_key": KEY, "options": {"currency": "EUR"}},
        "source": {
            "topics": ["orders", "clickstream"],
            "group_id": "connector",
            "properties": {"bootstrap.servers": bootstrap},
        },
        "dead_letter": {"topic": topic},
    }
    file = folder / "connector.yaml"
    file.write_text(yaml.safe_dump(raw))
    return str(file)


def records(ended: Ended) -> list[str]:
    """The first word of each line below the head."""
    assert ended.code == 0, ended.err
    return [line.split()[0] for line in ended.out.splitlines()[1:]]


# ── list ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_is_a_record_however_often_its_letter_was_written(config: str) -> None:
    """Oldest failure first; what is resolved is not in the way, and no payload is shown."""
    ended = connector("dlq", "list", "-c", config)
    assert records(ended) == ["orders:3:42", "clickstream:0:5", "clickstream:0:6"]
    head, first, second, *_ = ended.out.splitlines()
    assert head.split() == ["RECORD", "FAILED", "AT", "REASON", "EVENT", "TYPE", "REPLAYS", "WHY"]
    assert first.split() == ["orders:3:42", rfc3339(DAY_MS + 1), "invalid_price", "click", "0", "items[0]"]
    assert second.endswith(r"items.0: \x1b[31mno price"), "a vendor's words never reach a terminal raw"
    assert ended.err.splitlines() == ["3 open, 0 resolved"]
    assert "olena" not in ended.out


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--reason", "vendor_rejected"), ["clickstream:0:5"]),
        (("--reason", "vendor_rejected", "--reason", "undecodable"), ["clickstream:0:5", "clickstream:0:6"]),
        (("--topic", "orders"), ["orders:3:42"]),
        (("--event-type", "click"), ["orders:3:42", "clickstream:0:5"]),
        (("--since", "1970-01-03T00:00:00Z"), ["clickstream:0:5", "clickstream:0:6"]),
        (("--until", "1970-01-03T01:00:00+01:00"), ["orders:3:42"]),
        (("--resolved",), ["clickstream:0:9"]),
        (("--all", "--topic", "clickstream"), ["clickstream:0:5", "clickstream:0:6", "clickstream:0:9"]),
        (("--reason", "http_418"), []),
    ],
)
def test_a_filter_takes_what_it_says(config: str, options: Sequence[str], found: list[str]) -> None:
    assert records(connector("dlq", "list", "-c", config, *options)) == found


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--reason", "invalid_prices"), "did you mean invalid_price?"),
        (("--since", "yesterday"), "not an RFC 3339 time"),
    ],
)
def test_a_filter_that_can_mean_nothing_is_bad_usage(config: str, options: Sequence[str], says: str) -> None:
    """Instead of an empty list, which would look like good news."""
    ended = connector("dlq", "list", "-c", config, *options)
    assert ended.code == 2
    assert says in ended.err


def test_json_is_a_line_a_record(config: str) -> None:
    """For scripts: everything but the payload and the vendor's words."""
    ended = connector("dlq", "list", "-c", config, "--all", "--json")
    found = {facts["record"]: facts for facts in map(json.loads, ended.out.splitlines())}
    assert [*found] == ["orders:3:42", "clickstream:0:5", "clickstream:0:6", "clickstream:0:9"]
    assert found["orders:3:42"]["letters"] == ["0:0", "0:1"]
    assert found["clickstream:0:5"] == {
        "record": "clickstream:0:5",
        "state": "open",
        "reason": "vendor_rejected",
        "message": "vendor_rejected: items.0: \x1b[31mno price",
        "destination": "topsort",
        "group_id": "connector",
        "event_id": "e-1",
        "event_type": "click",
        "failed_at": rfc3339(2 * DAY_MS),
        "response_status": 422,
        "attempts": 3,
        "items": ["i-2", "i-3"],
        "replays": 1,
        "settings": "5e77",
        "value_omitted": None,
        "letters": ["0:2"],
        "resolved": None,
    }
    assert found["clickstream:0:9"]["resolved"] == {
        "outcome": "skipped",
        "reason": "stale_event",
        "at": rfc3339(4 * DAY_MS),
    }
    assert found["clickstream:0:9"]["value_omitted"] == "value"


def test_what_is_not_ours_is_told(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Another tool's record in the topic is nobody's letter, and nobody should believe that it is."""
    kafka.create_topic("shared", 1)
    write(kafka.bootstrap, "shared", [Letter(None, b"x", ()), LETTERS[0]])
    ended = connector("dlq", "list", "-c", file_of(tmp_path, kafka.bootstrap, "shared"))
    assert records(ended) == ["orders:3:42"]
    assert ended.err.splitlines() == ["1 open, 0 resolved", "1 records of the topic are not the connector's"]


def test_two_connectors_may_share_a_topic(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """One record that neither could deliver is two cases, and it is said whose each is; the one that asks
    sees its own first."""
    kafka.create_topic("both", 1)
    record = Coordinate("orders", 0, 1)
    theirs = letter(record, destination="moloco", group_id="other", failed_at_ms=1)
    write(kafka.bootstrap, "both", [theirs, letter(record, failed_at_ms=2)])
    config = file_of(tmp_path, kafka.bootstrap, "both")
    lines = connector("dlq", "list", "-c", config).out.splitlines()
    assert ["moloco (other)" in line for line in lines] == [False, True, False]
    assert ["topsort (connector)" in line for line in lines] == [False, False, True]
    shown = rows(connector("dlq", "show", "-c", config, str(record)))
    assert shown["destination"] == "topsort, by connector"
    shown = rows(connector("dlq", "show", "-c", config, "both:0:0"))
    assert shown["destination"] == "moloco, by other"


def test_a_topic_that_is_not_there_is_told(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Exit code 1, and one line that names it."""
    for command in (("list",), ("stats",), ("show", "orders:3:42")):
        ended = connector("dlq", *command, "-c", file_of(tmp_path, kafka.bootstrap, "nowhere"))
        assert ended.code == 1
        assert ended.err.splitlines() == [
            "the dead-letter topic nowhere does not exist, or may not be seen"
        ], command


# ── show ─────────────────────────────────────────────────────────────────────────────────────────


def rows(ended: Ended) -> dict[str, str]:
    assert ended.code == 0, ended.err
    return {line[:14].strip(): line[15:] for line in ended.out.splitlines()}


@pytest.mark.parametrize("where", ["clickstream:0:5", f"{TOPIC}:0:2"])
def test_one_letter_is_shown_in_full(config: str, where: str) -> None:
    """By its record, or by the place of the letter itself: why, what the vendor said, which items."""
    shown = rows(connector("dlq", "show", "-c", config, where))
    now = shown.pop("settings")
    assert now.startswith("5e77 (now ")
    assert shown == {
        "record": "clickstream:0:5",
        "state": "open",
        "reason": "vendor_rejected",
        "why": r"vendor_rejected: items.0: \x1b[31mno price",
        "destination": "topsort, by connector",
        "event": "click e-1",
        "failed at": rfc3339(2 * DAY_MS),
        "attempts": "3",
        "answer": '422 {"why":"no price"}',
        "items refused": "i-2, i-3",
        "replays": "1",
        "letters": f"{TOPIC}:0:2",
        "key": "1 bytes, hidden, as it may be personal; --payload shows it",
        "headers": "none",
        "value": "1 bytes, hidden, as it may be personal; --payload shows it",
    }


def test_a_payload_is_shown_to_those_who_ask_for_it(config: str) -> None:
    """Key, headers and value may be personal data, and a terminal is often watched by others."""
    hidden = connector("dlq", "show", "-c", config, "orders:3:42")
    assert "olena" not in hidden.out
    assert "t-1" not in hidden.out
    shown = rows(connector("dlq", "show", "-c", config, "orders:3:42", "--payload"))
    assert shown["value"] == PERSONAL.decode()
    assert shown["header"] == "trace: t-1"
    assert shown["letters"] == f"{TOPIC}:0:0, {TOPIC}:0:1"
    assert shown["answer"] == "none; it was refused before it was sent"


def test_a_letter_that_is_resolved_says_how(config: str) -> None:
    """And one whose value the topic would not take says where it may still be."""
    shown = rows(connector("dlq", "show", "-c", config, "clickstream:0:9"))
    assert shown["state"] == f"resolved: skipped stale_event {rfc3339(4 * DAY_MS)}"
    assert shown["value"] == "value left out as too large for the topic; the source may have the record"


def test_show_speaks_json_too(config: str) -> None:
    """The payload as base64, and only when it was asked for."""
    hidden = json.loads(connector("dlq", "show", "-c", config, "orders:3:42", "--json").out)
    assert "value" not in hidden
    shown = json.loads(connector("dlq", "show", "-c", config, "orders:3:42", "--json", "--payload").out)
    assert shown["reason"] == "invalid_price"
    assert base64.b64decode(shown["value"]) == PERSONAL
    assert shown["headers"] == [["trace", base64.b64encode(b"t-1").decode()]]


def test_two_records_that_had_one_place_are_both_shown(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """The topic was created anew: what became of the one says nothing of the other, which is open."""
    kafka.create_topic("anew", 1)
    place = Coordinate("orders", 1, 7)
    marker = Marker(place, (Spot(0, 1),), "delivered", "", rfc3339(DAY_MS))
    old = letter(place, "undecodable", failed_at_ms=1, value=b"old")
    new = letter(place, failed_at_ms=2, value=b"new")
    write(kafka.bootstrap, "anew", [old, new, marker.letter(0)])
    config = file_of(tmp_path, kafka.bootstrap, "anew")
    told = connector("dlq", "show", "-c", config, str(place), "--payload").out.split("\n\n")
    assert [text.splitlines()[0] for text in told] == [
        f"{number} of 2 records that had this place in turn, as the topic was created anew"
        for number in (1, 2)
    ]
    for text, found in zip(
        told, (("open", "undecodable", "old"), ("resolved", "invalid_price", "new")), strict=True
    ):
        assert [line for line in text.splitlines() if line.startswith("record ")] == [
            f"record         {place}"
        ]
        for words in found:
            assert words in text
    both = connector("dlq", "show", "-c", config, str(place), "--json").out.splitlines()
    assert [json.loads(line)["letters"] for line in both] == [["0:0"], ["0:1"]]
    assert rows(connector("dlq", "show", "-c", config, "anew:0:0"))["state"] == "open"


@pytest.mark.parametrize(
    ("where", "code", "says"),
    [
        ("orders:3:43", 1, f"{TOPIC} has no letter of orders:3:43"),
        (f"{TOPIC}:0:5", 1, f"{TOPIC} has no letter of {TOPIC}:0:5"),
        ("orders", 2, "is not TOPIC:PARTITION:OFFSET"),
    ],
)
def test_a_record_without_letter_is_told(config: str, where: str, code: int, says: str) -> None:
    """A marker is no letter either."""
    ended = connector("dlq", "show", "-c", config, where)
    assert ended.code == code
    assert says in ended.err


# ── stats ────────────────────────────────────────────────────────────────────────────────────────


def test_stats_count_records_by_reason_event_type_and_day(config: str) -> None:
    """Open and resolved beside each other, the frequent first, days in their order."""
    found = json.loads(connector("dlq", "stats", "-c", config, "--json").out)
    one = {"open": 1, "resolved": 0}
    assert found == {
        "all": {"all": {"open": 3, "resolved": 1}},
        "reason": {
            "invalid_price": one,
            "payload_too_large": {"open": 0, "resolved": 1},
            "undecodable": one,
            "vendor_rejected": one,
        },
        "event type": {"click": {"open": 2, "resolved": 1}, "-": one},
        "day": {
            "1970-01-02": one,
            "1970-01-03": {"open": 2, "resolved": 0},
            "1970-01-04": {"open": 0, "resolved": 1},
        },
    }
    assert [*found["event type"]] == ["click", "-"]
    lines = connector("dlq", "stats", "-c", config).out.splitlines()
    assert lines[0].split() == ["OPEN", "RESOLVED"]
    assert lines[1].split() == ["all", "3", "1"]
    assert ["vendor_rejected", "1", "0"] in [line.split() for line in lines]
    chosen = json.loads(connector("dlq", "stats", "-c", config, "--json", "--topic", "orders").out)
    assert chosen["all"] == {"all": one}


def test_stats_of_nothing_are_zeros(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """A topic that holds no letter is the good case."""
    kafka.create_topic("empty", 1)
    ended = connector("dlq", "stats", "-c", file_of(tmp_path, kafka.bootstrap, "empty"))
    assert ended.code == 0
    assert ended.out.splitlines()[1].split() == ["all", "0", "0"]
