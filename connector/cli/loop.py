"""The event loop of a command, and how a person ends it."""

from __future__ import annotations

import asyncio
import signal
import sys

SECOND_SIGNAL = 130
"""The exit code of a stop that could not wait for its end: somebody asked twice."""


def fast_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it exists (not on Windows); asyncio's own is slower and no less right."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def asked_to_stop() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process where it stands."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, asked)
    return asked


def _on_signal(asked: asyncio.Event) -> None:
    if asked.is_set():
        sys.stderr.flush()
        raise SystemExit(SECOND_SIGNAL)
    asked.set()
