"""Topsort's options."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connector.vendors.topsort.settings import TopsortOptions


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"currency": "EURO"}, "currency"),
        ({"currency": "12€"}, "currency"),
        ({"max_per_array": 0}, "max_per_array"),
        ({"max_per_array": 51}, "max_per_array"),
        ({"max_bytes": 900_001}, "max_bytes"),
        ({"max_bytes": 10}, "max_bytes"),
        ({"opaque_user_id_sources": []}, "opaque_user_id_sources"),
        ({"opaque_user_id_sources": ["email"]}, "opaque_user_id_sources"),
        ({"opaque_user_id_sources": ["opaque_id", "opaque_id"]}, "twice"),
        (
            {"opaque_user_id_sources": ["customer_id", "opaque_id"], "customer_id_hmac_secret": "s"},
            "only come last",
        ),
        ({"opaque_user_id_sources": ["opaque_id", "customer_id"]}, "customer_id_hmac_secret"),
        (
            {"opaque_user_id_sources": ["opaque_id", "customer_id"], "customer_id_hmac_secret": " "},
            "customer_id_hmac_secret",
        ),
        ({"product_id_source": "name"}, "product_id_source"),
        ({"engagement_clicks": "some"}, "engagement_clicks"),
        ({"subscription_renewal": "maybe"}, "subscription_renewal"),
        ({"max_future_skew_ms": 300_001}, "max_future_skew_ms"),
        ({"pageview": False}, "pageview"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], said: str) -> None:
    """What would go wrong later is refused at the start, with the name of the option."""
    with pytest.raises(ValidationError) as refused:
        TopsortOptions.model_validate({"currency": "EUR", **options})
    assert said in str(refused.value)


def test_the_currency_must_be_named() -> None:
    """Topsort takes every price as the marketplace's currency, so a default would be a guess about money."""
    with pytest.raises(ValidationError, match="currency"):
        TopsortOptions.model_validate({})


def test_the_currency_is_read_in_any_case() -> None:
    """` eur ` is EUR."""
    assert TopsortOptions(currency=" eur ").currency == "EUR"


def test_every_option_says_what_it_is_for() -> None:
    """The reference page is made of these texts; numbers have a unit."""
    for name, field in TopsortOptions.model_fields.items():
        assert field.description, name
        if field.annotation is int:
            assert isinstance(field.json_schema_extra, dict), name
            assert field.json_schema_extra["unit"], name
