"""`connector sandbox`: be the strict stand-in for a vendor, with faults on demand."""

from __future__ import annotations

import asyncio
import errno
import ssl
from pathlib import Path
from typing import Annotated

import typer

from connector.cli.common import FAILED, command
from connector.cli.loop import asked_to_stop, fast_loop
from connector.cli.options import DestinationName, OptionPairs, destination_named, options_of, read_pairs
from connector.faults import Faults, SpecError
from connector.sandbox import SandboxServer
from connector.settings.reference import example_options

app = command()


@app.command()
def sandbox(
    destination: DestinationName,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0: any free port.")] = 0,
    latency_ms: Annotated[int, typer.Option(min=0, max=600_000, help="How long each answer takes.")] = 0,
    fail: Annotated[
        str, typer.Option(metavar="SPEC", help="What goes wrong, and how often. See below.")
    ] = "",
    key: Annotated[
        str | None, typer.Option(help="The one key that it takes, others get a 401; without it, any.")
    ] = None,
    tls: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="CERT KEY", help="PEM files; then it speaks https.", exists=True, dir_okay=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed and requests meet the same faults.")] = 1,
    option: OptionPairs = None,
) -> None:
    """Be the strict stand-in for a vendor: it refuses what the vendor refuses, and counts by id.

    Listens on this machine only, until SIGTERM or SIGINT. The first line is `listening <url>`, the complete
    address for events. GET /_stats tells what was accepted, ignored and refused, with ids and the order per
    key (?ids=0 without ids), and how often a key was checked; POST /_reset forgets it, POST /_faults takes a
    new SPEC as its body.

    \b
    SPEC is a list of KIND:HOW_OFTEN, separated by commas.
      503:0.05                    this status (300 to 599) to 5 % of the requests
      503_after:0.01              stored, but the answer is a 503 (5xx only)
      429:0.01:retry_after=2      with the wait that the vendor asks for
      429:burst=20/1000           the last 20 of every 1000 requests
      reset:0.01                  the connection breaks, nothing is stored
      reset_after:0.01            the connection breaks after it was stored
      hang:0.001:seconds=60       no answer; hang_after: stored first
      slow:0.01:seconds=2         the right answer, late
      truncated:0.01              half of the right answer
      poison:ID                   400 to whatever carries this id; poison5xx:ID 500, poison429:ID 429

    \b
    Example:
      connector sandbox --destination topsort --latency-ms 20 --fail 503:0.05,reset_after:0.01
    """
    kind = destination_named(destination)
    options = options_of(kind, example_options(kind.Options), read_pairs(kind, option))
    try:
        faults = Faults.parse(fail, seed)
    except SpecError as error:
        raise typer.BadParameter(str(error), param_hint="--fail") from None
    server = SandboxServer.of(
        kind,
        options,
        faults=faults,
        latency_s=latency_ms / 1000,
        port=port,
        tls=_context(tls),
        credentials=kind.credentials(key) if key is not None else None,
    )
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(_serve(server))


async def _serve(server: SandboxServer) -> None:
    asked = asked_to_stop()
    try:
        await server.start()
    except OSError as error:
        hint = "; give another --port (0: any free one)" if error.errno == errno.EADDRINUSE else ""
        typer.echo(f"can't listen: {error.strerror}{hint}", err=True)
        raise typer.Exit(FAILED) from None
    try:
        print(f"listening {server.url}", flush=True)
        await asked.wait()
    finally:
        await server.stop()


def _context(files: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if files is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(*files)
    except (OSError, ssl.SSLError) as error:
        raise typer.BadParameter(f"not a certificate and its key: {error}", param_hint="--tls") from None
    return context
