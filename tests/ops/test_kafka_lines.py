"""Kafka's client says a thing tens of times a second: here it is a line a cause, and no cause is hidden."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
import structlog

from connector.ops import logs
from connector.ops.kafka_lines import LOGGER, PERIOD_S, KafkaLines, cause
from tests.kept_logging import kept_logging

__all__ = ["kept_logging"]

REFUSED = "Connect to ipv4#10.0.0.1:9092 failed: Connection refused"
BY_LOG = "FAIL [commerce-connector-vm#{client}] [thrd:10.0.0.1:9092/{node}]: 10.0.0.1:9092/{node}: "


def refused(number: int = 0, client: str = "consumer-3", node: str = "bootstrap") -> str:
    """One of the many lines about a broker that is away, as librdkafka 2.16 has them."""
    told = f"{REFUSED} (after {number}ms in state CONNECT, {number} identical error(s) suppressed)"
    return BY_LOG.format(client=client, node=node) + told


def record(text: str, level: int = logging.ERROR, name: str = LOGGER) -> logging.LogRecord:
    return logging.LogRecord(name, level, "", 0, "%s", (text,), None)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "text",
    [
        refused(12),
        refused(3, client="producer-2"),
        refused(3, node="1"),
        f"10.0.0.1:9092/bootstrap: {REFUSED} (after 0ms in state CONNECT)",
        f"10.0.0.1:9092/17: {REFUSED} (#12)",
        f"10.0.0.1:9092/17: {REFUSED.replace('ipv4#10.0.0.1', 'ipv6#[::1]')}",
    ],
)
def test_who_says_it_after_how_long_and_how_often_is_no_other_cause(text: str) -> None:
    """A consumer, a producer and the callback for errors speak of one thing."""
    assert cause(text) == cause(refused())


@pytest.mark.parametrize(
    "text",
    [
        refused().replace("10.0.0.1:9092", "10.0.0.2:9092"),
        refused().replace("10.0.0.1:9092", "10.0.0.1:9093"),
        refused().replace("Connection refused", "No route to host"),
        "10.0.0.1:9092/bootstrap: SASL SCRAM-SHA-256 mechanism handshake failed",
        "10.0.0.1:9092/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed",
        "Subscribed topic not available: orders-1: Broker: Unknown topic or partition",
        "Subscribed topic not available: orders-2: Broker: Unknown topic or partition",
    ],
)
def test_another_broker_reason_or_topic_is_another_cause(text: str) -> None:
    """What differs is never hidden behind what was told."""
    others = [refused(), "10.0.0.1:9092/bootstrap: SASL PLAIN mechanism handshake failed"]
    assert cause(text) not in {cause(other) for other in others}
    assert cause("2/3 brokers are down") == cause("3/3 brokers are down")
    assert cause("orders-1 is away") != cause("orders-2 is away")
    assert cause("SCRAM-SHA-256 failed") != cause("SCRAM-SHA-512 failed")


def test_a_storm_is_a_line_then_one_a_minute_with_its_count_and_nothing_else_waits() -> None:
    """Twenty-five lines a second for five minutes; another cause in the middle of it is told at once."""
    clock = Clock()
    lines = KafkaLines(clock)
    written, counted = 0, 0
    for second in range(300):
        for tenth in range(25):
            written += lines.filter(record(refused(tenth), [logging.ERROR, logging.WARNING][tenth % 2]))
        if second == 70:
            assert lines.filter(record("10.0.0.2:9092/2: Disconnected"))
        clock.now += 1
        for due in lines.due():
            assert lines.filter(due), "what is told at last passes"
            assert due.__dict__["last_s_ago"] == 1
            written += 1
            counted += due.__dict__["left_out"]
    assert written == 1 + 300 / PERIOD_S
    assert written + counted == 300 * 25


def test_the_count_of_a_storm_that_ended_says_how_long_ago() -> None:
    """Nobody takes its last line for news: Kafka may be back for a while."""
    clock = Clock()
    lines = KafkaLines(clock)
    for _ in range(10):
        lines.filter(record(refused()))
    clock.now += PERIOD_S - 1
    assert not [*lines.due()]
    clock.now += 1
    (due,) = lines.due()
    assert (due.__dict__["left_out"], due.__dict__["last_s_ago"]) == (8, PERIOD_S)
    assert not [*lines.due()]
    for _ in range(2):
        assert not lines.filter(record(refused()))
    (last,) = lines.due(at_the_end=True)
    assert last.__dict__["left_out"] == 1


def test_debug_lines_and_those_of_others_pass() -> None:
    """Who sets `debug` in source.properties wants each of them; our own happenings are counted elsewhere."""
    lines = KafkaLines(Clock())
    for _ in range(3):
        assert lines.filter(record(refused(), logging.DEBUG))
        assert lines.filter(record("kafka_unreachable", name="connector"))


@pytest.mark.usefixtures("kept_logging")
def test_a_storm_hides_none_of_our_happenings_and_its_count_is_written() -> None:
    """In the log as it is configured, with the fields that machines read."""
    out = io.StringIO()
    logs.configure("info", "json", out)
    for number in range(1000):
        logging.getLogger(LOGGER).error("%s", refused(number))
        logging.getLogger(LOGGER).warning("10.0.0.1:9092/bootstrap: %s", REFUSED)
    structlog.stdlib.get_logger("connector").error("kafka_unreachable", error="silence")
    logs.tell_repeats()
    logs.tell_repeats(at_the_end=True)
    found: list[dict[str, Any]] = [json.loads(each) for each in out.getvalue().splitlines()]
    first, ours, last = found
    assert first["event"] == refused(0)
    assert ours["event"] == "kafka_unreachable"
    assert REFUSED in last["event"]
    assert last["left_out"] == 1998
    assert last["last_s_ago"] >= 0
    assert not any("lines_left_out" in each for each in found)
