"""Thousands of letters that Kafka does not take cost the loop little, and none holds another up for long."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from confluent_kafka import KafkaError

from connector.kafka import producer as producer_module
from connector.kafka.dead_letter import Context, DeadLetters, Letter
from connector.kafka.producer import (
    AGAIN_A_TICK,
    AGAIN_AFTER_S,
    OFFERED_A_TICK,
    TICK_S,
    UNDER_WAY_MAX,
    DeadLetterProducer,
)
from connector.model.item import Rejection, Ticket
from connector.model.record import Lease, Record
from tests.delivery import virtual_time
from tests.kafka.librdkafka import Cluster
from tests.pipeline.waiting import soon

MANY = 10_000
TIMED_OUT = KafkaError._MSG_TIMED_OUT
UNKNOWN_TOPIC = KafkaError._UNKNOWN_TOPIC
TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE
INVALID_RECORD = KafkaError.INVALID_RECORD
NO_RIGHT = KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "no right to write", True)


class Forms:
    """One letter, whose value is its number, in two forms that say so when they are built."""

    def __init__(self, number: int, built: list[int]) -> None:
        self._number = number
        self._built = built

    def __len__(self) -> int:
        return 2

    def __getitem__(self, form: int) -> Letter:
        self._built.append(self._number)
        return Letter(b"k", b"%d" % self._number, ())


class Desk:
    """A producer, what it told, and which letters are done."""

    def __init__(self) -> None:
        self.failures = 0
        self.errors: list[str | None] = []
        self.bugs: list[Exception] = []
        self.done: list[int] = []
        self.built: list[int] = []
        self.producer = DeadLetterProducer(
            {},
            topic="dead",
            client_id="test",
            buffer_bytes=1 << 20,
            telemetry=self,
            logger=logging.getLogger("test"),
        )

    def dead_letter_written(self, ok: bool, error: str | None = None) -> None:
        if not ok:
            self.failures += 1
            self.errors.append(error)

    def dead_letter_failed(self, error: Exception) -> None:
        self.bugs.append(error)

    def write(self, *numbers: int) -> None:
        for number in numbers:
            self.producer.write("dead", Forms(number, self.built), partial(self.done.append, number))


Story = Callable[[Desk], Awaitable[None]]
Tell = Callable[[Story], None]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """What every producer of this test writes to."""
    cluster = Cluster()
    monkeypatch.setattr(producer_module, "Producer", cluster.producer)
    return cluster


@pytest.fixture
def tell(cluster: Cluster) -> Tell:
    """Runs a story in virtual time, with a producer."""

    async def with_desk(story: Story) -> None:
        desk = Desk()
        await story(desk)
        desk.producer.close()

    return lambda story: virtual_time.run(with_desk(story))


@pytest.mark.parametrize("on_the_spot", [True, False])
@pytest.mark.parametrize("code", [TIMED_OUT, UNKNOWN_TOPIC, TOO_LARGE, INVALID_RECORD])
def test_thousands_that_wait_cost_little_and_are_all_written_in_the_end(
    cluster: Cluster, tell: Tell, code: int, on_the_spot: bool
) -> None:
    """Whatever the reason, and whenever it is told: a turn of the loop has bounded work, and a second too."""

    async def story(desk: Desk) -> None:
        if on_the_spot:
            cluster.on_the_spot = lambda value: code
        else:
            cluster.verdict = lambda value: code
        desk.write(*range(MANY))
        cluster.forget_work()
        await asyncio.sleep(30)
        assert max(cluster.work) <= UNDER_WAY_MAX + OFFERED_A_TICK
        cluster.forget_work()
        await asyncio.sleep(10)
        assert 5 <= sum(cluster.work) <= 10 / TICK_S * AGAIN_A_TICK * 4  # two forms, a try and a report
        assert desk.done == []
        cluster.on_the_spot = cluster.verdict = lambda value: None
        cluster.forget_work()
        await soon(lambda: len(desk.done) == MANY)
        assert max(cluster.work) <= UNDER_WAY_MAX + OFFERED_A_TICK
        assert sorted(desk.done) == list(range(MANY))
        assert len(cluster.written) == MANY

    tell(story)


@pytest.mark.parametrize("code", [TIMED_OUT, UNKNOWN_TOPIC])
def test_while_kafka_takes_none_one_tries_for_all(cluster: Cluster, tell: Tell, code: int) -> None:
    """One a second, however many wait; and every failure is told."""

    async def story(desk: Desk) -> None:
        cluster.verdict = lambda value: code
        desk.write(*range(MANY))
        await asyncio.sleep(60)
        assert UNDER_WAY_MAX + 50 <= desk.failures == len(cluster.tried) <= UNDER_WAY_MAX + 60

    tell(story)


@pytest.mark.parametrize("code", [TOO_LARGE, INVALID_RECORD])
def test_letters_that_kafka_never_takes_hold_no_other_up(cluster: Cluster, tell: Tell, code: int) -> None:
    """A thousand of them, because of what they are: the others go on as if they were not there."""

    async def story(desk: Desk) -> None:
        cluster.verdict = lambda value: code if int(value) < 1000 else None
        desk.write(*range(1000))
        for number in range(1000, 1060):
            await asyncio.sleep(AGAIN_AFTER_S / 3)
            desk.write(number)
            await asyncio.sleep(3 * TICK_S)
            assert desk.done[-1] == number
        assert desk.failures >= 1000

    tell(story)


def test_a_topic_that_takes_some_loses_none_of_the_others(cluster: Cluster, tell: Tell) -> None:
    """One of its partitions is without a leader, say: what goes elsewhere is written meanwhile."""

    async def story(desk: Desk) -> None:
        cluster.verdict = lambda value: TIMED_OUT if value.endswith(b"7") else None
        desk.write(*range(1000))
        await soon(lambda: len(desk.done) == 900)
        cluster.verdict = lambda value: None
        await soon(lambda: len(desk.done) == 1000)

    tell(story)


def test_letters_keep_their_order(cluster: Cluster, tell: Tell) -> None:
    """Those that find no room wait behind each other, and late ones behind all."""

    async def story(desk: Desk) -> None:
        cluster.answers = False
        desk.write(*range(2 * UNDER_WAY_MAX))
        await asyncio.sleep(1)
        cluster.answers = True
        await asyncio.sleep(2 * TICK_S)
        desk.write(2 * UNDER_WAY_MAX)
        await soon(lambda: len(desk.done) == 2 * UNDER_WAY_MAX + 1)
        assert desk.done == sorted(desk.done)

    tell(story)


def test_letters_are_built_when_there_is_room_for_them(cluster: Cluster, tell: Tell) -> None:
    """One that waits holds nothing beyond its record: several KiB each would be far over the budget."""

    async def story(desk: Desk) -> None:
        cluster.answers = False
        desk.write(*range(MANY))
        await asyncio.sleep(10)
        assert len(desk.built) == UNDER_WAY_MAX

    tell(story)


class Broken:
    """A letter of which some of the forms can't be built, because of a bug."""

    def __init__(self, number: int, forms_broken: int) -> None:
        self._number = number
        self.forms_broken = forms_broken
        self.built = 0

    def __len__(self) -> int:
        return 2

    def __getitem__(self, form: int) -> Letter:
        self.built += 1
        if form < self.forms_broken:
            raise ZeroDivisionError("what the event held")
        return Letter(b"k", b"%d" % self._number, ())


@pytest.mark.parametrize("first", [True, False], ids=["alone", "behind another"])
def test_a_letter_that_cannot_be_built_is_kept_and_holds_no_other_up(
    cluster: Cluster, tell: Tell, first: bool
) -> None:
    """Its record stays open, which is told; it is tried again now and then, not at every tick, and its
    caller, who carries all records, is not ended by it."""

    async def story(desk: Desk) -> None:
        letter = Broken(7, forms_broken=2)
        cluster.answers = first
        if not first:
            desk.write(*range(10, 10 + UNDER_WAY_MAX))
        desk.producer.write("dead", letter, partial(desk.done.append, 7))
        desk.write(2, 3)
        await asyncio.sleep(2 * TICK_S)
        cluster.answers = True
        await asyncio.sleep(10 * AGAIN_AFTER_S)
        assert desk.done[-2:] == [2, 3]
        assert 8 <= desk.failures <= 11
        assert letter.built == 2 * desk.failures
        assert set(desk.errors) == {"a bug: ZeroDivisionError"}
        assert len(desk.bugs) == letter.built
        letter.forms_broken = 0
        await soon(lambda: 7 in desk.done)

    tell(story)


def test_a_letter_whose_fullest_form_cannot_be_built_is_written_in_a_lesser_one(
    cluster: Cluster, tell: Tell
) -> None:
    """Somebody must look at the record, and the lesser one says where it is."""

    async def story(desk: Desk) -> None:
        desk.producer.write("dead", Broken(7, forms_broken=1), partial(desk.done.append, 7))
        await soon(lambda: desk.done == [7], within_s=1)
        assert (desk.failures, len(desk.bugs)) == (0, 1)

    tell(story)


def test_a_letter_that_the_client_chokes_on_is_kept(cluster: Cluster, tell: Tell) -> None:
    """What its Python side raises is no answer of Kafka's."""

    async def story(desk: Desk) -> None:
        cluster.chokes = True
        desk.write(1)
        await asyncio.sleep(10 * AGAIN_AFTER_S)
        assert 8 <= desk.failures <= 11
        cluster.chokes = False
        await soon(lambda: desk.done == [1])

    tell(story)


def test_a_letter_after_a_long_silence_is_written_at_once(cluster: Cluster, tell: Tell) -> None:
    """The timer ticks slowly while there is nothing to do."""

    async def story(desk: Desk) -> None:
        await asyncio.sleep(100 * AGAIN_AFTER_S + TICK_S)
        polls = len(cluster.work)
        assert polls <= 101
        desk.write(1)
        await asyncio.sleep(2 * TICK_S)
        assert desk.done == [1]

    tell(story)


def test_what_goes_wrong_is_told_while_nothing_is_written(
    cluster: Cluster, tell: Tell, caplog: pytest.LogCaptureFixture
) -> None:
    """librdkafka keeps what nobody fetches: an outage of days would come with the next letter, at once."""

    async def story(desk: Desk) -> None:
        cluster.producers[0].tell(KafkaError(KafkaError._TRANSPORT, "connection refused"))
        await asyncio.sleep(2 * AGAIN_AFTER_S)
        assert [line.message for line in caplog.records] == ["connection refused"]

    tell(story)


def test_a_producer_that_broke_is_replaced_and_its_letters_go_first(cluster: Cluster, tell: Tell) -> None:
    """Even when the next one can't be made at once: a file with certificates is just being replaced."""

    async def story(desk: Desk) -> None:
        cluster.answers = False
        desk.write(*range(2 * UNDER_WAY_MAX))
        cluster.producers[0].tell(NO_RIGHT)
        cluster.refuses_properties = True
        await asyncio.sleep(3 * AGAIN_AFTER_S)
        assert len(cluster.producers) == 1
        assert desk.failures >= 3
        cluster.refuses_properties = False
        cluster.answers = True
        await soon(lambda: len(desk.done) == 2 * UNDER_WAY_MAX)
        assert desk.done == sorted(desk.done)
        assert len(cluster.producers) == 2

    tell(story)


def test_a_bug_behind_one_letter_stops_no_other(cluster: Cluster, tell: Tell) -> None:
    """Whoever is told that it is done may fail; the loop logs it, and the timer goes on."""

    async def story(desk: Desk) -> None:
        errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))

        def fail() -> None:
            raise ZeroDivisionError

        desk.producer.write("dead", Forms(0, desk.built), fail)
        desk.write(1, 2, 3)
        await soon(lambda: len(desk.done) == 3)
        assert [type(each["exception"]) for each in errors] == [ZeroDivisionError]

    tell(story)


def test_what_a_waiting_letter_holds_is_what_its_ticket_counts(cluster: Cluster, tell: Tell) -> None:
    """So the budget bounds memory, however long nobody takes the letters."""

    async def story(desk: Desk) -> None:
        cluster.answers = False
        context = Context("promoted", "group", "5e771465", lambda text: text)
        dead_letters = DeadLetters("dead", context, desk.producer, lambda: 1_763_719_200_123)
        desk.write(*range(UNDER_WAY_MAX))
        lease = Lease("orders", 3, 1)
        counted = 0
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(2000):
                body, text = b'{"errors": %d}' % number * 50, f"{number}: no price" * 20
                rejection = Rejection("vendor_rejected", text, 422, body, f"{number}/0", 3)
                record = Record(lease, number, 0, b"k%d" % number, b"%d" % number * 50, ())
                ticket = Ticket(record, cost=record.size + rejection.size, rejections=(rejection,))
                dead_letters.write(ticket, partial(desk.done.append, number))
                counted += ticket.cost
            held = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert 0.7 * counted < held < counted

    tell(story)


def test_that_all_brokers_seem_down_is_an_alarm_and_any_other_error_is_none(
    cluster: Cluster, tell: Tell
) -> None:
    """Somebody then asks whether they are, instead of within ten seconds."""

    async def story(desk: Desk) -> None:
        desk.producer._on_error(KafkaError(KafkaError._TRANSPORT))
        assert not desk.producer.alarm.is_set()
        desk.producer._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
        assert desk.producer.alarm.is_set()
        assert not desk.failures

    tell(story)
