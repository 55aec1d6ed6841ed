"""Credentials for Kafka that are not used, or can be read on the way, are told."""

from __future__ import annotations

import pytest

from connector.kafka.security import doubts

SASL = {"sasl.mechanisms": "PLAIN", "sasl.username": "u", "sasl.password": "p"}


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        (
            {"sasl.password": "p"},
            ["sasl.password is not used while security.protocol is plaintext: set sasl_ssl"],
        ),
        (SASL, ["sasl.mechanisms (and 2 more) is not used while"]),
        (SASL | {"security.protocol": "SSL"}, ["sasl.mechanisms (and 2 more) is not used while"]),
        (
            {"ssl.ca.location": "/ca"},
            ["ssl.ca.location is not used while security.protocol is plaintext: set ssl"],
        ),
        (
            SASL | {"security.protocol": "SASL_PLAINTEXT", "ssl.ca.location": "/ca"},
            [
                "ssl.ca.location is not used while security.protocol is sasl_plaintext: set sasl_ssl",
                "unencrypted",
            ],
        ),
        (SASL | {"security.protocol": "sasl_plaintext"}, ["the credentials travel unencrypted"]),
        ({"sasl.mechanism": "OAUTHBEARER", "security.protocol": "sasl_plaintext"}, ["unencrypted"]),
        (
            {"security.protocol": "ssl", "enable.ssl.certificate.verification": "False"},
            ["enable.ssl.certificate.verification is off"],
        ),
        (
            {"security.protocol": " SSL", "enable.ssl.certificate.verification": "F"},
            ["enable.ssl.certificate.verification is off"],
        ),
        (
            SASL | {"security.protocol": "sasl_ssl", "ssl.endpoint.identification.algorithm": "none"},
            ["ssl.endpoint.identification.algorithm is none"],
        ),
        ({}, []),
        ({"security.protocol": "ssl", "ssl.ca.location": "/ca"}, []),
        (SASL | {"security.protocol": "SASL_SSL", "ssl.ca.location": "/ca"}, []),
        (SASL | {"security.protocol": "sasl_plaintext", "sasl.mechanisms": "SCRAM-SHA-256"}, []),
    ],
)
def test_each_doubt_is_a_sentence_and_good_order_is_none(
    properties: dict[str, str], words: list[str]
) -> None:
    """librdkafka takes all of these in silence."""
    told = list(doubts(properties, on_this_machine=False))
    assert len(told) == len(words)
    assert all(expected in sentence for expected, sentence in zip(words, told, strict=True))


def test_on_this_machine_nobody_listens() -> None:
    """A broker for trying things out needs no certificate."""
    assert not list(doubts(SASL | {"security.protocol": "sasl_plaintext"}, on_this_machine=True))
