"""`connector sample`: believable canonical events, printed or written to Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
import typer

from connector.cli.common import ConfigFile, command
from connector.cli.lines import output
from connector.codec.times import epoch_ms
from connector.sample import NOW_MS, generate

if TYPE_CHECKING:
    from connector.sample.shop import Json

app = command()


@app.command()
def sample(
    count: Annotated[int, typer.Option(min=0, help="How many events.")] = 1_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events, byte for byte.")] = 1,
    topic_kind: Annotated[
        Literal["orders", "clickstream", "both"], typer.Option(help="What kind of events.")
    ] = "both",
    now: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="The moment they lead up to, RFC 3339. Without it a fixed one in 2025, with --produce now.",
        ),
    ] = None,
    produce: Annotated[
        bool, typer.Option("--produce", help="Write them to Kafka instead of printing them.")
    ] = False,
    config: ConfigFile = None,
    orders_topic: Annotated[
        str | None,
        typer.Option(metavar="TOPIC", help="Where orders go; the first source topic named like order."),
    ] = None,
    clickstream_topic: Annotated[
        str | None,
        typer.Option(metavar="TOPIC", help="Where the rest goes; the first source topic named like click."),
    ] = None,
) -> None:
    """Make realistic canonical events: shopping sessions, the orders that come of them, and the long tail.

    Prints JSON Lines. With --produce they are written to the topics of a configuration, in its
    source.format (auto: Avro if there is a schema registry, else JSON); framed Avro registers the schemas
    as TOPIC-value. Orders are keyed by order id, everything else by shopper.

    \b
    Example:
      connector sample --count 5 --topic-kind orders
      connector sample --count 100000 --produce -c connector.yaml
    """
    now_ms = _moment(now, produce)
    events = generate(count, seed, topic_kind, now_ms)
    if not produce:
        with output():
            for event in events:
                print(orjson.dumps(event).decode())
        return
    from connector.cli.sample_produce import write

    write(_with_progress(events, count), topic_kind, config, orders_topic, clickstream_topic)


def _moment(now: str | None, produce: bool) -> int:
    if now is None:
        return time.time_ns() // 1_000_000 if produce else NOW_MS
    given = epoch_ms(now)
    if given is None:
        raise typer.BadParameter("not an RFC 3339 time, for example 2026-11-18T14:03:07Z", param_hint="--now")
    return given


def _with_progress(events: Iterator[Json], count: int) -> Iterator[Json]:
    """The events, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return iter(
        track(events, "writing", count, console=console, disable=not console.is_terminal, transient=True)
    )
