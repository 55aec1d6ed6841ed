"""Who it was, in the vendor's identifiers: what it looks contacts up by, cleaned of what it would not find.

Decides only. Sources: eSputnik, "Site activity tracking using Generate event" (names and their priority);
eSputnik's rules for a `keyValue` (length and characters).
"""

from __future__ import annotations

from connector.model.event import User
from connector.vendors.esputnik.wire import Param
from connector.vendors.formats import identifier

CHARS_MAX = 300
FORBIDDEN = frozenset("<>;,'\"`\\/|^?!\N{RIGHT SINGLE QUOTATION MARK}")
"""What an identifier may not hold. An e-mail address may legally hold some of it, and an external id may be a
path: the vendor would find neither."""

PHONE_DIGITS = range(5, 16)
_DIGITS = frozenset("0123456789")


def contacts(user: User | None, adjustments: list[str], *, push: bool) -> list[Param]:
    """Every identifier that is fit to be sent, the most exact first, which is also the event's key.

    With `push`, the push token where there is no other.
    """
    if user is None:
        return []
    found: list[Param] = []
    for name, value in (
        ("contactId", identifier(user.contact_id)),
        ("externalCustomerId", identifier(user.customer_id)),
        ("email", email(user.email)),
        ("phone", phone(user.phone)),
    ):
        if value is not None and _is_fit(value, adjustments):
            found.append(Param(name, value))
    if push and not found:
        token = identifier(user.push_token)
        if token is not None and _is_fit(token, adjustments):
            found.append(Param("pushToken", token))
    return found


def can_order(found: list[Param]) -> bool:
    """Whether an order may be sent for these: a contact id alone is not enough, nor is a push token."""
    return len(found) > 1 or (len(found) == 1 and found[0].name != "contactId")


def email(value: str | None) -> str | None:
    """The address in lower case; None for what is not one: `x@y.z` without blanks."""
    if value is None:
        return None
    value = value.strip().lower()
    local, _, domain = value.partition("@")
    is_one = local and "@" not in domain and "." in domain.strip(".") and len(value.split()) == 1
    return value if is_one else None


def phone(value: str | None) -> str | None:
    """The digits of an international number; None for what can't be one, as a number without its country."""
    if value is None:
        return None
    digits = "".join(filter(_DIGITS.__contains__, value)).removeprefix("00")
    return digits if len(digits) in PHONE_DIGITS and digits[0] != "0" else None


def _is_fit(value: str, adjustments: list[str]) -> bool:
    if len(value) <= CHARS_MAX and FORBIDDEN.isdisjoint(value):
        return True
    adjustments.append("identifier_dropped")
    return False
