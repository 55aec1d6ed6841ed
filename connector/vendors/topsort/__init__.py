"""Topsort: impressions, clicks, purchases and page views for its ad auctions. What goes where: README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel

from connector.model.event import Event
from connector.model.item import Item
from connector.model.verdict import Halt, Verdict
from connector.vendors import answers
from connector.vendors.contract import MapResult, Request, Response
from connector.vendors.topsort import mapping, verdict, wire
from connector.vendors.topsort.sandbox import TopsortSandbox
from connector.vendors.topsort.settings import TopsortOptions


class Topsort:
    """The events endpoint of API v2."""

    name: ClassVar[str] = "topsort"
    Options: ClassVar[type[BaseModel]] = TopsortOptions
    consent: ClassVar[tuple[str, ...]] = ("advertising",)
    ordering: ClassVar[Literal["none", "key"]] = "none"
    ordering_required: ClassVar[bool] = False
    events: ClassVar[Mapping[str, str]] = mapping.EVENTS
    reasons: ClassVar[frozenset[str]] = mapping.REASONS | answers.REASONS
    unavoidable: ClassVar[frozenset[str]] = frozenset()
    writes_to_customers: ClassVar[bool] = False
    url_per_account: ClassVar[bool] = False
    address_options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: TopsortOptions, consent: Sequence[str] | None = None) -> None:
        self.limits = wire.limits(options)
        self._mapper = mapping.Mapper(options, self.consent if consent is None else consent)

    @classmethod
    def url(cls, options: TopsortOptions) -> str:
        return wire.URL

    @staticmethod
    def credentials(api_key: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {api_key}"}

    def map(self, event: Event, now_ms: int) -> MapResult:
        return self._mapper.map(event, now_ms)

    def request(self, items: Sequence[Item]) -> Request:
        return wire.request(items)

    def judge(self, items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
        return verdict.judge(items, response, now_ms)

    def probe(self, url: str) -> Request | None:
        return wire.probe(url)

    def judge_probe(self, response: Response) -> Halt | bool:
        return verdict.judge_probe(response)

    def advice(self) -> Sequence[str]:
        return ()

    @staticmethod
    def vendor_id(item: Item) -> str:
        return item.id

    @classmethod
    def sandbox(cls, options: TopsortOptions) -> TopsortSandbox:
        return TopsortSandbox()
