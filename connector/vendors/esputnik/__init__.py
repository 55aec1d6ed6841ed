"""eSputnik (now Yespo): orders through v1/event, site and app activity through v2/event. See README.md.

Two destinations with one set of identifiers, limits and answers; an account may want either or both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel

from connector.model.event import Event
from connector.model.item import Item
from connector.model.verdict import Halt, Verdict
from connector.vendors import answers
from connector.vendors.contract import Limits, MapResult, Request, Response
from connector.vendors.esputnik import advice, orders, sandbox, site, verdict, wire
from connector.vendors.esputnik.settings import OrdersOptions, SiteOptions


class EsputnikOrders:
    """Orders: the generate-event method, version 1."""

    name: ClassVar[str] = "esputnik-orders"
    Options: ClassVar[type[BaseModel]] = OrdersOptions
    consent: ClassVar[tuple[str, ...]] = ()
    ordering: ClassVar[Literal["none", "key"]] = "key"
    ordering_required: ClassVar[bool] = True
    events: ClassVar[Mapping[str, str]] = orders.EVENTS
    reasons: ClassVar[frozenset[str]] = orders.REASONS | answers.REASONS
    unavoidable: ClassVar[frozenset[str]] = frozenset({sandbox.ORDER_UNKNOWN})
    url_per_account: ClassVar[bool] = False
    address_options: ClassVar[tuple[str, ...]] = ()
    writes_to_customers: ClassVar[bool] = True
    limits: Limits = wire.LIMITS

    def __init__(self, options: OrdersOptions, consent: Sequence[str] | None = None) -> None:
        self._advice = advice.of_orders(options)
        self._mapper = orders.Mapper(options, consent)

    @classmethod
    def url(cls, options: OrdersOptions) -> str:
        return wire.ORDERS_URL

    @staticmethod
    def credentials(api_key: str) -> Mapping[str, str]:
        return wire.credentials(api_key)

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
        return self._advice

    @staticmethod
    def vendor_id(item: Item) -> str:
        return wire.vendor_id(item)

    @classmethod
    def sandbox(cls, options: OrdersOptions) -> sandbox.EsputnikSandbox:
        return sandbox.EsputnikSandbox(version=1)


class EsputnikSite:
    """Site and app activity: the generate-event method, version 2."""

    name: ClassVar[str] = "esputnik-site"
    Options: ClassVar[type[BaseModel]] = SiteOptions
    consent: ClassVar[tuple[str, ...]] = ("marketing",)
    ordering: ClassVar[Literal["none", "key"]] = "key"
    ordering_required: ClassVar[bool] = True
    events: ClassVar[Mapping[str, str]] = site.EVENTS
    reasons: ClassVar[frozenset[str]] = site.REASONS | answers.REASONS
    unavoidable: ClassVar[frozenset[str]] = frozenset()
    url_per_account: ClassVar[bool] = False
    address_options: ClassVar[tuple[str, ...]] = ()
    writes_to_customers: ClassVar[bool] = True
    limits: Limits = wire.LIMITS

    def __init__(self, options: SiteOptions, consent: Sequence[str] | None = None) -> None:
        self._advice = advice.of_site(options)
        self._mapper = site.Mapper(options, self.consent if consent is None else consent)

    @classmethod
    def url(cls, options: SiteOptions) -> str:
        return wire.SITE_URL

    @staticmethod
    def credentials(api_key: str) -> Mapping[str, str]:
        return wire.credentials(api_key)

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
        return self._advice

    @staticmethod
    def vendor_id(item: Item) -> str:
        return wire.vendor_id(item)

    @classmethod
    def sandbox(cls, options: SiteOptions) -> sandbox.EsputnikSandbox:
        return sandbox.EsputnikSandbox(version=2)
