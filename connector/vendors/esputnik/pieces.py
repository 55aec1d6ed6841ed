"""What eSputnik's events share: who they are about, what the settings add to them, and their way into items.

Decides only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from connector.model.event import Event, EventItem
from connector.model.item import Item
from connector.vendors.contract import Mapped, MapResult, Refused, Skipped
from connector.vendors.esputnik import wire
from connector.vendors.esputnik.contacts import contacts
from connector.vendors.esputnik.settings import SharedOptions
from connector.vendors.formats import currency, item_id, text

_CONSENT_DENIED = Skipped("consent_denied")
_STALE = Skipped("stale_event")
_EXTRA_NONE: Sequence[wire.Param] = ()


class Rules(msgspec.Struct, frozen=True):
    """What the options say about mapping, ready for the hot path.

    `product_properties` pairs each attribute's name with the same as a member's name in JSON. `version` is
    the method's: in the document of v1 a viewed product has a quantity.
    """

    extra_params: tuple[str, ...]
    product_properties: tuple[tuple[str, str], ...]
    url_query_deny: frozenset[str]
    max_event_age_ms: int
    version: Literal[1, 2]

    @classmethod
    def of(cls, options: SharedOptions, version: Literal[1, 2]) -> Rules:
        """These options, for this version of the method."""
        return cls(
            extra_params=options.extra_params,
            product_properties=tuple((name, wire.json_text(name)) for name in options.product_properties),
            url_query_deny=frozenset(name.lower() for name in options.url_query_deny),
            max_event_age_ms=options.max_event_age_s * 1000,
            version=version,
        )


class Common(msgspec.Struct, frozen=True):
    """What every request of an event says, and the list of what had to be changed on the way."""

    contacts: list[wire.Param]
    extra: Sequence[wire.Param]
    adjustments: list[str]

    def body(self, event_type_key: str, params: Sequence[wire.Param]) -> bytes:
        """The body: identifiers first, then the event's own params, then those that the settings add. Of two
        with one name the earlier stays."""
        whole = [*self.contacts, *params]
        if self.extra:
            taken = {param.name for param in whole}
            whole += [param for param in self.extra if param.name not in taken]
        return wire.encode(wire.GeneratedEvent(event_type_key, self.contacts[0].value, whole))


def not_wanted(event: Event, consent: Sequence[str], rules: Rules, now_ms: int) -> Skipped | None:
    """Why the event may not or should not be sent, whatever it holds: consent, then age."""
    if event.consent is not None:
        for purpose in consent:
            if getattr(event.consent, purpose) is False:
                return _CONSENT_DENIED
    if rules.max_event_age_ms and now_ms - event.occurred_at > rules.max_event_age_ms:
        return _STALE
    return None


def common_of(event: Event, rules: Rules, *, push: bool) -> Common:
    """Who it was, as far as the vendor can know them; `contacts` may be empty."""
    adjustments: list[str] = []
    found = contacts(event.user, adjustments, push=push)
    if rules.version == 1 and len(found) == 1 and found[0].name == "externalCustomerId":
        adjustments.append("only_external_id")  # v1 looks contacts up by it only if the account says so
    extra = _extra(event.properties, rules.extra_params) if rules.extra_params else _EXTRA_NONE
    return Common(found, extra, adjustments)


def _extra(properties: Mapping[str, str] | None, names: Sequence[str]) -> Sequence[wire.Param]:
    if properties is None:
        return _EXTRA_NONE
    values = ((name, text(properties.get(name))) for name in names)
    return [wire.Param(name, value) for name, value in values if value is not None]


def mapped(event: Event, bodies: Sequence[bytes], adjustments: list[str], key: str | None) -> MapResult:
    """An item for each of these bodies, all in one lane; a refusal of the record when one is too large,
    before any of it was sent."""
    count = len(bodies)
    for index, body in enumerate(bodies):
        if len(body) > wire.BODY_BYTES_MAX:
            return Refused("payload_too_large", f"items[{index}]" if count > 1 else "", adjustments)
    items = [
        Item(item_id(event.event_id, index, count), wire.KIND, body, event.occurred_at, key)
        for index, body in enumerate(bodies)
    ]
    return Mapped(items, adjustments)


def currency_of(value: str | None) -> str | None:
    """Three capital letters, or nothing: the vendor then takes the account's own."""
    code = currency(value)
    return code if code is not None and len(code) == 3 and code.isascii() and code.isalpha() else None


# ── products with properties of their own ────────────────────────────────────────────────────────

Properties = Sequence[tuple[str, str]]


def with_properties(lines: Sequence[wire.Payload], items: Sequence[EventItem], properties: Properties) -> str:
    """The lines as the JSON text of a list, each with the attributes that the settings name."""
    if not properties:
        return wire.json_text(lines)
    texts = (with_own_properties(line, item, properties) for line, item in zip(lines, items, strict=True))
    return f"[{','.join(texts)}]"


def with_own_properties(line: wire.Payload, item: EventItem, properties: Properties) -> str:
    """One line as JSON text; an attribute is a list of one text, after the vendor's own members."""
    whole = wire.json_text(line)
    attributes = item.attributes
    if not properties or not attributes:
        return whole
    values = ((member, text(attributes.get(name))) for name, member in properties)
    added = [f",{member}:[{wire.json_text(value)}]" for member, value in values if value is not None]
    return f"{whole[:-1]}{''.join(added)}}}"
