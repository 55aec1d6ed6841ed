"""Every form that HTTP allows an answer to have, and some that it does not."""

from __future__ import annotations

import asyncio
import gzip

import pytest
import trustme

from connector.delivery.transport import BODY_MAX
from tests.delivery.calling import LIMITS, POST, listening, server_side, transport, trusting
from tests.fakes.hostile import answer, head, hostile_server, raw

OPEN, CLOSED = True, False
CHUNKED = head(200, {"Transfer-Encoding": "chunked"})


@pytest.mark.parametrize(
    ("text", "body", "kept"),
    [
        pytest.param(head(200, {"Content-Length": "3"}) + b"abc", b"abc", OPEN, id="with a length"),
        pytest.param(head(200, {"Content-Length": "0"}), b"", OPEN, id="empty"),
        pytest.param(head(204, {}), b"", OPEN, id="204"),
        pytest.param(head(304, {"ETag": "x"}), b"", OPEN, id="304"),
        pytest.param(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", b"abc", OPEN, id="chunked"),
        pytest.param(
            CHUNKED + b"1;a=b\r\na\r\n2\r\nbc\r\n0\r\nX: y\r\n\r\n", b"abc", OPEN, id="chunked, with trailers"
        ),
        pytest.param(head(200, {}) + b"abc", b"abc", CLOSED, id="until the end"),
        pytest.param(
            head(200, {"Content-Length": "3", "Connection": "close"}) + b"abc",
            b"abc",
            CLOSED,
            id="and no more",
        ),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc", CLOSED, id="HTTP/1.0"),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", CLOSED, id="HTTP/1.0 with a length"
        ),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
            b"abc",
            OPEN,
            id="HTTP/1.0 that stays",
        ),
        pytest.param(b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", b"abc", OPEN, id="without a reason"),
    ],
)
@pytest.mark.parametrize("piecemeal", [False, True])
async def test_a_body_ends_where_its_answer_says(
    text: bytes, body: bytes, kept: bool, piecemeal: bool
) -> None:
    """In one piece or byte by byte; and the connection carries the next request if it may."""
    connections = 0

    async def vendor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b'{"a":1}'):
            for at in range(0, len(text), 1 if piecemeal else len(text)):
                writer.write(text[at : at + 1] if piecemeal else text)
                await asyncio.sleep(0)
            if not kept:
                return

    async with listening(vendor) as url, transport(url) as wire:
        for _ in range(2):
            response = await wire.send(POST)
            assert (response.status, response.body) == (int(text.split()[1]), body), wire.last_failure
        assert connections == (1 if kept else 2)


async def test_a_body_until_the_end_comes_whole_over_tls_too() -> None:
    """Its end is the other side's farewell."""
    authority = trustme.CA()
    async with (
        hostile_server(server_side(authority.issue_cert("127.0.0.1"))) as server,
        transport(server.url, tls=trusting(authority)) as wire,
    ):
        server.otherwise = raw(head(200, {}) + b"abc")
        for _ in range(3):
            response = await wire.send(POST)
            assert (response.status, response.body) == (200, b"abc")


@pytest.mark.parametrize("length", [BODY_MAX - 1, BODY_MAX, BODY_MAX + 1, 10 * BODY_MAX])
@pytest.mark.parametrize("chunked", [False, True])
async def test_what_is_longer_than_anybody_looks_at_costs_the_connection(length: int, chunked: bool) -> None:
    """The rest is not read, so nothing else may follow it."""
    body = b"x" * length
    if chunked:
        text = CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (length, body)
    else:
        text = head(200, {"Content-Length": str(length)}) + body
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(raw(text, stays_open=True))
        response = await wire.send(POST)
        assert (response.status, len(response.body)) == (200, min(length, BODY_MAX))
        assert (await wire.send(POST)).status == 200
        # Of one that is just as long as we read, chunked, the end may not have been seen.
        assert server.seen[1].connection in ({0, 1} if length == BODY_MAX else {int(length > BODY_MAX)})


async def test_a_compressed_body_is_left_as_it_came() -> None:
    """Nobody asked for it, and it may be a bomb."""
    packed = gzip.compress(b"x" * 10_000_000)
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(answer(200, packed, {"Content-Encoding": "gzip"}))
        assert (await wire.send(POST)).body == packed


@pytest.mark.parametrize("status", [100, 102, 103, 199])
async def test_what_only_announces_an_answer_is_not_taken_for_it(status: int) -> None:
    """However often it comes, and with headers."""
    async with hostile_server() as server, transport(server.url) as wire:
        early = head(status, {"Link": "</style.css>; rel=preload"})
        server.script.append(raw(3 * early + head(429, {"Content-Length": "0"}), stays_open=True))
        assert [(await wire.send(POST)).status for _ in range(2)] == [429, 200]
        assert server.connections == 1


async def test_a_connection_that_became_something_else_is_not_used_again() -> None:
    """Nobody asked for an upgrade."""
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(raw(head(101, {"Upgrade": "h2c", "Connection": "upgrade"}), stays_open=True))
        assert [(await wire.send(POST)).status for _ in range(2)] == [101, 200]
        assert server.connections == 2


async def test_answers_that_only_announce_others_have_an_end() -> None:
    """The whole request has one deadline."""

    async def vendor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(head(102, {}))
            await writer.drain()
            await asyncio.sleep(0)

    async with listening(vendor) as url, transport(url, LIMITS) as wire:
        assert (await wire.send(POST)).silence in ("timeout", "connection")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n", id="a reason without end"),
        pytest.param(b"x" * 100_000, id="a line without end"),
        pytest.param(head(200, {f"X-{n}": "y" for n in range(10_000)}), id="headers without number"),
        pytest.param(head(200, {"X" * 100_000: "y"}), id="a name without end"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", id="no status"),
        pytest.param(b"HTTP/1.1 99999 OK\r\n\r\n", id="a status of five digits"),
        pytest.param(b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n", id="a version of the future"),
        pytest.param(head(200, {"Content-Length": "-1"}), id="a negative length"),
        pytest.param(head(200, {"Content-Length": "abc"}), id="a length of letters"),
        pytest.param(head(200, {"Content-Length": "9" * 30}) + b"abc", id="a length beyond any number"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", id="two lengths"
        ),
        pytest.param(CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n", id="a chunk of no size"),
        pytest.param(CHUNKED + b"f" * 100 + b"\r\nabc", id="a chunk beyond any number"),
        pytest.param(CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n", id="a chunk longer than it says"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), id="TLS"),
        pytest.param(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18), id="HTTP/2"),
        pytest.param(b"<html><body>Service Unavailable</body></html>\r\n\r\n", id="HTML alone"),
        pytest.param(bytes(range(256)) * 40, id="noise"),
    ],
)
async def test_what_is_not_http_is_silence(text: bytes) -> None:
    """And never an exception, which would end the process."""
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(raw(text))
        response = await wire.send(POST)
        assert (response.status, response.silence) == (None, "connection")
        assert (await wire.send(POST)).status == 200
