"""Where somebody was: a page's address or an app's deep link, without what is nobody else's business.

Decides only.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from connector.vendors.formats import bare_url, query_parameters

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_SCHEME_CHARS = _LETTERS | frozenset("0123456789+.-")
_BRACKETS = re.compile(r"[\[\]]")


def location(url: str | None, deny: frozenset[str]) -> str | None:
    """The address as it is, without user info, fragment and the query parameters named in `deny` (lower
    case); None when it is absent or relative."""
    found = bare_url(url)
    if found is None or not _is_absolute(found[0]):
        return None
    address, query = found
    if query:
        kept = [pair for pair in query_parameters(query) if deny.isdisjoint(_names(pair[1]))]
        query = "".join(part for pair in kept for part in pair)[len(kept[0][0]) :] if kept else ""
    return f"{address}?{query}" if query else address


def _is_absolute(address: str) -> bool:
    scheme, colon, rest = address.partition(":")
    if not colon or scheme[:1] not in _LETTERS or not _SCHEME_CHARS.issuperset(scheme):
        return False
    if scheme.lower() in ("http", "https"):
        return rest.startswith("//") and rest[2:3] not in ("", "/")
    return True  # a deep link: what follows the scheme is the app's own affair


def _names(parameter: str) -> list[str]:
    """The words of a parameter's name: `token`, and of a form's `user[email]` or `token[]` each by itself."""
    name = parameter.partition("=")[0]
    if "%" in name or "+" in name:
        name = unquote_plus(name)
    return [word.strip().lower() for word in _BRACKETS.split(name)]
