"""A transport and what tests send through it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache

import msgspec
import trustme

from connector.delivery.transport import Transport, trusted_authorities
from connector.vendors.contract import Limits, Request

LIMITS = Limits(items_max=1, body_bytes_max=1000, connect_timeout_s=2.0, request_timeout_s=2.0)
PATIENT = msgspec.structs.replace(LIMITS, connect_timeout_s=60.0, request_timeout_s=60.0)
"""For what must end by itself: however busy the machine, no deadline comes first."""
IMPATIENT = msgspec.structs.replace(LIMITS, request_timeout_s=0.15)
KEY = "s3cret-key"
POST = Request("POST", {"Content-Type": "application/json"}, b'{"a":1}')
HUGE_BYTES = 32 << 20
HUGE = Request("POST", {}, b"x" * HUGE_BYTES)
"""More than the buffers of two sockets hold, so that part of it waits in this process."""


@cache
def authorities() -> ssl.SSLContext:
    """What a transport trusts by default, read once: it takes a third of a second on a busy machine."""
    return trusted_authorities()


@asynccontextmanager
async def transport(
    url: str,
    limits: Limits = LIMITS,
    *,
    tls: ssl.SSLContext | None = None,
    proxy: str | None = None,
    max_in_flight: int = 4,
) -> AsyncIterator[Transport]:
    """One that sends to this address, for as long as the block lasts."""
    wire = Transport(
        url,
        {"Authorization": f"Bearer {KEY}"},
        limits,
        max_in_flight=max_in_flight,
        tls=tls if tls is not None else authorities(),
        proxy=proxy,
    )
    try:
        yield wire
    finally:
        await wire.close()


def server_side(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """TLS for a server with this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """TLS for a client that trusts this authority alone."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def recovers(wire: Transport) -> None:
    """Fail unless a request is answered again. On a busy machine one in a hurry may come too late."""
    for _ in range(50):
        if (await wire.send(POST)).status == 200:
            return
    raise AssertionError(f"no answer any more, the last time {wire.last_failure}")


async def until(holds: Callable[[], object], within_s: float = 30.0) -> None:
    """Let the loop turn until this holds."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  # nothing that could be waited for tells
            await asyncio.sleep(0)


Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""One side of a connection, in a test's own words."""


@asynccontextmanager
async def listening(peer: Peer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server on a free port of this machine, which does this with each connection; its address."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await peer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls is not None else 'http'}://127.0.0.1:{port}/v1/events"
    finally:
        server.close()
        for task in [*tasks]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
