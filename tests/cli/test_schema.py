"""`connector schema`: what is printed is a schema, and registering it works and tells what went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import fastavro
import fastavro.schema
import pytest
import yaml
from confluent_kafka.schema_registry import SchemaRegistryClient

from connector.codec import schemas
from tests.cli.answering import answering
from tests.cli.commandline import Ended, connector

RECORDS = schemas.RECORDS


def register(tmp_path: Path, registry: dict[str, str] | None, *arguments: str) -> Ended:
    raw = {
        "destination": {"name": "topsort", "api_key": "tse-key", "options": {"currency": "EUR"}},
        "source": {
            "topics": ["orders"],
            "group_id": "connector",
            "properties": {"bootstrap.servers": "127.0.0.1:1"},
            "schema_registry": registry or {},
        },
    }
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(raw))
    return connector("schema", "register", *arguments, "-c", str(file))


def test_every_schema_is_listed_with_its_purpose() -> None:
    """A line each."""
    ended = connector("schema", "list")
    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == list(RECORDS)
    assert all(len(line.split()) > 2 for line in ended.out.splitlines())


@pytest.mark.parametrize("record", RECORDS)
def test_a_shown_schema_is_complete_in_itself(record: str) -> None:
    """Any Avro library can read it from a pipe, no other file needed."""
    ended = connector("schema", "show", record)
    assert ended.code == 0
    parsed = fastavro.parse_schema(json.loads(ended.out))
    assert isinstance(parsed, dict)
    assert parsed["name"] == f"commerce.v1.{record}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "NoEvent"),
        ("register", "OrderEvent"),
        ("register", "NoEvent", "--topic", "orders"),
        ("register", "OrderEvent", "--topic", "orders"),
    ],
)
def test_bad_usage_is_told(arguments: tuple[str, ...]) -> None:
    """An unknown schema, neither topic nor subject, or no configuration."""
    assert connector("schema", *arguments).code == 2


def test_a_topic_names_its_subject(tmp_path: Path) -> None:
    """`<topic>-value`, as Confluent's serializers expect; the credentials travel, and the schema as JSON."""
    with answering(200, b'{"id": 7}') as registry:
        given = {"url": registry.url, "auth": "reader:r3gistry"}
        ended = register(tmp_path, given, "OrderEvent", "--topic", "orders")
    assert ended == (0, "orders-value: id 7\n", "")
    ((method, path, key, body),) = registry.asked
    assert (method, path, key) == ("POST", "/subjects/orders-value/versions", "Basic cmVhZGVyOnIzZ2lzdHJ5")
    sent = json.loads(body)
    assert sent["schemaType"] == "AVRO"
    assert json.loads(sent["schema"]) == schemas.schema("OrderEvent")


def test_a_subject_may_be_named_and_is_quoted(tmp_path: Path) -> None:
    """A slash in it stays in it."""
    with answering(200, b'{"id": 7}') as registry:
        ended = register(tmp_path, {"url": registry.url + "/"}, "ClickstreamEvent", "--subject", "a/b")
    assert ended.out == "a/b: id 7\n"
    assert registry.asked[0][1] == "/subjects/a%2Fb/versions"


@pytest.mark.parametrize(
    ("status", "body"),
    [(409, b'{"error_code": 409, "message": "incompatible schema"}'), (401, b""), (500, b"\xff<html>" * 900)],
)
def test_a_refusal_is_told_in_the_registrys_words(status: int, body: bytes, tmp_path: Path) -> None:
    """Cut to what a person reads, exit code 1, without the password."""
    with answering(status, body) as registry:
        given = {"url": registry.url, "auth": "reader:r3gistry"}
        ended = register(tmp_path, given, "OrderEvent", "--topic", "orders")
    assert ended.code == 1
    assert str(status) in ended.err
    assert len(ended.err) < 700
    assert "r3gistry" not in ended.err
    if status == 409:
        assert "incompatible schema" in ended.err


def test_a_registry_that_is_not_there_or_not_named_is_told(tmp_path: Path) -> None:
    """One is a failure, the other a matter of the configuration."""
    assert register(tmp_path, {"url": "http://127.0.0.1:1"}, "OrderEvent", "--topic", "t").code == 1
    ended = register(tmp_path, None, "OrderEvent", "--topic", "t")
    assert ended.code == 2
    assert "schema_registry.url" in ended.err


@pytest.mark.registry
def test_a_real_registry_takes_both_schemas(
    schema_registry_url: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """And gives them back under the id that was printed; a second time changes nothing."""
    client = SchemaRegistryClient({"url": schema_registry_url})
    for record in RECORDS:
        topic = unique("topic")
        given = {"url": schema_registry_url}
        first = register(tmp_path, given, record, "--topic", topic)
        assert first.code == 0, first.err
        assert register(tmp_path, given, record, "--topic", topic) == first
        stored = client.get_schema(int(first.out.rpartition(" ")[2])).schema_str
        assert stored is not None
        canonical = fastavro.schema.to_parsing_canonical_form
        assert canonical(json.loads(stored)) == canonical(schemas.schema(record))
        assert client.get_versions(f"{topic}-value") == [1]
