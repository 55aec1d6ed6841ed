"""Canonical event → Promoted records: the table first, then what its rows mean.

Decides only: no clock, no chance. Checks come in the contract's order, and the first hit gives the reason:
event type, switches, consent, time, identity, items or lines, prices, size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import assert_never

import msgspec

from connector.model import event as canonical
from connector.model.event import EVENT_TYPES, UNKNOWN_EVENT_TYPE, Event, OrderEvent
from connector.vendors.contract import MapResult, Refused, Skipped
from connector.vendors.formats import YEAR_2000_MS, clean_id, text
from connector.vendors.promoted import wire
from connector.vendors.promoted.actions import (
    Account,
    FirstItem,
    Following,
    Named,
    PerItem,
    account,
    first_item,
    following,
    named,
    per_item,
)
from connector.vendors.promoted.impressions import Impressions, impressions
from connector.vendors.promoted.orders import PerLine, State, Whole, per_line, state, whole
from connector.vendors.promoted.pieces import Common, Rules, allowed
from connector.vendors.promoted.settings import CUSTOM_TYPES, PromotedOptions
from connector.vendors.promoted.views import View, view

# ── the table ────────────────────────────────────────────────────────────────────────────────────

Shape = View | Impressions | PerItem | FirstItem | Named | Following | Account | Whole | State | PerLine

MAPPERS: Mapping[str, Shape] = {
    "page_view": View(None),
    "home_view": View("home"),
    "landing": View("landing"),
    "product_view": View("product"),
    "category_view": View("category"),
    "search": View("search"),
    "impression": Impressions(),
    "click": PerItem("NAVIGATE", leads_on=True),
    "add_to_cart": PerItem("ADD_TO_CART", needs_items=True, priced=True),
    "remove_from_cart": PerItem("REMOVE_FROM_CART", needs_items=True, priced=True),
    "add_to_wishlist": PerItem("ADD_TO_LIST", needs_items=True),
    "remove_from_wishlist": PerItem("REMOVE_FROM_LIST", needs_items=True),
    "checkout_started": Whole("CHECKOUT"),
    "order_created": Whole("PURCHASE"),
    "order_updated": State(CUSTOM_TYPES["order_updated"]),
    "order_delivered": PerLine("CUSTOM_ACTION_TYPE", CUSTOM_TYPES["order_delivered"]),
    "order_cancelled": PerLine("CANCEL_PURCHASE"),
    "order_refunded": PerLine("REFUND_PURCHASE"),
    "subscription_renewal": PerLine("ONGOING_PURCHASE", needs_lines=True),
    "like": PerItem("LIKE", about_the_page=True),
    "unlike": PerItem("UNLIKE", about_the_page=True),
    "share": PerItem("SHARE", about_the_page=True),
    "comment": PerItem("COMMENT", about_the_page=True),
    "bookmark": PerItem("BOOKMARK", about_the_page=True),
    "remove_bookmark": PerItem("REMOVE_BOOKMARK", about_the_page=True),
    "follow": Following("FOLLOW"),
    "unfollow": Following("UNFOLLOW"),
    "offer": PerItem("MAKE_OFFER", about_the_page=True, offered=True),
    "question": PerItem("ASK_QUESTION", about_the_page=True),
    "answer": PerItem("ANSWER_QUESTION", about_the_page=True),
    "sign_in": Account("COMPLETE_SIGN_IN"),
    "sign_up": Account("COMPLETE_SIGN_UP"),
    "custom": Named(),
}

UNSUPPORTED = frozenset(EVENT_TYPES) - MAPPERS.keys() - {UNKNOWN_EVENT_TYPE}
"""`cart_updated`: a cart's state is no action."""

REASONS = frozenset(
    {
        *("unsupported_event_type", "unknown_event_type", "disabled_by_config", "consent_denied"),
        *("no_identifier", "no_content_id", "no_order_lines"),
        *("invalid_timestamp", "timestamp_in_future", "missing_required_field:items", "invalid_price"),
        "payload_too_large",
    }
)

_UNSUPPORTED = Skipped("unsupported_event_type")
_UNKNOWN = Skipped("unknown_event_type")
_DISABLED = Skipped("disabled_by_config")
_CONSENT_DENIED = Skipped("consent_denied")


def outcome(event_type: str, shape: Shape | None) -> str:
    """What becomes of an event type under the default settings, in words."""
    match shape:
        case View(page_type):
            return f"view ({page_type or 'by page.type'})"
        case Impressions():
            return "impression per item"
        case PerItem(action_type):
            return f"{action_type} per item"
        case FirstItem(action_type) | Following(action_type) | Account(action_type) | Whole(action_type):
            return action_type
        case State(custom_type):
            return f"CUSTOM_ACTION_TYPE {custom_type}"
        case PerLine(action_type, custom_type):
            return f"{action_type} {custom_type or ''}".rstrip() + " per line"
        case Named():
            return "skip disabled_by_config unless custom_types lists its properties.action"
        case None:
            known = event_type != UNKNOWN_EVENT_TYPE
            return f"skip {(_UNSUPPORTED if known else _UNKNOWN).reason}"
        case unreachable:
            assert_never(unreachable)


EVENTS: Mapping[str, str] = {str(name): outcome(name, MAPPERS.get(name)) for name in EVENT_TYPES}


# ── one event ────────────────────────────────────────────────────────────────────────────────────


class Mapper:
    """Turns canonical events into Promoted records under one configuration. Pure and quick: this runs once
    per event."""

    def __init__(self, options: PromotedOptions, consent: Sequence[str]) -> None:
        self._consent = tuple(consent)
        client = wire.ClientInfo("PLATFORM_SERVER", options.traffic_type)
        self._rules = Rules(
            product_of=attrgetter(options.product_id_source),
            record_bytes_max=options.max_bytes - wire.FRAME_BYTES - 1,  # one for the comma a batch counts
            client_info=msgspec.Raw(wire.encode(client)),
            use_cases=dict(options.use_cases),
            properties_allow=tuple(dict.fromkeys(options.properties_allow)),
            url_query_allow=frozenset(options.url_query_allow),
        )
        self._max_future_skew_ms = options.max_future_skew_ms
        self._anon_of = attrgetter(options.anon_user_id_source)
        self._custom_types = options.custom_types
        self._shapes: dict[str, Shape | Skipped] = {
            **dict.fromkeys(UNSUPPORTED, _UNSUPPORTED),
            **{name: _configured(name, shape, options) for name, shape in MAPPERS.items()},
        }

    def map(self, event: Event, now_ms: int) -> MapResult:
        """The event's items, or why there are none."""
        shape = self._shapes.get(event.event_type, _UNKNOWN)
        if isinstance(shape, Skipped):
            return shape
        custom_type = None
        if isinstance(shape, Named):
            custom_type = self._custom_type(event)
            if custom_type is None:
                return _DISABLED
        if event.consent is not None:
            for purpose in self._consent:
                if getattr(event.consent, purpose) is False:
                    return _CONSENT_DENIED
        common = self._common(event, now_ms)
        if not isinstance(common, Common):
            return common
        rules = self._rules
        if isinstance(shape, Whole):
            return whole(event, shape, common, rules)
        if isinstance(event, OrderEvent):
            if isinstance(shape, PerLine):
                return per_line(event, shape, common, rules)
            assert isinstance(shape, State), "the table has one of three shapes for an order"
            return state(event, shape, common, rules)
        match shape:
            case View():
                return view(event, shape, common, rules)
            case Impressions():
                return impressions(event, common, rules)
            case PerItem():
                return per_item(event, shape, common, rules)
            case Following():
                return following(event, shape, common, rules)
            case Account():
                return account(event, shape, common, rules)
            case FirstItem():
                return first_item(event, shape, common, rules)
            case Named():
                assert custom_type is not None, "looked up above"
                return named(event, custom_type, common, rules)
            case State() | PerLine():
                raise AssertionError("the decoder reads an order's event types as OrderEvent")
            case unreachable:
                assert_never(unreachable)

    def _custom_type(self, event: Event) -> str | None:
        name = text(event.properties.get("action")) if event.properties else None
        return self._custom_types.get(name) if name is not None else None

    # ── when and who ─────────────────────────────────────────────────────────────────────────────

    def _common(self, event: Event, now_ms: int) -> Common | Skipped | Refused:
        at_ms = event.occurred_at
        if at_ms < YEAR_2000_MS:
            return Refused("invalid_timestamp", "occurred_at")
        adjustments: list[str] = []
        if at_ms > now_ms:
            if at_ms - now_ms > self._max_future_skew_ms:
                return Refused("timestamp_in_future", "occurred_at")
            at_ms = now_ms
            adjustments.append("clock_skew_clamped")
        if event.user is None:
            return Skipped("no_identifier", adjustments)
        user = self._user(event.user, adjustments)
        if user is None:
            return Skipped("no_identifier", adjustments)
        return Common(
            at_ms,
            wire.Timing(at_ms),
            user,
            clean_id(event.user.session_id, adjustments),
            allowed(event, self._rules, adjustments),
            adjustments,
        )

    def _user(self, user: canonical.User, adjustments: list[str]) -> wire.UserInfo | None:
        customer = clean_id(user.customer_id, adjustments)
        visitor = clean_id(self._anon_of(user), adjustments)
        if visitor is None:
            if customer is None:
                return None
            adjustments.append("missing_anon_user_id")  # accepted by the vendor, joined to nothing
        return wire.UserInfo(customer, visitor, user.is_internal is True)


def _configured(name: str, shape: Shape, options: PromotedOptions) -> Shape | Skipped:
    """What the settings make of a row of the table."""
    match shape:
        case View("product") if options.product_view_as == "navigate":
            return FirstItem("NAVIGATE")
        case View() if not options.views:
            return _DISABLED
        case State():
            custom_type = options.custom_types.get(name)
            return State(custom_type) if custom_type is not None else _DISABLED
        case PerLine(custom_type=str()):
            custom_type = options.custom_types.get(name)
            return PerLine(shape.type, custom_type) if custom_type is not None else _DISABLED
        case PerLine("CANCEL_PURCHASE"):
            return PerLine(shape.type, not_by_customer=options.custom_types.get(name))
        case _:
            return shape
