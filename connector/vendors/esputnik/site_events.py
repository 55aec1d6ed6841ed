"""What people do on a site or in an app: pages, products, categories, searches, recommendations.

Decides only. The cart is in `carts.py`.
"""

from __future__ import annotations

import re

import msgspec

from connector.model.event import ClickstreamEvent, PageType
from connector.vendors.contract import MapResult, Refused, Skipped
from connector.vendors.esputnik import wire
from connector.vendors.esputnik.pieces import Common, Rules, currency_of, mapped, with_own_properties
from connector.vendors.esputnik.urls import location
from connector.vendors.formats import plain_number, text

_VARIANT = re.compile(r"r[\w-]+v[\w-]+", re.ASCII)
"""`r<recommendation>v<variant>`, as the vendor's recommendation service gives it out."""


def page_viewed(event: ClickstreamEvent, common: Common, rules: Rules) -> MapResult:
    """A page or screen was seen."""
    where = location(event.page.url, rules.url_query_deny) if event.page is not None else None
    if where is None:
        return Skipped("no_page_location", common.adjustments)
    return _one(event, common, "pageViewed", [wire.Param("page", wire.json_text(wire.Page(where)))])


def product_viewed(event: ClickstreamEvent, common: Common, rules: Rules) -> MapResult:
    """A request for each product that was looked at."""
    return _products(event, common, rules, "productViewed")


def product_added_to_wishlist(event: ClickstreamEvent, common: Common, rules: Rules) -> MapResult:
    """A request for each product that was wished for: the vendor calls it a list and takes one object."""
    return _products(event, common, rules, "productAddedToWishlist")


def _products(event: ClickstreamEvent, common: Common, rules: Rules, key: str) -> MapResult:
    adjustments = common.adjustments
    if not event.items:
        return Refused("missing_required_field:items", "items", adjustments)
    bodies: list[bytes] = []
    for index, item in enumerate(event.items):
        product_id, micros = text(item.product_id), item.unit_price_micros
        if product_id is None:
            path = f"items[{index}].product_id"
            return Refused("missing_required_field:items[].product_id", path, adjustments)
        if micros is None or micros < 0:
            path = f"items[{index}].unit_price_micros"
            return Refused("missing_required_field:items[].unit_price", path, adjustments)
        quantity = item.quantity if rules.version == 1 else None
        product = wire.Product(
            product_id,
            wire.amount(micros),
            msgspec.Raw(plain_number(quantity).encode()) if quantity is not None and quantity > 0 else None,
            int(item.in_stock) if item.in_stock is not None else None,
        )
        params = [wire.Param("product", with_own_properties(product, item, rules.product_properties))]
        currency = currency_of(item.currency)
        if currency is not None:
            params.append(wire.Param("currencyCode", currency))
        bodies.append(common.body(key, params))
    lane = f"event:{event.event_id}" if len(bodies) > 1 else None  # one after the other, as they were given
    return mapped(event, bodies, adjustments, lane)


def product_category_viewed(event: ClickstreamEvent, common: Common, _rules: Rules) -> MapResult:
    """A category was seen. The vendor matches its id in the account's product feed, never a name."""
    category_id = _category_id(event)
    if category_id is None:
        return Refused("missing_required_field:category_id", "category.id", common.adjustments)
    category = wire.json_text(wire.Category(category_id))
    return _one(event, common, "productCategoryViewed", [wire.Param("category", category)])


def _category_id(event: ClickstreamEvent) -> str | None:
    found = text(event.category.id) if event.category is not None else None
    if found is None and event.placement is not None:
        known = (text(each) for each in reversed(event.placement.category_ids or ()))
        found = next((each for each in known if each is not None), None)
    if found is None and event.page is not None and event.page.type is PageType.category:
        found = text(event.page.id)
    return found


def search_request(event: ClickstreamEvent, common: Common, _rules: Rules) -> MapResult:
    """Somebody searched. `isFound` is always sent: left out it means 0 and starts the workflow for searches
    that found nothing."""
    search = event.search
    query = text(search.query) if search is not None else None
    if search is None or query is None:
        return Skipped("empty_search_query", common.adjustments)
    found = wire.Param("isFound", 0 if search.result_count == 0 else 1)
    return _one(event, common, "searchRequest", [wire.Param("search", query), found])


def empty_search_request(event: ClickstreamEvent, common: Common, rules: Rules) -> MapResult:
    """The same for searches that are known to have found nothing, and no others."""
    search = event.search
    if search is not None and text(search.query) is not None and search.result_count != 0:
        return Skipped("search_has_results", common.adjustments)
    return search_request(event, common, rules)


def product_impressions(event: ClickstreamEvent, common: Common, _rules: Rules) -> MapResult:
    """A block of the vendor's recommendations was shown."""
    adjustments = common.adjustments
    variant = text(event.attribution.recommendation_variant) if event.attribution is not None else None
    if variant is None or _VARIANT.fullmatch(variant) is None:
        return Skipped("no_recommendation_variant", adjustments)
    if not event.items:
        return Refused("missing_required_field:items", "items", adjustments)
    shown: list[wire.ShownProduct] = []
    for index, item in enumerate(event.items):
        product_id = text(item.product_id)
        if product_id is None:
            path = f"items[{index}].product_id"
            return Refused("missing_required_field:items[].product_id", path, adjustments)
        shown.append(wire.ShownProduct(product_id))
    params = [wire.Param("recomVariantId", variant), wire.Param("products", wire.json_text(shown))]
    return _one(event, common, "productImpressions", params)


def _one(event: ClickstreamEvent, common: Common, key: str, params: list[wire.Param]) -> MapResult:
    return mapped(event, [common.body(key, params)], common.adjustments, None)
