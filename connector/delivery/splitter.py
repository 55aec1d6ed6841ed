"""How many refused batches may be halved at the same time. Decides only: no broker, no clock."""

from __future__ import annotations

TREES_MAX = 8
"""Batches being halved at once. More would let a flood of refusals overrun the flood guard, and a few bad
events would take the connections of all the others."""


class Tree:
    """One refused batch on its way to single items: how many parts of it are still open."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts = 1


class Splitter:
    """Counts the split trees that are open.

    Every part either ends or is halved, and a single item is never halved, so every tree ends.
    """

    def __init__(self, trees_max: int = TREES_MAX) -> None:
        self._free = trees_max

    @property
    def has_room(self) -> bool:
        """Whether another refused batch may be halved now."""
        return self._free > 0

    def plant(self) -> Tree:
        """A batch outside any tree is about to be halved."""
        assert self._free > 0, "ask has_room first"
        self._free -= 1
        return Tree()

    def halved(self, tree: Tree) -> None:
        """One part became two."""
        tree.parts += 1

    def ended(self, tree: Tree) -> None:
        """All items of one part have their outcome. With the last part the tree's place is free."""
        assert tree.parts > 0, "a part ends once"
        tree.parts -= 1
        if not tree.parts:
            self._free += 1
