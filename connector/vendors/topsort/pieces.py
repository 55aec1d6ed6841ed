"""What the records of Topsort share: who and when, and where it was.

Decides only.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from connector.model.event import ClickstreamEvent, EventItem
from connector.vendors.formats import url_path


class Rules(msgspec.Struct, frozen=True):
    """What the options say about mapping, ready for the hot path."""

    currency: str
    product_of: Callable[[EventItem], str | None]
    record_bytes_max: int
    extended: bool
    location_in_path: bool
    organic_only: bool


class Common(msgspec.Struct, frozen=True, gc=False):
    """What every record of an event says, and the list of what had to be changed on the way."""

    at_ms: int
    occurred_at: str
    user_id: str
    device_type: str | None
    channel: str | None
    adjustments: list[str]


def path_of(event: ClickstreamEvent) -> str | None:
    """Where it happened: the placement's path, else the page's, else that of the page's address."""
    placement, page = event.placement, event.page
    path = url_path(placement.path) if placement is not None else None
    if path is None and page is not None:
        path = url_path(page.path) or url_path(page.url)
    return path
