"""The final fate of a record, and the closed list of reasons. A word that is not here is a bug."""

from __future__ import annotations

from typing import Literal, get_args

Outcome = Literal["delivered", "skipped", "dead_lettered"]

SkipReason = Literal[
    "tombstone",
    "unsupported_event_type",
    "unknown_event_type",
    "consent_denied",
    "disabled_by_config",
    "stale_event",
    "no_identifier",
    "no_contact_identifier",
    "no_entity",
    "no_page_id",
    "no_page_location",
    "no_content_id",
    "no_order_lines",
    "no_order",
    "no_billable_lines",
    "no_recommendation_variant",
    "empty_search_query",
    "pii_in_search_query",
    "search_has_results",
    "unsupported_channel",
    "unsupported_app_os",
    "unsupported_currency",
    "partial_cart_not_supported",
    "partial_refund_unsupported",
    "routed_to_site_events",
    "routed_to_orders_api",
    "sent_by_js_api",
]

SKIP_REASONS: frozenset[str] = frozenset(get_args(SkipReason))

DEAD_LETTER_REASONS: frozenset[str] = frozenset(
    {
        "undecodable",
        "unknown_schema",
        "invalid_event",
        "payload_too_large",
        "invalid_price",
        "invalid_quantity",
        "invalid_total",
        "invalid_timestamp",
        "timestamp_in_future",
        "mixed_currency",
        "opaque_user_id_too_long",
        "vendor_rejected",
        "vendor_rejected_5xx",
        "throttled_identifier",
    }
)
MISSING_FIELD_PREFIX = "missing_required_field:"
"""Followed by a field that a contract names, for example `missing_required_field:items`."""

HTTP_PREFIX = "http_"
"""Followed by the status, for example `http_409`; a dead letter's or a halt's reason."""

HALT_REASONS: frozenset[str] = frozenset(
    {
        "auth",
        "not_found",
        "wrong_method",
        "wrong_media_type",
        "unexpected_redirect",
        "empty_request",
        "dead_letter_flood",
        "offset_lost",
    }
)

RetryReason = Literal["throttled", "server_error", "timeout", "connection", "clock_skew"]
RETRY_REASONS: frozenset[str] = frozenset(get_args(RetryReason))


def is_dead_letter_reason(reason: str) -> bool:
    """True for a word of the closed list, its two open-ended forms included."""
    return (
        reason in DEAD_LETTER_REASONS
        or reason.startswith(MISSING_FIELD_PREFIX)
        or (reason.startswith(HTTP_PREFIX) and reason[len(HTTP_PREFIX) :].isdecimal())
    )


def is_halt_reason(reason: str) -> bool:
    """True for a word of the closed list, `http_<status>` included."""
    return reason in HALT_REASONS or (
        reason.startswith(HTTP_PREFIX) and reason[len(HTTP_PREFIX) :].isdecimal()
    )
