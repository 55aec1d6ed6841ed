"""The forms that vendors share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal, getcontext, localcontext
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.vendors import formats
from connector.vendors.formats import (
    FAN_OUT,
    bare_url,
    clean_id,
    clean_query,
    currency,
    date_ms,
    decimal_text,
    derived_id,
    holds_email,
    identifier,
    item_id,
    number,
    plain_number,
    retry_after_s,
    rfc3339,
    rounded,
    text,
    texts,
    times_quantity,
    url_path,
)

NOW_MS = 1_795_010_587_000  # 2026-11-18T14:03:07Z


# ── text and identifiers ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "null", "undefined", "invalid", "nil", "none", "unknown", "anonymous", "guest", "nan"),
        *("n/a", "na", "-", "0", "00000000-0000-0000-0000-000000000000", " NULL\t", "Guest", "N/A", None),
    ],
)
def test_a_placeholder_is_no_identifier(value: str | None) -> None:
    """What producers write when they know nobody must not become one giant shopper."""
    assert identifier(value) is None


@pytest.mark.parametrize("value", ["00", "guest-1", "nullify", "c-4711", "ÄÖ", "0.0"])
def test_an_identifier_is_trimmed_and_otherwise_untouched(value: str) -> None:
    """Case and characters are the producer's."""
    assert identifier(f" \t{value}\n") == value


def test_blank_text_is_absent() -> None:
    """Vendors refuse empty strings."""
    assert text(" \t\n") is None
    assert text(None) is None
    assert text(" a b ") == "a b"


@pytest.mark.parametrize(
    "value",
    [
        *("jane@example.com", "mail jane@example.com now", "<jane@example.com>", "a@b.c", "JANE@EXAMPLE.COM"),
        *("x @ y jane@example.com", "@jane@example.com", "jane@example.com.", "jané@exämple.com", "a@b@c.d"),
    ],
)
def test_an_email_address_is_seen(value: str) -> None:
    """Wherever it stands in the text."""
    assert holds_email(value)


@pytest.mark.parametrize(
    "value", ["", "@", "desk @ home", "@brand.com", "a@b", "jane@", "a@ b.c", "a@.", "12@3"]
)
def test_an_at_sign_alone_is_no_email_address(value: str) -> None:
    """A query about `@brand` is not personal."""
    assert not holds_email(value)


def test_an_email_address_is_no_identifier_and_no_search_query() -> None:
    """Both are left out and counted, each under its own word; a placeholder is only absent."""
    adjustments: list[str] = []
    assert clean_id(" c-4711 ", adjustments) == "c-4711"
    assert clean_id(" Null ", adjustments) is None
    assert clean_query(" desk lamp ", adjustments) == " desk lamp "
    assert clean_query(" \t", adjustments) is None
    assert adjustments == []
    assert clean_id("jane@example.com", adjustments) is None
    assert clean_query("mail jane@example.com now", adjustments) is None
    assert adjustments == ["pii_identifier_suppressed", "search_query_suppressed"]


def test_a_list_loses_its_blanks() -> None:
    """And is absent when nothing is left."""
    assert texts([" a", "", "b "]) == ["a", "b"]
    assert texts([" "]) is texts([]) is texts(None) is None


def test_derived_ids_are_uuid5_in_our_own_space() -> None:
    """The quick way gives what the library gives, and the space is the published one."""
    assert uuid5(NAMESPACE_URL, "urn:canonical-commerce-events:fan-out:v1") == FAN_OUT
    assert derived_id("00000000-0000-4000-8000-000000000202:0") == "ce5b2212-f33b-562f-b3ae-7cf4359cfd3c"


@given(st.text())
def test_derived_ids_equal_the_library(name: str) -> None:
    """For any name."""
    assert derived_id(name) == str(uuid5(FAN_OUT, name))


def test_only_one_of_several_items_needs_a_derived_id() -> None:
    """An event with at most one item keeps its own id."""
    assert item_id("e", 0, 0) == item_id("e", 0, 1) == "e"
    assert item_id("e", 0, 2) == derived_id("e:0")


# ── money and numbers ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("units", "scale", "expected"),
    [
        (49_900_000, 6, "49.9"),
        (12_000_000, 6, "12"),
        (1, 6, "0.000001"),
        (0, 6, "0"),
        (-1_500_000, 6, "-1.5"),
        (2**63 - 1, 6, "9223372036854.775807"),
        (5805, 3, "5.805"),
        (120, 0, "120"),
    ],
)
def test_money_is_the_shortest_plain_decimal(units: int, scale: int, expected: str) -> None:
    """No exponent, no trailing zero, no digit lost."""
    assert decimal_text(units, scale) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.0, "2"),
        (0.45, "0.45"),
        (-0.5, "-0.5"),
        (1e-7, "0.0000001"),
        (1.5e-10, "0.00000000015"),
        (1e16, "10000000000000000"),
        (1.2345678901234568e17, "123456789012345680"),
        (2.0**53 + 2, "9007199254740994"),
        (1e300, "1" + "0" * 300),
    ],
)
def test_a_double_is_the_shortest_plain_decimal_that_means_it(value: float, expected: str) -> None:
    """No exponent however large or small, no `.0`."""
    assert plain_number(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_plain_number_is_read_back_as_the_same_double(value: float) -> None:
    """Nothing is rounded away."""
    text = plain_number(value)
    assert float(text) == value
    assert not set(text) - set("-.0123456789")


@given(st.integers(), st.integers(0, 400))
def test_money_is_exact(units: int, scale: int) -> None:
    """The text equals the value, whatever the size, and nothing shorter does."""
    written = decimal_text(units, scale)
    with localcontext(getcontext()) as context:
        context.prec = 1_000
        assert Decimal(written) == Decimal(units).scaleb(-scale)
    assert "E" not in written
    assert "." not in written or written[-1] not in ".0"


@pytest.mark.parametrize(
    ("micros", "quantity", "expected"),
    [
        (12_900_000, 0.45, "5.805"),
        (8_400_000, 0.75, "6.3"),
        (1_000_000, 0.1, "0.1"),
        (1_000_000, 1e22, "1" + "0" * 22),
        (1_000_000, 5e-324, "0." + "0" * 323 + "5"),
        (-1_000_000, 0.5, "-0.5"),
        (1_000_000, -0.5, "-0.5"),
    ],
)
def test_a_quantity_means_its_shortest_decimal(micros: int, quantity: float, expected: str) -> None:
    """0.45 kg at 12.90 is 5.805, not the product of two binary fractions."""
    assert decimal_text(*times_quantity(micros, quantity)) == expected


@given(st.integers(-(10**30), 10**30), st.integers(-6, 12))
def test_rounding_is_half_even_and_exact(units: int, scale: int) -> None:
    """As Python's decimal does it, without its context."""
    with localcontext(getcontext()) as context:
        context.prec = 60
        exact = Decimal(units).scaleb(-scale)
        assert rounded(units, scale) == int(exact.to_integral_value(ROUND_HALF_EVEN))


@pytest.mark.parametrize(("units", "expected"), [(5, 0), (15, 2), (25, 2), (26, 3), (-5, 0), (-15, -2)])
def test_a_tie_goes_to_the_even_one(units: int, expected: int) -> None:
    """So that many roundings do not lean to one side."""
    assert rounded(units, 1) == expected


def test_currencies_are_compared_in_capitals() -> None:
    """` eur ` is EUR, blank is absent."""
    assert currency(" eur ") == "EUR"
    assert currency("  ") is None
    assert currency(None) is None


# ── times ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("epoch_ms", "offset", "expected"),
    [
        (1_795_010_587_123, 120, "2026-11-18T16:03:07.123+02:00"),
        (1_795_010_587_123, 0, "2026-11-18T14:03:07.123+00:00"),
        (1_795_010_587_123, -210, "2026-11-18T10:33:07.123-03:30"),
        (1_795_010_587_000, 840, "2026-11-19T04:03:07.000+14:00"),
        (1_795_010_587_000, 841, "2026-11-18T14:03:07.000+00:00"),
        (1_795_010_587_000, -841, "2026-11-18T14:03:07.000+00:00"),
        (946_684_800_000, -60, "1999-12-31T23:00:00.000-01:00"),
    ],
)
def test_a_time_is_local_with_its_offset(epoch_ms: int, offset: int, expected: str) -> None:
    """An impossible offset counts as none."""
    assert rfc3339(epoch_ms, offset) == expected


@given(st.integers(946_684_800_000, 4_102_444_800_000), st.integers(-840, 840))
def test_a_written_time_is_the_instant(epoch_ms: int, offset: int) -> None:
    """Reading it back gives the same millisecond and the same offset."""
    read = datetime.fromisoformat(rfc3339(epoch_ms, offset))
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=epoch_ms)
    assert read == instant
    assert read.utcoffset() == timezone(timedelta(minutes=offset)).utcoffset(None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("-3", -3.0),
        ("Wed, 18 Nov 2026 14:03:17 GMT", 10.0),
        ("Wednesday, 18-Nov-26 14:03:17 GMT", 10.0),
        ("Wed Nov 18 14:03:17 2026", 10.0),
        ("2026-11-18T14:03:17Z", 10.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1_0", None),
        ("1e3", None),
        ("٣", None),
        ("9" * 301, None),
        ("Wed, 99 Foo 99999 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, expected: float | None) -> None:
    """What can't be read is absent, and nothing is clamped here."""
    assert retry_after_s(value, NOW_MS) == expected


@given(st.text())
def test_no_header_is_too_odd(value: str) -> None:
    """Numbers and dates are read or they are None."""
    number(value)
    date_ms(value)


# ── addresses ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/p/sku-100", "/p/sku-100"),
        (" /p ", "/p"),
        ("/search?q=jane@example.com#top", "/search"),
        ("/a#b?c", "/a"),
        ("/redirect?to=https://x/y", "/redirect"),
        ("https://shop.example/p/sku-100?gclid=abc", "/p/sku-100"),
        ("HTTPS://jane:pw@shop.example:8443/p", "/p"),
        ("https://shop.example", "/"),
        ("https://shop.example?q=1", "/"),
        ("https://shop.example/#/cart", "/"),
        ("shop://cart", "/cart"),
        ("shop://product/123?ref=mail", "/product/123"),
        ("shop:///cart", "/cart"),
        ("shop://", "/"),
        ("categories/lamps", "categories/lamps"),
        ("?q=1", None),
        ("#", None),
        ("  ", None),
        (None, None),
    ],
)
def test_a_path_has_no_host_query_or_fragment(value: str | None, expected: str | None) -> None:
    """Of a path, a web address or a deep link."""
    assert url_path(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("//shop.example/c/1?q=x", "/c/1"),
        ("//shop.example", "/"),
        ("mailto:jo@example.com", None),
        ("tel:+1", None),
    ],
)
def test_a_host_or_a_person_is_no_path(value: str, expected: str | None) -> None:
    """An address without a scheme still has a host, and a mail address is personal."""
    assert url_path(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "https://jane:pw@shop.example:8443/p/1?q=a+b&x=1#top",
            ("https://shop.example:8443/p/1", "q=a+b&x=1"),
        ),
        ("https://a@b@shop.example", ("https://shop.example", "")),
        ("https://shop.example/@jane/posts", ("https://shop.example/@jane/posts", "")),
        ("//jane@shop.example/c", ("//shop.example/c", "")),
        ("shop://jane@cart/7?x", ("shop://cart/7", "x")),
        ("jane@shop.example/p", ("shop.example/p", "")),
        ("jane@shop.example//p", ("shop.example//p", "")),
        ("/go/https://jane@x/y", ("/go/https://jane@x/y", "")),
        (" /p?#? ", ("/p", "")),
        ("/p#a?b@c", ("/p", "")),
        ("mailto:jane@example.com", None),
        ("TEL:+1", None),
        ("?q=1", None),
        ("#", None),
        ("  ", None),
        (None, None),
    ],
)
def test_an_address_goes_without_user_info_and_fragment(
    value: str | None, expected: tuple[str, str] | None
) -> None:
    """What is left of it, and its query apart: vendors differ in what they may have of that."""
    assert bare_url(value) == expected


@pytest.mark.parametrize("path", ["data", "about", "about/team", "sms/offers"])
def test_a_page_may_be_called_like_a_scheme(path: str) -> None:
    """Only with a colon does `about` name no place."""
    assert url_path(path) == path
    assert bare_url(path) == (path, "")


def test_the_placeholder_list_is_in_lower_case() -> None:
    """It is compared with lowered text."""
    assert all(word == word.lower() for word in formats.PLACEHOLDERS)
