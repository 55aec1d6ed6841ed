"""Purchases: an order's lines with exact prices in the marketplace currency.

Decides only.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.model import event as canonical
from connector.model.event import Event, OrderEvent
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.formats import clean_id, currency, decimal_text, derived_id, times_quantity
from connector.vendors.topsort import wire
from connector.vendors.topsort.pieces import Common, Rules

ID_CHARS_MAX = 128  # the bound that a vendor-written integration documents

QUANTITY_MAX = 2**53 - 1
"""The largest integer that every JSON reader takes exactly (RFC 8259 §6)."""

Line = tuple[int, str, float, canonical.EventItem]
"""Its place in the order, product, quantity, and the line itself."""


class Purchase(msgspec.Struct, frozen=True):
    """One purchase; of a renewal only if the settings say so."""

    renewal: bool = False


def purchase(event: OrderEvent, common: Common, rules: Rules) -> MapResult:
    """The order's purchase, or why there is none."""
    adjustments = common.adjustments
    lines = _lines(event, rules, adjustments)
    if not lines:
        return Refused("missing_required_field:items", "items", adjustments)
    refusal = _other_currency(event, lines, rules, adjustments)
    if refusal is not None:
        return refusal
    sold: list[wire.PurchaseItem] = []
    for index, product, quantity, line in lines:
        micros = line.unit_price_micros
        if micros is not None and micros < 0:
            return Refused("invalid_price", f"items[{index}].unit_price_micros", adjustments)
        try:
            price, units = _price(micros or 0, quantity, adjustments)
        except OverflowError:  # no double holds it, so the vendor could not either
            return Refused("invalid_price", f"items[{index}].quantity", adjustments)
        if price is None:
            adjustments.append("line_dropped")
            continue
        sold.append(wire.PurchaseItem(product, price, units, clean_id(line.seller_id, adjustments)))
    if not sold:
        return Skipped("no_billable_lines", adjustments)
    record = wire.Purchase(
        _purchase_id(event),
        common.occurred_at,
        common.user_id,
        sold,
        common.device_type,
        common.channel,
    )
    body = wire.encode(record)
    if len(body) > rules.record_bytes_max:
        return Refused("payload_too_large", "items", adjustments)
    return Mapped((Item(record.id, "purchases", body, common.at_ms),), adjustments)


def _lines(event: OrderEvent, rules: Rules, adjustments: list[str]) -> list[Line]:
    """The lines that say which product and how many of it."""
    lines: list[Line] = []
    for index, line in enumerate(event.items or ()):
        product = clean_id(rules.product_of(line), adjustments)
        quantity = 1.0 if line.quantity is None else line.quantity
        if product is not None and quantity > 0:
            lines.append((index, product, quantity, line))
        else:
            adjustments.append("line_dropped")
    return lines


def _other_currency(
    event: OrderEvent, lines: Sequence[Line], rules: Rules, adjustments: list[str]
) -> Skipped | Refused | None:
    """Why these lines can't be sent as prices in the marketplace currency, the only one Topsort knows."""
    common = currency(event.order.currency)
    known = {currency(line.currency) or common for _, _, _, line in lines} - {None}
    if not known:
        return Refused("missing_required_field:currency", "order.currency", adjustments)
    if len(known) > 1:
        return Refused("mixed_currency", "items", adjustments)
    return None if rules.currency in known else Skipped("unsupported_currency", adjustments)


def _price(micros: int, quantity: float, adjustments: list[str]) -> tuple[msgspec.Raw | None, int]:
    """What one unit costs and how many were sold; the price is None when there is nothing to bill.

    Goods by weight become one unit at the price of the whole, and so does a number of pieces that no integer
    holds exactly. OverflowError: the price is beyond every double.
    """
    if quantity.is_integer() and quantity <= QUANTITY_MAX:
        return msgspec.Raw(decimal_text(micros).encode()) if micros else None, int(quantity)
    units, scale = times_quantity(micros, quantity)
    if units / 10**scale == 0:  # no price, or one so small that a reader would take it for zero
        return None, 1
    adjustments.append("fractional_quantity_folded")
    return msgspec.Raw(decimal_text(units, scale).encode()), 1


def order_id(event: Event) -> str | None:
    """The order's own id, None when there is none worth the name."""
    return clean_id(event.order.order_id, []) if isinstance(event, OrderEvent) else None


def _purchase_id(event: OrderEvent) -> str:
    """The order's id, so that an order counts once however often it is reported. One that is longer than ids
    may be is replaced by a digest of itself, which does the same."""
    found = order_id(event) or event.event_id
    return found if len(found) <= ID_CHARS_MAX else derived_id(found)
