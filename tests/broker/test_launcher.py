"""The brokers and the registry that the tests stand on do what their methods say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.request import Request, urlopen

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from tests.broker.launcher.brokers import Broker, MockBroker
from tests.broker.launcher.java import MissingToolError, find_java
from tests.broker.launcher.kafka import KafkaCluster
from tests.broker.launcher.process import wait_for
from tests.broker.launcher.registry import EDITIONS, Edition, SchemaRegistry
from tests.conftest import launched

PATIENCE_S = 30.0

Unique = Callable[[str], str]


def write(properties: dict[str, str], topic: str, count: int) -> Producer:
    """Queue records numbered from 0 on partition 0; flush tells that they are acknowledged."""
    client = Producer(
        {**properties, "enable.idempotence": True, "log_level": 0, "reconnect.backoff.max.ms": 200}
    )
    for number in range(count):
        client.produce(topic, b"%d" % number, partition=0)
    return client


def read(properties: dict[str, str], topic: str, count: int) -> list[bytes | None]:
    client = Consumer({**properties, "group.id": "unused", "log_level": 0})
    client.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes | None] = []
    while len(values) < count and (message := client.poll(PATIENCE_S)) is not None:
        assert message.error() is None, message.error()
        values.append(message.value())
    client.close()
    return values


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


# ── every broker ─────────────────────────────────────────────────────────────────────────────────


def test_a_created_topic_works_at_once(broker: Broker, unique: Unique) -> None:
    """The first produce after `create_topic` succeeds, and the ends count what was written."""
    topic = unique("orders")
    broker.create_topic(topic, partitions=3)
    assert broker.end_offsets(topic) == {0: 0, 1: 0, 2: 0}
    assert write({"bootstrap.servers": broker.bootstrap}, topic, 100).flush(PATIENCE_S) == 0
    assert broker.end_offsets(topic) == {0: 100, 1: 0, 2: 0}
    assert read({"bootstrap.servers": broker.bootstrap}, topic, 100) == numbers(100)


def test_deleted_records_are_no_longer_there(broker: Broker, unique: Unique) -> None:
    """The log then begins at the offset that was named, as after retention."""
    topic = unique("orders")
    broker.create_topic(topic, partitions=1)
    for _ in range(5):  # the embedded broker deletes whole batches only
        write({"bootstrap.servers": broker.bootstrap}, topic, 1).flush(PATIENCE_S)
    broker.delete_records(topic, 0, 3)
    client = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unused"})
    ends = client.get_watermark_offsets(TopicPartition(topic, 0), PATIENCE_S)
    client.close()
    assert ends == (3, 5)


def test_the_embedded_broker_refuses_a_topic_setting_it_cannot_honour(mock_broker: MockBroker) -> None:
    """A test that relies on a setting must not pass because nothing enforced it."""
    with pytest.raises(ValueError, match=r"max\.message\.bytes"):
        mock_broker.create_topic("orders", config={"max.message.bytes": "1000"})


def test_the_real_broker_honours_topic_settings(real_broker: Broker, unique: Unique) -> None:
    """What a topic does not take is refused by the broker itself."""
    topic = unique("small")
    real_broker.create_topic(topic, 1, {"max.message.bytes": "1000"})
    errors: list[KafkaError | None] = []
    client = Producer({"bootstrap.servers": real_broker.bootstrap})
    client.produce(topic, bytes(2000), on_delivery=lambda error, _: errors.append(error))
    client.flush(PATIENCE_S)
    assert [error.code() for error in errors if error] == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_a_forgotten_topic_does_not_appear_by_itself(real_broker: Broker, unique: Unique) -> None:
    """A test that forgot to create its topic fails instead of working by luck."""
    client = Producer({"bootstrap.servers": real_broker.bootstrap, "message.timeout.ms": 1000})
    errors: list[KafkaError | None] = []
    client.produce(unique("forgotten"), b"v", on_delivery=lambda error, _: errors.append(error))
    client.flush(PATIENCE_S)
    assert [error is None for error in errors] == [False]


# ── kill -9 ──────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_node_comes_back_with_what_it_had_acknowledged(
    own_broker: KafkaCluster, unique: Unique
) -> None:
    """Acknowledged records survive kill -9, and those queued meanwhile arrive once, at the same address."""
    topic = unique("orders")
    own_broker.create_topic(topic, 1)
    client = write(own_broker.client_properties(), topic, 1000)
    assert client.flush(PATIENCE_S) == 0
    own_broker.kill()
    for number in range(1000, 1500):
        client.produce(topic, b"%d" % number, partition=0)
    own_broker.start()
    assert client.flush(PATIENCE_S) == 0
    assert own_broker.end_offsets(topic) == {0: 1500}
    assert read(own_broker.client_properties(), topic, 1500) == numbers(1500)


def test_three_nodes_go_on_without_one(cluster3: KafkaCluster, unique: Unique) -> None:
    """With its leader gone a partition is led by another node, and nothing is lost or doubled."""
    topic = unique("orders")
    cluster3.create_topic(topic, 3)
    client = write(cluster3.client_properties(), topic, 1000)
    assert client.flush(PATIENCE_S) == 0
    leader = client.list_topics(topic, PATIENCE_S).topics[topic].partitions[0].leader
    cluster3.kill(leader)
    client.produce(topic, b"1000", partition=0)
    assert client.flush(PATIENCE_S) == 0
    cluster3.start(leader)
    assert cluster3.end_offsets(topic)[0] == 1001
    assert read(cluster3.client_properties(), topic, 1001) == numbers(1001)


# ── who may come in ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
def test_a_known_user_is_let_in(secure_broker: KafkaCluster, unique: Unique, mechanism: str) -> None:
    """`client_properties` are all that a client needs behind TLS, with either mechanism."""
    topic = unique("orders")
    secure_broker.create_topic(topic, 1)
    properties = secure_broker.client_properties(mechanism)
    assert write(properties, topic, 10).flush(PATIENCE_S) == 0
    assert read(properties, topic, 10) == numbers(10)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"sasl.password": "wrong"}, KafkaError._AUTHENTICATION),
        ({"ssl.ca.location": "probe"}, KafkaError._SSL),
        ({"security.protocol": "PLAINTEXT"}, KafkaError._ALL_BROKERS_DOWN),
    ],
    ids=["wrong password", "unknown authority", "no TLS"],
)
def test_others_are_kept_out(secure_broker: KafkaCluster, wrong: dict[str, str], code: int) -> None:
    """A wrong password, a certificate nobody vouches for and a plain connection fail, each in its own way."""
    seen: list[int] = []

    def failed_so() -> bool:
        client.poll(0.05)
        return code in seen

    properties = {**secure_broker.client_properties(), **wrong}
    client = Producer({**properties, "log_level": 0, "error_cb": lambda error: seen.append(error.code())})
    wait_for(failed_so, f"error {code}", PATIENCE_S)
    with pytest.raises(KafkaException):
        client.list_topics(timeout=0.2)


# ── schema registry ──────────────────────────────────────────────────────────────────────────────


def ask(url: str, body: object = None) -> dict[str, object]:
    content_type = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, content_type), timeout=PATIENCE_S) as answer:
        decoded: dict[str, object] = json.load(answer)
        return decoded


@pytest.fixture(params=EDITIONS, ids=lambda edition: edition.version)
def registry_of_each_edition(request: pytest.FixtureRequest) -> Iterator[SchemaRegistry]:
    edition: Edition = request.param
    try:
        find_java(edition.java_version_min)
    except MissingToolError as missing:
        pytest.skip(f"this edition is not the one used here: {missing}")
    registry = launched(lambda: SchemaRegistry([edition]))
    yield registry
    registry.stop()


@pytest.mark.registry
def test_a_registry_keeps_its_ids_over_kill_and_restart(registry_of_each_edition: SchemaRegistry) -> None:
    """Outage tests may kill it at any time: what it has answered stays true, at the same address."""
    registry = registry_of_each_edition
    schema = {"schema": '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}'}
    registered = ask(f"{registry.url}/subjects/orders-value/versions", schema)
    registry.kill()
    with pytest.raises(OSError, match="refused"):
        ask(f"{registry.url}/subjects")
    registry.start()
    found = ask(f"{registry.url}/schemas/ids/{registered['id']}")
    assert json.loads(str(found["schema"])) == json.loads(schema["schema"])


def test_a_stopped_registry_is_up_again_for_the_next_test(schema_registry: SchemaRegistry) -> None:
    """A test may leave it stopped; starting a running one changes nothing."""
    schema_registry.stop()
    schema_registry.stop()
    schema_registry.start()
    schema_registry.start()
    assert ask(f"{schema_registry.url}/subjects") is not None
