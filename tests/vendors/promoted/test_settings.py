"""Promoted's options."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connector.settings import ConfigurationError, from_mapping
from connector.vendors.promoted import Promoted
from connector.vendors.promoted.settings import PromotedOptions


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_records": 0}, "max_records"),
        ({"max_records": 1_001}, "max_records"),
        ({"max_bytes": 900_001}, "max_bytes"),
        ({"max_bytes": 10}, "max_bytes"),
        ({"anon_user_id_source": "customer_id"}, "anon_user_id_source"),
        ({"product_id_source": "name"}, "product_id_source"),
        ({"product_view_as": "both"}, "product_view_as"),
        ({"use_cases": {"nowhere": "FEED"}}, "names no page type"),
        ({"use_cases": {"home": "feed"}}, "use_cases"),
        ({"use_cases": {"home": "UNKNOWN_USE_CASE"}}, "use_cases"),
        ({"custom_types": ["MODIFY_ORDER"]}, "custom_types"),
        ({"custom_types": {"order_updated": "modify_order"}}, "upper snake case"),
        ({"custom_types": {"order_updated": "MODIFY-ORDER"}}, "upper snake case"),
        ({"custom_types": {"order_updated": "1_ORDER"}}, "upper snake case"),
        ({"custom_types": {"order_updated": "_ORDER"}}, "upper snake case"),
        ({"custom_types": {"order_updated": "ÄNDERUNG"}}, "upper snake case"),
        ({"custom_types": {"order_updated": ""}}, "custom_types"),
        ({"custom_types": {" ": "MINE"}}, "names no event"),
        ({"properties_allow": [""]}, "properties_allow"),
        ({"properties_allow": "color"}, "properties_allow"),
        ({"url_query_allow": [""]}, "url_query_allow"),
        ({"traffic_type": "LOAD_TEST"}, "traffic_type"),
        ({"traffic_type": "UNKNOWN_TRAFFIC_TYPE"}, "traffic_type"),
        ({"max_future_skew_ms": 300_001}, "max_future_skew_ms"),
        ({"max_future_skew_ms": -1}, "max_future_skew_ms"),
        ({"view": False}, "view"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], said: str) -> None:
    """What would go wrong later is refused at the start, with the name of the option."""
    with pytest.raises(ValidationError) as refused:
        PromotedOptions.model_validate(options)
    assert said in str(refused.value)


def test_the_defaults_are_the_contracts() -> None:
    """Nothing must be given, and this is what nothing means."""
    assert PromotedOptions().model_dump(mode="json") == {
        "max_records": 500,
        "max_bytes": 900_000,
        "anon_user_id_source": "anonymous_id",
        "product_id_source": "product_id",
        "views": True,
        "product_view_as": "view",
        "use_cases": {
            "search": "SEARCH",
            "category": "CATEGORY_CONTENT",
            "product": "CLOSE_UP",
            "home": "FEED",
            "seller": "SELLER_CONTENT",
            "wishlist": "MY_SAVED_CONTENT",
        },
        "custom_types": {"order_updated": "MODIFY_ORDER", "order_delivered": "ORDER_COMPLETE"},
        "properties_allow": [],
        "url_query_allow": ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"],
        "traffic_type": "PRODUCTION",
        "max_future_skew_ms": 300_000,
    }


def test_the_defaults_belong_to_nobody() -> None:
    """A configuration that changes its own copy changes no other."""
    PromotedOptions().custom_types["x"] = "Y"
    assert "x" not in PromotedOptions().custom_types


def test_the_address_must_be_given() -> None:
    """Every account has its own, with or without `/log` and a slash, and it is used as it is written."""
    raw: dict[str, Any] = {
        "destination": {"name": "promoted", "api_key": "k-1"},
        "source": {
            "topics": ["orders"],
            "group_id": "g",
            "format": "json",
            "properties": {"bootstrap.servers": "localhost:9092"},
        },
    }
    with pytest.raises(ConfigurationError) as refused:
        from_mapping(raw)
    (problem,) = refused.value.problems
    assert (problem.path, problem.what) == ("destination.url", "is missing")
    for url in ("https://account.example/log", "https://account.example/", "http://localhost:8080/log"):
        raw["destination"]["url"] = url
        assert from_mapping(raw).destination.url == url
    raw["destination"]["url"] = "http://account.example/log"
    with pytest.raises(ConfigurationError, match="plain http"):
        from_mapping(raw)


def test_what_must_be_agreed_with_the_vendor_is_said_at_the_start() -> None:
    """Which visitor id its other logs must carry, and the names of custom actions, if there are any."""
    visitor, names = Promoted(PromotedOptions()).advice()
    assert "user.anonymous_id" in visitor
    assert "MODIFY_ORDER, ORDER_COMPLETE" in names
    (visitor,) = Promoted(PromotedOptions(anon_user_id_source="opaque_id", custom_types={})).advice()
    assert "user.opaque_id" in visitor


def test_every_option_says_what_it_is_for() -> None:
    """The reference page is made of these texts; numbers have a unit."""
    for name, field in PromotedOptions.model_fields.items():
        assert field.description, name
        if field.annotation is int:
            assert isinstance(field.json_schema_extra, dict), name
            assert field.json_schema_extra["unit"], name
