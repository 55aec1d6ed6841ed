"""Topsort: impressions, clicks, purchases and page views for its ad auctions. What goes where: README.md."""

from __future__ import annotations

from collections.abc import Sequence

from connector.model.event import Event
from connector.vendors import answers
from connector.vendors.contract import Destination, MapResult
from connector.vendors.topsort import mapping, verdict, wire
from connector.vendors.topsort.sandbox import TopsortSandbox
from connector.vendors.topsort.settings import TopsortOptions


class Topsort(Destination):
    """The events endpoint of API v2."""

    name = "topsort"
    Options = TopsortOptions
    consent = ("advertising",)
    events = mapping.EVENTS
    reasons = mapping.REASONS | answers.REASONS

    credentials = staticmethod(wire.credentials)
    request = staticmethod(wire.request)
    judge = staticmethod(verdict.judge)
    probe = staticmethod(wire.probe)
    judge_probe = staticmethod(verdict.judge_probe)

    def __init__(self, options: TopsortOptions, consent: Sequence[str] | None = None) -> None:
        self.limits = wire.limits(options)
        self._mapper = mapping.Mapper(options, self.consent if consent is None else consent)

    @classmethod
    def url(cls, options: TopsortOptions) -> str:
        return wire.URL

    def map(self, event: Event, now_ms: int) -> MapResult:
        return self._mapper.map(event, now_ms)

    @classmethod
    def sandbox(cls, options: TopsortOptions) -> TopsortSandbox:
        return TopsortSandbox()
