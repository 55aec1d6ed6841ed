"""Where sample events go in Kafka, in which format and under which key."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import msgspec
import orjson
import typer

from connector.cli.asking import ask, registry_address, registry_credentials
from connector.cli.common import FAILED, read_settings
from connector.codec import schemas
from connector.codec.encode import encode_framed, encode_raw
from connector.codec.schemas import RecordName
from connector.kafka.produce import WriteError, Writer
from connector.ops import logs
from connector.sample.shop import Json
from connector.sample.stories import Kind
from connector.settings import Settings
from connector.settings.checks import covers
from connector.vendors.contract import Request

FLUSH_EVERY = 5_000
"""Records between two looks at what Kafka has taken: an error is told soon, and none is waited for alone."""

RECORDS: dict[str, RecordName] = {"orders": "OrderEvent", "clickstream": "ClickstreamEvent"}

Encode = Callable[[Json], bytes]


def write(
    events: Iterator[Json], kind: Kind, config: Path | None, orders: str | None, clickstream: str | None
) -> None:
    """Write all of them and wait until Kafka has acknowledged every one."""
    settings = read_settings(config)
    wanted = RECORDS if kind == "both" else {kind: RECORDS[kind]}
    named = {"orders": orders, "clickstream": clickstream}
    topics = {each: named[each] or _topic_for(each, settings) for each in wanted}
    try:
        written = asyncio.run(_write(events, settings, topics))
    except WriteError as error:
        _fail(f"Kafka: {error}")
    for each, topic in topics.items():
        print(f"{written[each]} events to {topic}")


async def _write(events: Iterator[Json], settings: Settings, topics: dict[str, str]) -> dict[str, int]:
    encode = {each: await _encoder(settings, topic, RECORDS[each]) for each, topic in topics.items()}
    written = dict.fromkeys(topics, 0)
    writer = Writer(settings.source.librdkafka())
    try:
        for number, event in enumerate(events, 1):
            kind = "orders" if "order" in event else "clickstream"
            writer.write(topics[kind], key_of(event), encode[kind](event))
            written[kind] += 1
            if number % FLUSH_EVERY == 0:
                await writer.flush()
        await writer.flush()
    finally:
        writer.close()
    return written


def key_of(event: Json) -> bytes:
    """One order's events share a partition, and so do one shopper's: Kafka keeps order only within one."""
    order, user = event.get("order"), event.get("user")
    if isinstance(order, dict):
        return str(order["order_id"]).encode()
    assert isinstance(user, dict), "every sample event has a user"
    return str(user.get("anonymous_id") or user.get("opaque_id")).encode()


def _topic_for(kind: str, settings: Settings) -> str:
    """The first source topic whose name says so. Patterns name no topic to write to."""
    stem = kind.removesuffix("s").removesuffix("stream")
    for topic in settings.source.topics:
        if stem in topic.lower() and not topic.startswith("^"):
            return topic
    raise typer.BadParameter(f"no source topic is named like {stem}; name one", param_hint=f"--{kind}-topic")


async def _encoder(settings: Settings, topic: str, record: RecordName) -> Encode:
    """How events become values of this topic."""
    match _format_of(settings, topic).partition(":"):
        case "auto", "", "" if settings.source.schema_registry.url is None:
            return orjson.dumps
        case "json", "", "":
            return orjson.dumps
        case "avro-raw", ":", name:
            if name != record:
                raise typer.BadParameter(f"{topic} holds {name}, not {record}", param_hint="--topic-kind")
            return lambda event: encode_raw(record, event)
        case _:
            schema_id = await _register(settings, f"{topic}-value", record)
            return lambda event: encode_framed(schema_id, event, record)


def _format_of(settings: Settings, topic: str) -> str:
    formats = settings.source.format
    if isinstance(formats, str):
        return formats
    return next((word for name, word in formats.items() if covers(name, topic)), "auto")


class _Registered(msgspec.Struct):
    id: int


async def _register(settings: Settings, subject: str, record: RecordName) -> int:
    """The id of our schema under this subject; registering what is there already changes nothing."""
    url = registry_address(settings, f"/subjects/{quote(subject, safe='')}/versions")
    assert url is not None, "settings refuse Avro without a registry"
    body = msgspec.json.encode({"schema": schemas.text(record), "schemaType": "AVRO"})
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    answer = await ask(Request("POST", headers, body, url), registry_credentials(settings))
    if isinstance(answer, str):
        _fail(answer)
    if answer.status != 200:
        _fail(f"the registry answered {answer.status} for {subject}; see `connector schema register`")
    return msgspec.json.decode(answer.body, type=_Registered).id


def _fail(why: str) -> NoReturn:
    print(logs.redact(why), file=sys.stderr)
    raise typer.Exit(FAILED)
