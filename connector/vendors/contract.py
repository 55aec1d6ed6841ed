"""Everything a vendor author needs, on one page.

A destination turns an event into items, items into a request, and an answer into a verdict. It does no I/O,
reads no clock, draws no random number, and gives the same ids and bytes for the same event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol

import msgspec
from pydantic import BaseModel

from connector.model.event import Event
from connector.model.item import Item
from connector.model.verdict import Halt, Verdict

# ── what a mapper answers ────────────────────────────────────────────────────────────────────────


class Mapped(msgspec.Struct, frozen=True, gc=False):
    """At least one item. `adjustments` names what was changed on the way (`line_dropped`), once per time."""

    items: Sequence[Item]
    adjustments: Sequence[str] = ()


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """The vendor has no use for this event: normal traffic, counted by its reason."""

    reason: str
    adjustments: Sequence[str] = ()


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The event can't be expressed in the vendor's terms: a dead letter. `path` names the field at fault."""

    reason: str
    path: str = ""
    adjustments: Sequence[str] = ()


MapResult = Mapped | Skipped | Refused

# ── what a vendor accepts ────────────────────────────────────────────────────────────────────────


class RetryPolicy(msgspec.Struct, frozen=True):
    """How long to wait before attempt n+1: `first_s` doubling up to `cap_s`.

    `full` jitter draws between 0 and the wait; `upward` adds 0 to 20 % to it.
    """

    first_s: float = 0.5
    cap_s: float = 60.0
    jitter: Literal["full", "upward"] = "full"


class ProbePolicy(msgspec.Struct, frozen=True):
    """When an open breaker tries again: after `first_s` seconds, doubling up to `cap_s`; and at least
    `apart_s` after the destination's own probe request was sent last."""

    first_s: float = 1.0
    cap_s: float = 60.0
    apart_s: float = 0.0


class Limits(msgspec.Struct, frozen=True):
    """What one request may hold, and how long one may take. Sizes in bytes, times in seconds.

    `per_kind` bounds each array on its own, `items_max` all of them together (1: one item a request).
    `frame_bytes` is the body without any item; each item costs its body and one comma.
    """

    items_max: int
    body_bytes_max: int
    per_kind: Mapping[str, int] = {}
    frame_bytes: int = 2
    unique_ids: bool = False
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 30.0
    requests_per_second: float | None = None
    retry_after_max_s: float = 300.0
    retry: RetryPolicy = RetryPolicy()
    probe: ProbePolicy = ProbePolicy()


# ── what goes over the wire ──────────────────────────────────────────────────────────────────────


class Request(msgspec.Struct, frozen=True):
    """One HTTP request. `url` None means the destination's; credentials are added by the transport."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    url: str | None = None


class Response(msgspec.Struct, frozen=True):
    """What came back. `status` None is silence; `silence` then tells which: `timeout` or `connection`.

    Header names are lower case. `body` is cut to 64 KiB.
    """

    status: int | None
    headers: Mapping[str, str] = {}
    body: bytes = b""
    silence: Literal["timeout", "connection"] | None = None


class Destination(Protocol):
    """One vendor endpoint with its mapping, limits and verdicts. A destination's class derives from this one,
    and so says only where it differs from what is usual; functions of its folder become its methods by
    `judge = staticmethod(verdict.judge)`.

    Class attributes describe it before it is configured; an instance is configured and ready.
    """

    name: ClassVar[str]
    Options: ClassVar[type[BaseModel]]
    """The typed `destination.options`."""
    consent: ClassVar[tuple[str, ...]]
    """Purposes that must not be refused, unless `delivery.consent` names others."""
    events: ClassVar[Mapping[str, str]]
    """Every canonical event type → what becomes of it, in words (`pageview`, `skip disabled_by_config`)."""
    reasons: ClassVar[frozenset[str]]
    """The skip and dead-letter reasons this destination can give."""

    ordering: ClassVar[Literal["none", "key"]] = "none"
    ordering_required: ClassVar[bool] = False

    unavoidable: ClassVar[frozenset[str]] = frozenset()
    """Why the vendor drops in silence what any connector must send: reasons of the stand-in's `ignored`."""

    writes_to_customers: ClassVar[bool] = False
    """True: what is sent may make the vendor write to people (an e-mail, a message), so old events must not
    be sent by accident. `check` warns of a start at the earliest."""

    url_per_account: ClassVar[bool] = False
    """True: the vendor gives every account its own address, so `destination.url` must be given."""

    address_options: ClassVar[tuple[str, ...]] = ()
    """Options that the address is built from, without a default: needed unless `destination.url` is given."""

    limits: Limits

    def __init__(self, options: Any, consent: Sequence[str] | None = None) -> None: ...

    @classmethod
    def url(cls, options: Any) -> str:
        """The contract's complete address, used when `destination.url` is null. With `url_per_account` it is
        only an example, at a host that can't exist and with the path that the stand-in listens at."""

    @staticmethod
    def credentials(api_key: str) -> Mapping[str, str]:
        """The headers that carry the key."""

    def map(self, event: Event, now_ms: int) -> MapResult:
        """An event's items, or why there are none. Pure; `now_ms` only for rules a contract states."""

    def request(self, items: Sequence[Item]) -> Request:
        """The request that carries these items, in their order. Bytes depend on the items alone."""

    def judge(self, items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
        """What the answer means for these items. Every status and every silence has a verdict;
        `Split` only for two items or more. With `ordering` `key` never a `Partial` that wants some again:
        they would come after newer ones of their key; `Retry` sends all again in their order."""

    def probe(self, url: str) -> Request | None:
        """A call without side effects that tells whether the endpoint works; none unless the vendor has one.
        `url` is the configured address."""
        return None

    def judge_probe(self, response: Response) -> Halt | bool:
        """True: healthy. False: not (yet). Halt: nothing can be sent until a person acts."""

    def advice(self) -> Sequence[str]:
        """What an operator should know before the first event, a sentence each; none as a rule. For what only
        the vendor's account can tell: what must be switched on there, what counts double."""
        return ()

    @staticmethod
    def vendor_id(item: Item) -> str:
        """What the vendor calls this item: its id, or what stands for it where bodies carry no id of ours.
        Demo and tests find it again in what the stand-in accepted."""
        return item.id

    @classmethod
    def sandbox(cls, options: Any) -> Sandbox:
        """The strict stand-in for this vendor."""


# ── the strict stand-in ──────────────────────────────────────────────────────────────────────────


class SandboxRequest(msgspec.Struct, frozen=True):
    """What reached the stand-in. Header names are lower case; `now_ms` is its own clock."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    now_ms: int


class SandboxAnswer(msgspec.Struct, frozen=True):
    """The vendor's answer, and what it did with the request: the vendor ids it `accepted` (with their order
    keys, None where order does not matter), those it `ignored` (id, reason: silently dropped by the vendor),
    and why the request was `refused`, if it was. `may_recur`: what was accepted can come again later and mean
    no disorder, as a cart that is what it was before and has no id of its own."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    accepted: Sequence[tuple[str, str | None]] = ()
    ignored: Sequence[tuple[str, str]] = ()
    refused: str | None = None
    may_recur: bool = False


class Sandbox(Protocol):
    """The vendor's stand-in: a request in, its answer out. Written from the contract, never from the mapping;
    it refuses everything the vendor refuses, and answers in the vendor's form to injected faults."""

    def answer(self, request: SandboxRequest) -> SandboxAnswer:
        """Judge one request as the vendor would."""

    def ids(self, request: SandboxRequest) -> Sequence[str]:
        """The ids that the request carries, without judging it (faults aim at ids); () if unreadable."""

    def throttled(self, retry_after_s: float) -> SandboxAnswer:
        """The vendor's own form of 429."""

    def failed(self, status: int) -> SandboxAnswer:
        """The vendor's own form of an injected error, 4xx or 5xx."""
