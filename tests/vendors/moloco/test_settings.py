"""Moloco's options."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connector.settings import ConfigurationError, from_mapping
from connector.vendors.moloco import Moloco
from connector.vendors.moloco.settings import MolocoOptions

PLATFORM = {"platform_name": "shop", "platform_id": "SHOP_TEST"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"platform_name": ""}, "platform_name"),
        ({"platform_name": "SHOP_TEST"}, "platform_id"),
        ({"platform_name": "shop.example/"}, "destination.url"),
        ({"platform_name": "-shop"}, "hyphens"),
        ({"platform_name": "s" * 60}, "at most 59"),
        ({"platform_name": "магазин"}, "letters"),
        ({"platform_id": " "}, "platform_id"),
        ({"platform_id": ".."}, "platform_id"),
        ({"domain": " "}, "null sends none"),
        ({"identity_hash": "md5"}, "identity_hash"),
        ({"channel_types": {}}, "channel_types"),
        ({"channel_types": {"fax": "SITE"}}, "channel_types"),
        ({"channel_types": {"web": "UNKNOWN_CHANNEL_TYPE"}}, "channel_types"),
        ({"unsupported_currency": "convert"}, "unsupported_currency"),
        ({"max_future_skew_ms": -1}, "max_future_skew_ms"),
        ({"max_future_skew_ms": 86_400_001}, "max_future_skew_ms"),
        ({"probe_interval_min_s": 0}, "probe_interval_min_s"),
        ({"probe_interval_max_s": 86_401}, "probe_interval_max_s"),
        ({"probe_interval_min_s": 61, "probe_interval_max_s": 60}, "less than probe_interval_min_s"),
        ({"base_url": "https://shop.example"}, "base_url"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], said: str) -> None:
    """What would go wrong later is refused at the start, with the name of the option."""
    with pytest.raises(ValidationError) as refused:
        MolocoOptions.model_validate({**PLATFORM, **options})
    assert said in str(refused.value)


def test_the_platform_must_be_named_unless_the_whole_address_is() -> None:
    """Moloco gives both names; a default would send one shop's events to another. Mapping needs neither."""
    assert Moloco.address_options == ("platform_name", "platform_id")
    raw: dict[str, Any] = {
        "destination": {"name": "moloco", "api_key": "key"},
        "source": {"topics": ["a"], "group_id": "g", "properties": {"bootstrap.servers": "b:1"}},
    }
    with pytest.raises(ConfigurationError) as refused:
        from_mapping(raw)
    assert {problem.path for problem in refused.value.problems} == {
        "destination.options.platform_name",
        "destination.options.platform_id",
    }
    raw["destination"]["options"] = PLATFORM
    assert from_mapping(raw)
    raw["destination"] = {"name": "moloco", "api_key": "key", "url": "https://shop.example/userevents"}
    assert from_mapping(raw)


def test_the_defaults_are_the_contracts() -> None:
    """All but the platform."""
    assert MolocoOptions(**PLATFORM).model_dump() == {
        **PLATFORM,
        "domain": None,
        "identity_hash": "none",
        "channel_types": {
            "app": "APP",
            "web": "SITE",
            "mobile_web": "MOBILE_SITE",
            "desktop_web": "DESKTOP_SITE",
        },
        "unsupported_currency": "skip",
        "max_future_skew_ms": 300_000,
        "probe_interval_min_s": 60.0,
        "probe_interval_max_s": 900.0,
    }


def test_names_are_read_without_blanks() -> None:
    """And the one in the host in lower case, as hosts are."""
    options = MolocoOptions(platform_name=" Shop-1 ", platform_id=" SHOP TEST ", domain=" shop.example ")
    assert (options.platform_name, options.platform_id) == ("shop-1", "SHOP TEST")
    assert options.domain == "shop.example"


def test_every_option_says_what_it_is_for() -> None:
    """The reference page is made of these texts; numbers have a unit."""
    for name, field in MolocoOptions.model_fields.items():
        assert field.description, name
        if field.annotation in (int, float):
            assert isinstance(field.json_schema_extra, dict), name
            assert field.json_schema_extra["unit"], name
