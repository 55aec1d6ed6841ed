"""The lines of an order, twice: `items` for the order itself, `products` to show in an e-mail.

Decides only.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.model.event import EventItem
from connector.vendors.esputnik import wire
from connector.vendors.esputnik.pieces import Properties, with_properties
from connector.vendors.formats import plain_number, text

ONE = msgspec.Raw(b"1")


class Lines(msgspec.Struct, frozen=True):
    """Lines that are all fit to be sent, and the canonical items that they were made of."""

    sent: Sequence[wire.OrderLine]
    items: Sequence[EventItem]

    def without(self, member: str) -> Lines:
        """The same lines without one of their members."""
        return Lines([msgspec.structs.replace(line, **{member: None}) for line in self.sent], self.items)

    def have(self, member: str) -> bool:
        """Whether any line has this member."""
        return any(getattr(line, member) is not None for line in self.sent)

    def params(self, products: bool, properties: Properties) -> list[wire.Param]:
        """As `items`, and as `products` if wanted: there in an object, and with properties of their own."""
        items = wire.json_text(self.sent)
        params = [wire.Param("items", items)]
        if products:
            array = with_properties(self.sent, self.items, properties) if properties else items
            params.append(wire.Param("products", f'{{"array":{array}}}'))
        return params


def lines_of(items: Sequence[EventItem] | None, adjustments: list[str]) -> Lines | None:
    """The order's lines, or None when there are none or one of them can't be told: half a list would be
    wrong, and the order is worth sending without."""
    if not items:
        return None
    sent: list[wire.OrderLine] = []
    kept: list[EventItem] = []
    for item in items:
        quantity, micros = item.quantity, item.unit_price_micros
        if quantity is not None and quantity <= 0:
            adjustments.append("line_dropped")
            continue
        product_id = text(item.product_id)
        if product_id is None or micros is None or micros < 0:
            kept.clear()
            break
        kept.append(item)
        sent.append(
            wire.OrderLine(
                external_item_id=product_id,
                name=text(item.name) or product_id,
                category=text(item.category),
                quantity=ONE if quantity is None else msgspec.Raw(plain_number(quantity).encode()),
                cost=wire.amount(micros),
                url=text(item.url),
                image_url=text(item.image_url),
                description=text(item.description),
            )
        )
    if not kept:
        adjustments.append("items_omitted")
        return None
    return Lines(sent, kept)
