"""eSputnik (now Yespo): orders through v1/event, site and app activity through v2/event. See README.md.

Two destinations with one set of identifiers, limits and answers; an account may want either or both.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.model.event import Event
from connector.vendors import answers
from connector.vendors.contract import Destination, MapResult
from connector.vendors.esputnik import advice, orders, sandbox, site, verdict, wire
from connector.vendors.esputnik.settings import OrdersOptions, SiteOptions


class EsputnikOrders(Destination):
    """Orders: the generate-event method, version 1."""

    name = "esputnik-orders"
    Options = OrdersOptions
    consent = ()
    events = orders.EVENTS
    reasons = orders.REASONS | answers.REASONS
    ordering = "key"
    ordering_required = True
    unavoidable = frozenset({sandbox.ORDER_UNKNOWN})
    writes_to_customers = True
    limits = wire.LIMITS

    credentials = staticmethod(wire.credentials)
    request = staticmethod(wire.request)
    judge = staticmethod(verdict.judge)
    probe = staticmethod(wire.probe)
    judge_probe = staticmethod(verdict.judge_probe)
    vendor_id = staticmethod(wire.vendor_id)

    def __init__(self, options: OrdersOptions, consent: Sequence[str] | None = None) -> None:
        self._advice = advice.of_orders(options)
        self._mapper = orders.Mapper(options, consent)

    @classmethod
    def url(cls, options: OrdersOptions) -> str:
        return wire.ORDERS_URL

    def map(self, event: Event, now_ms: int) -> MapResult:
        return self._mapper.map(event, now_ms)

    def advice(self) -> Sequence[str]:
        return self._advice

    @classmethod
    def sandbox(cls, options: OrdersOptions) -> sandbox.EsputnikSandbox:
        return sandbox.EsputnikSandbox(version=1)


class EsputnikSite(Destination):
    """Site and app activity: the generate-event method, version 2."""

    name = "esputnik-site"
    Options = SiteOptions
    consent = ("marketing",)
    events = site.EVENTS
    reasons = site.REASONS | answers.REASONS
    ordering = "key"
    ordering_required = True
    writes_to_customers = True
    limits = wire.LIMITS

    credentials = staticmethod(wire.credentials)
    request = staticmethod(wire.request)
    judge = staticmethod(verdict.judge)
    probe = staticmethod(wire.probe)
    judge_probe = staticmethod(verdict.judge_probe)
    vendor_id = staticmethod(wire.vendor_id)

    def __init__(self, options: SiteOptions, consent: Sequence[str] | None = None) -> None:
        self._advice = advice.of_site(options)
        self._mapper = site.Mapper(options, self.consent if consent is None else consent)

    @classmethod
    def url(cls, options: SiteOptions) -> str:
        return wire.SITE_URL

    def map(self, event: Event, now_ms: int) -> MapResult:
        return self._mapper.map(event, now_ms)

    def advice(self) -> Sequence[str]:
        return self._advice

    @classmethod
    def sandbox(cls, options: SiteOptions) -> sandbox.EsputnikSandbox:
        return sandbox.EsputnikSandbox(version=2)
