"""A real schema registry: what is registered is read, through evolution and references."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from fastavro import parse_schema, schemaless_writer

from connector.codec.avro_form import WriterSchema
from connector.codec.decoder import Decoder, NeedSchema, NotFound
from connector.codec.encode import encode_framed
from connector.codec.registry import ConfluentSource, Registry, Silence
from connector.codec.resolution import plain
from connector.codec.schemas import RECORDS, RecordName, schema, text
from connector.codec.wire import frame
from connector.model.event import ClickstreamEvent, OrderEvent
from connector.ops.telemetry import Telemetry
from tests.codec.records import CLICK, PURCHASE, Json, changed, record
from tests.fakes.registry import MEDIA_TYPE


@pytest.fixture
async def source(schema_registry_url: str) -> AsyncIterator[ConfluentSource]:
    """Asks the real registry."""
    asking = ConfluentSource(schema_registry_url)
    yield asking
    await asking.close()


Register = Callable[..., Any]


@pytest.fixture
def register(schema_registry_url: str) -> Register:
    """Registers as any producer does, by HTTP."""

    async def post(subject: str, definition: str, references: tuple[Json, ...] = ()) -> int:
        body = {"schema": definition, "references": references} if references else {"schema": definition}
        async with (
            aiohttp.ClientSession(headers={"Content-Type": MEDIA_TYPE}) as session,
            session.post(f"{schema_registry_url}/subjects/{subject}/versions", data=json.dumps(body)) as got,
        ):
            answer = await got.json(content_type=None)
            assert got.status == 200, answer
            number: int = answer["id"]
            return number

    return post


async def decoded(source: ConfluentSource, value: bytes) -> object:
    """A record's event, by way of the registry."""
    registry = Registry(source, Telemetry("acme"))
    decoder = Decoder("avro", registry)
    first = decoder.decode(record(value))
    assert isinstance(first, NeedSchema)
    await registry.fetch(first.schema_id)
    return decoder.decode(record(value))


def datum(definition: Json, event: Json) -> bytes:
    """What a producer with this schema writes."""
    stream = BytesIO()
    schemaless_writer(stream, parse_schema(plain(definition, frozenset({"logicalType"}))), event)
    return stream.getvalue()


@pytest.mark.parametrize("name", RECORDS)
async def test_what_we_ship_can_be_registered_and_is_read(
    source: ConfluentSource, register: Register, unique: Callable[[str], str], name: RecordName
) -> None:
    """As `schema register` would do it, and as a producer with Confluent's serializer would write."""
    number = await register(unique("ours"), text(name))
    event = await decoded(source, encode_framed(number, PURCHASE if name == "OrderEvent" else CLICK))
    assert isinstance(event, OrderEvent | ClickstreamEvent)
    assert event.items is not None
    assert event.items[0].product_id == "p-1"


async def test_older_and_newer_producers_share_a_subject(
    source: ConfluentSource, register: Register, unique: Callable[[str], str]
) -> None:
    """The registry lets a subject evolve as our schema allows, and each version's data is read."""
    subject = unique("clickstream")
    older = changed("ClickstreamEvent", {}, without=("offer", "consent"))
    newer = schema("ClickstreamEvent")
    newer["fields"].append({"name": "later", "type": ["null", "string"], "default": None})
    (types,) = (field["type"] for field in newer["fields"] if field["name"] == "event_type")
    types["symbols"].append("teleport")
    for version in (older, schema("ClickstreamEvent"), newer):
        number = await register(subject, json.dumps(version))
        click = await decoded(source, frame(number, datum(version, {**CLICK, "utc_offset_minutes": 0})))
        assert isinstance(click, ClickstreamEvent)
        assert (click.event_type, click.channel) == ("click", "web")
    beam = {**CLICK, "utc_offset_minutes": 0, "event_type": "teleport", "later": "x"}
    teleported = await decoded(source, frame(number, datum(newer, beam)))
    assert isinstance(teleported, ClickstreamEvent)
    assert (teleported.event_type, teleported.user) == ("unknown", None)


async def test_a_schema_spread_over_subjects_is_read(
    source: ConfluentSource, register: Register, unique: Callable[[str], str]
) -> None:
    """The types of `avro/common` may be subjects of their own."""
    user_subject = unique("user")
    (user,) = (field["type"][1] for field in schema("ClickstreamEvent")["fields"] if field["name"] == "user")
    await register(user_subject, json.dumps(user))
    whole = changed("ClickstreamEvent", {"user": ["null", "commerce.v1.User"]})
    reference = {"name": "commerce.v1.User", "subject": user_subject, "version": 1}
    number = await register(unique("clickstream"), json.dumps(whole), (reference,))
    written = changed("ClickstreamEvent", {"user": ["null", user]})
    click = await decoded(source, frame(number, datum(written, {**CLICK, "utc_offset_minutes": 0})))
    assert isinstance(click, ClickstreamEvent)
    assert click.user is not None
    assert click.user.customer_id == "c-1"


async def test_an_id_that_does_not_exist_is_not_found(source: ConfluentSource) -> None:
    """By the registry's own code, and a wrong address is something else."""
    assert isinstance(await source.ask(2_000_000_000), NotFound)


async def test_a_wrong_address_is_silence(schema_registry_url: str) -> None:
    """Else a misspelt address would turn every record into a dead letter."""
    elsewhere = ConfluentSource(f"{schema_registry_url}/nowhere")
    assert isinstance(await elsewhere.ask(1), Silence)
    await elsewhere.close()


async def test_the_text_comes_back_readable(
    source: ConfluentSource, register: Register, unique: Callable[[str], str]
) -> None:
    """A registry may write it in another way (this one drops namespaces that go without saying)."""
    number = await register(unique("orders"), text("OrderEvent"))
    answer = await source.ask(number)
    assert isinstance(answer, WriterSchema)
    assert parse_schema(json.loads(answer.text)) == parse_schema(schema("OrderEvent"))
