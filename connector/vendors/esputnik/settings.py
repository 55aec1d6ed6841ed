"""The `destination.options` of both destinations, each with its default, its unit and its reason."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

OrderStatus = Literal["INITIALIZED", "IN_PROGRESS", "DELIVERED", "CANCELLED", "ABANDONED_SHOPPING_CART"]

NAME_CHARS_MAX = 100  # eSputnik's rules for the names of params

URL_QUERY_DENY = (
    *("token", "access_token", "id_token", "refresh_token", "auth", "authorization", "code"),
    *("password", "passwd", "pwd", "email", "e-mail", "mail", "phone", "tel"),
    *("session", "sessionid", "sid", "phpsessid", "signature", "sig", "key", "api_key", "apikey"),
    *("reset", "otp"),
)
"""Query parameters that carry credentials or personal data."""

PRODUCT_MEMBERS = frozenset(
    {
        *("externalItemId", "name", "category", "quantity", "cost", "url", "imageUrl", "description"),
        *("productId", "price", "isInStock", "discount"),
    }
)
"""What the vendor itself calls the members of a product or a line."""


def plain_status(value: str) -> str:
    """A status as producers write it, in one form: lower case, without blanks, `_` and `-`."""
    return "".join(value.lower().split()).replace("_", "").replace("-", "")


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _iana(value: str) -> str:
    if value not in _zones():
        raise ValueError("is not an IANA time zone, for example Europe/Kyiv")
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is a time zone whose rules can't be read on this machine") from None
    return value


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    for name in values:
        if not 1 <= len(name) <= NAME_CHARS_MAX or name != name.strip():
            raise ValueError(f"a name has 1 to {NAME_CHARS_MAX} characters and no blanks at its ends")
    if len(set(values)) < len(values):
        raise ValueError("names a key twice")
    return values


def _own_names(values: tuple[str, ...]) -> tuple[str, ...]:
    for name in _names(values):
        if name in PRODUCT_MEMBERS:
            raise ValueError(f"{name} is a member of the vendor's own")
    return values


def _statuses(given: dict[str, OrderStatus]) -> dict[str, OrderStatus]:
    found: dict[str, OrderStatus] = {}
    for word, status in given.items():
        plain = plain_status(word)
        if not plain:
            raise ValueError("has a blank status")
        if found.setdefault(plain, status) != status:
            raise ValueError(f"{word} is given twice, with different meanings")
    return found


class SharedOptions(BaseModel):
    """What both destinations know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_event_age_s: int = Field(
        0,
        ge=0,
        description="An event older than this, by occurred_at, is skipped as stale_event; 0: none is. The "
        "vendor takes every event as happening now, so old ones, of a replay or after an outage, send "
        "messages to customers now. 86400 is a good value for production; off by default, because skipping "
        "is a decision.",
        json_schema_extra={"unit": "s"},
    )
    extra_params: Annotated[tuple[str, ...], AfterValidator(_names)] = Field(
        (),
        description="Keys of the event's properties that are sent as params after all others, as text; where "
        "a param of that name is there already, that one stays. None by default: properties are private.",
    )
    product_properties: Annotated[tuple[str, ...], AfterValidator(_own_names)] = Field(
        (),
        description="Keys of items[].attributes that are added to each product as a list of one text, for "
        "the vendor's recommendations and e-mails. None by default: only what the account knows is of use.",
    )
    url_query_deny: tuple[str, ...] = Field(
        URL_QUERY_DENY,
        description="Query parameters that are taken out of page addresses, by name in any case; the rest "
        "stays, as shops address pages by their queries. A list given here replaces the default, which names "
        "credentials and personal data.",
    )


class OrdersOptions(SharedOptions):
    """How canonical order events become eSputnik's order events."""

    account_timezone: Annotated[str, AfterValidator(_iana)] = Field(
        "UTC",
        description="The time zone of the eSputnik account, by its IANA name, for example Europe/Kyiv. Dates "
        "travel without an offset and are read in the account's own zone, so with a wrong one every order is "
        "hours off.",
    )
    status_map: Annotated[dict[str, OrderStatus], AfterValidator(_statuses)] = Field(
        default_factory=dict,
        description="Your own words for order.status and what they mean to the vendor, beside or instead of "
        "those it knows; case, blanks, _ and - do not matter.",
    )
    status_change_as: Literal["status_event", "upsert"] = Field(
        "status_event",
        description="How a delivered, cancelled or refunded order is told. status_event: as an event that "
        "the vendor ignores when it does not know the order. upsert: as orderUpdated with all fields, which "
        "creates the order; for back-fills, and for a start in the middle of a topic.",
    )
    send_products: bool = Field(
        True,
        description="Send the lines a second time as products: e-mails show goods from there alone. Off, "
        "requests are half as large.",
    )
    send_names: bool = Field(
        False,
        description="Send first and last name. Off by default: the contact has them already.",
    )
    send_delivery_address: bool = Field(
        False,
        description="Send the delivery address. Off by default: nothing but a printed e-mail needs it.",
    )
    v1_site_events: bool = Field(
        False,
        description="Send page, product and category views and carts, too, by the older method. Never beside "
        "esputnik-site on the same topics: everything would be counted twice.",
    )
    orders_require_marketing_consent: bool = Field(
        False,
        description="Skip orders of shoppers who refused marketing. Off by default: orders are order data, "
        "not marketing.",
    )


class SiteOptions(SharedOptions):
    """How canonical site and app events become eSputnik's site events."""

    search_only_empty: bool = Field(
        False,
        description="Send only searches that are known to have found nothing, the ones that the vendor's "
        "workflows use; the others are skipped as search_has_results.",
    )
    send_product_impressions: bool = Field(
        False,
        description="Send impressions of the vendor's recommendation blocks. Off by default: its script on "
        "the site sends them; on for apps and for sites without the script.",
    )
    cart_from_item_events: bool = Field(
        False,
        description="Send the cart at add_to_cart and remove_from_cart, too, where the event carries the "
        "full one. Off by default: cart_updated tells it already.",
    )
