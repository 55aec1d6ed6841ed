"""A schema registry over real HTTP, as strict as the part of Confluent's interface that we use.

It can lag, be slow, refuse credentials, answer with errors or nonsense, and go away and come back.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import Counter
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web
from fastavro import parse_schema
from fastavro.schema import SchemaParseException

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
MEDIA_TYPES = frozenset({MEDIA_TYPE, "application/vnd.schemaregistry+json", "application/json"})
KINDS = frozenset({"AVRO", "JSON", "PROTOBUF"})


class Reference(msgspec.Struct, frozen=True):
    """Another subject's version that a schema builds on; `name` is the type it defines."""

    name: str
    subject: str
    version: int


class Registered(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """A schema as it is registered."""

    schema: str
    schema_type: str = "AVRO"
    references: tuple[Reference, ...] = ()


class RefusedError(Exception):
    """An error in the registry's own form."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.response = _json({"error_code": code, "message": message}, status)


class FakeRegistry:
    """`async with FakeRegistry() as registry` listens at `registry.url`. Its knobs may be turned any time."""

    def __init__(self, auth: str | None = None) -> None:
        self.auth = auth
        """`user:password` that every request must bring."""
        self.outage: int | str | None = None
        """A status that every request gets, or `reset`, or `nonsense` (200 and a page for people)."""
        self.delay_s = 0.0
        self.lag: Counter[int] = Counter()
        """Id → how many more times it is "not found" although it is registered."""
        self.requests: list[str] = []
        """`GET /schemas/ids/1`, in order of arrival."""

        self._schemas: list[Registered] = []
        self._subjects: dict[str, list[int]] = {}
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Its address, the same before and after `stop`."""
        return f"http://127.0.0.1:{self._port}"

    def register(
        self, subject: str, schema: str, references: tuple[Reference, ...] = (), schema_type: str = "AVRO"
    ) -> int:
        """Register a schema without HTTP; its id."""
        return self._register(subject, Registered(schema, schema_type, references))

    def forget(self, subject: str) -> None:
        """Delete a subject for good, also where others refer to it; its schemas keep their ids."""
        del self._subjects[subject]

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        app = web.Application(middlewares=[self._middleware])
        app.add_routes(
            [
                web.get("/schemas/ids/{id}", self._get_schema),
                web.get("/schemas/ids/{id}/versions", self._get_schema_versions),
                web.get("/subjects", self._get_subjects),
                web.get("/subjects/{subject}/versions", self._get_versions),
                web.get("/subjects/{subject}/versions/{version}", self._get_version),
                web.post("/subjects/{subject}/versions", self._post_version),
                web.post("/subjects/{subject}", self._post_lookup),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Connections are closed and new ones refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # ── what every request goes through ──────────────────────────────────────────────────────────

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.outage == "reset":
            assert request.transport is not None
            request.transport.abort()
        elif self.outage == "nonsense":
            return web.Response(text="<html>Please sign in</html>", content_type="text/html")
        elif isinstance(self.outage, int):
            return web.Response(status=self.outage, text="out of order")
        try:
            self._check_headers(request)
            response: web.StreamResponse = await handler(request)
        except RefusedError as refused:
            return refused.response
        except web.HTTPNotFound:
            return _json({"error_code": 404, "message": "HTTP 404 Not Found"}, 404)
        return response

    def _check_headers(self, request: web.Request) -> None:
        if self.auth is not None and _credentials(request) != self.auth:
            raise RefusedError(401, 40101, "Unauthorized")
        if request.method == "POST" and request.content_type not in MEDIA_TYPES:
            raise RefusedError(415, 415, "HTTP 415 Unsupported Media Type")

    # ── the interface ────────────────────────────────────────────────────────────────────────────

    async def _get_schema(self, request: web.Request) -> web.Response:
        return _json(self._by_id(request))

    async def _get_schema_versions(self, request: web.Request) -> web.Response:
        self._by_id(request)
        number = int(request.match_info["id"])
        found = [
            {"subject": subject, "version": ids.index(number) + 1}
            for subject, ids in self._subjects.items()
            if number in ids
        ]
        return _json(found)

    async def _get_subjects(self, request: web.Request) -> web.Response:
        return _json(list(self._subjects))

    async def _get_versions(self, request: web.Request) -> web.Response:
        return _json(list(range(1, len(self._subject(request)) + 1)))

    async def _get_version(self, request: web.Request) -> web.Response:
        ids = self._subject(request)
        word = request.match_info["version"]
        version = len(ids) if word == "latest" else int(word) if word.isdecimal() else 0
        if version < 1 and word != "latest":
            raise RefusedError(422, 42202, f"The specified version '{word}' is not a valid version id.")
        if version > len(ids):
            raise RefusedError(404, 40402, f"Version {version} not found.")
        return _json(self._described(request.match_info["subject"], version))

    async def _post_version(self, request: web.Request) -> web.Response:
        return _json({"id": self._register(request.match_info["subject"], await _body(request))})

    async def _post_lookup(self, request: web.Request) -> web.Response:
        ids, wanted = self._subject(request), await _body(request)
        for version, number in enumerate(ids, start=1):
            if self._schemas[number - 1] == wanted:
                return _json(self._described(request.match_info["subject"], version))
        raise RefusedError(404, 40403, "Schema not found")

    # ── what it keeps ────────────────────────────────────────────────────────────────────────────

    def _by_id(self, request: web.Request) -> Registered:
        word = request.match_info["id"]
        number = int(word) if word.isdecimal() else 0
        lagging = self.lag[number] > 0
        if lagging:
            self.lag[number] -= 1
        if lagging or not 1 <= number <= len(self._schemas):
            raise RefusedError(404, 40403, f"Schema {word} not found")
        return self._schemas[number - 1]

    def _subject(self, request: web.Request) -> list[int]:
        subject = request.match_info["subject"]
        if subject not in self._subjects:
            raise RefusedError(404, 40401, f"Subject '{subject}' not found.")
        return self._subjects[subject]

    def _described(self, subject: str, version: int) -> dict[str, Any]:
        number = self._subjects[subject][version - 1]
        schema = msgspec.to_builtins(self._schemas[number - 1])
        return {"subject": subject, "version": version, "id": number, **schema}

    def _register(self, subject: str, schema: Registered) -> int:
        """One id for one schema, however often and wherever it is registered."""
        self._check(schema)
        if schema not in self._schemas:
            self._schemas.append(schema)
        number = self._schemas.index(schema) + 1
        ids = self._subjects.setdefault(subject, [])
        if number not in ids:
            ids.append(number)
        return number

    def _check(self, schema: Registered) -> None:
        if schema.schema_type not in KINDS:
            raise RefusedError(422, 422, f"Unknown schema type {schema.schema_type}")
        if schema.schema_type != "AVRO":
            return
        types: dict[str, Any] = {}
        try:
            self._parse(schema, types)
        except (SchemaParseException, ValueError, TypeError, KeyError) as error:
            raise RefusedError(422, 42201, f"Invalid schema: {error}") from error

    def _parse(self, schema: Registered, types: dict[str, Any]) -> None:
        for reference in schema.references:
            ids = self._subjects.get(reference.subject, [])
            if not 1 <= reference.version <= len(ids):
                raise ValueError(f"no version {reference.version} of subject {reference.subject}")
            if reference.name not in types:
                self._parse(self._schemas[ids[reference.version - 1] - 1], types)
        parse_schema(msgspec.json.decode(schema.schema), types)


async def _body(request: web.Request) -> Registered:
    try:
        return msgspec.json.decode(await request.read(), type=Registered)
    except msgspec.ValidationError as error:
        raise RefusedError(422, 422, str(error)) from error
    except msgspec.DecodeError as error:
        raise RefusedError(400, 400, str(error)) from error


def _credentials(request: web.Request) -> str | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        return base64.b64decode(encoded, validate=True).decode() if scheme == "Basic" else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type=MEDIA_TYPE)
