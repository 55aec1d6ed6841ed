"""Impressions and clicks: sponsored when a token says so, organic when a product was seen.

Decides only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

import msgspec

from connector.model import event as canonical
from connector.model.event import ClickstreamEvent, Event
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.formats import clean_id, clean_query, item_id, text, texts
from connector.vendors.topsort import wire
from connector.vendors.topsort.pieces import Common, Rules, path_of

ENTITY_TYPES = ("product", "vendor")

Where = tuple[str, int | None, int | None, str | None, Sequence[str] | None, str | None]
"""The members of a placement that all items of an event share, in the order of `wire.Placement`."""

_NO_ATTRIBUTION = canonical.Attribution()
_NO_ITEM = canonical.EventItem()
_NO_PLACEMENT = canonical.Placement()


class Interactions(msgspec.Struct, frozen=True):
    """One impression or click per item, or a single one for a banner (a token without items).

    `engagement` is the click's type, None for a plain one; with nothing to show for it, an engagement that
    `needs_items` is refused where others are skipped.
    """

    kind: Literal["impressions", "clicks"]
    engagement: str | None = None
    needs_items: bool = False


def interactions(event: ClickstreamEvent, shape: Interactions, common: Common, rules: Rules) -> MapResult:
    """The event's impressions or clicks, or why there are none."""
    items = event.items or ()
    adjustments = common.adjustments
    if shape.needs_items and not items:
        return Refused("missing_required_field:items", "items", adjustments)
    several = len(items) > 1
    attribution = event.attribution or _NO_ATTRIBUTION
    event_token = clean_id(attribution.resolved_bid_id, adjustments)
    if several and event_token is not None:
        event_token = None  # nobody can say which of the items it belongs to
        adjustments.append("ambiguous_token_dropped")
    second = _second_entity(attribution, adjustments)
    where = _where(event, rules, adjustments)
    engagement = shape.engagement if rules.extended else None
    offsite = rules.extended and event.channel == "offsite"
    campaign = clean_id(attribution.campaign_id, adjustments) if offsite else None

    mapped: list[Item] = []
    for index, item in enumerate(items or (_NO_ITEM,)):
        token = _own_token(item, adjustments) or event_token
        organic = token is None
        entity = _entity(item, None if items else second, rules, adjustments) if organic else None
        unwanted = entity is None if organic else rules.organic_only and shape.engagement is not None
        if unwanted:
            if several:
                adjustments.append("item_dropped")
            continue
        record = wire.Interaction(
            id=item_id(event.event_id, index, len(items)),
            occurred_at=common.occurred_at,
            opaque_user_id=common.user_id,
            resolved_bid_id=token,
            entity=entity,
            additional_attribution=None if organic else second,
            click_type=None if organic else engagement,
            object=wire.ClickObject(engagement) if organic and engagement else None,
            placement=wire.Placement(*where, _position(item, event, several)) if where else None,
            device_type=common.device_type,
            channel=common.channel,
            external_campaign_id=campaign if organic else None,
            external_vendor_id=clean_id(item.seller_id, adjustments) if offsite and organic else None,
        )
        body = wire.encode(record)
        if len(body) > rules.record_bytes_max:
            return Refused("payload_too_large", f"items[{index}]" if items else "", adjustments)
        mapped.append(Item(record.id, shape.kind, body, common.at_ms))
    if mapped:
        return Mapped(mapped, adjustments)
    if shape.needs_items:
        return Refused("missing_required_field:items", "items", adjustments)
    return Skipped("no_entity", adjustments)


def sponsored(event: Event) -> bool:
    """True when all that the event would become carries a token."""
    items = event.items or ()
    if len(items) > 1:
        return all(_own_token(item, []) for item in items)
    token = clean_id(event.attribution.resolved_bid_id, []) if event.attribution else None
    return token is not None or any(_own_token(item, []) for item in items)


def _own_token(item: canonical.EventItem, adjustments: list[str]) -> str | None:
    return clean_id(item.attribution.resolved_bid_id, adjustments) if item.attribution is not None else None


def _entity(
    item: canonical.EventItem, otherwise: wire.Entity | None, rules: Rules, adjustments: list[str]
) -> wire.Entity | None:
    product = clean_id(rules.product_of(item), adjustments)
    return wire.Entity(product, "product") if product is not None else otherwise


def _second_entity(attribution: canonical.Attribution, adjustments: list[str]) -> wire.Entity | None:
    found = clean_id(attribution.entity_id, adjustments)
    kind = text(attribution.entity_type)
    return wire.Entity(found, kind) if found is not None and kind in ENTITY_TYPES else None


def _where(event: ClickstreamEvent, rules: Rules, adjustments: list[str]) -> Where | None:
    """What the page was and what it was about; None without a path, which the vendor insists on."""
    path = path_of(event)
    if path is None:
        return None
    placement = event.placement or _NO_PLACEMENT
    if rules.location_in_path:
        location = text(placement.location)
        if location is not None:
            path = f"{path.rstrip('/')}/{quote(location, safe='')}"
    query = text(placement.search_query) and placement.search_query
    if query is None and event.search is not None:
        query = event.search.query
    return (
        path,
        _from_1(placement.page),
        _from_1(placement.page_size),
        clean_id(placement.product_id, adjustments),
        texts(placement.category_ids),
        clean_query(query, adjustments),
    )


def _position(item: canonical.EventItem, event: ClickstreamEvent, several: bool) -> int | None:
    own = _from_1(item.position)
    if own is None and not several and event.placement is not None:
        return _from_1(event.placement.position)
    return own


def _from_1(value: int | None) -> int | None:
    return value if value is not None and value >= 1 else None
