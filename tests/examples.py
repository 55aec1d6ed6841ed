"""How many examples Hypothesis tries: all in CI, a sixth where somebody waits for the answer."""

from __future__ import annotations

import os

from hypothesis import settings

CI = bool(os.environ.get("CI"))


def examples(in_ci: int) -> int:
    """So many in CI, a sixth elsewhere: each run draws others, and what failed is kept and tried again."""
    return in_ci if CI else in_ci // 6


def try_fewer_outside_of_ci() -> None:
    """The same for tests that name no number; CI keeps Hypothesis' own profile for it."""
    if not CI:
        settings.register_profile("quick", max_examples=examples(100))
        settings.load_profile("quick")
