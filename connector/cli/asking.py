"""One request to a registry or a vendor, with its answer or the reason why there is none, for people."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from connector.delivery.transport import Transport
from connector.settings import Settings
from connector.vendors.contract import Limits, Request, Response

ANSWER_S = 8.0
"""Longest wait for one answer: a command that hangs is a command that nobody runs."""


async def ask(request: Request, credentials: Mapping[str, str], proxy: str | None = None) -> Response | str:
    """The answer; or in words who gave none, why, and what to look at. Never takes longer than `ANSWER_S`."""
    assert request.url is not None
    limits = Limits(1, len(request.body), connect_timeout_s=ANSWER_S, request_timeout_s=ANSWER_S)
    transport = Transport(request.url, credentials, limits, max_in_flight=1, proxy=proxy)
    try:
        response = await transport.send(request)
    finally:
        await transport.close()
    if response.status is not None:
        return response
    through = f" through the proxy {proxy}" if proxy is not None else ""
    failure = transport.last_failure
    return f"no answer from {shown(request.url)}{through}: {failure.partition(': ')[2]}. {_advice(failure)}"


def shown(url: str) -> str:
    """An address as it may be printed: a query may carry anything."""
    return url.partition("?")[0]


ADVICE = (
    ("does not resolve", "Is the name right, and does DNS know it here?"),
    ("connection refused", "Nothing listens there: are host and port right?"),
    ("certificate refused", "Is a proxy in between? SSL_CERT_FILE names authorities of your own."),
    ("TLS: ", "Does that port speak TLS, or plain http? Is a proxy in between?"),
    ("the proxy answered", "Does destination.proxy let us there?"),
    ("in time", "Nobody answers: look at firewall, NetworkPolicy and proxy."),
    ("", "Is it the right address, and is a proxy or firewall in between?"),
)
"""Words of a failure → what to look at first."""


def _advice(failure: str) -> str:
    return next(advice for words, advice in ADVICE if words in failure)


def registry_address(settings: Settings, path: str) -> str | None:
    """A path below the schema registry's address; None without a registry."""
    url = settings.source.schema_registry.url
    return f"{url.rstrip('/')}{path}" if url is not None else None


def registry_credentials(settings: Settings) -> dict[str, str]:
    """The header that carries `user:password`, if there is one."""
    secret = settings.source.schema_registry.secret()
    if secret is None:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(secret.read().encode()).decode()}"}
