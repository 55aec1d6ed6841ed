"""The settings in force, as others may see them, and the values that nobody may see."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from pydantic import SecretStr

from connector.settings.load import typed_options
from connector.settings.model import HIDDEN, Settings, is_secret_property
from connector.settings.secret import Secret


def describe(settings: Settings) -> dict[str, Any]:
    """Everything in force with defaults filled in, ready for JSON; credentials are hidden."""
    shown = settings.model_dump(mode="json")
    options = typed_options(settings.destination.name, settings.destination.options)
    shown["destination"]["options"] = options.model_dump(mode="json")
    shown["dead_letter"]["topic"] = settings.dead_letter_topic
    properties = shown["source"]["properties"]
    shown["source"]["properties"] = {
        name: HIDDEN if is_secret_property(name) else value for name, value in properties.items()
    }
    for address in (shown["destination"], shown["source"]["schema_registry"]):
        before, mark, _ = (address["url"] or "").partition("?")
        if mark:  # a query may carry anything
            address["url"] = f"{before}?{HIDDEN}"
    return shown


def fingerprint(settings: Settings) -> str:
    """A short hash of what decides how events are mapped: a dead letter tells under which rules it failed."""
    options = describe(settings)["destination"]["options"]
    rules = msgspec.json.encode([options, settings.delivery.consent], order="deterministic")
    return hashlib.sha256(rules).hexdigest()[:16]


def secret_values(settings: Settings) -> list[str]:
    """Every credential as it is now, so that logs can hide it. A file that can't be read now gives none."""
    user_and_password = _now(settings.source.schema_registry.secret())
    found = [
        _now(settings.destination.secret()),
        user_and_password,
        user_and_password.partition(":")[2],
    ]
    try:
        properties = settings.source.librdkafka()
    except OSError:
        properties = settings.source.properties
    found += [value for name, value in properties.items() if is_secret_property(name)]
    options = typed_options(settings.destination.name, settings.destination.options)
    found += [value.get_secret_value() for _, value in options if isinstance(value, SecretStr)]
    return [value for value in dict.fromkeys(found) if value]


def _now(secret: Secret | None) -> str:
    try:
        return secret.read() if secret is not None else ""
    except (OSError, ValueError):
        return ""  # what was never read can't leak
