"""RFC 3339 text to epoch milliseconds, exactly. Decides only: no clock."""

from __future__ import annotations

import re
from datetime import date

from connector.model.event import EPOCH_MS_MAX, EPOCH_MS_MIN

_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
).fullmatch
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAYS_IN_400_YEARS = 146_097
_DAY_S = 86_400


def epoch_ms(text: str) -> int | None:
    """The moment in milliseconds, or None when the text is no RFC 3339 time or one that UTC can't write so.

    Digits below a millisecond are cut off. A leap second, which epoch time does not have, is the next one.
    """
    match = _RFC_3339(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_h, offset_min = match.groups()
    try:
        days = _days(int(year), int(month), int(day))
    except ValueError:  # the 30th of February
        return None
    seconds = days * _DAY_S + int(hour) * 3600 + int(minute) * 60 + int(second)
    if sign is not None:
        offset_s = int(offset_h) * 3600 + int(offset_min) * 60
        seconds += offset_s if sign == "-" else -offset_s
    if second == "60" and seconds % _DAY_S != 0:  # leap seconds end a day in UTC, whatever the offset
        return None
    ms = seconds * 1000
    if fraction is not None:
        ms += int(fraction[:3].ljust(3, "0"))
    return ms if EPOCH_MS_MIN <= ms <= EPOCH_MS_MAX else None


def _days(year: int, month: int, day: int) -> int:
    if year == 0:  # in RFC 3339, but not in Python; the calendar repeats itself every 400 years
        return date(400, month, day).toordinal() - _DAYS_IN_400_YEARS - _EPOCH_DAY
    return date(year, month, day).toordinal() - _EPOCH_DAY
