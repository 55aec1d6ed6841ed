"""What is refused, and in which words: each mistake once, all of them at once."""

from __future__ import annotations

from copy import deepcopy

import pytest

from tests.settings.configurations import MINIMAL, REMOVE, only_problem, problems, with_

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
