"""The server around a vendor's stand-in: faults, latency, and a ledger by id.

`Destination.sandbox` judges requests as the vendor would; this puts it on a socket of this machine and makes
go wrong what goes wrong at vendors. Beside the vendor's own paths it answers

    GET  /_stats[?ids=0]   what was accepted, ignored and refused, with ids and the order per key; how often
                           a key was checked, which sends no event and is none of these
    POST /_reset           forget all that
    POST /_faults          from now on these faults: the body is a SPEC (`faults.py`), empty for none
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from http import HTTPStatus
from ssl import SSLContext
from threading import Thread
from types import TracebackType
from urllib.parse import urlsplit

import msgspec
import orjson
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler
from pydantic import BaseModel

from connector.faults import Fault, Faults, SpecError
from connector.ledger import Ledger
from connector.vendors.contract import Destination, Request, Sandbox, SandboxAnswer, SandboxRequest

BODY_BYTES_MAX = 16 << 20
"""Far above every vendor's limit, so that the stand-in itself refuses what is too large for its vendor."""

STOP_S = 0.2
"""How long open requests may take when the server stops; hanging ones would never end by themselves."""

KEY_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: closing sends a TCP reset instead of a polite end."""


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


class SandboxServer:
    """A vendor on this machine, as `async with SandboxServer(stand_in, path) as server: … server.url`.

    A request is judged and counted the moment it is complete; latency comes after that. So ids are counted
    in the order their requests arrived, and what a client that gave up had sent still counts, as at a vendor.
    """

    def __init__(
        self,
        stand_in: Sandbox,
        path: str = "/",
        *,
        faults: Faults | None = None,
        latency_s: float = 0.0,
        port: int = 0,
        tls: SSLContext | None = None,
        credentials: Mapping[str, str] | None = None,
        key_check: Request | None = None,
        now_ms: Callable[[], int] = _clock_ms,
    ) -> None:
        self._stand_in = stand_in
        self._path = path
        self._port = port
        self._tls = tls
        self._credentials = credentials
        """The headers of the one key that is taken; None: any key that looks like one."""
        self._key_check = key_check
        """What the destination's own probe looks like, with its address; None: it has none."""
        self._now_ms = now_ms
        self._runner: web.ServerRunner | None = None
        self.faults = faults if faults is not None else Faults()
        self.latency_s = latency_s
        self.ledger = Ledger()

    @classmethod
    def of(
        cls,
        destination: type[Destination],
        options: BaseModel,
        *,
        stand_in: Sandbox | None = None,
        faults: Faults | None = None,
        latency_s: float = 0.0,
        port: int = 0,
        tls: SSLContext | None = None,
        credentials: Mapping[str, str] | None = None,
    ) -> SandboxServer:
        """The stand-in of a destination, or one around it, at the path where its vendor takes events."""
        path = urlsplit(destination.url(options)).path or "/"
        stand_in = stand_in or destination.sandbox(options)
        return cls(
            stand_in,
            path,
            faults=faults,
            latency_s=latency_s,
            port=port,
            tls=tls,
            credentials=credentials,
            key_check=_probe_of(destination, options),
        )

    @property
    def url(self) -> str:
        """The complete address for events, to be used as `destination.url`."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}{self._path}"

    @property
    def base_url(self) -> str:
        """The address without a path, for `/_stats`."""
        return self.url.removesuffix(self._path)

    async def start(self) -> None:
        """Listen, on a free port unless one was named."""
        server = web.Server(
            self._serve, request_factory=_request_of_any_size, handler_cancellation=True, access_log=None
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=STOP_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls, backlog=1024).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and cut off what is still open."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> SandboxServer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # ── one request ──────────────────────────────────────────────────────────────────────────────

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path.startswith("/_"):
            return await self._control(request)
        self.ledger.requests += 1
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._respond(self._stand_in.failed(413))
        arrived = self._arrived(request, body)
        if self._is_key_check(arrived):
            self.ledger.key_checks += 1
        fault = self.faults.next()
        if fault is not None:
            self.ledger.faults[fault.name] += 1
            if not fault.after:
                return await self._go_wrong(request, fault, None)
        answer = self._judge(request, arrived)
        keys = {key for _, key in answer.accepted if key is not None}
        self.ledger.opened(keys)
        try:
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            if fault is not None:
                return await self._go_wrong(request, fault, answer)
            return self._respond(answer)
        finally:
            self.ledger.closed(keys)

    def _arrived(self, request: web.BaseRequest, body: bytes) -> SandboxRequest:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return SandboxRequest(request.method, request.raw_path, headers, body, self._now_ms())

    def _is_key_check(self, arrived: SandboxRequest) -> bool:
        check = self._key_check
        return (
            check is not None
            and (arrived.method, arrived.body) == (check.method, check.body)
            and arrived.path.partition("?")[0] == urlsplit(check.url or "").path
        )

    def _judge(self, request: web.BaseRequest, arrived: SandboxRequest) -> SandboxAnswer:
        if self._credentials is not None and any(
            request.headers.get(name) != value for name, value in self._credentials.items()
        ):
            self._turn_away("wrong_key", arrived)
            return self._stand_in.failed(HTTPStatus.UNAUTHORIZED)
        if self.faults.has_poison:
            ids = self._stand_in.ids(arrived)
            poison = self.faults.poisoned(ids)
            if poison is not None:
                kind, status = poison
                self.ledger.faults[kind] += 1
                self.ledger.turned_away(kind, ids)
                return self._stand_in.failed(status)
        answer = self._stand_in.answer(arrived)
        self.ledger.stored(answer)
        if answer.refused is not None:
            self._turn_away(answer.refused, arrived, is_key=answer.status in KEY_REFUSED)
        return answer

    def _turn_away(self, reason: str, arrived: SandboxRequest, *, is_key: bool = True) -> None:
        """Some vendors refuse a request without an event, and say by how whether they take the key."""
        if not self._is_key_check(arrived):
            self.ledger.turned_away(reason, self._stand_in.ids(arrived))
        elif is_key:
            self.ledger.keys_refused += 1

    def _respond(self, answer: SandboxAnswer) -> web.Response:
        self.ledger.statuses[answer.status] += 1
        return web.Response(status=answer.status, body=answer.body or None, headers=answer.headers)

    # ── what goes wrong ──────────────────────────────────────────────────────────────────────────

    async def _go_wrong(
        self, request: web.BaseRequest, fault: Fault, answer: SandboxAnswer | None
    ) -> web.StreamResponse:
        """Meet this fault. `answer` is what the stand-in said, None when it was not even asked."""
        match fault.kind:
            case "status":
                return self._respond(self._failure(fault))
            case "reset":
                return _reset(request)
            case "hang":
                await asyncio.sleep(fault.seconds)
                return _reset(request)
            case "slow":
                assert answer is not None, "parsed as a fault after the answer"
                await asyncio.sleep(fault.seconds)
                return self._respond(answer)
            case "truncated":
                assert answer is not None, "parsed as a fault after the answer"
                return _truncate(request, answer)

    def _failure(self, fault: Fault) -> SandboxAnswer:
        if fault.status == HTTPStatus.TOO_MANY_REQUESTS:
            assert fault.retry_after_s is not None, "parsed with a default"
            return self._stand_in.throttled(fault.retry_after_s)
        failed = self._stand_in.failed(fault.status)
        if fault.retry_after_s is None:
            return failed
        headers = {**failed.headers, "Retry-After": f"{fault.retry_after_s:g}"}
        return msgspec.structs.replace(failed, headers=headers)

    # ── our own paths ────────────────────────────────────────────────────────────────────────────

    async def _control(self, request: web.BaseRequest) -> web.Response:
        match request.method, request.path:
            case "GET", "/_stats":
                body = orjson.dumps(self.ledger.snapshot(ids=request.query.get("ids") != "0"))
                return web.Response(body=body, content_type="application/json")
            case "POST", "/_reset":
                self.ledger = Ledger()
                return web.Response(status=204)
            case "POST", "/_faults":
                try:
                    self.faults = Faults.parse(await request.text(), self.faults.seed)
                except SpecError as error:
                    return web.Response(status=400, text=str(error))
                return web.Response(status=204)
            case _:
                return web.Response(status=404, text="here are GET /_stats, POST /_reset and POST /_faults")


def _probe_of(destination: type[Destination], options: BaseModel) -> Request | None:
    url = destination.url(options)
    probe = destination(options).probe(url)
    return msgspec.structs.replace(probe, url=probe.url or url) if probe is not None else None


def _request_of_any_size(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=BODY_BYTES_MAX)


def _reset(request: web.BaseRequest) -> web.Response:
    """Break the connection off. What we return can no longer be written, and aiohttp knows that."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()


def _truncate(request: web.BaseRequest, answer: SandboxAnswer) -> web.Response:
    """Write the first half of the answer by hand, and close."""
    transport = request.transport
    if transport is not None:
        head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        head.append(f"Content-Length: {len(answer.body)}")
        whole = "\r\n".join([*head, "", ""]).encode() + answer.body
        transport.write(whole[: len(whole) // 2])
        transport.close()
    return web.Response()


# ── for callers without a loop of their own ──────────────────────────────────────────────────────


class SandboxThread:
    """A server on the loop of its own thread, as `with SandboxThread(make) as sandbox: … sandbox.url`.

    For tests that block, and for benchmarks in which the vendor must not share the connector's loop.
    """

    def __init__(
        self,
        make: Callable[[], SandboxServer],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        self._make = make
        self._loop_factory = loop_factory
        self._started: Future[SandboxServer] = Future()
        self._thread = Thread(target=self._serve, name="sandbox", daemon=True)

    @property
    def url(self) -> str:
        """The complete address for events."""
        return self._server.url

    def snapshot(self, ids: bool = True) -> dict[str, object]:
        """The ledger, read on the server's own loop."""

        async def read() -> dict[str, object]:
            return self._server.ledger.snapshot(ids)

        return asyncio.run_coroutine_threadsafe(read(), self._loop).result()

    def fail(self, faults: Faults) -> None:
        """From now on these faults."""

        def change() -> None:
            self._server.faults = faults

        self._loop.call_soon_threadsafe(change)

    def __enter__(self) -> SandboxThread:
        self._thread.start()
        self._server = self._started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            async with self._make() as server:
                self._started.set_result(server)
                await self._stop.wait()
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
