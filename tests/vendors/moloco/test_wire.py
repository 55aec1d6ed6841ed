"""What travels to Moloco."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest

from connector.model.item import Item
from connector.vendors.contract import ProbePolicy, RetryPolicy
from connector.vendors.moloco import Moloco, wire
from connector.vendors.moloco.settings import MolocoOptions

OPTIONS = MolocoOptions(platform_name="shop", platform_id="SHOP_TEST")
MOLOCO = Moloco(OPTIONS)


def test_a_request_is_the_one_events_bytes() -> None:
    """No array around it; nothing is encoded again."""
    request = MOLOCO.request([Item("id", wire.KIND, b'{"id":"x"}', 1)])
    assert (request.method, request.body, request.url) == ("POST", b'{"id":"x"}', None)
    assert request.headers == {"Content-Type": "application/json", "Accept": "application/json"}


@pytest.mark.parametrize(
    ("platform_id", "segment"),
    [("SHOP_TEST", "SHOP_TEST"), ("SHOP/1 ä?#%", "SHOP%2F1%20%C3%A4%3F%23%25"), ("a.b~c-d", "a.b~c-d")],
)
def test_the_address_is_made_of_the_platforms_names(platform_id: str, segment: str) -> None:
    """The id is one segment of the path, whatever is in it."""
    url = Moloco.url(MolocoOptions(platform_name="Shop", platform_id=platform_id))
    assert url == f"https://shop-evt.mcm-api.moloco.com/rmp/event/v1/platforms/{segment}/userevents"
    assert urlsplit(url).path.count("/") == 6


def test_the_key_travels_in_a_header_of_its_own() -> None:
    """And nowhere else."""
    assert Moloco.credentials("k-1") == {"X-API-Key": "k-1"}


def test_nothing_is_invented_to_find_out_whether_the_vendor_is_back() -> None:
    """There is no call without side effects: one real event is the probe."""
    assert MOLOCO.probe("https://elsewhere.example/x") is None


def test_waits_follow_the_vendors_failure_protocol() -> None:
    """5 s doubling to 80 s, never earlier; the breaker's from one minute to fifteen."""
    limits = MOLOCO.limits
    assert (limits.items_max, limits.body_bytes_max) == (1, 1_000_000)
    assert (limits.connect_timeout_s, limits.request_timeout_s) == (5.0, 10.0)
    assert limits.requests_per_second is None
    assert limits.retry_after_max_s == 900.0
    assert limits.retry == RetryPolicy(first_s=5.0, cap_s=80.0, jitter="upward")
    assert limits.probe == ProbePolicy(first_s=60.0, cap_s=900.0)
    options = OPTIONS.model_copy(update={"probe_interval_min_s": 5.0, "probe_interval_max_s": 7.0})
    assert Moloco(options).limits.probe == ProbePolicy(first_s=5.0, cap_s=7.0)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (129_900_000, "129.9"),
        (0, "0"),
        (5_000_000, "5"),
        (1, "0.000001"),
        (2**63 - 1, "9223372036854.775807"),
    ],
)
def test_amounts_are_written_exactly(micros: int, text: str) -> None:
    """The shortest decimal, without exponent: 129.9 and not 129.90 or 1.299e2."""
    body = wire.encode(wire.Money("EUR", wire.amount(micros)))
    assert body == f'{{"currency":"EUR","amount":{text}}}'.encode()


def test_text_travels_as_utf_8() -> None:
    """Raw, not escaped."""
    body = wire.encode(wire.UserEvent("1", "SEARCH", "1", "SITE", search_query='Чоботи "Ø"'))
    assert 'Чоботи \\"Ø\\"'.encode() in body
    assert json.loads(body)["search_query"] == 'Чоботи "Ø"'


@pytest.mark.parametrize(("hashed", "said"), [("none", "unhashed"), ("sha256", "SHA-256")])
def test_an_operator_is_told_which_identifiers_the_decision_api_must_carry(hashed: str, said: str) -> None:
    """Only the platform's own calls can tell whether they do."""
    (advice,) = Moloco(OPTIONS.model_copy(update={"identity_hash": hashed})).advice()
    assert said in advice
