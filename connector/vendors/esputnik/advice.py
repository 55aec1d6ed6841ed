"""What an operator must know before the first event, because only the vendor's account can tell.

Decides only.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.vendors.esputnik.settings import OrdersOptions, SharedOptions, SiteOptions

CONTACTS = (
    "eSputnik stores events of contacts that it already has and drops all others in silence: import the "
    "contacts first, in the account under Contacts or by its API (v1/contacts; v1/orders creates them, too)"
)
ORDERS_SWITCHED_ON = (
    "segmentation by events must be switched on in the account for orderCreated, orderUpdated, "
    "orderDelivered and orderCancelled, or orders are taken and not stored"
)
SITE_SWITCHED_ON = (
    "segmentation by events and the recommendation service must be switched on in the account, or events are "
    "taken and not stored"
)
REPLAY = (
    "eSputnik takes every event as happening now, so a replay of old offsets, or the backlog of an outage, "
    "starts workflows that write to customers: set max_event_age_s, for example 86400"
)
ZONE = (
    "account_timezone is not set: dates go out in UTC, and the account reads them in its own time zone. Set "
    "it to the account's, for example Europe/Kyiv, or to UTC"
)
CURRENCIES = (
    "eSputnik's overview names the currencies USD, EUR and UAH alone; others are sent as they are: ask the "
    "vendor before relying on their sums"
)
TWICE = (
    "v1_site_events is on: never run esputnik-site on the same topics, or every view and cart counts twice"
)
NOT_TWICE = (
    "never run it on the same topics as an esputnik-orders with v1_site_events, or every view and cart "
    "counts twice"
)
SCRIPT = (
    "a site that runs eSputnik's own script reports the same views itself: send only what the script does "
    "not see (apps, carts of the server), or views count twice"
)


def of_orders(options: OrdersOptions) -> Sequence[str]:
    """What to know of orders through v1/event."""
    zone = () if "account_timezone" in options.model_fields_set else (ZONE,)
    site = (TWICE, SCRIPT) if options.v1_site_events else ()
    return (*zone, CONTACTS, ORDERS_SWITCHED_ON, CURRENCIES, *site, *_replay(options))


def of_site(options: SiteOptions) -> Sequence[str]:
    """What to know of site activity through v2/event."""
    return (CONTACTS, SITE_SWITCHED_ON, SCRIPT, NOT_TWICE, *_replay(options))


def _replay(options: SharedOptions) -> Sequence[str]:
    return () if options.max_event_age_s else (REPLAY,)
