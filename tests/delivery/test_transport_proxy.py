"""A proxy in between carries what it must, learns nothing it need not, and is never taken for the vendor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest
import trustme

from connector.vendors.contract import Request
from tests.delivery.calling import (
    KEY,
    LIMITS,
    PATIENT,
    POST,
    listening,
    server_side,
    transport,
    trusting,
    until,
)
from tests.fakes.hostile import (
    Behaviour,
    HostileServer,
    answer,
    hang,
    head,
    hostile_server,
    raw,
    reset,
)

LOGIN = "Basic dXNlcjpwYTU1"


def proxy_of(server: HostileServer) -> str:
    return server.url.replace("http://", "http://user:pa55@").replace("/v1/events", "")


class Tunnels:
    """What a proxy was asked for, and what went through it towards the vendor."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.passed = bytearray()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        host, port = self.asked[-1].split(b" ")[1].decode().rsplit(":", 1)
        ours, theirs = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self._relay(reader, theirs), self._relay(ours, writer), return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                self.passed.extend(chunk)
                writer.write(chunk)
        finally:
            writer.close()


@asynccontextmanager
async def tunnelling(tunnels: Tunnels) -> AsyncIterator[str]:
    """A proxy that opens tunnels; its address with user and password."""
    async with listening(tunnels) as url:
        yield url.replace("http://", "http://user:pa55@").replace("/v1/events", "")


# ── plain ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("login", "seen"),
    [("user:pa55@", LOGIN), ("us%40er:p%3A55@", "Basic dXNAZXI6cDo1NQ=="), ("", None)],
    ids=["with a password", "with an escaped one", "without"],
)
async def test_requests_go_through_the_proxy_when_there_is_one(login: str, seen: str | None) -> None:
    """Plain HTTP names the whole address to the proxy, with the first request as with the others."""
    async with hostile_server() as proxy:
        address = proxy.url.replace("http://", f"http://{login}").replace("/v1/events", "")
        async with transport("http://vendor.test/log/?a=%2F#part", proxy=address) as wire:
            for _ in range(2):
                assert (await wire.send(POST)).status == 200
        for request in proxy.seen:
            assert request.target == "http://vendor.test/log/?a=%2F"
            assert request.header("host") == "vendor.test"
            assert request.header("proxy-authorization") == seen
            assert request.header("authorization") == f"Bearer {KEY}"
        assert proxy.connections == 1


# ── tunnel ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_tunnel_through_the_proxy_hides_key_and_body_from_it() -> None:
    """The proxy is told host and port; TLS ends at the vendor, and its connection is kept."""
    authority = trustme.CA()
    tunnels = Tunnels()
    async with (
        tunnelling(tunnels) as address,
        hostile_server(server_side(authority.issue_cert("127.0.0.1"))) as server,
        transport(server.url, tls=trusting(authority), proxy=address) as wire,
    ):
        assert [(await wire.send(POST)).status for _ in range(3)] == [200, 200, 200]
        assert [(seen.target, seen.body) for seen in server.seen] == [("/v1/events", POST.body)] * 3
        assert server.seen[0].header("authorization") == f"Bearer {KEY}"
        assert server.seen[0].header("proxy-authorization") is None
    assert len(tunnels.asked) == 1
    assert tunnels.asked[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: " + LOGIN.encode() in tunnels.asked[0]
    assert KEY.encode() not in tunnels.asked[0] + tunnels.passed


async def test_a_tunnel_that_dies_is_dug_anew() -> None:
    """An answer, then nothing: silence, and the next request has another tunnel."""
    authority = trustme.CA()
    tunnels = Tunnels()
    async with (
        tunnelling(tunnels) as address,
        hostile_server(server_side(authority.issue_cert("127.0.0.1"))) as server,
        transport(server.url, tls=trusting(authority), proxy=address) as wire,
    ):
        server.script.extend([answer(204), raw(b""), answer(204)])
        outcomes = [(await wire.send(POST)).status for _ in range(3)]
        assert outcomes == [204, None, 204]
    assert len(tunnels.asked) == 2


@pytest.mark.parametrize("fault", ["wrong host", "unknown authority"])
async def test_the_vendors_certificate_counts_within_the_tunnel(fault: str) -> None:
    """A proxy that opens letters is refused, and learns nothing."""
    authority = trustme.CA()
    issuer = trustme.CA() if fault == "unknown authority" else authority
    certificate = issuer.issue_cert("127.0.0.1" if fault == "unknown authority" else "elsewhere.test")
    async with (
        tunnelling(Tunnels()) as address,
        hostile_server(server_side(certificate)) as server,
        transport(server.url, tls=trusting(authority), proxy=address) as wire,
    ):
        response = await wire.send(POST)
        assert (response.status, response.silence) == (None, "connection")
        assert "certificate" in wire.last_failure
        assert server.seen == []


@pytest.mark.parametrize(("status", "seen"), [(407, 407), (400, None), (403, None), (502, None)])
async def test_a_proxy_that_refuses_the_tunnel_is_never_mistaken_for_the_vendor(
    status: int, seen: int | None
) -> None:
    """Its 400 says nothing about events. Only 407 is passed on: it wants a person."""
    async with (
        hostile_server() as proxy,
        transport("https://vendor.test/log", proxy=proxy_of(proxy)) as wire,
    ):
        proxy.otherwise = answer(status)
        response = await wire.send(POST)
        assert response.status == seen
        assert response.silence == (None if seen else "connection")
        assert "pa55" not in wire.last_failure
        assert KEY not in str(proxy.seen)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(raw(b""), id="closed"),
        pytest.param(reset(), id="reset"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), id="not HTTP"),
        pytest.param(raw(head(200, {})), id="a tunnel that is closed"),
        pytest.param(raw(head(200, {}) + b"noise" * 100, stays_open=True), id="a tunnel full of noise"),
        pytest.param(hang(), id="no answer"),
        pytest.param(hang(head(200, {})), id="a tunnel that leads nowhere"),
    ],
)
async def test_a_tunnel_that_does_not_come_about_is_silence(behaviour: Behaviour) -> None:
    """Within the time for connecting, and as often as it happens; no place is lost."""
    hasty = msgspec.structs.replace(PATIENT, connect_timeout_s=0.2)
    async with (
        hostile_server() as proxy,
        transport("https://vendor.test/log", hasty, proxy=proxy_of(proxy), max_in_flight=1) as wire,
    ):
        proxy.otherwise = behaviour
        for _ in range(5):
            response = await asyncio.wait_for(wire.send(POST), 30)
            assert (response.status, response.silence) == (None, "connection")
            assert "pa55" not in wire.last_failure


async def test_a_request_that_is_given_up_while_its_tunnel_is_dug_leaves_nothing() -> None:
    """Neither a connection to the proxy nor a place that is taken."""
    async with (
        hostile_server() as proxy,
        transport("https://vendor.test/log", PATIENT, proxy=proxy_of(proxy), max_in_flight=1) as wire,
    ):
        proxy.otherwise = hang()
        for number in range(5):
            task = asyncio.create_task(wire.send(POST))
            await until(partial(lambda number: len(proxy.seen) > number, number))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_a_proxy_that_is_not_there_is_silence() -> None:
    """Nobody listens."""
    async with hostile_server() as proxy:
        address = proxy_of(proxy)
    for url in ("https://vendor.test/log", "http://vendor.test/log"):
        async with transport(url, LIMITS, proxy=address) as wire:
            assert (await wire.send(POST)).silence == "connection"


async def test_a_probe_with_an_address_of_its_own_goes_through_the_proxy_too() -> None:
    """Whatever leaves, leaves there."""
    async with hostile_server() as proxy, transport("http://vendor.test/log", proxy=proxy_of(proxy)) as wire:
        assert (await wire.send(Request("GET", {}, b"", "http://vendor.test/account"))).status == 200
        assert proxy.seen[0].target == "http://vendor.test/account"
