"""The connector as `App` on this loop, between a Kafka, embedded or real, and a strict vendor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import msgspec

from connector.app import App
from connector.kafka.produce import Writer
from connector.sandbox import SandboxServer
from connector.settings import from_mapping
from connector.vendors.topsort.sandbox import PATH, TopsortSandbox
from tests.broker.launcher.brokers import Broker

KEY = "right-key-0123456789"
PATIENCE_S = 30.0
LOOK_EVERY_S = 0.002

Event = dict[str, Any]


def click(number: int, **more: object) -> Event:
    """A click that Topsort takes, as one item with the event's own id."""
    return {
        "event_id": f"00000000-0000-0000-0000-{number:012d}",
        "event_type": "click",
        "occurred_at": time.time_ns() // 1_000_000,
        "channel": "web",
        "user": {"opaque_id": "visitor-1"},
        "items": [{"product_id": f"p-{number}"}],
        "placement": {"path": "/search"},
        **more,
    }


class Stage:
    """`async with Stage(broker, unique, folder) as stage` runs the connector with one topic of one partition.

    The key is read from a file, so that a test can put another one into it.
    """

    def __init__(
        self,
        broker: Broker,
        unique: Callable[[str], str],
        folder: Path,
        *,
        key: str = KEY,
        dead_letter_topic: bool = True,
        **changes: Mapping[str, object],
    ) -> None:
        self.broker = broker
        self.topic, self.group_id = unique("clickstream"), unique("group")
        self.dead_letter_topic = unique("dead-letter")
        self.key_file = folder / "key"
        self.key_file.write_text(key)
        broker.create_topic(self.topic, 1)
        if dead_letter_topic:
            broker.create_topic(self.dead_letter_topic, 1)
        self.vendor = SandboxServer(TopsortSandbox(api_key=KEY), PATH)
        self._changes = changes
        self._writer = Writer({"bootstrap.servers": broker.bootstrap})

    async def __aenter__(self) -> Stage:
        await self.vendor.start()
        self.app = App(from_mapping(self.settings()))
        await self.app.start()
        self.session = aiohttp.ClientSession()
        await self.until(lambda: bool(self.app.status()["partitions"]), "a partition")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()
        await self.app.stop()
        await self.vendor.stop()
        self._writer.close()

    def settings(self) -> dict[str, Any]:
        """Its configuration, as a file would hold it."""
        settings: dict[str, Any] = {
            "destination": {
                "name": "topsort",
                "url": self.vendor.url,
                "api_key_file": str(self.key_file),
                "options": {"currency": "EUR"},
            },
            "source": {
                "topics": [self.topic],
                "group_id": self.group_id,
                "format": "json",
                "properties": {"bootstrap.servers": self.broker.bootstrap},
            },
            "dead_letter": {"topic": self.dead_letter_topic},
            "http": {"host": "127.0.0.1", "port": 0},
        }
        for section, values in self._changes.items():
            settings[section] = {**settings.get(section, {}), **values}
        return settings

    async def write(self, *values: Event | bytes) -> None:
        """Records in Kafka, acknowledged."""
        for value in values:
            self._writer.write(
                self.topic, b"key", value if isinstance(value, bytes) else msgspec.json.encode(value)
            )
        await self._writer.flush()

    async def until(self, holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Return as soon as this holds; fail with `what` when it does not in that time."""
        until = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < until, f"not within {patience_s:g} s: {what}\n{self.app.status()}"
            await asyncio.sleep(LOOK_EVERY_S)  # a round of looking, bounded above

    async def get(self, path: str) -> tuple[int, bytes]:
        """An answer of the connector's own server."""
        async with self.session.get(self.app.address.rstrip("/") + path) as answer:
            return answer.status, await answer.read()

    @property
    def books(self) -> dict[str, int]:
        """How the records of the topic stand, zeros left out."""
        topics: Any = self.app.status()["topics"]
        return {name: count for name, count in topics.get(self.topic, {}).items() if count}

    @property
    def accepted(self) -> dict[str, int]:
        """How often the vendor took each id."""
        return self.vendor.ledger.accepted

    def has_accepted(self, count: int) -> bool:
        """Whether the vendor holds so many ids."""
        return len(self.accepted) >= count

    @property
    def frontier(self) -> int | None:
        """Where the one partition stands."""
        (partition,) = self.partitions
        offset: int | None = partition["frontier"]
        return offset

    @property
    def partitions(self) -> list[dict[str, Any]]:
        found: Any = self.app.status()["partitions"]
        return list(found)
