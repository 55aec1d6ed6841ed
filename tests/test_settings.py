"""Settings: what loads, what is refused and in which words, and that no secret gets out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connector.settings import (
    ConfigurationError,
    Problem,
    Secret,
    Settings,
    describe,
    from_mapping,
    load,
    reference,
    secret_values,
    typed_options,
)
from connector.vendors import DESTINATIONS

ROOT = Path(__file__).parents[1]
KEY = "sk-Ax93-secret-k3y"

MINIMAL: dict[str, Any] = {
    "destination": {"name": "topsort", "api_key": KEY, "options": {"currency": "EUR"}},
    "source": {
        "topics": ["orders", "clickstream"],
        "group_id": "commerce-connector-topsort",
        "properties": {"bootstrap.servers": "localhost:9092"},
    },
}

REMOVE = object()


def with_(path: str, value: object) -> dict[str, Any]:
    """The minimal file with one setting changed or taken away; dots in librdkafka's names are written `:`."""
    raw = deepcopy(MINIMAL)
    *sections, key = [step.replace(":", ".") for step in path.split(".")]
    here = raw
    for section in sections:
        here = here.setdefault(section, {})
    if value is REMOVE:
        del here[key]
    else:
        here[key] = value
    return raw


def problems(raw: Mapping[str, Any], env: Mapping[str, str] | None = None) -> list[Problem]:
    """What is wrong with this, as `load` sees it."""
    try:
        if env is None:
            from_mapping(raw)
        else:
            load(None, env)
    except ConfigurationError as error:
        return list(error.problems)
    return []


def only_problem(raw: Mapping[str, Any]) -> Problem:
    (problem,) = problems(raw)
    return problem


def leaves(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """The path of every setting that is not a section."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def at(settings: Settings, path: str) -> object:
    here: object = settings
    for step in path.split("."):
        here = getattr(here, step)
    return here.get_secret_value() if isinstance(here, SecretStr) else here


class StandIn:
    """A destination that settings may name; only what settings ask of it."""

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")

        platform: str = Field(description="Named by the vendor.")
        depth: int = Field(3, ge=1, description="How deep.")
        token: SecretStr | None = None

    name: ClassVar[str] = "stand-in"
    ordering: ClassVar[str] = "none"
    ordering_required: ClassVar[bool] = False
    url_per_account: ClassVar[bool] = False
    address_options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def url(cls, options: Any) -> str:
        return "https://your-account.example/events"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    kind = type("Fresh", (StandIn,), {})
    monkeypatch.setitem(DESTINATIONS, "stand-in", kind)
    return kind


def for_stand_in(**options: object) -> dict[str, Any]:
    raw = deepcopy(MINIMAL)
    raw["destination"] |= {"name": "stand-in", "options": options}
    return raw


# ── what loads ───────────────────────────────────────────────────────────────────────────────────


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
    assert (settings.logging.level, settings.logging.format) == ("info", "json")
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
        '{"bootstrap.servers": "b:1", "check.crcs": true}',
        {"bootstrap.servers": "b:1", "check.crcs": "true"},
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
    assert set(leaves()) - set(FROM_ENV) == {"source.schema_registry.cache_dir"}


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


# ── what is refused ──────────────────────────────────────────────────────────────────────────────

REFUSED: list[tuple[str, object, str, str]] = [
    # setting, value, the path named, words of the problem
    ("destination.name", "topsrot", "destination.name", "did you mean topsort?"),
    ("destination.name", REMOVE, "destination.name", "is missing"),
    ("destination.nmae", "topsort", "destination.nmae", "did you mean name?"),
    ("destination.options.engagement_clicks", False, "destination.options.engagement_clicks", "in quotes"),
    (
        "destination.options.currency",
        "euro",
        "destination.options.currency",
        "three letters, for example EUR",
    ),
    ("destination.api_key", REMOVE, "destination.api_key", "CONNECTOR_DESTINATION__API_KEY"),
    ("destination.api_key", "", "destination.api_key", "is empty"),
    ("destination.api_key", "a\nb", "destination.api_key", "printable ASCII"),
    ("destination.api_key", " abc", "destination.api_key", "blanks at its ends"),
    ("destination.api_key_file", "/etc/hostname", "destination.api_key", "given twice"),
    ("destination.url", "http://example.org", "destination.url", "is plain http"),
    ("destination.url", "ftp://example.org", "destination.url", "is not an address"),
    ("destination.url", "example.org/events", "destination.url", "is not an address"),
    ("destination.url", "https://exa mple.org", "destination.url", "is not an address"),
    ("destination.url", "https://example.org:99999", "destination.url", "is not an address"),
    ("destination.url", "https://user:pass@example.org", "destination.url", "holds credentials"),
    ("destination.url", "https://example.org/#part", "destination.url", "fragment"),
    ("destination.proxy", "proxy:3128", "destination.proxy", "is not an address"),
    ("destination.proxy", "http://u:p@proxy", "destination.proxy", "holds credentials"),
    ("destination.allow_http", "perhaps", "destination.allow_http", "true or false"),
    ("source.topics", [], "source.topics", "must not be empty"),
    ("source.topics", "orders", "source.topics", "must be a list"),
    ("source.topics", ["orders", "a b"], "source.topics.1", "is not a topic name"),
    ("source.topics", ["^orders-("], "source.topics.0", "is not a valid pattern"),
    ("source.topics", ["orders", "orders"], "source.topics.1", "listed twice"),
    ("source.group_id", "", "source.group_id", "must not be empty"),
    ("source.group_id", 7, "source.group_id", "put it in quotes"),
    ("source.format", "avro-raw", "source.format", "known: auto, avro, avro-raw:OrderEvent"),
    ("source.format", {"orders": "xml"}, "source.format", "is not a format"),
    ("source.format", {"order": "json"}, "source.format.order", "did you mean orders?"),
    ("source.format", "avro", "source.schema_registry.url", "is missing"),
    ("source.start_from", "beginning", "source.start_from", "'earliest', 'latest' or 'fail'"),
    ("source.properties", {}, "source.properties.bootstrap.servers", "is missing"),
    ("source.properties.group:id", "g", "source.properties.group.id", "use source.group_id"),
    ("source.properties.auto:offset:reset", "latest", "source.properties.auto.offset.reset", "start_from"),
    ("source.properties.enable:auto:commit", True, "source.properties.enable.auto.commit", "commits what is"),
    (
        "source.properties.auto:commit:interval:ms",
        1,
        "source.properties.auto.commit.interval.ms",
        "set by the",
    ),
    (
        "source.properties.enable:auto:offset:store",
        1,
        "source.properties.enable.auto.offset.store",
        "set by the",
    ),
    ("source.properties.group:id_file", "/x", "source.properties.group.id_file", "use source.group_id"),
    ("source.properties.fetch:sizes", [1], "source.properties.fetch.sizes", "must be text, a number"),
    (
        "source.properties.sasl:password_file",
        "/none",
        "source.properties.sasl.password_file",
        "can't be read",
    ),
    (
        "source.properties.max:poll:interval:ms",
        "soon",
        "source.properties.max.poll.interval.ms",
        "refused by librdkafka",
    ),
    ("source.properties.max:poll:interval:ms", 20_000, "limits.drain_timeout_s", "must be below"),
    ("source.schema_registry.cache_dir", "/var", "source.schema_registry.cache_dir", "not built yet"),
    ("source.schema_registry.url", "registry:8081", "source.schema_registry.url", "is not an address"),
    ("source.schema_registry.auth", "u:p", "source.schema_registry.url", "credentials for it are given"),
    ("delivery.ordering", "keys", "delivery.ordering", "'none' or 'key'"),
    ("delivery.linger_ms", -1, "delivery.linger_ms", "at least 0"),
    ("delivery.linger_ms", 60_001, "delivery.linger_ms", "at most 60000"),
    ("delivery.max_in_flight", 0, "delivery.max_in_flight", "at least 1"),
    ("delivery.max_in_flight", 1.5, "delivery.max_in_flight", "whole number"),
    ("delivery.requests_per_second", -0.1, "delivery.requests_per_second", "at least 0"),
    ("delivery.requests_per_second", float("inf"), "delivery.requests_per_second", "must be a number"),
    ("delivery.request_timeout_s", 0, "delivery.request_timeout_s", "above 0"),
    ("delivery.consent", ["marketting"], "delivery.consent", "did you mean marketing?"),
    ("dead_letter.topic", "a b", "dead_letter.topic", "is not a topic name"),
    ("dead_letter.topic", "orders", "dead_letter.topic", "is among source.topics"),
    ("dead_letter.flood_ratio", 0, "dead_letter.flood_ratio", "above 0"),
    ("dead_letter.flood_ratio", 1.1, "dead_letter.flood_ratio", "at most 1"),
    ("dead_letter.flood_ratio", float("nan"), "dead_letter.flood_ratio", "must be"),
    ("dead_letter.flood_window", 49, "dead_letter.flood_window", "at least 50"),
    ("limits.memory_mb", 1, "limits.memory_mb", "did you mean memory_mib?"),
    ("limits.memory_mib", 0, "limits.memory_mib", "at least 1"),
    ("limits.partition_share", 1.01, "limits.partition_share", "at most 1"),
    ("limits.drain_timeout_s", 300, "limits.drain_timeout_s", "must be below max.poll.interval.ms (300 s)"),
    ("http.port", 65_536, "http.port", "at most 65535"),
    ("logging.level", "loud", "logging.level", "'debug', 'info', 'warning' or 'error'"),
    ("loging", {"level": "info"}, "loging", "did you mean logging?"),
    ("source", "orders", "source", "section of keys and values"),
]


@pytest.mark.parametrize(("path", "value", "named", "words"), REFUSED)
def test_a_wrong_value_is_named_with_what_would_be_right(
    path: str, value: object, named: str, words: str
) -> None:
    """One mistake is one problem: its path, what is wrong, and a hint."""
    problem = only_problem(with_(path, value))
    assert problem.path == named
    assert words in str(problem)


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


def test_a_registrys_credentials_do_not_travel_in_the_clear() -> None:
    """Unless somebody says so; on this machine, or without credentials, plain http harms nobody."""
    raw = deepcopy(MINIMAL)
    registry = raw["source"]["schema_registry"] = {"url": "http://registry:8081"}
    assert problems(raw) == []
    registry["auth"] = "user:password"
    assert "is plain http" in only_problem(raw).what
    registry["url"] = "http://localhost:8081"
    assert problems(raw) == []
    raw["source"]["schema_registry"] = {**registry, "url": "http://registry:8081", "allow_http": True}
    assert problems(raw) == []


def test_all_mistakes_are_told_at_once() -> None:
    """Whoever wrote the file corrects it once, not once per mistake."""
    raw = with_("destination.name", "topsrot")
    raw["destination"]["url"] = "http://example.org"
    raw["source"] |= {"topics": ["a b"], "format": "xml"}
    raw["source"]["properties"] = {"group.id": "g", "bad": [], "bootstrap.servers": "b"}
    raw["source"]["schema_registry"] = {"cache_dir": "/x", "url": "nowhere"}
    raw |= {"delivery": {"ordering": "keys", "linger_ms": -1}, "limits": {"drain_timeout_s": 400}, "htp": {}}
    assert {problem.path for problem in problems(raw)} == {
        "destination.name",
        "destination.url",
        "source.topics.0",
        "source.format",
        "source.properties.group.id",
        "source.properties.bad",
        "source.schema_registry.cache_dir",
        "source.schema_registry.url",
        "delivery.ordering",
        "delivery.linger_ms",
        "limits.drain_timeout_s",
        "htp",
    }


def test_wrong_variables_are_told_with_the_rest() -> None:
    """Every bad variable is named, not only the first, and beside what the file lacks."""
    env = {
        "CONNECTOR_SORCE__TOPICS": "[]",
        "CONNECTOR_SOURCE__TOPICS": "orders",
        "CONNECTOR_DELIVERY__CONSENT": "{",
        "CONNECTOR_HTTP__PROT": "1",
        "CONNECTOR_HTTP__PORT": "many",
    }
    found = {problem.path: str(problem) for problem in problems({}, env)}
    assert "did you mean source?" in found["CONNECTOR_SORCE__TOPICS"]
    assert "must be JSON" in found["CONNECTOR_SOURCE__TOPICS"]
    assert "must be a list" in found["delivery.consent"]
    assert "did you mean port?" in found["http.prot"]
    assert "whole number" in found["http.port"]


def test_an_empty_configuration_says_what_is_missing() -> None:
    """Nothing given is no crash."""
    assert [problem.path for problem in problems({})] == ["destination", "source"]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/x",
        "http://127.0.0.1/x",
        "http://127.9.9.9/x",
        "http://[::1]:5/x",
        "http://a.localhost/",
    ],
)
def test_plain_http_is_allowed_to_this_machine(url: str) -> None:
    """A sandbox on loopback needs no certificate."""
    assert problems(with_("destination.url", url)) == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.example.org/", "http://localhost.example.org/", "http://10.0.0.1/"]
)
def test_plain_http_beyond_this_machine_needs_to_be_asked_for(url: str) -> None:
    """A name that only looks local is not; with `allow_http` it is the operator's choice."""
    raw = with_("destination.url", url)
    assert only_problem(raw).path == "destination.url"
    raw["destination"]["allow_http"] = True
    assert problems(raw) == []


def test_dead_letters_are_never_read_back_as_events() -> None:
    """Neither the default name nor a given one may be matched by a source pattern."""
    raw = with_("source.topics", ["^commerce-.*"])
    assert "is matched by a pattern" in only_problem(raw).what
    raw["dead_letter"] = {"topic": "letters"}
    assert problems(raw) == []


def test_a_group_whose_name_is_no_topic_name_needs_a_dead_letter_topic() -> None:
    """The default would be a topic that Kafka refuses."""
    raw = with_("source.group_id", "my group")
    assert "name the topic" in only_problem(raw).hint
    raw["dead_letter"] = {"topic": "letters"}
    assert problems(raw) == []


def test_a_map_of_formats_may_name_topics_that_a_pattern_covers() -> None:
    """`^orders-.*` reads orders-eu, so orders-eu may have its format."""
    raw = with_("source.topics", ["^orders-.*"])
    raw["source"]["format"] = {"orders-eu": "json"}
    assert problems(raw) == []
    raw["source"]["format"] = {"clicks": "json"}
    assert only_problem(raw).path == "source.format.clicks"


# ── destinations ─────────────────────────────────────────────────────────────────────────────────


def test_options_are_checked_as_the_destinations_own(stand_in: type[StandIn]) -> None:
    """Their problems have full paths, hints and ranges like any other setting's."""
    found = {problem.path: str(problem) for problem in problems(for_stand_in(dept=1, depth=0))}
    assert "did you mean depth?" in found["destination.options.dept"]
    assert "at least 1" in found["destination.options.depth"]
    assert "is missing (Named by the vendor.)" in found["destination.options.platform"]
    assert problems(for_stand_in(platform="p")) == []
    options = typed_options("stand-in", {"platform": "p"})
    assert isinstance(options, StandIn.Options)
    assert options.depth == 3


def test_order_by_key_is_never_switched_off_where_it_is_required(stand_in: type[StandIn]) -> None:
    """A destination that only prefers it may go without, and any may be given it."""
    raw = for_stand_in(platform="p")
    for ordering in ("key", "none"):
        raw["delivery"] = {"ordering": ordering}
        assert problems(raw) == []
    stand_in.ordering = "key"
    assert problems(raw) == []
    stand_in.ordering_required = True
    assert "requires key" in only_problem(raw).what


def test_an_address_that_every_account_has_its_own_of_must_be_given(stand_in: type[StandIn]) -> None:
    """There is no default that could be right, so it is missed at the start, with all else."""
    raw = for_stand_in(platform="p")
    stand_in.url_per_account = True
    problem = only_problem(raw)
    assert (problem.path, problem.what) == ("destination.url", "is missing")
    assert "stand-in gives every account its own" in problem.hint
    raw["destination"]["url"] = "https://shop.vendor.test/log"
    assert problems(raw) == []
    raw["destination"]["url"] = "shop.vendor.test/log"
    assert "is not an address" in only_problem(raw).what
    raw["destination"] |= {"url": None, "options": {"depth": 0}}
    assert {each.path for each in problems(raw)} == {
        *("destination.url", "destination.options.depth", "destination.options.platform")
    }


def test_editors_and_the_reference_know_whose_address_must_be_given(stand_in: type[StandIn]) -> None:
    """In the JSON Schema it is required there, and only there; the page says so above the options."""
    raw = for_stand_in(platform="p")
    with_url = deepcopy(raw)
    with_url["destination"]["url"] = "https://shop.vendor.test/log"
    for per_account in (False, True):
        stand_in.url_per_account = per_account
        valid = jsonschema.Draft202012Validator(reference.json_schema()).is_valid
        assert valid(raw) is not per_account
        assert valid(with_url)
        said = "## destination.options for stand-in\n\n`destination.url` must be given"
        assert (said in reference.markdown()) is per_account
    stand_in.url_per_account = False
    stand_in.address_options = ("region",)
    valid = jsonschema.Draft202012Validator(reference.json_schema()).is_valid
    assert not valid(raw)
    assert valid(with_url)
    assert "`region` must be given, or `destination.url`" in reference.markdown()


def test_a_secret_option_may_be_a_file(stand_in: type[StandIn], tmp_path: Path) -> None:
    """As every other secret; both at once, or a file that can't be read, is named."""
    file = tmp_path / "token"
    file.write_text("from-file\n")
    options = typed_options("stand-in", {"platform": "p", "token_file": str(file)})
    assert isinstance(options, StandIn.Options)
    assert options.token is not None
    assert options.token.get_secret_value() == "from-file"
    both = only_problem(for_stand_in(platform="p", token="t", token_file=str(file)))
    assert (both.path, "beside token" in both.what) == ("destination.options.token_file", True)
    for unusable in (str(tmp_path / "none"), 7, ["a"]):
        assert "can be read" in only_problem(for_stand_in(platform="p", token_file=unusable)).what
    assert from_mapping(for_stand_in(platform="p", token_file=str(file)))
    assert "from-file" in secret_values(from_mapping(for_stand_in(platform="p", token_file=str(file))))


@pytest.mark.parametrize("name", sorted(DESTINATIONS))
def test_every_destinations_options_refuse_unknown_keys(name: str) -> None:
    """A mistyped option is an error for every vendor."""
    assert DESTINATIONS[name].Options.model_config.get("extra") == "forbid"


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("destination: {name: *hunter2}", "not valid YAML at line 1, column 21"),
        ("a: 1\nb: !hunter2 x", "not valid YAML at line 2"),
        ("destination:\n\tname: hunter2", "not valid YAML at line 2"),
        ("destination: {api_key: hunter2, api_key: hunter3}", "names a key twice at line 1"),
        ("- hunter2", "must be sections"),
        ("hunter2", "must be sections"),
        ("1: hunter2", "must be sections"),
        ("when: 2026-99-99", "not valid YAML"),
        ("[" * 10_000, "not valid YAML"),
    ],
)
def test_a_broken_file_is_one_problem_that_repeats_nothing_of_it(
    text: str, words: str, tmp_path: Path
) -> None:
    """The parser's own words quote the file, and the file holds secrets: we name the place only."""
    file = tmp_path / "connector.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, {})
    (problem,) = caught.value.problems
    assert problem.path == str(file)
    assert words in problem.what
    assert "hunter" not in str(caught.value)


def test_a_file_that_is_not_there_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    """Missing, a directory, or not text: the path and the reason."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, words in ((tmp_path / "none", "No such file"), (tmp_path, "directory"), (binary, "not UTF-8")):
        with pytest.raises(ConfigurationError, match=words):
            load(path, {})


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_file_is_followed(tmp_path: Path) -> None:
    """A rotated key is used without a restart; while the file is gone or empty, the last one stays."""
    file = tmp_path / "key"
    file.write_text("first\n")
    secret = Secret(file=file)
    assert secret.read() == "first"
    replacement = tmp_path / "new"
    replacement.write_text("second\n")
    replacement.replace(file)
    assert secret.read() == "second"
    file.write_text("\n")
    assert secret.read() == "second"
    file.unlink()
    assert secret.read() == "second"
    assert "second" not in repr(secret)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xff", b"a b\x7fc"])
def test_a_secret_file_without_a_usable_key_is_a_problem(content: bytes, tmp_path: Path) -> None:
    """Better at the start than as a 401 later."""
    file = tmp_path / "key"
    file.write_bytes(content)
    raw = with_("destination.api_key", REMOVE)
    raw["destination"]["api_key_file"] = str(file)
    assert only_problem(raw).path == "destination.api_key_file"


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


def test_what_is_described_shows_no_secret_and_secret_values_names_each(
    stand_in: type[StandIn], tmp_path: Path
) -> None:
    """`/status` shows the settings in force; whatever it hides is known to the logs."""
    file = tmp_path / "registry"
    file.write_text("reader:registry-password")
    raw = for_stand_in(platform="p", token="option-token")
    raw["source"]["schema_registry"] = {"url": "https://registry", "auth_file": str(file)}
    raw["source"]["properties"] |= {
        "sasl.username": "reader",
        "sasl.password": "sasl-password",
        "ssl.key.password": "key-password",
        "ssl.key.pem": "-----BEGIN",
        "ssl.key.location": "/etc/key",
    }
    settings = from_mapping(raw)
    shown = json.dumps(describe(settings))
    hidden = {KEY, "option-token", "registry-password", "sasl-password", "key-password", "-----BEGIN"}
    assert [secret for secret in hidden if secret in shown] == []
    assert hidden <= set(secret_values(settings))
    assert '"/etc/key"' in shown
    assert '"depth": 3' in shown
    assert "stand-in" in repr(settings)
    assert KEY not in repr(settings)


PATHS = st.sampled_from([*leaves(), "destination", "source", "delivery", "source.properties.sasl:password"])
SHAPES = st.sampled_from(
    [
        lambda secret: secret,
        lambda secret: [secret],
        lambda secret: {"a": secret},
        lambda secret: {"a": [secret]},
        lambda secret: f"https://user:{secret}@host/",
        lambda secret: f"^({secret}",
    ]
)


@examples(max_examples=200, deadline=None)
@given(path=PATHS, shape=SHAPES)
def test_a_secret_in_the_wrong_place_is_never_repeated(path: str, shape: Any) -> None:
    """Wherever somebody puts a secret, in whatever shape, the problems tell the place and not the value."""
    secret = "hunter2-5f1c"
    try:
        from_mapping(with_(path, shape(secret)))
    except ConfigurationError as error:
        rest = str(error).replace(str(ROOT), "")
        if path == "source.group_id" or path == "dead_letter.topic":
            return  # a name that Kafka shows to everybody
        if path.endswith("_file"):
            return  # a file's name
        assert secret not in rest


# ── the pages ────────────────────────────────────────────────────────────────────────────────────


def test_the_example_loads_and_names_every_setting(tmp_path: Path) -> None:
    """It is a file to start from, and a full one."""
    file = tmp_path / "connector.yaml"
    file.write_text(reference.example())
    load(file, {})
    raw = yaml.safe_load(reference.example())
    for path in leaves():
        here = raw
        for step in path.split("."):
            assert step in here, path
            here = here[step]


def test_the_json_schema_takes_the_example_and_refuses_what_we_refuse() -> None:
    """An editor marks what `connector check` would."""
    schema = reference.json_schema()
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema)
    assert list(validator(schema).iter_errors(yaml.safe_load(reference.example()))) == []
    for path, value in (
        ("destination.nmae", "x"),
        ("destination.name", "topsrot"),
        ("destination.options", {"no_such_option": 1}),
        ("delivery.linger_ms", -1),
        ("source.format", "xml"),
        ("dead_letter.flood_ratio", 2),
        ("http", {"prot": 1}),
    ):
        assert list(validator(schema).iter_errors(with_(path, value))), path


def test_the_reference_has_a_row_for_every_setting() -> None:
    """With default, range and reason: no setting is without a description."""
    text = reference.markdown()
    for path in leaves():
        key = path.rpartition(".")[2]
        row = re.search(rf"^\| `{key}` \| .+ \| .+ \| (.+) \|$", text, re.MULTILINE)
        assert row is not None, path
        assert row[1].strip(), path


def test_the_reference_page_is_in_step_with_the_code() -> None:
    """docs/configuration.md is what `connector config reference` prints."""
    page = ROOT / "docs" / "configuration.md"
    assert page.read_text() == reference.markdown(), "run: connector config reference > docs/configuration.md"
