"""The sender when the vendor is down, throttles, refuses our key, or chokes on one event."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest

from connector.model.item import Item
from connector.model.record import Lease
from connector.vendors.contract import ProbePolicy, Request, Response, RetryPolicy
from tests.delivery.acme import LEASE, LIMITS, Acme, item
from tests.delivery.rig import Rig
from tests.delivery.virtual_time import run
from tests.pipeline.waiting import soon

OK = Response(200)
DOWN = Response(503)


def items(count: int, prefix: str = "i") -> list[Item]:
    return [item(f"{prefix}{n}") for n in range(count)]


def submit_batches(rig: Rig, batches: int, prefix: str = "") -> int:
    for at in range(batches):
        rig.sender.submit(items(10, f"{prefix}{at}-"))
    return batches * 10


async def trickle(rig: Rig, every_s: float) -> None:
    """Other traffic: one batch of ten after another, for ever."""
    at = 0
    while True:
        rig.sender.submit(items(10, f"other{at}-"))
        at += 1
        await asyncio.sleep(every_s)


# ── outage ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("silence", [DOWN, Response(None, silence="timeout")])
def test_an_outage_of_hours_costs_no_event_and_ends_alone(silence: Response) -> None:
    """While the vendor is down everything waits; when it is back all is delivered, nothing rejected."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        up_at = loop.time() + 6 * 3600
        rig = Rig(lambda ids: OK if loop.time() > up_at else silence)
        total = submit_batches(rig, 30)
        await asyncio.sleep(6 * 3600)
        assert rig.settled == 0
        assert rig.sender.nothing_can_leave(loop.time() + 1e6)
        assert rig.sender.snapshot().state == "breaker_open"
        assert len(rig.wire.sent) < 500  # the vendor is left in peace: about one probe a minute
        await rig.until_settled(total, within_s=600)
        assert rig.outcomes.rejections == {}
        assert rig.told.breaker[-1] == "closed"
        assert not rig.sender.nothing_can_leave(loop.time())

    run(main())


def test_what_failed_last_is_told_also_where_the_vendor_did_answer() -> None:
    """A silence that is long over must not be taken for the reason of today's outage."""

    async def main() -> None:
        rig = Rig(lambda ids: DOWN)
        rig.wire.last_failure = "connection: reset, hours ago"
        assert rig.sender.snapshot().last_failure == ""
        submit_batches(rig, 30)
        await soon(lambda: rig.told.breaker[-1:] == ["open"])
        assert rig.sender.snapshot().last_failure == "HTTP 503"
        assert rig.told.breaker_words == ["HTTP 503"]
        assert rig.told.probes_s == [rig.sender.snapshot().probe_s]
        rig.wire.answer = lambda ids: Response(None, silence="timeout")
        rig.wire.last_failure = "timeout: no answer in time"
        await soon(lambda: rig.told.breaker_words[-1].startswith("timeout"), within_s=600)
        assert rig.sender.snapshot().last_failure == "timeout: no answer in time"
        rig.wire.answer = lambda ids: DOWN
        await soon(lambda: rig.told.breaker_words[-1] == "HTTP 503", within_s=1200)

    run(main())


def test_an_open_breaker_probes_with_one_real_batch_at_growing_intervals() -> None:
    """One request at a time, later and later, up to the destination's cap."""

    async def main() -> None:
        limits = msgspec.structs.replace(LIMITS, probe=ProbePolicy(first_s=15.0, cap_s=300.0))
        rig = Rig(lambda ids: DOWN, limits=limits)
        submit_batches(rig, 30)
        await asyncio.sleep(3000)
        opened = len(rig.wire.sent) - rig.told.breaker.count("half_open")
        probes = [at for at, _ in rig.wire.sent[opened:]]
        assert len(probes) > 8
        gaps = [later - earlier for earlier, later in pairwise(probes)]
        expected = [30.0, 60.0, 120.0, 240.0, 300.0, 300.0, 300.0]
        for gap, least in zip(gaps, expected, strict=False):
            assert least <= gap <= 1.2 * least + 0.1

    run(main())


@pytest.mark.parametrize("batches", [2, 12])
def test_a_probe_is_never_the_batch_that_failed_last_if_another_waits(batches: int) -> None:
    """One bad batch cannot keep the breaker open for all others."""

    async def main() -> None:
        rig = Rig(lambda ids: DOWN)
        submit_batches(rig, batches)
        await asyncio.sleep(1200)
        first = next(at for at, state in enumerate(rig.told.breaker) if state == "half_open")
        assert first == 1
        opened = len(rig.wire.sent) - rig.told.breaker.count("half_open")
        probed = [ids[0] for _, ids in rig.wire.sent[opened:]]
        assert all(earlier != later for earlier, later in pairwise(probed))

    run(main())


def test_a_single_waiting_batch_is_probed_with_all_the_same() -> None:
    """On a quiet system the batch that failed last is the only one there is."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        up_at = loop.time() + 300
        rig = Rig(lambda ids: OK if loop.time() > up_at else DOWN)
        rig.sender.submit(items(1))
        await rig.until_settled(1, within_s=300 + 75)
        assert "open" in rig.told.breaker

    run(main())


def test_where_there_is_a_harmless_probe_it_must_pass_before_a_real_batch() -> None:
    """No event is risked on a vendor whose own probe fails."""

    async def main() -> None:
        healthy = False

        def answer(ids: list[str]) -> Response:
            if ids == ["probe"]:
                return OK if healthy else DOWN
            return OK if healthy else DOWN

        rig = Rig(answer, destination=Acme(probes=True))
        total = submit_batches(rig, 30)
        await asyncio.sleep(30)
        first = next(at for at, (_, ids) in enumerate(rig.wire.sent) if ids == ["probe"])
        await asyncio.sleep(600)
        assert all(ids == ["probe"] for _, ids in rig.wire.sent[first:])
        healthy = True
        await rig.until_settled(total, within_s=120)
        assert rig.outcomes.rejections == {}
        probes = sum(ids == ["probe"] for _, ids in rig.wire.sent)
        assert rig.told.probes == {("retry", "503"): probes - 1, ("delivered", "200"): 1}

    run(main())


def test_while_the_breaker_is_open_no_retry_is_said_to_come_in_seconds() -> None:
    """Its probe decides; before, and once it is closed, the wait is told."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        up_at = loop.time() + 300
        rig = Rig(lambda ids: OK if loop.time() > up_at else DOWN)
        total = submit_batches(rig, 30)
        await soon(lambda: rig.told.breaker[-1:] == ["open"])
        assert rig.told.waits_s[0] is not None
        opened = len(rig.told.waits_s)
        await asyncio.sleep(200)
        assert len(rig.told.waits_s) > opened
        assert set(rig.told.waits_s[opened:]) == {None}
        await rig.until_settled(total, within_s=600)
        rig.wire.answer = lambda ids: DOWN if ids == ["late"] and len(rig.sent_with("late")) == 1 else OK
        rig.sender.submit([item("late")])
        await rig.until_settled(total + 1)
        assert rig.told.waits_s[-1] is not None

    run(main())


def test_a_harmless_probe_is_sent_no_more_often_than_the_vendor_likes() -> None:
    """Whether an open breaker asks or a halt does, two probes are half a minute apart."""

    async def main() -> None:
        asked = 0

        def answer(ids: list[str]) -> Response:
            nonlocal asked
            if ids != ["probe"]:
                return DOWN
            asked += 1
            return Response(401) if asked % 3 == 0 else OK

        limits = msgspec.structs.replace(LIMITS, probe=ProbePolicy(first_s=1.0, cap_s=60.0, apart_s=30.0))
        rig = Rig(answer, limits=limits, destination=Acme(probes=True))
        submit_batches(rig, 30)
        await asyncio.sleep(2000)
        probes = [at for at, ids in rig.wire.sent if ids == ["probe"]]
        assert len(probes) > 20
        assert rig.outcomes.halts
        assert min(later - earlier for earlier, later in pairwise(probes)) >= 30.0

    run(main())


def test_a_probe_that_says_the_key_is_wrong_halts() -> None:
    """401 to the probe is a halt, not an outage."""

    async def main() -> None:
        rig = Rig(lambda ids: Response(401) if ids == ["probe"] else DOWN, destination=Acme(probes=True))
        submit_batches(rig, 30)
        await asyncio.sleep(60)
        assert rig.outcomes.halts == [("auth", "key refused")]
        assert rig.sender.snapshot().state == "halted"
        assert rig.told.probes == {("halt", "401"): sum(ids == ["probe"] for _, ids in rig.wire.sent)}

    run(main())


def test_after_an_outage_the_load_grows_from_one() -> None:
    """A vendor that just came back is not met by everything that waited."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        up_at = loop.time() + 60
        rig = Rig(lambda ids: OK if loop.time() > up_at else DOWN, max_in_flight=32, latency_s=1.0)
        up_at = 0.0
        total = submit_batches(rig, 200)
        await asyncio.sleep(5)
        assert rig.wire.most_in_flight == 32
        up_at = loop.time() + 60
        await asyncio.sleep(60)
        rig.wire.most_in_flight = 0
        while "closed" not in rig.told.breaker:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        await asyncio.sleep(0.9)
        assert rig.wire.most_in_flight <= 2
        await rig.until_settled(total)
        assert rig.wire.most_in_flight > 4

    run(main())


# ── throttling ───────────────────────────────────────────────────────────────────────────────────


def test_when_one_request_is_throttled_everybody_waits_as_long_as_the_vendor_says() -> None:
    """The gate is shared; with jitter upwards only."""

    async def main() -> None:
        answers = [Response(429, {"retry-after": "20"})]
        rig = Rig(lambda ids: answers.pop() if answers else OK, max_in_flight=1)
        total = submit_batches(rig, 5)
        await asyncio.sleep(10)
        loop = asyncio.get_running_loop()
        assert rig.sender.snapshot().state == "gated"
        assert rig.sender.nothing_can_leave(loop.time() + 5)
        assert not rig.sender.nothing_can_leave(loop.time() + 60)
        await rig.until_settled(total)
        (throttled_at, throttled), (next_at, following) = rig.wire.sent[:2]
        assert 20.05 <= next_at - throttled_at <= 24.1
        assert throttled != following  # others, who may be innocent, go first
        assert rig.told.breaker == []

    run(main())


@pytest.mark.parametrize("goes_well_s", [0.0, 1.0])
@pytest.mark.parametrize("more_comes", [False, True])
def test_throttling_for_hours_costs_no_event(goes_well_s: float, more_comes: bool) -> None:
    """429 to everything is not a bad event, even where single identifiers can be throttled: whether others
    were delivered before or not, and whether the topic is busy or silent meanwhile."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        since, until = loop.time() + goes_well_s, loop.time() + 4 * 3600
        limits = msgspec.structs.replace(LIMITS, items_max=1)
        rig = Rig(lambda ids: Response(429) if since <= loop.time() <= until else OK, limits=limits)
        rig.sender.submit(items(200))
        for at in range(10 if more_comes else 0):
            await asyncio.sleep(600)
            rig.sender.submit(items(10, f"{at}-"))
        await rig.until_settled(300 if more_comes else 200, within_s=5 * 3600)
        assert rig.outcomes.rejections == {}
        assert rig.told.breaker == []

    run(main())


def test_an_identifier_that_is_throttled_alone_is_given_up_after_ten_answers() -> None:
    """Moloco's exception: ten times 429 while others pass means that identifier, not our rate."""

    async def main() -> None:
        limits = msgspec.structs.replace(LIMITS, items_max=1)
        rig = Rig(lambda ids: Response(429) if ids == ["default"] else OK, limits=limits)
        others = asyncio.create_task(trickle(rig, 5.0))
        rig.sender.submit([item("default")])
        await asyncio.sleep(3600)
        others.cancel()
        assert list(rig.outcomes.rejections) == ["default"]
        assert rig.outcomes.rejections["default"].reason == "throttled_identifier"
        assert len(rig.sent_with("default")) == 10

    run(main())


def test_many_events_of_a_throttled_identifier_do_not_clear_each_other() -> None:
    """Its usual cause is one identifier set for very many events, so others are throttled all the time."""

    async def main() -> None:
        limits = msgspec.structs.replace(LIMITS, items_max=1)
        rig = Rig(lambda ids: Response(429) if ids[0].startswith("default") else OK, limits=limits)
        others = asyncio.create_task(trickle(rig, 30.0))
        rig.sender.submit(items(20, "default"))
        await asyncio.sleep(2 * 3600)
        others.cancel()
        assert sorted(rig.outcomes.rejections) == sorted(f"default{n}" for n in range(20))
        # Once they had only each other to be compared with, and that answer proves nothing.
        assert {len(rig.sent_with(f"default{n}")) for n in range(20)} <= {10, 11}

    run(main())


def test_a_throttled_identifier_costs_the_others_half_of_the_time_at_most() -> None:
    """Whoever waits for the gate beside it goes first when it opens, and is through before it shuts again."""

    async def main() -> None:
        limits = msgspec.structs.replace(LIMITS, items_max=1)
        rig = Rig(lambda ids: Response(429) if ids[0].startswith("default") else OK, limits=limits)
        for at in range(40):
            rig.sender.submit([item(f"default{at}"), *items(50, f"{at}-")])
        await rig.until_settled(2000, within_s=60)
        assert rig.outcomes.rejections == {}

    run(main())


def test_the_last_event_of_a_topic_is_given_up_too() -> None:
    """Nothing comes after it that could be delivered; it must not stay open for ever."""

    async def main() -> None:
        limits = msgspec.structs.replace(LIMITS, items_max=1)
        rig = Rig(lambda ids: Response(429) if ids == ["default"] else OK, limits=limits)
        rig.sender.submit([item("default"), *items(30)])
        await rig.until_settled(31, within_s=2 * 3600)
        assert rig.outcomes.rejections["default"].reason == "throttled_identifier"
        assert len(rig.sent_with("default")) == 10

    run(main())


# ── halt ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("probes", [False, True])
def test_a_refused_key_halts_and_a_rotated_one_resumes_alone(probes: bool) -> None:
    """Nothing is sent but a try every 30 s; no event is to blame. The secret is looked at every second, and
    another one is tried at once."""

    async def main() -> None:
        rig = Rig(
            lambda ids: OK if rig.wire.credentials == {"x-key": "new"} else Response(401),
            destination=Acme(probes=probes),
        )
        total = submit_batches(rig, 10)
        await asyncio.sleep(310)
        assert rig.outcomes.halts == [("auth", "key refused")]
        assert rig.settled == 0
        tries = [at - rig.began for at, _ in rig.wire.sent if at - rig.began > 1]
        assert len(tries) == 10
        assert rig.sender.nothing_can_leave(0.0)
        rig.key = "new"
        await rig.until_settled(total, within_s=2.5)
        assert rig.outcomes.resumes == 1
        assert rig.outcomes.rejections == {}

    run(main())


def test_a_key_that_is_rotated_in_time_halts_nothing() -> None:
    """It is used from the next request on. What was under way with the one before, and is refused for that,
    goes again with the new one."""

    async def main() -> None:
        valid = {"old", "new"}
        rig = Rig(lambda ids: OK if key_of_request.pop(0) in valid else Response(401), linger_s=0.001)
        key_of_request: list[str] = []
        send = rig.wire.send

        async def sent_with_its_key(request: Request) -> Response:
            key_of_request.append(rig.wire.credentials["x-key"])
            return await send(request)

        rig.wire.send = sent_with_its_key  # type: ignore[method-assign]
        total = submit_batches(rig, 3)
        await asyncio.sleep(0.01)
        assert rig.wire.in_flight == 3
        rig.key = "new"
        rig.sender.follow_secret()
        valid.remove("old")
        await rig.until_settled(total, within_s=1)
        assert rig.outcomes.halts == []
        valid.clear()
        submit_batches(rig, 1, "late")
        await asyncio.sleep(1)
        assert rig.outcomes.halts == [("auth", "key refused")], "that was the new one"

    run(main())


def test_a_new_key_waits_where_the_vendor_was_just_asked() -> None:
    """Two probes are as far apart as it likes, also when somebody tries one key after another."""

    async def main() -> None:
        limits = msgspec.structs.replace(LIMITS, probe=ProbePolicy(first_s=1.0, cap_s=60.0, apart_s=20.0))
        rig = Rig(lambda ids: Response(401), limits=limits, destination=Acme(probes=True))
        submit_batches(rig, 1)
        for number in range(100):
            rig.key = f"guess {number}"
            await asyncio.sleep(3)
        probes = [at for at, ids in rig.wire.sent if ids == ["probe"]]
        assert probes[0] - rig.began < 2, "nobody had asked before"
        assert 10 < len(probes) < 16
        assert min(later - earlier for earlier, later in pairwise(probes)) >= 20.0

    run(main())


@pytest.mark.parametrize("probes", [False, True])
def test_each_key_that_is_refused_in_a_halt_is_told_once(probes: bool) -> None:
    """Whoever puts another key into the file learns what became of it; a vendor that is silent said nothing
    yet, and the old key that is refused every 30 s is no news."""

    async def main() -> None:
        answers = {"old": Response(401), "second": Response(403), "third": DOWN}
        rig = Rig(lambda ids: answers[rig.wire.credentials["x-key"]], destination=Acme(probes=probes))
        submit_batches(rig, 1)
        await asyncio.sleep(100)
        assert rig.told.keys_refused == []
        rig.key = "second"
        await asyncio.sleep(100)
        assert rig.told.keys_refused == ["no right"]
        rig.key = "third"
        await asyncio.sleep(100)
        assert rig.told.keys_refused == ["no right"]
        answers["third"] = Response(401)
        await asyncio.sleep(100)
        assert rig.told.keys_refused == ["no right", "key refused"]
        assert rig.outcomes.halts == [("auth", "key refused")]

    run(main())


def test_a_halt_says_the_reason_that_holds_now() -> None:
    """The key is taken, but the address is wrong: a person who looks at the old reason looks in vain."""

    async def main() -> None:
        answers = {"old": Response(401), "new": Response(404), "newest": Response(401)}
        rig = Rig(lambda ids: answers[rig.wire.credentials["x-key"]])
        submit_batches(rig, 1)
        await asyncio.sleep(10)
        answers["old"] = Response(403)
        await asyncio.sleep(100)
        rig.key = "new"
        await asyncio.sleep(100)
        assert rig.sender.snapshot().halt_reason == "not_found"
        rig.key = "newest"
        await asyncio.sleep(100)
        assert rig.outcomes.halts == [
            ("auth", "key refused"),
            ("auth", "no right"),
            ("not_found", "where?"),
            ("auth", "key refused"),
        ]
        assert rig.told.keys_refused == []

    run(main())


def test_the_key_that_ended_one_halt_is_no_other_one_in_the_next() -> None:
    """It was taken in between, and is the one that the next halt is about."""

    async def main() -> None:
        answers = {"old": Response(401), "new": OK}
        rig = Rig(lambda ids: answers[rig.wire.credentials["x-key"]])
        total = submit_batches(rig, 1)
        await asyncio.sleep(10)
        rig.key = "new"
        await rig.until_settled(total, within_s=3)
        answers["new"] = Response(401)
        submit_batches(rig, 1, "late")
        await asyncio.sleep(100)
        assert rig.outcomes.halts == [("auth", "key refused")] * 2
        assert rig.told.keys_refused == []

    run(main())


def test_a_halt_is_not_over_because_the_vendor_is_silent() -> None:
    """Only an answer that takes or judges events ends a halt."""

    async def main() -> None:
        answers = [Response(401)]
        rig = Rig(lambda ids: answers.pop() if answers else Response(None, silence="timeout"))
        rig.sender.submit(items(1))
        await asyncio.sleep(3600)
        assert rig.outcomes.resumes == 0
        assert rig.sender.snapshot().halt_reason == "auth"

    run(main())


def test_a_halt_with_nothing_to_try_ends_with_the_next_batch_as_the_trial() -> None:
    """After a rebalance took everything that waited, a halted process must not stay halted for ever."""

    async def main() -> None:
        rig = Rig(lambda ids: OK if rig.wire.credentials == {"x-key": "new"} else Response(401))
        batch = items(1)
        rig.sender.submit(batch)
        await asyncio.sleep(1)
        assert batch[0].ticket is not None
        batch[0].ticket.record.lease.live = False
        try:
            await asyncio.sleep(40)
            assert rig.outcomes.resumes == 1
        finally:
            batch[0].ticket.record.lease.live = True
        submit_batches(rig, 5)
        await asyncio.sleep(1)
        assert len(rig.outcomes.halts) == 2
        assert len(rig.wire.sent) == 2
        rig.key = "new"
        await rig.until_settled(50, within_s=35)

    run(main())


def test_a_halt_from_outside_ends_with_the_process_only() -> None:
    """The flood guard wants a person: no probe, no rotated key, no second message."""

    async def main() -> None:
        rig = Rig(lambda ids: OK)
        rig.sender.halt("dead_letter_flood", "too many")
        rig.sender.halt("dead_letter_flood", "too many")
        submit_batches(rig, 3)
        await asyncio.sleep(3600)
        assert rig.outcomes.halts == [("dead_letter_flood", "too many")]
        assert rig.wire.sent == []
        assert rig.sender.snapshot().halt_reason == "dead_letter_flood"

    run(main())


@pytest.mark.parametrize("after_s", [0.5, 1.07], ids=["before the next try", "while it is tried"])
def test_a_flood_during_a_halt_keeps_the_halt_when_the_key_works_again(after_s: float) -> None:
    """The stricter halt wins, whichever came first."""

    async def main() -> None:
        rig = Rig(lambda ids: OK if rig.wire.credentials == {"x-key": "new"} else Response(401))
        submit_batches(rig, 1)
        rig.key = "new"
        await asyncio.sleep(after_s)
        assert rig.wire.in_flight == (after_s > 1)
        rig.sender.halt("dead_letter_flood", "too many")
        sent = len(rig.wire.sent)
        await asyncio.sleep(3600)
        assert len(rig.wire.sent) == sent
        assert [reason for reason, _ in rig.outcomes.halts] == ["auth", "dead_letter_flood"]
        assert rig.outcomes.resumes == 0

    run(main())


def test_a_flood_while_a_batch_is_chosen_for_the_trial_sends_nothing() -> None:
    """Halted by a refused key, the next try finds a batch that is proven poison, and its rejection is one too
    many: what would have been tried instead stays."""

    async def main() -> None:
        keys = {"old": True}
        luck = iter([DOWN, OK])

        def answer(ids: list[str]) -> Response:
            if "bad" in ids:
                return Response(500)
            if "unlucky" in ids:
                return next(luck)
            return OK if keys["old"] else Response(401)

        rig = Rig(
            answer,
            limits=msgspec.structs.replace(LIMITS, items_max=1, retry=RetryPolicy(2.0, 5.0, "upward")),
            max_in_flight=1,
        )
        rig.outcomes.on_rejection = lambda: rig.sender.halt("dead_letter_flood", "too many")
        rig.sender.submit([item("bad")])
        number = 0
        while (sent_at := rig.sent_with("bad"))[-1:] <= [60.1]:
            number += 1
            rig.sender.submit([item(f"good {number}")])
            await asyncio.sleep(0.2)
        # Who failed last is never the trial if another waits, so that is somebody else.
        rig.sender.submit([item("unlucky")])
        await asyncio.sleep(3.0)
        assert len(rig.sent_with("unlucky")) == 2
        assert len(rig.sent_with("bad")) == len(sent_at)
        assert len(sent_at) >= 6
        assert not rig.outcomes.rejections
        keys["old"] = False
        lease = Lease("clicks", 1, 1)
        rig.sender.submit([item("refused", lease=lease), item("waiting")])
        await asyncio.sleep(1)
        assert rig.outcomes.halts == [("auth", "key refused")]
        lease.live = False
        sent = len(rig.wire.sent)
        await asyncio.sleep(120)
        assert [reason for reason, _ in rig.outcomes.halts] == ["auth", "dead_letter_flood"]
        assert len(rig.wire.sent) == sent

    run(main())


def test_a_request_is_carried_from_the_moment_it_is_chosen() -> None:
    """A drain that asks before its task has begun waits for its answer, too."""

    async def main() -> None:
        rig = Rig(lambda ids: OK)
        rig.sender.submit(items(1))
        assert not rig.sender.carries([LEASE])
        rig.sender.flush()
        assert rig.wire.sent == []
        assert rig.sender.carries([LEASE])
        assert not rig.sender.carries([Lease("clicks", 1, 1)])
        await rig.until_settled(1)
        await asyncio.sleep(0)
        assert not rig.sender.carries([LEASE])

    run(main())


def test_the_batch_that_follows_a_probe_is_carried_while_the_vendor_is_asked() -> None:
    """It leaves as soon as the probe is answered: who drains its partition must not commit before that."""

    async def main() -> None:
        rig = Rig(lambda ids: OK if ids == ["probe"] else DOWN, destination=Acme(probes=True))
        rig.sender.submit(items(1))
        await soon(lambda: rig.sender.snapshot().breaker == "half_open")
        await soon(lambda: rig.wire.in_flight == 1)
        assert rig.wire.sent[-1][1] == ["probe"]
        assert rig.sender.carries([LEASE])

    run(main())


def test_what_was_taken_away_while_the_vendor_was_asked_is_not_sent() -> None:
    """The breaker's probe takes its time, and a rebalance does not wait for it."""

    async def main() -> None:
        rig = Rig(lambda ids: OK if ids == ["probe"] else DOWN, destination=Acme(probes=True))
        batch = items(1)
        rig.sender.submit(batch)
        await soon(lambda: rig.sender.snapshot().breaker == "half_open")
        sent = len(rig.wire.sent)
        assert batch[0].ticket is not None
        batch[0].ticket.record.lease.live = False
        try:
            await asyncio.sleep(300)
            assert all(ids == ["probe"] for _, ids in rig.wire.sent[sent:])
        finally:
            batch[0].ticket.record.lease.live = True

    run(main())


# ── poison ───────────────────────────────────────────────────────────────────────────────────────


def test_an_event_the_vendor_always_answers_with_5xx_is_found_while_others_pass() -> None:
    """Its batch is split, it is proven after a minute and six failures, and it alone is a dead letter."""

    async def main() -> None:
        rig = Rig(lambda ids: Response(500, body=b"oops") if "i7" in ids else OK)
        others = asyncio.create_task(trickle(rig, 0.5))
        rig.sender.submit(items(10))
        await asyncio.sleep(50)
        assert "i7" not in rig.outcomes.rejections
        await asyncio.sleep(500)
        others.cancel()
        assert list(rig.outcomes.rejections) == ["i7"]
        rejection = rig.outcomes.rejections["i7"]
        assert (rejection.reason, rejection.status, rejection.body) == ("vendor_rejected_5xx", 500, b"oops")
        assert {f"i{n}" for n in range(10) if n != 7} <= set(rig.outcomes.delivered_ids)

    run(main())


def test_a_lone_poison_event_waits_when_nobody_else_shows_that_the_vendor_works() -> None:
    """Without another request's success it cannot be told from an outage, so it waits."""

    async def main() -> None:
        rig = Rig(lambda ids: Response(500))
        rig.sender.submit(items(1))
        await asyncio.sleep(24 * 3600)
        assert rig.settled == 0

    run(main())


def test_an_event_whose_requests_get_no_answer_is_never_condemned() -> None:
    """Only a 5xx is the vendor's own word about the request; silence may be the network's."""

    async def main() -> None:
        rig = Rig(lambda ids: Response(None, silence="timeout") if "i7" in ids else OK)
        others = asyncio.create_task(trickle(rig, 2.0))
        rig.sender.submit(items(10))
        await asyncio.sleep(1200)
        others.cancel()
        assert rig.outcomes.rejections == {}

    run(main())


def test_a_rejection_that_halts_is_the_last_thing_that_happens() -> None:
    """The flood guard may say stop while the next batch is being chosen: that batch stays, unsent."""

    async def main() -> None:
        rig = Rig(lambda ids: Response(500) if ids == ["bad"] else OK, max_in_flight=1, latency_s=0.6)
        stopped_at: list[float] = []

        def stop() -> None:
            stopped_at.append(asyncio.get_running_loop().time())
            rig.sender.halt("dead_letter_flood", "too many")

        rig.outcomes.on_rejection = stop
        rig.sender.submit([item("bad")])
        rig.sender.flush()
        others = asyncio.create_task(trickle(rig, 0.5))
        await asyncio.sleep(600)
        others.cancel()
        assert len(stopped_at) == 1
        assert all(at < stopped_at[0] for at, _ in rig.wire.sent)

    run(main())


def test_an_outage_amid_good_traffic_condemns_nobody() -> None:
    """What failed in the outage is not proven by the success after it, however often it was tried."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()

        def answer(ids: list[str]) -> Response:
            minutes = (loop.time() - began) / 60
            return DOWN if 5 < minutes < 35 or 60 < minutes < 61 or 90 < minutes < 200 else OK

        limits = msgspec.structs.replace(LIMITS, items_max=1)
        rig = Rig(answer, limits=limits)
        for at in range(3000):
            rig.sender.submit([item(f"{at}")])
            await asyncio.sleep(5)
        await rig.until_settled(3000)
        assert rig.outcomes.rejections == {}

    run(main())
