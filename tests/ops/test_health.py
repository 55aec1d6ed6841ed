"""The HTTP server, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import socket
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest

from connector.ops import logs
from connector.ops.health import HealthServer
from connector.ops.telemetry import Telemetry


class Source:
    """A connector whose state the test decides."""

    def __init__(self) -> None:
        self.is_alive = True
        self.is_ready = True
        self.facts: Mapping[str, object] = {"state": "running"}
        self.error: Exception | None = None

    def status(self) -> Mapping[str, object]:
        if self.error:
            raise self.error
        return self.facts

    def ready(self) -> tuple[bool, Mapping[str, object]]:
        return self.is_ready, {"in_group": self.is_ready}

    def alive(self) -> tuple[bool, Mapping[str, object]]:
        return self.is_alive, {"loop_ticked_s_ago": 0.1}


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
async def server(source: Source) -> AsyncIterator[HealthServer]:
    server = HealthServer("127.0.0.1", 0, source, Telemetry("topsort").exposition)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(server: HealthServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_probes_answer_200_or_503_with_why(
    path: str, source: Source, client: aiohttp.ClientSession
) -> None:
    """The status is for Kubernetes, the JSON for whoever looks."""
    async with client.get(path) as answer:
        assert answer.status == 200
        assert len(await answer.json()) == 2
    source.is_alive = source.is_ready = False
    async with client.get(path) as answer:
        assert answer.status == 503
        assert False in (await answer.json()).values()


async def test_metrics_are_in_prometheus_form(client: aiohttp.ClientSession) -> None:
    """With the content type that a scraper asks for."""
    async with client.get("/metrics") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert 'connector_build_info{destination="topsort"' in await answer.text()


async def test_status_is_json_without_secrets(source: Source, client: aiohttp.ClientSession) -> None:
    """Whatever found its way into the facts: registered credentials are hidden here, too."""
    logs.register_secret("health-s3cret")
    source.facts = {"state": "running", "last_failure": "with health-s3cret inside", "odd": {1: object()}}
    async with client.get("/status") as answer:
        assert answer.headers["Content-Type"].startswith("application/json")
        text = await answer.text()
        assert "health-s3cret" not in text
        assert (await answer.json())["state"] == "running"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/status", "/livez"])
async def test_nothing_but_get_and_head_is_taken(
    method: str, path: str, client: aiohttp.ClientSession
) -> None:
    """The server is read-only."""
    async with client.request(method, path, data=b"x" * 5000) as answer:
        assert answer.status == 405
        assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD"}


async def test_head_answers_as_get_does_without_a_body(client: aiohttp.ClientSession) -> None:
    """For load balancers."""
    async with client.head("/readyz") as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_an_error_inside_is_a_500_that_shows_nothing(
    source: Source, client: aiohttp.ClientSession
) -> None:
    """No trace, no words of the exception; the next request is served."""
    source.error = RuntimeError("inner words")
    async with client.get("/status") as answer:
        assert answer.status == 500
        text = await answer.text()
        assert "inner words" not in text
        assert "Traceback" not in text
    async with client.get("/livez") as answer:
        assert answer.status == 200


async def test_a_path_that_is_not_there_is_not_repeated(client: aiohttp.ClientSession) -> None:
    """Neither path nor Host of a caller comes back in an answer."""
    async with client.get("/<script>alert(1)</script>", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 404
        text = await answer.text()
        assert "alert" not in text
        assert "evil" not in text + str(answer.headers)


async def test_every_answer_is_closed_to_browsers_tricks(client: aiohttp.ClientSession) -> None:
    """No caching, no guessing of types, no framing, no versions of what is inside."""
    for path in ("/", "/status", "/metrics", "/nowhere"):
        async with client.get(path) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert "aiohttp" not in answer.headers["Server"]


async def test_the_page_runs_its_own_script_and_asks_nobody_else(client: aiohttp.ClientSession) -> None:
    """Its policy allows exactly its inline script and style, by hash, and no address is in it."""
    async with client.get("/") as answer:
        assert answer.headers["Content-Type"].startswith("text/html")
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(
        r"https?://|//\w|@import|url\(| on\w+=| style=", page.replace("http://www.w3.org/2000/svg", "")
    )


async def test_the_page_says_how_it_is_without_a_script(
    source: Source, client: aiohttp.ClientSession
) -> None:
    """Name, state, sentence and what is waited for, made safe, and where the rest is; what only a script
    fills is not there to say that there is nothing. The policy stays that of the page alone."""
    async with client.get("/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    logs.register_secret("health-s3cret&<")
    source.facts = {
        "destination": "topsort",
        "state": "halted",
        "told": "Nothing is sent: <script>alert(1)</script> <!--waits--> health-s3cret&< & more.",
        "waits": ["3 partitions wait for the end of the halt.", "<b>"],
    }
    async with client.get("/") as answer:
        assert answer.headers["Content-Security-Policy"] == policy
        page = await answer.text()
    assert '<span id="destination">topsort</span>' in page
    assert ">halted</span>" in page
    told = "Nothing is sent: &lt;script&gt;alert(1)&lt;/script&gt; &lt;!--waits--&gt; ********** &amp; more."
    assert f'<p id="told" role="status">{told}</p>' in page
    assert '<ul id="waits"><li>3 partitions wait for the end of the halt.</li><li>&lt;b&gt;</li></ul>' in page
    assert '<a href="/status">' in page[page.index("<noscript>") : page.index("</noscript>")]
    assert page.count("<script>") == 1
    assert page.index('<div id="live" hidden>') < page.index("Nothing was skipped or refused so far.")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_it_listens_on_ipv4_and_ipv6(host: str, source: Source) -> None:
    """By address or name."""
    server = HealthServer(host, 0, source, bytes)
    await server.start()
    try:
        name = f"[{host}]" if ":" in host else host
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{name}:{server.port}/livez") as answer,
        ):
            assert answer.status == 200
    finally:
        await server.close()


async def test_two_colons_are_both_families(source: Source) -> None:
    """`::` is what a dual-stack cluster needs, and IPv4 must not be lost by it."""
    server = HealthServer("::", 0, source, bytes)
    await server.start()
    try:
        for host in ("127.0.0.1", "[::1]"):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://{host}:{server.port}/") as answer,
            ):
                assert answer.status == 200
    finally:
        await server.close()


async def test_a_taken_port_is_an_os_error(server: HealthServer, source: Source) -> None:
    """The caller says so and exits; nothing is left behind."""
    second = HealthServer("127.0.0.1", server.port, source, bytes)
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.close()


async def test_bytes_that_are_no_http_are_refused_without_a_trace(server: HealthServer) -> None:
    """And the server goes on."""
    for nonsense in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 9000,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(nonsense)
        writer.write_eof()
        refusal = await asyncio.wait_for(reader.read(), 5)
        assert b"Traceback" not in refusal
        assert b" 200 " not in refusal.split(b"\r\n")[0]
        writer.close()
    with socket.create_connection(("127.0.0.1", server.port)):
        pass
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}/livez") as answer,
    ):
        assert answer.status == 200
