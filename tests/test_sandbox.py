"""The sandbox server: faults before and after a request is stored, what it counts, and how it stops."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest
import trustme

from connector.faults import Faults
from connector.sandbox import SandboxServer, SandboxThread
from connector.settings.reference import example_options
from connector.vendors import DESTINATIONS
from connector.vendors.contract import SandboxAnswer, SandboxRequest


class StandIn:
    """A vendor that stores every line of a body, `id` or `id key`, and refuses what begins with `!`."""

    def __init__(self) -> None:
        self.seen: list[SandboxRequest] = []

    def answer(self, request: SandboxRequest) -> SandboxAnswer:
        self.seen.append(request)
        if request.body.startswith(b"!"):
            return SandboxAnswer(
                422, b'{"why": "!"}', {"Content-Type": "application/json"}, refused="exclaims"
            )
        lines = [line.split(" ") for line in request.body.decode().splitlines()]
        return SandboxAnswer(
            200,
            b"x" * 1_000,
            {"X-Vendor": "acme"},
            accepted=[(line[0], line[1] if len(line) > 1 else None) for line in lines],
        )

    def ids(self, request: SandboxRequest) -> Sequence[str]:
        return [line.split(" ")[0] for line in request.body.decode().lstrip("!").splitlines()]

    def throttled(self, retry_after_s: float) -> SandboxAnswer:
        return SandboxAnswer(429, b"slow down", {"X-Wait": f"{retry_after_s:g}"})

    def failed(self, status: int) -> SandboxAnswer:
        return SandboxAnswer(status, b"acme is sorry")


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


def serving(spec: str = "", **more: Any) -> SandboxServer:
    return SandboxServer(StandIn(), "/v1/events", faults=Faults.parse(spec), **more)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until it holds; the test's own time limit ends a wait that never does."""
    while not condition():  # noqa: ASYNC110 - there is nothing to be told by: it is the far end's state
        await asyncio.sleep(0.001)


async def stats(client: aiohttp.ClientSession, server: SandboxServer) -> dict[str, Any]:
    async with client.get(f"{server.base_url}/_stats") as answer:
        assert answer.content_type == "application/json"
        told: dict[str, Any] = await answer.json()
        return told


# ── without faults ───────────────────────────────────────────────────────────────────────────────


async def test_the_stand_in_sees_the_request_as_it_was_sent(client: aiohttp.ClientSession) -> None:
    """Method, path as written, headers in lower case, body, and a clock; the answer goes back unchanged."""
    stand_in = StandIn()
    async with (
        SandboxServer(stand_in, "/v1/events", now_ms=lambda: 42) as server,
        client.post(f"{server.base_url}/v1/a%20b?c=d", data=b"id-1", headers={"X-Key": "K"}) as answer,
    ):
        assert (answer.status, answer.headers["X-Vendor"], await answer.read()) == (200, "acme", b"x" * 1_000)
    (seen,) = stand_in.seen
    assert (seen.method, seen.path, seen.body, seen.now_ms) == ("POST", "/v1/a%20b?c=d", b"id-1", 42)
    assert seen.headers["x-key"] == "K"


async def test_what_was_accepted_and_refused_is_told_by_id(client: aiohttp.ClientSession) -> None:
    """Counts, reasons, ids, statuses and the order per key, over HTTP as well."""
    async with serving() as server:
        for body in (b"a k\nb", b"a k", b"c k", b"!d\ne"):
            async with client.post(server.url, data=body):
                pass
        told = await stats(client, server)
        assert told == server.ledger.snapshot()
        async with client.get(f"{server.base_url}/_stats?ids=0") as answer:
            assert await answer.json() == server.ledger.snapshot(ids=False)
    assert told["requests"] == 4
    assert told["statuses"] == {"200": 3, "422": 1}
    assert told["accepted"] == {"count": 4, "unique": 3, "ids": {"a": 2, "b": 1, "c": 1}}
    assert told["refused"] == {
        "count": 1,
        "reasons": {"exclaims": 1},
        "ids": {"d": "exclaims", "e": "exclaims"},
    }
    assert told["order"] == {"k": ["a", "c"]}


async def test_a_body_of_megabytes_reaches_the_stand_in(client: aiohttp.ClientSession) -> None:
    """The vendor's limit is the stand-in's to enforce; what is far above any is refused before."""
    async with serving() as server:
        async with client.post(server.url, data=b"x" * 5_000_000) as answer:
            assert answer.status == 200
        async with client.post(server.url, data=b"x" * 17_000_000) as answer:
            assert answer.status == 413


async def test_latency_delays_the_answer_and_not_the_storing(client: aiohttp.ClientSession) -> None:
    """What a client that gave up had sent is stored all the same."""
    async with serving(latency_s=30) as server:
        waiting = asyncio.ensure_future(client.post(server.url, data=b"a k"))
        await until(lambda: server.ledger.accepted == {"a": 1})
        assert not waiting.done()
        waiting.cancel()
        await until(lambda: not server.ledger.open_keys)
        assert server.ledger.accepted == {"a": 1}
        assert server.ledger.statuses == {}


async def test_requests_of_one_key_that_overlap_are_counted(client: aiohttp.ClientSession) -> None:
    """A second request of a key counts while the first is being answered; before and after it does not."""
    async with serving() as server:
        for body in (b"a k", b"b k"):
            await client.post(server.url, data=body)
        server.faults = Faults.parse("hang_after:1")
        hanging = asyncio.ensure_future(client.post(server.url, data=b"c k"))
        await until(lambda: server.ledger.open_keys == {"k"})
        server.faults = Faults()
        await client.post(server.url, data=b"d other")
        assert server.ledger.overlaps == 0
        await client.post(server.url, data=b"e k")
        assert server.ledger.overlaps == 1
        hanging.cancel()
        await until(lambda: not server.ledger.open_keys)
        await client.post(server.url, data=b"f k")
        assert server.ledger.overlaps == 1
        assert server.ledger.order == {"k": ["a", "b", "c", "e", "f"], "other": ["d"]}


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("after", [False, True])
async def test_a_5xx_leaves_the_request_unstored_or_stored(
    client: aiohttp.ClientSession, after: bool
) -> None:
    """In the vendor's own form, with the wait if one was given; `_after` means that it was stored."""
    name = "503_after" if after else "503"
    async with serving(f"{name}:1:retry_after=7") as server:
        async with client.post(server.url, data=b"a") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
            assert await answer.read() == b"acme is sorry"
        assert server.ledger.accepted == ({"a": 1} if after else {})
        assert server.ledger.faults == {name: 1}


async def test_a_429_is_in_the_vendors_form(client: aiohttp.ClientSession) -> None:
    """With the wait, and nothing stored."""
    async with (
        serving("429:1:retry_after=2") as server,
        client.post(server.url, data=b"a") as answer,
    ):
        assert (answer.status, answer.headers["X-Wait"]) == (429, "2")
        assert not server.ledger.accepted


@pytest.mark.parametrize("after", [False, True])
async def test_a_reset_breaks_the_connection(client: aiohttp.ClientSession, after: bool) -> None:
    """The client hears of no answer; `reset_after` means that it was stored."""
    name = "reset_after" if after else "reset"
    async with serving(f"{name}:1") as server:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.post(server.url, data=b"a")
        assert server.ledger.accepted == ({"a": 1} if after else {})
        assert server.ledger.statuses == {}


async def test_a_reset_is_a_tcp_reset() -> None:
    """Not a polite end: the socket says so."""
    async with serving("reset:1") as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.rpartition(":")[2]))
        writer.write(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
        with pytest.raises(ConnectionResetError):
            await reader.read()


@pytest.mark.parametrize("after", [False, True])
async def test_a_hang_is_silence_until_its_time_is_over(client: aiohttp.ClientSession, after: bool) -> None:
    """Then the connection breaks; `hang_after` means that it was stored."""
    name = "hang_after" if after else "hang"
    async with serving(f"{name}:1:seconds=0.2") as server:
        began = time.monotonic()
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.post(server.url, data=b"a")
        assert time.monotonic() - began >= 0.2
        assert server.ledger.accepted == ({"a": 1} if after else {})


async def test_a_slow_answer_is_the_right_one(client: aiohttp.ClientSession) -> None:
    """Late, stored, and otherwise as always; a refusal stays a refusal."""
    async with serving("slow:1:seconds=0.2") as server:
        began = time.monotonic()
        async with client.post(server.url, data=b"a") as answer:
            assert (answer.status, await answer.read()) == (200, b"x" * 1_000)
        assert time.monotonic() - began >= 0.2
        async with client.post(server.url, data=b"!") as answer:
            assert answer.status == 422
        assert server.ledger.accepted == {"a": 1}


async def test_a_truncated_answer_breaks_off(client: aiohttp.ClientSession) -> None:
    """Status and headers may have arrived, the body has not; the request is stored."""
    async with serving("truncated:1") as server:
        async with client.post(server.url, data=b"a") as answer:
            assert answer.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()
        assert server.ledger.accepted == {"a": 1}


async def test_poison_refuses_the_request_that_carries_it(client: aiohttp.ClientSession) -> None:
    """Nothing of it is stored, its neighbours neither; other requests are none of its business."""
    async with serving("poison:p,poison5xx:q,poison429:r") as server:
        for body, status in ((b"a\np k\nb", 400), (b"q", 500), (b"r", 429), (b"pp", 200)):
            async with client.post(server.url, data=body) as answer:
                assert answer.status == status
        assert server.ledger.accepted == {"pp": 1}
        refused = {"a": "poison", "p": "poison", "b": "poison", "q": "poison5xx", "r": "poison429"}
        assert server.ledger.refused == refused
        assert server.ledger.faults == {"poison": 1, "poison5xx": 1, "poison429": 1}


async def test_a_fault_before_goes_before_poison_and_poison_before_a_fault_after(
    client: aiohttp.ClientSession,
) -> None:
    """As at a vendor: what stands in front of it fails first, and what it refused it did not store."""
    async with serving("503:1,poison:p") as server:
        async with client.post(server.url, data=b"p") as answer:
            assert answer.status == 503
        assert not server.ledger.refused
    async with serving("500_after:1,poison:p") as server:
        async with client.post(server.url, data=b"p") as answer:
            assert answer.status == 500
        assert server.ledger.refused == {"p": "poison"}
        assert not server.ledger.accepted


async def test_faults_change_while_it_runs(client: aiohttp.ClientSession) -> None:
    """By POST /_faults; a SPEC that means nothing changes nothing."""
    async with serving("503:1") as server:
        async with client.post(f"{server.base_url}/_faults", data="what:1") as answer:
            assert (answer.status, "unknown kind" in await answer.text()) == (400, True)
        async with client.post(server.url, data=b"a") as answer:
            assert answer.status == 503
        async with client.post(f"{server.base_url}/_faults", data="") as answer:
            assert answer.status == 204
        async with client.post(server.url, data=b"a") as answer:
            assert answer.status == 200


async def test_reset_forgets_and_other_paths_of_ours_are_not_found(client: aiohttp.ClientSession) -> None:
    """Our own paths begin with `/_` and never count as requests."""
    async with serving() as server:
        async with client.post(server.url, data=b"a"):
            pass
        async with client.post(f"{server.base_url}/_reset") as answer:
            assert answer.status == 204
        for method, path in (("GET", "/_reset"), ("POST", "/_stats"), ("GET", "/_else")):
            async with client.request(method, f"{server.base_url}{path}") as answer:
                assert answer.status == 404
        assert server.ledger.accepted == {}
        assert server.ledger.requests == 0


# ── the server itself ────────────────────────────────────────────────────────────────────────────


@pytest.mark.alone
async def test_it_stops_at_once_even_while_requests_hang(client: aiohttp.ClientSession) -> None:
    """Within a second, whatever is open; the client sees a broken connection."""
    server = serving("hang:1")
    await server.start()
    hanging = asyncio.ensure_future(client.post(server.url, data=b"a"))
    await until(lambda: server.ledger.requests == 1)
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 1
    with pytest.raises(aiohttp.ClientConnectionError):
        await hanging


async def test_it_speaks_tls(client: aiohttp.ClientSession) -> None:
    """With a certificate; faults break those connections, too."""
    authority = trustme.CA()
    offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(offered)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    async with serving("reset:burst=1/2", tls=offered) as server:
        assert server.url.startswith("https://127.0.0.1:")
        async with client.post(server.url, data=b"a", ssl=trusted) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.post(server.url, data=b"a", ssl=trusted)


@pytest.mark.parametrize("name", sorted(DESTINATIONS))
async def test_every_destination_has_its_stand_in_at_its_path(
    client: aiohttp.ClientSession, name: str
) -> None:
    """A request without a key is refused, at the path where the vendor takes events."""
    kind = DESTINATIONS[name]
    options = kind.Options.model_validate(example_options(kind.Options))
    async with (
        SandboxServer.of(kind, options) as server,
        client.post(server.url, json={"no": "event"}) as answer,
    ):
        assert answer.status in (401, 403)
        assert server.ledger.refused_reasons.total() == 1


@pytest.mark.parametrize("name", sorted(DESTINATIONS))
async def test_a_check_of_the_key_is_no_event_that_was_refused(
    client: aiohttp.ClientSession, name: str
) -> None:
    """Whoever reads what was refused looks for events of theirs. A key check is counted by itself, with
    whether it was the right key, of every destination that has one."""
    kind = DESTINATIONS[name]
    options = kind.Options.model_validate(example_options(kind.Options))
    async with SandboxServer.of(kind, options, credentials=kind.credentials("right")) as server:
        probe = kind(options).probe(server.url)
        if probe is None:
            return
        url = probe.url or server.url
        for key in ("right", "wrong", "right"):
            headers = {**probe.headers, **kind.credentials(key)}
            async with client.request(probe.method, url, data=probe.body, headers=headers) as answer:
                assert (answer.status in (401, 403)) is (key == "wrong")
        told = server.ledger.snapshot(ids=False)
        assert told["key_checks"] == {"count": 3, "refused": 1}
        assert told["requests"] == 3
        assert told["refused"] == {"count": 0, "reasons": {}}
        elsewhere = urljoin(url, "/elsewhere")
        async with client.request(probe.method, elsewhere, data=probe.body, headers=headers):
            pass
        assert server.ledger.snapshot(ids=False)["key_checks"] == {"count": 3, "refused": 1}
        server.faults = Faults.parse("503:1")
        async with client.request(probe.method, url, data=probe.body, headers=headers) as answer:
            assert answer.status == 503
        assert server.ledger.snapshot(ids=False)["key_checks"] == {"count": 4, "refused": 1}


def test_a_thread_can_serve_for_those_without_a_loop() -> None:
    """Same server, read and changed from outside; a failed start is told to the one who asked."""
    with SandboxThread(serving) as sandbox:
        assert ask(sandbox.url, b"a") == 200
        sandbox.fail(Faults.parse("503:1"))
        assert ask(sandbox.url, b"b") == 503
        told: dict[str, Any] = sandbox.snapshot()
        assert told["accepted"]["ids"] == {"a": 1}
        taken = int(sandbox.url.split(":")[2].split("/")[0])
        with (
            pytest.raises(OSError, match="address already in use"),
            SandboxThread(lambda: serving(port=taken)),
        ):
            pass


def ask(url: str, body: bytes) -> int:
    async def post() -> int:
        async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
            return answer.status

    return asyncio.run(post())
