"""What would become of a record, told without sending: the same words as the pipeline's."""

from __future__ import annotations

from typing import Any
from unittest import mock

import msgspec
import pytest

from connector import rehearsal as rehearsal_module
from connector.codec.encode import encode_framed
from connector.codec.schemas import text
from connector.model.record import Lease, Record
from connector.rehearsal import Rehearsal, Rehearsed
from connector.settings import from_mapping
from tests.fakes.registry import FakeRegistry
from tests.settings.configurations import KEY, MINIMAL

NOW_MS = 1_767_225_600_000

IMPRESSION: dict[str, Any] = {
    "event_id": "00000000-0000-4000-8000-000000000001",
    "event_type": "impression",
    "occurred_at": NOW_MS,
    "channel": "web",
    "user": {"opaque_id": "visitor-1"},
    "items": [{"product_id": f"p-{n}"} for n in range(120)],
    "placement": {"path": "/search"},
}


def record(value: bytes | None) -> Record:
    return Record(Lease("clickstream", 0, 0), 0, 0, None, value, ())


def rehearsal(registry_url: str | None = None) -> Rehearsal:
    source = {**MINIMAL["source"], "schema_registry": {"url": registry_url}}
    return Rehearsal(from_mapping({**MINIMAL, "source": source}))


async def told(value: bytes | None) -> Rehearsed:
    async with rehearsal() as one:
        return await one.of(record(value), NOW_MS)


async def test_items_are_put_into_requests_as_the_vendor_takes_them() -> None:
    """No more items than one may hold, every item once, complete but for the key."""
    async with rehearsal() as one:
        mapped = await one.of(record(msgspec.json.encode(IMPRESSION)), NOW_MS)
        requests = one.requests(mapped.items)
    assert (mapped.outcome, len(mapped.items)) == ("mapped", 120)
    sent = [each["id"] for request in requests for each in msgspec.json.decode(request.body)["impressions"]]
    assert sent == [item.id for item in mapped.items]
    assert len(requests) == 3
    for request in requests:
        assert request.url == "https://api.topsort.com/v2/events"
        assert request.headers["Authorization"] == "**********"
        assert KEY not in str(request)


@pytest.mark.parametrize(
    ("value", "outcome", "reason"),
    [
        (None, "skipped", "tombstone"),
        (b"nonsense", "refused", "undecodable"),
        (b"{}", "refused", "invalid_event"),
        (b"\0\0\0\0\7x", "refused", "unknown_schema"),
        (
            msgspec.json.encode({**IMPRESSION, "consent": {"advertising": False}}),
            "skipped",
            "consent_denied",
        ),
    ],
)
async def test_what_maps_to_nothing_says_why(value: bytes | None, outcome: str, reason: str) -> None:
    """By the reason that a metric or a dead letter would have."""
    found = await told(value)
    assert (found.outcome, found.reason, found.items) == (outcome, reason, ())


async def test_a_mapper_that_raises_is_told_as_the_pipeline_tells_it() -> None:
    """A bug in a destination is no reason to explain nothing."""
    async with rehearsal() as one:
        with mock.patch.object(type(one.destination), "map", side_effect=ZeroDivisionError("0123")):
            found = await one.of(record(msgspec.json.encode(IMPRESSION)), NOW_MS)
    assert (found.outcome, found.reason) == ("refused", "invalid_event")
    assert found.detail == "mapper failed: ZeroDivisionError"


async def test_a_schema_is_looked_up() -> None:
    """As in the connector, from the same registry."""
    async with FakeRegistry() as registry:
        schema_id = registry.register("clickstream-value", text("ClickstreamEvent"))
        value = encode_framed(schema_id, IMPRESSION, "ClickstreamEvent")
        async with rehearsal(registry.url) as one:
            assert (await one.of(record(value), NOW_MS)).outcome == "mapped"


async def test_a_registry_that_is_silent_is_waited_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connector would wait for as long as it takes; who asks for an explanation would not."""
    monkeypatch.setattr(rehearsal_module, "SCHEMA_S", 0.2)
    async with FakeRegistry() as registry:
        registry.outage = 503
        async with rehearsal(registry.url) as one:
            found = await one.of(record(b"\0\0\0\0\7x"), NOW_MS)
    assert (found.outcome, found.detail) == ("waits", "the registry does not answer for schema 7")
