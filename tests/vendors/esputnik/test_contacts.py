"""Who may be told to the vendor, and under which of its names."""

from __future__ import annotations

from typing import Any

import pytest

from connector.vendors.formats import PLACEHOLDERS
from tests.vendors.esputnik.making import order, site

FORBIDDEN = (
    *(0x3C, 0x3E, 0x3B, 0x2C, 0x27, 0x2019, 0x22, 0x60, 0x5C, 0x2F, 0x7C, 0x5E, 0x3F, 0x21),
)  # eSputnik's rules for a key
PAGE = {"url": "https://shop.example/"}


def who(user: dict[str, Any]) -> dict[str, Any]:
    """The identifiers of a page view, with the key in front."""
    made = site("page_view", user=user, page=PAGE)
    params = made.params
    del params["page"]
    return {"key": made.body["keyValue"], **params}


def adjusted(user: dict[str, Any]) -> list[str]:
    return site("page_view", user=user, page=PAGE).adjustments


EVERYBODY = {
    "contact_id": " 255830499 ",
    "customer_id": "AV13760",
    "email": " Olena@Example.COM ",
    "phone": "+38 (050) 123-45-67",
    "push_token": "fcm:1",
}


def test_all_that_are_there_are_sent_in_the_vendors_order() -> None:
    """The first is the key; a push token is for want of anything better."""
    made = site("page_view", user=EVERYBODY, page=PAGE)
    assert made.names == ["contactId", "externalCustomerId", "email", "phone", "page"]
    assert list(who(EVERYBODY).values()) == [
        *("255830499", "255830499", "AV13760", "olena@example.com", "380501234567"),
    ]


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ({"customer_id": "AV13760", "email": "o@example.com", "push_token": "t"}, "AV13760"),
        ({"email": "o@example.com", "phone": "380501234567"}, "o@example.com"),
        ({"phone": "380501234567", "push_token": "t"}, "380501234567"),
        ({"push_token": " fcm:APA91b-x "}, "fcm:APA91b-x"),
    ],
)
def test_the_key_is_the_first_of_them(user: dict[str, Any], key: str) -> None:
    """As the vendor itself would choose it."""
    assert who(user)["key"] == key
    assert ("pushToken" in who(user)) == (key == "fcm:APA91b-x")


@pytest.mark.parametrize("word", sorted(PLACEHOLDERS))
def test_a_placeholder_is_nobody(word: str) -> None:
    """What careless producers write for a shopper without an account would join them all into one contact."""
    for field in ("customer_id", "contact_id", "push_token"):
        user = {field: f" {word.upper()} "}
        assert site("page_view", user=user, page=PAGE).why == "skip no_contact_identifier"
    assert adjusted({"customer_id": word, "email": "o@example.com"}) == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("O.Shevchenko+shop@Example.com", "o.shevchenko+shop@example.com"),
        ("ОЛЕНА@приклад.укр", "олена@приклад.укр"),
        *((bad, None) for bad in ("olena", "@example.com", "olena@", "olena@example", "a@b@example.com", "")),
        *((bad, None) for bad in ("olena@.", "olena@.com", "olena@example.", "mail o@example.com now")),
    ],
)
def test_an_email_address_is_one(given: str, sent: str | None) -> None:
    """One @ with text on both sides, and a dot within the domain."""
    user = who({"email": given, "push_token": "t"})
    assert user.get("email") == sent


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("+38 (050) 123-45-67", "380501234567"),
        ("0038 050 123 45 67", "380501234567"),
        ("12345", "12345"),
        ("123456789012345", "123456789012345"),
        *((bad, None) for bad in ("050 123 45 67", "1234", "1234567890123456", "000380501234567", "n/a", "")),
        ("٠٥٠١٢٣٤٥٦٧", None),  # digits, but none the vendor knows
    ],
)
def test_a_phone_number_is_international(given: str, sent: str | None) -> None:
    """Digits alone, a leading 00 cut; 5 to 15 of them, and the first is no 0."""
    assert who({"phone": given, "push_token": "t"}).get("phone") == sent


@pytest.mark.parametrize("code", FORBIDDEN)
def test_a_forbidden_character_costs_the_identifier(code: int) -> None:
    """Only that one, and it is counted; the others carry the event."""
    assert who({"customer_id": f"a{chr(code)}b", "email": "o@example.com"}) == {
        "key": "o@example.com",
        "email": "o@example.com",
    }
    for field in ("contact_id", "customer_id", "push_token"):
        assert adjusted({field: f"a{chr(code)}b"}) == ["identifier_dropped"]
    if chr(code) != "@":
        assert adjusted({"email": f"o{chr(code)}b@example.com"}) == ["identifier_dropped"]


def test_an_identifier_has_a_length() -> None:
    """Up to 300 characters, whatever they take in bytes."""
    assert who({"customer_id": "я" * 300})["key"] == "я" * 300
    made = site("page_view", user={"customer_id": "я" * 301}, page=PAGE)
    assert (made.why, made.adjustments) == ("skip no_contact_identifier", ["identifier_dropped"])


def test_nobody_is_invented() -> None:
    """Cookies and sessions mean nothing to this vendor."""
    for user in (None, {}, {"anonymous_id": "a", "opaque_id": "o", "session_id": "s", "first_name": "Olena"}):
        assert site("page_view", user=user, page=PAGE).why == "skip no_contact_identifier"


@pytest.mark.parametrize(
    ("user", "enough"),
    [
        ({"customer_id": "c-1"}, True),
        ({"email": "o@example.com"}, True),
        ({"phone": "380501234567"}, True),
        ({"contact_id": "1", "phone": "380501234567"}, True),
        ({"contact_id": "1"}, False),
        ({"push_token": "t"}, False),
        ({"contact_id": "1", "push_token": "t"}, False),
        ({"contact_id": "1", "customer_id": "a/b"}, False),
        (None, False),
    ],
)
def test_an_order_needs_somebody_to_belong_to(user: dict[str, Any] | None, enough: bool) -> None:
    """A customer id, an e-mail address or a phone number; a push token is never sent with one."""
    made = order(user=user)
    if enough:
        assert "pushToken" not in made.names
    else:
        assert made.why == "skip no_contact_identifier"


def test_an_external_id_alone_is_counted_where_the_account_must_know_it() -> None:
    """The older method does not look for it by itself; the newer one does."""
    alone = {"customer_id": "c-1"}
    assert order(user=alone, order={"status": "paid"}).adjustments == ["only_external_id"]
    assert order(user={**alone, "contact_id": "1"}).adjustments == []
    assert site("page_view", user=alone, page=PAGE).adjustments == []
    assert order("page_view", {"v1_site_events": True}, user=alone, page=PAGE).adjustments == [
        "only_external_id"
    ]
