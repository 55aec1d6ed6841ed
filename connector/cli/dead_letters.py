"""`connector dlq`: which records could not be delivered, why, and what to do about it."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from connector.cli import letter_views
from connector.cli.common import ConfigFile, command, read_settings
from connector.cli.letter_choice import (
    AsJson,
    EventTypes,
    Reasons,
    Since,
    Topics,
    Until,
    cases_at,
    choice_of,
    coordinate_of,
    look_at,
    read_cases,
)
from connector.cli.letter_replay import replay
from connector.cli.lines import output
from connector.cli.looking import fail, told
from connector.kafka.cases import Case, Cases
from connector.kafka.dead_letter import parse
from connector.model.coordinate import Coordinate
from connector.settings import fingerprint

app = command()

HAD_IT_IN_TURN = "that had this place in turn, as the topic was created anew"

Resolved = Annotated[bool, typer.Option("--resolved", help="Those that are resolved, instead of the open.")]
Everything = Annotated[bool, typer.Option("--all", help="The open and the resolved.")]


@app.callback()
def dlq() -> None:
    """List, show, count and replay dead letters: records that can't be delivered as they are.

    All letters of one record are one case, open until a replay delivers or skips it.

    \b
    Example:
      connector dlq list -c connector.yaml --reason invalid_price
      connector dlq show -c connector.yaml orders:3:42
      connector dlq replay -c connector.yaml --reason invalid_price --dry-run
    """


@app.command("list")
def list_(
    config: ConfigFile = None,
    reason: Reasons = None,
    topic: Topics = None,
    event_type: EventTypes = None,
    since: Since = None,
    until: Until = None,
    resolved: Resolved = False,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """List what is open, the oldest failure first: a line a record.

    RECORD is where the record stands in its source topic, however often it failed. Payloads are never shown
    here.

    \b
    Example:
      connector dlq list -c connector.yaml --reason invalid_price --since 2026-11-18T00:00:00Z
      connector dlq list -c connector.yaml --all --json
    """
    settings = read_settings(config)
    states = ("open", "resolved") if everything else ("resolved",) if resolved else ("open",)
    choice = choice_of(reason, topic, event_type, since, until, states)  # type: ignore[arg-type]  # words of State
    with told(), look_at(settings) as cluster:
        cases = read_cases(cluster, settings)
    chosen = [case for case in cases.all() if choice.takes(case)]
    with output():
        if as_json:
            for case in chosen:
                print(letter_views.as_json(case))
        elif chosen:
            for line in letter_views.table(chosen, with_state=everything):
                print(line)
    _count(cases, chosen)


@app.command()
def show(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="TOPIC:PARTITION:OFFSET of the source.")],
    config: ConfigFile = None,
    payload: Annotated[
        bool, typer.Option("--payload", help="Key, headers and value too: they may be personal data.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter in full: why, what the vendor said, and how it stands.

    Where a topic was created anew, several records may have had one place in turn: each is shown. The place
    of the letter itself, in the dead-letter topic, does as well and means one. `connector explain` decodes
    the record and tells what would become of it now.

    \b
    Example:
      connector dlq show -c connector.yaml orders:3:42
    """
    wanted = coordinate_of(record, "RECORD")
    settings = read_settings(config)
    topic = settings.dead_letter_topic
    with told(), look_at(settings) as cluster:
        found = [
            (case, stored, letter)
            for case in cases_at(read_cases(cluster, settings), wanted, settings)
            if (stored := cluster.record(Coordinate(topic, *case.spot))) is not None
            and (letter := parse(stored.headers)) is not None
        ]
    if not found:
        fail(f"{topic} has no letter of {wanted}")
    with output():
        for number, (case, stored, letter) in enumerate(found, 1):
            if as_json:
                print(letter_views.full_json(case, stored, letter, payload))
                continue
            if len(found) > 1:
                print(f"{'' if number == 1 else chr(10)}{number} of {len(found)} records {HAD_IT_IN_TURN}")
            for line in letter_views.in_full(case, stored, letter, topic, fingerprint(settings), payload):
                print(line)


@app.command()
def stats(
    config: ConfigFile = None,
    reason: Reasons = None,
    topic: Topics = None,
    event_type: EventTypes = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Count dead letters, open and resolved, by reason, event type and day (UTC).

    \b
    Example:
      connector dlq stats -c connector.yaml --since 2026-11-18T00:00:00Z
    """
    settings = read_settings(config)
    choice = choice_of(reason, topic, event_type, since, until, ("open", "resolved"))
    with told(), look_at(settings) as cluster:
        cases = read_cases(cluster, settings)
    found = letter_views.counts(case for case in cases.all() if choice.takes(case))
    with output():
        if as_json:
            print(msgspec.json.encode(found).decode())
        else:
            for line in letter_views.count_table(found):
                print(line)
    _tell_foreign(cases)


app.command()(replay)


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _count(cases: Cases, chosen: list[Case]) -> None:
    open_ = sum(case.marker is None for case in chosen)
    print(f"{open_:,} open, {len(chosen) - open_:,} resolved", file=sys.stderr)
    _tell_foreign(cases)


def _tell_foreign(cases: Cases) -> None:
    if cases.foreign:
        print(f"{cases.foreign:,} records of the topic are not the connector's", file=sys.stderr)
