"""What operators, probes and the watchdog are told, with every part behind it but sockets and brokers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from connector.delivery.flood import FloodGuard
from connector.kafka.budget import Budget
from connector.model.record import Lease, Record
from connector.ops.metrics import OVERFLOW, SERIES_MAX
from connector.ops.watchdog import DEAD_S, FrontierSnapshot, Watchdog
from connector.ops.words import Key
from connector.status import Status
from connector.vendors.contract import Response
from tests.delivery import virtual_time
from tests.delivery.acme import LIMITS, Answer
from tests.pipeline.rig import NOW_MS, TOPIC, Rig, framed, in_json, ok
from tests.pipeline.waiting import soon

Facts = Any
"""JSON, as scripts see it."""

ROOT = Path(__file__).parents[1]

FACTS = {"state", "halt_reason", "breaker", "topics", "partitions", "concurrency_limit"}
TOPIC_FACTS = {"consumed", "delivered", "skipped", "dead_lettered", "released", "in_flight"}
PARTITION_FACTS = {"topic", "partition", "committed", "frontier", "end", "lag", "paused", "halted"}
"""What scripts, dashboards and the page rely on."""

SESSION_TIMEOUT_S = 45.0
"""Of the group's members."""

Story = Callable[[Rig, Status], Coroutine[None, None, None]]


def tell(story: Story, answer: Answer = ok, **wishes: Any) -> None:
    """Live through a story in virtual time."""

    async def live() -> None:
        async with Rig(answer, **wishes) as rig:
            status = Status(
                assignment=rig.assignment,
                sender=rig.sender,
                pipeline=rig.pipeline,
                telemetry=rig.telemetry,
                settings={"destination": {"name": "acme"}},
                session_timeout_s=SESSION_TIMEOUT_S,
                now_ms=rig.now_ms,
            )
            await story(rig, status)

    virtual_time.run(live())


def seen(status: Status) -> Facts:
    """`/status`, through JSON and back."""
    return orjson.loads(orjson.dumps(status.status()))


def says(facts: Facts, **expected: object) -> None:
    """These of them are so."""
    assert {name: facts[name] for name in expected} == expected


def watched(status: Status, now: Callable[[], float], polled_at: float) -> Watchdog:
    """With a watchdog whose poll thread went round last at that time."""

    def ends(error: Exception) -> None:
        raise error

    status.watchdog = Watchdog(
        status._telemetry,
        frontiers=status,
        poll_heartbeat=lambda: polled_at,
        poll_ident=lambda: None,
        on_hung=ends,
        max_poll_interval_s=300,
        clock=now,
    )
    return status.watchdog


def down(ids: list[str]) -> Response:
    return Response(503)


def throttled(ids: list[str]) -> Response:
    return Response(429, {"retry-after": "30"})


def refused(ids: list[str]) -> Response:
    return Response(401)


# ── /status ──────────────────────────────────────────────────────────────────────────────────────


def test_every_fact_that_is_relied_on_is_there_and_right() -> None:
    """Two delivered, one skipped, one dead-lettered, one released, one in flight: each where it belongs."""

    async def story(rig: Rig, status: Status) -> None:
        lease, other = rig.assign(), rig.assign(1, start=40)
        values = in_json(1), in_json(2), in_json(3, do="skip"), in_json(4, do="refuse"), framed(7, 5)
        rig.poll(lease, *values)
        rig.poll(other, framed(7, 6))
        await soon(lambda: rig.partition(lease).frontier.commit_offset == 4)
        rig.pipeline.commit()
        (commit,) = rig.kafka.commits
        rig.pipeline.committed(commit, None)
        rig.pipeline.ends({lease: 9})
        rig.fence(other)
        facts = seen(status)
        assert facts.keys() >= FACTS
        assert facts["state"] == "running"
        assert facts["halt_reason"] is None
        assert facts["breaker"] == "closed"
        assert facts["concurrency_limit"] == rig.sender.snapshot().limit > 0
        (books,) = facts["topics"].values()
        assert facts["topics"].keys() == {TOPIC}
        assert books.keys() == TOPIC_FACTS
        says(books, consumed=6, delivered=2, skipped=1, dead_lettered=1, released=1, in_flight=1)
        assert facts["outcomes"] == {"skipped": {"no_entity": 1}, "dead_lettered": {"invalid_price": 1}}
        (partition,) = facts["partitions"]
        assert partition.keys() >= PARTITION_FACTS
        says(partition, topic=TOPIC, partition=0, committed=4, frontier=4, end=9, lag=5)
        says(partition, paused=False, halted=None)

    tell(story)


FREE = {"topics": "<topic>", "skipped": "<reason>", "dead_lettered": "<reason>"}
"""Maps whose keys are names or reasons."""


def places(value: Any, path: str = "", free: str = "") -> Iterator[str]:
    """Where JSON has a value, as docs/status-page.md writes it; settings have a page of their own."""
    if isinstance(value, dict) and path != "settings":
        for name, each in value.items():
            yield from places(each, f"{path}.{free or name}" if path else name, FREE.get(name, ""))
    elif isinstance(value, list):
        for each in value or [None]:
            yield from places(each, f"{path}[]")
    else:
        yield path


def test_every_field_is_on_the_page_about_it_and_no_other() -> None:
    """Whoever writes a script reads them there."""
    _, _, table = (ROOT / "docs/status-page.md").read_text().partition("\n## As JSON\n")
    rows = re.findall(r"^\| (`.+`) \| .+ \|$", table, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(told) == len({*told})

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, in_json(1), in_json(2, do="skip"), in_json(3, do="refuse"))
        await soon(lambda: rig.partition(lease).frontier.commit_offset == 3)
        rig.pipeline.halted("not_found", "404 Not Found")
        assert {*places(seen(status))} == {*told}

    tell(story)


def test_what_is_not_known_yet_is_null() -> None:
    """Neither 0 nor left out: a script must see the difference."""

    async def story(rig: Rig, status: Status) -> None:
        rig.pipeline.assigned([(Lease(TOPIC, 0, 1), None)])
        (partition,) = seen(status)["partitions"]
        says(partition, committed=None, frontier=None, end=None, lag=None, halted=None)
        assert seen(status)["told"] == "Reading and delivering.", "whether all is done nobody knows"
        assert seen(status)["topics"] == {TOPIC: dict.fromkeys(TOPIC_FACTS, 0)}
        assert seen(status)["outcomes"] == {"skipped": {}, "dead_lettered": {}}

    tell(story)


def test_lag_counts_from_the_frontier_until_something_is_committed() -> None:
    """A group that starts shows its lag from the first second."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign(start=10)
        rig.pipeline.ends({lease: 25})
        assert seen(status)["partitions"][0]["lag"] == 15

    tell(story)


def test_state_goes_from_starting_to_stopping() -> None:
    """A halt is seen while it lasts, and a stop whatever else is."""
    keys = ["old"]

    async def story(rig: Rig, status: Status) -> None:
        assert seen(status)["state"] == "starting"
        lease = rig.assign()
        assert seen(status)["state"] == "running"
        rig.poll(lease, in_json(1))
        await soon(lambda: status.state() == "halted")
        assert seen(status)["halt_reason"] == "auth"
        assert seen(status)["halt_detail"] == "key refused"
        keys.clear()
        await soon(lambda: status.state() == "running")
        assert seen(status)["halt_reason"] is None
        rig.pipeline.left()
        assert seen(status)["state"] == "running"
        rig.pipeline.halted("auth", "")
        status.stopping = True
        assert seen(status)["state"] == "stopping"

    tell(story, lambda ids: refused(ids) if keys else ok(ids))


def test_a_halt_says_since_when_and_which_keys_were_refused() -> None:
    """The file of the key and when it was read, in fields and in the sentence; what is paused meanwhile
    waits for the end of the halt, not for a destination that would take more."""
    keys = ["old"]

    async def story(rig: Rig, status: Status) -> None:
        rig.telemetry.key_read(Key("/run/key", True, NOW_MS))
        lease = rig.assign()
        says(seen(status), halted_since=None, keys_refused=0)
        rig.poll(lease, *(in_json(number) for number in range(60)))
        await soon(lambda: status.state() == "halted")
        first = seen(status)
        read_at = "2026-01-01T00:00:00Z"
        says(first, key={"from": "/run/key", "read_at": read_at, "trouble": None}, keys_refused=1)
        assert f"since {first['halted_since']}. " in first["told"]
        assert "(key refused), read from /run/key at 2026-01-01T00:00:00Z." in first["told"]
        assert first["waits"] == ["One partition waits for the end of the halt."]
        rig.telemetry.key_read(Key("/run/key", True, NOW_MS + 60_000, "the file is empty"))
        assert seen(status)["key"]["trouble"] == "the file is empty"
        rig.telemetry.key_refused("no right")
        again = seen(status)
        says(again, halted_since=first["halted_since"], halt_detail="no right", keys_refused=2)
        assert "at 2026-01-01T00:01:00Z, was refused as well (no right)" in again["told"]
        keys.clear()
        await soon(lambda: status.state() == "running")
        says(seen(status), halted_since=None, halt_detail=None, keys_refused=0)

    tell(story, lambda ids: refused(ids) if keys else ok(ids))


def test_an_open_breaker_says_since_when_and_when_the_next_probe_is_due() -> None:
    """Nobody need guess how long it has lasted, whether it will go on by itself, or when."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, *(in_json(number) for number in range(60)))
        await soon(lambda: seen(status)["breaker"] == "open")
        due = seen(status)["sender"]["probe_s"]
        assert due > 0
        began = seen(status)["breaker_since"]
        assert f"is down since {began} (HTTP 503); " in seen(status)["waits_on"]
        told = f"; next probe in {max(1, round(due))} s"
        assert seen(status)["waits_on"].endswith(told)
        assert f"{told}." in seen(status)["waits"][0]
        await asyncio.sleep(due / 2)
        assert seen(status)["sender"]["probe_s"] == pytest.approx(due / 2)
        rig.telemetry.kafka_silent("timed out")
        assert "What was read waits for the destination" in seen(status)["told"], "both are away"

    tell(story, down)


def test_breaker_and_halt_are_told_by_their_words() -> None:
    """closed, open, half_open: as the metric's documentation and the alerts have them."""
    answers = {"is": down}
    words = set()

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, *(in_json(number) for number in range(60)))
        for _ in range(4000):
            words.add(seen(status)["breaker"])
            await asyncio.sleep(0.05)
        answers["is"] = ok
        await soon(lambda: seen(status)["breaker"] == "closed", 300)
        says(seen(status), breaker_since=None)

    tell(story, lambda ids: answers["is"](ids))
    assert words == {"closed", "open", "half_open"}


def test_more_topics_than_have_series_of_their_own_balance_all_the_same() -> None:
    """What does not fit is counted under one name, what is open of it too."""

    async def story(rig: Rig, status: Status) -> None:
        for number in range(SERIES_MAX):
            rig.telemetry.counts[f"topic-{number}"].consumed += 0
        lease = Lease("one-too-many", 0, 1)
        rig.pipeline.assigned([(lease, 0)])
        rig.pipeline.polled([Record(lease, 0, NOW_MS, None, framed(7, 1), ())])
        await soon(lambda: rig.partition(lease).open_count == 1)
        topics = seen(status)["topics"]
        says(topics[OVERFLOW], consumed=1, in_flight=1)
        assert "one-too-many" not in topics

    tell(story)


# ── lag and age ──────────────────────────────────────────────────────────────────────────────────


def test_a_halted_partition_with_lag_grows_old_though_nothing_was_fetched() -> None:
    """Nobody has read a timestamp there; it counts from when we know that records wait."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign(start=100)
        rig.pipeline.offset_lost(lease, "retention")
        rig.pipeline.ends({lease: 700})
        await asyncio.sleep(600)
        rig.pipeline.ends({lease: 900})
        (partition,) = seen(status)["partitions"]
        assert partition["halted"] == "offset_lost"
        assert partition["lag"] == 800
        assert partition["oldest_unsettled_s"] == pytest.approx(600)
        status.measure(1 << 20)
        values = rig.telemetry.metrics.values
        assert values("consumer_lag")[(TOPIC, 0)] == 800
        assert values("oldest_unsettled_seconds")[(TOPIC, 0)] == pytest.approx(600)
        assert values("scalable_lag")[()] == 0, "no replica would help a partition that waits for a person"

    tell(story)


def test_without_lag_nothing_is_old() -> None:
    """Idle for a day is not late by a day."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, in_json(1))
        await soon(lambda: rig.books() == {"delivered": 1})
        rig.pipeline.ends({lease: 1})
        await asyncio.sleep(86_400)
        rig.pipeline.ends({lease: 1})
        status.measure(1 << 20)
        assert seen(status)["partitions"][0]["oldest_unsettled_s"] == 0
        assert rig.telemetry.metrics.values("oldest_unsettled_seconds")[(TOPIC, 0)] == 0

    tell(story)


def test_while_kafka_is_silent_nothing_claims_to_be_done() -> None:
    """Lag stays what it was, with how long ago that was; what may wait grows old, in the metric too; the
    first sentence says what is not known. When Kafka answers, all is as it was."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, in_json(1))
        await soon(lambda: rig.books() == {"delivered": 1})
        rig.pipeline.ends({lease: 1})
        rig.telemetry.kafka_answered([])
        says(seen(status), kafka_silent_s=None, in_group=True, no_partitions=None, waits_on=None)
        assert seen(status)["told"].startswith("Everything")
        await asyncio.sleep(8)
        rig.telemetry.kafka_silent("timed out")
        await asyncio.sleep(34)
        facts = seen(status)
        says(facts, kafka_silent_s=42.0, in_group=True, waits_on="Kafka does not answer (timed out)")
        assert facts["told"].startswith("Kafka has not answered for 42 s")
        says(facts["partitions"][0], lag=0, oldest_unsettled_s=42.0)
        status.measure(1 << 20)
        assert rig.telemetry.metrics.values("oldest_unsettled_seconds")[(TOPIC, 0)] == pytest.approx(42)
        rig.pipeline.left()
        status.measure(1 << 20)
        for name in ("consumer_lag", "oldest_unsettled_seconds"):
            assert not rig.telemetry.metrics.values(name), "another replica may have it, and measure it"
        rig.fence(lease)
        says(seen(status), no_partitions="Not known: Kafka has not answered for 42 s.", in_group=False)
        rig.telemetry.kafka_answered([])
        says(seen(status), no_partitions="None yet: the group is being joined.", kafka_silent_s=None)
        rig.pipeline.assigned([])
        says(seen(status), no_partitions="None: other replicas have them all.")
        assert "Everything" not in seen(status)["told"]

    tell(story)


def test_a_kafka_that_takes_commits_makes_nothing_grow_old() -> None:
    """Where all topics are asked for and that takes too long, for days, our questions meet silence, and
    records flow: their age is no alarm that Kafka will soon delete them."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, in_json(1))
        await soon(lambda: rig.books() == {"delivered": 1})
        rig.pipeline.ends({lease: 1})
        for _ in range(100):
            rig.telemetry.kafka_silent("timed out")
            await asyncio.sleep(60)
            rig.pipeline.committed({lease: 1}, None)
        await asyncio.sleep(2)
        rig.pipeline.committed({lease: 1}, "timed out")
        says(seen(status), kafka_silent_s=2.0)
        says(seen(status)["partitions"][0], oldest_unsettled_s=2.0)

    tell(story)


def test_at_the_rate_cap_no_replica_is_asked_for() -> None:
    """The cap holds what waits; between two looks at it the answer stays the same."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.pipeline.ends({lease: 1000})
        status.measure(1 << 20)
        assert rig.telemetry.metrics.values("scalable_lag")[()] == 1000
        rig.poll(lease, *(in_json(number) for number in range(200)))
        await soon(lambda: rig.sender.snapshot().state == "capped" and rig.sender.snapshot().waiting > 0)
        status.measure(1 << 20)
        assert rig.telemetry.metrics.values("scalable_lag")[()] == 0
        assert rig.telemetry.metrics.values("consumer_lag")[(TOPIC, 0)] == 1000
        assert "delivery.requests_per_second" in seen(status)["waits_on"]

    tell(story, limits=msgspec.structs.replace(LIMITS, requests_per_second=1.0))


# ── ready and alive ──────────────────────────────────────────────────────────────────────────────


def test_ready_is_in_the_group_also_without_a_partition() -> None:
    """Not before; no more once the group has put us out; again when it took us back."""

    async def story(rig: Rig, status: Status) -> None:
        assert status.ready() == (False, {"state": "starting", "in_group": False})
        joining = "joining the group: up to the session timeout (45 s), else the log says what is amiss"
        assert seen(status)["waits_on"] == joining
        assert seen(status)["waits"] == [f"J{joining[1:]}."]
        rig.pipeline.assigned([])
        assert status.ready() == (True, {"state": "running", "in_group": True})
        rig.pipeline.left()
        assert status.ready() == (False, {"state": "running", "in_group": False})
        assert seen(status)["waits_on"] == joining
        rig.assign()
        assert status.ready()[0]

    tell(story)


@pytest.mark.parametrize("answer", [down, throttled, refused], ids=["breaker", "gate", "halt"])
def test_whatever_the_vendor_does_we_stay_ready_and_alive(answer: Answer) -> None:
    """A restart would not help, and a rollout must not stand still because of a vendor."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, *(in_json(number) for number in range(60)))
        for _ in range(600):
            await asyncio.sleep(0.5)
            assert status.ready()[0]
            assert status.alive()[0]
        assert rig.books() == {"in_flight": 60}

    tell(story, answer)


def test_who_stops_is_not_ready_and_alive() -> None:
    """It finishes its work, and shall not be killed for it."""

    async def story(rig: Rig, status: Status) -> None:
        rig.assign()
        status.stopping = True
        assert status.ready() == (False, {"state": "stopping", "in_group": True})
        assert status.alive()[0]

    tell(story)


def test_a_poll_thread_that_hangs_is_not_in_the_group() -> None:
    """Kafka has given its partitions to others, and told nobody here."""

    async def story(rig: Rig, status: Status) -> None:
        rig.assign()
        watched(status, lambda: 1000.0, polled_at=701.0)
        assert status.ready()[0]
        watched(status, lambda: 1000.0, polled_at=699.0)
        assert status.ready() == (False, {"state": "running", "in_group": False})
        assert status.alive()[0]

    tell(story)


def test_a_dead_loop_is_neither_ready_nor_alive() -> None:
    """Both probes say so, should one still be answered."""

    async def story(rig: Rig, status: Status) -> None:
        rig.assign()
        now = [1000.0]
        watched(status, lambda: now[0], polled_at=1000.0)
        now[0] += DEAD_S + 1
        assert not status.ready()[0]
        assert not status.alive()[0]

    tell(story)


# ── what is waited for, and what is a stall ──────────────────────────────────────────────────────


def frontiers(status: Status) -> list[FrontierSnapshot]:
    return [*status.frontiers()]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (down, "the destination is down"),
        (throttled, "the destination asked for a pause of"),
        (refused, "halted: auth"),
    ],
    ids=["breaker", "gate", "halt"],
)
def test_what_holds_everything_was_told_and_is_no_stall(answer: Answer, words: str) -> None:
    """`waits_on` says it, and the watchdog need not look for another cause."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, *(in_json(number) for number in range(60)))
        await soon(lambda: words in str(seen(status)["waits_on"]))
        (snapshot,) = frontiers(status)
        assert snapshot.explained
        assert words in snapshot.waits_on
        assert (snapshot.topic, snapshot.partition, snapshot.frontier) == (TOPIC, 0, 0)
        assert snapshot.open_count == 60

    tell(story, answer)


def test_a_batch_that_is_sent_again_and_again_while_others_pass_may_be_a_stall() -> None:
    """Nothing holds the destination as a whole; the words name the failure."""

    def one_fails(ids: list[str]) -> Response:
        return down(ids) if "stuck" in ids[0] or ids[0].endswith("0001/0") else ok(ids)

    async def story(rig: Rig, status: Status) -> None:
        rig.wire.last_failure = "connection: hours ago"
        lease, other = rig.assign(), rig.assign(1)
        for number in range(100, 130):
            rig.poll(other, in_json(number))
            await asyncio.sleep(0.1)
        rig.poll(lease, in_json(1))
        await soon(lambda: rig.sender.snapshot().retrying == 1)
        stuck, moving = frontiers(status)
        assert not stuck.explained
        assert stuck.open_count == 1
        assert stuck.waits_on == "one batch waits to be sent again (HTTP 503)"
        assert moving.open_count == 0

    tell(story, one_fails, linger_s=0.01)


def test_a_partition_that_waits_for_a_schema_is_explained_and_its_neighbour_is_not() -> None:
    """The registry's silence is told by itself."""

    async def story(rig: Rig, status: Status) -> None:
        lease, other = rig.assign(), rig.assign(1)
        rig.poll(lease, framed(7, 1))
        rig.topic.acknowledges = False
        rig.poll(other, in_json(2, do="refuse"))
        await soon(lambda: len(rig.topic.waiting) == 1)
        rig.poll(lease, in_json(3))  # in the intake, as with a busy sender there always is something
        schema, letter = frontiers(status)
        assert (schema.explained, schema.waits_on) == (True, "a schema")
        assert (letter.explained, letter.waits_on) == (False, "a dead letter")
        rig.telemetry.dead_letter_written(ok=False, error="no such topic")
        assert frontiers(status)[1].explained, "its topic's trouble is told by itself"
        rig.telemetry.dead_letter_written(ok=True)
        assert not frontiers(status)[1].explained
        rig.telemetry.kafka_silent("refused")
        assert frontiers(status)[1].explained
        rig.topic.acknowledge()
        assert not frontiers(status)[1].explained

    tell(story)


def test_one_trouble_hides_no_other() -> None:
    """A missing topic stands beside a halt and a vendor that is down; what follows from another does not, and
    `waits_on` is the first."""
    answers = {"are": down}

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, *(in_json(number) for number in range(60)))
        await soon(lambda: "is down" in str(seen(status)["waits_on"]))
        rig.telemetry.kafka_answered(["letters"])
        rig.telemetry.dead_letter_written(False, "letters: unknown topic")
        missing = "Kafka does not have the topic letters: create what is missing, or let us see it."
        assert seen(status)["waits_on"] == missing[:-1]
        first, second, *_ = seen(status)["waits"]
        assert (first, "is down" in second) == (missing, True)
        answers["are"] = refused
        await soon(lambda: status.state() == "halted", 300)
        says(seen(status), waits_on="halted: auth")
        assert seen(status)["waits"][0] == missing
        assert "is down" not in " ".join(seen(status)["waits"])
        rig.telemetry.kafka_silent("refused")
        assert seen(status)["waits"][0] == "Kafka does not answer (refused)."
        assert missing not in seen(status)["waits"]

    tell(story, lambda ids: answers["are"](ids))


def test_a_registry_that_gives_no_schema_is_told_while_a_partition_waits_for_one() -> None:
    """Or the page would be green while nothing is delivered. Beside another cause it is told as well."""

    async def story(rig: Rig, status: Status) -> None:
        lease, other = rig.assign(), rig.assign(1)
        rig.poll(lease, framed(7, 1))
        told = "the schema registry gives no schema (down): one partition waits for it"
        await soon(lambda: bool(seen(status)["waits"]))
        says(seen(status), waits_on=told, waits=[f"T{told[1:]}."])
        assert "waited for" in seen(status)["told"]
        rig.poll(other, *(in_json(number) for number in range(60)))
        await soon(lambda: "is down" in str(seen(status)["waits_on"]))
        assert seen(status)["waits"][1] == f"T{told[1:]}."
        rig.telemetry.schema_fetched("ok", 8)
        assert told not in " ".join(seen(status)["waits"]).lower()

    tell(story, down)


def test_a_partition_whose_records_are_under_way_before_a_schema_does_not_wait_for_it() -> None:
    """What is open first is at the vendor; a stall there would have to be told."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, in_json(1), framed(7, 2))
        await soon(lambda: rig.wire.in_flight == 1)
        (snapshot,) = frontiers(status)
        assert not snapshot.explained
        await soon(lambda: rig.books() == {"delivered": 1, "in_flight": 1})
        assert frontiers(status)[0].explained

    tell(story, latency_s=5)


def test_a_partition_whose_first_record_is_under_way_does_not_wait_for_a_dead_letter_behind_it() -> None:
    """The same with a letter that Kafka does not take: it explains only what it holds."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.topic.acknowledges = False
        rig.telemetry.dead_letter_written(ok=False, error="no such topic")
        rig.poll(lease, in_json(1), b"no event")
        await soon(lambda: rig.wire.in_flight == 1 and len(rig.topic.waiting) == 1)
        (snapshot,) = frontiers(status)
        assert not snapshot.explained
        assert snapshot.waits_on != "a dead letter"
        await soon(lambda: rig.books() == {"delivered": 1, "in_flight": 1})
        assert frontiers(status)[0].waits_on == "a dead letter"
        assert frontiers(status)[0].explained

    tell(story, latency_s=5)


def test_a_partition_that_a_person_or_a_rebalance_holds_is_explained() -> None:
    """Both were told when they began. A partition that is not begun has no frontier to stand still."""

    async def story(rig: Rig, status: Status) -> None:
        halted, leaving, there = rig.assign(), rig.assign(1), rig.assign(2)
        rig.pipeline.assigned([(Lease(TOPIC, 3, 99), None)])
        for lease in (halted, leaving, there):
            rig.poll(lease, in_json(1))
        await soon(lambda: rig.wire.in_flight > 0)
        rig.pipeline.offset_lost(halted, "retention")
        rig.revoke(leaving)
        assert [each.explained for each in frontiers(status)] == [True, True, False]

    tell(story, latency_s=1000)


def test_what_does_not_end_by_itself_needs_a_person() -> None:
    """A missing topic, a dead letter that Kafka refuses, a lost offset; not while Kafka is silent, as it
    may be why. A vendor that is down does end by itself."""

    async def story(rig: Rig, status: Status) -> None:
        telemetry, lease = rig.telemetry, rig.assign()
        rig.poll(lease, *(in_json(number) for number in range(60)))
        await soon(lambda: "is down" in str(seen(status)["waits_on"]))
        says(seen(status), needs_person=False)
        assert "by itself" in seen(status)["told"]
        telemetry.kafka_answered(["letters"])
        says(
            seen(status),
            needs_person=True,
            waits_on="Kafka does not have the topic letters: create what is missing, or let us see it",
        )
        assert "A person is needed" in seen(status)["told"]
        telemetry.kafka_answered([])
        says(seen(status), needs_person=False)
        telemetry.dead_letter_written(False, "not allowed")
        says(seen(status), needs_person=True)
        telemetry.kafka_silent("all brokers are down")
        says(seen(status), needs_person=False)
        telemetry.dead_letter_written(True)
        telemetry.kafka_answered([])
        says(seen(status), needs_person=False)
        rig.pipeline.offset_lost(lease, "Kafka no longer has offset 7; it has 9 up to 12")
        says(seen(status), needs_person=True, state="running")
        (told,) = (each for each in seen(status)["waits"] if "stands still" in each)
        assert told.startswith(
            f"{TOPIC}:0 stands still (Kafka no longer has offset 7; it has 9 up to 12). Decide"
        )
        rig.fence(lease)
        says(seen(status), needs_person=False)
        assert not rig.telemetry.halted_details

    tell(story, down)


def test_a_pause_explains_nothing() -> None:
    """It stops what comes, not what is held: full and standing still is what a stall looks like."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, *(in_json(number) for number in range(50)))
        await soon(lambda: seen(status)["partitions"][0]["paused"])
        (snapshot,) = frontiers(status)
        assert not snapshot.explained
        status.measure(2000)
        assert "One partition waits until the destination takes more." in seen(status)["waits"][-1]

    tell(story, latency_s=1000, budget=Budget(2000, 0.5, 50_000))


def test_a_flood_is_told_with_what_stands() -> None:
    """Of all halts the one that only a restart ends."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, *(in_json(number, do="refuse") for number in range(80)))
        await soon(lambda: status.state() == "halted")
        facts = seen(status)
        assert facts["halt_reason"] == "dead_letter_flood"
        assert facts["waits_on"] == "halted: dead_letter_flood"
        assert facts["topics"][TOPIC]["in_flight"] == 80 - facts["topics"][TOPIC]["dead_lettered"] > 0
        assert frontiers(status)[0].explained

    tell(story, flood=FloodGuard(0.5, 200))


def test_kafka_comes_before_the_vendor_in_what_is_waited_for() -> None:
    """One cause at a time, the one that must be mended first."""

    async def story(rig: Rig, status: Status) -> None:
        lease = rig.assign()
        rig.poll(lease, *(in_json(number) for number in range(60)))
        await soon(lambda: "is down" in str(seen(status)["waits_on"]))
        rig.telemetry.dead_letter_written(ok=False, error="no such topic")
        assert "dead letters cannot be written (no such topic)" in seen(status)["waits_on"]
        rig.telemetry.kafka_answered(["orders"])
        assert "orders" in seen(status)["waits_on"]
        rig.telemetry.kafka_silent("refused")
        assert seen(status)["waits_on"] == "Kafka does not answer (refused)"

    tell(story, down)
