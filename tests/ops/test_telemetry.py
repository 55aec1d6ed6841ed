"""Happenings: their counters and their lines agree, and lines are few."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from structlog.typing import EventDict

from connector.ops.counts import TOPICS_MAX
from connector.ops.metrics import OVERFLOW
from connector.ops.repeats import REPEAT_S
from connector.ops.telemetry import FEW, Telemetry
from connector.ops.words import Halted, Key


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines() -> Iterator[list[EventDict]]:
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def telemetry(clock: Clock, lines: list[EventDict]) -> Telemetry:
    return Telemetry("topsort", clock, lambda: int(clock.now * 1000))


def value(telemetry: Telemetry, name: str, *labels: str | int) -> float:
    return telemetry.metrics.values(name)[labels]


def said(lines: list[EventDict]) -> list[str]:
    return [line["event"] for line in lines]


OUTCOMES = ("delivered", "skipped", "dead_lettered")
STEPS = st.lists(st.tuples(st.sampled_from(("orders", "clicks")), st.sampled_from((*OUTCOMES, "released"))))


def test_kafka_is_told_once_to_be_away_and_once_to_be_back(
    telemetry: Telemetry, clock: Clock, lines: list[EventDict]
) -> None:
    """With how long it was; what is missing is told when that changes."""
    for _ in range(3):
        telemetry.kafka_silent("timed out")
        clock.now += 10
    assert value(telemetry, "kafka_up") == 0
    telemetry.kafka_answered(["orders"])
    telemetry.kafka_answered(["orders"])
    telemetry.kafka_answered([])
    assert value(telemetry, "kafka_up") == 1
    assert [line["event"] for line in lines] == ["kafka_unreachable", "kafka_reachable", "topics_missing"]
    assert lines[1]["after_s"] == 30


@given(STEPS)
def test_what_is_counted_is_what_a_scrape_and_a_person_see(steps: list[tuple[str, str]]) -> None:
    """Per topic and outcome, in the metrics, in the books and in the outcomes over all topics."""
    telemetry = Telemetry("topsort")
    for topic, fate in steps:
        telemetry.counts[topic].consumed += 1
        if fate == "released":
            telemetry.counts[topic].released += 1
        else:
            telemetry.counts[topic].add(fate, REASONS[fate], 0, 0)
    for topic, counts in telemetry.topics().items():
        assert counts.consumed == value(telemetry, "records_consumed_total", topic)
        assert counts.released == value(telemetry, "records_released_total", topic)
        assert counts.released == steps.count((topic, "released"))
        for outcome in OUTCOMES:
            expected = steps.count((topic, outcome))
            shown = telemetry.metrics.values("records_settled_total")
            assert shown.get((topic, outcome, REASONS[outcome]), 0) == expected
            assert getattr(counts, outcome) == expected
    for outcome in OUTCOMES:
        seen = telemetry.outcomes().get(outcome, {}).get(REASONS[outcome], 0)
        assert seen == sum(fate == outcome for _, fate in steps)


REASONS = {"delivered": "", "skipped": "stale_event", "dead_lettered": "undecodable"}


def test_outcomes_are_counted_by_reason_over_all_topics(telemetry: Telemetry) -> None:
    """The page shows them so."""
    telemetry.counts["orders"].add("skipped", "stale_event", 1, 7)
    telemetry.counts["clicks"].add("skipped", "stale_event", 0, 8)
    telemetry.counts["clicks"].add("skipped", "no_entity", 2, 9)
    telemetry.counts["clicks"].delivered += 1
    assert telemetry.outcomes() == {"skipped": {"stale_event": 2, "no_entity": 1}, "delivered": {"": 1}}


def test_the_last_record_of_each_reason_is_named(telemetry: Telemetry) -> None:
    """So that a person can look at one."""
    telemetry.counts["orders"].add("skipped", "stale_event", 1, 7)
    telemetry.counts["orders"].add("skipped", "stale_event", 1, 8)
    telemetry.counts["orders"].add("dead_lettered", "undecodable", 0, 3)
    telemetry.counts["orders"].add("delivered", "", 0, 4)
    assert telemetry.last_records() == {
        "skipped": {"stale_event": "orders:1:8"},
        "dead_lettered": {"undecodable": "orders:0:3"},
    }


def test_a_topic_without_a_record_is_shown_with_zeros(telemetry: Telemetry) -> None:
    """A rate over its counters then has a beginning."""
    telemetry.counts.show("orders")
    assert value(telemetry, "records_consumed_total", "orders") == 0
    assert value(telemetry, "records_settled_total", "orders", "delivered", "") == 0
    assert telemetry.outcomes() == {}


def test_topics_without_number_share_their_counts(telemetry: Telemetry) -> None:
    """A pattern may match new topics every day; the sum stays right."""
    for number in range(TOPICS_MAX + 500):
        telemetry.counts[f"orders-{number}"].consumed += 1
    assert len(telemetry.counts) == TOPICS_MAX + 1
    assert telemetry.counts[OVERFLOW].consumed == 500


def test_a_delay_counts_from_kafka_s_timestamp_and_never_below_0(telemetry: Telemetry) -> None:
    """The clock of a producer may be ahead of ours; a sum that falls would look like a restart."""
    telemetry.delivery_delayed([])
    telemetry.delivery_delayed([100, 90, 95])
    telemetry.delivery_delayed([-5000, 100, 7_200_000])
    delays = telemetry.metrics.histogram("delivery_delay_seconds")
    assert dict(delays.cumulative())["0.025"] == 1
    assert dict(delays.cumulative())["0.1"] == 5
    assert dict(delays.cumulative())["+Inf"] == 6
    assert delays.total == pytest.approx(0.285 + 0.1 + 7200)


def test_nothing_that_happens_once_per_record_writes_a_line(
    telemetry: Telemetry, lines: list[EventDict]
) -> None:
    """Volume in the log never grows with traffic."""
    for _ in range(500):
        telemetry.counts["orders"].consumed += 1
        telemetry.counts["orders"].add("skipped", "stale_event", 0, 0)
        telemetry.delivery_delayed([100])
        telemetry.adjusted("line_dropped")
    telemetry.lag("orders", 0, 5)
    telemetry.oldest_unsettled("orders", 0, 1.5)
    telemetry.in_flight_bytes(10, 20)
    telemetry.requests_in_flight(3)
    telemetry.concurrency_limit(4)
    telemetry.loop_delayed(0.001)
    assert lines == []


def test_what_repeats_is_told_once_and_then_counted(
    telemetry: Telemetry, clock: Clock, lines: list[EventDict]
) -> None:
    """A vendor that is down for a day is one line every half minute, whatever the number of retries."""
    for number in range(1000):
        telemetry.retry_scheduled("server_error", number)
    telemetry.retry_scheduled("timeout", 1.0)
    telemetry.tell_repeats()
    assert said(lines) == ["retry_scheduled", "retry_scheduled"]
    clock.now += REPEAT_S
    telemetry.tell_repeats()
    assert (lines[-1]["wait_s"], lines[-1]["left_out"]) == (999, 998)
    assert len(lines) == 3
    assert value(telemetry, "retries_total", "server_error") == 1000


def test_at_the_end_what_was_left_out_is_told_at_once(telemetry: Telemetry, lines: list[EventDict]) -> None:
    """The last log of a process that was stopped in a storm says how big it was."""
    for number in range(5):
        telemetry.dead_lettered("undecodable", f"orders:0:{number}")
    telemetry.tell_repeats(at_the_end=True)
    assert (lines[-1]["record"], lines[-1]["left_out"]) == ("orders:0:4", 3)


STORMS: dict[str, Callable[[Telemetry, int], None]] = {
    "adjusted": lambda to, number: to.adjusted("line_dropped"),
    "breaker_changed": lambda to, number: to.breaker_changed(("open", "half_open", "closed")[number % 3]),
    "committed": lambda to, number: to.committed(1, "rebalance in progress"),
    "concurrency_limit": lambda to, number: to.concurrency_limit(number),
    "dead_letter_failed": lambda to, number: to.dead_letter_failed(ValueError(str(number))),
    "dead_letter_written": lambda to, number: to.dead_letter_written(False, f"timed out after {number}"),
    "dead_lettered": lambda to, number: to.dead_lettered("undecodable", f"orders:0:{number}"),
    "record_came_again": lambda to, number: to.record_came_again("orders", number % 1000, number),
    "decoder_failed": lambda to, number: to.decoder_failed(f"orders:0:{number}", ValueError(str(number))),
    "delivery_delayed": lambda to, number: to.delivery_delayed([number]),
    "drained": lambda to, number: to.drained(0.1, number),
    "gate_closed": lambda to, number: to.gate_closed(number),
    "in_flight_bytes": lambda to, number: to.in_flight_bytes(number, 10),
    "key_read": lambda to, number: to.key_read(Key("/run/key", True, 0, str(number))),
    "key_refused": lambda to, number: _refused(to, str(number)),
    "lag": lambda to, number: to.lag("orders", number % 9, number),
    "mapper_failed": lambda to, number: to.mapper_failed(str(number), ValueError(str(number))),
    "oldest_unsettled": lambda to, number: to.oldest_unsettled("orders", number % 9, number),
    "partition_halted": lambda to, number: to.partition_halted("orders", number, "offset_lost", str(number)),
    "partition_stalled": lambda to, number: to.partition_stalled("orders", number, 5, 120),
    "partition_unknown": lambda to, number: to.partition_unknown("orders", number),
    "paused": lambda to, number: to.paused(number),
    "probe_done": lambda to, number: to.probe_done("retry", "503", 0.1),
    "rate_capped": lambda to, number: to.rate_capped(1),
    "stalled": lambda to, number: to.stalled(number),
    "topic_retention": lambda to, number: to.topic_retention(f"orders-{number}", number),
    "rebalanced": lambda to, number: to.rebalanced("lost", [f"orders:{number}"]),
    "request_done": lambda to, number: to.request_done("delivered", "204", 0.1, 1, 100),
    "requests_in_flight": lambda to, number: to.requests_in_flight(number),
    "retry_scheduled": lambda to, number: to.retry_scheduled("timeout", number),
    "offset_lost_jumped": lambda to, number: to.offset_lost_jumped("orders", 1, number, number + 5),
    "topic_created_anew": lambda to, number: to.topic_created_anew("orders", 1, 0, number),
    "schema_fetched": lambda to, number: to.schema_fetched(("ok", "failed", "not_found")[number % 3], number),
}
"""Every happening that traffic, a vendor, Kafka or the group can bring about as often as it likes."""


def _refused(telemetry: Telemetry, detail: str) -> None:
    if telemetry.halt is None:
        telemetry.halt = Halted("auth", "", 0, telemetry.key, 1)
    telemetry.key_refused(detail)


SELDOM = {
    "advised",
    "halted",
    "kafka_answered",
    "kafka_silent",
    "loop_delayed",
    "poll_thread_hung",
    "resumed",
}
"""Bounded by what brings them about: the start, a halt (tried again after 30 s), a hang (5 s or more), a look
at Kafka (every 2 s while it is silent)."""

QUESTIONS = {"exposition", "last_records", "outcomes", "tell_repeats", "topics"}


@pytest.mark.parametrize("happening", STORMS)
def test_no_happening_floods_the_log(
    happening: str,
    telemetry: Telemetry,
    clock: Clock,
    lines: list[EventDict],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ten thousand of it in five minutes are a few lines at once and a few every half minute, at every level
    but debug, and every one is written or counted."""
    caplog.set_level("INFO", "connector")
    for number in range(10_000):
        STORMS[happening](telemetry, number)
        clock.now += 0.03
        if number % 33 == 0:
            telemetry.tell_repeats()
    telemetry.tell_repeats(at_the_end=True)
    shown = [line for line in lines if line["log_level"] != "debug"]
    assert len(shown) <= 3 * FEW * (1 + 300 / REPEAT_S)
    if shown:
        assert len(shown) + sum(line.get("left_out", 0) for line in shown) == 10_000


def test_every_happening_was_put_through_the_storm() -> None:
    """Whoever adds one thinks of it."""
    happenings = {name for name, _ in inspect.getmembers(Telemetry, inspect.isfunction) if name[0] != "_"}
    assert happenings == STORMS.keys() | SELDOM | QUESTIONS


def test_a_retention_that_is_not_known_has_no_series(telemetry: Telemetry) -> None:
    """As 0 it would be the alarm that Kafka deletes everything at once."""
    telemetry.topic_retention("orders", 60)
    telemetry.topic_retention("clicks", None)
    assert telemetry.metrics.values("topic_retention_seconds") == {("orders",): 60}
    telemetry.topic_retention("orders", None)
    assert telemetry.metrics.values("topic_retention_seconds") == {}


def test_a_jump_over_lost_records_is_told(telemetry: Telemetry, lines: list[EventDict]) -> None:
    """Where, from where to where, and how many they may be."""
    telemetry.offset_lost_jumped("orders", 3, 50, 90)
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("offset_lost_jumped", "warning")
    assert (line["topic"], line["partition"], line["from_offset"], line["to_offset"]) == ("orders", 3, 50, 90)
    assert line["records_lost_at_most"] == 40


def test_the_breaker_is_a_number_and_a_sentence(telemetry: Telemetry, lines: list[EventDict]) -> None:
    """Each change is told once, however often it is reported."""
    states: list[tuple[Literal["closed", "half_open", "open"], int]]
    states = [("open", 2), ("open", 2), ("half_open", 1), ("closed", 0), ("closed", 0)]
    for state, number in states:
        telemetry.breaker_changed(state, "connection: refused", 12.34 if state == "open" else None)
        assert value(telemetry, "breaker_state") == number
    assert said(lines) == ["breaker_opened", "breaker_half_opened", "breaker_closed"]
    assert "nothing is lost" in lines[0]["consequence"]
    assert lines[0]["next_probe_in_s"] == 12.3


def test_how_long_the_breaker_was_open_is_told_when_it_closes() -> None:
    """From the first failure that opened it, not from the last probe that failed."""
    now_ms = [1_000]
    telemetry = Telemetry("acme", now_ms=lambda: now_ms[0])
    since = [telemetry.breaker_since_ms]
    states: list[Literal["open", "half_open", "closed"]] = [
        "open",
        "half_open",
        "open",
        "half_open",
        "closed",
    ]
    with capture_logs() as lines:
        for state in states:
            telemetry.breaker_changed(state)
            since.append(telemetry.breaker_since_ms)
            now_ms[0] += 30_000
    assert since == [None, 1_000, 1_000, 1_000, 1_000, None]
    assert lines[-1]["after_s"] == 120


def test_halted_shows_each_reason_that_holds_now(telemetry: Telemetry, lines: list[EventDict]) -> None:
    """The process's halt and those of single partitions do not hide one another."""
    telemetry.partition_halted("orders", 1, "offset_lost", "gone")
    telemetry.halted("auth", "401")
    telemetry.halted("auth", "401")
    assert value(telemetry, "halted", "auth") == 1
    telemetry.halted("http_402", "pay")
    assert value(telemetry, "halted", "auth") == 0
    assert value(telemetry, "halted", "http_402") == 1
    telemetry.resumed()
    telemetry.resumed()
    assert value(telemetry, "halted", "http_402") == 0
    assert value(telemetry, "halted", "offset_lost") == 1
    telemetry.rebalanced("revoked", ["orders:1"])
    assert value(telemetry, "halted", "offset_lost") == 0
    assert said(lines) == ["partition_halted", "halted", "halted", "resumed", "partitions_revoked"]


def test_a_refused_key_is_told_with_its_place_and_each_other_one_too(
    telemetry: Telemetry, clock: Clock, lines: list[EventDict]
) -> None:
    """A line each, with the file and when it was read; what can be no key once; the end with how long."""
    telemetry.key_read(Key("/run/key", True, 999_000))
    telemetry.halted("auth", "401 Unauthorized")
    clock.now += 10
    telemetry.key_read(Key("/run/key", True, 999_000, "the file is empty"))
    telemetry.key_read(Key("/run/key", True, 999_000, "the file is empty"))
    telemetry.key_read(Key("/run/key", True, 1_010_000))
    telemetry.key_refused("403 Forbidden")
    clock.now += 10
    telemetry.halted("auth", "401 Unauthorized")
    assert telemetry.halt == Halted(
        "auth", "401 Unauthorized", 1_000_000, Key("/run/key", True, 1_010_000), keys_refused=2
    )
    telemetry.resumed()
    assert telemetry.halt_reason is None
    assert said(lines) == ["halted", "key_unusable", "key_changed", "key_refused", "halted", "resumed"]
    assert [line.get("key_read_at") for line in lines] == [
        "1970-01-01T00:16:39Z",
        None,
        "1970-01-01T00:16:50Z",
        "1970-01-01T00:16:50Z",
        "1970-01-01T00:16:50Z",
        "1970-01-01T00:16:50Z",
    ]
    assert {line["key_from"] for line in lines} == {"/run/key"}
    assert [line.get("detail") for line in lines[:4]] == ["401 Unauthorized", None, None, "403 Forbidden"]
    assert (lines[3]["log_level"], lines[3]["keys_refused"]) == ("error", 2)
    assert lines[1]["why"] == "the file is empty"
    assert lines[5]["after_s"] == 20.0


def test_scalable_lag_is_lag_that_a_replica_would_help_with(telemetry: Telemetry, clock: Clock) -> None:
    """It is 0 while halted, breaker open, gated or at the rate cap, and never counts a halted partition."""
    telemetry.lag("orders", 0, 100)
    telemetry.lag("orders", 1, 20)
    assert value(telemetry, "scalable_lag") == 120
    telemetry.gate_closed(30)
    telemetry.gate_closed(1)
    clock.now += 29
    assert value(telemetry, "scalable_lag") == 0
    clock.now += 1
    assert value(telemetry, "scalable_lag") == 120
    telemetry.rate_capped(0.5)
    assert value(telemetry, "scalable_lag") == 0
    clock.now += 1
    telemetry.breaker_changed("open")
    assert value(telemetry, "scalable_lag") == 0
    telemetry.breaker_changed("half_open")  # one probe is out, and nothing else may leave
    assert value(telemetry, "scalable_lag") == 0
    telemetry.breaker_changed("closed")
    assert value(telemetry, "scalable_lag") == 120
    telemetry.halted("auth")
    assert value(telemetry, "scalable_lag") == 0
    telemetry.resumed()
    telemetry.partition_halted("orders", 0, "offset_lost")
    assert value(telemetry, "scalable_lag") == 20


def test_a_partition_that_went_is_no_longer_measured_here(telemetry: Telemetry) -> None:
    """Its new owner shows its lag; two pods showing it would count it twice. Topics may hold colons nowhere
    but patterns of ours: the partition is what follows the last one."""
    telemetry.lag("orders", 3, 9)
    telemetry.oldest_unsettled("orders", 3, 9.0)
    telemetry.rebalanced("lost", ["orders:3"])
    assert telemetry.metrics.values("consumer_lag") == {}
    assert telemetry.metrics.values("oldest_unsettled_seconds") == {}
    assert value(telemetry, "rebalances_total", "lost") == 1


def test_a_rebalance_of_many_partitions_is_one_short_line(
    telemetry: Telemetry, lines: list[EventDict]
) -> None:
    """The count is exact, the names are cut."""
    telemetry.rebalanced("assigned", [f"orders:{number}" for number in range(10_000)])
    (line,) = lines
    assert line["count"] == 10_000
    assert len(line["partitions"]) == 20


def test_a_request_is_counted_by_verdict_and_status(
    telemetry: Telemetry, lines: list[EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    """With its duration and its batch, and a line at debug only."""
    caplog.set_level("INFO", "connector")
    telemetry.request_done("delivered", "204", 0.0, 0, 0)
    assert not lines
    caplog.set_level("DEBUG", "connector")
    telemetry.request_done("delivered", "204", 0.2, 50, 40_000)
    telemetry.request_done("retry", "timeout", 30.0, 50, 40_000)
    assert value(telemetry, "requests_total", "delivered", "204") == 2
    assert value(telemetry, "requests_total", "retry", "timeout") == 1
    assert telemetry.metrics.histogram("request_duration_seconds").total == 30.2
    assert telemetry.metrics.histogram("batch_items").total == 100
    assert telemetry.metrics.histogram("batch_bytes").total == 80_000
    assert {line["log_level"] for line in lines} == {"debug"}


def test_a_probe_is_a_request_without_a_batch(telemetry: Telemetry) -> None:
    """Who compares with the vendor's own counts finds it; items and bytes are of batches alone."""
    telemetry.probe_done("retry", "503", 0.2)
    telemetry.probe_done("delivered", "400", 0.1)
    assert value(telemetry, "requests_total", "retry", "503") == 1
    assert value(telemetry, "requests_total", "delivered", "400") == 1
    assert telemetry.metrics.histogram("request_duration_seconds").total == pytest.approx(0.3)
    assert telemetry.metrics.histogram("batch_items").total == 0


def test_a_retry_that_the_breaker_holds_names_no_time(telemetry: Telemetry, lines: list[EventDict]) -> None:
    """It would be read as when it is sent again."""
    telemetry.retry_scheduled("server_error", 1.5)
    telemetry.retry_scheduled("timeout", None)
    assert [(line.get("wait_s"), line.get("waits_on")) for line in lines] == [
        (1.5, None),
        (None, "the breaker's probe"),
    ]
    assert value(telemetry, "retries_total", "timeout") == 1


def test_writes_commits_and_schemas_are_counted_by_result(
    telemetry: Telemetry, lines: list[EventDict]
) -> None:
    """A failure has a line that says what follows from it."""
    telemetry.dead_letter_written(True)
    telemetry.dead_letter_written(False, "topic unknown")
    telemetry.committed(3)
    telemetry.committed(3, "rebalance in progress")
    for result in ("ok", "failed", "cached", "not_found"):
        telemetry.schema_fetched(result, 7)
    assert telemetry.metrics.values("dead_letter_writes_total") == {("ok",): 1, ("failed",): 1}
    assert telemetry.metrics.values("commits_total") == {("ok",): 1, ("failed",): 1}
    assert set(telemetry.metrics.values("schema_registry_requests_total").values()) == {1}
    warnings = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert warnings == [
        "dead_letter_write_failed",
        "commit_failed",
        "schema_registry_unreachable",
        "schema_not_found",
    ]


def test_a_failing_mapper_is_told_without_what_the_event_held(
    telemetry: Telemetry, lines: list[EventDict]
) -> None:
    """An exception's text may quote an e-mail address; its place in the code can't."""
    try:
        int("jane@example.org")
    except ValueError as error:
        telemetry.mapper_failed("0e1a", error)
    (line,) = lines
    assert "jane" not in str(line)
    assert line["error"] == "ValueError"
    assert "test_telemetry.py" in line["where"]


def test_paused_partitions_are_told_when_they_change(telemetry: Telemetry) -> None:
    """The gauge follows."""
    telemetry.paused(3)
    telemetry.paused(3)
    assert value(telemetry, "paused_partitions") == 3


def test_a_drain_that_left_work_is_a_warning(telemetry: Telemetry, lines: list[EventDict]) -> None:
    """Else it is information."""
    telemetry.drained(0.5, 0)
    telemetry.drained(20.0, 7)
    telemetry.partition_stalled("orders", 0, 12, 130.0, "the registry")
    telemetry.loop_delayed(9.0, "stack")
    assert [line["log_level"] for line in lines] == ["info", "warning", "warning", "error"]


def test_every_happening_has_a_docstring_that_says_what_happened() -> None:
    """The class is the list of everything an operator can be told."""
    for name, method in inspect.getmembers(Telemetry, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.getdoc(method), name


def test_labels_come_from_closed_sets_in_every_call(telemetry: Telemetry) -> None:
    """After one of everything, no metric has a label value that looks like an id, a key or an address."""
    telemetry.dead_lettered("vendor_rejected", "orders:3:123456")
    assert telemetry.metrics.values("dead_letters_total") == {("vendor_rejected",): 1}
