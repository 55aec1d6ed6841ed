"""`connector map`: canonical events in, the request bodies that a destination would be sent out."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from pydantic import BaseModel, ValidationError

from connector import guarded
from connector.cli.common import FAILED, command
from connector.cli.lines import output, read_lines
from connector.cli.options import OptionPairs, destination_named, options_of, read_pairs
from connector.codec.answer import Undecodable
from connector.codec.json_form import JsonReader
from connector.codec.strangers import Stranger, strangers
from connector.codec.times import epoch_ms
from connector.delivery.batcher import NEVER, Batcher
from connector.model.event import Event
from connector.settings import ConfigurationError, Problem, read
from connector.settings.load import Given
from connector.settings.model import ENV_DELIMITER, ENV_PREFIX, PURPOSES, DeliverySettings
from connector.settings.problem import NO_SECTION
from connector.vendors import DESTINATIONS
from connector.vendors.contract import Destination, Mapped, MapResult, Refused, Skipped

REFUSALS_SHOWN = 20
"""Refused events named one by one; the rest are counted."""

STRANGERS_SHOWN = 20
"""Names that are no fields, the commonest first: enough to see whose they are."""

STRANGERS_KEPT = 500
"""Counted; where names are somebody's data, every event may bring new ones."""

app = command()


@app.command("map")
def map_command(
    destination: Annotated[
        str | None,
        typer.Option("--destination", metavar="NAME", help="Which one; without it, the file's."),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Argument(
            metavar="IN", help="JSON Lines; standard input without it.", exists=True, dir_okay=False
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "-c",
            "--config",
            metavar="FILE",
            help="Only its destination's name and options and delivery.consent are read.",
        ),
    ] = None,
    option: OptionPairs = None,
    now: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The clock of the mapping, RFC 3339; this machine's without it."),
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="One line an event, with its outcome.")] = False,
) -> None:
    """Turn canonical events, one JSON object a line, into request bodies, one a line. Sends nothing.

    Bodies are batched as they would be sent, in the order of the events. How many were mapped, skipped and
    refused is told on standard error, and which names in them are no fields. With --each every event gives a
    line of its own: {"event_id", "outcome": "mapped|skipped|refused", "reason", "items": bodies
    that carry one item each}. Exit code 1 if an event was refused.

    \b
    Example:
      connector sample --count 100 | connector map --destination topsort --option currency=EUR
      connector map -c connector.yaml events.jsonl
    """
    given = read(config, os.environ) if config is not None else Given({}, [])
    kind = destination_named(destination if destination is not None else _name_in(given))
    options, consent = _configured(kind, given, read_pairs(kind, option))
    mapper = _Mapper(kind(options, consent), _clock(now))
    with output():
        write = _Each(mapper.destination) if each else _Batched(mapper.destination)
        for number, line in read_lines(events):
            event_id, result = mapper.map(number, line)
            write.add(event_id, result)
        write.end()
    mapper.report()
    if mapper.refused:
        raise typer.Exit(FAILED)


class _Mapper:
    """Decodes and maps a line, and keeps the count of what came of them."""

    def __init__(self, destination: Destination, now_ms: Callable[[], int]) -> None:
        self.destination = destination
        self._now_ms = now_ms
        self._read = JsonReader().read
        self._mapped = 0
        self._skipped: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self._strangers: Counter[Stranger] = Counter()
        """In how many events each was."""

    def map(self, number: int, line: bytes) -> tuple[str | None, MapResult]:
        """The event's id, if it can be read, and what the destination makes of the event."""
        event = self._read(line)
        self._look_for_strangers(line)
        event_id: str | None
        result: MapResult
        if isinstance(event, Undecodable):
            event_id, result = _id_of(line), Refused(event.reason, event.detail)
        else:
            event_id, result = event.event_id, self._result_of(event)
        if isinstance(result, Mapped):
            self._mapped += 1
        elif isinstance(result, Skipped):
            self._skipped[result.reason] += 1
        elif isinstance(result, Refused):
            self._count_refusal(number, result)
        return event_id, result

    def _result_of(self, event: Event) -> MapResult:
        broken: list[str] = []
        result = guarded.mapped(
            self.destination, event, self._now_ms(), lambda event_id, _: broken.append(event_id)
        )
        if broken and isinstance(result, Refused):  # a line here, where no log tells which event it was
            return Refused(result.reason, f"event {event.event_id}: {result.path}")
        return result

    def report(self) -> None:
        """How many were mapped, how many not and why, and names that are no fields; the commonest first."""
        print(f"mapped {self._mapped}", file=sys.stderr)
        for outcome, reasons in (("skipped", self._skipped), ("refused", self.refused)):
            for reason, count in reasons.most_common():
                print(f"{outcome} {count} {reason}", file=sys.stderr)
        for stranger, count in self._strangers.most_common(STRANGERS_SHOWN):
            events = "1 event" if count == 1 else f"{count} events"
            print(f"warning: {stranger.told} ({events})", file=sys.stderr)
        if len(self._strangers) > STRANGERS_SHOWN:
            print("warning: further names are no fields, either", file=sys.stderr)

    def _look_for_strangers(self, line: bytes) -> None:
        for stranger in strangers(line):
            if stranger in self._strangers or len(self._strangers) < STRANGERS_KEPT:
                self._strangers[stranger] += 1

    def _count_refusal(self, number: int, refusal: Refused) -> None:
        self.refused[refusal.reason] += 1
        shown = self.refused.total()
        if shown <= REFUSALS_SHOWN:
            print(f"line {number}: {refusal.reason} {refusal.path}".rstrip(), file=sys.stderr)
        elif shown == REFUSALS_SHOWN + 1:
            print("further refusals are only counted", file=sys.stderr)


class _Batched:
    """One request body a line, filled to the destination's limits."""

    def __init__(self, destination: Destination) -> None:
        self._request = destination.request
        self._batcher = Batcher(destination.limits, linger_s=NEVER)

    def add(self, event_id: str | None, result: MapResult) -> None:
        """Take an event's items; print what became full."""
        if isinstance(result, Mapped):
            for item in result.items:
                closed = self._batcher.add(item, 0.0)
                if closed is not None:
                    print(self._request(closed).body.decode())

    def end(self) -> None:
        """Print what is left."""
        rest = self._batcher.close()
        if rest is not None:
            print(self._request(rest).body.decode())


class _Line(msgspec.Struct):
    event_id: str | None
    outcome: str
    reason: str | None
    items: list[msgspec.Raw]


class _Each:
    """One line an event: what became of it, and a whole body for each of its items."""

    def __init__(self, destination: Destination) -> None:
        self._request = destination.request

    def add(self, event_id: str | None, result: MapResult) -> None:
        """Print one event's line."""
        match result:
            case Mapped(items):
                bodies = [msgspec.Raw(self._request([item]).body) for item in items]
                line = _Line(event_id, "mapped", None, bodies)
            case Skipped(reason):
                line = _Line(event_id, "skipped", reason, [])
            case Refused(reason):
                line = _Line(event_id, "refused", reason, [])
        print(msgspec.json.encode(line).decode())

    def end(self) -> None:
        """Nothing is held back."""


# ── what was given ───────────────────────────────────────────────────────────────────────────────


def _name_in(given: Given) -> str:
    section = given.raw.get("destination")
    name = section.get("name") if isinstance(section, dict) else None
    if not isinstance(name, str):
        raise typer.BadParameter("give it, or a file with destination.name", param_hint="--destination")
    return name


def _configured(
    kind: type[Destination], given: Given, pairs: Mapping[str, Any]
) -> tuple[BaseModel, list[str] | None]:
    """The options and consent of a file, the environment's over them and `--option` over both; the rest of
    the file may be missing. Raises ConfigurationError with all that is wrong in them."""
    problems = [problem for problem in given.problems if _concerns_mapping(problem.path)]
    destination, delivery = given.raw.get("destination"), given.raw.get("delivery")
    for section, found in ("destination", destination), ("delivery", delivery):
        if not isinstance(found, dict | None):
            problems.append(Problem(section, NO_SECTION))
    options = destination.get("options") if isinstance(destination, dict) else None
    if not isinstance(options, dict | None):
        problems.append(Problem("destination.options", NO_SECTION))
        options = None
    typed: BaseModel | None = None
    try:
        typed = options_of(kind, options or {}, dict(pairs))
    except ConfigurationError as error:
        problems += error.problems
        named = destination.get("name") if isinstance(destination, dict) else None
        if options and named in DESTINATIONS and named != kind.name:
            problems.append(Problem("destination.name", f"is not {kind.name}, so its options do not fit"))
    try:
        consent = DeliverySettings(
            consent=delivery.get("consent") if isinstance(delivery, dict) else None
        ).consent
    except ValidationError:
        problems.append(Problem("delivery.consent", f"must be a list of {', '.join(PURPOSES)}"))
    if problems or typed is None:
        replaced = {f"destination.options.{name}" for name in pairs}
        variables = {path: name for path, name in given.variables.items() if path not in replaced}
        raise ConfigurationError(given._replace(variables=variables).traced(problems))
    return typed, consent


def _concerns_mapping(variable: str) -> bool:
    plain = variable.upper().replace(ENV_DELIMITER, "_")
    return plain.startswith((f"{ENV_PREFIX}DESTINATION_OPTIONS", f"{ENV_PREFIX}DELIVERY_CONSENT"))


def _clock(now: str | None) -> Callable[[], int]:
    if now is None:
        return lambda: time.time_ns() // 1_000_000
    fixed = epoch_ms(now)
    if fixed is None:
        raise typer.BadParameter("not an RFC 3339 time, for example 2026-11-18T14:03:07Z", param_hint="--now")
    return lambda: fixed


class _IdOnly(msgspec.Struct):
    event_id: str


def _id_of(line: bytes) -> str | None:
    """The id of an event that can't be read as one, if it can be seen."""
    try:
        return msgspec.json.decode(line, type=_IdOnly).event_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
