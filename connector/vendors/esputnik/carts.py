"""The whole cart: `cartUpdated`, and the id that ties a cart's events to its purchase.

Decides only.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

import msgspec

from connector.model.event import Cart, ClickstreamEvent, EventItem
from connector.vendors.contract import MapResult, Refused
from connector.vendors.esputnik import wire
from connector.vendors.esputnik.pieces import Common, Rules, currency_of, mapped, with_properties
from connector.vendors.formats import decimal_text, plain_number, text

STATE_ID_CHARS_MAX = 300
_STATE_ID_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")

SHRINKING = ("category", "name", "discount")
"""What a cart that is too large does without, one after the other. Never a line: it is the full cart."""


def recycle_state_id(cart: Cart | None) -> str | None:
    """The id of this cart's life, from its first line to the purchase; None when the event names no cart.

    Latin letters, digits and hyphens go as they are. Anything else is replaced by a uuid5 of itself, which
    stays the same as long as it does.
    """
    found = (text(cart.state_id) or text(cart.cart_id)) if cart is not None else None
    if found is None or (len(found) <= STATE_ID_CHARS_MAX and _STATE_ID_CHARS.issuperset(found)):
        return found
    return str(uuid5(NAMESPACE_URL, f"esputnik:recycle:{found}"))


def cart_updated(event: ClickstreamEvent, common: Common, rules: Rules) -> MapResult:
    """The cart as it stands, in the lane of its id: an older one that came late would bring back what the
    shopper took out."""
    adjustments = common.adjustments
    cart = event.cart
    if cart is None or cart.items is None:
        return Refused("missing_required_field:cart.items", "cart.items", adjustments)
    lines: list[wire.CartLine] = []
    kept: list[EventItem] = []
    for index, line in enumerate(cart.items):
        quantity, micros = line.quantity, line.unit_price_micros
        if quantity is not None and quantity <= 0:
            adjustments.append("line_dropped")
            continue
        product_id = text(line.product_id)
        if product_id is None or quantity is None or micros is None or micros < 0:
            return Refused("missing_required_field:cart.items[]", f"cart.items[{index}]", adjustments)
        discount = line.discount_micros
        kept.append(line)
        lines.append(
            wire.CartLine(
                product_id,
                msgspec.Raw(plain_number(quantity).encode()),
                wire.amount(micros),
                text(line.name),
                text(line.category),
                decimal_text(discount) if discount is not None and discount >= 0 else None,
            )
        )
    state_id = recycle_state_id(cart)
    if state_id is None:
        return Refused("missing_required_field:cart.state_id", "cart.state_id", adjustments)
    currency = currency_of(cart.currency) or (currency_of(kept[0].currency) if kept else None)
    body = _body(lines, kept, currency, state_id, common, rules)
    for member in SHRINKING:
        if len(body) <= wire.BODY_BYTES_MAX:
            break
        if any(getattr(line, member) is not None for line in lines):
            lines = [msgspec.structs.replace(line, **{member: None}) for line in lines]
            adjustments.append(f"shrunk_{member}")
            body = _body(lines, kept, currency, state_id, common, rules)
    return mapped(event, [body], adjustments, f"cart:{state_id}")


def _body(
    lines: Sequence[wire.CartLine],
    kept: Sequence[EventItem],
    currency: str | None,
    state_id: str,
    common: Common,
    rules: Rules,
) -> bytes:
    params = [wire.Param("products", with_properties(lines, kept, rules.product_properties))]
    if currency is not None:
        params.append(wire.Param("currencyCode", currency))
    params.append(wire.Param("recycleStateId", state_id))
    return common.body("cartUpdated", params)
