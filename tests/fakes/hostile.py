"""An HTTP server that misbehaves on demand: resets, hangs, drips, lies about lengths, redirects, floods.

It speaks raw sockets, so that it can break what a proper server library would not let it break.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

REQUEST_MAX = 4 * 1024 * 1024


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire. Header names are lower case; `connection` counts from 0."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        """The only value of this header, or None; two are a failure."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} was sent twice"
        return values[0] if values else None


Behaviour = Callable[[asyncio.StreamWriter], Coroutine[None, None, bool]]
"""Answers one request; True keeps the connection open for the next."""


def answer(status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None) -> Behaviour:
    """A proper answer."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        writer.write(head(status, {"Content-Length": str(len(body)), **(headers or {})}) + body)
        await writer.drain()
        return True

    return behave


def raw(text: bytes, *, stays_open: bool = False) -> Behaviour:
    """These bytes, and an orderly close or nothing more."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        writer.write(text)
        await writer.drain()
        return stays_open

    return behave


def truncated(body: bytes = b"abc", promised: int = 1000) -> Behaviour:
    """A body that ends long before the length it promised."""
    return raw(head(200, {"Content-Length": str(promised)}) + body)


def reset(text: bytes = b"") -> Behaviour:
    """These bytes, then a TCP reset."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        writer.write(text)
        await writer.drain()
        raw_socket = writer.get_extra_info("socket")
        raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False

    return behave


def hang(text: bytes = b"") -> Behaviour:
    """These bytes, then nothing, for ever."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        writer.write(text)
        await writer.drain()
        await asyncio.get_running_loop().create_future()
        return False

    return behave


def drip(every_s: float = 0.02) -> Behaviour:
    """A body that comes byte by byte and never ends."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        writer.write(head(200, {"Content-Length": "1000000"}))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(every_s)

    return behave


def endless(counter: list[int]) -> Behaviour:
    """A body without end, as fast as it is read; `counter[0]` is what left so far."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        writer.write(head(200, {"Transfer-Encoding": "chunked"}))
        block = b"x" * 16_384
        while True:
            writer.write(b"%x\r\n%s\r\n" % (len(block), block))
            await writer.drain()
            counter[0] += len(block)

    return behave


def head(status: int, headers: dict[str, str]) -> bytes:
    """Status line and headers, as bytes."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class HostileServer:
    """Answers request after request from `script`, then with `otherwise`; remembers what it saw."""

    url: str
    script: deque[Behaviour] = field(default_factory=deque)
    otherwise: Behaviour = field(default_factory=answer)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    """Connections that are over."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        connection = self.connections
        self.connections += 1
        try:
            while (request := await _read(reader, connection)) is not None:
                self.seen.append(request)
                behave = self.script.popleft() if self.script else self.otherwise
                if not await behave(writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, which some tests want
        finally:
            self.ended += 1
            writer.close()


@asynccontextmanager
async def hostile_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[HostileServer]:
    """A server on a free port of this machine, for as long as the block lasts."""
    served: set[asyncio.Task[None]] = set()
    server = HostileServer(url="")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        task.add_done_callback(served.discard)
        await server.serve(reader, writer)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls, limit=REQUEST_MAX)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls is not None else 'http'}://127.0.0.1:{port}/v1/events"
    try:
        yield server
    finally:
        listening.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)


async def _read(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = text.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    length = int(dict(headers).get("content-length", "0"))
    body = await reader.readexactly(length) if length else b""
    return Seen(method, target, headers, body, connection)
