"""What an order looks like at each station of its life. Decides only."""

from __future__ import annotations

from connector.sample.shop import SHOP_URL, Json
from connector.sample.visit import Visit, total_micros

_DELIVERY_METHODS = ("Nova Poshta", "DHL", "pick-up point", "courier")
_PAYMENT_METHODS = ("card", "invoice", "Apple Pay", "cash on delivery")


class Order:
    """One order through its life: its id, date and sums stay, its status changes."""

    def __init__(self, visit: Visit, lines: list[Json]) -> None:
        shop = visit.shop
        self._visit = visit
        self._created_at_ms = visit.occurred_at_ms
        subtotal = total_micros(lines)
        shipping = 4_990_000 if shop.chance() < 0.6 else 0
        discount = subtotal // 10 if shop.chance() < 0.3 else 0
        self._must: Json = {"order_id": shop.token("ord-"), "currency": visit.shopper.currency}
        self._total: Json = {"total_micros": subtotal + shipping - discount}
        self._date: Json = {"created_at": self._created_at_ms}
        self._may: Json = {
            "subtotal_micros": subtotal,
            "shipping_micros": shipping,
            "discount_micros": discount,
            "tax_micros": subtotal // 5,
            "delivery_method": shop.pick(_DELIVERY_METHODS),
            "payment_method": shop.pick(_PAYMENT_METHODS),
            "delivery_address": f"вул. Хрещатик {1 + shop.below(90)}, Kyiv",
            "coupon": "AUTUMN",
            "restore_url": f"{SHOP_URL}/orders/{shop.below(10**6)}",
            "store_id": f"store-{shop.below(12)}",
        }

    def event(
        self,
        event_type: str,
        status: str,
        *,
        items: list[Json] | None,
        page: Json | None = None,
        must_total: bool = False,
        must_date: bool = False,
        cancelled_by: str | None = None,
        refund_micros: int | None = None,
    ) -> Json:
        """The order as it stands. `must_…`: what no back office leaves out of this kind of event."""
        visit = self._visit
        shop, chance = visit.shop, visit.shop.chance
        order = self._must | shop.sparse(self._may, 0.5)
        if chance() < 0.8:
            order["status"] = status
        if chance() < 0.3:
            order["status_text"] = f"{status}: дякуємо"
        if must_total or chance() < 0.3:
            order |= self._total
        if must_date or chance() < 0.5:
            order |= self._date
        if chance() < 0.5:
            order["updated_at"] = visit.occurred_at_ms
        if cancelled_by is not None:
            order["cancelled_by"] = cancelled_by
        if refund_micros is not None:
            order["refund_micros"] = refund_micros
        return visit.event(
            event_type,
            order=order,
            items=items,
            page=page,
            cart=visit.cart_ids if chance() < 0.6 else None,
            attribution=visit.attribution(items is not None and len(items) == 1),
        )
