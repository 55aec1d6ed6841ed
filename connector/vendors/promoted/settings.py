"""The `destination.options` of Promoted, each with its default, its unit and its reason."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from connector.model.event import PageType

AnonUserIdSource = Literal["anonymous_id", "opaque_id"]
ProductIdSource = Literal["product_id", "parent_id", "sku"]
UseCase = Literal[
    "CUSTOM",
    "SEARCH",
    "SEARCH_SUGGESTIONS",
    "FEED",
    "RELATED_CONTENT",
    "CLOSE_UP",
    "CATEGORY_CONTENT",
    "MY_CONTENT",
    "MY_SAVED_CONTENT",
    "SELLER_CONTENT",
    "DISCOVER",
]

RECORDS_MAX = 1_000
"""Nothing is published; more would only make a refused request slower to halve."""

BODY_BYTES_MAX = 900_000
"""Nothing is published. The published server fails a request of more than about 1 MiB as protobuf, and above
2,000,024 bytes it answers 200 and stores nothing; most records are smaller as protobuf than as JSON."""

BODY_BYTES_MIN = 2_048
"""Room for one ordinary record; less would refuse everything as too large."""

USE_CASES: MappingProxyType[str, UseCase] = MappingProxyType(
    {
        "search": "SEARCH",
        "category": "CATEGORY_CONTENT",
        "product": "CLOSE_UP",
        "home": "FEED",
        "seller": "SELLER_CONTENT",
        "wishlist": "MY_SAVED_CONTENT",
    }
)

CUSTOM_TYPES = MappingProxyType({"order_updated": "MODIFY_ORDER", "order_delivered": "ORDER_COMPLETE"})
"""`ORDER_COMPLETE` and `MODIFY_ORDER` are the names that the vendor's own documentation uses."""

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")


def _upper_snake(name: str) -> str:
    if not (
        name.isascii() and name.replace("_", "").isalnum() and name[0].isalpha() and name == name.upper()
    ):
        raise ValueError("must be in upper snake case, for example ORDER_COMPLETE")
    return name


def _page_types(table: dict[str, UseCase]) -> dict[str, UseCase]:
    known = [str(page_type) for page_type in PageType]
    for name in table:
        if name not in known:
            raise ValueError(f"names no page type; known: {', '.join(known)}")
    return table


def _no_name_blank(names: dict[str, str]) -> dict[str, str]:
    if not all(name.strip() for name in names):
        raise ValueError("names no event")
    return names


CustomType = Annotated[str, Field(min_length=1), AfterValidator(_upper_snake)]
Name = Annotated[str, Field(min_length=1)]


class PromotedOptions(BaseModel):
    """How canonical events become Promoted records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_records: int = Field(
        500,
        ge=1,
        le=RECORDS_MAX,
        description="Records in a request, of all kinds together. The vendor publishes no limit; a refused "
        "request is halved, so fewer find a bad record sooner.",
        json_schema_extra={"unit": "records"},
    )
    max_bytes: int = Field(
        BODY_BYTES_MAX,
        ge=BODY_BYTES_MIN,
        le=BODY_BYTES_MAX,
        description="Size of a request body. The vendor publishes no limit, but drops large requests in "
        "silence; the default stays below that. A single record above it becomes a dead letter.",
        json_schema_extra={"unit": "bytes"},
    )
    anon_user_id_source: AnonUserIdSource = Field(
        "anonymous_id",
        description="Which id of the visitor is anonUserId. It must be the one that the site's other logs "
        "for the vendor carry, who joins on it. One choice, never a mix.",
    )
    product_id_source: ProductIdSource = Field(
        "product_id",
        description="Which id of an item is contentId. It must be the one that the vendor ranks.",
    )
    views: bool = Field(
        True,
        description="Send views. Off, for an account whose site logs them itself, they are skipped as "
        "disabled_by_config.",
    )
    product_view_as: Literal["view", "navigate"] = Field(
        "view",
        description="What a product_view becomes. navigate sends a NAVIGATE action in the view's place, for "
        "producers that have no click events; never both.",
    )
    use_cases: Annotated[dict[str, UseCase], AfterValidator(_page_types)] = Field(
        default_factory=lambda: dict(USE_CASES),
        description="The vendor's useCase by page type; a page type that is not listed has none. Given, it "
        "replaces the whole default.",
    )
    custom_types: Annotated[dict[str, CustomType], AfterValidator(_no_name_blank)] = Field(
        default_factory=lambda: dict(CUSTOM_TYPES),
        description="The customActionType, as agreed with the vendor, of order_updated, order_delivered, "
        "order_cancelled (when it was not the customer who cancelled) and of custom events by their "
        "properties.action. What is not listed is skipped as disabled_by_config, but order_cancelled, which "
        "then is a CANCEL_PURCHASE. Given, it replaces the whole default.",
    )
    properties_allow: tuple[Name, ...] = Field(
        (),
        description="Keys of the event's properties that may go into properties.struct: at most 50 and 8 KiB "
        "of them, none that holds an e-mail address, none over a key of ours. Empty, because the vendor "
        "wants no personal data there.",
    )
    url_query_allow: tuple[Name, ...] = Field(
        UTM,
        description="Query parameters that stay in addresses. All others are removed: they may hold tokens "
        "and personal data.",
    )
    traffic_type: Literal["PRODUCTION", "REPLAY", "SHADOW"] = Field(
        "PRODUCTION",
        description="The vendor's trafficType. Replayed dead letters are PRODUCTION: they never arrived.",
    )
    max_future_skew_ms: int = Field(
        300_000,
        ge=0,
        le=300_000,
        description="How far an event may lie ahead of this machine's clock and still go out, with the "
        "clock's time; further ahead it becomes a dead letter.",
        json_schema_extra={"unit": "ms"},
    )
