"""Moloco's waits, in virtual time: its failure protocol, and an identifier that is throttled alone."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

from connector.model.item import Item
from connector.vendors.contract import Response, SandboxRequest
from connector.vendors.moloco import Moloco
from connector.vendors.moloco.sandbox import MolocoSandbox
from connector.vendors.moloco.settings import MolocoOptions
from tests.delivery.acme import item
from tests.delivery.rig import Rig
from tests.delivery.virtual_time import run

MOLOCO = Moloco(MolocoOptions(platform_name="shop", platform_id="SHOP_TEST"))
PATH = "/rmp/event/v1/platforms/SHOP_TEST/userevents"
HEADERS = {"x-api-key": "key", "content-type": "application/json"}
NOW_MS = 1_795_010_600_000


def event(event_id: str, user_id: str) -> Item:
    """A small event as it would travel."""
    body = {
        "id": event_id,
        "event_type": "HOME",
        "timestamp": "1795010587123",
        "channel_type": "SITE",
        "user_id": user_id,
    }
    made = item(event_id)
    made.body = json.dumps(body).encode()
    return made


def test_an_identifier_that_is_throttled_alone_costs_only_its_own_events() -> None:
    """A default id on many events: each of them is given up after ten answers, all others are delivered."""
    sandbox = MolocoSandbox("SHOP_TEST", identifier_events_max=3)
    attempts: dict[str, int] = {}

    async def main() -> None:
        def answer(parts: list[str]) -> Response:
            body = ",".join(parts).encode()
            answered = sandbox.answer(SandboxRequest("POST", PATH, HEADERS, body, NOW_MS))  # one long minute
            event_id = json.loads(body)["id"]
            attempts[event_id] = attempts.get(event_id, 0) + 1
            return Response(answered.status, {}, answered.body)

        rig = Rig(answer, destination=MOLOCO, limits=MOLOCO.limits, max_in_flight=64)
        for number in range(205):
            who = "default" if number % 20 == 19 else f"c-{number}"
            rig.sender.submit([event(f"e-{number}", who)])
            await asyncio.sleep(1)
        await rig.until_settled(205, within_s=6 * 3600)
        throttled = {f"e-{number}" for number in range(19 + 3 * 20, 200, 20)}
        assert rig.outcomes.rejections.keys() == throttled
        for rejection in rig.outcomes.rejections.values():
            assert (rejection.reason, rejection.status) == ("throttled_identifier", 429)
            assert b"one user" in rejection.body
        assert all(10 <= attempts[each] <= 11 for each in throttled)

    run(main())


def test_retries_keep_to_the_vendors_failure_protocol() -> None:
    """5 s after the failure at the earliest, then 10, 20, 40 and 80 s, a fifth longer at most."""

    async def main() -> None:
        rig = Rig(
            lambda parts: Response(503 if parts == ["bad"] and rig.elapsed < 400 else 200),
            destination=MOLOCO,
            limits=MOLOCO.limits,
            latency_s=0.0,
        )
        rig.sender.submit([item("bad")])
        for number in range(300):
            rig.sender.submit([item(f"other{number}-{n}") for n in range(5)])
            await asyncio.sleep(1)
        await rig.until_settled(1501, within_s=3600)
        waits = [later - earlier for earlier, later in pairwise(rig.sent_with("bad"))]
        for wait, least in zip(waits, (5, 10, 20, 40, 80, 80), strict=False):
            assert least <= wait <= 1.2 * least + 0.1
        assert len(waits) >= 5

    run(main())


def test_while_moloco_is_down_one_event_is_tried_in_a_minute_and_then_ever_more_seldom() -> None:
    """No event is lost, and the first success opens the way for all."""

    async def main() -> None:
        rig = Rig(
            lambda parts: Response(503 if rig.elapsed < 4 * 3600 else 200),
            destination=MOLOCO,
            limits=MOLOCO.limits,
        )
        for number in range(100):
            rig.sender.submit([item(f"e-{number}")])
        await rig.until_settled(100, within_s=5 * 3600)
        assert rig.outcomes.rejections == {}
        tries = sorted(at - rig.began for at, _ in rig.wire.sent)
        down = [at for at in tries if 100 < at < 4 * 3600]
        gaps = [later - earlier for earlier, later in pairwise(down)]
        assert all(900 <= gap <= 1.2 * 900 + 1 for gap in gaps[-8:])
        assert len(down) < 25

    run(main())
