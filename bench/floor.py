"""The floor: the same libraries, decoder and mapper, with no promises. `python -m bench.floor CONFIG`.

It polls, decodes, maps, joins bodies and posts them, and that is all. It commits nothing, retries nothing,
counts nothing, and what the vendor refuses is lost. What the connector costs above this is the price of
its promises.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from pathlib import Path

import aiohttp
from confluent_kafka import Consumer

from bench.one_by_one import register
from connector.cli.common import read_settings
from connector.cli.loop import fast_loop
from connector.codec.answer import NeedSchema, Tombstone, Undecodable
from connector.codec.decoder import Decoder
from connector.kafka.properties import consumer_properties
from connector.model.item import Item
from connector.model.record import Lease, Record
from connector.sample import NOW_MS
from connector.settings import Settings, typed_options
from connector.vendors import DESTINATIONS
from connector.vendors.contract import Destination, Mapped

POLL_MAX = 500
POLL_S = 0.05
LINGER_S = 0.25
PREFETCH_BYTES = 32 << 20
"""As much as the connector asks for with its default memory limit, so that Kafka's client costs the same."""


class Floor:
    """One run: `run` lasts until it is cancelled."""

    def __init__(self, settings: Settings, destination: Destination, session: aiohttp.ClientSession) -> None:
        assert settings.destination.url is not None, "the benchmark configures the sandbox's address"
        self._url = settings.destination.url
        self._destination = destination
        self._session = session
        self._limits = destination.limits
        self._headers = destination.credentials(settings.destination.secret().read())
        self._decoder = Decoder(settings.source.format)
        self._leases = {topic: Lease(topic, 0, 0) for topic in settings.source.topics}
        self._room = asyncio.Semaphore(settings.delivery.max_in_flight)
        self._requests: set[asyncio.Task[None]] = set()
        self._items: list[Item] = []
        self._kinds: Counter[str] = Counter()
        self._time = asyncio.get_running_loop().time
        self._due = 0.0

    async def run(self, consumer: Consumer) -> None:
        """Poll and pass on, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            for message in await loop.run_in_executor(None, consumer.consume, POLL_MAX, POLL_S):
                topic = message.topic()
                assert topic is not None
                await self._carry(Record(self._leases[topic], 0, 0, None, message.value(), ()))
            if self._items and self._time() > self._due:
                await self._send()

    async def _carry(self, record: Record) -> None:
        event = self._decoder.decode(record)
        if isinstance(event, Tombstone | Undecodable | NeedSchema):
            return
        result = self._destination.map(event, NOW_MS)
        if not isinstance(result, Mapped):
            return
        for item in result.items:
            if self._kinds[item.kind] == self._limits.per_kind.get(item.kind):
                await self._send()
            if not self._items:
                self._due = self._time() + LINGER_S
            self._items.append(item)
            self._kinds[item.kind] += 1
            if len(self._items) == self._limits.items_max:
                await self._send()

    async def _send(self) -> None:
        await self._room.acquire()
        task = asyncio.create_task(self._post(self._items))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        self._items = []
        self._kinds.clear()

    async def _post(self, items: list[Item]) -> None:
        try:
            request = self._destination.request(items)
            headers = {**request.headers, **self._headers}
            async with self._session.post(self._url, data=request.body, headers=headers) as answer:
                await answer.read()
        finally:
            self._room.release()


async def _main(config: Path) -> None:
    settings = read_settings(config)
    name = settings.destination.name
    destination = DESTINATIONS[name](typed_options(name, settings.destination.options))
    consumer = Consumer(
        consumer_properties(
            settings.source.librdkafka(),
            group_id=settings.source.group_id,
            client_id="floor",
            prefetch_bytes=PREFETCH_BYTES,
        )
        | {"auto.offset.reset": "earliest"}
    )
    consumer.subscribe(list(settings.source.topics))
    limit = aiohttp.TCPConnector(limit=settings.delivery.max_in_flight)
    async with aiohttp.ClientSession(connector=limit, auto_decompress=False) as session:
        carrying = asyncio.ensure_future(Floor(settings, destination, session).run(consumer))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, carrying.cancel)
        await asyncio.wait({carrying})
    consumer.close()
    if not carrying.cancelled():
        carrying.result()


if __name__ == "__main__":
    register()
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(_main(Path(sys.argv[1])))
