"""Runs the connector beside the live one until it has read everything, or somebody asks it to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from connector.app import App
from connector.cli.loop import asked_to_stop
from connector.kafka.bounded import RangeLostError
from connector.kafka.inspect import ClusterError
from connector.settings import Settings
from connector.side import Side

ASKED = "stopped before the end, as asked"


async def run_aside(
    settings: Settings, side: Side, show: Callable[[App], None], every_s: float
) -> tuple[App, str | None]:
    """The run that was, and in words why it did not get to its end, None when it did. `show` is called every
    so often.

    Raises OSError and ValueError as `App` does.
    """
    stop = asked_to_stop()
    carrier = App(settings, side)
    await carrier.start()
    ended, asked = asyncio.ensure_future(carrier.wait()), asyncio.ensure_future(stop.wait())
    finished = asyncio.ensure_future(carrier.finish())
    waiting = {ended, asked, finished}
    try:
        while not any(each.done() for each in waiting):
            show(carrier)
            await asyncio.wait(waiting, timeout=every_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
        await carrier.stop()
    show(carrier)
    await asyncio.gather(*waiting, return_exceptions=True)
    if not ended.cancelled() and (error := ended.exception()) is not None:
        if not isinstance(error, RangeLostError | ClusterError):
            raise error
        return carrier, str(error)
    if not finished.cancelled():
        return carrier, finished.result()
    return carrier, ASKED
