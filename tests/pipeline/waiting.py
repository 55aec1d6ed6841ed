"""Waiting in virtual time: it costs nothing, so a condition is simply looked at again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOK_EVERY_S = 0.01


async def soon(holds: Callable[[], bool], within_s: float = 60.0) -> None:
    """Let time pass until this holds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while not holds():
        assert loop.time() < until, f"not within {within_s:g} s of virtual time"
        await asyncio.sleep(LOOK_EVERY_S)
