"""The `destination.options` of Topsort, each with its default, its unit and its reason."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

UserIdSource = Literal["opaque_id", "anonymous_id", "customer_id"]
ProductIdSource = Literal["product_id", "parent_id", "sku"]

PER_ARRAY_MAX = 50  # openapi topsort-api-v2 (2026-05-25), EventsRequest: maxItems of every array

BODY_BYTES_MAX = 900_000
"""Nothing is published; below 1 MiB, the smallest body limit that is common in front of HTTP services."""

BODY_BYTES_MIN = 1_024
"""Room for one ordinary record; less would refuse everything as too large."""


def _iso_4217(value: str) -> str:
    code = value.strip().upper()
    if len(code) != 3 or not (code.isascii() and code.isalpha()):
        raise ValueError("is not a currency code of three letters, for example EUR")
    return code


class TopsortOptions(BaseModel):
    """How canonical events become Topsort events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: Annotated[str, AfterValidator(_iso_4217)] = Field(
        description="The marketplace currency, ISO 4217. Topsort has no currency field and takes every price "
        "as this one, so there is no safe default; orders in another currency are skipped.",
    )
    max_per_array: int = Field(
        PER_ARRAY_MAX,
        ge=1,
        le=PER_ARRAY_MAX,
        description="Records in each of the four arrays of a request. The default is the vendor's limit.",
        json_schema_extra={"unit": "records"},
    )
    max_bytes: int = Field(
        BODY_BYTES_MAX,
        ge=BODY_BYTES_MIN,
        le=BODY_BYTES_MAX,
        description="Size of a request body. The vendor publishes no limit; the default stays below the "
        "common 1 MiB. A single record above it becomes a dead letter.",
        json_schema_extra={"unit": "bytes"},
    )
    opaque_user_id_sources: tuple[UserIdSource, ...] = Field(
        ("opaque_id", "anonymous_id"),
        min_length=1,
        max_length=3,
        description="Where opaqueUserId comes from, the first present one wins. It must be the value that "
        "the auction requests carry. customer_id may only come last and is sent as its HMAC, never raw.",
    )
    customer_id_hmac_secret: SecretStr | None = Field(
        None,
        description="Secret of the HMAC-SHA256 that stands for customer_id; needed when that is a source. A "
        "new secret makes every shopper a new one.",
    )
    product_id_source: ProductIdSource = Field(
        "product_id",
        description="Which id of an item equals the id in the vendor's catalogue.",
    )
    pageviews: bool = Field(
        True,
        description="Send page views. Off, they are skipped as disabled_by_config.",
    )
    extended_fields: bool = Field(
        True,
        description="Send deviceType, channel, object, clickType and the external ids. Off for an account "
        "that still runs the version of the API without them: it would refuse the whole request.",
    )
    engagement_clicks: Literal["all", "organic_only", "off"] = Field(
        "all",
        description="Which add_to_cart, like and add_to_wishlist events go out as clicks. Sponsored clicks "
        "cost the advertiser money; the vendor's guide wants them, so the default is all.",
    )
    subscription_renewal: Literal["skip", "send"] = Field(
        "skip",
        description="Send renewals that have an order id of their own as purchases. Skipped by default: no "
        "auction led to them.",
    )
    location_in_path: bool = Field(
        False,
        description="Append placement.location to placement.path as one more segment, the vendor's advice "
        "for carousels. Off by default because it splits reports by path.",
    )
    max_future_skew_ms: int = Field(
        300_000,
        ge=0,
        le=300_000,
        description="How far an event may lie ahead of this machine's clock and still go out, with the "
        "clock's time; further ahead it becomes a dead letter. One future event fails a whole request.",
        json_schema_extra={"unit": "ms"},
    )

    @model_validator(mode="after")
    def _customer_id_only_last_and_hashed(self) -> Self:
        sources = self.opaque_user_id_sources
        if len(set(sources)) < len(sources):
            raise ValueError("opaque_user_id_sources names a source twice")
        if "customer_id" in sources[:-1]:
            raise ValueError("opaque_user_id_sources: customer_id may only come last")
        secret = self.customer_id_hmac_secret
        if "customer_id" in sources and not (secret and secret.get_secret_value().strip()):
            raise ValueError("customer_id as a source needs customer_id_hmac_secret")
        return self
