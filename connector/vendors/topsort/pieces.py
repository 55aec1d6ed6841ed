"""What the records of Topsort share: who and when, and how ids, paths and queries are read.

Decides only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from connector.model.event import ClickstreamEvent, EventItem
from connector.vendors.formats import holds_email, identifier, text, url_path


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


def clean_id(value: str | None, adjustments: list[str]) -> str | None:
    """An identifier or token as the vendor may have it: no placeholder, and never an e-mail address."""
    found = identifier(value)
    if found is not None and holds_email(found):
        adjustments.append("pii_identifier_suppressed")
        return None
    return found


def path_of(event: ClickstreamEvent) -> str | None:
    """Where it happened: the placement's path, else the page's, else that of the page's address."""
    placement, page = event.placement, event.page
    path = url_path(placement.path) if placement is not None else None
    if path is None and page is not None:
        path = url_path(page.path) or url_path(page.url)
    return path


def clean_query(value: str | None, adjustments: list[str]) -> str | None:
    """The query word for word, as the auction got it; None when blank or when it holds an e-mail address."""
    if value is None or not value.strip():
        return None
    if holds_email(value):
        adjustments.append("search_query_suppressed")
        return None
    return value


def texts(values: Sequence[str] | None) -> Sequence[str] | None:
    """Those that are not blank, None when none is left."""
    return [found for value in values if (found := text(value)) is not None] or None if values else None
