"""The options of eSputnik's two destinations, and what they want an operator to know."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from connector.vendors.esputnik import EsputnikOrders, EsputnikSite, advice
from connector.vendors.esputnik.settings import URL_QUERY_DENY, OrdersOptions, SiteOptions

SHARED: list[tuple[dict[str, Any], str]] = [
    ({"max_event_age_s": -1}, "max_event_age_s"),
    ({"max_event_age_s": 1.5}, "max_event_age_s"),
    ({"extra_params": [""]}, "1 to 100 characters"),
    ({"extra_params": ["x" * 101]}, "1 to 100 characters"),
    ({"extra_params": [" a"]}, "no blanks"),
    ({"extra_params": ["a", "b", "a"]}, "twice"),
    ({"extra_params": "campaign"}, "extra_params"),
    ({"product_properties": ["colour", "colour"]}, "twice"),
    *(({"product_properties": [name]}, "vendor's own") for name in ("price", "cost", "name", "isInStock")),
    ({"url_query_deny": "token"}, "url_query_deny"),
    ({"api_key": "k"}, "api_key"),
]
ORDERS: list[tuple[dict[str, Any], str]] = [
    *(
        ({"account_timezone": zone}, "IANA")
        for zone in ("Kyiv", "", "Europe", "+02:00", "../etc", "europe/kyiv")
    ),
    ({"status_map": {"paid": "PAID"}}, "status_map"),
    ({"status_map": {" _-": "DELIVERED"}}, "blank"),
    ({"status_map": {"on hold": "DELIVERED", "ON_HOLD": "CANCELLED"}}, "twice"),
    ({"status_change_as": "update"}, "status_change_as"),
    ({"send_products": "maybe"}, "send_products"),
    ({"search_only_empty": True}, "search_only_empty"),
]
SITE: list[tuple[dict[str, Any], str]] = [
    ({"search_only_empty": 7}, "search_only_empty"),
    ({"account_timezone": "UTC"}, "account_timezone"),
    ({"v1_site_events": True}, "v1_site_events"),
]


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        *((OrdersOptions, *row) for row in (*SHARED, *ORDERS)),
        *((SiteOptions, *row) for row in (*SHARED, *SITE)),
    ],
)
def test_a_wrong_option_is_named(kind: type[BaseModel], options: dict[str, Any], said: str) -> None:
    """What would go wrong later is refused at the start, with the name of the option."""
    with pytest.raises(ValidationError) as refused:
        kind.model_validate(options)
    assert said in str(refused.value)
    assert next(iter(options)) in str(refused.value)


def test_nothing_must_be_given_and_everything_has_the_contracts_default() -> None:
    """So that a minimal file is complete."""
    assert OrdersOptions().model_dump() == {
        "max_event_age_s": 0,
        "extra_params": (),
        "product_properties": (),
        "url_query_deny": URL_QUERY_DENY,
        "account_timezone": "UTC",
        "status_map": {},
        "status_change_as": "status_event",
        "send_products": True,
        "send_names": False,
        "send_delivery_address": False,
        "v1_site_events": False,
        "orders_require_marketing_consent": False,
    }
    assert SiteOptions().model_dump() == {
        "max_event_age_s": 0,
        "extra_params": (),
        "product_properties": (),
        "url_query_deny": URL_QUERY_DENY,
        "search_only_empty": False,
        "send_product_impressions": False,
        "cart_from_item_events": False,
    }


@pytest.mark.parametrize("zone", ["Europe/Kyiv", "Europe/Kiev", "UTC", "Etc/GMT+3", "America/St_Johns"])
def test_a_time_zone_has_its_iana_name(zone: str) -> None:
    """Old names go on meaning what they meant."""
    assert OrdersOptions(account_timezone=zone).account_timezone == zone


def test_statuses_are_read_in_any_spelling() -> None:
    """The same word twice is no matter while it means the same."""
    options = OrdersOptions.model_validate({"status_map": {"On Hold": "CANCELLED", "on_hold": "CANCELLED"}})
    assert options.status_map == {"onhold": "CANCELLED"}


@pytest.mark.parametrize("kind", [OrdersOptions, SiteOptions])
def test_every_option_says_what_it_is_for(kind: type[BaseModel]) -> None:
    """The reference page is made of these texts; numbers have a unit."""
    for name, field in kind.model_fields.items():
        assert field.description, name
        if field.annotation is int:
            assert isinstance(field.json_schema_extra, dict), name
            assert field.json_schema_extra["unit"], name


# ── advice ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "told", "untold"),
    [
        ({}, {advice.ZONE, advice.REPLAY}, {advice.TWICE, advice.SCRIPT}),
        ({"account_timezone": "UTC"}, {advice.REPLAY}, {advice.ZONE}),
        ({"max_event_age_s": 86_400}, {advice.ZONE}, {advice.REPLAY}),
        ({"v1_site_events": True}, {advice.TWICE, advice.SCRIPT}, set()),
    ],
)
def test_orders_come_with_advice(options: dict[str, Any], told: set[str], untold: set[str]) -> None:
    """What the account alone can tell, always; the rest as far as the settings leave it open."""
    said = set(EsputnikOrders(OrdersOptions.model_validate(options)).advice())
    assert said >= told | {advice.CONTACTS, advice.ORDERS_SWITCHED_ON, advice.CURRENCIES}
    assert not said & untold


def test_site_activity_comes_with_advice() -> None:
    """Contacts, switches, and what would count twice."""
    always = {advice.CONTACTS, advice.SITE_SWITCHED_ON, advice.SCRIPT, advice.NOT_TWICE}
    assert set(EsputnikSite(SiteOptions()).advice()) == always | {advice.REPLAY}
    assert set(EsputnikSite(SiteOptions(max_event_age_s=1)).advice()) == always
