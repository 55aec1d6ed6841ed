"""Promoted: views, impressions and actions for its ranking and its ads. What goes where: README.md."""

from __future__ import annotations

from collections.abc import Sequence

from connector.model.event import Event
from connector.vendors import answers
from connector.vendors.contract import Destination, MapResult
from connector.vendors.promoted import mapping, verdict, wire
from connector.vendors.promoted.sandbox import UNAVOIDABLE, PromotedSandbox
from connector.vendors.promoted.settings import PromotedOptions


class Promoted(Destination):
    """The Metrics API."""

    name = "promoted"
    Options = PromotedOptions
    consent = ("personalization",)
    events = mapping.EVENTS
    reasons = mapping.REASONS | answers.REASONS
    unavoidable = UNAVOIDABLE
    url_per_account = True

    credentials = staticmethod(wire.credentials)
    request = staticmethod(wire.request)
    judge = staticmethod(verdict.judge)
    probe = staticmethod(wire.probe)
    judge_probe = staticmethod(verdict.judge_probe)

    def __init__(self, options: PromotedOptions, consent: Sequence[str] | None = None) -> None:
        self.limits = wire.limits(options)
        self._options = options
        self._mapper = mapping.Mapper(options, self.consent if consent is None else consent)

    @classmethod
    def url(cls, options: PromotedOptions) -> str:
        return wire.EXAMPLE_URL

    def map(self, event: Event, now_ms: int) -> MapResult:
        return self._mapper.map(event, now_ms)

    def advice(self) -> Sequence[str]:
        names = ", ".join(dict.fromkeys(self._options.custom_types.values()))
        visitor = (
            f"anonUserId is user.{self._options.anon_user_id_source}: the site's own logs for Promoted must "
        )
        visitor += "carry the same value, or nothing is joined"
        return (visitor, f"custom action types to be agreed with Promoted: {names}") if names else (visitor,)

    @classmethod
    def sandbox(cls, options: PromotedOptions) -> PromotedSandbox:
        return PromotedSandbox()
