"""`connector check` looks at the newest record of each topic: can it be read, and what would become of it.

One record tells most mistakes that would make every record a dead letter. Names of fields are told, values
never: they may be personal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping

from connector.cli.finding import Finding
from connector.codec.strangers import strangers
from connector.codec.wire import schema_id
from connector.kafka.inspect import Cluster, ClusterError, Stored
from connector.model.event import UNKNOWN_EVENT_TYPE
from connector.model.record import Lease, Record
from connector.rehearsal import Rehearsal, Rehearsed
from connector.settings import Settings

TOPICS_MAX = 10
"""A pattern may match hundreds, and each is a question or three; one that is wrong is seldom wrong alone."""

LOOK_S = 15.0
"""After so long no further topic is begun: a registry that does not answer is waited for with every one."""

PARTITIONS_MAX = 12
"""Asked for a record, one after the other; a topic in use has one in the first."""

STRANGERS_MAX = 8
"""Enough to see whose names these are."""

SUBJECT = "newest record"


def newest_records(settings: Settings, cluster: Cluster, found: Mapping[str, int]) -> Iterator[Finding]:
    """Lines about the newest record of each of these topics (name → partitions)."""
    topics = sorted(found)
    deadline = time.monotonic() + LOOK_S
    for number, topic in enumerate(topics):
        if number and (number == TOPICS_MAX or time.monotonic() >= deadline):
            yield Finding(SUBJECT, "advice", f"not looked at: {len(topics) - number} more topics")
            return
        try:
            record = _newest(cluster, topic, found[topic])
        except ClusterError as error:
            yield Finding(SUBJECT, "wrong", f"{topic}: {error}")
            return  # what does not answer for one topic seldom does for the next, and every wait is long
        if record is None:
            yield Finding(SUBJECT, "ok", f"{topic} holds none yet to look at")
        else:
            yield from _told(settings, record)


def _newest(cluster: Cluster, topic: str, partitions: int) -> Record | None:
    """The newest of the first partition that has one."""
    for number in range(min(partitions, PARTITIONS_MAX)):
        stored = cluster.newest(topic, number)
        if stored is not None:
            return _record(topic, stored)
    return None


def _record(topic: str, stored: Stored) -> Record:
    lease = Lease(topic, stored.partition, 0)
    return Record(lease, stored.offset, stored.timestamp_ms, stored.key, stored.value, stored.headers)


def _told(settings: Settings, record: Record) -> Iterator[Finding]:
    rehearsed = asyncio.run(_rehearse(settings, record))
    value, where = record.value or b"", record.coordinate
    if rehearsed.event is not None:
        yield _of_event(settings, rehearsed, f"{where} decodes as {_format(value)}")
    elif rehearsed.outcome == "skipped":
        yield Finding(SUBJECT, "ok", f"{where} has no value: skipped as {rehearsed.reason}")
    elif (number := schema_id(value)) is not None and settings.source.schema_registry.url is None:
        yield Finding(
            SUBJECT,
            "wrong",
            f"{where} looks like framed Avro (schema {number}), and source.schema_registry.url is not set: "
            "set it, and leave source.format at auto or avro",
        )
    else:
        yield Finding(SUBJECT, "warning", f"{where} can't be read: {_why(rehearsed)}")
    for each in strangers(value)[:STRANGERS_MAX]:
        yield Finding(SUBJECT, "warning", f"{where}: {each.told}")


async def _rehearse(settings: Settings, record: Record) -> Rehearsed:
    async with Rehearsal(settings) as rehearsal:
        return await rehearsal.of(record, time.time_ns() // 1_000_000)


def _of_event(settings: Settings, rehearsed: Rehearsed, decodes: str) -> Finding:
    assert rehearsed.event is not None, "asked before"
    kind, name = rehearsed.event.event_type, settings.destination.name
    if kind == UNKNOWN_EVENT_TYPE:
        decodes += ", of an event type that this version does not know"
    else:
        decodes += f", {kind}"
    match rehearsed.outcome:
        case "mapped":
            return Finding(SUBJECT, "ok", f"{decodes}; {name} would be sent it")
        case "skipped":
            return Finding(SUBJECT, "ok", f"{decodes}; skipped for {name}: {rehearsed.reason}")
        case _:
            text = f"{decodes}; it would become a dead letter: {_why(rehearsed)}"
            return Finding(SUBJECT, "warning", text)


def _why(rehearsed: Rehearsed) -> str:
    return " ".join(filter(None, (rehearsed.reason, rehearsed.detail)))


def _format(value: bytes) -> str:
    """What was read. A bare datum begins with the length of the event's id, never with a zero byte."""
    number = schema_id(value)
    if number is not None:
        return f"framed Avro (schema {number})"
    return "JSON" if value.lstrip()[:1] == b"{" else "bare Avro"
