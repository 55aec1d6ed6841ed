"""Moloco Commerce Media: user events for its retail media ads. What goes where: README.md."""

from __future__ import annotations

from collections.abc import Sequence

from connector.model.event import Event
from connector.vendors import answers
from connector.vendors.contract import Destination, MapResult
from connector.vendors.moloco import mapping, verdict, wire
from connector.vendors.moloco.sandbox import MolocoSandbox
from connector.vendors.moloco.settings import MolocoOptions


class Moloco(Destination):
    """The user event endpoint of Moloco Commerce Media, one event a request."""

    name = "moloco"
    Options = MolocoOptions
    consent = ("advertising",)
    events = mapping.EVENTS
    reasons = mapping.REASONS | answers.REASONS
    address_options = ("platform_name", "platform_id")

    url = staticmethod(wire.url)
    credentials = staticmethod(wire.credentials)
    request = staticmethod(wire.request)
    judge = staticmethod(verdict.judge)
    judge_probe = staticmethod(verdict.judge_probe)

    def __init__(self, options: MolocoOptions, consent: Sequence[str] | None = None) -> None:
        self.limits = wire.limits(options)
        self._hashed = options.identity_hash == "sha256"
        self._mapper = mapping.Mapper(options, self.consent if consent is None else consent)

    def map(self, event: Event, now_ms: int) -> MapResult:
        return self._mapper.map(event, now_ms)

    def advice(self) -> Sequence[str]:
        how = "as SHA-256 in lower-case hex" if self._hashed else "as they are, unhashed"
        return (
            f"identifiers are sent {how}: the platform's Decision API requests must carry the same values",
        )

    @classmethod
    def sandbox(cls, options: MolocoOptions) -> MolocoSandbox:
        return MolocoSandbox(
            options.platform_id or wire.PLATFORM_ID,
            purchases_without_revenue=options.unsupported_currency == "omit",
        )
