"""How numbers are written beside a curve, in the units that the dashboards name. Decides only."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_SHORT = ((1e9, " Bil"), (1e6, " Mil"), (1e3, " K"))
_BYTES = ((2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"))
_SECONDS = ((86_400, " d"), (3_600, " h"), (60, " min"), (1, " s"))
_SUFFIX = {"short": "", "cps": "/s", "reqps": " req/s"}
UNITS = frozenset({*_SUFFIX, "s", "bytes", "percentunit"})
"""Those that can be written here: what our dashboards use."""


def written(value: float, unit: str) -> str:
    """A number with its unit."""
    match unit:
        case "percentunit":
            return f"{value * 100:.3g} %"
        case "bytes":
            return _scaled(value, _BYTES, " B")
        case "s" if abs(value) < 1:
            return f"{value * 1_000:.3g} ms" if value else "0 s"
        case "s":
            return _scaled(value, _SECONDS, " s")
        case _:
            return _scaled(value, _SHORT, "") + _SUFFIX[unit]


def _scaled(value: float, scales: tuple[tuple[float, str], ...], smallest: str) -> str:
    for size, word in scales:
        if abs(value) >= size:
            return f"{value / size:.3g}{word}"
    return f"{value:.3g}{smallest}"


def ticks(most: float, unit: str, about: int = 4) -> list[float]:
    """From 0 to the first round number that is not below `most`; about so many steps."""
    if most <= 0:
        return [0.0, 1.0]
    base = 2.0 if unit == "bytes" else 10.0
    rough = most / about
    power = base ** math.floor(math.log(rough, base) + 1e-9)
    steps = (1.0,) if base == 2.0 else (1.0, 2.0, 5.0)
    step = next((power * each for each in steps if power * each >= rough - 1e-12), power * base)
    return [step * number for number in range(math.ceil(most / step - 1e-9) + 1)]


def clock(at_s: float) -> str:
    """A moment as a dashboard writes it below a curve."""
    return f"{datetime.fromtimestamp(at_s, UTC):%H:%M:%S}"
