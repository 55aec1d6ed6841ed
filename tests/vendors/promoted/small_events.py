"""Small events and what becomes of them: the tests of the mapping say only what matters to them."""

from __future__ import annotations

import json
from typing import Any

from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.promoted import Promoted
from connector.vendors.promoted.settings import PromotedOptions
from tests.vendors.any_event import event_of

NOW_MS = 1_795_010_600_000
EVENT_ID = "00000000-0000-4000-8000-000000000300"

CLICKSTREAM: dict[str, Any] = {
    "event_id": EVENT_ID,
    "occurred_at": 1_795_010_587_123,
    "user": {"anonymous_id": "u-1"},
}
ORDER: dict[str, Any] = {
    **CLICKSTREAM,
    "order": {"order_id": "ord-1", "currency": "EUR"},
    "items": [{"product_id": "sku-1", "unit_price_micros": 12_950_000}],
}
SKU: dict[str, Any] = {"product_id": "sku-1"}
TWO: list[dict[str, Any]] = [{"product_id": "sku-1"}, {"product_id": "sku-2"}]
REFERS = {"request_id": "r-1", "view_id": "v-1", "insertion_id": "i-1", "impression_id": "imp-1"}


def result(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> MapResult:
    """What becomes of a small event with these groups."""
    base = ORDER if event_type.startswith(("order_", "subscription")) else CLICKSTREAM
    destination = Promoted(PromotedOptions.model_validate(options or {}))
    return destination.map(event_of({**base, "event_type": event_type, **changes}), NOW_MS)


def records(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> list[Any]:
    """The records it becomes."""
    mapped = result(event_type, options, **changes)
    assert isinstance(mapped, Mapped), mapped
    return [json.loads(item.body) for item in mapped.items]


def record(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> Any:
    """The only record it becomes."""
    (only,) = records(event_type, options, **changes)
    return only


def why(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> str:
    """Why nothing is sent, as `skip …` or `refuse …`."""
    match result(event_type, options, **changes):
        case Skipped(reason):
            return f"skip {reason}"
        case Refused(reason):
            return f"refuse {reason}"
        case mapped:
            raise AssertionError(f"expected no record, got {mapped}")


def at_fault(event_type: str, options: dict[str, Any] | None = None, **changes: Any) -> str:
    """The path that a refusal names."""
    refused = result(event_type, options, **changes)
    assert isinstance(refused, Refused), refused
    return refused.path


def adjusted(event_type: str = "click", options: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    """What was changed on the way."""
    return list(result(event_type, options, **changes).adjustments)
