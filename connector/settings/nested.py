"""Mappings in mappings, shaped like the file. Decides only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Raw = dict[str, Any]
Path_ = tuple[str | int, ...]


def merged(below: Raw, above: Raw) -> Raw:
    """Both, section by section; `above` wins."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def nested(path: Path_, value: Any) -> Raw:
    """A mapping that holds this one value, there."""
    for step in reversed(path):
        value = {step: value}
    result: Raw = value
    return result


def leaves(raw: Raw, prefix: str = "") -> Iterator[str]:
    """The dotted path of everything that is not a mapping, or an empty one."""
    for key, value in raw.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def has(raw: Raw, path: Path_) -> bool:
    """True if there is anything at this path, null too."""
    here: Any = raw
    for step in path:
        if not isinstance(here, dict) or step not in here:
            return False
        here = here[step]
    return True


def without(raw: Raw, paths: Sequence[Path_]) -> Raw:
    """All but what is at these paths."""
    result: Raw = {}
    for key, value in raw.items():
        inner = [path[1:] for path in paths if path[0] == key]
        if () in inner:
            continue
        result[key] = without(value, inner) if isinstance(value, dict) and inner else value
    return result
