"""What librdkafka is told keeps our promises, and leaves the rest to the operator."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, Producer

from connector.kafka.properties import (
    Properties,
    consumer_properties,
    is_cooperative,
    producer_properties,
    session_timeout_ms,
)

NEW_PROTOCOL = {"group.protocol": "consumer"}


def consumer(**given: str) -> Properties:
    names = {name.replace("_", "."): value for name, value in given.items()}
    return consumer_properties(names, group_id="g", client_id="c", prefetch_bytes=32 << 20)


def test_nobody_can_switch_our_promises_off() -> None:
    """Offsets are committed by us alone, and lost ones are told, whatever the operator's file says."""
    given = consumer(enable_auto_commit="true", auto_offset_reset="earliest", group_id="other")
    assert given["enable.auto.commit"] is False
    assert given["enable.auto.offset.store"] is False
    assert given["auto.offset.reset"] == "error"
    assert given["group.id"] == "g"


def test_the_operator_wins_where_no_promise_is_at_stake() -> None:
    """Any other librdkafka property goes through, also over our defaults."""
    given = consumer(partition_assignment_strategy="range", fetch_queue_backoff_ms="500", client_rack="a")
    assert given["partition.assignment.strategy"] == "range"
    assert given["fetch.queue.backoff.ms"] == "500"
    assert given["client.rack"] == "a"


def test_the_session_is_as_long_as_the_operator_says() -> None:
    """Else as long as librdkafka's default, and with the new protocol the brokers'."""
    assert session_timeout_ms({}) == session_timeout_ms(NEW_PROTOCOL) == 45_000
    assert session_timeout_ms({"session.timeout.ms": "0x1770"}) == 6000
    assert Consumer(consumer(session_timeout_ms="0x1770")), "as librdkafka reads it"


def test_a_second_name_takes_the_place_of_our_default() -> None:
    """librdkafka would be given both, and one of the two would be ignored."""
    given = consumer(max_partition_fetch_bytes="1000")
    assert given["fetch.message.max.bytes"] == "1000"
    assert "max.partition.fetch.bytes" not in given


@pytest.mark.parametrize(
    ("given", "cooperative"),
    [
        ({}, True),
        ({"partition.assignment.strategy": "range,roundrobin"}, False),
        ({"partition.assignment.strategy": "cooperative-sticky"}, True),
        (NEW_PROTOCOL, True),
        ({"group.protocol": "Consumer"}, True),
    ],
)
def test_the_protocol_is_known_from_the_properties(given: dict[str, str], cooperative: bool) -> None:
    """librdkafka refuses to assign one by one in an eager group, or all at once in a cooperative one."""
    made = consumer_properties(given, group_id="g", client_id="c", prefetch_bytes=1 << 20)
    assert is_cooperative(made) is cooperative


def test_the_new_protocol_gets_no_setting_that_it_refuses() -> None:
    """There the broker has the timeouts and the strategy."""
    given = consumer(group_protocol="consumer")
    refused = {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"}
    assert not refused & given.keys()


@pytest.mark.parametrize("mebibytes", [0, 1, 16, 512])
def test_what_is_fetched_ahead_is_bounded(mebibytes: int) -> None:
    """Queue and answer together hold what we were given, and never less than a record of the usual size."""
    given = consumer_properties({}, group_id="g", client_id="c", prefetch_bytes=mebibytes << 20)
    queue = int(given["queued.max.messages.kbytes"]) << 10
    answer = int(given["fetch.max.bytes"])
    assert queue + answer <= max(2, mebibytes) << 20
    assert min(queue, answer) >= 1 << 20


@pytest.mark.parametrize("given", [{}, NEW_PROTOCOL, {"partition.assignment.strategy": "roundrobin"}])
def test_librdkafka_takes_them(given: dict[str, str]) -> None:
    """No name or value that it refuses."""
    where = {"bootstrap.servers": "localhost:1", "log_level": "0"}
    Consumer(consumer_properties(where | given, group_id="g", client_id="c", prefetch_bytes=1 << 20)).close()
    Producer(producer_properties(where | given, client_id="c", buffer_bytes=1 << 20))


def test_the_producer_shares_how_to_reach_the_cluster_and_nothing_else() -> None:
    """One block of properties serves both; what is a consumer's own would be complained about."""
    given = {
        "bootstrap.servers": "b",
        "security.protocol": "SASL_SSL",
        "sasl.password": "p",
        "ssl.ca.location": "/ca",
        "group.protocol": "consumer",
        "max.poll.interval.ms": "60000",
        "fetch.min.bytes": "1",
    }
    made = producer_properties(given, client_id="c", buffer_bytes=1 << 20)
    assert {name: made[name] for name in list(given)[:4]} == dict(list(given.items())[:4])
    assert not {"group.protocol", "max.poll.interval.ms", "fetch.min.bytes"} & made.keys()
    assert (made["acks"], made["enable.idempotence"]) == ("all", True)
