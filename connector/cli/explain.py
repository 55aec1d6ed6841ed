"""`connector explain`: the story of one record, told without sending anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from connector.cli.common import ConfigFile, command, read_settings
from connector.cli.explain_views import Story, as_json, as_text
from connector.cli.letter_choice import AsJson, cases_at, coordinate_of, is_ours, read_cases
from connector.cli.lines import output
from connector.cli.looking import ANSWER_S, fail, told
from connector.kafka.cases import Case, value_hash
from connector.kafka.dead_letter import parse
from connector.kafka.inspect import Cluster, Stored
from connector.kafka.standing import standing
from connector.model.coordinate import Coordinate
from connector.model.record import Lease, Record
from connector.ops import logs
from connector.rehearsal import Rehearsal
from connector.settings import Settings
from connector.settings.checks import covers

app = command()

NO_VALUE = "its dead letter was written without the value, as too large"


@app.command()
def explain(
    record: Annotated[
        str,
        typer.Argument(metavar="RECORD", help="TOPIC:PARTITION:OFFSET, of the source or of a dead letter."),
    ],
    config: ConfigFile = None,
    as_json_: AsJson = False,
) -> None:
    """Tell the story of one record: decoded, consent, mapped, the exact requests, and where it stands.

    Sends nothing and commits nothing. What is told of mapping is by the configuration of now, whatever it was
    when the record came. The event and the requests hold what the record holds, personal data too; keys and
    passwords are hidden.

    \b
    Example:
      connector explain -c connector.yaml orders:3:42
    """
    wanted = coordinate_of(record, "RECORD")
    settings = read_settings(config)
    logs.configure("error", "text")
    with told():
        found = _find(settings, wanted)
    if isinstance(found, str):
        fail(found)
    story = asyncio.run(_rehearse(settings, *found))
    with output():
        for line in [as_json(story)] if as_json_ else as_text(story):
            print(logs.redact(line))


def _find(settings: Settings, wanted: Coordinate) -> tuple[Record, Case | None, int | None, str] | str:
    """The record, its dead letters, the group's offset and where it was read; in words why there is none."""
    with Cluster(settings.source.librdkafka(), settings.source.group_id, ANSWER_S) as cluster:
        topics = cluster.topics()
        cases = _cases_of(cluster, settings, wanted) if settings.dead_letter_topic in topics else []
        by_letter = bool(cases) and cases[0].record != wanted
        if cases:
            wanted = cases[0].record
        elif not any(covers(each, wanted.topic) for each in settings.source.topics):
            return f"{wanted.topic} is none of source.topics, and there is no dead letter of {wanted}"
        stored, committed, where = None, None, "the source topic"
        if wanted.partition < topics.get(wanted.topic, 0):
            stored = cluster.record(wanted)
            committed = cluster.committed([(wanted.topic, wanted.partition + 1)])[wanted.partition]
        case = _of_these(cases, stored)
        if case is None and cases and (by_letter or stored is None):
            case = max(
                cases, key=lambda each: each.marker is None
            )  # the last to fail, of those that are open
            kept = _from_letter(cluster, settings, case)
            if kept is None and stored is not None:
                return f"{wanted} is another record by now; {NO_VALUE}"
            gone = "it no more" if stored is None else "another record there by now"
            stored, where = kept, f"the dead letter; the source has {gone}"
        elif len(cases) > (case is not None):
            where = f"{where}; other records had this place before it: see connector dlq show {wanted}"
        if stored is None:
            return _why_not(cluster, topics.get(wanted.topic, 0), wanted, case)
    lease = Lease(wanted.topic, wanted.partition, 0)
    key, value, headers = stored.key, stored.value, stored.headers
    record = Record(lease, wanted.offset, stored.timestamp_ms, key, value, headers)
    return record, case, committed, where


def _cases_of(cluster: Cluster, settings: Settings, wanted: Coordinate) -> list[Case]:
    """The dead letters of the records that had this place, or those that this letter belongs to. What another
    connector could not deliver says nothing about this one."""
    found = cases_at(read_cases(cluster, settings), wanted, settings)
    return [case for case in found if is_ours(case, settings) or case.record != wanted]


def _of_these(cases: Sequence[Case], stored: Stored | None) -> Case | None:
    """The case of the record that Kafka has at this place now; where the topic was created anew, others had
    it."""
    if stored is None:
        return None
    now = value_hash(stored.value)
    return next((case for case in cases if case.value_hash == now), None)


def _from_letter(cluster: Cluster, settings: Settings, case: Case) -> Stored | None:
    """The record as its letter kept it; None when the topic would not take its value."""
    stored = cluster.record(Coordinate(settings.dead_letter_topic, *case.spot))
    letter = parse(stored.headers) if stored is not None else None
    if stored is None or letter is None or letter.value_omitted is not None:
        return None
    return msgspec.structs.replace(stored, timestamp_ms=0, headers=letter.source_headers)


def _why_not(cluster: Cluster, partitions: int, wanted: Coordinate, case: Case | None) -> str:
    if not partitions:
        return f"{wanted.topic} does not exist, or may not be seen: the user needs Read on the topic"
    if wanted.partition >= partitions:
        return f"{wanted.topic} has {partitions} partitions, and none with the number {wanted.partition}"
    first, end = cluster.edges(wanted.topic, wanted.partition)
    letter = f"; {NO_VALUE}" if case is not None else ""
    if first <= wanted.offset < end:
        return f"{wanted} is no record: it was compacted away, or marks the end of a transaction{letter}"
    return f"Kafka has no record {wanted}: it has the offsets {first} up to {end}{letter}"


async def _rehearse(
    settings: Settings, record: Record, case: Case | None, committed: int | None, where: str
) -> Story:
    async with Rehearsal(settings) as rehearsal:
        rehearsed = await rehearsal.of(record, time.time_ns() // 1_000_000)
        return Story(
            record=record,
            where=where,
            destination=settings.destination.name,
            consent=tuple(rehearsal.consent),
            rehearsed=rehearsed,
            requests=tuple(rehearsal.requests(rehearsed.items)),
            committed=committed,
            standing=standing(record.offset, committed, case),
            case=case,
        )
