"""The chart's folder, and what its values say about themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

CHART = Path(__file__).parents[2] / "helm" / "commerce-connector"

VALUES = CHART / "values.yaml"
SCHEMA = CHART / "values.schema.json"
README = CHART / "README.md"
VALUE_SETS = sorted((CHART / "ci").glob("*-values.yaml"))

_DESCRIBED = "# -- "
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z0-9]+):(?: .*)?")


class Value(msgspec.Struct, frozen=True):
    """One value that may be set: path, default, and the comment above it, which begins with `# --`."""

    path: tuple[str, ...]
    default: Any
    text: str


def defaults() -> dict[str, Any]:
    """What `values.yaml` holds."""
    loaded: dict[str, Any] = yaml.safe_load(VALUES.read_text())
    return loaded


def values() -> Iterator[Value]:
    """Every value that has a description, in the file's order."""
    whole = defaults()
    path: list[tuple[int, str]] = []
    text: list[str] = []
    for line in VALUES.read_text().splitlines():
        stripped = line.strip()
        if stripped.startswith(_DESCRIBED):
            text = [stripped.removeprefix(_DESCRIBED)]
        elif stripped.startswith("# ") and text:
            text.append(stripped.removeprefix("# "))
        elif found := _KEY.fullmatch(line):
            indent = len(found["indent"])
            path = [*(step for step in path if step[0] < indent), (indent, found["key"])]
            if text:
                keys = tuple(key for _, key in path)
                yield Value(keys, _at(whole, keys), " ".join(text))
            text = []


def undescribed() -> list[str]:
    """Values that neither have a description nor lie within one that has."""
    described = {value.path for value in values()}
    return [
        ".".join(path)
        for path in _leaves(defaults())
        if not any(path[:length] in described for length in range(1, len(path) + 1))
    ]


def _at(whole: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        whole = whole[step]
    return whole


def _leaves(whole: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(whole, dict) and whole:
        for key, inner in whole.items():
            yield from _leaves(inner, (*path, key))
    else:
        yield path
