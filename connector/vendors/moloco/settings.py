"""The `destination.options` of Moloco, each with its default, its unit and its reason."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

ChannelName = Literal["app", "web", "mobile_web", "desktop_web", "store", "offsite", "other"]
ChannelType = Literal["APP", "SITE", "DESKTOP_SITE", "MOBILE_SITE"]

CHANNEL_TYPES: dict[ChannelName, ChannelType] = {
    "app": "APP",
    "web": "SITE",
    "mobile_web": "MOBILE_SITE",
    "desktop_web": "DESKTOP_SITE",
}

SKEW_MS_MAX = 86_400_000
"""A day: what lies further ahead has a wrong date, not a clock that runs fast."""

PROBE_S_MAX = 86_400.0
"""A day without a try would look like a connector that has died."""

_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,57}[a-z0-9])?", re.ASCII)
"""What may stand before `-evt` in a host name: RFC 1123 §2.1, 63 characters with it."""


def _platform_name(value: str | None) -> str | None:
    if value is None:
        return None
    name = value.strip().lower()
    if not _HOST_LABEL.fullmatch(name):
        raise ValueError(
            "is a part of the host name: letters, digits and hyphens, at most 59. The name in capitals and "
            "underscores is platform_id; for another host set destination.url"
        )
    return name


def _platform_id(value: str | None) -> str | None:
    if value is None:
        return None
    name = value.strip()
    if name in ("", ".", ".."):
        raise ValueError("is the name of the platform as Moloco gave it, for example SHOP_TEST")
    return name


def _domain(value: str | None) -> str | None:
    if value is None:
        return None
    name = value.strip()
    if not name:
        raise ValueError("is a domain, for example shop.example; null sends none")
    return name


class MolocoOptions(BaseModel):
    """How canonical events become Moloco's user events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    platform_name: Annotated[str | None, AfterValidator(_platform_name)] = Field(
        None,
        description="First part of the host, from Moloco: {platform_name}-evt.mcm-api.moloco.com. Not used "
        "when destination.url gives the whole address.",
        examples=["shop"],
    )
    platform_id: Annotated[str | None, AfterValidator(_platform_id)] = Field(
        None,
        description="The platform in the path of the address, from Moloco; there is a second one for tests. "
        "Not used when destination.url gives the whole address.",
        examples=["SHOP_TEST"],
    )
    domain: Annotated[str | None, AfterValidator(_domain)] = Field(
        None,
        description="Sent as `domain` with every event, of site and app alike. null sends none; it is never "
        "guessed from a URL.",
    )
    identity_hash: Literal["none", "sha256"] = Field(
        "none",
        description="How identifiers travel: as they are, or as SHA-256 in lower-case hex. Must be what the "
        "platform's Decision API requests do, or events are stored and nothing is attributed; so the default "
        "changes nothing. With none, identifiers that hold an @ or are longer than 128 are left out.",
    )
    channel_types: dict[ChannelName, ChannelType] = Field(
        CHANNEL_TYPES,
        min_length=1,
        description="Canonical channel to channel_type, the whole table. Events of any other channel are "
        "skipped as unsupported_channel: Moloco has no word for them.",
    )
    unsupported_currency: Literal["skip", "omit"] = Field(
        "skip",
        description="What becomes of a purchase in a currency outside Moloco's 25: skipped, or sent without "
        "any price, revenue and shipping. Skipped by default, because Moloco's server may refuse a purchase "
        "without revenue.",
    )
    max_future_skew_ms: int = Field(
        300_000,
        ge=0,
        le=SKEW_MS_MAX,
        description="How far an event may lie ahead of this machine's clock and still go out, with the "
        "clock's time; further ahead it becomes a dead letter. Moloco refuses future times.",
        json_schema_extra={"unit": "ms"},
    )
    probe_interval_min_s: float = Field(
        60.0,
        ge=1,
        le=PROBE_S_MAX,
        description="How long the breaker waits before it tries one event while Moloco is down; doubled "
        "after each try. Moloco's failure protocol names 15 minutes as an example; we begin earlier, so that "
        "a short outage delays little.",
        json_schema_extra={"unit": "s"},
    )
    probe_interval_max_s: float = Field(
        900.0,
        ge=1,
        le=PROBE_S_MAX,
        description="The longest of these waits: the 15 minutes of Moloco's failure protocol.",
        json_schema_extra={"unit": "s"},
    )

    @model_validator(mode="after")
    def _probe_intervals_grow(self) -> Self:
        if self.probe_interval_max_s < self.probe_interval_min_s:
            raise ValueError("probe_interval_max_s is less than probe_interval_min_s")
        return self
