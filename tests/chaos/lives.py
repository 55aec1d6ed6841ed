"""Orders and carts with long lives: many events each, every one of them different, so that order shows.

Decides only: the same arguments give the same records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any
from uuid import UUID

from connector.sample import NOW_MS
from connector.sample.shop import Popularity
from connector.traffic import Planned, TopicKind
from tests.chaos.scene import Encode

CENT = 10_000
USER = {"email": "someone@example.com", "customer_id": "c-4711"}


def lives(
    kind: TopicKind, events: int, keys: int, seed: int, zipf_exponent: float = 0.0
) -> Callable[[Encode], Iterable[Planned]]:
    """`events` records of so many orders or carts, each keyed by its own; exponent 0: all as often."""

    def plan(encode: Encode) -> Iterator[Planned]:
        rng = Random(f"lives {seed}")
        popularity = Popularity(rng, keys, zipf_exponent)
        steps: Counter[str] = Counter()
        make = {"orders": _order, "clickstream": _cart}[kind]
        for number in range(events):
            key = f"{kind[0]}-{popularity.draw():05d}"
            steps[key] += 1
            event = {
                "event_id": str(UUID(int=rng.getrandbits(128), version=4)),
                "occurred_at": NOW_MS - events + number,
                "user": USER,
                **make(key, steps[key]),
            }
            yield Planned(kind, key.encode(), encode[kind](event), "event")

    return plan


def _order(order_id: str, step: int) -> dict[str, Any]:
    """Created first, and then dearer by a cent each time."""
    total = 10_000_000 + step * CENT
    order = {"order_id": order_id, "total_micros": total, "currency": "EUR", "created_at": NOW_MS - 10**7}
    line = {"product_id": "sku-1", "name": "Desk lamp", "quantity": 1.0, "unit_price_micros": total}
    return {
        "event_type": "order_created" if step == 1 else "order_updated",
        "order": order,
        "items": [line],
    }


def _cart(cart_id: str, step: int) -> dict[str, Any]:
    """One more of the same each time."""
    line = {"product_id": "sku-1", "quantity": float(step), "unit_price_micros": 49_900_000}
    return {
        "event_type": "cart_updated",
        "cart": {"state_id": cart_id, "items": [line], "currency": "EUR"},
    }
