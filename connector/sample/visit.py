"""One shopper's visit: the parts that its events are put together from.

Decides only: time comes from the shop's clock, chance from its `Random`.
"""

from __future__ import annotations

from connector.sample.shop import CURRENCIES, HOME_CURRENCY, SHOP_URL, Json, Product, Shop, Shopper

DELAY_MS_MAX = 5_000
"""How late a visit's events may arrive. One delay a visit, so that its own events stay in order."""

_WIDGET_TYPES = frozenset(
    {"impression", "click", "like", "unlike", "share", "comment", "bookmark", "remove_bookmark"}
    | {"cart_updated", "checkout_started", "remove_from_cart", "remove_from_wishlist"}
    | {"offer", "question", "answer", "unknown"}
)
"""Sent by widgets inside a page, which do not always know its channel."""

_REFERRERS = (
    "https://www.example.org/list?page=2#r",
    f"{SHOP_URL}/c/c-12?sort=price",
    "https://mail.example/inbox",
)
_LOCATIONS = ("grid", "carousel", "top-banner")


class Clock:
    """The shop's time, which every visit reads."""

    __slots__ = ("now_ms",)

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms


class Visit:
    """One shopper's stay: who, on which channel and device, and what lies in the cart."""

    def __init__(self, shop: Shop, clock: Clock, channel: str) -> None:
        self.shop = shop
        self._clock = clock
        self._delay_ms = shop.below(DELAY_MS_MAX)
        self.shopper: Shopper = shop.shopper()
        self.channel = channel
        self.in_app = channel == "app"
        session: Json = {"session_id": shop.uuid()} if shop.chance() < 0.8 else {}
        if self.in_app and shop.chance() < 0.7:
            session["push_token"] = shop.token("fcm:")
        self._anonymous = self.shopper.anonymous | session
        self._known = self.shopper.known | session
        self.user = self._known if shop.chance() < 0.55 else self._anonymous
        self._device = self.shopper.app_device if self.in_app else self.shopper.web_device
        self._says_device = self.in_app or shop.chance() < 0.75
        self._says_page_type = shop.chance() < 0.8
        self._says_page_title = shop.chance() < 0.4
        self.view_id = shop.uuid()
        self.request_id = shop.uuid()
        self.cart: list[Json] = []
        self.cart_ids: Json = {
            "state_id": shop.uuid() if shop.chance() < 0.8 else f"cart/{shop.below(99_999)}_b"
        }
        if shop.chance() < 0.25:
            self.cart_ids = {"cart_id": shop.token("ct-")}
        elif shop.chance() < 0.6:
            self.cart_ids["cart_id"] = shop.token("ct-")

    def sign_in(self) -> None:
        """From here on the shop knows who it is."""
        self.user = self._known

    # ── parts of events ──────────────────────────────────────────────────────────────────────────

    def event(self, event_type: str, **groups: object) -> Json:
        """An event of this visit, now. Groups that are None are left out."""
        shop, chance, shopper = self.shop, self.shop.chance, self.shopper
        event: Json = {
            "event_id": shop.uuid(),
            "event_type": event_type,
            "occurred_at": self.occurred_at_ms,
        }
        if shopper.utc_offset_minutes or chance() < 0.4:
            event["utc_offset_minutes"] = shopper.utc_offset_minutes
        if event_type not in _WIDGET_TYPES or chance() < 0.6:
            event["channel"] = self.channel
        event["user"] = self.user
        if self._says_device and self._device:
            event["device"] = self._device
        if shopper.consent is not None:
            event["consent"] = shopper.consent
        if chance() < 0.2:
            event["properties"] = {"build": "4711", "ab_test": self.shop.pick(("A", "B"))}
        for name, group in groups.items():
            if group is not None:
                event[name] = group
        return event

    @property
    def occurred_at_ms(self) -> int:
        """Now, as this visit's device reports it."""
        return self._clock.now_ms - self._delay_ms

    def page(self, page_type: str, path: str) -> Json:
        """The page or screen. An app's screens have an id and a deep link instead of a path."""
        shop, chance = self.shop, self.shop.chance
        page: Json = {}
        if self._says_page_type:
            page["type"] = page_type
        if self.in_app:
            page["id"] = f"screen:{page_type}"
            if chance() < 0.8:
                page["url"] = f"shopexample:/{path}"
        else:
            page["path"] = path
            if chance() < 0.25:
                page["id"] = f"{page_type.upper()}_PAGE"
            if chance() < 0.75:
                page["url"] = f"{SHOP_URL}{path}?utm_source=mail&token=s3cr3t#top"
        if self._says_page_title:
            page["title"] = f"{page_type} – Крамниця Example"
        if chance() < 0.4:
            page["referrer"] = shop.pick(_REFERRERS)
        if chance() < 0.2:
            page["referrer_id"] = "screen:home"
        return page

    def line(self, product: Product, quantity: float | None = None, priced: bool = True) -> Json:
        """One line about a product: what the catalogue holds, and what it costs this shopper today."""
        chance = self.shop.chance
        line = dict(product.line)
        if quantity is not None:
            line["quantity"] = quantity
        if priced:
            currency = self.shopper.currency
            unit_price = product.price_micros
            if currency != HOME_CURRENCY:
                unit_price = int(unit_price * CURRENCIES[currency] / 10_000) * 10_000
            line["unit_price_micros"] = unit_price
            if chance() < 0.7:
                line["currency"] = currency
            if chance() < 0.35:
                line["list_price_micros"] = unit_price * 5 // 4
                line["discount_micros"] = unit_price // 4
        if chance() < 0.6:
            line["seller_id"] = product.seller_id
        return line

    def quantity(self, product: Product) -> float:
        """How much of it: mostly one, by weight for goods sold so."""
        if product.weighed:
            return (150 + self.shop.below(2_000)) / 1_000
        return 1 if self.shop.chance() < 0.75 else 2 + self.shop.below(4)

    def search(self, query: str) -> Json:
        """A search and what it found; many producers do not know the count."""
        chance = self.shop.chance
        search: Json = {}
        if chance() < 0.85:
            search["query"] = query
        if chance() < 0.7:
            search["result_count"] = 0 if chance() < 0.1 else 1 + self.shop.below(400)
        if chance() < 0.3:
            search["filters"] = {"brand": "Müller & Söhne", "size": "38"}
        if chance() < 0.4:
            search["sort"] = self.shop.pick(("price", "-price", "relevance"))
        return search

    def attribution(self, one_item: bool) -> Json | None:
        """What led here: ids that ad and ranking systems gave out. Only an event with one item carries a
        product's ids of its own."""
        shop, chance = self.shop, self.shop.chance
        if chance() < 0.3:
            return None
        attribution = shop.sparse(
            {
                "request_id": self.request_id,
                "view_id": self.view_id,
                "ranked_by": "promoted" if chance() < 0.6 else "platform",
                "recommendation_variant": f"r{shop.below(30)}v{shop.below(4)}",
                "decision_track_id": shop.token("trk-"),
            },
            0.6,
        )
        if one_item:
            attribution |= shop.sparse(
                {
                    "resolved_bid_id": shop.token("bid-"),
                    "insertion_id": shop.uuid(),
                    "impression_id": shop.uuid(),
                },
                0.4,
            )
        if self.channel == "offsite" or chance() < 0.2:
            attribution["campaign_id"] = f"cmp-{shop.below(40)}"
        if chance() < 0.2:
            attribution["entity_id"] = f"s-{shop.below(60)}"
            attribution["entity_type"] = "vendor"
        return attribution or None

    def placement(self, path: str, query: str | None, category_id: str | None) -> Json:
        """Where on which page a list stands."""
        placement: Json = {
            "page": 1 + self.shop.below(3),
            "page_size": 24,
            "position": 1 + self.shop.below(24),
        }
        placement["location"] = self.shop.pick(_LOCATIONS)
        placement["path"] = path
        placement = self.shop.sparse(placement, 0.7)
        if query is not None:
            placement["search_query"] = query
        if category_id is not None:
            placement["category_ids"] = [category_id]
        return placement

    def full_cart(self) -> Json:
        """The cart with all its lines, none if it was emptied."""
        cart: Json = {**self.cart_ids, "items": list(self.cart)}
        if self.shop.chance() < 0.6:
            cart["total_micros"] = total_micros(self.cart)
        if self.shop.chance() < 0.6:
            cart["currency"] = self.shopper.currency
        return cart


def total_micros(lines: list[Json]) -> int:
    """Σ quantity × unit price."""
    total = 0
    for line in lines:
        price, quantity = line["unit_price_micros"], line["quantity"]
        assert isinstance(price, int)
        assert isinstance(quantity, (int, float))
        total += round(price * quantity)
    return total
