"""Page views: which page, of which type, about what.

Decides only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from connector.model import event as canonical
from connector.model.event import ClickstreamEvent
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.formats import clean_id, clean_query, text, texts
from connector.vendors.topsort import wire
from connector.vendors.topsort.pieces import Common, Rules, path_of

PAGE_TYPES: Mapping[str | None, str] = {
    "home": "home",
    "category": "category",
    "product": "PDP",
    "search": "search",
    "cart": "cart",
}
"""Canonical page type → the vendor's; every other one is `other`."""

_NO_PAGE = canonical.Page()


class PageView(msgspec.Struct, frozen=True):
    """One page view of the vendor's page type; None: as the event's own page type says."""

    type: str | None


def page_view(event: ClickstreamEvent, shape: PageView, common: Common, rules: Rules) -> MapResult:
    """The event's page view, or why there is none."""
    page = event.page or _NO_PAGE
    adjustments = common.adjustments
    page_id = path_of(event) or text(page.id)
    if page_id is None:
        return Skipped("no_page_id", adjustments)
    kind = shape.type or PAGE_TYPES.get(page.type, "other")
    record = wire.PageView(
        event.event_id,
        common.occurred_at,
        common.user_id,
        wire.Page(kind, page_id, _value(event, kind, rules, adjustments)),
        common.device_type,
        common.channel,
    )
    body = wire.encode(record)
    if len(body) > rules.record_bytes_max:
        return Refused("payload_too_large", "", adjustments)
    return Mapped((Item(record.id, "pageviews", body, common.at_ms),), adjustments)


def _value(
    event: ClickstreamEvent, kind: str, rules: Rules, adjustments: list[str]
) -> str | Sequence[str] | None:
    """What the page is about: a product, a category, a query, or the products of a cart."""
    match kind:
        case "PDP":
            return clean_id(rules.product_of(event.items[0]), adjustments) if event.items else None
        case "category":
            return _category(event)
        case "search":
            return clean_query(event.search.query, adjustments) if event.search is not None else None
        case "cart":
            known = event.cart is not None and event.cart.items is not None
            lines = event.cart.items if known and event.cart is not None else event.items
            products = (clean_id(rules.product_of(line), adjustments) for line in lines or ())
            return [product for product in products if product is not None] or None
        case _:
            return None


def _category(event: ClickstreamEvent) -> str | None:
    own = text(event.category.id) if event.category is not None else None
    about = texts(event.placement.category_ids) if event.placement is not None else None
    return own or (about[0] if about else None) or (text(event.page.id) if event.page is not None else None)
