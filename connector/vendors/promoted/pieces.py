"""What the records of Promoted share: who, when, what they refer to, and how fields are written.

Decides only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

import msgspec

from connector.model import event as canonical
from connector.model.event import ClickstreamEvent, Event, EventItem
from connector.model.item import Item
from connector.vendors.formats import bare_url, clean_id, holds_email, query_parameters
from connector.vendors.promoted import wire

PROPERTIES_MAX = 50
PROPERTIES_BYTES_MAX = 8_192

OURS = frozenset(
    {
        *("quantity", "unitPriceMicros", "currencyCode", "orderId", "orderStatus", "orderTotalMicros"),
        *("orderLines", "currentOrder", "orderDelta", "offerAmountMicros"),
    }
)
"""Keys of `properties.struct` that have a meaning; no property of an event is ever sent under one of them."""

_NO_ATTRIBUTION = canonical.Attribution()


class Rules(msgspec.Struct, frozen=True):
    """What the options say about mapping, ready for the hot path."""

    product_of: Callable[[EventItem], str | None]
    record_bytes_max: int
    client_info: msgspec.Raw
    use_cases: dict[str, str]
    properties_allow: Sequence[str]
    url_query_allow: frozenset[str]


class Common(msgspec.Struct, frozen=True, gc=False):
    """What every record of an event says, and the list of what had to be changed on the way."""

    at_ms: int
    timing: wire.Timing
    user_info: wire.UserInfo
    session_id: str | None
    allowed: dict[str, object] | None
    adjustments: list[str]


class References(msgspec.Struct, frozen=True, gc=False):
    """The vendor's ids of what came before: what was asked for, shown and looked at."""

    request_id: str | None = None
    view_id: str | None = None
    insertion_id: str | None = None
    impression_id: str | None = None


NO_REFERENCES = References()


def references(event: Event, several: bool, adjustments: list[str]) -> References:
    """What the event itself refers to. Insertion and impression belong to one product, so with several items
    nobody can say to which."""
    if event.attribution is None:
        return NO_REFERENCES
    found = References(
        clean_id(event.attribution.request_id, adjustments),
        clean_id(event.attribution.view_id, adjustments),
        clean_id(event.attribution.insertion_id, adjustments),
        clean_id(event.attribution.impression_id, adjustments),
    )
    if several and (found.insertion_id is not None or found.impression_id is not None):
        adjustments.append("ambiguous_reference_dropped")
        return References(found.request_id, found.view_id)
    return found


def of_item(item: EventItem, shared: References, adjustments: list[str]) -> References:
    """The event's references with this very item's own over them."""
    if item.attribution is None:
        return shared
    return References(
        shared.request_id,
        shared.view_id,
        clean_id(item.attribution.insertion_id, adjustments) or shared.insertion_id,
        clean_id(item.attribution.impression_id, adjustments) or shared.impression_id,
    )


def view_id(event: Event, adjustments: list[str]) -> str | None:
    """The view that the event happened in, or is."""
    return clean_id(event.attribution.view_id, adjustments) if event.attribution is not None else None


def position(item: EventItem, event: ClickstreamEvent, several: bool) -> wire.IndexPath | None:
    """The item's place in its list, counted from 0: its own, or for a single one the placement's."""
    place = item.position
    if (place is None or place < 1) and not several and event.placement is not None:
        place = event.placement.position
    return wire.IndexPath((place - 1,)) if place is not None and place >= 1 else None


def properties(named: dict[str, object] | None, common: Common) -> wire.Properties | None:
    """What this record says of its own, beside what the settings let through of the event's properties."""
    if common.allowed:
        return wire.Properties({**common.allowed, **named} if named else common.allowed)
    return wire.Properties(named) if named else None


def allowed(event: Event, rules: Rules, adjustments: list[str]) -> dict[str, object] | None:
    """The event's properties that the settings let through; one that may not go is counted."""
    if not rules.properties_allow or not event.properties:
        return None
    kept: dict[str, object] = {}
    size = 0
    for name in rules.properties_allow:
        value = event.properties.get(name)
        if value is None or not value.strip():
            continue
        cost = len(wire.encode(name)) + len(wire.encode(value)) + 2  # the colon and the comma
        if (
            name in OURS
            or holds_email(value)
            or len(kept) == PROPERTIES_MAX
            or size + cost > PROPERTIES_BYTES_MAX
        ):
            adjustments.append("property_suppressed")
            continue
        kept[name] = value
        size += cost
    return kept


def clean_url(value: str | None, rules: Rules) -> str | None:
    """The address without what may be personal: user info, fragment, and all query parameters but a few."""
    found = bare_url(value)
    if found is None:
        return None
    address, query = found
    if not query:
        return address
    keep = rules.url_query_allow
    pairs = [
        pair
        for _, parameter in query_parameters(query)
        for pair in parse_qsl(parameter, keep_blank_values=True)
        if pair[0] in keep
    ]
    return f"{address}?{urlencode(pairs)}" if pairs else address


@lru_cache(maxsize=1024)
def locale(language: str) -> wire.Locale | None:
    """`uk-UA`, `zh_Hant_TW` → language and region; None without a language."""
    parts = language.strip().replace("_", "-").split("-")
    first, last = parts[0].strip().lower(), parts[-1].strip().upper()
    if not first:
        return None
    is_region = len(parts) > 1 and last.isascii() and _has_form_of_region(last)
    return wire.Locale(first, last if is_region else None)


def _has_form_of_region(part: str) -> bool:
    return (len(part) == 2 and part.isalpha()) or (len(part) == 3 and part.isdecimal())


def action(
    common: Common,
    rules: Rules,
    key: str,
    action_type: str,
    refers: References,
    content_id: str | None = None,
    *,
    custom_type: str | None = None,
    place: wire.IndexPath | None = None,
    url: str | None = None,
    contents: Sequence[wire.CartContent] = (),
    named: dict[str, object] | None = None,
) -> Item | None:
    """One action, encoded; None when it is larger than a request may be."""
    body = wire.encode(
        wire.Action(
            action_id=key,
            user_info=common.user_info,
            timing=common.timing,
            client_info=rules.client_info,
            impression_id=refers.impression_id,
            insertion_id=refers.insertion_id,
            request_id=refers.request_id,
            view_id=refers.view_id,
            session_id=common.session_id,
            action_type=action_type,
            custom_action_type=custom_type,
            content_id=content_id,
            navigate_action=wire.NavigateAction(url) if url is not None else None,
            client_position=place,
            cart=wire.Cart(contents) if contents else None,
            properties=properties(named, common),
        )
    )
    return Item(key, "action", body, common.at_ms) if len(body) <= rules.record_bytes_max else None
