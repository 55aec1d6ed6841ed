"""Reads the file and the environment, and reports everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from connector.settings.checks import RULES, destinations, ordering_fits, url_given
from connector.settings.environment import is_ours, read_variable
from connector.settings.model import FILE_SUFFIX, Settings
from connector.settings.nested import Path_, Raw, has, merged, nested, without
from connector.settings.problem import ConfigurationError, Problem
from connector.settings.secret import Secret
from connector.settings.words import translated
from connector.settings.yaml_file import read_file

OPTIONS = ("destination", "options")

# Stands in for what is missing or wrong, so that the rules about everything else can still be looked at.
_STAND_INS: dict[Path_, Any] = {
    ("destination", "name"): "",
    ("source", "topics"): ["stand-in"],
    ("source", "group_id"): "stand-in",
    ("source", "properties"): {},
}


def load(path: Path | None, env: Mapping[str, str]) -> Settings:
    """The settings of a file and the environment, the latter winning. Raises ConfigurationError."""
    return _checked(*read(path, env))


def from_mapping(raw: Mapping[str, Any]) -> Settings:
    """The settings of a mapping shaped like the file. Raises ConfigurationError."""
    return _checked(dict(raw), [])


def read(path: Path | None, env: Mapping[str, str]) -> tuple[Raw, list[Problem]]:
    """File and environment merged, not judged yet, and the variables that could not be read.

    Raises ConfigurationError when the file can't be read: nothing else could be said about it.
    """
    problems: list[Problem] = []
    raw = read_file(path) if path is not None else {}
    for name in sorted(env):
        if is_ours(name):
            raw = merged(raw, read_variable(name, env[name], problems))
    return raw, problems


def typed_options(destination: str, options: Mapping[str, Any]) -> BaseModel:
    """A known destination's options in its own type, defaults filled in, secrets read from their files.

    Raises ConfigurationError.
    """
    model = destinations()[destination].Options
    given, problems = _with_secrets_read(options, model)
    try:
        typed = model.model_validate(given)
    except ValidationError as error:
        problems += translated(error, model, OPTIONS)
    if problems:
        raise ConfigurationError(problems)
    return typed


def secret_fields(model: type[BaseModel]) -> list[str]:
    """The fields that hold a secret, and so may be given as `<name>_file`, too."""
    return [
        name
        for name, field in model.model_fields.items()
        if field.annotation is SecretStr or SecretStr in get_args(field.annotation)
    ]


def _with_secrets_read(options: Mapping[str, Any], model: type[BaseModel]) -> tuple[Raw, list[Problem]]:
    given, problems = dict(options), list[Problem]()
    for name in secret_fields(model):
        file = given.pop(name + FILE_SUFFIX, None)
        if file is None:
            continue
        path = ".".join((*OPTIONS, name + FILE_SUFFIX))
        if name in given:
            problems.append(Problem(path, f"is given beside {name}", "give one of the two"))
            continue
        try:
            given[name] = Secret(file=Path(file)).read()
        except (OSError, ValueError, TypeError):
            problems.append(Problem(path, "is not a file that holds text and can be read"))
            given[name] = "unread"  # whatever else is wrong is told, too
    return given, problems


# ── judging ──────────────────────────────────────────────────────────────────────────────────────


def _checked(raw: Raw, problems: list[Problem]) -> Settings:
    settings, wrong = _by_field(raw, problems)
    named = {problem.path for problem in problems}
    for rule, needs in RULES:
        if not _among(wrong, needs):
            problems += [problem for problem in rule(settings) if problem.path not in named]
    if settings.destination.name in destinations():
        problems += _for_its_destination(settings, wrong)
    if problems:
        raise ConfigurationError(problems)
    return settings


def _for_its_destination(settings: Settings, wrong: set[str]) -> Iterator[Problem]:
    if not _among(wrong, ("destination.options",)):
        try:
            typed_options(settings.destination.name, settings.destination.options)
        except ConfigurationError as error:
            yield from error.problems
    if not _among(wrong, ("destination.url",)):
        yield from url_given(settings)
    if not _among(wrong, ("delivery.ordering",)):
        yield from ordering_fits(settings)


def _by_field(raw: Raw, problems: list[Problem]) -> tuple[Settings, set[str]]:
    """Settings of the values that are right by themselves, and the paths of those that are not."""
    try:
        return Settings(**raw), set()
    except ValidationError as error:
        problems += translated(error, Settings)
        wrong = [
            _key_of(detail["loc"])
            for detail in error.errors(include_input=False, include_url=False, include_context=False)
        ]
    kept = without(raw, wrong)
    for path, stand_in in _STAND_INS.items():
        if not has(kept, path):
            kept = merged(kept, nested(path, stand_in))
    return Settings(**kept), {".".join(map(str, path)) for path in wrong}


def _among(wrong: set[str], needs: Sequence[str]) -> bool:
    return any(f"{need}.".startswith(f"{path}.") for path in wrong for need in needs)


def _key_of(location: Path_) -> Path_:
    """The setting to take away: a wrong element of a list takes the list along."""
    for place, step in enumerate(location):
        if isinstance(step, int):
            return location[:place]
    return location
