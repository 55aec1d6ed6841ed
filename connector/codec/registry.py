"""Writer schemas by id: from memory, and from the registry with patience.

An id is in one of these states, as `Registry.get` shows them:

    unknown    None          nobody asked yet, or its entry was pushed out or has expired
    asked      None          one flight asks, whoever else wants it waits for that flight
    known      WriterSchema  for good: what an id names never changes
    not found  NotFound      the registry said so three times; forgotten after a minute

A registry that cannot be asked (down, 5xx, credentials refused, nonsense) says nothing about an id: the
flight asks again, for ever. Only its own word "schema not found" counts, not any 404: a wrong address gives
those.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol, TypeVar

import httpx2 as httpx
import msgspec
from confluent_kafka.schema_registry import AsyncSchemaRegistryClient, SchemaReference, SchemaRegistryError

from connector.codec.avro_form import WriterSchema
from connector.codec.decoder import NotFound
from connector.ops.telemetry import Telemetry

T = TypeVar("T")

SCHEMAS_MAX = 1000
"""Schemas kept in memory, the ones asked for last: 20 MB of text if all were as long as ours."""

NOT_FOUND_WAITS_S = (1.5, 3.5)
"""When we ask again after a "not found": the registry's followers may lag behind where the producer wrote."""
NOT_FOUND_KEPT_S = 60.0
"""How long we take its word: many records with one bad id must not become many requests."""

RETRY_FIRST_S = 0.5
RETRY_CAP_S = 30.0

ANSWER_TIMEOUT_S = 10.0
"""For a schema and everything it refers to."""
REFERENCES_MAX = 100

SCHEMA_NOT_FOUND = 40403  # Confluent Schema Registry API, error codes of GET /schemas/ids/{id}


class Silence(msgspec.Struct, frozen=True):
    """The registry could not be asked, and why: a status or the kind of failure, never an address."""

    detail: str


Answer = WriterSchema | NotFound | Silence


class Source(Protocol):
    """Asks a registry once."""

    async def ask(self, schema_id: int) -> Answer:
        """What it says. Never raises for anything that a registry or a network can do."""

    async def close(self) -> None:
        """Let connections go."""


class Registry:
    """The decoder's `Schemas`, and the way to make an id known. Lives on the loop."""

    def __init__(self, source: Source, telemetry: Telemetry, draw: random.Random | None = None) -> None:
        self._source = source
        self._telemetry = telemetry
        self._draw = draw or random.Random()
        self._known: OrderedDict[int, WriterSchema] = OrderedDict()
        self._not_found: OrderedDict[int, tuple[NotFound, float]] = OrderedDict()
        self._flights: dict[int, asyncio.Task[None]] = {}

    def get(self, schema_id: int) -> WriterSchema | NotFound | None:
        """What is known of an id now; None: `fetch` it."""
        known = self._known.get(schema_id)
        if known is not None:
            self._known.move_to_end(schema_id)
            return known
        missed = self._not_found.get(schema_id)
        if missed is not None:
            word, expires_at = missed
            if asyncio.get_running_loop().time() < expires_at:
                return word
            del self._not_found[schema_id]
        return None

    async def fetch(self, schema_id: int) -> None:
        """Return as soon as `get` knows the id, be it as not found; through outages of any length.

        Many may wait for one id, and it is asked for once; one who gives up waiting disturbs nobody.
        """
        if self.get(schema_id) is not None:
            self._telemetry.schema_fetched("cached", schema_id)
            return
        flight = self._flights.get(schema_id)
        if flight is None:
            flight = self._flights[schema_id] = asyncio.create_task(self._fly(schema_id))
            flight.add_done_callback(lambda _: self._flights.pop(schema_id, None))
        await asyncio.shield(flight)

    async def close(self) -> None:
        """End all flights: whoever waits is cancelled."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._source.close()

    async def _fly(self, schema_id: int) -> None:
        failures = misses = 0
        while True:
            match await self._source.ask(schema_id):
                case WriterSchema() as written:
                    _keep(self._known, schema_id, written)
                    self._telemetry.schema_fetched("ok", schema_id)
                    return
                case NotFound() as word if misses == len(NOT_FOUND_WAITS_S):
                    expires_at = asyncio.get_running_loop().time() + NOT_FOUND_KEPT_S
                    _keep(self._not_found, schema_id, (word, expires_at))
                    self._telemetry.schema_fetched("not_found", schema_id, "its records are dead letters")
                    return
                case NotFound():
                    wait_s = NOT_FOUND_WAITS_S[misses]
                    misses += 1
                case Silence(detail):
                    self._telemetry.schema_fetched("failed", schema_id, detail)
                    wait_s = min(RETRY_CAP_S, RETRY_FIRST_S * 2.0 ** min(failures, 16))
                    wait_s *= self._draw.uniform(0.5, 1)
                    failures += 1
            await asyncio.sleep(wait_s)


def _keep(entries: OrderedDict[int, T], schema_id: int, value: T) -> None:
    entries[schema_id] = value
    while len(entries) > SCHEMAS_MAX:
        entries.popitem(last=False)


class ConfluentSource:
    """Asks a Confluent-compatible registry, by Confluent's own client.

    `read_auth` gives `user:password` as it is now, and is asked before every request: a changed file counts
    from the next one on.
    """

    def __init__(self, url: str, read_auth: Callable[[], str] | None = None) -> None:
        self._url = url
        self._read_auth = read_auth
        self._auth: str | None = None
        self._client: AsyncSchemaRegistryClient | None = None

    async def ask(self, schema_id: int) -> Answer:
        """The schema with everything it refers to, or what kept us from it."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                client = await self._current_client()
                try:
                    return await _schema(client, schema_id)
                finally:
                    # It would keep every schema for ever; ours is the cache with a bound.
                    await client.clear_caches()  # type: ignore[no-untyped-call]
        except SchemaRegistryError as error:
            if error.error_code == SCHEMA_NOT_FOUND:
                return NotFound()
            return Silence(f"status {error.http_status_code}")
        except _TROUBLE as error:
            return Silence(_words(error))

    async def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _current_client(self) -> AsyncSchemaRegistryClient:
        auth = self._read_auth() if self._read_auth is not None else None
        if self._client is None or auth != self._auth:
            await self.close()
            settings: dict[str, object] = {
                "url": self._url,
                "timeout": ANSWER_TIMEOUT_S,
                "max.retries": 0,  # the flight retries, and tells
            }
            if auth is not None:
                settings["basic.auth.user.info"] = auth
            self._client = AsyncSchemaRegistryClient(settings)
            self._auth = auth
        return self._client


_TROUBLE = (
    TimeoutError,
    OSError,  # the file with the credentials, too
    httpx.HTTPError,
    httpx.InvalidURL,
    # What the client makes of an answer that is not the registry's, such as a proxy's page with status 200.
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
)


_SILENCES = {
    httpx.ConnectError: "no connection",
    httpx.TimeoutException: "no answer in time",
    TimeoutError: "no answer in time",
    httpx.TransportError: "the connection broke",
}
"""What a person reads instead of a class of the library."""


def _words(error: Exception) -> str:
    """What went wrong, for people. Only texts that cannot hold an address with a password in it."""
    for kind, words in _SILENCES.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return f"the answer is none of a registry's: {type(error).__name__}"


async def _schema(client: AsyncSchemaRegistryClient, schema_id: int) -> WriterSchema:
    schema = await client.get_schema(schema_id)
    texts: list[str] = []
    await _follow(client, schema.references or [], texts, set())
    return WriterSchema(_text(schema.schema_str), tuple(texts), _text(schema.schema_type or "AVRO"))


async def _follow(
    client: AsyncSchemaRegistryClient,
    references: list[SchemaReference],
    texts: list[str],
    seen: set[tuple[str, int]],
) -> None:
    """Add what is referred to, each text after those it needs itself and none twice."""
    for reference in references:
        subject, version = reference.subject, reference.version
        if subject is None or version is None or (subject, version) in seen:
            continue
        if len(seen) >= REFERENCES_MAX:
            raise ValueError("too many references")
        seen.add((subject, version))
        schema = (await client.get_version(subject, version)).schema
        await _follow(client, schema.references or [], texts, seen)
        texts.append(_text(schema.schema_str))


def _text(value: object) -> str:
    """The client passes on whatever the JSON held."""
    if not isinstance(value, str):
        raise ValueError("not text where text must be")
    return value
