"""A small configuration, ways to break it, and what the settings then say."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from connector.settings import ConfigurationError, Problem, Settings, from_mapping, load

ROOT = Path(__file__).parents[2]
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
    writes_to_customers: ClassVar[bool] = False
    url_per_account: ClassVar[bool] = False
    address_options: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def url(cls, options: Any) -> str:
        return "https://your-account.example/events"


def for_stand_in(**options: object) -> dict[str, Any]:
    raw = deepcopy(MINIMAL)
    raw["destination"] |= {"name": "stand-in", "options": options}
    return raw
