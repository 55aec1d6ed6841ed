"""One HTTP request and its answer. Does: aiohttp, one session, one connection for each request in flight."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Literal

import aiohttp
import certifi
from yarl import URL

from connector.vendors.contract import Limits, Request, Response

BODY_MAX = 64 * 1024
"""Bytes of an answer that anybody looks at. The rest is not read: the connection is closed instead."""

KEEP_ALIVE_S = 20.0
"""Idle connections are kept this long: below what load balancers allow (60 s is usual), so that it is us who
close, and no request meets a connection that was closed under it."""

DNS_CACHE_S = 30

PROBES = 1
"""Connections beside those of the batches."""

PROXY_WANTS_LOGIN = 407
"""The one refusal of a proxy's CONNECT that a person must act on; all others are like a dead line."""

HEADERS = {"User-Agent": "commerce-connector", "Accept-Encoding": "identity"}
"""Answers are a few bytes; asking for them plain means there is no compressed body to be fooled by."""


class Transport:
    """Sends requests to one vendor and answers with what came back; silence is an answer too.

    Redirects are not followed, cookies not kept, the address is used exactly as it was given. A body that
    ends early is silence. Neither key nor body is ever logged; `last_failure` says in words without either
    why the last silence came about. Build it on the running loop.
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
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=max_in_flight + PROBES,
                ssl=tls if tls is not None else trusted_authorities(),
                keepalive_timeout=KEEP_ALIVE_S,
                ttl_dns_cache=DNS_CACHE_S,
            ),
            timeout=aiohttp.ClientTimeout(total=limits.request_timeout_s, connect=limits.connect_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS,
            skip_auto_headers=("Content-Type",),
            auto_decompress=False,
            trust_env=False,
        )

    def use_credentials(self, headers: Mapping[str, str]) -> None:
        """Send these from the next request on."""
        self._credentials = dict(headers)

    async def send(self, request: Request) -> Response:
        """The vendor's answer, or which kind of silence there was."""
        url = self._url if request.url is None else URL(request.url, encoded=True)
        try:
            async with self._session.request(
                request.method,
                url,
                data=request.body,
                headers={**request.headers, **self._credentials},
                allow_redirects=False,
                proxy=self._proxy,
            ) as answer:
                body = await _read(answer)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status, headers, body)
        except aiohttp.ConnectionTimeoutError:
            return self._silence("connection", "no connection in time")
        except TimeoutError:
            return self._silence("timeout", "no answer in time")
        except aiohttp.ClientHttpProxyError as error:
            if error.status == PROXY_WANTS_LOGIN:
                return Response(error.status)
            return self._silence("connection", f"the proxy answered {error.status}")
        except (aiohttp.ClientError, OSError) as error:
            return self._silence("connection", _words(error))

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    def _silence(self, kind: Literal["timeout", "connection"], words: str) -> Response:
        self.last_failure = f"{kind}: {words}"
        return Response(None, silence=kind)


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


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The body, as far as anybody looks at it. What is left unread makes aiohttp close the connection.

    Asked whether it is at its end, it need not be read again to find that out: 1 to 2 of 75 µs a request.
    """
    content = answer.content
    body = await content.read(BODY_MAX)
    while len(body) < BODY_MAX and not content.at_eof():
        body += await content.read(BODY_MAX - len(body))
    return body


def _words(error: Exception) -> str:
    """What went wrong, for people. Only texts that cannot hold an address with a key or password in it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate refused: {cause.verify_message}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name does not resolve"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__
