"""Order by key, through everything that delays one of them and not the others."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from random import Random

import msgspec
import pytest

from connector.delivery.sender import TICK_S
from connector.model.item import Item
from connector.model.record import Lease
from connector.vendors.contract import Response, RetryPolicy
from tests.delivery.acme import LIMITS, Acme, item
from tests.delivery.rig import Rig
from tests.delivery.virtual_time import run
from tests.pipeline.waiting import soon

OK = Response(200)
DOWN = Response(503)
ONE = msgspec.structs.replace(LIMITS, items_max=1)
UPWARD = msgspec.structs.replace(LIMITS, retry=RetryPolicy(first_s=0.5, cap_s=60.0, jitter="upward"))


def keyed(count: int, keys: int, lease: Lease | None = None) -> list[Item]:
    """`key/number`, dealt out to so many keys."""
    made = []
    for number in range(count):
        key = f"k{number % keys}"
        name = f"{key}/{number}"
        made.append(item(name, key=key) if lease is None else item(name, key=key, lease=lease))
    return made


@pytest.mark.parametrize("items_max", [1, 10])
@pytest.mark.parametrize("seed", range(4))
def test_no_inversion_and_no_two_at_once_whatever_the_vendor_does(items_max: int, seed: int) -> None:
    """Errors, silence, throttling and refusals at random: each key arrives in its order, one by one."""

    async def main() -> None:
        draw = Random(seed)
        arrived: dict[str, list[int]] = defaultdict(list)
        poison = {f"k{n % 5}/{n}" for n in range(0, 400, 37)}

        def answer(ids: list[str]) -> Response:
            dice = draw.random()
            if dice < 0.1:
                return Response(503)
            if dice < 0.15:
                return Response(None, silence="timeout")
            if dice < 0.2:
                return Response(429, {"retry-after": "1"})
            if poison.intersection(ids):
                return Response(400)
            for each in ids:
                key, _, number = each.partition("/")
                arrived[key].append(int(number))
            return OK

        limits = msgspec.structs.replace(LIMITS, items_max=items_max)
        rig = Rig(answer, limits=limits, keyed=True)
        for one in keyed(400, 5):
            rig.sender.submit([one])
        open_keys: list[set[str]] = []

        send = rig.wire.send

        async def watched(request):  # type: ignore[no-untyped-def]  # stands in for the rig's own
            keys = {each.partition("/")[0] for each in request.body.decode().split(",")}
            assert all(keys.isdisjoint(others) for others in open_keys), "two requests of one key"
            open_keys.append(keys)
            try:
                return await send(request)
            finally:
                open_keys.remove(keys)

        rig.wire.send = watched  # type: ignore[method-assign]  # to watch it
        await rig.until_settled(400, within_s=7200)
        assert all(numbers == sorted(numbers) for numbers in arrived.values())
        assert sum(map(len, arrived.values())) == 400 - len(poison)
        assert set(rig.outcomes.rejections) == poison
        assert rig.sender.snapshot().in_lanes == 0

    run(main())


def test_a_key_that_is_stuck_holds_only_itself_up() -> None:
    """All others go on in parallel, however long it takes."""

    async def main() -> None:
        rig = Rig(lambda ids: Response(503) if "k0/0" in ids else OK, limits=ONE, keyed=True)
        for one in keyed(1000, 50):
            rig.sender.submit([one])
        await rig.until_settled(980, within_s=60)
        assert not [each for each in rig.outcomes.delivered_ids if each.startswith("k0/")]
        assert rig.sender.snapshot().in_lanes == 19

    run(main())


def test_many_keys_fill_the_wire() -> None:
    """Lanes cost no parallelism: as many requests are open as may be."""

    async def main() -> None:
        rig = Rig(lambda ids: OK, limits=ONE, keyed=True, max_in_flight=64)
        for one in keyed(2000, 500):
            rig.sender.submit([one])
        await rig.until_settled(2000)
        assert rig.wire.most_in_flight == 64

    run(main())


def test_a_request_with_a_key_of_a_fenced_partition_is_broken_off() -> None:
    """It could arrive after what the next owner sends. What is ours in the same request is sent again, and
    no failure is counted: nobody failed."""

    async def main() -> None:
        gone = Lease("orders", 7, 1)
        rig = Rig(lambda ids: OK, latency_s=5.0, keyed=True)
        rig.sender.submit([item("theirs", key="a", lease=gone), item("ours", key="b")])
        rig.sender.flush()
        rig.sender.submit([item("more of ours", key="a")])
        await asyncio.sleep(1.0)
        assert rig.wire.in_flight == 1
        gone.live = False
        rig.sender.fenced()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert rig.wire.in_flight <= 1
        await rig.until_settled(2, within_s=11)
        assert sorted(ids for _, ids in rig.wire.sent) == [["more of ours"], ["ours"], ["theirs", "ours"]]
        assert not rig.told.retries
        assert rig.sender.snapshot().in_flight == 0

    run(main())


def test_what_was_broken_off_waits_before_it_leaves_again() -> None:
    """The vendor may still be at work on the request: sent at once, what is ours in it would be there twice
    at the same time, and a vendor in trouble would get it without the wait that its failures have earned."""

    async def main() -> None:
        leases = [Lease("orders", number, 1) for number in range(3)]
        outcomes = iter([DOWN, DOWN])
        rig = Rig(lambda ids: next(outcomes, OK), latency_s=1.0, keyed=True, limits=UPWARD)
        rig.sender.submit(
            [item(f"{lease.partition}", key=f"{lease.partition}", lease=lease) for lease in leases]
        )
        rig.sender.submit([item("ours", key="b")])
        rig.sender.flush()

        async def take_away(lease: Lease) -> float:
            await soon(lambda: rig.wire.in_flight == 1)
            await asyncio.sleep(0.5)
            lease.live = False
            rig.sender.fenced()
            await soon(lambda: rig.wire.in_flight == 0, within_s=0.1)
            return rig.elapsed

        first = await take_away(leases[0])
        await soon(lambda: rig.told.retries["server_error"] == 2)
        second = await take_away(leases[1])
        third = await take_away(leases[2])
        await rig.until_settled(1)
        sent = rig.sent_with("ours")
        assert 0.5 <= sent[1] - first <= 0.6 + 2 * TICK_S
        assert 1.0 <= sent[4] - second <= 1.2 + 2 * TICK_S
        assert 1.0 <= sent[5] - third <= 1.2 + 2 * TICK_S
        assert rig.told.retries == {"server_error": 2}

    run(main())


def test_a_half_that_is_broken_off_lets_the_other_go() -> None:
    """They share a key, so the second waits for the first, of which nothing is ours any more."""

    async def main() -> None:
        gone = Lease("orders", 7, 1)
        rig = Rig(lambda ids: OK if len(ids) == 1 else Response(400), latency_s=1.0, keyed=True)
        rig.sender.submit([item("theirs", key="a", lease=gone), item("ours", key="a")])
        await soon(lambda: rig.wire.in_flight == 1 and rig.wire.sent[-1][1] == ["theirs"])
        gone.live = False
        rig.sender.fenced()
        await rig.until_settled(1, within_s=5)
        assert rig.outcomes.delivered_ids == ["ours"]

    run(main())


@pytest.mark.parametrize("asks_first", [True, False])
def test_a_trial_that_is_broken_off_says_nothing_about_the_vendor(asks_first: bool) -> None:
    """The breaker waits as long as before this one, and no longer: nobody failed. Where the vendor was asked
    and is well, it closes."""

    async def main() -> None:
        gone = Lease("orders", 7, 1)
        rig = Rig(
            lambda ids: OK if ids == ["probe"] else DOWN,
            latency_s=1.0,
            keyed=True,
            destination=Acme(probes=asks_first),
        )
        rig.sender.submit([item("theirs", key="a", lease=gone), item("ours", key="b")])
        await soon(lambda: rig.sender.snapshot().breaker == "half_open")
        await soon(lambda: rig.wire.in_flight == 1 and rig.wire.sent[-1][1] == ["theirs", "ours"])
        gone.live = False
        rig.sender.fenced()
        at = rig.elapsed
        await soon(lambda: rig.sender.snapshot().breaker != "half_open", within_s=0.1)
        if asks_first:
            assert rig.sender.snapshot().breaker == "closed"
        else:
            await soon(lambda: rig.sender.snapshot().breaker == "half_open")
            assert 1.0 <= rig.elapsed - at <= 1.2 + 0.1

    run(main())


def test_a_request_without_a_key_is_not_broken_off() -> None:
    """Where order does not matter its answer may still come, and settles what is ours."""

    async def main() -> None:
        gone = Lease("clicks", 7, 1)
        rig = Rig(lambda ids: OK, latency_s=5.0)
        rig.sender.submit([item("theirs", lease=gone), item("ours")])
        rig.sender.flush()
        await asyncio.sleep(1.0)
        gone.live = False
        rig.sender.fenced()
        await rig.until_settled(1, within_s=5)
        assert len(rig.wire.sent) == 1

    run(main())


def test_closing_ends_a_request_that_is_being_broken_off() -> None:
    """A stop in the same moment as a fence leaves no task behind."""

    async def main() -> None:
        gone = Lease("orders", 7, 1)
        rig = Rig(lambda ids: OK, latency_s=5.0, limits=ONE, keyed=True)
        rig.sender.submit([item("theirs", key="a", lease=gone), item("ours", key="b")])
        await asyncio.sleep(1.0)
        gone.live = False
        rig.sender.fenced()
        await rig.sender.close()
        assert rig.wire.in_flight == 0
        assert len(rig.wire.sent) == 2

    run(main())
