"""librdkafka's properties: which an operator may set, and that the others are named when the file is read."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from connector.settings import from_mapping
from tests.settings.configurations import MINIMAL, only_problem, problems, with_


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sesion.timeout.ms", "6000", "No such configuration property"),
        ("session.timeout.ms", "soon", "Invalid value"),
        ("session.timeout.ms", "0", "outside allowed range"),
        ("security.protocol", "tls", "Invalid value"),
        ("topic.auto.offset.reset", "latest", "source.start_from"),
        ("auto.commit.enable", "true", "commits what is settled"),
        ("topic.auto.commit.enable", "true", "commits what is settled"),
        ("enable.partition.eof", "true", "no use for it"),
        ("acks", "1", "no effect"),
        ("compression.type", "lz4", "no effect"),
        ("queued.max.messages.kbytes", "300000", "more than limits.memory_mib"),
        ("fetch.message.max.bytes", "300000000", "more than limits.memory_mib"),
    ],
)
def test_a_property_that_would_be_refused_or_ignored_is_named(name: str, value: str, words: str) -> None:
    """At load, without a broker: not at the first start in production, and never in silence."""
    raw = deepcopy(MINIMAL)
    raw["source"]["properties"][name] = value
    problem = only_problem(raw)
    assert problem.path == f"source.properties.{name}"
    assert words in str(problem)


def test_all_wrong_properties_are_named_at_once(tmp_path: Path) -> None:
    """librdkafka itself stops at the first. One whose value is in a file is named as it was written."""
    (tmp_path / "secret").write_text("hidden")
    raw = deepcopy(MINIMAL)
    raw["source"]["properties"] |= {
        "no.such": "1",
        "nor.this": "2",
        "sasl.pasword_file": str(tmp_path / "secret"),
    }
    assert {problem.path for problem in problems(raw)} == {
        "source.properties.no.such",
        "source.properties.nor.this",
        "source.properties.sasl.pasword_file",
    }


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
