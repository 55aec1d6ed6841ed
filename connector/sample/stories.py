"""What happens in the shop, told visit by visit: browsing, buying, and what becomes of a purchase.

Decides only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from connector.sample.order import Order
from connector.sample.shop import Json, Product, Shop
from connector.sample.visit import Clock, Visit, total_micros

Kind = Literal["orders", "clickstream", "both"]
_CHANNELS = ("app",) * 9 + ("web",) * 7 + ("mobile_web",) * 4 + ("desktop_web",) * 2 + ("offsite", "other")
REGULARS = 0.18
"""Visits whose shopper engages instead of shopping: so each of the rarer event types is one in a hundred."""

_OTHER_PAGES = (
    ("home", "/"),
    ("category", "/c/c-12"),
    ("product", "/p/sku-100007"),
    ("search", "/search"),
    ("cart", "/cart"),
    ("checkout", "/checkout"),
    ("order_confirmation", "/thanks"),
    ("wishlist", "/wishlist"),
    ("seller", "/sellers/s-7"),
    ("account", "/account"),
    ("landing", "/spring-sale"),
    ("other", "/about"),
)
_QUERIES = (
    "desk lamp",
    "зимові черевики",
    "Kaffeemühle",
    "煎茶",
    "półka 80 cm",
    'boots "wide"',
    "  lamp ",
) * 4 + (
    "   ",
    "where is my order jo@example.com",
)
_ENGAGEMENTS = ("like", "add_to_wishlist", "bookmark", "follow") * 2 + (
    *("share", "comment", "offer", "question", "answer", "custom"),
)
_UNDONE = {
    "like": "unlike",
    "bookmark": "remove_bookmark",
    "add_to_wishlist": "remove_from_wishlist",
    "follow": "unfollow",
}
_STATUS_CREATED = ("created", "new", "pending", "Awaiting Payment", "paid", "placed")
_STATUS_UPDATED = (
    "confirmed",
    "paid",
    "processing",
    "in_progress",
    "shipped",
    "out_for_delivery",
    "on-hold",
    "gone fishing",
)


# ── stories ──────────────────────────────────────────────────────────────────────────────────────


def _visit(shop: Shop, clock: Clock) -> Iterator[Json]:
    """The clickstream of one visit, from the landing to the checkout, or among the regulars."""
    visit = Visit(shop, clock, shop.pick(_CHANNELS))
    yield from _mingle(visit) if shop.chance() < REGULARS else _browse(visit)


def _visit_and_purchase(shop: Shop, clock: Clock) -> Iterator[Json]:
    """Everything: visits, the orders that come of some of them, sales in a store, renewals."""
    if shop.chance() < 0.4:
        yield from _sale(shop, clock)
        return
    visit = Visit(shop, clock, shop.pick(_CHANNELS))
    if shop.chance() < REGULARS:
        yield from _mingle(visit)
        return
    yield from _browse(visit)
    if visit.cart and shop.chance() < 0.6:
        yield from _purchase(visit)


def _sale(shop: Shop, clock: Clock) -> Iterator[Json]:
    """Orders alone: a purchase whose visit is not told, a sale in a store, a subscription."""
    visit = Visit(shop, clock, "store" if shop.chance() < 0.2 else shop.pick(_CHANNELS))
    for _ in range(1 + shop.below(4)):
        product = shop.product()
        visit.cart.append(visit.line(product, visit.quantity(product)))
    if shop.chance() < 0.2:
        yield from _renew(visit)
    else:
        yield from _purchase(visit)


def _browse(visit: Visit) -> Iterator[Json]:
    shop, chance = visit.shop, visit.shop.chance
    if visit.channel == "offsite" or chance() < 0.3:
        yield visit.event(
            "landing", page=visit.page("landing", "/spring-sale"), attribution=visit.attribution(False)
        )
    if chance() < 0.5:
        yield visit.event("home_view", page=visit.page("home", "/"))
    if chance() < 0.4:
        page_type, path = shop.pick(_OTHER_PAGES)
        shown_cart = visit.full_cart() if page_type == "cart" else None
        yield visit.event("page_view", page=visit.page(page_type, path), cart=shown_cart)
    if chance() < 0.65:
        yield visit.event("sign_up" if chance() < 0.45 else "sign_in", page=visit.page("account", "/account"))
        visit.sign_in()
    for _ in range(1 + shop.below(3)):
        yield from _look_for_something(visit)
    if visit.cart and chance() < 0.75:
        items = list(visit.cart) if chance() < 0.7 else None
        yield visit.event(
            "checkout_started", page=visit.page("checkout", "/checkout"), items=items, cart=visit.full_cart()
        )
    if chance() < 0.06:
        yield visit.event("unknown")  # what a newer producer's event type becomes in this version


def _look_for_something(visit: Visit) -> Iterator[Json]:
    """Search or open a category, see lists, and look closer at some of what is in them."""
    shop, chance = visit.shop, visit.shop.chance
    visit.view_id, visit.request_id = shop.uuid(), shop.uuid()
    query: str | None = None
    category_id: str | None = None
    list_search: Json | None = None
    list_category: Json | None = None
    if chance() < 0.55:
        query = shop.pick(_QUERIES)
        list_page = visit.page("search", "/search")
        list_search = visit.search(query)
        yield visit.event("search", page=list_page, search=list_search, attribution=visit.attribution(False))
    else:
        category_id, name, path = shop.category()
        list_page = visit.page("category", f"/c/{category_id}")
        category: Json = {"id": category_id} | shop.sparse({"name": name, "path": list(path)}, 0.6)
        list_category = shop.sparse(category, 0.5)
        yield visit.event("category_view", page=list_page, category=category)
    for _ in range(1 + shop.below(2)):
        placement = visit.placement("/search" if query else f"/c/{category_id}", query, category_id)
        shown = [shop.product() for _ in range(1 + shop.below(8))]
        yield visit.event(
            "impression",
            page=list_page if chance() < 0.6 else None,
            search=list_search,
            category=list_category,
            placement=placement,
            items=_listed(visit, shown),
            attribution=visit.attribution(len(shown) == 1),
        )
        if chance() < 0.03:
            yield visit.event("click", placement=placement, attribution=_banner(visit))
        if chance() < 0.6:
            yield from _look_closer(visit, shop.pick(shown), placement)


def _listed(visit: Visit, shown: list[Product]) -> list[Json]:
    """The products of a list. Sponsored ones carry their own tokens: the event's can't say which it means."""
    shop, chance = visit.shop, visit.shop.chance
    lines: list[Json] = []
    priced = chance() < 0.5
    ranked = chance() < 0.8
    for position, product in enumerate(shown, 1):
        line: Json = {"product_id": product.product_id}
        if priced:
            line = visit.line(product)
        if ranked:
            line["position"] = position
        if chance() < 0.3:
            tokens: Json = {
                "resolved_bid_id": shop.token("bid-"),
                "insertion_id": shop.uuid(),
                "impression_id": shop.uuid(),
            }
            line["attribution"] = shop.sparse(tokens, 0.7)
        lines.append(line)
    return lines


def _banner(visit: Visit) -> Json:
    """A banner has a token or an entity of its own, and no product."""
    shop = visit.shop
    banner: Json = {"entity_id": f"s-{shop.below(60)}", "entity_type": "vendor"}
    if shop.chance() < 0.6:
        banner["resolved_bid_id"] = shop.token("bid-")
    return banner


def _look_closer(visit: Visit, product: Product, placement: Json) -> Iterator[Json]:
    """Click, read, like, ask, and maybe put it into the cart."""
    shop, chance = visit.shop, visit.shop.chance
    attribution = visit.attribution(True)
    clicked = visit.line(product, priced=chance() < 0.4)
    if chance() < 0.8:
        clicked["position"] = 1 + shop.below(24)
    yield visit.event("click", placement=placement, items=[clicked], attribution=attribution)
    page = visit.page("product", product.path)
    yield visit.event(
        "product_view", page=page, items=[visit.line(product)], attribution=visit.attribution(True)
    )
    if chance() < 0.2:
        yield from _engage(visit, product, page)
    if chance() < 0.4:
        yield from _fill_cart(visit, product, page, attribution)


def _mingle(visit: Visit) -> Iterator[Json]:
    """One of the regulars, who come to like, follow, ask and answer more than to buy."""
    shop = visit.shop
    for _ in range(6 + shop.below(20)):
        product = shop.product()
        yield from _engage(visit, product, visit.page("product", product.path))


def _engage(visit: Visit, product: Product, page: Json) -> Iterator[Json]:
    """The long tail: what people do with a product besides buying it. Some of it they take back."""
    shop, chance = visit.shop, visit.shop.chance
    event_type = shop.pick(_ENGAGEMENTS)
    lines = [visit.line(product)]
    if event_type == "add_to_wishlist" and chance() < 0.2:
        lines.append(visit.line(shop.product()))
    about: Json = {"page": page, "items": lines}
    if event_type == "follow":
        about["target"] = shop.sparse({"type": "seller", "id": product.seller_id}, 0.6) or None
    elif event_type == "offer":
        amount: Json = {"amount_micros": product.price_micros * 8 // 10, "currency": visit.shopper.currency}
        about["offer"] = shop.sparse(amount, 0.6) or None
    elif event_type == "custom":
        about["properties"] = {"action": "write_review", "stars": str(1 + shop.below(5))}
    elif event_type != "add_to_wishlist" and chance() < 0.2:
        about = {"page": page, "placement": {"product_id": product.product_id, "path": product.path}}
    yield visit.event(event_type, **about)
    undone = _UNDONE.get(event_type)
    if undone is not None and chance() < 0.55:
        yield visit.event(undone, **about)


def _fill_cart(visit: Visit, product: Product, page: Json, attribution: Json | None) -> Iterator[Json]:
    """Put it in, tell the new cart; sometimes take it out again."""
    chance = visit.shop.chance
    line = visit.line(product, visit.quantity(product))
    visit.cart.append(line)
    yield visit.event(
        "add_to_cart",
        page=page,
        items=[line],
        cart=visit.cart_ids if chance() < 0.7 else None,
        placement=visit.shop.sparse({"product_id": product.product_id, "path": product.path}, 0.5) or None,
        attribution=attribution,
    )
    yield visit.event("cart_updated", page=visit.page("cart", "/cart"), cart=visit.full_cart())
    if chance() < 0.45:
        visit.cart.pop()
        yield visit.event("remove_from_cart", items=[line], cart=visit.cart_ids)
        yield visit.event("cart_updated", page=visit.page("cart", "/cart"), cart=visit.full_cart())


# ── orders ───────────────────────────────────────────────────────────────────────────────────────


def _purchase(visit: Visit) -> Iterator[Json]:
    """An order's life: created, updated, then delivered or cancelled, and sometimes refunded."""
    shop, chance = visit.shop, visit.shop.chance
    if chance() < 0.9:
        visit.sign_in()
    lines = list(visit.cart)
    if chance() < 0.06:
        lines.append({"product_id": "gift-1", "name": "Подарунок", "quantity": 1, "unit_price_micros": 0})
    if chance() < 0.03:
        lines.append(
            {"name": "gift wrap", "quantity": 1, "unit_price_micros": 2_500_000}
        )  # a service, not a product
    order = Order(visit, lines)
    in_store = visit.channel == "store"
    status = "completed" if in_store else shop.pick(_STATUS_CREATED)
    page = None if in_store else visit.page("order_confirmation", "/thanks")
    yield order.event("order_created", status, must_total=True, items=lines, page=page)
    if in_store:
        return
    for _ in range(shop.below(3)):
        yield order.event(
            "order_updated", shop.pick(_STATUS_UPDATED), must_total=True, must_date=True, items=lines
        )
    if chance() < 0.38:
        by = shop.pick(("customer", "customer", "seller", "system")) if chance() < 0.7 else None
        yield order.event("order_cancelled", "cancelled", items=lines, cancelled_by=by)
        return
    yield order.event(
        "order_delivered", shop.pick(("delivered", "completed")), items=lines if chance() < 0.8 else None
    )
    if chance() < 0.5:
        partly = len(lines) > 1 and chance() < 0.4
        refunded = lines[:1] if partly else lines
        refund = total_micros(refunded) if chance() < 0.7 else None
        yield order.event(
            "order_refunded",
            "partially_refunded" if partly else "refunded",
            items=refunded,
            refund_micros=refund,
        )


def _renew(visit: Visit) -> Iterator[Json]:
    """A subscription: every renewal is an order of its own."""
    visit.sign_in()
    lines = list(visit.cart)
    for _ in range(1 + visit.shop.below(3)):
        yield Order(visit, lines).event("subscription_renewal", "paid", must_total=True, items=lines)


STORIES: dict[Kind, Callable[[Shop, Clock], Iterator[Json]]] = {
    "both": _visit_and_purchase,
    "clickstream": _visit,
    "orders": _sale,
}
