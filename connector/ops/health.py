"""The read-only HTTP server: is it alive, is it ready, what does it do.

It asks a `StatusSource` and judges nothing itself. GET and HEAD only; no path or header of a
caller is repeated in an answer, and an error is logged here, never shown there.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from connector.ops.logs import redact

KEEPALIVE_S = 15.0
SHUTDOWN_S = 1.0
PLACES = re.compile(r"<!--(destination|state|told|waits)-->")
"""Where the page has room for what is so right now."""

BODY_BYTES_MAX = 1024  # nobody has a reason to send one

Facts = Mapping[str, object]


class StatusSource(Protocol):
    """Whoever knows how the connector is."""

    def status(self) -> Facts:
        """Everything worth knowing, ready for JSON."""

    def ready(self) -> tuple[bool, Facts]:
        """In the group and the loop alive; a vendor's outage changes nothing about it."""

    def alive(self) -> tuple[bool, Facts]:
        """False only when a restart would help."""


class HealthServer:
    """Serves `/livez`, `/readyz`, `/metrics`, `/status` and the page at `/`.

    `port` 0 takes any free port; `port` tells which after `start`. `::` listens on IPv4 too.
    """

    def __init__(self, host: str, port: int, source: StatusSource, exposition: Callable[[], bytes]) -> None:
        self.host = host
        self.port = port
        self._source = source
        self._exposition = exposition
        self._log = structlog.stdlib.get_logger("connector")
        self._page = Path(__file__).with_name("page.html").read_text()
        self._policy = content_policy(self._page)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the address can't be had."""
        assert self._runner is None, "started once"
        app = web.Application(middlewares=[self._guarded()], client_max_size=BODY_BYTES_MAX)
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/status", self._status)
        app.router.add_get("/", self._index)
        app.on_response_prepare.append(_with_safe_headers)
        runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=KEEPALIVE_S, shutdown_timeout=SHUTDOWN_S
        )
        await runner.setup()
        try:
            await web.SockSite(runner, _listener(self.host, self.port)).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening; open answers get a second."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _guarded(self) -> Middleware:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPException as refusal:
                response = _json(refusal.status, {"error": refusal.reason})
                if "Allow" in refusal.headers:
                    response.headers["Allow"] = refusal.headers["Allow"]
                return response
            except Exception:
                # The edge of a request: it ends in a 500, loudly in the log and silently for the caller.
                self._log.exception("health_request_failed")
                return _json(500, {"error": "internal error; the log has it"})

        return guarded

    async def _livez(self, _: web.Request) -> web.Response:
        good, facts = self._source.alive()
        return _json(200 if good else 503, {"alive": good, **facts})

    async def _readyz(self, _: web.Request) -> web.Response:
        good, facts = self._source.ready()
        return _json(200 if good else 503, {"ready": good, **facts})

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def _status(self, _: web.Request) -> web.Response:
        return _json(200, self._source.status())

    async def _index(self, _: web.Request) -> web.Response:
        page = with_the_moment(self._page, self._source.status())
        response = web.Response(text=page, content_type="text/html", charset="utf-8")
        response.headers["Content-Security-Policy"] = self._policy
        return response


def with_the_moment(page: str, status: Facts) -> str:
    """The page with what is so right now in its places, for who sees it without a script; the script then
    keeps it up to date. Its policy is that of the page alone: what is put in could run nothing."""
    waits = status.get("waits")
    said = {name: _shown(status.get(name, "")) for name in ("destination", "state", "told")}
    said["waits"] = "".join(f"<li>{_shown(each)}</li>" for each in waits) if isinstance(waits, list) else ""
    return PLACES.sub(lambda found: said[found[1]], page)


def _shown(fact: object) -> str:
    return html.escape(redact(str(fact)))


def content_policy(page: str) -> str:
    """A policy under which this page's own script and style run, it may ask `/status`, and nothing else."""
    script, style = (_digests(page, tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _digests(page: str, tag: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found]
    return " ".join(f"'sha256-{digest}'" for digest in hashes) or "'none'"


def _json(status: int, facts: Facts) -> web.Response:
    text = orjson.dumps(facts, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return web.Response(status=status, text=redact(text), content_type="application/json")


async def _with_safe_headers(_: web.Request, response: web.StreamResponse) -> None:
    headers = response.headers
    headers["Cache-Control"] = "no-store"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Server"] = "connector"  # instead of the versions of what is inside
    headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")


def _listener(host: str, port: int) -> socket.socket:
    """A listening socket for any address, `::` for all of both families."""
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )[0]
    both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
    listener = socket.create_server(address[:2], family=family, backlog=128, dualstack_ipv6=both)
    listener.setblocking(False)
    return listener
