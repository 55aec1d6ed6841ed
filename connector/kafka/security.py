"""What of a connection's credentials is not used, or can be read or taken on the way. Decides only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

PROTOCOL = "security.protocol"
IN_THE_CLEAR = ("PLAIN", "OAUTHBEARER")
"""The mechanisms that send the credential itself; SCRAM sends a proof of it, Kerberos a ticket."""
OFF = ("false", "f", "0")  # librdkafka's words


def doubts(properties: Mapping[str, str], on_this_machine: bool) -> Iterator[str]:
    """What an operator would want to know, a sentence each. librdkafka itself says nothing of it."""

    def word(name: str, default: str) -> str:
        return properties.get(name, default).strip().lower()  # as librdkafka reads it

    protocol = word(PROTOCOL, "plaintext")
    encrypted, named = protocol.endswith("ssl"), protocol.startswith("sasl")
    unused = [name for name in properties if name.startswith("sasl.")]
    if unused and not named:
        yield f"{_some(unused)} is not used while {PROTOCOL} is {protocol}: set sasl_ssl"
    unused = [name for name in properties if name.startswith("ssl.")]
    if unused and not encrypted:
        better = "sasl_ssl" if named else "ssl"
        yield f"{_some(unused)} is not used while {PROTOCOL} is {protocol}: set {better}"
    mechanism = word("sasl.mechanisms", properties.get("sasl.mechanism", "GSSAPI")).upper()
    if protocol == "sasl_plaintext" and mechanism in IN_THE_CLEAR and not on_this_machine:
        yield f"the credentials travel unencrypted ({PROTOCOL} is {protocol}): set sasl_ssl"
    if encrypted and word("enable.ssl.certificate.verification", "true") in OFF:
        yield "enable.ssl.certificate.verification is off: anybody on the way can pass for the brokers"
    elif encrypted and word("ssl.endpoint.identification.algorithm", "https") == "none":
        yield "ssl.endpoint.identification.algorithm is none: any valid certificate can pass for the brokers"


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"
