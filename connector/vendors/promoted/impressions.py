"""Impressions: which products were shown, where in which list.

Decides only.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connector.model.event import ClickstreamEvent
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.formats import clean_id, item_id
from connector.vendors.promoted import wire
from connector.vendors.promoted.pieces import Common, Rules, of_item, position, properties, references

SOURCE_TYPES: Mapping[str | None, str] = {"promoted": "DELIVERY", "platform": "CLIENT_BACKEND"}
"""`attribution.ranked_by` → sourceType."""


class Impressions(msgspec.Struct, frozen=True):
    """One impression per item."""


def impressions(event: ClickstreamEvent, common: Common, rules: Rules) -> MapResult:
    """The event's impressions, or why there are none."""
    items = event.items or ()
    adjustments = common.adjustments
    several = len(items) > 1
    shared = references(event, several, adjustments)
    source = SOURCE_TYPES.get(event.attribution.ranked_by) if event.attribution is not None else None
    mapped: list[Item] = []
    keys: set[str] = set()
    for index, item in enumerate(items):
        product = clean_id(rules.product_of(item), adjustments)
        if product is None:
            adjustments.append("item_dropped")
            continue
        own = of_item(item, shared, adjustments)
        key = own.impression_id
        if key is None or key.lower() in keys:
            key = item_id(event.event_id, index, len(items))
        record = wire.Impression(
            impression_id=key,
            user_info=common.user_info,
            timing=common.timing,
            client_info=rules.client_info,
            insertion_id=own.insertion_id,
            request_id=own.request_id,
            view_id=own.view_id,
            session_id=common.session_id,
            content_id=product,
            source_type=source,
            client_position=position(item, event, several),
            properties=properties(None, common),
        )
        body = wire.encode(record)
        if len(body) > rules.record_bytes_max:
            return Refused("payload_too_large", f"items[{index}]", adjustments)
        key = key.lower()  # as the vendor compares it
        keys.add(key)
        mapped.append(Item(key, "impression", body, common.at_ms))
    return Mapped(mapped, adjustments) if mapped else Skipped("no_content_id", adjustments)
