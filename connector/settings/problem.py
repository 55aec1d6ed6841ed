"""What is wrong with a configuration, in words for the person who wrote it. Decides only.

No value that was given is ever repeated here unless it is one of a few plain words: it might be a secret in
the wrong place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import msgspec
from pydantic_core import PydanticCustomError

NO_SECTION = "must be a section of keys and values"


class Problem(msgspec.Struct, frozen=True):
    """One thing to change: where, what is wrong, what would be right, and the environment variable that the
    value comes from, if it does."""

    path: str
    what: str
    hint: str = ""
    variable: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}: {self.what}{hint}" + (f"; from {self.variable}" if self.variable else "")


class ConfigurationError(Exception):
    """The configuration can't be used; `problems` are all of them at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        assert problems, "an error needs a problem"
        self.problems = tuple(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        head = (
            "the configuration has a problem:" if count == 1 else f"the configuration has {count} problems:"
        )
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])


def wrong(what: str, hint: str = "") -> PydanticCustomError:
    """What a field's validator raises; `what` and `hint` arrive in the problem unchanged."""
    return PydanticCustomError("setting", "{what}", {"what": what, "hint": hint})


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or all of them."""
    words = sorted(known)
    close = get_close_matches(word, words, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(words)}" if words else ""


def number(value: float) -> str:
    """A bound as people write it: no point without need, no exponent."""
    return str(int(value)) if value == int(value) else f"{value}"
