"""Both event loops that the connector runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import uvloop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each async test here, which are those with real sockets, runs on both: they close, abort and time out
    in their own ways."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
