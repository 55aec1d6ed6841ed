"""Who, with what and where: how identifiers, devices and page ids are read for Moloco.

Decides only.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec

from connector.model import event as canonical
from connector.model.event import Event
from connector.vendors.formats import bare_url, identifier, text, texts
from connector.vendors.moloco import wire

APP_OS = ("ios", "android")

_IOS = frozenset({"ios", "iphone os", "iphoneos", "ipados", "ipad os"})


# ── who ──────────────────────────────────────────────────────────────────────────────────────────


class Who(msgspec.Struct, frozen=True, gc=False):
    """The identifiers of an event, at least one of them there."""

    user_id: str | None
    persistent_id: str | None
    custom_id: str | None


def who(event: Event, hashed: bool, adjustments: list[str]) -> Who | None:
    """The customer, the device or cookie, and only where neither is known a pseudonym or session; None when
    nobody is known. Never invented."""
    user, device = event.user, event.device
    user_id = persistent_id = custom_id = None
    if device is not None:
        persistent_id = _identifier(device.persistent_id, hashed, adjustments)
    if user is not None:
        user_id = _identifier(user.customer_id, hashed, adjustments)
        if persistent_id is None:
            persistent_id = _identifier(user.anonymous_id, hashed, adjustments)
        if user_id is None and persistent_id is None:
            custom_id = _identifier(user.opaque_id, hashed, adjustments)
            if custom_id is None:
                custom_id = _identifier(user.session_id, hashed, adjustments)
    if user_id is None and persistent_id is None and custom_id is None:
        return None
    return Who(user_id, persistent_id, custom_id)


def _identifier(value: str | None, hashed: bool, adjustments: list[str]) -> str | None:
    found = identifier(value)
    if found is None:
        return None
    if hashed:
        return hashlib.sha256(found.encode()).hexdigest()
    if "@" in found or len(found) > wire.IDENTIFIER_CHARS_MAX:
        adjustments.append("identifier_suppressed")
        return None
    return found


# ── with what ────────────────────────────────────────────────────────────────────────────────────


def device_of(
    device: canonical.Device | None, os: str | None, persistent_id: str | None
) -> wire.Device | None:
    """The device with its normalised os; None when nothing is known of it."""
    if device is None:
        return wire.Device(persistent_id=persistent_id) if persistent_id is not None else None
    made = wire.Device(
        os,
        _unmodified(device.os_version),
        _unmodified(device.model),
        _unmodified(device.user_agent),
        _language(device.language) if device.language is not None else None,
        persistent_id,
    )
    return made if made != _NOTHING else None


_NOTHING = wire.Device()


@lru_cache(maxsize=1024)
def os_of(value: str) -> str | None:
    """`ios` or `android` by whole names (`KaiOS` is neither), any other as it was given, None when blank."""
    given = value.strip()
    name = given.lower()
    if name in _IOS or name.startswith("ios "):
        return "ios"
    return "android" if name.startswith("android") else given or None


def _language(value: str) -> str | None:
    """The two letters of ISO 639-1 that a language tag begins with, None when it begins otherwise."""
    tag = value.strip()
    code = tag[:2]
    if len(code) == 2 and code.isascii() and code.isalpha() and tag[2:3] in ("", "-", "_"):
        return code.lower()
    return None


def _unmodified(value: str | None) -> str | None:
    return value if value is not None and value.strip() else None


# ── where ────────────────────────────────────────────────────────────────────────────────────────


def page_id(page: canonical.Page) -> str | None:
    """What names the page: its id, its path without query and fragment, its type."""
    found = _name(page.id) or _bare(page.path) or page.type
    return _shortened(found) if found is not None else None


def referrer_page_id(page: canonical.Page) -> str | None:
    """What names the page before, without query and fragment."""
    found = _name(page.referrer_id) or _bare(page.referrer)
    return _shortened(found) if found is not None else None


def category_page_id(event: canonical.ClickstreamEvent) -> str | None:
    """What stands for a category page that has no name of its own."""
    found = text(event.category.id) if event.category is not None else None
    if found is None and event.placement is not None:
        about = texts(event.placement.category_ids)
        found = about[-1] if about else None
    return _shortened(f"category:{found}") if found is not None else None


def _name(value: str | None) -> str | None:
    """A page's own name; where a whole address serves as one, what may be sent of that."""
    found = text(value)
    return _bare(found) if found is not None and "://" in found else found


def _bare(value: str | None) -> str | None:
    found = bare_url(value)
    return found[0].strip() or None if found is not None else None


def _shortened(value: str) -> str:
    """As it is, or of one that is too long the beginning and a digest that tells it from others."""
    if len(value) <= wire.PAGE_ID_CHARS_MAX:
        return value
    return f"{value[:63]}~{hashlib.sha256(value.encode()).hexdigest()}"
