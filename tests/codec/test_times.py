"""RFC 3339 to milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.codec.times import epoch_ms
from connector.model.event import EPOCH_MS_MAX, EPOCH_MS_MIN


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2026-11-18T12:03:07.123+02:00", 1_794_996_187_123),
        ("2026-11-18t10:03:07.123z", 1_794_996_187_123),
        ("2026-11-18 10:03:07.123Z", 1_794_996_187_123),
        ("2026-11-18T10:03:07.1239999999999999999Z", 1_794_996_187_123),
        ("2026-11-18T10:03:07.1Z", 1_794_996_187_100),
        ("2026-11-18T10:03:07-00:00", 1_794_996_187_000),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2017-01-01T05:29:60.5+05:30", 1_483_228_800_500),
        ("9999-12-31T23:59:59.999Z", EPOCH_MS_MAX),
        ("0000-01-01T00:00:00Z", EPOCH_MS_MIN),
        ("0000-03-01T00:00:00Z", EPOCH_MS_MIN + 60 * 86_400_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
    ],
)
def test_a_time_is_the_millisecond_it_names(text: str, ms: int) -> None:
    """In any offset, to any digit, over leap days and leap seconds, in every year that can be written."""
    assert epoch_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-18",
        "2026-11-18T10:03:07",
        "2026-11-18T10:03Z",
        "2026-11-18T10:03:07.Z",
        "2026-11-18T10:03:07+0200",
        "2026-11-18T10:03:07+24:00",
        "2026-11-18T10:03:07+02:60",
        "2026-11-18T24:00:00Z",
        "2026-11-18T10:60:00Z",
        "2026-11-18T10:03:61Z",
        "2026-11-18T10:03:60Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "0000-02-30T00:00:00Z",
        "+2026-11-18T10:03:07Z",
        "12026-11-18T10:03:07Z",
        " 2026-11-18T10:03:07Z",
        "2026-11-18T10:03:07Z\n",
        "٢٠٢٦-11-18T10:03:07Z",
        "1794996187123",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    """Other forms of ISO 8601, days that do not exist, and moments that UTC can't write in RFC 3339."""
    assert epoch_ms(text) is None


@given(st.integers(-62_135_500_000_000_000, 253_402_200_000_000_000), st.integers(-1439, 1439))
def test_python_reads_the_same(us: int, offset_min: int) -> None:
    """Against the standard library, where it can, in any offset and with microseconds."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    text = moment.astimezone(timezone(timedelta(minutes=offset_min))).isoformat(timespec="microseconds")
    assert epoch_ms(text) == us // 1000


@given(st.text(alphabet="0123456789-+:.TZ ", max_size=40))
def test_any_text_is_a_time_within_range_or_none(text: str) -> None:
    """Nothing else comes out."""
    ms = epoch_ms(text)
    assert ms is None or EPOCH_MS_MIN <= ms <= EPOCH_MS_MAX
