"""`connector run`: carry events until told to stop."""

from __future__ import annotations

import asyncio
import errno
import sys
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from connector.cli.common import BAD_USAGE, FAILED, ConfigFile, command, read_settings
from connector.cli.loop import asked_to_stop, fast_loop

if TYPE_CHECKING:
    from connector.settings import Settings

app = command()


@app.command()
def run(
    config: ConfigFile = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="AT", help="Begin a side replay there: a time or a record."),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="AT", help="End a side replay before there; without it, now.")
    ] = None,
) -> None:
    """Carry events from Kafka to the destination until SIGTERM or SIGINT.

    A first signal stops politely: what is under way is finished, committed, and the group is left. A second
    one ends at once with exit code 130; what was in flight is sent again by the next run.

    With --from or --to it is a side replay instead: the source topics are read once more between the two,
    outside of any group, while the live connector goes on. AT is an RFC 3339 time, or TOPIC:PARTITION:OFFSET
    for that partition alone; the end is excluded. It stops by itself with a report, and exit code 1 when not
    all of it was settled.

    \b
    Example:
      connector run -c connector.yaml
      connector run -c connector.yaml --from 2026-11-18T06:00:00Z --to 2026-11-18T09:00:00Z
      connector run -c connector.yaml --from orders:3:42 --to orders:3:57
    """
    settings = read_settings(config)
    if from_ is not None or to is not None:
        from connector.cli.side_replay import replay_source

        sys.exit(replay_source(settings, from_, to))
    from connector.ops import logs

    logs.configure(settings.logging.level, settings.logging.format)
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        code = runner.run(_carry(settings))
    sys.exit(code)


async def _carry(settings: Settings) -> int:
    from connector.app import App

    asked = asked_to_stop()
    log = structlog.stdlib.get_logger("connector")
    try:
        carrier = App(settings)
        await carrier.start()
    except (OSError, ValueError) as obstacle:
        taken = isinstance(obstacle, OSError) and obstacle.errno == errno.EADDRINUSE
        hint = "; set http.port (0: any free one)" if taken else ""
        log.error("not_started", error=f"{obstacle}{hint}")
        # An address that is taken or a secret that can't be read may be there the next time; a combination of
        # properties that librdkafka refuses (each alone is asked about when the settings are read) will not.
        return FAILED if isinstance(obstacle, OSError) else BAD_USAGE
    ended = asyncio.ensure_future(carrier.wait())
    stop = asyncio.ensure_future(asked.wait())
    await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
    by_itself = ended.done()
    for task in (ended, stop):
        task.cancel()
    await carrier.stop()
    if by_itself and (error := ended.exception()) is not None:
        log.error("failed", exc_info=error)
        return FAILED
    return 0
