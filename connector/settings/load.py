"""Reads the file and the environment, and reports everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from msgspec.structs import replace
from pydantic import BaseModel, SecretStr, ValidationError

from connector.settings.checks import RULES, destinations, ordering_fits, url_given
from connector.settings.environment import is_ours, meant, read_variable
from connector.settings.model import FILE_SUFFIX, Settings
from connector.settings.nested import Path_, Raw, has, leaves, merged, nested, without
from connector.settings.problem import NO_SECTION, ConfigurationError, Problem
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


class Given(NamedTuple):
    """File and environment merged, not judged yet; what could not be read; and which settings come from
    which variable."""

    raw: Raw
    problems: list[Problem]
    variables: Mapping[str, str] = {}

    def traced(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems, each with the variable that its value comes from."""
        return [replace(problem, variable=self._variable_of(problem.path)) for problem in problems]

    def _variable_of(self, path: str) -> str:
        around = [each for each in self.variables if f"{path}.".startswith(f"{each}.")]
        return self.variables[max(around, key=len)] if around else ""


def load(path: Path | None, env: Mapping[str, str]) -> Settings:
    """The settings of a file and the environment, the latter winning. Raises ConfigurationError."""
    return _checked(read(path, env))


def from_mapping(raw: Mapping[str, Any]) -> Settings:
    """The settings of a mapping shaped like the file. Raises ConfigurationError."""
    return _checked(Given(dict(raw), []))


def read(path: Path | None, env: Mapping[str, str]) -> Given:
    """What the file and the environment give.

    Raises ConfigurationError when the file can't be read: nothing else could be said about it.
    """
    problems: list[Problem] = []
    variables: dict[str, str] = {}
    raw = read_file(path) if path is not None else {}
    for name in sorted(env):
        if is_ours(name):
            found = read_variable(name, env[name], problems)
            problems += _hidden(raw, found)
            raw = merged(raw, found)
            variables |= dict.fromkeys(leaves(found), name)
        elif right := meant(name, env[name]):
            hint = f"did you mean {right}? There are two _ before every key"
            problems.append(Problem(name, "is not read", hint))
    return Given(raw, problems, variables)


def _hidden(raw: Raw, found: Raw) -> Iterator[Problem]:
    """What is wrong in the file and no longer seen once a variable lies over it."""
    for section in found:
        if not isinstance(raw.get(section), dict | None):
            yield Problem(section, NO_SECTION)


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


def _checked(given: Given) -> Settings:
    problems = given.problems
    settings, wrong = _by_field(given.raw, problems)
    named = {problem.path for problem in problems}
    for rule, needs in RULES:
        if not _among(wrong, needs):
            problems += [problem for problem in rule(settings) if problem.path not in named]
    if settings.destination.name in destinations():
        problems += _for_its_destination(settings, wrong)
    if problems:
        raise ConfigurationError(given.traced(problems))
    if variable := given.variables.get("destination.api_key"):
        settings.destination.key_comes_from(variable)
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
