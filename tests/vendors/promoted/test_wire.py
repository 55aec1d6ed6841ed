"""What travels to Promoted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from connector.delivery.batcher import Batcher
from connector.model.item import Item
from connector.vendors.contract import Mapped
from connector.vendors.promoted import Promoted, wire
from connector.vendors.promoted.settings import PromotedOptions
from tests.vendors.any_event import NOW_MS, event_of

EVENTS = Path(__file__).parent / "events"
PROMOTED = Promoted(PromotedOptions())


def items_of(name: str) -> list[Item]:
    """The items of a golden event."""
    (file,) = EVENTS.glob(f"{name}-*.json")
    result = PROMOTED.map(event_of(json.loads(file.read_bytes())["event"]), NOW_MS)
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


def test_one_request_carries_several_users_and_all_three_arrays() -> None:
    """P12: each record says whose it is; nothing at the top level would be taken for everybody's."""
    names = ("05", "02", "01", "03")
    items = [item for name in names for item in items_of(name)]
    request = PROMOTED.request(items)
    assert json.loads(request.body) == bodies_of(*names)
    assert list(json.loads(request.body)) == ["view", "impression", "action"]
    assert request.method == "POST"
    assert request.url is None


def test_the_headers_are_these_alone() -> None:
    """Compressed, a body would be read as broken base64."""
    assert PROMOTED.request(items_of("01")).headers == {"Content-Type": "application/json"}


def test_the_first_byte_is_a_brace() -> None:
    """The vendor's server tells JSON from base64 by it. No blank, no mark, nothing behind the end."""
    for name in ("01", "02", "05"):
        body = PROMOTED.request(items_of(name)).body
        assert body.startswith(b"{")
        assert body.endswith(b"}")


def test_an_empty_array_is_never_sent() -> None:
    """Nor null, nor an empty string."""
    for file in EVENTS.glob("*.json"):
        case = json.loads(file.read_bytes())
        result = Promoted(PromotedOptions.model_validate(case["options"])).map(
            event_of(case["event"]), NOW_MS
        )
        if isinstance(result, Mapped):
            body = PROMOTED.request(result.items).body
            assert not any(empty in body for empty in (b"[]", b"null", b'""'))


def test_a_request_is_made_of_its_items_bytes_alone() -> None:
    """A retry of the same items sends the same bytes, and joining adds only the frame."""
    items = [*items_of("05"), *items_of("01")]
    assert PROMOTED.request(items).body == b'{"view":[%b],"action":[%b]}' % (items[0].body, items[1].body)


def test_the_frame_is_no_smaller_than_any_that_is_sent() -> None:
    """So that a batch that fits by its estimate fits on the wire."""
    assert len(msgspec.json.encode(dict.fromkeys(wire.ARRAYS, ()))) == wire.FRAME_BYTES


def test_a_key_goes_once_in_a_request_whatever_its_case() -> None:
    """The vendor compares in lower case and loses the second in silence: it goes in the next request."""
    batcher = Batcher(PROMOTED.limits, linger_s=1.0)
    views: list[Any] = []
    for number, view_id in enumerate(("View-1", "view-1", "VIEW-1", "view-2")):
        event = {
            "event_id": f"00000000-0000-4000-8000-{number:012d}",
            "event_type": "page_view",
            "occurred_at": 1_795_010_587_123,
            "user": {"anonymous_id": "u-1"},
            "attribution": {"view_id": view_id},
        }
        result = PROMOTED.map(event_of(event), NOW_MS)
        assert isinstance(result, Mapped)
        views.append(batcher.add(result.items[0], 0.0))
    views.append(batcher.close())
    requests = [json.loads(PROMOTED.request(batch).body)["view"] for batch in views if batch]
    assert [[view["viewId"] for view in request] for request in requests] == [
        ["View-1"],
        ["view-1"],
        ["VIEW-1", "view-2"],
    ]


def test_the_key_travels_in_its_own_header() -> None:
    """Without a prefix, and nowhere else."""
    assert Promoted.credentials("k-1") == {"x-api-key": "k-1"}


def test_the_probe_holds_no_record() -> None:
    """An empty `LogRequest` is valid and stores nothing."""
    probe = PROMOTED.probe("https://account.example/log/")
    assert probe is not None
    assert (probe.method, probe.body, probe.url) == ("POST", b"{}", "https://account.example/log/")
    assert probe.headers == {"Content-Type": "application/json"}


def test_limits_follow_the_options() -> None:
    """All arrays count together; the probe goes out once in 30 seconds."""
    limits = Promoted(PromotedOptions(max_records=7, max_bytes=5_000)).limits
    assert (limits.items_max, limits.per_kind, limits.body_bytes_max) == (7, {}, 5_000)
    assert limits.unique_ids
    standard = PROMOTED.limits
    assert (standard.items_max, standard.body_bytes_max) == (500, 900_000)
    assert (standard.connect_timeout_s, standard.request_timeout_s) == (3.0, 10.0)
    assert (standard.retry.first_s, standard.retry.cap_s, standard.retry.jitter) == (0.5, 60.0, "full")
    assert standard.requests_per_second is None
    assert standard.probe.apart_s == 30.0


def test_there_is_no_address_but_the_accounts_own() -> None:
    """The example can't be reached by anybody."""
    assert Promoted.url_per_account
    assert Promoted.url(PromotedOptions()).startswith("https://your-account.promoted.example/")
