"""What loads: a small file with its defaults, and every setting from the environment."""

from __future__ import annotations

import os
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from connector.settings import from_mapping, load
from connector.settings.model import paths
from tests.settings.configurations import KEY, MINIMAL, at, problems, with_


def test_a_minimal_file_loads_with_the_promised_defaults(tmp_path: Path) -> None:
    """About ten lines are enough, and everything else has the documented default."""
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(MINIMAL))
    settings = load(file, {})
    assert settings.source.format == "auto"
    assert settings.source.start_from == "earliest"
    assert settings.source.on_offset_lost == "halt"
    assert (settings.delivery.linger_ms, settings.delivery.max_in_flight) == (50, 64)
    assert settings.delivery.ordering is None
    assert (settings.dead_letter.flood_ratio, settings.dead_letter.flood_window) == (0.5, 200)
    assert settings.dead_letter_topic == "commerce-connector-topsort.dead-letter"
    assert (settings.limits.memory_mib, settings.limits.partition_share) == (256, 0.5)
    assert (settings.limits.ahead_max, settings.limits.shutdown_timeout_s) == (50_000, 25)
    assert settings.limits.drain_timeout_s == 20
    assert (settings.http.host, settings.http.port) == ("0.0.0.0", 8080)
    assert (settings.logging.level, settings.logging.format) == ("info", "auto")
    assert settings.destination.secret().read() == KEY


FROM_ENV: dict[str, tuple[str, object]] = {
    "destination.name": ("topsort", "topsort"),
    "destination.url": ("https://example.org/v2", "https://example.org/v2"),
    "destination.allow_http": ("true", True),
    "destination.proxy": ("http://proxy:3128", "http://proxy:3128"),
    "destination.api_key": ("12345678", "12345678"),
    "destination.api_key_file": ("FILE", "FILE"),
    "destination.options": ('{"currency": "USD"}', {"currency": "USD"}),
    "source.topics": ('["a", "^b-.*"]', ["a", "^b-.*"]),
    "source.group_id": ("g", "g"),
    "source.format": ('{"a": "json"}', {"a": "json"}),
    "source.start_from": ("latest", "latest"),
    "source.on_offset_lost": ("earliest", "earliest"),
    "source.properties": (
        '{"bootstrap.servers": "b:1", "socket.keepalive.enable": true}',
        {"bootstrap.servers": "b:1", "socket.keepalive.enable": "true"},
    ),
    "source.schema_registry.url": ("http://registry:8081", "http://registry:8081"),
    "source.schema_registry.auth": ("user:password", "user:password"),
    "source.schema_registry.allow_http": ("true", True),
    "source.schema_registry.auth_file": ("FILE", "FILE"),
    "delivery.ordering": ("none", "none"),
    "delivery.linger_ms": ("7", 7),
    "delivery.max_in_flight": ("9", 9),
    "delivery.requests_per_second": ("0", 0.0),
    "delivery.request_timeout_s": ("1.5", 1.5),
    "delivery.consent": ('["marketing"]', ["marketing"]),
    "dead_letter.topic": ("letters", "letters"),
    "dead_letter.flood_ratio": ("1", 1.0),
    "dead_letter.flood_window": ("50", 50),
    "limits.memory_mib": ("64", 64),
    "limits.partition_share": ("0.25", 0.25),
    "limits.ahead_max": ("10", 10),
    "limits.shutdown_timeout_s": ("5", 5.0),
    "limits.drain_timeout_s": ("3.5", 3.5),
    "http.host": ("::", "::"),
    "http.port": ("0", 0),
    "logging.level": ("debug", "debug"),
    "logging.format": ("text", "text"),
}


def test_the_table_of_variables_names_every_setting_but_the_refused_one() -> None:
    """A new setting must be added to the table below, so that its variable is tried too."""
    assert set(paths()) - set(FROM_ENV) == {"source.schema_registry.cache_dir"}


@pytest.mark.parametrize("path", FROM_ENV)
def test_every_setting_is_an_environment_variable_that_wins_over_the_file(path: str, tmp_path: Path) -> None:
    """CONNECTOR_<SECTION>__<KEY> sets it, whatever the file says."""
    secret_file = tmp_path / "secret"
    secret_file.write_text("user:password\n")
    text, expected = FROM_ENV[path]
    raw = deepcopy(MINIMAL)
    if path == "source.format":
        raw["source"]["topics"] = ["a"]
    if path.startswith("source.schema_registry.auth"):
        raw["source"]["schema_registry"] = {"url": "https://registry"}
    if text == "FILE":
        text, expected = str(secret_file), secret_file
        if path == "destination.api_key_file":
            del raw["destination"]["api_key"]
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(raw))
    variable = "CONNECTOR_" + path.upper().replace(".", "__")
    settings = load(file, {variable: text})
    found = at(settings, path)
    if isinstance(expected, dict) and isinstance(found, dict):
        assert found == found | expected
    else:
        assert found == expected


def test_the_environment_alone_is_enough() -> None:
    """Without a file, variables say everything."""
    env = {
        "CONNECTOR_DESTINATION__NAME": "topsort",
        "CONNECTOR_DESTINATION__API_KEY": KEY,
        "CONNECTOR_DESTINATION__OPTIONS": '{"currency": "EUR"}',
        "CONNECTOR_SOURCE__TOPICS": '["orders"]',
        "CONNECTOR_SOURCE__GROUP_ID": "g",
        "CONNECTOR_SOURCE__PROPERTIES": '{"bootstrap.servers": "b:9092"}',
    }
    assert load(None, env).source.topics == ["orders"]


def test_a_map_in_the_environment_adds_to_the_files_map(tmp_path: Path) -> None:
    """A password can come from the environment without repeating the file's other properties."""
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(MINIMAL))
    settings = load(file, {"CONNECTOR_SOURCE__PROPERTIES": '{"sasl.password": "pw"}'})
    assert settings.source.librdkafka() == {"bootstrap.servers": "localhost:9092", "sasl.password": "pw"}


def test_null_in_the_environment_takes_a_setting_back(tmp_path: Path) -> None:
    """`null` is null, as in the file."""
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(with_("destination.url", "https://example.org")))
    assert load(file, {"CONNECTOR_DESTINATION__URL": "null"}).destination.url is None


def test_variables_that_kubernetes_sets_for_a_service_are_not_ours() -> None:
    """A Service named connector puts CONNECTOR_PORT and the like into every pod; that is no mistake."""
    env = {
        "CONNECTOR_PORT": "tcp://10.0.0.1:8080",
        "CONNECTOR_SERVICE_HOST": "10.0.0.1",
        "CONNECTOR_PORT_8080_TCP_ADDR": "10.0.0.1",
        "CONNECTOR_DESTINATION": "x",
    }
    assert {problem.path for problem in problems({}, env)} == {"destination", "source"}


def test_the_process_environment_is_read_by_nobody_but_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapping is checked as it is; only `load` looks at the variables that it is given."""
    monkeypatch.setitem(os.environ, "CONNECTOR_HTTP__PORT", "1")
    assert from_mapping(MINIMAL).http.port == 8080


@pytest.mark.parametrize("section", ["delivery", "limits", "http", "logging", "dead_letter"])
def test_a_section_whose_keys_are_all_commented_out_means_its_defaults(section: str) -> None:
    """YAML reads null there. In one that must be given, its keys are what is missing."""
    assert getattr(from_mapping(MINIMAL | {section: None}), section) == getattr(
        from_mapping(MINIMAL), section
    )
    assert from_mapping(with_("source.schema_registry", None)).source.schema_registry.url is None
    missing = {problem.path for problem in problems(MINIMAL | {"source": None})}
    assert missing == {"source.topics", "source.group_id", "source.properties"}
