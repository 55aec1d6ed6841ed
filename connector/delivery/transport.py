"""One HTTP request and its answer. Does: aiohttp's connections and parser, one for each request in flight.

Of aiohttp we use what opens, keeps and closes connections (TLS, proxies, DNS) and what reads answers, but not
its session: a request's head is made once and sent again and again, where a session makes it anew each time.
That is 33 µs of CPU a request instead of 67, most of what an event costs where it travels alone. These parts
are not in aiohttp's documentation; `tests/delivery/test_aiohttp_parts.py` says which ones they are.
"""

from __future__ import annotations

import asyncio
import os
import select
import ssl
from collections.abc import Mapping
from errno import errorcode
from typing import Literal
from weakref import WeakKeyDictionary

import aiohttp
import certifi
import msgspec
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from connector.vendors.contract import Limits, Request, Response

LOOKS = 3
"""Turns in which a loop that was busy has read what lay on a connection before we use it (asyncio: two)."""

BODY_MAX = 64 * 1024
"""Bytes of an answer that anybody looks at. The rest is not read: the connection is closed instead."""

KEEP_ALIVE_S = 20.0
"""Idle connections are kept this long: below what load balancers allow (60 s is usual), so that it is us who
close, and no request meets a connection that was closed under it."""

USES_MAX = 1_000
AGE_MAX_S = 60.0
"""A connection is used so often and so long, then another is opened. Should the other side ever answer what
nobody asked, in the middle of requests, every later answer on that connection would be the one before it, and
nothing in HTTP/1.1 tells: so it ends soon. And a vendor that moves is found by its new address."""

DNS_CACHE_S = 30

PROBES = 1
"""Connections beside those of the batches."""

LINES_MAX = 16
"""Heads that are kept: a destination has an address for events, and perhaps one for its probe."""

OK = 200
REFUSED = 400
SWITCHING_PROTOCOLS = 101
"""The last word of an answer, though not one we can use; what else is below 200 only announces one."""

LEAVES_AT_ONCE = 64 * 1024
"""What the buffers of two sockets hold on any system. Of a longer request that was refused some may not have
left: nobody need read on once it has answered, and with TLS our own end does not tell what it still holds."""

PROXY_WANTS_LOGIN = 407
"""The one refusal of a proxy's CONNECT that a person must act on; all others are like a dead line."""

HEADERS = {"User-Agent": "commerce-connector", "Accept-Encoding": "identity"}
"""Answers are a few bytes; asking for them plain means there is no compressed body to be fooled by."""


class Line(msgspec.Struct, frozen=True):
    """Where requests go: what opens a connection there, and the head of every request up to its length, made
    of these headers."""

    headers: Mapping[str, str]
    opening: aiohttp.ClientRequest
    head: bytes


class _Life:
    """How much longer a connection may be used."""

    __slots__ = ("until", "uses")

    def __init__(self, until: float) -> None:
        self.uses = 0
        self.until = until


class Transport:
    """Sends requests to one vendor and answers with what came back; silence is an answer too.

    Redirects are not followed, cookies not kept, the address is used exactly as it was given. A body that
    ends early is silence. A connection is used again only after an answer that was read to its end, with
    nothing behind it, to a request that had left, and not for ever; any other is cut off at once, also where
    the task of a request is cancelled: what has not left by then never leaves. Neither key nor body is ever
    logged; `last_failure` says in words without either why the last silence came about. Build it on the
    running loop.
    """

    def __init__(
        self,
        url: str,
        credentials: Mapping[str, str],
        limits: Limits,
        *,
        max_in_flight: int,
        proxy: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = _address(url)
        self._credentials = dict(credentials)
        self._proxy = URL(proxy, encoded=True) if proxy is not None else None
        self.last_failure = ""
        self._within_s = limits.request_timeout_s
        self._patience = aiohttp.ClientTimeout(connect=limits.connect_timeout_s)
        self._connector = aiohttp.TCPConnector(
            limit=max_in_flight + PROBES,
            ssl=tls if tls is not None else trusted_authorities(),
            keepalive_timeout=KEEP_ALIVE_S,
            ttl_dns_cache=DNS_CACHE_S,
        )
        self._lines: dict[tuple[str, str | None], Line] = {}
        """By method and address."""
        self._lives: WeakKeyDictionary[object, _Life] = WeakKeyDictionary()
        """By the connection's protocol."""
        self._time = asyncio.get_running_loop().time

    def use_credentials(self, headers: Mapping[str, str]) -> bool:
        """Send these from the next request on. Whether they are others than before."""
        if headers == self._credentials:
            return False
        self._credentials = dict(headers)
        self._lines.clear()
        return True

    async def send(self, request: Request) -> Response:
        """The vendor's answer, or which kind of silence there was."""
        line = self._line(request)
        try:
            async with asyncio.timeout(self._within_s):
                return await self._ask(line, request.body)
        except TimeoutError:
            return self._silence("timeout", "no answer in time")
        except aiohttp.ClientHttpProxyError as error:
            if error.status == PROXY_WANTS_LOGIN:
                return Response(error.status)
            return self._silence("connection", f"the proxy answered {error.status}")
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            return self._silence("connection", _words(error))

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()

    async def _ask(self, line: Line, body: bytes) -> Response:
        try:
            connection = await self._connector.connect(line.opening, traces=[], timeout=self._patience)
        except TimeoutError:
            return self._silence("connection", "no connection in time")
        protocol, transport = connection.protocol, connection.transport
        is_reusable = False
        try:
            for _ in range(LOOKS):
                if transport is None or not _has_unread(transport):
                    break
                await asyncio.sleep(0)
            if protocol is None or transport is None or transport.is_closing():
                return self._silence("connection", "closed as soon as it was open")
            if protocol.should_close:
                # Bytes that came while nobody had asked: they would be taken for the answer to this request.
                return self._silence("connection", "the other side spoke before it was asked")
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            transport.write(b"%b%d\r\n\r\n%b" % (line.head, len(body), body))
            message, content = await protocol.read()
            while message.code < OK and message.code != SWITCHING_PROTOCOLS:
                message, content = await protocol.read()
            answered = await _read(content)
            has_left = message.code < REFUSED or len(body) <= LEAVES_AT_ONCE
            is_reusable = (
                has_left
                and content.at_eof()
                and not transport.get_write_buffer_size()
                and self._may_live_on(protocol)
            )
        finally:
            if is_reusable:
                connection.release()  # which closes it, too, where the other side said so or said more
            else:
                if transport is not None:
                    transport.abort()  # closing it would first send what is left of the request
                connection.close()
        headers = {name.lower(): value for name, value in message.headers.items()}
        return Response(message.code, headers, answered)

    def _may_live_on(self, protocol: object) -> bool:
        now = self._time()
        life = self._lives.get(protocol)
        if life is None:
            life = self._lives[protocol] = _Life(now + AGE_MAX_S)
        life.uses += 1
        return life.uses < USES_MAX and now < life.until

    def _line(self, request: Request) -> Line:
        """The line for this request, which nearly always is the one of the request before."""
        known = self._lines.get((request.method, request.url))
        if known is not None and known.headers == request.headers:
            return known
        url = self._url if request.url is None else URL(request.url, encoded=True)
        opening = aiohttp.ClientRequest(
            request.method,
            url,
            headers={**HEADERS, **request.headers, **self._credentials},
            skip_auto_headers=("Content-Type",),
            loop=asyncio.get_running_loop(),
            proxy=self._proxy,
        )
        target = url.raw_path_qs
        if self._proxy is not None and url.scheme == "http":  # no tunnel: the proxy reads it all
            target = str(opening.url)
            if (login := aiohttp.BasicAuth.from_url(self._proxy)) is not None:
                opening.headers["Proxy-Authorization"] = login.encode()
        line = Line(
            dict(request.headers), opening, _head(f"{request.method} {target} HTTP/1.1", opening.headers)
        )
        if len(self._lines) >= LINES_MAX:
            self._lines.clear()
        self._lines[request.method, request.url] = line
        return line

    def _silence(self, kind: Literal["timeout", "connection"], words: str) -> Response:
        self.last_failure = f"{kind}: {words}"
        return Response(None, silence=kind)


def _has_unread(transport: asyncio.Transport) -> bool:
    """Whether the kernel holds bytes, or an end, of a connection that nobody is waiting at."""
    descriptor = transport.get_extra_info("socket").fileno()
    if descriptor < 0:  # it was closed already
        return False
    looking = select.poll()
    looking.register(descriptor, select.POLLIN)
    return bool(looking.poll(0))


def _head(request_line: str, headers: Mapping[str, str]) -> bytes:
    """Everything before a body but its length. ValueError for a header that would break out of its line."""
    lines = [request_line]
    lines += [f"{name}: {value}" for name, value in headers.items() if name != "Content-Length"]
    if any(set(line) & {"\r", "\n", "\0"} for line in lines):
        raise ValueError("a header holds a line break")
    return "\r\n".join([*lines, "Content-Length: "]).encode()


def trusted_authorities() -> ssl.SSLContext:
    """The machine's certificate authorities (also those that SSL_CERT_FILE names) and certifi's, which a slim
    image lacks."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _address(url: str) -> URL:
    """The address exactly as given; ValueError if no request could ever be sent there."""
    address = URL(url, encoded=True)
    if not address.host:
        raise ValueError("the address names no host")
    address.host.encode("idna")
    return address


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The body, as far as anybody looks at it."""
    body = await content.read(BODY_MAX)
    while len(body) < BODY_MAX and not content.at_eof():
        body += await content.read(BODY_MAX - len(body))
    return body


_SILENCES: dict[type[Exception], str] = {
    aiohttp.ServerDisconnectedError: "closed without an answer",
    aiohttp.ClientPayloadError: "the answer ended early",
    HttpProcessingError: "the answer is no HTTP",
    aiohttp.ClientConnectorError: "no connection",
}
"""What a person reads instead of a class of the library."""


def _words(error: Exception) -> str:
    """What went wrong, for people. Only texts that cannot hold an address with a key or password in it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate refused: {cause.verify_message}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name does not resolve"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ssl.SSLError):  # its numbers are OpenSSL's, not the system's
        return f"TLS: {cause.reason or 'refused'}"
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errorcode:
        words = os.strerror(cause.errno)
        return words[0].lower() + words[1:]
    return next((words for kind, words in _SILENCES.items() if isinstance(error, kind)), type(error).__name__)
