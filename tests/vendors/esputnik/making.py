"""Small events for eSputnik's tests, and what becomes of them, in words that can be compared."""

from __future__ import annotations

import json
from typing import Any

from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.esputnik import EsputnikOrders, EsputnikSite
from connector.vendors.esputnik.settings import OrdersOptions, SiteOptions
from tests.vendors.any_event import event_of

NOW_MS = 1_795_010_600_000
OCCURRED_AT_MS = 1_795_010_587_123  # 2026-11-18T14:03:07.123Z
CREATED_AT_MS = 1_795_010_000_000  # 2026-11-18T13:53:20Z
EVENT_ID = "00000000-0000-4000-8000-000000000600"

ORDER: dict[str, Any] = {
    "order_id": "ord-1",
    "status": "new",
    "total_micros": 12_950_000,
    "currency": "EUR",
    "created_at": CREATED_AT_MS,
}
BASE: dict[str, Any] = {
    "event_id": EVENT_ID,
    "occurred_at": OCCURRED_AT_MS,
    "user": {"email": "olena@example.com"},
}
Options = dict[str, Any] | None


class Made:
    """What one of the destinations makes of a small event of this type with these groups."""

    def __init__(
        self,
        event_type: str,
        options: Options = None,
        purposes: list[str] | None = None,
        *,
        site: bool = False,
        now_ms: int = NOW_MS,
        **groups: Any,
    ) -> None:
        form = {**BASE, "event_type": event_type, **groups}
        if event_type.startswith(("order_", "subscription")) and "order" not in groups:
            form["order"] = ORDER
        destination = (
            EsputnikSite(SiteOptions.model_validate(options or {}), purposes)
            if site
            else EsputnikOrders(OrdersOptions.model_validate(options or {}), purposes)
        )
        self.result: MapResult = destination.map(event_of(form), now_ms)

    @property
    def why(self) -> str:
        """Why nothing is sent, as `skip …` or `refuse …`."""
        match self.result:
            case Skipped(reason):
                return f"skip {reason}"
            case Refused(reason):
                return f"refuse {reason}"
            case mapped:
                raise AssertionError(f"expected no item, got {mapped}")

    @property
    def items(self) -> list[Item]:
        assert isinstance(self.result, Mapped), self.result
        return list(self.result.items)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(item.body) for item in self.items]

    @property
    def body(self) -> dict[str, Any]:
        (only,) = self.bodies
        return only

    @property
    def names(self) -> list[str]:
        """The params' names, in their order."""
        return [param["name"] for param in self.body["params"]]

    @property
    def params(self) -> dict[str, Any]:
        """The params of the only request; no name twice."""
        pairs = [(param["name"], param["value"]) for param in self.body["params"]]
        assert len(dict(pairs)) == len(pairs)
        assert all(set(param) == {"name", "value"} for param in self.body["params"])
        return dict(pairs)

    @property
    def adjustments(self) -> list[str]:
        return list(self.result.adjustments)


def order(event_type: str = "order_created", options: Options = None, **groups: Any) -> Made:
    """Of the destination for orders; `order` changes the small order (`...` takes a field away)."""
    if "order" in groups:
        changed = {**ORDER, **groups["order"]}
        groups["order"] = {name: value for name, value in changed.items() if value is not ...}
    return Made(event_type, options, **groups)


def site(event_type: str, options: Options = None, **groups: Any) -> Made:
    """Of the destination for site activity."""
    return Made(event_type, options, site=True, **groups)
