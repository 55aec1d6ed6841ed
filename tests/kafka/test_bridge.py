"""What the poll thread tells is heard on the loop, in order, and as long as somebody listens."""

from __future__ import annotations

import asyncio
import time

from connector.kafka.bridge import ANSWER_GRACE_S, Bridge


async def test_what_is_told_is_heard_in_order() -> None:
    """A record must come after its partition, whatever the loop does meanwhile."""
    bridge, heard = Bridge(), list[int]()

    def tell() -> None:
        for number in range(100):
            bridge.tell(heard.append, number)
        bridge.be_heard()
        heard.append(-1)

    await asyncio.to_thread(tell)
    assert heard == [*range(100), -1]


async def test_a_loop_that_does_not_listen_is_not_waited_for() -> None:
    """It may hang; the group must not wait for it."""
    bridge, heard = Bridge(), list[str]()
    assert not await bridge.end(0)
    began = time.monotonic()
    bridge.tell(heard.append, "late")
    await asyncio.to_thread(bridge.be_heard)
    assert time.monotonic() - began < ANSWER_GRACE_S + 5
    assert not heard


def test_a_loop_that_is_closed_ends_the_thread() -> None:
    """Nobody is left to take what it would bring."""

    async def build() -> Bridge:
        return Bridge()

    bridge = asyncio.run(build())
    assert not bridge.stopping
    bridge.tell(print)
    assert bridge.stopping
