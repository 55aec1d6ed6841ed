"""The sender in fair weather and with answers that concern single batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.delivery.sender import TICK_S
from connector.model.item import Item
from connector.model.record import Lease
from connector.model.verdict import Split, Verdict
from connector.vendors.contract import Response, RetryPolicy
from tests.delivery.acme import LIMITS, Acme, item
from tests.delivery.rig import Rig
from tests.delivery.virtual_time import run
from tests.examples import examples

OK = Response(200)


def items(count: int, prefix: str = "i") -> list[Item]:
    return [item(f"{prefix}{n}") for n in range(count)]


def test_a_lone_item_leaves_after_the_linger_and_not_later() -> None:
    """On an idle system an item waits for company as long as the operator said, and no longer."""

    async def main() -> None:
        rig = Rig(lambda ids: OK, linger_s=0.05)
        rig.sender.submit(items(1))
        await rig.until_settled(1)
        assert rig.sent_with("i0") == [pytest.approx(0.05, abs=2 * TICK_S)]

    run(main())


def test_a_full_batch_leaves_at_once_and_keeps_its_order() -> None:
    """Nobody lingers in a full batch; what is over waits for the next."""

    async def main() -> None:
        rig = Rig(lambda ids: OK, linger_s=5.0)
        rig.sender.submit(items(12))
        await rig.until_settled(10)
        assert rig.sent_with("i9") == [0.0]
        rig.sender.flush()
        await rig.until_settled(12)
        assert rig.elapsed < 1.0
        assert rig.outcomes.delivered_ids == [f"i{n}" for n in range(12)]

    run(main())


def test_never_more_requests_in_flight_than_allowed() -> None:
    """The ceiling holds however much is submitted, and it is reached."""

    async def main() -> None:
        rig = Rig(lambda ids: OK, max_in_flight=6)
        for at in range(0, 1000, 10):
            rig.sender.submit(items(10, f"{at}-"))
        await rig.until_settled(1000)
        assert rig.wire.most_in_flight == 6
        assert rig.told.in_flight == 0

    run(main())


def test_a_failed_batch_is_sent_again_with_the_same_bytes() -> None:
    """A retry repeats the request, after a wait, until it is taken."""

    async def main() -> None:
        answers = [Response(503), Response(None, silence="timeout"), Response(None, silence="connection"), OK]
        rig = Rig(lambda ids: answers.pop(0))
        rig.sender.submit(items(3))
        await rig.until_settled(3)
        assert [ids for _, ids in rig.wire.sent] == [["i0", "i1", "i2"]] * 4
        assert rig.outcomes.rejections == {}
        assert rig.told.retries == {"server_error": 1, "timeout": 1, "connection": 1}

    run(main())


def test_waits_between_attempts_follow_the_policy() -> None:
    """Upward jitter: the first retry no earlier than 5 s, then 10, 20 and so on, at most a fifth more."""

    async def main() -> None:
        limits = msgspec.structs.replace(LIMITS, retry=RetryPolicy(first_s=5.0, cap_s=20.0, jitter="upward"))
        answers = [Response(503)] * 4 + [OK]
        rig = Rig(lambda ids: answers.pop(0), limits=limits, latency_s=0.0)
        rig.sender.submit(items(1))
        await rig.until_settled(1)
        times = rig.sent_with("i0")
        waits = [later - earlier for earlier, later in pairwise(times)]
        for wait, least in zip(waits, [5.0, 10.0, 20.0, 20.0], strict=True):
            assert least <= wait <= 1.2 * least + 2 * TICK_S

    run(main())


def test_a_wait_that_the_vendor_states_for_one_batch_holds_no_other() -> None:
    """Only throttling concerns everybody."""

    async def main() -> None:
        answers = {"a": [Response(425, {"retry-after": "5"}), OK], "b": [OK]}
        rig = Rig(lambda ids: answers[ids[0]].pop(0))
        rig.sender.submit([item("a")])
        await asyncio.sleep(1)
        rig.sender.submit([item("b")])
        await rig.until_settled(2)
        assert rig.sent_with("b")[0] < 1.1
        assert 5.0 <= rig.sent_with("a")[1] - rig.sent_with("a")[0] <= 6.2

    run(main())


def test_of_a_half_accepted_batch_each_item_gets_its_own_outcome() -> None:
    """Partial: refused items are rejected with the vendor's words, some go again, the rest is delivered."""

    async def main() -> None:
        answers = [Response(207, body=b'{"rejected": {"2": "no such shop"}, "retry": [8, 1]}'), OK]
        rig = Rig(lambda ids: answers.pop(0))
        rig.sender.submit(items(10))
        await rig.until_settled(10)
        assert rig.wire.sent[1][1] == ["i1", "i8"]
        assert rig.outcomes.delivered_ids == ["i0", "i3", "i4", "i5", "i6", "i7", "i9", "i1", "i8"]
        rejection = rig.outcomes.rejections["i2"]
        assert (rejection.reason, rejection.detail, rejection.status) == (
            "vendor_rejected",
            "no such shop",
            207,
        )
        assert rejection.body.startswith(b'{"rejected"')

    run(main())


@pytest.mark.parametrize("bad", [{"i0"}, {"i9"}, {"i3", "i4"}, {f"i{n}" for n in range(10)}])
def test_a_refused_batch_is_halved_until_the_bad_items_stand_alone(bad: set[str]) -> None:
    """One bad item fails all; it becomes a dead letter with the vendor's words, and nobody else does."""

    async def main() -> None:
        rig = Rig(lambda ids: Response(400, body=b"bad: " + b"x" * 5000) if bad & set(ids) else OK)
        rig.sender.submit(items(10))
        await rig.until_settled(10)
        assert set(rig.outcomes.rejections) == bad
        assert set(rig.outcomes.delivered_ids) == {f"i{n}" for n in range(10)} - bad
        for item_id, rejection in rig.outcomes.rejections.items():
            assert rejection.reason == "vendor_rejected"
            assert rejection.status == 400
            assert rejection.item_id == item_id
            assert rejection.attempts == len(rig.sent_with(item_id))
            assert len(rejection.body) == 1024

    run(main())


def test_at_most_eight_refused_batches_are_halved_at_once() -> None:
    """The ninth waits, whole, until one of the eight has found its bad items; then it ends too."""

    async def main() -> None:
        def answer(ids: list[str]) -> Response:
            return Response(425) if stuck and len(ids) < 10 else Response(400)

        stuck = True
        rig = Rig(answer, max_in_flight=64)
        for at in range(12):
            rig.sender.submit(items(10, f"b{at}-"))
        await asyncio.sleep(60)
        halved = {ids[0].split("-")[0] for _, ids in rig.wire.sent if len(ids) < 10}
        assert len(halved) == 8
        stuck = False
        await rig.until_settled(120)
        assert len(rig.outcomes.rejections) == 120

    run(main())


def test_halves_that_share_a_key_go_one_after_the_other() -> None:
    """The second half is not sent before every item of the first has its outcome."""

    async def main() -> None:
        rig = Rig(lambda ids: Response(400) if len(ids) > 1 else OK)
        rig.sender.submit([item(f"i{n}", key="order-1") for n in range(8)])
        rig.sender.flush()
        await rig.until_settled(8)
        assert rig.wire.most_in_flight == 1
        assert rig.outcomes.delivered_ids == [f"i{n}" for n in range(8)]

    run(main())


def test_retries_and_halves_go_before_fresh_batches() -> None:
    """What is old holds the commit point, so it goes first."""

    async def main() -> None:
        answers = [Response(400)]
        rig = Rig(lambda ids: answers.pop(0) if answers else OK, max_in_flight=1)
        for name in "abc":
            rig.sender.submit(items(10, name))
        await rig.until_settled(30)
        assert [ids[0] for _, ids in rig.wire.sent] == ["a0", "a0", "a5", "b0", "c0"]

    run(main())


@pytest.mark.parametrize("answer", [OK, Response(409), Response(503), Response(401)])
def test_a_late_answer_for_a_fenced_partition_is_not_reported(answer: Response) -> None:
    """Whoever owns the partition now reads the record again and reports it."""

    async def main() -> None:
        late = Lease("clicks", 2, 1)
        rig = Rig(lambda ids: answer)
        rig.sender.submit([item("late", lease=late)])
        await asyncio.sleep(0.07)
        assert rig.wire.in_flight == 1
        late.live = False
        await asyncio.sleep(100)
        assert rig.settled == 0
        assert len(rig.wire.sent) == 1
        assert rig.sender.snapshot().retrying == 0

    run(main())


def test_items_of_a_fenced_partition_are_not_sent() -> None:
    """They are dropped before the attempt; the others of their batch go on."""

    async def main() -> None:
        kept, lost = Lease("clicks", 0, 1), Lease("clicks", 1, 1)
        rig = Rig(lambda ids: OK, linger_s=0.05)
        mixed = [item("kept", lease=kept), item("lost", lease=lost)]
        rig.sender.submit(mixed)
        lost.live = False
        await rig.until_settled(1)
        await asyncio.sleep(10)
        assert [ids for _, ids in rig.wire.sent] == [["kept"]]
        assert rig.outcomes.delivered_ids == ["kept"]

    run(main())


def test_a_batch_of_fenced_items_ends_without_a_request_and_frees_its_follower() -> None:
    """A partition that is taken away in the middle of a split leaves nothing behind."""

    async def main() -> None:
        lease = Lease("clicks", 0, 1)
        rig = Rig(lambda ids: Response(400), max_in_flight=1)
        rig.sender.submit([item(f"i{n}", key="k", lease=lease) for n in range(10)])
        await asyncio.sleep(0.12)
        lease.live = False
        await asyncio.sleep(60)
        status = rig.sender.snapshot()
        assert (status.in_flight, status.waiting, status.retrying) == (0, 0, 0)
        assert rig.settled == 0

    run(main())


def test_room_is_given_while_few_batches_wait_and_taken_when_many_do() -> None:
    """Backpressure: whoever submits is held while the vendor is slower, and let go when batches leave."""

    async def main() -> None:
        rig = Rig(lambda ids: OK, max_in_flight=4, latency_s=1.0)
        submitted = 0
        while rig.sender.has_room:
            rig.sender.submit(items(10, f"{submitted}-"))
            submitted += 10
        assert submitted <= 10 * (4 + 8)
        await asyncio.wait_for(rig.sender.room(), 1.5)
        await rig.until_settled(submitted)

    run(main())


def test_requests_per_second_are_capped() -> None:
    """An operator's cap holds over any second, give or take the burst of 50 ms."""

    async def main() -> None:
        limits = msgspec.structs.replace(LIMITS, items_max=1, requests_per_second=100.0)
        rig = Rig(lambda ids: OK, limits=limits, max_in_flight=64, latency_s=0.01)
        rig.sender.submit(items(500))
        await rig.until_settled(500)
        times = [at for at, _ in rig.wire.sent]
        most = max(sum(1 for at in times if start <= at < start + 1) for start in times)
        assert most <= 106
        assert rig.elapsed < 5.5

    run(main())


def test_one_item_a_request_never_lingers() -> None:
    """Where a request holds one item, waiting for company is pointless."""

    async def main() -> None:
        limits = msgspec.structs.replace(LIMITS, items_max=1)
        rig = Rig(lambda ids: OK, limits=limits, linger_s=5.0)
        rig.sender.submit(items(3))
        await rig.until_settled(3)
        assert rig.elapsed < 0.1

    run(main())


def test_a_bug_in_a_vendors_code_ends_the_sender_loudly() -> None:
    """An exception is a bug: `run` raises it, and nothing is sent any more."""

    class Broken(Acme):
        def judge(self, items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
            raise KeyError("errCode")

    async def main() -> None:
        rig = Rig(lambda ids: OK, destination=Broken())
        running = asyncio.create_task(rig.sender.run())
        rig.sender.submit(items(1))
        with pytest.raises(KeyError):
            await running
        rig.sender.submit(items(30))
        await asyncio.sleep(10)
        assert len(rig.wire.sent) == 1

    run(main())


def test_a_vendor_that_splits_a_single_item_cannot_make_it_endless() -> None:
    """A split always ends, whatever a vendor's code says."""

    class Stubborn(Acme):
        def judge(self, items: Sequence[Item], response: Response, now_ms: int) -> Verdict:
            return Split()

    async def main() -> None:
        rig = Rig(lambda ids: OK, destination=Stubborn())
        rig.sender.submit(items(10))
        await rig.until_settled(10)
        assert len(rig.outcomes.rejections) == 10

    run(main())


def test_closing_gives_up_what_is_in_flight_and_reports_nothing() -> None:
    """Stop is bounded; what is unsettled stays unsettled."""

    async def main() -> None:
        rig = Rig(lambda ids: OK, latency_s=1000.0)
        running = asyncio.create_task(rig.sender.run())
        for at in range(20):
            rig.sender.submit(items(10, f"{at}-"))
        await asyncio.sleep(1)
        await rig.sender.close()
        assert rig.elapsed < 7
        assert rig.wire.closed
        assert rig.wire.in_flight == 0
        assert rig.settled == 0
        running.cancel()

    run(main())


Fate = st.sampled_from([200, 200, 200, 207, 400, 409, 425, 429, 500, 503, None])


@settings(max_examples=examples(60), deadline=None)
@given(
    fates=st.lists(Fate, min_size=1, max_size=60),
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=12),
    keys=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_whatever_the_vendor_answers_every_item_gets_exactly_one_outcome(
    fates: list[int | None], sizes: list[int], keys: int, seed: int
) -> None:
    """Conservation, through every mix of verdicts: nothing lost, nothing twice, nothing left behind."""

    async def main() -> None:
        script = iter(fates)

        def answer(ids: list[str]) -> Response:
            status = next(script, 200)
            if status is None:
                return Response(None, silence="connection")
            if status == 207:
                half = {"rejected": {0: "no"}, "retry": list(range(1, len(ids), 2))}
                return Response(207, body=msgspec.json.encode(half))
            return Response(status)

        rig = Rig(answer, seed=seed)
        total = 0
        for at, size in enumerate(sizes):
            rig.sender.submit([item(f"{at}-{n}", key=f"k{n % keys}") for n in range(size)])
            total += size
            await asyncio.sleep(0.02)
        await rig.until_settled(total, within_s=100_000)
        await asyncio.sleep(120)
        status = rig.sender.snapshot()
        assert (status.in_flight, status.waiting, status.retrying) == (0, 0, 0)
        assert rig.settled == total
        assert set(rig.outcomes.delivered_ids).isdisjoint(rig.outcomes.rejections)

    run(main())
