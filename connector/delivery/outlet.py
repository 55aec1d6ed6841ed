"""The sender's neighbours: who carries requests, who hears what became of items, who tells the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from connector.delivery.breaker import BreakerState
from connector.model.item import Item, Rejection
from connector.vendors.contract import Request, Response


class Wire(Protocol):
    """Carries a request and brings an answer; `transport.Transport` is one. Silence is an answer too."""

    last_failure: str

    async def send(self, request: Request) -> Response: ...

    def use_credentials(self, headers: Mapping[str, str]) -> bool: ...

    async def close(self) -> None: ...


class Outlet(Protocol):
    """Where outcomes go. Every submitted item comes out of `delivered` or `rejected` once, unless its
    partition was fenced. Calls come on the event loop; they must not wait, and must not submit."""

    def delivered(self, items: Sequence[Item]) -> None:
        """The vendor took these."""

    def rejected(self, item: Item, rejection: Rejection) -> None:
        """The vendor will never take this one."""

    def halted(self, reason: str, detail: str) -> None:
        """Nothing is sent until a person acts, or a rotated key works."""

    def resumed(self) -> None:
        """Sending goes on."""


class Report(Protocol):
    """What the sender counts and tells; `ops.telemetry.Telemetry` is one."""

    def request_done(self, verdict: str, status: str, took_s: float, items: int, body_bytes: int) -> None: ...

    def probe_done(self, verdict: str, status: str, took_s: float) -> None: ...

    def requests_in_flight(self, n: int) -> None: ...

    def concurrency_limit(self, n: int) -> None: ...

    def retry_scheduled(self, reason: str, wait_s: float | None) -> None: ...

    def gate_closed(self, wait_s: float) -> None: ...

    def breaker_changed(self, state: BreakerState, detail: str, probe_s: float | None) -> None: ...

    def key_refused(self, detail: str) -> None: ...


SenderState = Literal["sending", "gated", "capped", "breaker_open", "halted"]


class SenderStatus(msgspec.Struct, frozen=True):
    """The sender at one moment, for people. Counts are batches; `in_flight` counts requests,
    `in_lanes` the items that wait for a predecessor with the same key."""

    state: SenderState
    halt_reason: str | None
    breaker: BreakerState
    in_flight: int
    limit: int
    waiting: int
    retrying: int
    in_lanes: int
    gate_s: float
    probe_s: float | None
    """Of an open breaker: until the next probe; 0 when it wants only for a batch."""
    last_failure: str
    """Which failure came last, in words without an address or a key; empty when there was none."""
