"""Destinations of other packages, found by their entry points, so that a private one needs no fork.

A package says in its metadata, under the group `commerce_connector.destinations`, which class it brings:

    [project.entry-points."commerce_connector.destinations"]
    acme = "acme_connector:Acme"

One that can't be used harms no other: it is left out, and why is told to whoever asks for it by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib.metadata import EntryPoint, entry_points

from connector.vendors.contract import Destination

GROUP = "commerce_connector.destinations"

PARTS = frozenset(Destination.__annotations__) | {
    name for name in vars(Destination) if not name.startswith("_")
}
"""What the contract asks of a destination's class. `limits` is an instance's."""


def found(
    taken: Collection[str], points: Iterable[EntryPoint] | None = None
) -> tuple[dict[str, type[Destination]], dict[str, str]]:
    """The classes by name, and by name why one can't be used. `taken` are names that are ours already."""
    usable: dict[str, type[Destination]] = {}
    unusable: dict[str, str] = {}
    for point in entry_points(group=GROUP) if points is None else points:
        why = None
        try:
            kind = point.load()
        except Exception as error:  # anybody's code runs when it is imported
            why = f"can't be imported: {type(error).__name__}: {error}"
        else:
            why = _unfit(point.name, kind, taken)
        if why is None and point.name in usable:
            why = "is the name of two packages' destinations"
            del usable[point.name]
        if why is not None:
            unusable[point.name] = f"{point.value} {why}"
        elif point.name not in unusable:
            usable[point.name] = kind
    return usable, unusable


def _unfit(name: str, kind: object, taken: Collection[str]) -> str | None:
    if name in taken:
        return "has the name of a destination that is built in"
    if not isinstance(kind, type):
        return "is no class"
    if missing := sorted(part for part in PARTS - {"limits"} if not hasattr(kind, part)):
        return f"lacks {', '.join(missing)} of the contract"
    if getattr(kind, "name", None) != name:
        return f"calls itself {getattr(kind, 'name', None)!r}, and its entry point {name!r}"
    return None
