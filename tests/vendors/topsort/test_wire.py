"""What travels to Topsort."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from connector.model.item import Item
from connector.vendors.contract import Mapped
from connector.vendors.topsort import Topsort, wire
from connector.vendors.topsort.settings import TopsortOptions
from tests.vendors.any_event import NOW_MS, event_of

EVENTS = Path(__file__).parent / "events"
TOPSORT = Topsort(TopsortOptions(currency="EUR"))


def items_of(name: str) -> list[Item]:
    """The items of a golden event."""
    (file,) = EVENTS.glob(f"{name}-*.json")
    result = TOPSORT.map(event_of(json.loads(file.read_bytes())["event"]), NOW_MS)
    assert isinstance(result, Mapped)
    return list(result.items)


def bodies_of(*names: str) -> dict[str, list[object]]:
    """The bodies of golden events, joined array by array."""
    joined: dict[str, list[object]] = {}
    for name in names:
        (file,) = EVENTS.glob(f"{name}-*.json")
        (body,) = json.loads(file.read_bytes())["bodies"]
        for array, records in body.items():
            joined.setdefault(array, []).extend(records)
    return joined


def test_one_request_carries_all_four_arrays() -> None:
    """T10: items of every kind travel together, each in its own array, in their order."""
    names = ("01", "02", "04", "06", "07")
    items = [item for name in names for item in items_of(name)]
    request = TOPSORT.request(items)
    assert json.loads(request.body) == bodies_of(*names)
    assert list(json.loads(request.body)) == ["impressions", "clicks", "purchases", "pageviews"]
    assert request.method == "POST"
    assert request.headers == {"Content-Type": "application/json", "Accept": "application/json"}


def test_an_empty_array_is_never_sent() -> None:
    """The seed refuses it, whatever a newer schema says."""
    assert json.loads(TOPSORT.request(items_of("06")).body).keys() == {"purchases"}


def test_a_request_is_made_of_its_items_bytes_alone() -> None:
    """A retry of the same items sends the same bytes, and joining adds only the frame."""
    items = [*items_of("01"), *items_of("04")]
    expected = b'{"impressions":[%b],"clicks":[%b]}' % (items[0].body, items[1].body)
    assert TOPSORT.request(items).body == expected


def test_the_frame_is_no_smaller_than_any_that_is_sent() -> None:
    """So that a batch that fits by its estimate fits on the wire."""
    empty = dict.fromkeys(wire.ARRAYS, ())
    assert len(msgspec.json.encode(empty)) == wire.FRAME_BYTES


def test_prices_are_written_exactly() -> None:
    """5.805, not 5.8050000000000002, and 49.9, not 49.90."""
    (item,) = items_of("06")
    assert b'"unitPrice":5.805,' in item.body
    assert b'"unitPrice":49.9,' in item.body


def test_the_key_travels_as_a_bearer_token() -> None:
    """In one header, and nowhere else."""
    assert Topsort.credentials("k-1") == {"Authorization": "Bearer k-1"}
    assert Topsort.url(TopsortOptions(currency="EUR")) == "https://api.topsort.com/v2/events"


def test_the_probe_holds_no_event() -> None:
    """Clicks are billed: a probe must never invent one."""
    probe = TOPSORT.probe("https://elsewhere.example/v2/events")
    assert probe is not None
    assert (probe.method, probe.body, probe.url) == ("POST", b"{}", "https://elsewhere.example/v2/events")


def test_limits_follow_the_options() -> None:
    """Each array counts on its own; smaller batches are a matter of configuration."""
    limits = Topsort(TopsortOptions(currency="EUR", max_per_array=7, max_bytes=5_000)).limits
    assert limits.per_kind == dict.fromkeys(wire.ARRAYS, 7)
    assert limits.items_max == 28
    assert limits.body_bytes_max == 5_000
    assert limits.unique_ids
