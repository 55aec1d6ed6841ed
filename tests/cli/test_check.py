"""`connector check`, against embedded Kafka, a registry and a vendor on loopback: each fault has its line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition

from connector.cli import asking, check_records
from connector.codec.wire import frame
from connector.kafka.embedded import EmbeddedKafka
from connector.kafka.inspect import Cluster, ClusterError
from connector.kafka.produce import Writer
from connector.sample import generate
from connector.settings.reference import example_options
from connector.vendors import DESTINATIONS
from tests.cli.answering import answering
from tests.cli.commandline import Ended, connector

OPTIONS = {"currency": "EUR"}
KEY = "tse-s3cret-key"
STATES = ("ok", "advice", "warning", "wrong")


HEALTHY = (400, b'[{"errCode": "empty_request", "docUrl": "", "message": "no events"}]')


@pytest.fixture(scope="module")
def kafka() -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka() as kafka:
        kafka.create_topic("orders", 2)
        kafka.create_topic("clickstream", 1)
        kafka.create_topic("connector.dead-letter", 1)
        yield kafka


@pytest.fixture(autouse=True)
def _deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded Kafka never answers questions about topic settings; here is a topic that deletes."""
    monkeypatch.setattr(Cluster, "topic_setting", lambda *_: "delete")
    monkeypatch.setattr(asking, "ANSWER_S", 1.5)


def run_check(tmp_path: Path, kafka: str, url: str, *arguments: str, **source: Any) -> Ended:
    raw: dict[str, Any] = {
        "destination": {"name": "topsort", "api_key": KEY, "url": f"{url}/v2/events", "options": OPTIONS},
        "source": {
            "topics": ["orders", "clickstream"],
            "group_id": "connector",
            "properties": {"bootstrap.servers": kafka} | source.pop("properties", {}),
            **source,
        },
    }
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(raw))
    ended = connector("check", "-c", str(file), *arguments)
    assert KEY not in ended.out + ended.err
    return ended


def states(ended: Ended) -> dict[str, str]:
    """Subject → the worst state told of it."""
    worst: dict[str, str] = {}
    for line in ended.out.splitlines():
        state, subject = line[:8].strip(), line[9:27].strip()
        worst[subject] = max(state, worst.get(subject, "ok"), key=STATES.index)
    return worst


def told(ended: Ended, subject: str) -> str:
    """What is said of it, in its last line."""
    return [line[28:] for line in ended.out.splitlines() if line[9:27].strip() == subject][-1]


def test_all_is_well_is_a_line_each_and_exit_code_0(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """And the vendor saw its probe with the key: nothing that could be an event."""
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url)
    assert ended.code == 0, ended.out + ended.err
    assert states(ended) == {
        "configuration": "ok",
        "broker": "ok",
        "topic": "ok",
        "newest record": "ok",
        "consumer group": "ok",
        "dead-letter topic": "ok",
        "destination": "ok",
    }
    ((method, path, key, body),) = vendor.asked
    assert (method, path, key) == ("POST", "/v2/events", f"Bearer {KEY}")
    assert body == b"{}"


def test_offline_asks_nobody(tmp_path: Path) -> None:
    """The configuration alone, for a pipeline that reaches no broker."""
    ended = run_check(tmp_path, "127.0.0.1:1", "http://127.0.0.1:1", "--offline")
    assert ended.code == 0
    assert states(ended) == {"configuration": "ok"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "topsort refuses the key from destination.api_key (401 Unauthorized). So it does not know"),
        (403, "topsort refuses the key from destination.api_key (403 Forbidden). So it may know"),
        (404, "/v2/events answered 404 Not Found. The destination does not know this address or account."),
        (302, "/v2/events answered 302 Found. The destination sends us to another address"),
        (503, "/v2/events answered 503 Service Unavailable: it is not well now"),
    ],
)
def test_a_destination_that_does_not_take_us_says_why_and_what_to_do(
    status: int, said: str, kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """Exit code 3, which key or address it was, the status in words, and never the key."""
    with answering(status) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url)
    assert ended.code == 3
    assert states(ended)["destination"] == "wrong"
    assert said in told(ended, "destination")


@pytest.mark.parametrize(("answer", "said"), [((401, b""), "refuses the key"), (HEALTHY, "takes the key")])
def test_the_key_is_named_by_its_file_or_variable(
    answer: tuple[int, bytes],
    said: str,
    kafka: EmbeddedKafka,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has two of them sees which one was tried."""
    monkeypatch.setenv("CONNECTOR_DESTINATION__API_KEY", KEY)
    with answering(*answer) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url)
    assert f"topsort {said} from CONNECTOR_DESTINATION__API_KEY" in told(ended, "destination")
    monkeypatch.setenv("CONNECTOR_DESTINATION__API_KEY", "null")
    file = tmp_path / "key"
    file.write_text(KEY)
    monkeypatch.setenv("CONNECTOR_DESTINATION__API_KEY_FILE", str(file))
    with answering(*answer) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url)
    assert f"topsort {said} from {file}" in told(ended, "destination")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1", "connection refused. Nothing listens there: are host and port right?"),
        ("https://no-such-host.invalid", "the host name does not resolve. Is the name right, and does DNS"),
    ],
)
def test_no_answer_says_from_where_and_what_to_look_at(
    url: str, why: str, kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """Of the vendor and the registry alike, with the setting that names the address."""
    ended = run_check(tmp_path, kafka.bootstrap, url, schema_registry={"url": url})
    vendor, registry = told(ended, "destination"), told(ended, "schema registry")
    assert vendor.startswith(f"no answer from {url}/v2/events: {why}")
    assert vendor.endswith("The address is from destination.url")
    assert registry.startswith(f"no answer from {url}/subjects: {why}")
    assert registry.endswith("The address is source.schema_registry.url")


def test_a_silent_vendor_behind_a_proxy_names_both(
    kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the proxy that refused the connection; what a query carries is not printed."""
    monkeypatch.setenv("CONNECTOR_DESTINATION__PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("CONNECTOR_DESTINATION__URL", "https://vendor.example/v2/events?tenant=7")
    ended = run_check(tmp_path, kafka.bootstrap, "http://127.0.0.1:1")
    said = "no answer from https://vendor.example/v2/events through the proxy http://127.0.0.1:1: "
    assert told(ended, "destination").startswith(f"{said}connection refused")


def test_plain_http_where_tls_is_expected_is_said_to_be_that(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """OpenSSL's own words for it (a wrong version number) mislead."""
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url.replace("http://", "https://"))
    assert "Does that port speak TLS, or plain http?" in told(ended, "destination")


def test_a_vendor_that_is_ill_or_silent_is_wrong_but_the_rest_is_told(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """One finding does not end the check."""
    with answering(503) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url)
    assert (ended.code, states(ended)["destination"], states(ended)["broker"]) == (3, "wrong", "ok")
    ended = run_check(tmp_path, kafka.bootstrap, "http://127.0.0.1:1")
    assert (ended.code, states(ended)["destination"]) == (3, "wrong")


def test_a_broker_that_is_not_there_is_told_within_seconds(tmp_path: Path) -> None:
    """And the destination is tried all the same."""
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, "127.0.0.1:1", vendor.url)
    assert ended.code == 3
    assert states(ended) == {
        "configuration": "ok",
        "broker": "wrong",
        "topic": "advice",
        "consumer group": "advice",
        "dead-letter topic": "advice",
        "destination": "ok",
    }
    assert "bootstrap.servers" in ended.out
    assert ended.out.count("not asked: the broker does not answer") == 3
    assert "asking 127.0.0.1:1, for 1.5 s at the most" in ended.err


def test_a_property_that_librdkafka_does_not_know_is_wrong(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Named, without the value of any other."""
    with answering(*HEALTHY) as vendor:
        properties = {"fetch.mim.bytes": 1, "sasl.password": "p4ssw0rd"}
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url, properties=properties)
    assert ended.code == 2
    assert "source.properties.fetch.mim.bytes" in ended.err
    assert "p4ssw0rd" not in ended.err + ended.out


def test_a_missing_topic_is_wrong_and_an_unmatched_pattern_a_warning(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """A pattern may match tomorrow; a name that is not there is a mistake today."""
    with answering(*HEALTHY) as vendor:
        ended = run_check(
            tmp_path, kafka.bootstrap, vendor.url, topics=["orders", "nothing-here", "^later-.*"]
        )
    assert ended.code == 3
    lines = ended.out.splitlines()
    assert any(line.startswith("wrong") and "nothing-here does not exist" in line for line in lines)
    assert any(line.startswith("warning") and "^later-.* matches no topic yet" in line for line in lines)
    assert any(line.startswith("ok") and "orders has 2 partitions" in line for line in lines)


def test_a_pattern_shows_what_it_matches(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """So that nobody is surprised."""
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url, topics=["^o.*"])
    assert (ended.code, "^o.* matches orders" in ended.out) == (0, True)


def test_a_missing_dead_letter_topic_is_wrong(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Without it, one bad event would stop its partition for ever."""
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url, group_id="other")
    assert (ended.code, states(ended)["dead-letter topic"]) == (3, "wrong")
    assert "other.dead-letter" in ended.out


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_a_compacted_dead_letter_topic_is_wrong(
    policy: str, kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two dead letters of one key would become one."""
    monkeypatch.setattr(Cluster, "topic_setting", lambda *_: policy)
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url)
    assert (ended.code, states(ended)["dead-letter topic"]) == (3, "wrong")
    assert "cleanup.policy=delete" in ended.out


def test_a_policy_that_may_not_be_read_is_a_warning(
    kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many clusters give no right to read it; that is no reason to fail."""

    def refused(*_: object) -> str:
        raise ClusterError("not authorized")

    monkeypatch.setattr(Cluster, "topic_setting", refused)
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url)
    assert (ended.code, states(ended)["dead-letter topic"]) == (0, "warning")


def write(kafka: EmbeddedKafka, topic: str, *values: bytes | None) -> None:
    """A new topic, and these in it."""
    kafka.create_topic(topic, 1)

    async def flush() -> None:
        writer = Writer({"bootstrap.servers": kafka.bootstrap})
        for value in values:
            writer.write(topic, b"key", value)
        await writer.flush()
        writer.close()

    asyncio.run(flush())


def test_the_newest_record_tells_what_would_become_of_it(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """As what it decodes, its type, and whether it would be sent; older ones do not matter."""
    events = [*generate(200, kind="orders")]
    mapped = next(each for each in events if each["event_type"] == "order_created")
    write(kafka, "good-orders", b"broken", orjson.dumps(mapped))
    write(kafka, "gone", None)
    write(kafka, "strange-type", orjson.dumps(mapped | {"event_type": "order_teleported"}))
    with answering(*HEALTHY) as vendor:
        ended = run_check(
            tmp_path, kafka.bootstrap, vendor.url, topics=["good-orders", "gone", "strange-type", "orders"]
        )
    assert ended.code == 0, ended.out
    for line in (
        "good-orders:0:1 decodes as JSON, order_created; ",
        "gone:0:0 has no value: skipped as tombstone",
        "strange-type:0:0 decodes as JSON, of an event type that this version does not know; skipped",
        "orders holds none yet to look at",
    ):
        assert f"ok       newest record      {line}" in ended.out
    assert str(mapped["event_id"]) not in ended.out + ended.err


def test_framed_avro_without_a_registry_is_wrong_and_says_what_to_set(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """Else every record becomes a dead letter, and the flood guard halts after the first fifty."""
    write(kafka, "framed", frame(7, b"datum"))
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url, topics=["framed"])
    assert (ended.code, states(ended)["newest record"]) == (3, "wrong")
    assert (
        "framed:0:0 looks like framed Avro (schema 7), and source.schema_registry.url is not set" in ended.out
    )


def test_a_record_that_can_not_be_read_says_where_and_never_what(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """The reason and the path, and names that are no fields with those that were meant."""
    order: Any = next(iter(generate(1, kind="orders")))
    item = order["items"][0]
    item["price"] = item.pop("unit_price_micros")
    order["shopper@mail.example"] = 1
    order["first_nam"] = item["quantity"] = "Jane-Doe"
    write(kafka, "misnamed", orjson.dumps(order))
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url, topics=["misnamed"])
    assert (ended.code, states(ended)["newest record"]) == (0, "warning"), ended.out
    assert "misnamed:0:0 can't be read: invalid_event $.items[0].quantity: expected `" in ended.out
    assert " items[].price: not a field; did you mean unit_price_micros?" in ended.out
    assert "first_nam: not a field" in ended.out
    assert not any(each in ended.out + ended.err for each in ("mail.example", "Jane-Doe"))


def test_looking_at_records_ends_in_time(
    kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a registry that is silent every topic costs a wait; what was not looked at is counted."""
    monkeypatch.setattr(check_records, "LOOK_S", 0.0)
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url)
    assert ended.code == 0, ended.out
    assert "clickstream holds none yet" in ended.out
    assert "orders holds none yet" not in ended.out
    assert "advice   newest record      not looked at: 1 more topics" in ended.out


def test_a_topic_that_may_not_be_read_is_wrong_and_the_rest_is_told(
    kafka: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connector could not read it either."""

    def refused(*_: object) -> None:
        raise ClusterError("orders:0 can't be read: not authorized")

    monkeypatch.setattr(Cluster, "newest", refused)
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url)
    assert (ended.code, states(ended)["newest record"]) == (3, "wrong")
    assert states(ended)["dead-letter topic"] == "ok"


def test_a_group_without_a_topic_is_not_said_to_go_on(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """There is nothing yet that it could go on with."""
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url, topics=["nothing-here", "^later-.*"])
    assert "goes on where it stopped" not in ended.out
    assert "connector: not asked: none of its topics is there" in ended.out


def test_start_from_fail_needs_a_group_with_offsets(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    """Else the connector would not start."""
    with answering(*HEALTHY) as vendor:
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url, start_from="fail")
    assert (ended.code, states(ended)["consumer group"]) == (3, "wrong")


@pytest.mark.parametrize(
    ("on_offset_lost", "ends"),
    [("halt", (3, "wrong")), ("earliest", (0, "warning")), ("latest", (0, "warning"))],
)
def test_an_offset_that_kafka_no_longer_has_is_told_before_the_start(
    on_offset_lost: str, ends: tuple[int, str], tmp_path: Path
) -> None:
    """Deleted before it was read, or of a topic that was created anew; one at an end is neither."""
    with EmbeddedKafka() as kafka, answering(*HEALTHY) as vendor:
        for topic in ("orders", "clickstream", "connector.dead-letter"):
            kafka.create_topic(topic, 2)
        producer = Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
        for number in range(2):
            for _ in range(20):
                producer.produce("orders", b"{}", partition=number)
        producer.flush(10)
        consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "connector"})
        consumer.commit(
            offsets=[
                TopicPartition("orders", 0, 3),
                TopicPartition("orders", 1, 20),
                TopicPartition("clickstream", 0, 0),
                TopicPartition("clickstream", 1, 7),
            ],
            asynchronous=False,
        )
        consumer.close()
        kafka.delete_records("orders", 0, 5)
        kafka.delete_records("orders", 1, 20)
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url, on_offset_lost=on_offset_lost)
    assert (ended.code, states(ended)["consumer group"]) == ends
    said = told(ended, "consumer group")
    assert "at offset 3 of orders:0 (it has 5 up to 20) and 1 more" in said
    assert "source.on_offset_lost" in said


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (401, "wrong"), (500, "wrong")])
def test_the_registry_is_asked_with_its_credentials(
    status: int, state: str, kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    """And a refusal names the setting."""
    with answering(*HEALTHY) as vendor, answering(status, b"[]") as registry:
        settings = {"url": registry.url, "auth": "reader:r3gistry"}
        ended = run_check(tmp_path, kafka.bootstrap, vendor.url, schema_registry=settings)
    assert states(ended)["schema registry"] == state
    if status == 401:
        why = "refuses the credentials from source.schema_registry.auth (401 Unauthorized)"
        assert told(ended, "schema registry").startswith(why)
    assert registry.asked[0][:3] == ("GET", "/subjects", "Basic cmVhZGVyOnIzZ2lzdHJ5")
    assert "r3gistry" not in ended.out


@pytest.mark.parametrize("destination", sorted(DESTINATIONS))
def test_the_oldest_event_into_a_destination_that_writes_to_customers_is_a_warning(
    destination: str, tmp_path: Path
) -> None:
    """A year of order e-mails at once is what nobody wanted; `latest` needs no warning."""
    file = tmp_path / "connector.yaml"
    options = example_options(DESTINATIONS[destination].Options)
    url = "http://127.0.0.1:1/"
    raw: dict[str, Any] = {
        "destination": {"name": destination, "api_key": KEY, "url": url, "options": options},
        "source": {"topics": ["orders"], "group_id": "g", "properties": {"bootstrap.servers": "127.0.0.1:1"}},
    }
    for start_from, told in ("earliest", destination.startswith("esputnik-")), ("latest", False):
        raw["source"]["start_from"] = start_from
        file.write_text(yaml.safe_dump(raw))
        ended = connector("check", "-c", str(file), "--offline")
        assert ended.code == 0, ended.err
        assert ("source.start_from" in states(ended)) is told


@pytest.mark.parametrize("destination", sorted(DESTINATIONS))
def test_an_example_that_was_not_edited_is_a_warning(destination: str, tmp_path: Path) -> None:
    """It loads, so that it can be tried out; its key opens nothing."""
    file = tmp_path / "connector.yaml"
    text = connector("config", "example", "--destination", destination).out
    for written, state in (text, "warning"), (text.replace("replace-me", KEY), None):
        file.write_text(written)
        ended = connector("check", "-c", str(file), "--offline")
        assert (ended.code, ended.err) == (0, "")
        assert states(ended).get("destination") == state


def test_credentials_that_can_be_read_on_the_way_are_a_warning(tmp_path: Path) -> None:
    """Whether by accident (Kafka) or because somebody allowed it; also offline, and never with the value."""
    file = tmp_path / "connector.yaml"
    raw: dict[str, Any] = {
        "destination": {
            "name": "topsort",
            "api_key": KEY,
            "url": "http://vendor.example",
            "allow_http": True,
            "options": OPTIONS,
        },
        "source": {
            "topics": ["orders"],
            "group_id": "connector",
            "properties": {
                "bootstrap.servers": "kafka.example:9092",
                "security.protocol": "sasl_plaintext",
                "sasl.mechanism": "PLAIN",
                "sasl.username": "reader",
                "sasl.password": "p4ssw0rd",
            },
            "schema_registry": {"url": "http://registry.example", "auth": "u:s3cret", "allow_http": True},
        },
    }
    file.write_text(yaml.safe_dump(raw))
    ended = connector("check", "-c", str(file), "--offline")
    assert ended.code == 0, ended.err
    assert states(ended) == {
        "configuration": "ok",
        "broker": "warning",
        "destination": "warning",
        "schema registry": "warning",
    }
    assert not {"p4ssw0rd", "s3cret", KEY} & set(ended.out.split())
    raw["source"]["properties"]["bootstrap.servers"] = "sasl_plaintext://[::1]:9092, localhost"
    file.write_text(yaml.safe_dump(raw))
    assert "broker" not in states(connector("check", "-c", str(file), "--offline"))


def test_what_a_destination_wants_known_is_advice_and_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line a sentence, also offline; the exit code stays 0, because nobody can look at it from here."""
    monkeypatch.setattr(DESTINATIONS["topsort"], "advice", lambda _self: ("First this.", "Then that."))
    ended = run_check(tmp_path, "127.0.0.1:1", "http://127.0.0.1:1", "--offline")
    assert ended.code == 0
    assert states(ended)["topsort"] == "advice"
    assert [line[28:] for line in ended.out.splitlines() if line.startswith("advice")] == [
        "First this.",
        "Then that.",
    ]


def test_a_question_that_is_never_answered_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The future of a topic's settings may never be done; we wait for it no longer than asked."""
    monkeypatch.undo()
    monkeypatch.setattr(
        "connector.kafka.inspect.AdminClient.describe_configs",
        lambda _self, resources, **_: {resources[0]: Future()},
    )
    began = time.monotonic()
    with (
        EmbeddedKafka() as kafka,
        Cluster({"bootstrap.servers": kafka.bootstrap}, "g", 0.05) as cluster,
        pytest.raises(ClusterError, match="no answer in time"),
    ):
        cluster.topic_setting("orders", "cleanup.policy")
    assert time.monotonic() - began < 3
