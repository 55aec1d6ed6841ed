"""Views: which page or screen, and about what.

Decides only.
"""

from __future__ import annotations

import msgspec

from connector.model import event as canonical
from connector.model.event import ClickstreamEvent
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused
from connector.vendors.formats import clean_id, clean_query
from connector.vendors.promoted import wire
from connector.vendors.promoted.pieces import Common, Rules, clean_url, locale, properties, view_id

WEB = frozenset({"web", "mobile_web", "desktop_web"})

_NO_PAGE = canonical.Page()
_APP_SCREEN = wire.AppScreenView()


class View(msgspec.Struct, frozen=True):
    """One view of a page of this type; None: as the event's own page type says."""

    page_type: str | None


def view(event: ClickstreamEvent, shape: View, common: Common, rules: Rules) -> MapResult:
    """The event's view; there always is one."""
    page = event.page or _NO_PAGE
    adjustments = common.adjustments
    kind = shape.page_type or page.type
    key = view_id(event, adjustments) or event.event_id
    language = event.device.language if event.device is not None else None
    web = event.channel in WEB
    record = wire.View(
        view_id=key,
        user_info=common.user_info,
        timing=common.timing,
        client_info=rules.client_info,
        session_id=common.session_id,
        content_id=_product(event, rules, adjustments) if kind == "product" else None,
        name=kind or event.event_type,
        use_case=rules.use_cases.get(kind) if kind and event.event_type != "landing" else None,
        search_query=_query(event, adjustments) if kind == "search" else None,
        locale=locale(language) if language is not None else None,
        web_page_view=wire.WebPageView(clean_url(page.url, rules), clean_url(page.referrer, rules))
        if web
        else None,
        app_screen_view=_APP_SCREEN if event.channel == "app" else None,
        properties=properties(None, common),
    )
    body = wire.encode(record)
    if len(body) > rules.record_bytes_max:
        return Refused("payload_too_large", "", adjustments)
    return Mapped((Item(key.lower(), "view", body, common.at_ms),), adjustments)


def _product(event: ClickstreamEvent, rules: Rules, adjustments: list[str]) -> str | None:
    found = clean_id(rules.product_of(event.items[0]), adjustments) if event.items else None
    if found is None and event.placement is not None:
        return clean_id(event.placement.product_id, adjustments)
    return found


def _query(event: ClickstreamEvent, adjustments: list[str]) -> str | None:
    return clean_query(event.search.query, adjustments) if event.search is not None else None
