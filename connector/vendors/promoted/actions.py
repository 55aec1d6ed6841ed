"""Actions that are about products, a seller, or the visitor alone. Orders are in `orders.py`.

Decides only.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.model import event as canonical
from connector.model.event import ClickstreamEvent, EventItem
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.formats import clean_id, currency, item_id
from connector.vendors.promoted.pieces import (
    NO_REFERENCES,
    Common,
    References,
    Rules,
    action,
    clean_url,
    of_item,
    position,
    references,
    view_id,
)
from connector.vendors.promoted.wire import in_struct

Chosen = tuple[int, EventItem, str | None]
"""An item's place in the event, the item, and its product id."""

_NO_ITEM = canonical.EventItem()


class PerItem(msgspec.Struct, frozen=True):
    """One action per item.

    Without one item that has a product id the event is skipped, or refused if it `needs_items`; one that may
    be `about_the_page` then means the product of the placement. `priced` ones tell quantity and price,
    `leads_on` where it went, `offered` what was offered.
    """

    type: str
    needs_items: bool = False
    about_the_page: bool = False
    priced: bool = False
    leads_on: bool = False
    offered: bool = False


class FirstItem(msgspec.Struct, frozen=True):
    """One action about the event's first item: a page's product, in place of a view of that page."""

    type: str


class Named(msgspec.Struct, frozen=True):
    """One custom action per item, or a single one without items; `properties.action` says which."""


class Following(msgspec.Struct, frozen=True):
    """One action about a seller."""

    type: str


class Account(msgspec.Struct, frozen=True):
    """One action about nothing but the visitor."""

    type: str


# ── about products ───────────────────────────────────────────────────────────────────────────────


def per_item(event: ClickstreamEvent, shape: PerItem, common: Common, rules: Rules) -> MapResult:
    """The event's actions, one per item, or why there are none."""
    adjustments = common.adjustments
    chosen = _with_product(event.items or (), rules, adjustments)
    if not chosen and shape.about_the_page and not event.items and event.placement is not None:
        product = clean_id(event.placement.product_id, adjustments)
        chosen = [(0, _NO_ITEM, product)] if product is not None else []
    if not chosen:
        if shape.needs_items:
            return Refused("missing_required_field:items", "items", adjustments)
        return Skipped("no_content_id", adjustments)
    negative = _negative(event, shape, chosen)
    if negative is not None:
        return Refused("invalid_price", negative, adjustments)
    return _actions(event, shape, None, chosen, common, rules)


def first_item(event: ClickstreamEvent, shape: FirstItem, common: Common, rules: Rules) -> MapResult:
    """The action about the event's first item, or why there is none."""
    adjustments = common.adjustments
    items = event.items or ()
    item = items[0] if items else _NO_ITEM
    product = clean_id(rules.product_of(item), adjustments)
    if product is None and event.placement is not None:
        product = clean_id(event.placement.product_id, adjustments)
    if product is None:
        return Skipped("no_content_id", adjustments)
    several = len(items) > 1
    refers = of_item(item, references(event, several, adjustments), adjustments)
    place, url = position(item, event, several), clean_url(item.url, rules)
    mapped = action(common, rules, event.event_id, shape.type, refers, product, place=place, url=url)
    return _result(mapped, adjustments)


def named(event: ClickstreamEvent, name: str, common: Common, rules: Rules) -> MapResult:
    """The event's custom actions of this name, or why there are none."""
    chosen: list[Chosen] = [(0, _NO_ITEM, None)]
    if event.items:
        chosen = _with_product(event.items, rules, common.adjustments)
    if not chosen:
        return Skipped("no_content_id", common.adjustments)
    return _actions(event, _CUSTOM, name, chosen, common, rules)


_CUSTOM = PerItem("CUSTOM_ACTION_TYPE")


def _with_product(items: Sequence[EventItem], rules: Rules, adjustments: list[str]) -> list[Chosen]:
    """The items that say which product they are."""
    chosen: list[Chosen] = []
    for index, item in enumerate(items):
        product = clean_id(rules.product_of(item), adjustments)
        if product is None:
            adjustments.append("item_dropped")
        else:
            chosen.append((index, item, product))
    return chosen


def _negative(event: ClickstreamEvent, shape: PerItem, chosen: Sequence[Chosen]) -> str | None:
    """The path of an amount that would be sent and is below zero."""
    if shape.priced:
        for index, item, _ in chosen:
            if item.unit_price_micros is not None and item.unit_price_micros < 0:
                return f"items[{index}].unit_price_micros"
    if shape.offered and event.offer is not None and (event.offer.amount_micros or 0) < 0:
        return "offer.amount_micros"
    return None


def _actions(
    event: ClickstreamEvent,
    shape: PerItem,
    custom_type: str | None,
    chosen: Sequence[Chosen],
    common: Common,
    rules: Rules,
) -> MapResult:
    count = len(event.items or ())
    adjustments = common.adjustments
    shared = references(event, count > 1, adjustments)
    mapped: list[Item] = []
    for index, item, product in chosen:
        one = action(
            common,
            rules,
            item_id(event.event_id, index, count),
            shape.type,
            of_item(item, shared, adjustments),
            product,
            custom_type=custom_type,
            place=position(item, event, count > 1),
            url=clean_url(item.url, rules) if shape.leads_on else None,
            named=_priced(item, event) if shape.priced else _offered(event) if shape.offered else None,
        )
        if one is None:
            return Refused("payload_too_large", f"items[{index}]", adjustments)
        mapped.append(one)
    return Mapped(mapped, adjustments)


def _priced(item: EventItem, event: ClickstreamEvent) -> dict[str, object]:
    """How much of it, at what price: an action has no field for that."""
    values: dict[str, object] = {}
    if item.quantity is not None:
        whole = item.quantity.is_integer()
        values["quantity"] = in_struct(int(item.quantity)) if whole else item.quantity
    if item.unit_price_micros is not None:
        values["unitPriceMicros"] = in_struct(item.unit_price_micros)
    code = currency(item.currency)
    if code is None and event.cart is not None:
        code = currency(event.cart.currency)
    if code is not None:
        values["currencyCode"] = code
    return values


def _offered(event: ClickstreamEvent) -> dict[str, object] | None:
    """What was offered for it."""
    if event.offer is None:
        return None
    values: dict[str, object] = {}
    if event.offer.amount_micros is not None:
        values["offerAmountMicros"] = in_struct(event.offer.amount_micros)
    code = currency(event.offer.currency)
    if code is not None:
        values["currencyCode"] = code
    return values


# ── about sellers and accounts ───────────────────────────────────────────────────────────────────


def following(event: ClickstreamEvent, shape: Following, common: Common, rules: Rules) -> MapResult:
    """The action about the seller that is followed, or why there is none."""
    adjustments = common.adjustments
    seller = clean_id(event.target.id, adjustments) if event.target is not None else None
    if seller is None and event.items:
        first = event.items[0]
        seller = clean_id(first.seller_id, adjustments) or clean_id(rules.product_of(first), adjustments)
    if seller is None:
        return Skipped("no_content_id", adjustments)
    refers = NO_REFERENCES
    if event.attribution is not None:
        request_id = clean_id(event.attribution.request_id, adjustments)
        refers = References(request_id, view_id(event, adjustments))
    return _result(action(common, rules, event.event_id, shape.type, refers, seller), adjustments)


def account(event: ClickstreamEvent, shape: Account, common: Common, rules: Rules) -> MapResult:
    """The action about the visitor alone."""
    refers = References(view_id=view_id(event, common.adjustments))
    return _result(action(common, rules, event.event_id, shape.type, refers), common.adjustments)


def _result(one: Item | None, adjustments: list[str]) -> MapResult:
    return Mapped((one,), adjustments) if one is not None else Refused("payload_too_large", "", adjustments)
