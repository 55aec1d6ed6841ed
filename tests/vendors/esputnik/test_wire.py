"""What travels to eSputnik, by either method."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from connector.vendors.esputnik import EsputnikOrders, EsputnikSite, wire
from connector.vendors.esputnik.settings import OrdersOptions, SiteOptions
from tests.vendors.esputnik.making import order, site

ORDERS, SITE = EsputnikOrders(OrdersOptions()), EsputnikSite(SiteOptions())


def test_a_request_is_one_event_byte_for_byte() -> None:
    """A retry sends the same bytes; nothing is compressed, nothing added."""
    (item,) = order().items
    request = ORDERS.request([item])
    assert (request.method, request.body, request.url) == ("POST", item.body, None)
    assert request.headers == {
        "Content-Type": "application/json; charset=UTF-8",
        "Accept": "application/json",
    }


def test_the_addresses_are_those_of_the_vendors_documents() -> None:
    """Orders by version 1, site activity by version 2."""
    assert EsputnikOrders.url(OrdersOptions()) == "https://esputnik.com/api/v1/event"
    assert EsputnikSite.url(SiteOptions()) == "https://esputnik.com/api/v2/event"


@pytest.mark.parametrize("destination", [EsputnikOrders, EsputnikSite])
def test_the_key_is_a_password(destination: Any) -> None:
    """Of any user; also one that is not ASCII survives."""
    (header,) = destination.credentials("k-1:Ї").items()
    scheme, _, pair = header[1].partition(" ")
    assert (header[0], scheme) == ("Authorization", "Basic")
    assert base64.b64decode(pair).decode() == "api:k-1:Ї"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://esputnik.com/api/v1/event", "https://esputnik.com/api/v1/account/info"),
        ("https://esputnik.com/api/v2/event", "https://esputnik.com/api/v1/account/info"),
        ("https://api.yespo.io/api/v2/event/", "https://api.yespo.io/api/v1/account/info"),
        ("http://127.0.0.1:8081/api/v1/event", "http://127.0.0.1:8081/api/v1/account/info"),
        ("https://gateway.example/crm/v2/event?team=7", "https://gateway.example/crm/v1/account/info"),
    ],
)
def test_the_probe_asks_for_the_account_beside_the_address(url: str, asked: str) -> None:
    """An event of any kind could start a workflow, so a probe is none."""
    for destination in (ORDERS, SITE):
        probe = destination.probe(url)
        assert probe is not None
        assert (probe.method, probe.url, probe.body) == ("GET", asked, b"")
        assert probe.headers == {"Accept": "application/json"}


@pytest.mark.parametrize("destination", [ORDERS, SITE])
def test_limits_are_the_vendors(destination: EsputnikOrders | EsputnikSite) -> None:
    """One event of 20,000 bytes; 300 requests a second; waits from 1 s to 60 s, probes from 15 s to 300 s."""
    limits = destination.limits
    assert (limits.items_max, limits.body_bytes_max, limits.requests_per_second) == (1, 20_000, 300)
    assert (limits.connect_timeout_s, limits.request_timeout_s) == (5, 10)
    assert (limits.retry.first_s, limits.retry.cap_s, limits.retry.jitter) == (1, 60, "upward")
    assert (limits.probe.first_s, limits.probe.cap_s, limits.retry_after_max_s) == (15, 300, 900)


@pytest.mark.parametrize("destination", [EsputnikOrders, EsputnikSite])
def test_order_is_required(destination: Any) -> None:
    """A late event would put an old status or an old cart back."""
    assert (destination.ordering, destination.ordering_required) == ("key", True)
    assert destination.writes_to_customers


def test_an_event_is_named_by_its_body() -> None:
    """Type, order or cart, and the beginning of a digest: readable, and nobody's identity."""
    (item,) = order("order_delivered", cart={"state_id": "s-1"}).items
    digest = hashlib.sha256(item.body).hexdigest()[:16]
    assert EsputnikOrders.vendor_id(item) == f"orderDelivered:ord-1:{digest}"
    (item,) = site("cart_updated", cart={"state_id": "s-1", "items": []}).items
    assert EsputnikSite.vendor_id(item).startswith("cartUpdated:s-1:")
    (item,) = site("search", search={"query": "boots"}).items
    assert EsputnikSite.vendor_id(item).startswith("searchRequest::")
    assert "olena" not in EsputnikSite.vendor_id(item)


def test_structures_are_escaped_once() -> None:
    """The body is JSON, and so is the text in it; Cyrillic stays as it is in both."""
    (item,) = site("page_view", page={"url": 'https://shop.example/"Взуття"'}).items
    assert rb"{\"location\":\"https://shop.example/\\\"" in item.body
    assert "Взуття".encode() in item.body
    page = json.loads(item.body)["params"][1]["value"]
    assert json.loads(page) == {"location": 'https://shop.example/"Взуття"'}


def test_amounts_are_plain_decimals() -> None:
    """As numbers of JSON and as text."""
    for micros, text in ((0, "0"), (45_500_000, "45.5"), (10**18, "1000000000000"), (1, "0.000001")):
        assert wire.amount_text(micros) == text
        assert bytes(wire.amount(micros)) == text.encode()
