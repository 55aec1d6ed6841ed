"""Which properties of an operator can't be used: decided for every one that librdkafka has."""

from __future__ import annotations

import logging
from collections import Counter

import pytest
from confluent_kafka import Consumer

from connector.kafka import unusable
from connector.kafka.properties import ALIASES, CONNECTION, ceilings, whole
from connector.kafka.unusable import CHOICES, HARMFUL, NAMES, NO_EFFECT, OURS, at_odds, one_by_one
from tests.kafka.librdkafka_list import listed

MEMORY = 256 << 20
PASSWORD = "hunter2-5f1c"


def what(name: str, value: str | None = "1") -> str:
    """What is said of one property alone; empty when it can be used."""
    return "; ".join(f"{each.name}: {each.what} ({each.hint})" for each in one_by_one({name: value}))


def odds(**given: str) -> list[str]:
    """What is said of these together, names written with `_` for dots."""
    properties = {name.replace("_", "."): value for name, value in given.items()}
    assert not list(one_by_one(properties)), "each is usable alone"
    return [f"{each.name}: {each.what} ({each.hint})" for each in at_odds(properties, MEMORY)]


# ── the tables ───────────────────────────────────────────────────────────────────────────────────


def test_every_property_of_librdkafka_is_decided_once() -> None:
    """It goes through, or it is refused with a reason. A new librdkafka with a new property asks for a
    decision here."""
    assert listed().keys() >= NAMES | HARMFUL.keys()
    decided = Counter([*NAMES, *OURS, *NO_EFFECT, *HARMFUL])
    assert listed().keys() <= decided.keys()
    assert set(decided.values()) == {1}


def test_what_only_a_producer_reads_has_no_effect() -> None:
    """All of librdkafka's column P, and what it says it no longer uses."""
    producers = {name for name, each in listed().items() if each.readers == "P"}
    unused = {name for name, each in listed().items() if "No longer used" in each.text}
    assert producers | unused <= NO_EFFECT.keys()


def test_second_names_are_librdkafkas() -> None:
    """Of those that may be given; a table that lacks one would let the first name and the second disagree."""
    second = {name: each.alias_of for name, each in listed().items() if each.alias_of and name in NAMES}
    assert second.pop("bootstrap.servers") == "metadata.broker.list"
    assert second == ALIASES


def test_the_words_offered_are_librdkafkas() -> None:
    """For the properties that are mistyped most."""
    for name, words in CHOICES.items():
        if name != "sasl.mechanisms":
            assert listed()[name].may_be == words
    mechanisms = CHOICES["sasl.mechanisms"].split(", ")
    assert all(mechanism in listed()["sasl.mechanisms"].text for mechanism in mechanisms)


def test_what_both_clients_read_and_concerns_the_connection_is_shared() -> None:
    """The dead-letter producer reaches the cluster as the consumer does; these are the consumer's alone."""
    both = {name for name, each in listed().items() if each.readers == "*" and name in NAMES}
    alone = {name for name in both if not name.startswith(CONNECTION)}
    assert alone == {
        "allow.auto.create.topics",
        "builtin.features",
        "enable.random.seed",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "plugin.library.paths",
        "receive.message.max.bytes",
        "topic.blacklist",
    }


# ── each alone ───────────────────────────────────────────────────────────────────────────────────


def test_what_is_ours_ignored_or_harmful_is_refused_with_a_reason() -> None:
    """Under its own name and, as librdkafka takes it too, with `topic.` before it."""
    for name in sorted({*OURS, *NO_EFFECT, *HARMFUL}):
        for written in (name, f"topic.{name}"):
            assert what(written).startswith(f"{written}: "), written
            assert "()" not in what(written), written


def test_everything_else_goes_through_where_its_value_is_right() -> None:
    """The value is one of librdkafka's own words or the end of its range. Two are not tried: a plugin must be
    there, and certificate stores are Windows'."""
    refused = []
    for name in sorted(NAMES - {"plugin.library.paths", "ssl.ca.certificate.stores"}):
        may_be = listed()[name].may_be
        value = may_be.split(",")[0] if "," in may_be else may_be.split(" .. ")[-1] or "ssl"
        if said := what(name, value):
            refused.append(f"{name}={value}: {said}")
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sesion.timeout.ms", "1", "is not a property of librdkafka"),
        ("topic.session.timeout.ms", "1", "is not a property of librdkafka"),
        ("session.timeout.ms", "soon", "Invalid value for configuration property"),
        ("session.timeout.ms", "", "cannot be set to empty value"),
        ("session.timeout.ms", "0", "outside allowed range 1..3600000"),
        ("security.protocol", "tls", "one of plaintext, ssl, sasl_plaintext, sasl_ssl"),
        ("socket.keepalive.enable", "yes", "true or false"),
        ("topic.blacklist", "(", "Failed to parse pattern"),
        ("plugin.library.paths", "no-such-plugin", "cannot open shared object file"),
        ("sasl.jaas.config", "x", "JAAS configuration is not supported"),
        ("ssl.truststore.location", "x", "use `ssl.ca.location`"),
        ("opaque", "x", "only a program can set it"),
        ("ssl_ca", "x", "only a program can set it"),
        ("error_cb", "x", "only a program can set it"),
        ("on_commit", "x", "only a program can set it"),
        ("logger", "x", "use the section logging"),
        ("default.topic.config", "x", "only a program can set it"),
        ("", "x", "is not a property of librdkafka"),
    ],
)
def test_what_librdkafka_refuses_is_told_in_its_words(name: str, value: str, said: str) -> None:
    """And the name is the one that was written."""
    assert what(name, value).startswith(f"{name}: ")
    assert said in what(name, value)


@pytest.mark.parametrize("value", ["5m", "300000.0", "1_000", "30 s", "0x10g", "9 9"])
def test_a_number_with_something_behind_it_is_refused(value: str) -> None:
    """librdkafka reads `5m` as 5 and says nothing: five milliseconds where five minutes were meant."""
    assert "must be a whole number" in what("max.poll.interval.ms", value)
    assert what("client.id", value) == ""


@pytest.mark.parametrize("value", ["300000", " 300000 ", "0x493e0", "01111740"])
def test_a_whole_number_is_one_in_every_way_of_librdkafka(value: str) -> None:
    """Blanks, hexadecimal, octal: what it takes, we read alike."""
    assert what("max.poll.interval.ms", value) == ""
    assert whole(value) == 300_000


@pytest.mark.parametrize("name", ["security.protocol", "session.timeout.ms", "debug", "isolation.level"])
def test_no_value_is_ever_repeated(name: str) -> None:
    """It might be a secret in the wrong place."""
    assert PASSWORD not in what(name, PASSWORD)
    assert "is refused by librdkafka" in what(name, PASSWORD)


def test_a_value_that_could_not_be_read_is_judged_by_its_name() -> None:
    """A file may be missing; whether there is such a property can be told all the same."""
    assert what("session.timeout.ms", None) == ""
    assert "is not a property" in what("sesion.timeout.ms", None)
    assert "set by the connector" in what("group.id", None)


def test_one_refusal_hides_no_other() -> None:
    """Whatever the words of the first are, and whatever values look like names."""
    given = {
        "error_cb": "x",
        "client.rack": "debug",
        "no.such": "1",
        "topic.blacklist": "(",
        "debug": "no.such",
    }
    assert [each.name for each in one_by_one(given)] == ["error_cb", "no.such", "topic.blacklist", "debug"]


def test_two_names_of_one_property_are_not_both_taken() -> None:
    """One of the two would be ignored."""
    (found,) = one_by_one({"sasl.mechanism": "PLAIN", "sasl.mechanisms": "PLAIN"})
    assert (found.name, found.what) == ("sasl.mechanism", "is another name of sasl.mechanisms, given too")
    assert not list(one_by_one({"sasl.mechanism": "PLAIN"}))


# ── together ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "name", "said"),
    [
        ({"session_timeout_ms": "500000"}, "session.timeout.ms", "`max.poll.interval.ms`"),
        ({"partition_assignment_strategy": "sticky"}, "partition.assignment.strategy", "Unsupported"),
        (
            {"partition_assignment_strategy": "range,cooperative-sticky"},
            "partition.assignment.strategy",
            "same protocol type",
        ),
        (
            {"group_protocol": "consumer", "session_timeout_ms": "6000"},
            "session.timeout.ms",
            "is not supported",
        ),
        (
            {"group_protocol": "CONSUMER", "heartbeat_interval_ms": "60000"},
            "heartbeat.interval.ms",
            "is not supported",
        ),
        ({"security_protocol": "ssl", "ssl_ca_location": "/none/ca.pem"}, "ssl.ca.location", "failed"),
        (
            {"security_protocol": "sasl_ssl", "sasl_mechanism": "PLAIN", "sasl_username": "u"},
            "sasl.username",
            "must be set",
        ),
        (
            {"security_protocol": "sasl_ssl", "sasl_mechanisms": "PLAINTEXT"},
            "sasl.mechanisms",
            "one of PLAIN, SCRAM",
        ),
        (
            {"security_protocol": "sasl_ssl", "sasl_mechanism": "plain"},
            "sasl.mechanism",
            "one of PLAIN, SCRAM",
        ),
        (
            {"security_protocol": "sasl_ssl", "sasl_mechanisms": "GSSAPI"},
            "sasl.mechanisms",
            "No provider for SASL mechanism",
        ),
        (
            {
                "security_protocol": "sasl_ssl",
                "sasl_mechanisms": "OAUTHBEARER",
                "sasl_oauthbearer_method": "oidc",
            },
            "sasl.oauthbearer.method",
            "`sasl.oauthbearer.token.endpoint.url` is mandatory",
        ),
        ({"reconnect_backoff_ms": "20000"}, "reconnect.backoff.ms", "must be >="),
    ],
)
def test_what_does_not_go_together_is_told_without_a_broker(
    given: dict[str, str], name: str, said: str
) -> None:
    """librdkafka looks at combinations when a client is made, so one is made that has nowhere to go."""
    (found,) = odds(**given)
    assert found.startswith(f"{name}: is refused by librdkafka")
    assert said in found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"security_protocol": "sasl_ssl"}, "sasl.mechanisms: is missing (one of PLAIN, "),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "oauthbearer"},
            "sasl.oauthbearer.method: must be oidc",
        ),
        (
            {"security_protocol": "sasl_ssl", "sasl_mechanisms": "OAUTHBEARER"}
            | {"sasl_oauthbearer_method": "default"},
            "sasl.oauthbearer.method: must be oidc",
        ),
        (
            {"heartbeat_interval_ms": "45000"},
            "heartbeat.interval.ms: must be below session.timeout.ms (45000)",
        ),
        ({"session_timeout_ms": "0xbb8"}, "heartbeat.interval.ms: must be below session.timeout.ms (3000)"),
    ],
)
def test_what_would_never_work_is_told_where_librdkafka_is_silent(given: dict[str, str], said: str) -> None:
    """It would wait for ever for a token that nobody fetches, or lose its partitions at every turn."""
    (found,) = odds(**given)
    assert found.startswith(said)


def test_a_token_that_nobody_signs_and_beats_within_the_session_are_taken() -> None:
    """The first is for trying out, the second what everybody has. The new protocol has its own beats."""
    assert not odds(
        security_protocol="sasl_plaintext",
        sasl_mechanisms="OAUTHBEARER",
        enable_sasl_oauthbearer_unsecure_jwt="true",
    )
    assert not odds(session_timeout_ms="6000", heartbeat_interval_ms="5999")
    assert not odds(group_protocol="Consumer")


def test_the_client_that_is_made_to_ask_connects_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows no broker, writes no line, and joins no group under the operator's name."""
    made: list[dict[str, object]] = []

    def consumer(properties: dict[str, object], logger: logging.Logger | None = None) -> Consumer:
        built = Consumer(properties, logger=logger)
        made.append(properties)  # those that only ask are never built
        return built

    monkeypatch.setattr(unusable, "Consumer", consumer)
    assert odds(bootstrap_servers="127.0.0.1:1", debug="all", client_id="operators") == []
    (properties,) = made
    assert properties["bootstrap.servers"] == ""
    assert properties["group.id"] == unusable.ASKS
    assert "debug" not in properties


def test_words_about_a_combination_repeat_no_value() -> None:
    """As those about one property."""
    (found,) = odds(security_protocol="sasl_ssl", sasl_mechanisms=PASSWORD)
    assert PASSWORD not in found
    (found,) = odds(security_protocol="ssl", ssl_key_pem=PASSWORD)
    assert PASSWORD not in found


@pytest.mark.parametrize("name", sorted({*ceilings(MEMORY), "max.partition.fetch.bytes"}))
def test_queues_may_be_made_smaller_and_not_larger(name: str) -> None:
    """What the connector counts on is the most; the hint says how much that is, and what to raise instead."""
    most = ceilings(MEMORY)[ALIASES.get(name, name)]
    (found,) = at_odds({name: str(most + 1)}, MEMORY)
    assert found.name == name
    assert str(most) in found.what
    assert not list(at_odds({name: str(most)}, MEMORY))


@pytest.mark.parametrize("mebibytes", [16, 16_384])
def test_librdkafka_takes_our_bounds_at_both_ends_of_the_memory_limit(mebibytes: int) -> None:
    """`limits.memory_mib` may be no more and no less than what its own ranges allow."""
    assert not list(at_odds({}, mebibytes << 20))
