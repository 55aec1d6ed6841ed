"""Moloco Commerce Media: user events for its retail media ads. What goes where: README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel

from connector.model.event import Event
from connector.model.item import Item
from connector.model.verdict import Halt, Verdict
from connector.vendors import answers
from connector.vendors.contract import MapResult, Request, Response
from connector.vendors.moloco import mapping, verdict, wire
from connector.vendors.moloco.sandbox import MolocoSandbox
from connector.vendors.moloco.settings import MolocoOptions


class Moloco:
    """The user event endpoint of Moloco Commerce Media, one event a request."""

    name: ClassVar[str] = "moloco"
    Options: ClassVar[type[BaseModel]] = MolocoOptions
    consent: ClassVar[tuple[str, ...]] = ("advertising",)
    ordering: ClassVar[Literal["none", "key"]] = "none"
    ordering_required: ClassVar[bool] = False
    events: ClassVar[Mapping[str, str]] = mapping.EVENTS
    reasons: ClassVar[frozenset[str]] = mapping.REASONS | answers.REASONS
    unavoidable: ClassVar[frozenset[str]] = frozenset()
    writes_to_customers: ClassVar[bool] = False
    url_per_account: ClassVar[bool] = False
    address_options: ClassVar[tuple[str, ...]] = ("platform_name", "platform_id")

    def __init__(self, options: MolocoOptions, consent: Sequence[str] | None = None) -> None:
        self.limits = wire.limits(options)
        self._hashed = options.identity_hash == "sha256"
        self._mapper = mapping.Mapper(options, self.consent if consent is None else consent)

    @classmethod
    def url(cls, options: MolocoOptions) -> str:
        return wire.url(options)

    @staticmethod
    def credentials(api_key: str) -> Mapping[str, str]:
        return {"X-API-Key": api_key}

    def map(self, event: Event, now_ms: int) -> MapResult:
        return self._mapper.map(event, now_ms)

    def request(self, items: Sequence[Item]) -> Request:
        return wire.request(items)

    def judge(self, items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
        return verdict.judge(items, response, now_ms)

    def probe(self, url: str) -> Request | None:
        return None

    def judge_probe(self, response: Response) -> Halt | bool:
        return verdict.judge_probe(response)

    def advice(self) -> Sequence[str]:
        how = "as SHA-256 in lower-case hex" if self._hashed else "as they are, unhashed"
        return (
            f"identifiers are sent {how}: the platform's Decision API requests must carry the same values",
        )

    @staticmethod
    def vendor_id(item: Item) -> str:
        return item.id

    @classmethod
    def sandbox(cls, options: MolocoOptions) -> MolocoSandbox:
        return MolocoSandbox(
            options.platform_id or wire.PLATFORM_ID,
            purchases_without_revenue=options.unsupported_currency == "omit",
        )
