"""What eSputnik's strict stand-in demands of each event type: which params, and of which form.

Decides only. Written from the vendor's two documents ("How to send orders via the API resource v1/event",
"Site activity tracking using Generate event") and its list of order fields, not from our mapping. What breaks
a rule here is taken with 200 and not stored, as at the vendor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

import msgspec

Check = Callable[[Any], bool]
"""Whether a value is of the form that the vendor's documents give."""


class EventType(msgspec.Struct, frozen=True):
    """An event type: the params it must have and those it may have. Others are taken as they come."""

    required: Mapping[str, Check]
    optional: Mapping[str, Check] = {}
    about_order: bool = False
    only_known_orders: bool = False


# ── forms ────────────────────────────────────────────────────────────────────────────────────────

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_STATE_ID = re.compile(r"[A-Za-z0-9-]{1,300}")
_VARIANT = re.compile(r"r[A-Za-z0-9_-]+v[A-Za-z0-9_-]+")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LOCAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.*", re.DOTALL)

STATUSES = frozenset({"INITIALIZED", "IN_PROGRESS", "DELIVERED", "CANCELLED", "ABANDONED_SHOPPING_CART"})


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _like(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def is_local_time(value: Any) -> bool:
    """A date and time without offset and fraction, of a day that exists."""
    if not _like(_LOCAL_TIME)(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_bit(value: Any) -> bool:
    return type(value) is int and value in (0, 1)  # `True` is an int to Python, not to JSON


def _is_amount(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0


def _is_quantity(value: Any) -> bool:
    return type(value) in (int, float) and value > 0


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(map(is_text, value))


# ── JSON inside text ─────────────────────────────────────────────────────────────────────────────


def _not_plain(number: str) -> NoReturn:
    raise ValueError(f"{number} is no plain number")


def _plain_float(number: str) -> float:
    return _not_plain(number) if "e" in number.lower() else float(number)


def _parsed(value: Any) -> Any:
    """What a param's text holds; None when it is no JSON, or has a number with an exponent."""
    if not isinstance(value, str):
        return None
    try:
        return json.loads(value, parse_float=_plain_float, parse_constant=_not_plain)
    except (ValueError, RecursionError):
        return None


def _object(required: Mapping[str, Check], optional: Mapping[str, Check], properties: bool = False) -> Check:
    """An object with these members and no other; with `properties`, any other may be a list of texts."""
    known = {**required, **optional}

    def holds(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and required.keys() <= value.keys()
            and all(
                known[name](each) if name in known else properties and _are_texts(each)
                for name, each in value.items()
            )
        )

    return holds


def _list(of: Check, least: int) -> Check:
    return lambda value: isinstance(value, list) and len(value) >= least and all(map(of, value))


def _json(of: Check) -> Check:
    return lambda value: of(_parsed(value))


# ── orders ───────────────────────────────────────────────────────────────────────────────────────

_LINE: Mapping[str, Check] = {
    "externalItemId": is_text,
    "name": is_text,
    "quantity": _is_quantity,
    "cost": _is_amount,
}
_LINE_MORE: Mapping[str, Check] = dict.fromkeys(("category", "url", "imageUrl", "description"), is_text)

_decimal = _like(_DECIMAL)

ORDER: Mapping[str, Check] = {
    "externalOrderId": is_text,
    "totalCost": _decimal,
    "status": lambda value: value in STATUSES,
    "date": is_local_time,
}
ORDER_MORE: Mapping[str, Check] = {
    "currency": _like(_CURRENCY),
    **dict.fromkeys(("shipping", "discount", "taxes"), _decimal),
    **dict.fromkeys(("deliveryMethod", "paymentMethod", "deliveryAddress", "restoreUrl"), is_text),
    **dict.fromkeys(("firstName", "lastName"), is_text),
    "source": lambda value: value in ("online", "offline"),
    "recycleStateId": _like(_STATE_ID),
    "items": _json(_list(_object(_LINE, _LINE_MORE), 1)),
    "products": _json(_object({"array": _list(_object(_LINE, _LINE_MORE, properties=True), 1)}, {})),
}
_WHOLE_ORDER = EventType(ORDER, ORDER_MORE, about_order=True)
_STATUS_OF_ORDER = EventType(
    {"externalOrderId": is_text},
    {name: check for name, check in {**ORDER, **ORDER_MORE}.items() if name != "externalOrderId"},
    about_order=True,
    only_known_orders=True,
)

# ── site activity ────────────────────────────────────────────────────────────────────────────────

_PRODUCT: Mapping[str, Check] = {"productId": is_text, "price": _is_amount}
_CART_LINE: Mapping[str, Check] = {"productId": is_text, "quantity": _is_quantity, "price": _is_amount}
_CART_LINE_MORE: Mapping[str, Check] = {"name": is_text, "category": is_text, "discount": is_text}
_MONEY: Mapping[str, Check] = {"currencyCode": _like(_CURRENCY)}


def _product(*more: tuple[str, Check]) -> EventType:
    product = _object(_PRODUCT, {"isInStock": _is_bit, **dict(more)}, properties=True)
    return EventType({"product": _json(product)}, _MONEY)


_PAGE = EventType({"page": _json(_object({"location": _like(_ABSOLUTE)}, {}))})
_CATEGORY = EventType({"category": _json(_object({"productCategoryId": is_text}, {}))})
_CART = EventType(
    {
        "products": _json(_list(_object(_CART_LINE, _CART_LINE_MORE, properties=True), 0)),
        "recycleStateId": _like(_STATE_ID),
    },
    _MONEY,
)

EVENT_TYPES: Mapping[int, Mapping[str, EventType]] = {
    1: {
        "orderCreated": _WHOLE_ORDER,
        "orderUpdated": _WHOLE_ORDER,
        "orderDelivered": _STATUS_OF_ORDER,
        "orderCancelled": _STATUS_OF_ORDER,
        "pageViewed": _PAGE,
        "productViewed": _product(("quantity", _is_quantity)),
        "productCategoryViewed": _CATEGORY,
        "cartUpdated": _CART,
    },
    2: {
        "pageViewed": _PAGE,
        "productViewed": _product(),
        "productCategoryViewed": _CATEGORY,
        "cartUpdated": _CART,
        "productImpressions": EventType(
            {
                "recomVariantId": _like(_VARIANT),
                "products": _json(_list(_object({"productId": is_text}, {}), 1)),
            }
        ),
        "productAddedToWishlist": _product(),
        "searchRequest": EventType({"search": is_text}, {"isFound": _is_bit}),
    },
}
"""Version of the method → its event types. Any other word makes a new event type in the account."""
