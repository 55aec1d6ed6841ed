"""Requests leave as they should, and every way of not answering is an answer. Real sockets, real TLS."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import socket
import ssl

import msgspec
import pytest
import trustme

from connector.delivery.transport import BODY_MAX, Transport, trusted_authorities
from connector.vendors.contract import Request
from tests.delivery.calling import IMPATIENT, KEY, LIMITS, POST, recovers, server_side, transport, trusting
from tests.fakes.hostile import (
    Behaviour,
    answer,
    drip,
    endless,
    hang,
    head,
    hostile_server,
    raw,
    reset,
    truncated,
)

# ── what leaves ──────────────────────────────────────────────────────────────────────────────────


async def test_a_request_carries_the_key_the_body_and_nothing_surprising() -> None:
    """No compression, no cookies, the vendor's own content type, one key."""
    async with hostile_server() as server, transport(server.url.replace("127.0.0.1", "localhost")) as wire:
        server.script.append(answer(204, headers={"Set-Cookie": "a=b"}))
        assert (await wire.send(POST)).status == 204
        assert (await wire.send(POST)).status == 200
        first, second = server.seen
        assert (first.method, first.target, first.body) == ("POST", "/v1/events", b'{"a":1}')
        assert first.header("authorization") == f"Bearer {KEY}"
        assert first.header("content-type") == "application/json"
        assert first.header("content-length") == "7"
        assert first.header("content-encoding") is None
        assert first.header("transfer-encoding") is None
        assert second.header("cookie") is None


@pytest.mark.parametrize(
    "path", ["/log", "/log/", "/platforms/A%2FB/userevents", "/a%20b?x=%2F&y=a+b", "/%c3%a4"]
)
async def test_the_address_is_used_as_it_was_given(path: str) -> None:
    """A trailing slash and an escaped one matter to vendors; nothing is quoted again."""
    async with hostile_server() as server, transport(server.url.replace("/v1/events", path)) as wire:
        await wire.send(POST)
        assert server.seen[0].target == path


@pytest.mark.parametrize("url", ["https://a..b/log", "https://vendor.test:99999/log", "/log", ""])
async def test_an_address_that_nobody_can_call_fails_at_start(url: str) -> None:
    """Not at the first event."""
    with pytest.raises(ValueError, match=r"."):
        Transport(url, {}, LIMITS, max_in_flight=1)


async def test_a_request_may_name_its_own_address_and_method() -> None:
    """Probes go elsewhere, with the same key."""
    async with hostile_server() as server, transport(server.url) as wire:
        await wire.send(Request("GET", {}, b"", url=server.url.replace("/v1/events", "/v1/account/info")))
        assert (server.seen[0].method, server.seen[0].target) == ("GET", "/v1/account/info")
        assert server.seen[0].header("authorization") == f"Bearer {KEY}"
        assert server.seen[0].header("content-type") is None


async def test_headers_of_their_own_go_with_each_request() -> None:
    """The head of a request is made once, and anew where a vendor wants another one."""
    async with hostile_server() as server, transport(server.url) as wire:
        for batch in ("1", "1", "2", "1"):
            await wire.send(Request("POST", {"X-Batch": batch}, b""))
        assert [seen.header("x-batch") for seen in server.seen] == ["1", "1", "2", "1"]


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\0b"])
async def test_a_header_cannot_break_out_of_its_line(value: str) -> None:
    """It would be a bug in a vendor's code, and nothing leaves."""
    async with hostile_server() as server, transport(server.url) as wire:
        with pytest.raises(ValueError, match="line break"):
            await wire.send(Request("POST", {"X-Batch": value}, b""))
        assert server.connections == 0


async def test_a_rotated_key_is_used_from_the_next_request_on() -> None:
    """Without a restart, and the old one is gone."""
    async with hostile_server() as server, transport(server.url) as wire:
        await wire.send(POST)
        assert wire.use_credentials({"X-API-Key": "new"}), "others than before"
        assert not wire.use_credentials({"X-API-Key": "new"})
        await wire.send(POST)
        assert server.seen[1].header("x-api-key") == "new"
        assert server.seen[1].header("authorization") is None


async def test_connections_are_kept_and_no_more_than_needed() -> None:
    """A hundred requests, room for four and a probe: five connections."""
    async with hostile_server() as server, transport(server.url) as wire:
        answers = await asyncio.gather(*(wire.send(POST) for _ in range(100)))
        assert {response.status for response in answers} == {200}
        assert server.connections <= 5


# ── what comes back ──────────────────────────────────────────────────────────────────────────────


async def test_an_answer_comes_back_with_lower_case_headers_and_its_body() -> None:
    """Judges look up `retry-after`, however the vendor writes it."""
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(answer(429, b"slow down", {"Retry-After": "7", "X-RateLimit-RESET": "9"}))
        response = await wire.send(POST)
        assert (response.status, response.body, response.silence) == (429, b"slow down", None)
        assert response.headers["retry-after"] == "7"
        assert response.headers["x-ratelimit-reset"] == "9"


async def test_redirects_are_answers_and_never_followed() -> None:
    """The key must not follow to another address."""
    async with hostile_server() as server, hostile_server() as elsewhere, transport(server.url) as wire:
        for status in (301, 302, 303, 307, 308):
            server.script.append(answer(status, headers={"Location": elsewhere.url}))
            assert (await wire.send(POST)).status == status
        assert elsewhere.seen == []


async def test_a_body_is_cut_and_the_rest_not_read() -> None:
    """An endless error page costs 64 KiB and its connection, not memory."""
    async with hostile_server() as server, transport(server.url) as wire:
        sent = [0]
        server.script.append(endless(sent))
        response = await wire.send(POST)
        assert (response.status, len(response.body)) == (200, BODY_MAX)
        await wire.send(POST)
        assert server.seen[1].connection == 1
        assert sent[0] < 20 * 1024 * 1024  # what the sockets' buffers of this machine may hold


async def test_a_body_is_left_as_it_came() -> None:
    """A compressed body that nobody asked for is no bomb and no error."""
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(answer(200, b"not gzip at all", {"Content-Encoding": "gzip"}))
        response = await wire.send(POST)
        assert (response.status, response.body) == (200, b"not gzip at all")


CLOSED, CUT, NO_HTTP = "closed without an answer", "the answer ended early", "the answer is no HTTP"


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        pytest.param(reset(), "connection reset by peer", id="reset before an answer"),
        pytest.param(reset(head(200, {"Content-Length": "10"}) + b"abc"), CUT, id="reset within the body"),
        pytest.param(truncated(), CUT, id="a body shorter than promised"),
        pytest.param(raw(b""), CLOSED, id="closed without an answer"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Le"), CLOSED, id="closed within the headers"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), NO_HTTP, id="not HTTP"),
        pytest.param(raw(head(200, {"X": "y" * 100_000})), NO_HTTP, id="a header without end"),
        pytest.param(
            raw(head(200, {"Transfer-Encoding": "chunked"}) + b"5\r\nab"),
            CUT,
            id="a chunk shorter than promised",
        ),
    ],
)
async def test_a_broken_answer_is_silence(behaviour: Behaviour, words: str) -> None:
    """Whatever was stored or not: the outcome is unknown, and the request is sent again. The page has words
    for it, and no class of a library."""
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(behaviour)
        response = await wire.send(POST)
        assert (response.status, response.silence) == (None, "connection")
        assert wire.last_failure == f"connection: {words}"
        assert (await wire.send(POST)).status == 200


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(hang(), id="no answer"),
        pytest.param(hang(head(200, {"Content-Length": "10"})), id="headers and no body"),
        pytest.param(drip(), id="a body byte by byte"),
    ],
)
async def test_an_answer_that_takes_too_long_is_a_timeout(behaviour: Behaviour) -> None:
    """The whole request has one deadline, body included."""
    async with hostile_server() as server, transport(server.url, IMPATIENT) as wire:
        server.script.append(behaviour)
        response = await wire.send(POST)
        assert (response.status, response.silence) == (None, "timeout")
        await recovers(wire)


async def test_a_connection_that_does_not_come_about_is_not_waited_for_as_long_as_an_answer() -> None:
    """The TLS handshake hangs: the connect timeout counts, and it is a matter of the connection."""
    hasty = msgspec.structs.replace(LIMITS, connect_timeout_s=0.15, request_timeout_s=60.0)
    async with (
        hostile_server() as server,
        transport(server.url.replace("http://", "https://"), hasty) as wire,
    ):
        response = await asyncio.wait_for(wire.send(POST), 10)
        assert (response.status, response.silence) == (None, "connection")
        assert wire.last_failure == "connection: no connection in time"


async def test_a_server_that_speaks_no_tls_is_silence_with_words_for_it() -> None:
    """An address that begins with https and should not, or the other way round at a proxy."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server, transport(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/log") as wire:
        assert (await wire.send(POST)).silence == "connection"
        assert wire.last_failure.startswith("connection: TLS: ")
        assert "Error" not in wire.last_failure


async def test_a_vendor_that_is_not_there_is_silence() -> None:
    """Nobody listens."""
    async with hostile_server() as server:
        url = server.url
    async with transport(url) as wire:
        assert (await wire.send(POST)).silence == "connection"
        assert wire.last_failure == "connection: connection refused"


async def test_a_name_that_does_not_resolve_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS is down, or the host was misspelt; the words tell which kind of failure it was."""

    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with transport("http://vendor.test/log") as wire:
        assert (await wire.send(POST)).silence == "connection"
        assert wire.last_failure == "connection: the host name does not resolve"


async def test_a_cancelled_request_leaves_nothing_behind() -> None:
    """At a stop what is in flight is given up; the next request works."""
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(hang())
        task = asyncio.create_task(wire.send(POST))
        while not server.seen:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await wire.send(POST)).status == 200


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_certificate_of_a_trusted_authority_for_this_host_is_accepted() -> None:
    """The good case, over real TLS."""
    authority = trustme.CA()
    async with (
        hostile_server(server_side(authority.issue_cert("127.0.0.1"))) as server,
        transport(server.url, tls=trusting(authority)) as wire,
    ):
        assert (await wire.send(POST)).status == 200
        assert server.seen[0].header("authorization") == f"Bearer {KEY}"


@pytest.mark.parametrize("fault", ["wrong host", "expired", "unknown authority"])
async def test_a_certificate_that_proves_nothing_is_refused_before_the_key_leaves(fault: str) -> None:
    """A vendor we cannot be sure of is silence, and learns nothing."""
    authority = trustme.CA()
    trusted = trusting(authority)
    if fault == "wrong host":
        certificate = authority.issue_cert("elsewhere.test")
    elif fault == "expired":
        yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        certificate = authority.issue_cert("127.0.0.1", not_after=yesterday)
    else:
        certificate = trustme.CA().issue_cert("127.0.0.1")
    async with (
        hostile_server(server_side(certificate)) as server,
        transport(server.url, tls=trusted) as wire,
    ):
        response = await wire.send(POST)
        assert (response.status, response.silence) == (None, "connection")
        assert "certificate" in wire.last_failure
        assert server.seen == []


async def test_by_default_only_real_authorities_are_trusted() -> None:
    """Without a word from the operator an unknown authority is refused."""
    async with (
        hostile_server(server_side(trustme.CA().issue_cert("127.0.0.1"))) as server,
    ):
        wire = Transport(server.url, {}, LIMITS, max_in_flight=1)
        assert (await wire.send(POST)).silence == "connection"
        assert "certificate" in wire.last_failure
        await wire.close()
    context = trusted_authorities()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.cert_store_stats()["x509_ca"] > 100


async def test_plain_http_to_a_tls_port_is_silence() -> None:
    """A wrong scheme is no crash."""
    async with (
        hostile_server(server_side(trustme.CA().issue_cert("127.0.0.1"))) as server,
        transport(server.url.replace("https", "http")) as wire,
    ):
        assert (await wire.send(POST)).status is None


# ── privacy ──────────────────────────────────────────────────────────────────────────────────────


async def test_neither_key_nor_body_is_logged_or_kept_in_words(caplog: pytest.LogCaptureFixture) -> None:
    """Through good answers, broken ones and silence, at the lowest log level."""
    caplog.set_level(logging.DEBUG)
    async with hostile_server() as server, transport(server.url, IMPATIENT) as wire:
        jane = b"jane@shop.test"
        for behaviour in [answer(401, b"who is " + jane), reset(), truncated(jane), hang()]:
            server.script.append(behaviour)
            await wire.send(Request("POST", {}, jane))
            assert KEY not in wire.last_failure
            assert "jane" not in wire.last_failure
        assert KEY not in repr(wire)
    assert KEY not in caplog.text
    assert "jane" not in caplog.text
