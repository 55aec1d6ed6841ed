"""The fake registry refuses what the real one refuses, with the real one's codes.

Codes are those of Confluent's API reference; what is asked here is also asked of a real registry elsewhere.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.fakes.registry import MEDIA_TYPE, FakeRegistry, Reference

A = json.dumps({"type": "record", "name": "A", "fields": [{"name": "x", "type": "int"}]})
B = json.dumps({"type": "record", "name": "B", "fields": [{"name": "a", "type": "A"}]})


@pytest.fixture
async def fake() -> AsyncIterator[FakeRegistry]:
    """A registry that listens."""
    async with FakeRegistry() as registry:
        yield registry


async def call(fake: FakeRegistry, method: str, path: str, **body: Any) -> tuple[int, Any]:
    """Status and answer; an error answers with its code."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method,
            fake.url + path,
            data=json.dumps(body) if body else None,
            headers={"Content-Type": MEDIA_TYPE},
        ) as response,
    ):
        answer = json.loads(await response.text())
        return response.status, answer.get("error_code", answer) if isinstance(answer, dict) else answer


async def test_a_schema_has_one_id_wherever_it_is_registered(fake: FakeRegistry) -> None:
    """Registering again is no new version."""
    assert await call(fake, "POST", "/subjects/s/versions", schema=A) == (200, {"id": 1})
    assert await call(fake, "POST", "/subjects/s/versions", schema=A) == (200, {"id": 1})
    assert await call(fake, "POST", "/subjects/t/versions", schema=A) == (200, {"id": 1})
    assert await call(fake, "POST", "/subjects/s/versions", schema='"string"') == (200, {"id": 2})
    assert await call(fake, "GET", "/schemas/ids/1") == (200, {"schema": A})
    assert await call(fake, "GET", "/subjects") == (200, ["s", "t"])
    assert await call(fake, "GET", "/subjects/s/versions") == (200, [1, 2])
    assert await call(fake, "GET", "/subjects/s/versions/latest") == (
        200,
        {"subject": "s", "version": 2, "id": 2, "schema": '"string"'},
    )
    assert await call(fake, "GET", "/schemas/ids/1/versions") == (
        200,
        [{"subject": "s", "version": 1}, {"subject": "t", "version": 1}],
    )
    assert (await call(fake, "POST", "/subjects/t", schema=A))[1]["version"] == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/schemas/ids/1", {}, 404, 40403),
        ("GET", "/schemas/ids/0", {}, 404, 40403),
        ("GET", "/schemas/ids/1/versions", {}, 404, 40403),
        ("GET", "/subjects/s/versions", {}, 404, 40401),
        ("GET", "/subjects/s/versions/1", {}, 404, 40401),
        ("GET", "/subjects/known/versions/2", {}, 404, 40402),
        ("GET", "/subjects/known/versions/0", {}, 422, 42202),
        ("GET", "/subjects/known/versions/x", {}, 422, 42202),
        ("POST", "/subjects/known", {"schema": A}, 404, 40403),
        ("POST", "/subjects/s/versions", {"schema": '{"type": "nope"}'}, 422, 42201),
        ("POST", "/subjects/s/versions", {"schema": "{"}, 422, 42201),
        ("POST", "/subjects/s/versions", {"schema": B}, 422, 42201),
        ("POST", "/subjects/s/versions", {"schema": A, "schemaType": "XML"}, 422, 422),
        ("POST", "/subjects/s/versions", {"text": A}, 422, 422),
        ("GET", "/wrong/schemas/ids/1", {}, 404, 404),
    ],
)
async def test_a_wrong_request_has_its_code(
    fake: FakeRegistry, method: str, path: str, body: dict[str, Any], status: int, code: int
) -> None:
    """An id that is not there, and a path that is not there, are not the same."""
    fake.register("known", '"int"')
    fake.lag[1] = 1
    assert await call(fake, method, path, **body) == (status, code)


async def test_references_must_exist(fake: FakeRegistry) -> None:
    """A schema may build on another one's version, and is kept with it."""
    reference = {"name": "A", "subject": "a", "version": 1}
    body = {"schema": B, "references": [reference]}
    assert await call(fake, "POST", "/subjects/b/versions", **body) == (422, 42201)
    fake.register("a", A)
    assert await call(fake, "POST", "/subjects/b/versions", **body) == (200, {"id": 2})
    assert await call(fake, "GET", "/schemas/ids/2") == (200, body)
    assert fake.register("b", B, (Reference("A", "a", 1),)) == 2


async def test_it_lags_as_often_as_told(fake: FakeRegistry) -> None:
    """Registered and yet not found, for a while."""
    number = fake.register("a", A)
    fake.lag[number] = 2
    statuses = [(await call(fake, "GET", f"/schemas/ids/{number}"))[0] for _ in range(3)]
    assert statuses == [404, 404, 200]


async def test_it_wants_its_password() -> None:
    """In every request."""
    async with FakeRegistry("jo:secret") as fake:
        for given, status in ((None, 401), ("jo:wrong", 401), ("jo:secret", 200)):
            basic = f"Basic {b64encode(given.encode()).decode()}" if given else "Bearer jo:secret"
            headers = {"Authorization": basic}
            async with (
                aiohttp.ClientSession(headers=headers) as session,
                session.get(f"{fake.url}/subjects") as response,
            ):
                assert response.status == status


async def test_a_post_says_what_it_sends(fake: FakeRegistry) -> None:
    """As the real one demands."""
    async with aiohttp.ClientSession() as session:
        headers = {"Content-Type": "text/plain"}
        async with session.post(f"{fake.url}/subjects/s/versions", data="{}", headers=headers) as response:
            assert response.status == 415


async def test_it_comes_back_on_its_port_with_its_schemas(fake: FakeRegistry) -> None:
    """Gone means refused, not slow."""
    number, url = fake.register("a", A), fake.url
    await fake.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await call(fake, "GET", "/subjects")
    await fake.start()
    assert fake.url == url
    assert (await call(fake, "GET", f"/schemas/ids/{number}"))[0] == 200
