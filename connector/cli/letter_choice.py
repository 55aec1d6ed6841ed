"""Which dead letters are meant: the filters that `connector dlq` shares, and reading the topic by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from connector.cli.looking import ANSWER_S
from connector.codec.times import epoch_ms
from connector.kafka.cases import Case, Cases, Choice, State
from connector.kafka.dead_letter import rfc3339
from connector.kafka.inspect import Cluster, ClusterError
from connector.kafka.marker import Spot
from connector.model.coordinate import Coordinate
from connector.model.outcome import DEAD_LETTER_REASONS, MISSING_FIELD_PREFIX, is_dead_letter_reason
from connector.settings import Settings
from connector.settings.problem import did_you_mean

Reasons = Annotated[
    list[str] | None,
    typer.Option("--reason", metavar="REASON", help="Only with this reason; may be repeated."),
]
Topics = Annotated[
    list[str] | None,
    typer.Option("--topic", metavar="TOPIC", help="Only of this source topic; may be repeated."),
]
EventTypes = Annotated[
    list[str] | None,
    typer.Option("--event-type", metavar="TYPE", help="Only of this event type; may be repeated."),
]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Only what failed then or later (RFC 3339).")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Only what failed before (RFC 3339).")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON object a line.")]
Records = Annotated[
    list[str] | None,
    typer.Argument(metavar="RECORD", help="Only these: TOPIC:PARTITION:OFFSET of the source."),
]


def choice_of(
    reasons: Sequence[str] | None,
    topics: Sequence[str] | None,
    event_types: Sequence[str] | None,
    since: str | None,
    until: str | None,
    states: Iterable[State] = ("open",),
    records: Sequence[str] | None = None,
) -> Choice:
    """What the options say; bad usage where they can't be meant."""
    return Choice(
        records=frozenset(coordinate_of(each, "RECORD") for each in records or ()),
        reasons=frozenset(map(_reason, reasons or ())),
        topics=frozenset(topics or ()),
        event_types=frozenset(event_types or ()),
        since=_time(since, "--since"),
        until=_time(until, "--until"),
        states=frozenset(states),
    )


def coordinate_of(text: str, where: str) -> Coordinate:
    """A record's coordinate; bad usage for anything else."""
    found = Coordinate.read(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not TOPIC:PARTITION:OFFSET, as orders:3:42", param_hint=where)
    return found


def look_at(settings: Settings) -> Cluster:
    """The cluster with its dead-letter topic. Raises ClusterError when that is not there."""
    cluster = Cluster(settings.source.librdkafka(), settings.source.group_id, ANSWER_S)
    topic = settings.dead_letter_topic
    if topic not in cluster.topics():
        raise ClusterError(f"the dead-letter topic {topic} does not exist, or may not be seen")
    return cluster


def read_cases(cluster: Cluster, settings: Settings) -> Cases:
    """Everything that the dead-letter topic holds now."""
    cases = Cases()
    for stored in cluster.records(settings.dead_letter_topic):
        spot = Spot(stored.partition, stored.offset)
        cases.add(spot, stored.timestamp_ms, stored.value, stored.headers)
    return cases


def cases_at(cases: Cases, wanted: Coordinate, settings: Settings) -> list[Case]:
    """The case of this record, or the one that this letter belongs to. Several where records had this place
    in turn, the last to fail at the end; another connector's only where this one has none."""
    in_topic = wanted.topic == settings.dead_letter_topic
    spot = Spot(wanted.partition, wanted.offset) if in_topic else None
    found = [case for case in cases.all() if case.record == wanted or spot in case.spots]
    return [case for case in found if is_ours(case, settings)] or found


def is_ours(case: Case, settings: Settings) -> bool:
    """Whether this connector wrote it: another may share its dead-letter topic."""
    letter = case.letter
    return letter.destination == settings.destination.name and letter.group_id == settings.source.group_id


def _reason(word: str) -> str:
    kind = MISSING_FIELD_PREFIX.removesuffix(":")
    if word != kind and not is_dead_letter_reason(word):
        hint = did_you_mean(word, [*DEAD_LETTER_REASONS, kind])
        raise typer.BadParameter(f"{word!r} is no dead letter's reason; {hint}", param_hint="--reason")
    return word


def _time(text: str | None, option: str) -> str:
    """In the form of `failed_at`, which compares as text."""
    if text is None:
        return ""
    at_ms = epoch_ms(text)
    if at_ms is None:
        raise typer.BadParameter(
            f"{text!r} is not an RFC 3339 time, for example 2026-11-18T14:03:07Z", param_hint=option
        )
    return rfc3339(at_ms)
