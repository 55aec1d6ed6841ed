"""Reads the environment variables that are ours, and names each that is bad. Decides only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError
from pydantic_settings.sources.utils import parse_env_vars

from connector.settings.model import ENV_DELIMITER, ENV_PREFIX, Settings, paths
from connector.settings.nested import Raw
from connector.settings.problem import Problem, did_you_mean

_VARIABLE = re.compile(rf"{ENV_PREFIX}(?P<section>[A-Z0-9_]*?[A-Z0-9]){ENV_DELIMITER}.+", re.IGNORECASE)
"""What is ours. Kubernetes sets `CONNECTOR_PORT` and the like for a Service of that name: no `__` in it."""


def is_ours(name: str) -> bool:
    """True for a variable that means a setting."""
    return _VARIABLE.fullmatch(name) is not None


def meant(name: str, value: str) -> str | None:
    """The variable that was meant by one with too few underscores. What Kubernetes sets for a Service may be
    called the same; its values tell."""
    if value.startswith(("tcp://", "udp://", "sctp://")):
        return None
    return _mistaken().get(name.upper())


@cache
def _mistaken() -> Mapping[str, str]:
    def variable(path: str, delimiter: str) -> str:
        return ENV_PREFIX + path.replace(".", delimiter).upper()

    return {variable(path, "_"): variable(path, ENV_DELIMITER) for path in paths()}


class _OneVariable(EnvSettingsSource):
    """One variable read by pydantic-settings' rules, so that each bad one can be named."""

    def __init__(self, settings: type[BaseSettings], name: str, value: str) -> None:
        self._given = {name: value}
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(
            self._given, self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str
        )


def read_variable(name: str, value: str, problems: list[Problem]) -> Raw:
    """What one variable sets, in the file's shape; what is wrong with it goes to `problems`."""
    found = _VARIABLE.fullmatch(name)
    assert found is not None, name
    section = found["section"].lower()
    if section not in Settings.model_fields:
        problems.append(Problem(name, "names no section", did_you_mean(section, Settings.model_fields)))
        return {}
    try:
        return _OneVariable(Settings, name, value)()
    except SettingsError:
        example = """'["orders"]' or '{"a": "b"}'"""
        problems.append(Problem(name, "must be JSON", f"lists and maps are written as {example}"))
        return {}
