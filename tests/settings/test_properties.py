"""librdkafka's properties: which an operator may set, and that the others are named when the file is read."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from connector.settings import from_mapping
from tests.settings.configurations import MINIMAL, only_problem, problems, with_


def with_properties(**given: object) -> dict[str, Any]:
    """The minimal file with these properties, names written with `_` for dots."""
    raw = deepcopy(MINIMAL)
    raw["source"]["properties"] |= {name.replace("_", "."): value for name, value in given.items()}
    return raw


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sesion.timeout.ms", "6000", "did you mean session.timeout.ms?"),
        ("bootstrap_servers", "kafka:9092", "did you mean bootstrap.servers?"),
        ("key.deserializer", "bytes", "see its CONFIGURATION.md"),
        ("session.timeout.ms", "soon", "Invalid value"),
        ("session.timeout.ms", "0", "outside allowed range"),
        ("max.poll.interval.ms", "5m", "must be a whole number"),
        ("max.poll.interval.ms", 300_000.0, "must be a whole number"),
        ("security.protocol", "tls", "one of plaintext, ssl, sasl_plaintext, sasl_ssl"),
        ("topic.auto.offset.reset", "latest", "source.start_from"),
        ("auto.commit.enable", "true", "commits what is settled"),
        ("topic.auto.commit.enable", "true", "commits what is settled"),
        ("enable.partition.eof", "true", "set by the connector"),
        ("metadata.broker.list", "kafka:9092", "from bootstrap.servers"),
        ("statistics.interval.ms", 1000, "set by the connector"),
        ("acks", "1", "no effect"),
        ("compression.type", "lz4", "no effect"),
        ("message.max.bytes", 10_000_000, "no effect"),
        ("max.poll.records", 500, "no effect"),
        ("queued.max.messages.kbytes", "300000", "must be at most 16384"),
        ("fetch.message.max.bytes", "300000000", "limits.memory_mib"),
        ("max.partition.fetch.bytes", "300000000", "limits.memory_mib"),
        ("fetch.wait.max.ms", "5000", "must be at most 500"),
        ("session.timeout.ms", 400_000, "`max.poll.interval.ms`must be >="),
        ("bootstrap.servers", " ", "is missing"),
        ("bootstrap.servers", ",", "is missing"),
        ("bootstrap.servers", "https://kafka:9092", "is not a list of hosts"),
        ("bootstrap.servers", "kafka-1:9092 kafka-2:9092", "is not a list of hosts"),
        ("bootstrap.servers", "kafka-1:9092,kafka-2:65536", "is not a list of hosts"),
        ("bootstrap.servers", "kafka:0", "is not a list of hosts"),
        ("bootstrap.servers", ["kafka-1", "kafka-2"], "commas are between them"),
    ],
)
def test_a_property_that_would_be_refused_or_ignored_is_named(name: str, value: object, words: str) -> None:
    """At load, without a broker: not at the first start in production, and never in silence."""
    raw = deepcopy(MINIMAL)
    raw["source"]["properties"][name] = value
    problem = only_problem(raw)
    assert problem.path == f"source.properties.{name}"
    assert words in str(problem)


@pytest.mark.parametrize(
    "brokers",
    [
        "kafka",
        "kafka:9092",
        "a:1, b:2,",
        "[::1]:9092",
        "SASL_SSL://kafka:9093",
        "10.0.0.1:9092",
        "kafka_1:9092",
    ],
)
def test_brokers_are_named_in_every_way_of_librdkafka(brokers: str) -> None:
    """With or without a port, an IPv6 address in brackets, the protocol before it."""
    assert problems(with_("source.properties.bootstrap:servers", brokers)) == []


def test_properties_written_as_sections_are_told_how_to_be_written() -> None:
    """YAML invites to it."""
    raw = with_("source.properties", {"bootstrap": {"servers": "kafka:9092"}})
    found = {problem.path: str(problem) for problem in problems(raw)}
    assert "bootstrap.servers: …" in found["source.properties.bootstrap"]
    assert set(found) == {"source.properties.bootstrap", "source.properties.bootstrap.servers"}


def test_all_wrong_properties_are_named_at_once(tmp_path: Path) -> None:
    """librdkafka itself stops at the first. One whose value is in a file is named as it was written."""
    (tmp_path / "secret").write_text("hidden")
    raw = with_properties(no_such="1", nor_this="2", topic_blacklist="(")
    raw["source"]["properties"]["error_cb"] = "x"
    raw["source"]["properties"]["sasl.pasword_file"] = str(tmp_path / "secret")
    raw["source"]["properties"]["sasl.password_file"] = str(tmp_path / "none")
    assert {problem.path.removeprefix("source.properties.") for problem in problems(raw)} == {
        *("no.such", "error_cb", "nor.this", "topic.blacklist", "sasl.pasword_file", "sasl.password_file")
    }


def test_what_does_not_go_together_is_told_once_each_is_right_alone() -> None:
    """With other mistakes in the file, and in librdkafka's words; about a property that is missing, too."""
    raw = with_properties(security_protocol="sasl_ssl", sasl_mechanism="PLAIN", sasl_username="reader")
    raw["http"] = {"port": -1}
    found = {problem.path: str(problem) for problem in problems(raw)}
    assert set(found) == {"source.properties.sasl.username", "http.port"}
    assert "sasl.password must be set" in found["source.properties.sasl.username"]
    raw = with_properties(security_protocol="sasl_ssl")
    assert only_problem(raw | {"http": {}}).path == "source.properties.sasl.mechanisms"


def test_a_drain_is_held_against_the_poll_interval_however_that_is_written(tmp_path: Path) -> None:
    """Hexadecimal, with blanks, or in a file: what librdkafka reads, we read."""
    (tmp_path / "interval").write_text("20000\n")
    for written in (20_000, "20000", " 0x4e20 ", "047040"):
        raw = with_properties(session_timeout_ms=6000, max_poll_interval_ms=written)
        assert only_problem(raw).path == "limits.drain_timeout_s"
        assert "max.poll.interval.ms (20 s)" in only_problem(raw).what
    raw = with_properties(session_timeout_ms=6000)
    raw["source"]["properties"]["max.poll.interval.ms_file"] = str(tmp_path / "interval")
    assert only_problem(raw).path == "limits.drain_timeout_s"


def test_any_property_may_be_in_a_file(tmp_path: Path) -> None:
    """The brokers, too; what stands in the file is judged as if it stood here."""
    file = tmp_path / "file"
    raw = with_("source.properties", {"bootstrap.servers_file": str(file), "session.timeout.ms": 6000})
    file.write_text("kafka:9092\n")
    assert problems(raw) == []
    file.write_text("https://kafka")
    assert only_problem(raw).path == "source.properties.bootstrap.servers_file"
    file.unlink()
    assert only_problem(raw).path == "source.properties.bootstrap.servers_file"


@pytest.mark.parametrize(("mebibytes", "usable"), [(15, False), (16, True), (16_384, True), (16_385, False)])
def test_the_memory_limit_is_one_that_librdkafka_can_keep(mebibytes: int, usable: bool) -> None:
    """Below, a single fetch would be more than its share; above, its own bounds on queues end."""
    found = problems(with_("limits.memory_mib", mebibytes))
    assert [problem.path for problem in found] == ([] if usable else ["limits.memory_mib"])


def test_property_files_are_read_and_their_properties_renamed(tmp_path: Path) -> None:
    """`sasl.password_file` becomes `sasl.password` for librdkafka; numbers and flags become text."""
    file = tmp_path / "password"
    file.write_text("pw\n")
    raw = with_("source.properties.sasl:password_file", str(file))
    raw["source"]["properties"] |= {"fetch.min.bytes": 5, "socket.keepalive.enable": False}
    assert from_mapping(raw).source.librdkafka() == {
        "bootstrap.servers": "localhost:9092",
        "sasl.password": "pw",
        "fetch.min.bytes": "5",
        "socket.keepalive.enable": "false",
    }
    raw["source"]["properties"]["sasl.password"] = "other"
    assert "is given beside sasl.password" in only_problem(raw).what
