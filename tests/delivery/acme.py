"""An invented vendor that uses everything the sender can do, and a wire to it without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel

from connector.model.event import Event
from connector.model.item import Item, Ticket
from connector.model.record import Lease, Record
from connector.model.verdict import Delivered, Halt, Partial, Reject, Retry, Split, Verdict
from connector.vendors.contract import Destination, Limits, MapResult, Request, Response, RetryPolicy, Sandbox

LIMITS = Limits(items_max=10, body_bytes_max=10_000, retry=RetryPolicy(first_s=0.5, cap_s=60.0))


HALTS = {401: Halt("auth", "key refused"), 403: Halt("auth", "no right"), 404: Halt("not_found", "where?")}


class Options(BaseModel):
    """None."""


class Half(msgspec.Struct):
    """The body of a 207: index → why not, and the indexes to send again."""

    rejected: dict[int, str] = {}
    retry: list[int] = []


class Acme(Destination):
    """207 is Partial, 400 splits, 409 rejects, 401, 403 and 404 halt, 429 throttles, 5xx and silence are
    retried."""

    name = "invented"
    Options = Options
    consent = ()
    events: ClassVar[Mapping[str, str]] = {}
    reasons = frozenset({"vendor_rejected", "throttled_identifier"})
    limits = LIMITS

    def __init__(
        self, options: Any = None, consent: Sequence[str] | None = None, probes: bool = False
    ) -> None:
        self._probes = probes

    @classmethod
    def url(cls, options: Any) -> str:
        return "https://acme.test/events"

    @staticmethod
    def credentials(api_key: str) -> Mapping[str, str]:
        return {"x-key": api_key}

    def map(self, event: Event, now_ms: int) -> MapResult:
        raise NotImplementedError

    def request(self, items: Sequence[Item]) -> Request:
        return Request("POST", {}, b",".join(item.body for item in items))

    def judge(self, items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
        match response.status:
            case None:
                assert response.silence is not None
                return Retry(response.silence)
            case 200:
                return Delivered()
            case 207:
                half = msgspec.json.decode(response.body, type=Half)
                why = {at: ("vendor_rejected", detail) for at, detail in half.rejected.items()}
                return Partial(why, frozenset(half.retry))
            case 400:
                return Split() if len(items) > 1 else Reject("vendor_rejected", response.body.decode())
            case 409:
                return Reject("http_409")
            case 401 | 403 | 404 as status:
                return HALTS[status]
            case 425:
                return Retry("clock_skew", _after_s(response))
            case 429:
                return Retry("throttled", _after_s(response))
            case _:
                return Retry("server_error", _after_s(response))

    def probe(self, url: str) -> Request | None:
        return Request("GET", {}, b"probe") if self._probes else None

    def judge_probe(self, response: Response) -> Halt | bool:
        if response.status in HALTS:
            return HALTS[response.status]
        return response.status == 200

    @classmethod
    def sandbox(cls, options: Any) -> Sandbox:
        raise NotImplementedError


def _after_s(response: Response) -> float | None:
    stated = response.headers.get("retry-after")
    return None if stated is None else float(stated)


Answer = Callable[[list[str]], Response]
"""What the vendor says to a request with these ids (`["probe"]` for a probe)."""


class Wire:
    """Carries requests to a function. Every answer takes `latency_s`."""

    def __init__(self, answer: Answer, latency_s: float = 0.05) -> None:
        self.answer = answer
        self.latency_s = latency_s
        self.sent: list[tuple[float, list[str]]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.credentials: Mapping[str, str] = {"x-key": "old"}
        self.last_failure = ""
        self.closed = False

    async def send(self, request: Request) -> Response:
        ids = request.body.decode().split(",")
        self.sent.append((asyncio.get_running_loop().time(), ids))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.latency_s)
            return self.answer(ids)
        finally:
            self.in_flight -= 1

    def use_credentials(self, headers: Mapping[str, str]) -> bool:
        others = headers != self.credentials
        self.credentials = headers
        return others

    async def close(self) -> None:
        self.closed = True


LEASE = Lease("clicks", 0, 1)


def item(
    item_id: str,
    *,
    kind: str = "event",
    size: int | None = None,
    key: str | None = None,
    lease: Lease = LEASE,
) -> Item:
    """One item of a record of its own. Its body is its id, or `size` bytes of nothing."""
    body = item_id.encode() if size is None else b"x" * size
    ticket = Ticket(Record(lease, 0, 0, None, None, ()), open=1)
    return Item(id=item_id, kind=kind, body=body, at_ms=0, key=key, ticket=ticket)
