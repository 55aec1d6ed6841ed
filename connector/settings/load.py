"""Reads the file and the environment, and reports everything that is wrong at once."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError
from pydantic_settings.sources.utils import parse_env_vars

from connector.settings.checks import RULES, destinations, ordering_fits, url_given
from connector.settings.model import ENV_DELIMITER, ENV_PREFIX, FILE_SUFFIX, Settings
from connector.settings.problem import ConfigurationError, Problem, did_you_mean, number
from connector.settings.secret import Secret

Raw = dict[str, Any]
Path_ = tuple[str | int, ...]

OPTIONS = ("destination", "options")
FILE_BYTES_MAX = 1_000_000
_VARIABLE = re.compile(rf"{ENV_PREFIX}(?P<section>[A-Z0-9_]*?[A-Z0-9]){ENV_DELIMITER}.+", re.IGNORECASE)
"""What is ours. Kubernetes sets `CONNECTOR_PORT` and the like for a Service of that name: no `__` in it."""

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
    raw = _read_file(path) if path is not None else {}
    for name in sorted(env):
        if _VARIABLE.fullmatch(name):
            raw = _merged(raw, _read_variable(name, env[name], problems))
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
        problems += _translated(error, model, OPTIONS)
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
        problems += _translated(error, Settings)
        wrong = [
            _key_of(detail["loc"])
            for detail in error.errors(include_input=False, include_url=False, include_context=False)
        ]
    kept = _without(raw, wrong)
    for path, stand_in in _STAND_INS.items():
        if not _has(kept, path):
            kept = _merged(kept, _nested(path, stand_in))
    return Settings(**kept), {".".join(map(str, path)) for path in wrong}


def _among(wrong: set[str], needs: Sequence[str]) -> bool:
    return any(f"{need}.".startswith(f"{path}.") for path in wrong for need in needs)


def _key_of(location: Path_) -> Path_:
    """The setting to take away: a wrong element of a list takes the list along."""
    for place, step in enumerate(location):
        if isinstance(step, int):
            return location[:place]
    return location


# ── words for pydantic's errors ──────────────────────────────────────────────────────────────────


def _translated(error: ValidationError, model: type[BaseModel], prefix: Path_ = ()) -> Iterator[Problem]:
    for detail in error.errors(include_url=False, include_input=False):
        what, hint = _words(detail, model)
        yield Problem(".".join(map(str, (*prefix, *detail["loc"]))) or "(file)", what, hint)


def _words(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "setting":
            return context["what"], context["hint"]
        case "missing":
            return "is missing", _purpose(detail["loc"], model)
        case "extra_forbidden":
            owner = _model_at(model, detail["loc"][:-1])
            known = owner.model_fields if owner is not None else ()
            return "is not a setting", did_you_mean(str(detail["loc"][-1]), known)
        case "literal_error":
            expected = str(context["expected"])
            return (
                f"must be {expected}",
                "in quotes: YAML reads a bare off as false" if "'off'" in expected else "",
            )
        case "string_type":
            return "must be text", "put it in quotes"
        case "int_type" | "int_parsing" | "int_from_float":
            return "must be a whole number", _purpose(detail["loc"], model)
        case "float_type" | "float_parsing" | "finite_number":
            return "must be a number", _purpose(detail["loc"], model)
        case "bool_type" | "bool_parsing":
            return "must be true or false", ""
        case "dict_type" | "model_type" | "model_attributes_type":
            return "must be a section of keys and values", ""
        case "list_type":
            return "must be a list", 'for example ["a", "b"]'
        case "greater_than":
            return f"must be above {number(context['gt'])}", _purpose(detail["loc"], model)
        case "greater_than_equal":
            return f"must be at least {number(context['ge'])}", _purpose(detail["loc"], model)
        case "less_than_equal":
            return f"must be at most {number(context['le'])}", _purpose(detail["loc"], model)
        case "too_short" | "string_too_short":
            return "must not be empty", ""
        case "value_error":
            return str(context["error"]), ""
    return detail["msg"], ""


def _purpose(location: Path_, model: type[BaseModel]) -> str:
    owner = _model_at(model, location[:-1])
    field = owner.model_fields.get(str(location[-1])) if owner is not None else None
    if field is None:
        return ""
    extra = field.json_schema_extra
    unit = f"in {extra['unit']}: " if isinstance(extra, dict) and "unit" in extra else ""
    return unit + (field.description or "")


def _model_at(model: type[BaseModel], location: Path_) -> type[BaseModel] | None:
    for step in location:
        field: FieldInfo | None = model.model_fields.get(str(step))
        if (
            field is None
            or not isinstance(field.annotation, type)
            or not issubclass(field.annotation, BaseModel)
        ):
            return None
        model = field.annotation
    return model


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


class _NoRepeats(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error: one of the two would be ignored."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, "a key stands twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read_file(path: Path) -> Raw:
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
        if len(text) > FILE_BYTES_MAX:
            raise _unusable(path, "is larger than 1 MB")
        raw = yaml.load(text.decode("utf-8"), _NoRepeats)
    except OSError as error:
        raise _unusable(path, f"can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _unusable(path, "is not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise ConfigurationError([_yaml_problem(str(path), error)]) from None
    except (ValueError, RecursionError):
        raise _unusable(path, "is not valid YAML") from None
    if raw is None:
        return {}
    if isinstance(raw, dict) and all(isinstance(key, str) for key in raw):
        return raw
    raise _unusable(path, "must be sections of keys and values", "see `connector config example`")


def _unusable(path: Path, what: str, hint: str = "") -> ConfigurationError:
    return ConfigurationError([Problem(str(path), what, hint)])


def _yaml_problem(where: str, error: yaml.YAMLError) -> Problem:
    """Where it is and no more: the parser's own words repeat pieces of values, and one may be a secret."""
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    if getattr(error, "problem", None) == "a key stands twice":
        return Problem(where, f"names a key twice{place}", "keep one of the two")
    hint = "put values that begin with * & ! @ % or hold ': ' in quotes; indent with blanks, not tabs"
    return Problem(where, f"is not valid YAML{place}", hint)


# ── the environment ──────────────────────────────────────────────────────────────────────────────


class _OneVariable(EnvSettingsSource):
    """One variable read by pydantic-settings' rules, so that each bad one can be named."""

    def __init__(self, settings: type[BaseSettings], name: str, value: str) -> None:
        self._given = {name: value}
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return parse_env_vars(
            self._given, self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str
        )


def _read_variable(name: str, value: str, problems: list[Problem]) -> Raw:
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


# ── nested mappings ──────────────────────────────────────────────────────────────────────────────


def _merged(below: Raw, above: Raw) -> Raw:
    """Both, section by section; `above` wins."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _nested(path: Path_, value: Any) -> Raw:
    for step in reversed(path):
        value = {step: value}
    result: Raw = value
    return result


def _has(raw: Raw, path: Path_) -> bool:
    here: Any = raw
    for step in path:
        if not isinstance(here, dict) or step not in here:
            return False
        here = here[step]
    return True


def _without(raw: Raw, paths: Sequence[Path_]) -> Raw:
    result: Raw = {}
    for key, value in raw.items():
        inner = [path[1:] for path in paths if path[0] == key]
        if () in inner:
            continue
        result[key] = _without(value, inner) if isinstance(value, dict) and inner else value
    return result
