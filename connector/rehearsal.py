"""What would become of a record now: decoded, mapped and put into requests as it would be, and never sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType
from typing import Literal

import msgspec

from connector import guarded
from connector.codec.decoder import Decoded, Decoder, NeedSchema, Tombstone, Undecodable
from connector.configured import destination_of, registry_of
from connector.delivery.batcher import NEVER, Batcher
from connector.delivery.transport import HEADERS
from connector.model.event import Event
from connector.model.item import Item
from connector.model.record import Record
from connector.ops.telemetry import Telemetry
from connector.settings import Settings
from connector.settings.model import HIDDEN
from connector.vendors.contract import Mapped, Refused, Request, Skipped

SCHEMA_S = 15.0
"""How long a schema is waited for: an id that the registry does not know is asked for three times in 5 s."""


class Rehearsed(msgspec.Struct, frozen=True):
    """What came of it: `mapped` to items, `skipped` or `refused` for a reason, or it `waits` for a schema."""

    outcome: Literal["mapped", "skipped", "refused", "waits"]
    reason: str = ""
    detail: str = ""
    event: Event | None = None
    items: Sequence[Item] = ()
    adjustments: Sequence[str] = ()


class Rehearsal:
    """`async with Rehearsal(settings) as rehearsal`: asks the schema registry at the most, and nobody else.

    Build it on the running loop.
    """

    def __init__(self, settings: Settings) -> None:
        self.destination, self._url = destination_of(settings)
        self.consent = (
            settings.delivery.consent if settings.delivery.consent is not None else self.destination.consent
        )
        """Purposes that must not be refused."""
        self._credentials = dict.fromkeys(self.destination.credentials("-"), HIDDEN)
        self._registry = registry_of(settings, Telemetry(settings.destination.name))
        self._decoder = Decoder(settings.source.format, self._registry)

    async def __aenter__(self) -> Rehearsal:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._registry is not None:
            await self._registry.close()

    async def of(self, record: Record, now_ms: int) -> Rehearsed:
        """What would become of this record."""
        match await self._decode(record):
            case Tombstone():
                return Rehearsed("skipped", "tombstone")
            case Undecodable(reason, detail):
                return Rehearsed("refused", reason, detail)
            case NeedSchema(schema_id):
                return Rehearsed("waits", detail=f"the registry does not answer for schema {schema_id}")
            case event:
                return self._map(event, now_ms)

    async def _decode(self, record: Record) -> Decoded:
        """`NeedSchema` where the registry does not answer in time."""
        decoded = guarded.decode(self._decoder, record)
        if isinstance(decoded, NeedSchema):
            assert self._registry is not None, "a decoder without a registry never asks for a schema"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._registry.fetch(decoded.schema_id), SCHEMA_S)
                decoded = guarded.decode(self._decoder, record)
        return decoded

    def _map(self, event: Event, now_ms: int) -> Rehearsed:
        result = guarded.mapped(self.destination, event, now_ms)
        match result:
            case Mapped(items):
                return Rehearsed("mapped", event=event, items=items, adjustments=result.adjustments)
            case Skipped(reason):
                return Rehearsed("skipped", reason, "", event, adjustments=result.adjustments)
            case Refused(reason, path):
                return Rehearsed("refused", reason, path, event, adjustments=result.adjustments)

    def requests(self, items: Sequence[Item]) -> list[Request]:
        """The requests that would carry these items, were nothing else under way: complete, keys hidden."""
        batcher = Batcher(self.destination.limits, linger_s=NEVER)
        batches = [batcher.add(item, 0.0) for item in items] + [batcher.close()]
        return [self._complete(self.destination.request(batch)) for batch in batches if batch]

    def _complete(self, request: Request) -> Request:
        headers = {**HEADERS, **request.headers, **self._credentials}
        return msgspec.structs.replace(request, url=request.url or self._url, headers=headers)
