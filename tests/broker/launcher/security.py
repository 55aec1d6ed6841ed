"""A listener that lets only a known user in, over TLS: made-up certificates and one made-up user."""

from __future__ import annotations

import secrets
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

_USER = "connector"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


class Security:
    """TLS with an authority of its own, and the user `connector` by SCRAM-SHA-256 or PLAIN."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._authority_file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(self._authority_file)
        self._password = secrets.token_hex(8)

    @property
    def principal(self) -> str:
        """The user, as Kafka's access lists name it."""
        return f"User:{_USER}"

    @property
    def scram_user(self) -> str:
        """The user, as Kafka's storage tool wants it told."""
        return f"SCRAM-SHA-256=[name={_USER},password={self._password}]"

    def broker_settings(self, listener: str, folder: Path) -> dict[str, str]:
        """What makes a listener (named in lower case) ask for all this; its key goes to `folder`."""
        certificate = self._authority.issue_cert("127.0.0.1", "localhost")
        key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
        # Kafka reads a PEM key in PKCS#8 only.
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        (folder / "key.pem").write_bytes(chain + pem)
        prefix = f"listener.name.{listener}"
        return {
            "sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN",
            f"{prefix}.scram-sha-256.sasl.jaas.config": f"{_SCRAM} required;",
            f"{prefix}.plain.sasl.jaas.config": f'{_PLAIN} required user_{_USER}="{self._password}";',
            f"{prefix}.ssl.keystore.type": "PEM",
            f"{prefix}.ssl.keystore.location": str(folder / "key.pem"),
        }

    def client_properties(self, mechanism: str) -> dict[str, str]:
        """What a client must be told, in librdkafka's words."""
        return {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self._authority_file),
            "sasl.mechanism": mechanism,
            "sasl.username": _USER,
            "sasl.password": self._password,
        }
