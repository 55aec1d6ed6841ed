"""When a connection is used again and when it is cut off; no request is ever sent twice by itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
import pytest
import trustme
from aiohttp.abc import ResolveResult
from aiohttp.connector import Connection

from connector.delivery import transport as transport_module
from connector.delivery.transport import Transport
from connector.vendors.contract import Request, Response
from tests.delivery.calling import (
    HUGE,
    HUGE_BYTES,
    IMPATIENT,
    PATIENT,
    POST,
    listening,
    recovers,
    server_side,
    transport,
    trusting,
    until,
)
from tests.fakes.hostile import (
    Behaviour,
    HostileServer,
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

OK = head(200, {"Content-Length": "0"})
GET = Request("GET", {}, b"")
NO_ANSWER = (None, "connection")


async def turns() -> None:
    """What was written on this machine is in the other socket already; the loop must look there."""
    for _ in range(20):
        await asyncio.sleep(0)


def outcome(response: Response) -> tuple[int | None, str | None]:
    return response.status, response.silence


# ── closed by the other side ─────────────────────────────────────────────────────────────────────


async def test_a_connection_that_was_closed_while_idle_is_replaced_unseen() -> None:
    """The usual case: it is noticed long before the next request."""
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(raw(OK))
        assert (await wire.send(POST)).status == 200
        await until(lambda: server.ended == 1)
        await turns()
        assert (await wire.send(POST)).status == 200
        assert [seen.connection for seen in server.seen] == [0, 1]


@pytest.mark.parametrize("request_", [POST, GET], ids=["POST", "GET"])
@pytest.mark.parametrize("last_word", [raw(b""), reset()], ids=["closed", "reset"])
async def test_a_connection_that_is_closed_when_a_request_arrives_is_silence(
    request_: Request, last_word: Behaviour
) -> None:
    """Whether the vendor took it nobody knows. It is not sent again from here, harmless as its method may
    be: how often and when is decided elsewhere."""
    async with hostile_server() as server, transport(server.url) as wire:
        assert (await wire.send(request_)).status == 200
        server.script.append(last_word)
        assert outcome(await wire.send(request_)) == NO_ANSWER
        assert len(server.seen) == 2
        assert outcome(await wire.send(request_)) == (200, None)


async def test_a_vendor_that_closes_behind_every_answer_costs_no_request_its_outcome() -> None:
    """The next request may leave in the instant of the close, before, or after: it is answered, or it is
    silence, and each that the vendor saw was sent by one `send`."""
    async with hostile_server() as server, transport(server.url, max_in_flight=8) as wire:
        server.otherwise = raw(OK)

        async def sender() -> list[tuple[int | None, str | None]]:
            return [outcome(await wire.send(POST)) for _ in range(50)]

        results = [each for many in await asyncio.gather(*(sender() for _ in range(4))) for each in many]
        assert set(results) <= {(200, None), NO_ANSWER}
        assert results.count((200, None)) >= 100
        assert len(server.seen) <= len(results)


async def test_a_vendor_that_closes_every_connection_at_once_is_silence() -> None:
    """It accepts and closes, with and without a word; the process lives on."""
    for greeting in (b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"):

        async def vendor(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, greeting: bytes = greeting
        ) -> None:
            writer.write(greeting)

        async with listening(vendor) as url, transport(url) as wire:
            for _ in range(20):
                assert outcome(await wire.send(POST)) in (NO_ANSWER, (503, None))


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "being closed"])
async def test_a_connection_that_is_gone_before_anything_is_sent_is_silence(
    monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """However late we come to use it."""
    connect = aiohttp.TCPConnector.connect

    async def slowly(*args: Any, **more: Any) -> Connection:
        connection = await connect(*args, **more)
        transport = connection.transport
        assert transport is not None
        transport.close()
        if lost:
            await until(lambda: connection.transport is None)
        return connection

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", slowly)
    async with hostile_server() as server, transport(server.url, max_in_flight=1) as wire:
        for _ in range(5):
            assert outcome(await wire.send(POST)) == NO_ANSWER
            assert wire.last_failure == "connection: closed as soon as it was open"


async def test_a_vendor_that_ends_tls_at_once_is_silence() -> None:
    """The handshake is done, and then the line is dead."""
    authority = trustme.CA()

    async def vendor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with (
        listening(vendor, server_side(authority.issue_cert("127.0.0.1"))) as url,
        transport(url, tls=trusting(authority)) as wire,
    ):
        for _ in range(20):
            assert outcome(await wire.send(POST)) == NO_ANSWER


# ── more than was asked for ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "more", [head(503, {"Content-Length": "0"}), OK + OK, b"x", b"\r\n\r\nHTTP/1.1 503 Busy\r\n\r\n"]
)
async def test_what_follows_an_answer_is_not_taken_for_the_next_one(more: bytes) -> None:
    """Else every answer from here on would be that of the request before."""
    async with hostile_server() as server, transport(server.url) as wire:
        server.script.append(raw(OK + more, stays_open=True))
        first = await wire.send(POST)
        assert outcome(first) in ((200, None), NO_ANSWER)  # noise in the same breath spoils the answer
        assert (await wire.send(POST)).status == 200
        assert server.seen[1].connection == 1


async def answered_once(server: HostileServer, wire: Transport) -> Callable[[bytes], None]:
    """One request and its answer; what is called afterwards says more on that connection, unasked."""
    writers: list[asyncio.StreamWriter] = []

    async def remember(writer: asyncio.StreamWriter) -> bool:
        writers.append(writer)
        writer.write(OK)
        return True

    server.script.append(remember)
    assert (await wire.send(POST)).status == 200
    return writers[0].write


async def test_what_comes_on_an_idle_connection_is_not_taken_for_an_answer() -> None:
    """Some servers say 408 before they close an idle connection, and the next request may be there before
    the close. It is not sent, so nobody has seen it."""
    async with hostile_server() as server, transport(server.url) as wire:
        speak = await answered_once(server, wire)
        speak(head(204, {}))
        await turns()
        assert outcome(await wire.send(POST)) == NO_ANSWER
        assert wire.last_failure == "connection: the other side spoke before it was asked"
        assert len(server.seen) == 1
        assert (await wire.send(POST)).status == 200
        assert server.seen[1].connection == 1


async def test_what_the_loop_has_not_read_yet_is_not_taken_for_an_answer_either() -> None:
    """A busy loop: the stray answer still lies in the kernel when the next request wants to leave."""
    async with hostile_server() as server, transport(server.url) as wire:
        speak = await answered_once(server, wire)
        speak(head(204, {}))
        assert outcome(await wire.send(POST)) == NO_ANSWER
        assert wire.last_failure == "connection: the other side spoke before it was asked"
        assert len(server.seen) == 1


async def test_a_connection_is_not_used_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were its answers ever one behind, that would end soon; and a vendor that moves is found again."""
    monkeypatch.setattr(transport_module, "USES_MAX", 3)
    async with hostile_server() as server, transport(server.url) as wire:
        for _ in range(7):
            assert (await wire.send(POST)).status == 200
        assert [seen.connection for seen in server.seen] == [0, 0, 0, 1, 1, 1, 2]


async def test_an_old_connection_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """However seldom it was used."""
    monkeypatch.setattr(transport_module, "AGE_MAX_S", 0.0)
    async with hostile_server() as server, transport(server.url) as wire:
        for _ in range(2):
            assert (await wire.send(POST)).status == 200
        assert [seen.connection for seen in server.seen] == [0, 1]


# ── before the request has left ──────────────────────────────────────────────────────────────────


class Deaf:
    """A vendor that reads the head of a request and nothing of its body; `read` is what it got in the end."""

    def __init__(self, says: bytes, *, closes: bool = False) -> None:
        self.says = says
        self.closes = closes
        self.requests = 0
        self.read: list[int] = []
        self.may_read = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head_ = await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        writer.write(self.says)
        if self.closes:
            return
        await self.may_read.wait()
        got = 0
        try:
            while chunk := await reader.read(1 << 20):
                got += len(chunk)
        except ConnectionError:
            pass
        assert b"Content-Length: %d\r\n" % HUGE_BYTES in head_
        self.read.append(got)


@pytest.mark.parametrize(("status", "tls"), [(413, False), (413, True), (200, False)])
async def test_an_answer_that_comes_before_the_body_has_left_counts(status: int, tls: bool) -> None:
    """413, as a rule. What is left of the body never leaves, and its connection is not used again."""
    authority = trustme.CA()
    vendor = Deaf(head(status, {"Content-Length": "9"}) + b"very well")
    async with (
        listening(vendor, server_side(authority.issue_cert("127.0.0.1")) if tls else None) as url,
        transport(url, PATIENT, tls=trusting(authority)) as wire,
    ):
        for times in (1, 2):
            response = await wire.send(HUGE)
            assert (response.status, response.body) == (status, b"very well")
            assert vendor.requests == times
        vendor.may_read.set()
        await until(lambda: len(vendor.read) == 2)
        assert max(vendor.read) < HUGE_BYTES


async def test_an_answer_with_a_close_before_the_body_has_left_is_that_answer_or_silence() -> None:
    """The reset that follows may overtake it on the way."""
    vendor = Deaf(head(413, {"Content-Length": "0"}), closes=True)
    async with listening(vendor) as url, transport(url, PATIENT) as wire:
        for _ in range(5):
            assert outcome(await wire.send(HUGE)) in ((413, None), NO_ANSWER)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_a_request_that_is_given_up_is_cut_off_in_the_middle(how: str, tls: bool) -> None:
    """A rebalance breaks requests off so that they do not arrive late: what has not left must not leave."""
    authority = trustme.CA()
    vendor = Deaf(b"")
    limits = msgspec.structs.replace(PATIENT, request_timeout_s=0.5 if how == "timed out" else 60.0)
    async with (
        listening(vendor, server_side(authority.issue_cert("127.0.0.1")) if tls else None) as url,
        transport(url, limits, tls=trusting(authority)) as wire,
    ):
        task = asyncio.create_task(wire.send(HUGE))
        if how == "cancelled":
            await until(lambda: vendor.requests == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            assert outcome(await task) == (None, "timeout")
        vendor.may_read.set()
        await until(lambda: vendor.read)
        assert vendor.read[0] < HUGE_BYTES


# ── how many ─────────────────────────────────────────────────────────────────────────────────────

TROUBLE: dict[str, Callable[[], Behaviour]] = {
    "reset": reset,
    "truncated": truncated,
    "noise": lambda: raw(b"noise\r\n\r\n"),
    "hang": hang,
    "drip": drip,
    "endless": lambda: endless([0]),
    "closed": lambda: raw(b""),
    "close": lambda: answer(200, headers={"Connection": "close"}),
    "two": lambda: raw(OK + OK, stays_open=True),
}


@pytest.mark.parametrize("trouble", TROUBLE)
async def test_no_trouble_costs_a_place(trouble: str) -> None:
    """One request at a time, and room for one more: after ten in trouble there still is."""
    limits = IMPATIENT if trouble in ("hang", "drip") else PATIENT
    async with hostile_server() as server, transport(server.url, limits, max_in_flight=1) as wire:
        for _ in range(10):
            server.script.append(TROUBLE[trouble]())
            await wire.send(POST)
        await recovers(wire)


async def test_who_waits_for_a_connection_does_not_wait_for_ever() -> None:
    """More requests than connections: the connect timeout counts; and whoever gives up leaves its place."""
    hasty = msgspec.structs.replace(PATIENT, connect_timeout_s=0.2)
    async with hostile_server() as server, transport(server.url, hasty, max_in_flight=1) as wire:
        server.script.extend([hang(), hang()])
        stuck = [asyncio.create_task(wire.send(POST)) for _ in range(2)]
        await until(lambda: len(server.seen) == 2)
        assert outcome(await wire.send(POST)) == NO_ANSWER
        assert wire.last_failure == "connection: no connection in time"
        waiting = [asyncio.create_task(wire.send(POST)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in [*waiting, *stuck]:
            task.cancel()
        await asyncio.gather(*waiting, *stuck, return_exceptions=True)
        assert outcome(await wire.send(POST)) == (200, None)
        assert server.connections <= 3


async def test_closing_ends_what_is_in_flight() -> None:
    """As silence, should it still be there; and a request after it is silence, too."""
    async with hostile_server() as server, transport(server.url, PATIENT) as wire:
        server.script.append(hang())
        task = asyncio.create_task(wire.send(POST))
        await until(lambda: server.seen)
        await wire.close()
        assert outcome(await task) == NO_ANSWER
        assert outcome(await wire.send(POST)) == NO_ANSWER


# ── where to ─────────────────────────────────────────────────────────────────────────────────────


async def test_an_address_that_is_dead_does_not_hide_one_that_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name stands for several, of both kinds; the first may be unreachable from here."""
    async with hostile_server() as server:
        port = int(server.url.split(":")[2].partition("/")[0])

        async def several(_self: object, host: str, port: int, **_more: object) -> list[ResolveResult]:
            found = [("::1", socket.AF_INET6), ("127.0.0.9", socket.AF_INET), ("127.0.0.1", socket.AF_INET)]
            return [
                ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
                for each, family in found
            ]

        monkeypatch.setattr(aiohttp.DefaultResolver, "resolve", several)
        async with transport(f"http://vendor.test:{port}/log") as wire:
            assert outcome(await wire.send(POST)) == (200, None)
            assert server.seen[0].header("host") == f"vendor.test:{port}"
