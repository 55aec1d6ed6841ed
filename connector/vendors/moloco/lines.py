"""What was viewed, wanted or bought: items with exact prices, and what a purchase earned.

Decides only. Everything is integer micros until it is written.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.model.event import Event, OrderEvent
from connector.vendors.contract import Refused, Skipped
from connector.vendors.formats import MICROS_SCALE, currency, rounded, text, times_quantity
from connector.vendors.moloco import wire
from connector.vendors.moloco.wire import CURRENCIES, QUANTITY_MAX

NO_CENTS = frozenset({"JPY", "KRW", "VND"})
"""Currencies whose goods by weight are rounded to whole units; all others to two places."""


class Lines(msgspec.Struct, frozen=True, gc=False):
    """The lines to send, and what is known of their money.

    `total_micros` is the sum of price times quantity over the lines that have a price, `currencies` are those
    of these prices, also ones that the vendor does not know; `all_priced` says whether every line has one.
    """

    sent: Sequence[wire.Line]
    total_micros: int
    currencies: frozenset[str]
    all_priced: bool


def lines_of(event: Event, adjustments: list[str]) -> Lines | Refused:
    """Every line that says which product, and of which there is any."""
    otherwise = _currency_of(event)
    sent: list[wire.Line] = []
    currencies: set[str] = set()
    total = 0
    all_priced = True
    for index, line in enumerate(event.items or ()):
        product, given = text(line.product_id), line.quantity
        if product is None or (given is not None and given <= 0):
            adjustments.append("item_dropped")
            continue
        if given is not None and given > QUANTITY_MAX:
            return Refused("invalid_quantity", f"items[{index}].quantity", adjustments)
        micros, code = line.unit_price_micros, currency(line.currency) or otherwise
        whole = given is None or given.is_integer()
        quantity = int(given) if given is not None and whole else 1
        price = None
        if micros is None or micros < 0 or code is None:
            all_priced = False
        else:
            if given is not None and not whole:
                micros = _by_weight(micros, given, code)
                adjustments.append("fractional_quantity_folded")
            total += micros * quantity
            currencies.add(code)
            price = wire.Money(code, wire.amount(micros)) if code in CURRENCIES else None
        sent.append(wire.Line(product, quantity, text(line.parent_id), price, text(line.seller_id)))
    if not sent:
        return Refused("missing_required_field:items", "items", adjustments)
    return Lines(sent, total, frozenset(currencies), all_priced)


def _by_weight(micros: int, quantity: float, code: str) -> int:
    """What the whole weight costs, rounded half-even to what the currency knows."""
    places = 0 if code in NO_CENTS else 2
    units, scale = times_quantity(micros, quantity)
    place_micros: int = 10 ** (MICROS_SCALE - places)
    return rounded(units, scale - places) * place_micros


def _currency_of(event: Event) -> str | None:
    """The currency of lines that name none."""
    found = currency(event.order.currency) if isinstance(event, OrderEvent) else None
    if found is None and event.cart is not None:
        found = currency(event.cart.currency)
    return found


# ── purchases ────────────────────────────────────────────────────────────────────────────────────


class Earned(msgspec.Struct, frozen=True, gc=False):
    """A purchase's lines with its revenue and shipping; both None where the currency is not known."""

    lines: Sequence[wire.Line]
    revenue: wire.Money | None
    shipping: wire.Money | None


def earned(event: OrderEvent, lines: Lines, omit: bool, adjustments: list[str]) -> Earned | Skipped | Refused:
    """What the lines earned by themselves: shipping and taxes of the order are no revenue.

    Only where a line has no price the order's own sums stand in. `omit`: a purchase in a currency that the
    vendor does not know goes without money; otherwise it is skipped.
    """
    order = event.order
    order_currency = currency(order.currency)
    if lines.all_priced:
        if len(lines.currencies) > 1:
            return Refused("mixed_currency", "items", adjustments)
        (code,) = lines.currencies
        micros = lines.total_micros
    else:
        stated = _not_negative(order.subtotal_micros, order.total_micros)
        if stated is None or order_currency is None:
            return Refused("missing_required_field:revenue", "order", adjustments)
        code, micros = order_currency, stated
    if code not in CURRENCIES or not lines.currencies <= CURRENCIES:
        if not omit:
            return Skipped("unsupported_currency", adjustments)
        return Earned([msgspec.structs.replace(line, price=None) for line in lines.sent], None, None)
    charged = _not_negative(order.shipping_micros)
    shipping = None
    if charged is not None and order_currency is not None and order_currency in CURRENCIES:
        shipping = wire.Money(order_currency, wire.amount(charged))
    return Earned(lines.sent, wire.Money(code, wire.amount(micros)), shipping)


def _not_negative(*candidates: int | None) -> int | None:
    return next((micros for micros in candidates if micros is not None and micros >= 0), None)
