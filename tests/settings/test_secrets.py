"""Secrets are followed in their files, and get out nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from connector.settings import (
    ConfigurationError,
    Secret,
    describe,
    from_mapping,
    load,
    secret_values,
    typed_options,
)
from connector.settings.model import HIDDEN, paths
from connector.settings.reference import example_options
from connector.vendors import DESTINATIONS
from tests.examples import examples
from tests.settings.configurations import (
    KEY,
    MINIMAL,
    REMOVE,
    ROOT,
    StandIn,
    for_stand_in,
    only_problem,
    with_,
)


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


def test_a_secret_says_where_it_is_from_and_when_it_was_read(tmp_path: Path) -> None:
    """Whoever is told that a key was refused must know which. The same key written again is no new one, and
    what can be none is told beside the last one."""
    file = tmp_path / "key"
    file.write_text("first")
    now = [1_000]
    secret = Secret(file=file, now_ms=lambda: now[0])
    secret.read()
    assert (secret.place, secret.is_followed, secret.read_ms, secret.trouble) == (str(file), True, 1_000, "")
    now[0] = 2_000
    file.write_text("first\n")
    secret.read()
    assert secret.read_ms == 1_000
    for content, trouble in (b"\n", "empty"), (b"a\nb", "more than one line"), (b"\xff\xff", "not text"):
        file.write_bytes(content)
        assert secret.read() == "first"
        assert trouble in secret.trouble
    file.unlink()
    secret.read()
    assert "No such file" in secret.trouble
    file.write_text("second")
    assert (secret.read(), secret.read_ms, secret.trouble) == ("second", 2_000, "")


def test_a_key_from_the_environment_names_its_variable(tmp_path: Path) -> None:
    """As it was written there; in the file of settings it has the setting's name, and a file is a file."""
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(MINIMAL))
    for env, place in (
        ({}, "destination.api_key"),
        ({"CONNECTOR_DESTINATION__API_KEY": KEY}, "CONNECTOR_DESTINATION__API_KEY"),
        ({"connector_destination__api_key": KEY}, "connector_destination__api_key"),
    ):
        secret = load(file, env).destination.secret()
        assert (secret.place, secret.is_followed, secret.read()) == (place, False, KEY)
    file.write_text(yaml.safe_dump(with_("destination.api_key", REMOVE)))
    secret = load(file, {"CONNECTOR_DESTINATION__API_KEY_FILE": str(key_file)}).destination.secret()
    assert (secret.place, secret.is_followed) == (str(key_file), True)


@pytest.mark.parametrize("content", ["two\nlines", "a\0b", "-----BEGIN KEY-----\r\nMIIB"])
def test_what_can_be_no_key_does_not_replace_one(content: str, tmp_path: Path) -> None:
    """No header can carry it. The process goes on with the last one, and halts if the vendor refuses that."""
    file = tmp_path / "key"
    file.write_text("first\n")
    secret = Secret(file=file)
    assert secret.read() == "first"
    file.write_text(content)
    assert secret.read() == "first"
    file.write_text("second")
    assert secret.read() == "second"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xff", b"a b\x7fc"])
def test_a_secret_file_without_a_usable_key_is_a_problem(content: bytes, tmp_path: Path) -> None:
    """Better at the start than as a 401 later."""
    file = tmp_path / "key"
    file.write_bytes(content)
    raw = with_("destination.api_key", REMOVE)
    raw["destination"]["api_key_file"] = str(file)
    assert only_problem(raw).path == "destination.api_key_file"


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


def test_the_query_of_an_address_is_not_described() -> None:
    """It may carry anything, a token of a gateway for one; whoever may see `/status` need not know it."""
    raw = with_("destination.url", "https://gateway.example/v2/events?token=of-the-gateway")
    raw["source"]["schema_registry"] = {"url": "https://registry.example/?token=of-the-gateway"}
    shown = describe(from_mapping(raw))
    assert shown["destination"]["url"] == f"https://gateway.example/v2/events?{HIDDEN}"
    assert "of-the-gateway" not in json.dumps(shown)


PATHS = st.sampled_from(
    [
        *paths(),
        "destination",
        "source",
        "delivery",
        "source.properties.sasl:password",
        "source.properties.security:protocol",
        "source.properties.partition:assignment:strategy",
        "source.properties.topic:blacklist",
        "source.properties.bootstrap:servers",
    ]
)
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


@tried(max_examples=examples(200), deadline=None)
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


@pytest.mark.parametrize("destination", sorted(DESTINATIONS))
def test_nor_in_the_options_of_any_destination(destination: str) -> None:
    """What a destination's own checks say is held to the same; and it is said in words, not in pydantic's."""
    options, secret = DESTINATIONS[destination].Options, "hunter2-5f1c"
    given, said = example_options(options), list[str]()
    for name in options.model_fields:
        for shape in (secret, [secret], [f" {secret}"], [secret, secret], {"a": secret}, {"a": [secret]}):
            try:
                typed_options(destination, given | {name: shape})
            except ConfigurationError as error:
                said.append(str(error))
    assert said
    assert not [words for words in said if secret in words or "Input should" in words]
