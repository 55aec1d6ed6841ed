"""An order's event: its params in their order, what each of them is made of, and how it is made to fit.

Decides only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

import msgspec

from connector.model.event import Channel, Order, OrderEvent
from connector.vendors.contract import MapResult, Refused
from connector.vendors.esputnik import wire
from connector.vendors.esputnik.carts import recycle_state_id
from connector.vendors.esputnik.order_lines import Lines, lines_of
from connector.vendors.esputnik.pieces import Common, Rules, currency_of, mapped
from connector.vendors.esputnik.settings import OrderStatus, plain_status
from connector.vendors.formats import text

SHRINKING = ("description", "products", "image_url", "url", "category", "items")
"""What an order that is too large does without, one after the other. Never a single line."""

STATUSES: Mapping[str, OrderStatus] = {
    **dict.fromkeys(("created", "new", "placed", "pending", "open", "initialized"), "INITIALIZED"),
    **dict.fromkeys(("awaitingpayment", "paymentpending", "unpaid"), "INITIALIZED"),
    **dict.fromkeys(("confirmed", "accepted", "authorized", "paid", "processing"), "IN_PROGRESS"),
    **dict.fromkeys(("inprogress", "packed", "onhold", "backordered", "partiallyshipped"), "IN_PROGRESS"),
    **dict.fromkeys(("shipped", "intransit", "outfordelivery", "readyforpickup"), "IN_PROGRESS"),
    **dict.fromkeys(("partiallydelivered", "partiallyrefunded"), "IN_PROGRESS"),
    **dict.fromkeys(("delivered", "completed", "fulfilled", "pickedup"), "DELIVERED"),
    **dict.fromkeys(("cancelled", "canceled", "voided", "failed", "declined", "rejected"), "CANCELLED"),
    **dict.fromkeys(("expired", "refunded", "returned"), "CANCELLED"),
    **dict.fromkeys(("abandoned", "abandonedshoppingcart"), "ABANDONED_SHOPPING_CART"),
}
"""What producers write in `order.status`, as `plain_status` reads it, and what it means to the vendor."""

PARTIAL_REFUNDS = frozenset({"partiallyrefunded", "partialrefunded", "partialrefund", "partiallyrefund"})
"""How producers spell it, as `plain_status` reads it. One that is missed would cancel the whole order."""

SECONDS_CHARS = len("2026-11-10T10:15:30")


class OrderShape(msgspec.Struct, frozen=True):
    """The vendor's event, and what it must hold.

    `whole`: the order itself, with total, date and lines; else a change of its status. `status` is the one
    that is forced, or with `default_status` the one for want of a better. `dated_by_event`: without a date of
    its own the order was made when the event occurred.
    """

    key: str
    status: OrderStatus
    whole: bool = False
    default_status: bool = False
    dated_by_event: bool = False
    refund: bool = False
    renewal: bool = False


class OrderRules(msgspec.Struct, frozen=True):
    """What the options say about orders, ready for the hot path."""

    zone: tzinfo
    statuses: Mapping[str, OrderStatus]
    products: bool
    names: bool
    delivery_address: bool


def order_event(
    event: OrderEvent, order_id: str, shape: OrderShape, common: Common, rules: Rules, own: OrderRules
) -> MapResult:
    """The order's one request, in the order's lane."""
    order, adjustments = event.order, common.adjustments
    total = order.total_micros
    if total is None and shape.whole:
        return Refused("missing_required_field:order.total", "order.total_micros", adjustments)
    if total is not None and total < 0:
        return Refused("invalid_total", "order.total_micros", adjustments)
    placed_ms = _placed_ms(event, shape)
    if placed_ms is None and shape.whole:
        return Refused("missing_required_field:order.created_at", "order.created_at", adjustments)
    date = local_time(placed_ms, own.zone) if placed_ms is not None else None
    if date is None and shape.whole:
        return Refused("invalid_timestamp", "order.created_at", adjustments)
    status = _status(order, shape, own, adjustments)
    params = [
        wire.Param(name, value)
        for name, value in (
            *(_names(event) if own.names and shape.whole else ()),
            ("externalOrderId", order_id),
            ("totalCost", _amount(total)),
            ("status", status),
            ("date", date),
            ("currency", currency_of(order.currency)),
            ("shipping", _amount(order.shipping_micros)),
            ("discount", _amount(order.discount_micros)),
            ("taxes", _amount(order.tax_micros)),
            ("deliveryMethod", text(order.delivery_method)),
            ("paymentMethod", text(order.payment_method)),
            (
                "deliveryAddress",
                text(order.delivery_address) if own.delivery_address and shape.whole else None,
            ),
            ("restoreUrl", text(order.restore_url)),
            ("source", "offline" if event.channel is Channel.store else None),
            ("recycleStateId", recycle_state_id(event.cart) if shape.whole else None),
        )
        if value is not None
    ]
    lines = lines_of(event.items, adjustments) if shape.whole else None
    body = _fitted(shape.key, params, lines, common, rules, own.products)
    return mapped(event, [body], adjustments, f"order:{order_id}")


def is_partial_refund(order: Order) -> bool:
    """Whether less than the whole was given back: by its status, or by its sums."""
    if order.status is not None and plain_status(order.status) in PARTIAL_REFUNDS:
        return True
    refund, total = order.refund_micros, order.total_micros
    return refund is not None and total is not None and refund < total


# ── values ───────────────────────────────────────────────────────────────────────────────────────


def local_time(epoch_ms: int, zone: tzinfo) -> str | None:
    """The instant on a clock of that zone, to the second and without an offset; None when the calendar has no
    such day."""
    try:
        local = datetime.fromtimestamp(epoch_ms // 1000, zone)
    except (OverflowError, ValueError):
        return None
    return local.isoformat()[:SECONDS_CHARS]


def _placed_ms(event: OrderEvent, shape: OrderShape) -> int | None:
    at_ms = event.order.created_at
    if at_ms is None and shape.dated_by_event:
        return event.occurred_at or None  # 0 in a field that must be there means that it is not
    return at_ms


def _status(order: Order, shape: OrderShape, own: OrderRules, adjustments: list[str]) -> OrderStatus:
    if not shape.default_status:
        return shape.status
    found = own.statuses.get(plain_status(order.status)) if order.status is not None else None
    if found is None:
        adjustments.append("status_defaulted")
        return shape.status
    return found


def _amount(micros: int | None) -> str | None:
    return wire.amount_text(micros) if micros is not None and micros >= 0 else None


def _names(event: OrderEvent) -> Sequence[tuple[str, str | None]]:
    user = event.user
    if user is None:
        return ()
    return ("firstName", text(user.first_name)), ("lastName", text(user.last_name))


# ── size ─────────────────────────────────────────────────────────────────────────────────────────


def _fitted(
    key: str, params: list[wire.Param], lines: Lines | None, common: Common, rules: Rules, products: bool
) -> bytes:
    """The body; when it is too large with less and less about its lines, and at last without them."""
    if lines is None:
        return common.body(key, params)
    body = common.body(key, params + lines.params(products, rules.product_properties))
    for step in SHRINKING:
        if len(body) <= wire.BODY_BYTES_MAX:
            break
        if step == "items":
            common.adjustments.append("shrunk_items")
            return common.body(key, params)
        if step == "products":
            if not products:
                continue
            products = False
        elif lines.have(step):
            lines = lines.without(step)
        else:
            continue
        common.adjustments.append(f"shrunk_{step}")
        body = common.body(key, params + lines.params(products, rules.product_properties))
    return body
