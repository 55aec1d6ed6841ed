"""A configuration with many mistakes: every command tells all at once, each once, and exits with 2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.commandline import Ended, connector

SECRETS = ("hunter2-key", "hunter2-auth", "hunter2-password")
COMMANDS = (("run",), ("check",), ("check", "--offline"), ("explain", "orders:0:0"), ("dlq", "list"))

BAD: dict[str, Any] = {
    "destination": {
        "name": "esputnik-orders",
        "url": "http://vendor.example/api/v1/event",
        "proxy": "proxy:3128",
        "api_key": SECRETS[0],
        "api_key_file": "/nowhere/key",
        "options": {"acount_timezone": "UTC", "send_products": "maybe", "max_event_age_s": -1},
    },
    "source": {
        "topics": ["orders", "or ders"],
        "start_from": "begin",
        "format": "xml",
        "properties": {
            "bootstrap.servers": "https://kafka",
            "auto.offset.reset": "latest",
            "acks": 1,
            "check.crcs": True,
            "sesion.timeout.ms": 6000,
            "max.poll.interval.ms": "5m",
            "sasl.password": SECRETS[2],
            "sasl.password_file": "/nowhere/password",
            "ssl.key.password_file": "/nowhere/password",
        },
        "schema_registry": {"url": "registry:8081", "auth": f"u:{SECRETS[1]}\n", "cache_dir": "/var"},
    },
    "delivery": {"ordering": "none", "liger_ms": 5, "linger_ms": "fast", "consent": ["marketting"]},
    "dead_letter": {"topic": "a b", "flood_ratio": 2},
    "limits": {"memory_mib": "256Mi", "drain_timeout_s": 0},
    "logging": {"level": "loud"},
}

OF_MAPPING = {
    "destination.options.acount_timezone": "is not a setting (did you mean account_timezone?)",
    "destination.options.send_products": "must be true or false",
    "destination.options.max_event_age_s": "must be at least 0 (in s: An event older than this,",
}
TOLD = OF_MAPPING | {
    "destination.url": "is plain http (use https, or set destination.allow_http",
    "destination.proxy": "is not an address (for example http://proxy:3128)",
    "destination.api_key": "is given twice (keep destination.api_key or destination.api_key_file",
    "source.group_id": "is missing (The consumer group.",
    "source.topics.1": "is not a topic name (letters, digits,",
    "source.start_from": "must be 'earliest', 'latest' or 'fail'",
    "source.format": "is not a format, nor a map of topics to formats (known: auto,",
    "source.properties.bootstrap.servers": "is not a list of hosts (for example kafka-1:9092",
    "source.properties.auto.offset.reset": "is set by the connector (use source.start_from",
    "source.properties.acks": "would have no effect (only producers read it",
    "source.properties.check.crcs": "would break a promise (after a batch",
    "source.properties.sesion.timeout.ms": "is not a property of librdkafka (did you mean",
    "source.properties.max.poll.interval.ms": "must be a whole number (librdkafka would",
    "source.properties.sasl.password_file": "is given beside sasl.password (give one of the two)",
    "source.properties.ssl.key.password_file": "can't be read: No such file or directory (/nowhere/password)",
    "source.schema_registry.url": "is not an address (for example https://registry:8081)",
    "source.schema_registry.auth": "is empty, or holds blanks at its ends",
    "source.schema_registry.cache_dir": "is not built yet (leave it null",
    "delivery.ordering": "esputnik-orders requires key (leave it null)",
    "delivery.liger_ms": "is not a setting (did you mean linger_ms?)",
    "delivery.linger_ms": "must be a whole number (in ms: How long",
    "delivery.consent": "names an unknown purpose (did you mean marketing?)",
    "dead_letter.topic": "is not a topic name (letters,",
    "dead_letter.flood_ratio": "must be at most 1 (Share of dead letters",
    "limits.memory_mib": "must be a whole number (in MiB:",
    "limits.drain_timeout_s": "must be above 0 (in s:",
    "logging.level": "must be 'debug', 'info', 'warning' or 'error'",
}
"""Each mistake's path, and how what is told of it begins."""


def told(ended: Ended) -> dict[str, str]:
    """What was told of each path. It ended as it must: with 2, nothing but problems, no path twice."""
    assert (ended.code, ended.out) == (2, "")
    head, *lines = ended.err.splitlines()
    assert head in (f"the configuration has {len(lines)} problems:", "the configuration has a problem:")
    assert not [secret for secret in SECRETS if secret in ended.err]
    found = [line.strip().partition(": ") for line in lines]
    assert len({path for path, _, _ in found}) == len(found), "a path is told twice"
    return {path: words for path, _, words in found}


def assert_told(ended: Ended, expected: dict[str, str], origin: dict[str, str] | None = None) -> None:
    """Exactly these paths, each in its words and with the variable it comes from."""
    found = told(ended)
    assert found.keys() == expected.keys()
    for path, words in expected.items():
        assert found[path].startswith(words), path
        variable = (origin or {}).get(path)
        assert found[path].partition("; from ")[2] == (variable or ""), path


def variables(raw: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, value and path of the variable for each key of each section; maps and lists as JSON."""
    for section, keys in raw.items():
        for key, value in keys.items():
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"CONNECTOR_{section}__{key}".upper(), text, f"{section}.{key}"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_mistake_in_the_file_is_told_once(command: tuple[str, ...], tmp_path: Path) -> None:
    """Wrong types, unknown keys, secrets given twice or unreadable, addresses, what a destination needs."""
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(BAD))
    assert_told(connector(*command, "-c", str(file)), TOLD)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_mistake_in_the_environment_is_told_once_with_its_variable(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same ones, without a file; what is missing comes from nowhere."""
    given = list(variables(BAD))
    for name, text, _ in given:
        monkeypatch.setenv(name, text)
    origin = {
        told: name for told in TOLD for name, _, path in given if told == path or told.startswith(f"{path}.")
    }
    assert_told(connector(*command), TOLD, origin)


def test_mistakes_in_file_and_environment_are_told_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable hides no mistake of the file, and one that can't be read or is not read hides no other."""
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(BAD | {"http": 8080, "metrics": {}, "destination": {"name": "topsort"}}))
    for name, text in (
        ("CONNECTOR_DESTINATION__API_KEY_FILE", "/nowhere/key"),
        ("CONNECTOR_DESTINATION__URL", "https://user:hunter2-key@vendor.example"),
        ("CONNECTOR_SOURCE__TOPICS", "orders"),
        ("CONNECTOR_SORCE__TOPICS", "[]"),
        ("CONNECTOR_LOGGING_FORMAT", "text"),
        ("CONNECTOR_HTTP__PORT", "many"),
        ("CONNECTOR_HTTP_PORT", "tcp://10.0.0.1:80"),
    ):
        monkeypatch.setenv(name, text)
    found = told(connector("check", "-c", str(file)))
    of_file = {path: words for path, words in TOLD.items() if not path.startswith("destination.")}
    del of_file["delivery.ordering"]
    assert {path: words for path, words in found.items() if path not in of_file} == {
        "CONNECTOR_SORCE__TOPICS": "names no section (did you mean source?)",
        "CONNECTOR_SOURCE__TOPICS": """must be JSON (lists and maps are written as '["orders"]' or """
        """'{"a": "b"}')""",
        "CONNECTOR_LOGGING_FORMAT": "is not read (did you mean CONNECTOR_LOGGING__FORMAT? There are two _ "
        "before every key)",
        "destination.api_key_file": "can't be read: No such file or directory (/nowhere/key); "
        "from CONNECTOR_DESTINATION__API_KEY_FILE",
        "destination.url": "holds credentials (use destination.api_key or destination.api_key_file); "
        "from CONNECTOR_DESTINATION__URL",
        "destination.options.currency": "is missing (The marketplace currency, ISO 4217.)",
        "http": "must be a section of keys and values",
        "http.port": "must be a whole number (Port to listen on; 0: any free one.); "
        "from CONNECTOR_HTTP__PORT",
        "metrics": "is not a setting (known: dead_letter, delivery, destination, http, limits, logging, "
        "source)",
    }
    assert found.keys() > of_file.keys()


def test_map_tells_what_concerns_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once, too: options, consent, and the variables for them; the rest of the file is not its own."""
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(BAD | {"delivery": ["consent"]}))
    monkeypatch.setenv("CONNECTOR_DESTINATION__OPTIONS__EXTRA_PARAMS", "campaign")
    monkeypatch.setenv("CONNECTOR_DESTINATION_OPTIONS", "{}")
    monkeypatch.setenv("CONNECTOR_HTTP__PORT", "many")
    ended = connector("map", "--destination", "esputnik-orders", "-c", str(file))
    variable = "CONNECTOR_DESTINATION__OPTIONS__EXTRA_PARAMS"
    assert_told(
        ended,
        OF_MAPPING
        | {
            "destination.options.extra_params": "must be a list",
            "CONNECTOR_DESTINATION_OPTIONS": "is not read (did you mean CONNECTOR_DESTINATION__OPTIONS?",
            "delivery": "must be a section of keys and values",
        },
        {"destination.options.extra_params": variable},
    )
    monkeypatch.setenv("CONNECTOR_DELIVERY__CONSENT", "marketing")
    ended = connector(
        "map", "--destination", "esputnik-orders", "-c", str(file), "--option", "extra_params=x"
    )
    found = told(ended)
    assert found["delivery.consent"].endswith("; from CONNECTOR_DELIVERY__CONSENT")
    assert not found["destination.options.extra_params"].endswith(variable)


def test_map_says_when_the_file_is_another_destinations(tmp_path: Path) -> None:
    """A long list of unknown options would not say so."""
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump({"destination": {"name": "topsort", "options": {"currency": "EUR"}}}))
    found = told(connector("map", "--destination", "esputnik-site", "-c", str(file)))
    assert found["destination.name"] == "is not esputnik-site, so its options do not fit"
    assert found.keys() == {"destination.name", "destination.options.currency"}
