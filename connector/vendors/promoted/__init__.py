"""Promoted: views, impressions and actions for its ranking and its ads. What goes where: README.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel

from connector.model.event import Event
from connector.model.item import Item
from connector.model.verdict import Halt, Verdict
from connector.vendors import answers
from connector.vendors.contract import MapResult, Request, Response
from connector.vendors.promoted import mapping, verdict, wire
from connector.vendors.promoted.sandbox import UNAVOIDABLE, PromotedSandbox
from connector.vendors.promoted.settings import PromotedOptions


class Promoted:
    """The Metrics API."""

    name: ClassVar[str] = "promoted"
    Options: ClassVar[type[BaseModel]] = PromotedOptions
    consent: ClassVar[tuple[str, ...]] = ("personalization",)
    ordering: ClassVar[Literal["none", "key"]] = "none"
    ordering_required: ClassVar[bool] = False
    events: ClassVar[Mapping[str, str]] = mapping.EVENTS
    reasons: ClassVar[frozenset[str]] = mapping.REASONS | answers.REASONS
    unavoidable: ClassVar[frozenset[str]] = UNAVOIDABLE
    writes_to_customers: ClassVar[bool] = False
    url_per_account: ClassVar[bool] = True
    address_options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: PromotedOptions, consent: Sequence[str] | None = None) -> None:
        self.limits = wire.limits(options)
        self._options = options
        self._mapper = mapping.Mapper(options, self.consent if consent is None else consent)

    @classmethod
    def url(cls, options: PromotedOptions) -> str:
        return wire.EXAMPLE_URL

    @staticmethod
    def credentials(api_key: str) -> Mapping[str, str]:
        return {"x-api-key": api_key}

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
        names = ", ".join(dict.fromkeys(self._options.custom_types.values()))
        visitor = (
            f"anonUserId is user.{self._options.anon_user_id_source}: the site's own logs for Promoted must "
        )
        visitor += "carry the same value, or nothing is joined"
        return (visitor, f"custom action types to be agreed with Promoted: {names}") if names else (visitor,)

    @staticmethod
    def vendor_id(item: Item) -> str:
        return item.id

    @classmethod
    def sandbox(cls, options: PromotedOptions) -> PromotedSandbox:
        return PromotedSandbox()
