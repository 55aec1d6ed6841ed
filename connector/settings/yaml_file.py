"""Reads the file, and never repeats a piece of it: any value may be a secret."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from connector.settings.nested import Raw
from connector.settings.problem import ConfigurationError, Problem

FILE_BYTES_MAX = 1_000_000


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


def read_file(path: Path) -> Raw:
    """What it holds. Raises ConfigurationError when it can't be read."""
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
