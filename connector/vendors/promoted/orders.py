"""Checkouts and orders: carts of lines with exact prices.

Decides only. The published pipeline explodes the cart of a checkout or a purchase into its products; of every
other action it reads `contentId` alone, so those go out line by line.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.model import event as canonical
from connector.model.event import ClickstreamEvent, Event, EventItem, OrderEvent
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.formats import (
    MICROS_SCALE,
    clean_id,
    currency,
    item_id,
    rounded,
    text,
    times_quantity,
)
from connector.vendors.promoted import wire
from connector.vendors.promoted.pieces import (
    NO_REFERENCES,
    Common,
    References,
    Rules,
    action,
    of_item,
    references,
)


class Whole(msgspec.Struct, frozen=True):
    """One action with the cart of all lines: a checkout or a purchase."""

    type: str


class State(msgspec.Struct, frozen=True):
    """One custom action that tells what the order is now."""

    custom_type: str


class PerLine(msgspec.Struct, frozen=True):
    """One action per line. When it was not the customer who cancelled, it may be a custom one."""

    type: str
    custom_type: str | None = None
    needs_lines: bool = False
    not_by_customer: str | None = None


class Line(msgspec.Struct, frozen=True, gc=False):
    """A product, how many of it, and for how much each. `price` None: absent, or in a currency that the
    vendor has not; then `micros` and `code` still say what is known."""

    index: int
    product: str
    quantity: int
    micros: int | None
    code: str | None
    price: wire.Money | None


_NO_CART = canonical.Cart()

# ── the shapes ───────────────────────────────────────────────────────────────────────────────────


def whole(event: Event, shape: Whole, common: Common, rules: Rules) -> MapResult:
    """The checkout or purchase, or why there is none."""
    adjustments = common.adjustments
    lines = _lines(event, rules, adjustments)
    if not isinstance(lines, list):
        return lines
    if not lines:
        return Refused("missing_required_field:items", "items", adjustments)
    named = _order(event.order, adjustments) if isinstance(event, OrderEvent) else {}
    if isinstance(event, OrderEvent):
        code = currency(event.order.currency)
        if event.order.total_micros is not None and code is not None:
            named["orderTotalMicros"] = wire.in_struct(event.order.total_micros)
            named["currencyCode"] = code
    foreign = [
        wire.OrderLine(line.product, wire.in_struct(line.quantity), wire.in_struct(line.micros), line.code)
        for line in lines
        if line.price is None and line.micros is not None and line.code is not None
    ]
    if foreign:
        named["orderLines"] = foreign
        adjustments += ["unsupported_currency"] * len(foreign)
    one = action(
        common,
        rules,
        event.event_id,
        shape.type,
        _references(event, adjustments),
        lines[0].product if len(lines) == 1 else None,
        contents=[wire.CartContent(line.product, line.quantity, line.price) for line in lines],
        named=named,
    )
    return _result([one], "items", adjustments)


def state(event: OrderEvent, shape: State, common: Common, rules: Rules) -> MapResult:
    """The order as it is now, or why it is not told."""
    adjustments = common.adjustments
    lines = _lines(event, rules, adjustments)
    if not isinstance(lines, list):
        return lines
    if not lines:
        return Skipped("no_order_lines", adjustments)
    named = _order(event.order, adjustments)
    if event.order.total_micros is not None:
        named["orderTotalMicros"] = wire.in_struct(event.order.total_micros)
    code = currency(event.order.currency)
    if code is not None:
        named["currencyCode"] = code
    named["currentOrder"] = [
        wire.CartContent(line.product, wire.in_struct(line.quantity), _any_price(line)) for line in lines
    ]
    one = action(
        common,
        rules,
        event.event_id,
        "CUSTOM_ACTION_TYPE",
        _references(event, adjustments),
        lines[0].product,
        custom_type=shape.custom_type,
        named=named,
    )
    return _result([one], "items", adjustments)


def per_line(event: OrderEvent, shape: PerLine, common: Common, rules: Rules) -> MapResult:
    """The order's actions, one per line, or why there are none."""
    adjustments = common.adjustments
    lines = _lines(event, rules, adjustments)
    if not isinstance(lines, list):
        return lines
    if not lines:
        if shape.needs_lines:
            return Refused("missing_required_field:items", "items", adjustments)
        return Skipped("no_order_lines", adjustments)
    action_type, custom_type = shape.type, shape.custom_type
    if shape.not_by_customer is not None and not _by_customer(event.order):
        action_type, custom_type = "CUSTOM_ACTION_TYPE", shape.not_by_customer
    order = _order(event.order, adjustments)
    refers = _references(event, adjustments)
    count = len(event.items or ())
    mapped: list[Item | None] = []
    for line in lines:
        named = order
        if line.price is None and line.micros is not None and line.code is not None:
            adjustments.append("unsupported_currency")
            named = {**order, "unitPriceMicros": wire.in_struct(line.micros), "currencyCode": line.code}
        mapped.append(
            action(
                common,
                rules,
                item_id(event.event_id, line.index, count),
                action_type,
                refers,
                line.product,
                custom_type=custom_type,
                contents=(wire.CartContent(line.product, line.quantity, line.price),),
                named=named,
            )
        )
    return _result(mapped, "items", adjustments)


def _result(mapped: Sequence[Item | None], path: str, adjustments: list[str]) -> MapResult:
    items = [item for item in mapped if item is not None]
    if len(items) < len(mapped):
        return Refused("payload_too_large", path, adjustments)
    return Mapped(items, adjustments)


# ── what is said of an order ─────────────────────────────────────────────────────────────────────


def _order(order: canonical.Order, adjustments: list[str]) -> dict[str, object]:
    """Which order, and how it stands."""
    values: dict[str, object] = {}
    found = clean_id(order.order_id, adjustments)
    if found is not None:
        values["orderId"] = found
    status = text(order.status)
    if status is not None:
        values["orderStatus"] = status
    return values


def _by_customer(order: canonical.Order) -> bool:
    """True unless somebody else is known to have cancelled."""
    return (text(order.cancelled_by) or "customer").lower() == "customer"


def _references(event: Event, adjustments: list[str]) -> References:
    """An order refers to what led to it only when it is about one item."""
    items = event.items or ()
    found = references(event, len(items) > 1, adjustments)
    return of_item(items[0], found, adjustments) if len(items) == 1 else NO_REFERENCES


# ── lines ────────────────────────────────────────────────────────────────────────────────────────


def _lines(event: Event, rules: Rules, adjustments: list[str]) -> list[Line] | Refused:
    """The lines that say which product and how many of it, or why one of their prices can't be."""
    items: Sequence[EventItem] = event.items or ()
    common = event.order.currency if isinstance(event, OrderEvent) else None
    cart = event.cart or _NO_CART
    path = "items"
    if not items and isinstance(event, ClickstreamEvent):
        items, path = cart.items or (), "cart.items"
    fallback = currency(common) or currency(cart.currency)
    kept: list[tuple[int, str, float, EventItem]] = []
    for index, item in enumerate(items):
        product = clean_id(rules.product_of(item), adjustments)
        quantity = 1.0 if item.quantity is None else item.quantity
        if product is not None and quantity > 0:
            kept.append((index, product, quantity, item))
        else:
            adjustments.append("line_dropped")
    lines: list[Line] = []
    for index, product, quantity, item in kept:
        micros = item.unit_price_micros
        if micros is not None and micros < 0:
            return Refused("invalid_price", f"{path}[{index}].unit_price_micros", adjustments)
        count = int(quantity)
        if count != quantity or count > wire.INT64_MAX:
            count = 1
            adjustments.append("fractional_quantity_folded")
            micros = _times(micros, quantity)
            if micros is not None and micros > wire.INT64_MAX:
                return Refused("invalid_price", f"{path}[{index}].quantity", adjustments)
        code = currency(item.currency) or fallback
        known = micros is not None and code in wire.CURRENCIES
        price = wire.Money(code, micros) if known and code is not None and micros is not None else None
        lines.append(Line(index, product, count, micros, code, price))
    return lines


def _times(micros: int | None, quantity: float) -> int | None:
    """The price of the whole, in whole micros: goods by weight become one piece at that price."""
    if micros is None:
        return None
    units, scale = times_quantity(micros, quantity)
    return rounded(units, scale - MICROS_SCALE)


def _any_price(line: Line) -> wire.Money | None:
    """The price in whatever currency: `properties.struct` takes any."""
    if line.micros is None or line.code is None:
        return None
    return wire.Money(line.code, wire.in_struct(line.micros))
