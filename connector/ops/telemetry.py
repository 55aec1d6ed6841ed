"""What happens, told once: each method keeps a happening's counters and its log line together.

Once per record only numbers move; a request may be logged at debug; a change of state is told to a person in
words. What repeats is told at once, then counted, and the count is told every `repeats.REPEAT_S`.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import structlog

from connector import __version__
from connector.ops import logs
from connector.ops.counts import Counts, TopicCounts
from connector.ops.metrics import Exposition, Labels, Metrics
from connector.ops.repeats import Level, Line, Repeats
from connector.ops.words import Halted, Key

FEW = 20
"""Lines of one kind in `repeats.REPEAT_S` about what changes seldom (a partition, the breaker): each is worth
reading, but a thousand partitions may change at once."""

BUG_FRAMES = 3
PARTITIONS_SHOWN = 20
"""Partitions named in one log line."""

LEVELS: dict[Level, int] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
BREAKER_STATES = {"closed": 0, "half_open": 1, "open": 2}


class Telemetry:
    """One method a happening; doers get it passed. Called on the loop (the watchdog's thread only logs)."""

    def __init__(
        self,
        destination: str,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.destination = destination
        self._now_ms = now_ms
        self.metrics = metrics = Metrics()
        self._clock = clock
        self._log = structlog.stdlib.get_logger("connector")
        self._stdlib = logging.getLogger("connector")
        self._repeats = Repeats()
        self._exposition = Exposition(metrics, destination)

        self.counts = Counts()
        """Per topic, for the pipeline to add to: a call of ours a record would cost more than counting it."""
        self._adjustments = metrics.series("adjustments_total")
        self._requests = metrics.series("requests_total")
        self._requests_in_flight = metrics.series("requests_in_flight")
        self._in_flight_bytes = metrics.series("in_flight_bytes")
        self._in_flight_bytes_limit = metrics.series("in_flight_bytes_limit")
        self._retries = metrics.series("retries_total")
        self._dead_letters = metrics.series("dead_letters_total")
        self._lag = metrics.series("consumer_lag")
        self._oldest = metrics.series("oldest_unsettled_seconds")
        self._halted = metrics.series("halted")
        self._request_duration = metrics.histogram("request_duration_seconds")
        self._batch_items = metrics.histogram("batch_items")
        self._batch_bytes = metrics.histogram("batch_bytes")
        self._loop_delay = metrics.histogram("loop_delay_seconds")
        self._delivery_delay = metrics.histogram("delivery_delay_seconds")

        metrics.series("build_info").set((__version__,), 1)
        metrics.derive("records_consumed_total", self._consumed)
        metrics.derive("records_settled_total", self._settled)
        metrics.derive("records_released_total", self._released)
        metrics.derive("scalable_lag", self._scalable_lag)

        self.breaker: Literal["closed", "half_open", "open"] = "closed"
        self.breaker_since_ms: int | None = None
        """When it opened, however often it was probed since; None while it is closed."""
        self.halt: Halted | None = None
        self.key = Key("destination.api_key", False, now_ms())
        self.halted_partitions: dict[tuple[str, int], str] = {}
        """By reason."""
        self.halted_details: dict[tuple[str, int], str] = {}
        """More about it: which offset is gone, and which there are."""
        self._gated_until = 0.0

        self.dead_letters_held = ""
        """Why the last dead letter could not be written; empty when it could."""
        self.kafka_error = ""
        """Why Kafka did not answer the last question; empty when it did."""
        self.missing_topics: tuple[str, ...] = ()
        """Topics that we need and Kafka does not have."""
        self.registry_error = ""
        """Why the schema registry gave no schema when it was asked last; empty when it answered."""
        self._heard_at = clock()
        """When Kafka answered last, our question or a commit; before it ever did, when we began."""
        metrics.series("kafka_up").set((), 1)

    # ── records ──────────────────────────────────────────────────────────────────────────────────

    def delivery_delayed(self, delays_ms: Sequence[int]) -> None:
        """Records got their outcome so long after their Kafka timestamp. One call a batch."""
        self._delivery_delay.observe_ms(delays_ms)

    def adjusted(self, kind: str) -> None:
        """A mapper changed something that does not change the outcome."""
        self._adjustments.add((kind,))

    def record_came_again(self, topic: str, partition: int, offset: int) -> None:
        """It has its place in the books already. librdkafka 2.16.0 says nothing of a damaged lz4 batch and
        brings the last record that it can read of it, for ever: the partition stands there."""
        self._say(
            "warning",
            "record_came_again",
            topic=topic,
            partition=partition,
            offset=offset,
            consequence="it is not taken again; if this goes on, the batch behind it is damaged in Kafka",
        )

    def decoder_failed(self, coordinate: str, error: Exception) -> None:
        """A decoder has a bug; its record becomes a dead letter."""
        self._failed("decoder_failed", error, record=coordinate)

    def mapper_failed(self, event_id: str, error: Exception) -> None:
        """A mapper has a bug; its event becomes a dead letter."""
        self._failed("mapper_failed", error, event_id=event_id)

    def dead_letter_failed(self, error: Exception) -> None:
        """What builds dead letters has a bug: a lesser form is tried; without one the record stays open."""
        self._failed("dead_letter_failed", error)

    def _failed(self, happening: str, error: Exception, **which: str) -> None:
        """We tell where the bug is, never what the event held: an exception's text may quote it."""
        kind = type(error).__name__
        self._warn(happening, kind, error=kind, **which, where=_where(error))

    def dead_lettered(self, reason: str, coordinate: str) -> None:
        """A record became a dead letter."""
        self._dead_letters.add((reason,))
        self._warn("record_dead_lettered", reason, reason=reason, record=coordinate)

    def dead_letter_written(self, ok: bool, error: str | None = None) -> None:
        """Kafka acknowledged a dead letter, or did not: then its record stays open and it is tried again."""
        self.metrics.series("dead_letter_writes_total").add(("ok" if ok else "failed",))
        self.dead_letters_held = "" if ok else error or "no reason was given"
        if not ok:
            self._warn(
                "dead_letter_write_failed",
                "",
                error=error,
                consequence="its record is not committed; the write is tried again",
            )

    # ── requests ─────────────────────────────────────────────────────────────────────────────────

    def request_done(self, verdict: str, status: str, took_s: float, items: int, body_bytes: int) -> None:
        """A request was answered, or met silence (`status` is then `timeout` or `connection`)."""
        self._requests.add((verdict, status))
        self._request_duration.observe(took_s)
        self._batch_items.observe(items)
        self._batch_bytes.observe(body_bytes)
        if self._stdlib.isEnabledFor(logging.DEBUG):  # a call that writes nothing costs ten times this
            self._log.debug(
                "request_done",
                verdict=verdict,
                status=status,
                took_s=round(took_s, 4),
                items=items,
                bytes=body_bytes,
            )

    def probe_done(self, verdict: str, status: str, took_s: float) -> None:
        """The destination's own probe, which carries no item, was answered: it is well (`delivered`), not yet
        (`retry`), or refuses us (`halt`)."""
        self._requests.add((verdict, status))
        self._request_duration.observe(took_s)
        self._log.debug("probe_done", verdict=verdict, status=status, took_s=round(took_s, 4))

    def requests_in_flight(self, n: int) -> None:
        """So many requests are open now."""
        self._requests_in_flight.set((), n)

    def concurrency_limit(self, n: int) -> None:
        """So many requests may be open now."""
        self.metrics.series("concurrency_limit").set((), n)

    def retry_scheduled(self, reason: str, wait_s: float | None) -> None:
        """A batch will be sent again, after `wait_s` or, None, when the breaker says so."""
        self._retries.add((reason,))
        when = {"wait_s": round(wait_s, 3)} if wait_s is not None else {"waits_on": "the breaker's probe"}
        self._warn("retry_scheduled", reason, reason=reason, **when)

    def gate_closed(self, wait_s: float) -> None:
        """The vendor asked everybody to wait."""
        self._gated_until = max(self._gated_until, self._clock() + wait_s)
        self._warn("gate_closed", "", wait_s=round(wait_s, 3), consequence="no request leaves until then")

    def rate_capped(self, wait_s: float) -> None:
        """Requests wait for `delivery.requests_per_second`; more replicas would not help now."""
        self._gated_until = max(self._gated_until, self._clock() + wait_s)

    def breaker_changed(
        self, state: Literal["closed", "half_open", "open"], detail: str = "", probe_s: float | None = None
    ) -> None:
        """The breaker moved. `probe_s`: from now to the next probe."""
        if state == self.breaker:
            return
        self.breaker = state
        self.metrics.series("breaker_state").set((), BREAKER_STATES[state])
        began_ms = self._now_ms() if self.breaker_since_ms is None else self.breaker_since_ms
        self.breaker_since_ms = None if state == "closed" else began_ms
        if state == "open":
            self._say(
                "warning",
                "breaker_opened",
                detail=detail,
                next_probe_in_s=round(probe_s, 1) if probe_s is not None else None,
                consequence="nothing is sent until the destination answers a probe; nothing is lost",
            )
        elif state == "half_open":
            self._say("info", "breaker_half_opened")
        else:
            self._say("info", "breaker_closed", after_s=round((self._now_ms() - began_ms) / 1000, 1))

    def halted(self, reason: str, detail: str = "") -> None:
        """Nothing is sent until a person acts, or a rotated key works."""
        if (reason, detail) == (self.halt_reason, self.halt_detail):
            return
        since_ms = self.halt.since_ms if self.halt is not None else self._now_ms()
        refused = max(1, self.halt.keys_refused if self.halt is not None else 0) if reason == "auth" else 0
        self.halt = Halted(reason, detail, since_ms, self.key, refused)
        self._show_halts()
        self._log.error(
            "halted",
            reason=reason,
            detail=detail,
            **(self._which_key() if reason == "auth" else {}),
            consequence="nothing is sent; nothing is lost",
        )

    def key_read(self, key: Key) -> None:
        """The key was looked at: the same as before, or another, or what can be none."""
        if key.trouble and key.trouble != self.key.trouble:
            self._say("warning", "key_unusable", key_from=key.place, why=key.trouble)
        known, self.key = self.key, key
        if known.is_followed and key.read_ms != known.read_ms:
            self._say("info", "key_changed", **self._which_key())

    def key_refused(self, detail: str) -> None:
        """Halted because a key was refused, and another one was refused as well."""
        assert self.halt is not None, "the first one halts"
        refused = self.halt.keys_refused + 1
        self.halt = Halted(self.halt.reason, detail, self.halt.since_ms, self.key, refused)
        self._say(
            "error",
            "key_refused",
            detail=detail,
            **self._which_key(),
            keys_refused=refused,
            consequence="the halt goes on; nothing is lost",
        )

    def _which_key(self) -> dict[str, object]:
        return {"key_from": self.key.place, "key_read_at": self.key.read_at}

    @property
    def halt_reason(self) -> str | None:
        """Why nothing is sent; None while something may be."""
        return self.halt.reason if self.halt is not None else None

    @property
    def halt_detail(self) -> str:
        """More about it: the vendor's status, how many events; empty without."""
        return self.halt.detail if self.halt is not None else ""

    def resumed(self) -> None:
        """A halt is over."""
        if self.halt is None:
            return
        after_s = (self._now_ms() - self.halt.since_ms) / 1000
        which = self._which_key() if self.halt.reason == "auth" else {}
        self._log.info("resumed", reason=self.halt.reason, after_s=round(after_s, 1), **which)
        self.halt = None
        self._show_halts()

    # ── Kafka ────────────────────────────────────────────────────────────────────────────────────

    def kafka_answered(self, missing: Iterable[str]) -> None:
        """Kafka is there; these topics, which we need, are not."""
        if self.kafka_error:
            self._log.info("kafka_reachable", after_s=round(self.kafka_silent_s, 1))
        self.kafka_error = ""
        self._heard_at = self._clock()
        self.metrics.series("kafka_up").set((), 1)
        found, self.missing_topics = self.missing_topics, tuple(missing)
        if self.missing_topics and self.missing_topics != found:
            self._log.error(
                "topics_missing",
                topics=self.missing_topics,
                consequence="what should be read from there, or written there, waits until they are created, "
                "or may be seen: the user needs Read on what is read, and Write on what is written",
            )

    def kafka_silent(self, error: str) -> None:
        """Kafka does not answer: nothing can be read, committed or written aside."""
        if not self.kafka_error:
            self._log.error(
                "kafka_unreachable",
                error=error,
                consequence="nothing is read or committed until it answers; what was read is still delivered",
            )
        self.kafka_error = error
        self.metrics.series("kafka_up").set((), 0)

    @property
    def kafka_silent_s(self) -> float:
        """How long Kafka has been silent: whatever is known of it is so old at least. 0 while it answers."""
        return self._clock() - self._heard_at if self.kafka_error else 0.0

    def topic_retention(self, topic: str, kept_s: float | None) -> None:
        """Kafka keeps a topic's records for so long; None: as long as there is room, or unknown."""
        series = self.metrics.series("topic_retention_seconds")
        if kept_s is None:
            series.forget((topic,))
        else:
            series.set((topic,), kept_s)

    def partition_halted(self, topic: str, partition: int, reason: str, detail: str = "") -> None:
        """One partition stands still until a person acts; the others go on."""
        self.halted_partitions[(topic, partition)] = reason
        self.halted_details[(topic, partition)] = detail
        self._show_halts()
        self._say("error", "partition_halted", topic=topic, partition=partition, reason=reason, detail=detail)

    def offset_lost_jumped(self, topic: str, partition: int, lost: int, offset: int) -> None:
        """One partition goes on at `offset`, as Kafka no longer has what was to be read from `lost` on."""
        self._say(
            "warning",
            "offset_lost_jumped",
            topic=topic,
            partition=partition,
            from_offset=lost,
            to_offset=offset,
            records_lost_at_most=offset - lost,  # some offsets are a transaction's marks, or were compacted
        )

    def topic_created_anew(self, topic: str, partition: int, offset: int, left: int) -> None:
        """One partition goes on at `offset` of the new topic, once the `left` records of the old one are
        settled."""
        self._say(
            "warning",
            "topic_created_anew",
            topic=topic,
            partition=partition,
            offset=offset,
            records_left=left,
        )

    def committed(self, count: int, error: str | None = None) -> None:
        """Offsets of `count` partitions were committed, or refused."""
        self.metrics.series("commits_total").add(("failed" if error else "ok",))
        if error:
            self._warn("commit_failed", "", error=error, consequence="tried again within a second or two")
        else:
            self._heard_at = self._clock()
            self._log.debug("committed", partitions=count)

    def rebalanced(self, kind: Literal["assigned", "revoked", "lost"], partitions: Sequence[str]) -> None:
        """Partitions (`topic:partition`) came or went; what is gone is no longer measured here."""
        self.metrics.series("rebalances_total").add((kind,))
        if kind != "assigned":
            for name in partitions:
                self._forget(name)
        shown = list(partitions[:PARTITIONS_SHOWN])
        level: Level = "warning" if kind == "lost" else "info"
        self._say(level, f"partitions_{kind}", count=len(partitions), partitions=shown)

    def drained(self, took_s: float, left: int) -> None:
        """A revoked or stopping partition's work ended; `left` records were handed back."""
        level: Level = "warning" if left else "info"
        self._say(level, "drained", took_s=round(took_s, 3), records_handed_back=left)

    def paused(self, count: int) -> None:
        """So many partitions are paused now."""
        series = self.metrics.series("paused_partitions")
        if count != series.values[()]:
            series.set((), count)
            self._log.debug("partitions_paused", count=count)

    def lag(self, topic: str, partition: int, lag: int) -> None:
        """A partition's log end minus its committed offset."""
        self._lag.set((topic, partition), lag)

    def oldest_unsettled(self, topic: str, partition: int, age_s: float) -> None:
        """How old the record at a partition's frontier is; 0 without lag."""
        self._oldest.set((topic, partition), age_s)

    def partition_unknown(self, topic: str, partition: int) -> None:
        """How a partition stands is not known any more: the group has put us out, as far as we can tell."""
        self._lag.forget((topic, partition))
        self._oldest.forget((topic, partition))

    def in_flight_bytes(self, n: int, limit: int) -> None:
        """Bytes held now, and the budget."""
        self._in_flight_bytes.set((), n)
        self._in_flight_bytes_limit.set((), limit)

    def schema_fetched(
        self, result: Literal["ok", "failed", "cached", "not_found"], schema_id: int, detail: str = ""
    ) -> None:
        """A schema was looked up."""
        self.metrics.series("schema_registry_requests_total").add((result,))
        if result != "cached":
            self.registry_error = (detail or "no reason was given") if result == "failed" else ""
        if result == "ok":
            self._say("info", "schema_fetched", schema_id=schema_id)
        elif result == "failed":
            self._warn(
                "schema_registry_unreachable",
                "",
                schema_id=schema_id,
                detail=detail,
                consequence="records with this schema wait; known schemas go on",
            )
        elif result == "not_found":
            self._warn("schema_not_found", "", schema_id=schema_id, detail=detail)

    # ── ourselves ────────────────────────────────────────────────────────────────────────────────

    def advised(self, sentence: str) -> None:
        """The destination said what an operator must know of it; told once, at the start."""
        self._log.warning("advice", destination=self.destination, text=sentence)

    def loop_delayed(self, delay_s: float, stack: str | None = None) -> None:
        """A timer of the loop fired late by this much; with `stack`, where the loop hangs right now."""
        if stack is None:
            self._loop_delay.observe(delay_s)
        else:
            self._log.error(
                "loop_blocked",
                for_s=round(delay_s, 1),
                stack=stack,
                consequence="nothing moves; the pod is restarted if it lasts",
            )

    def tell_repeats(self, *, at_the_end: bool = False) -> None:
        """Write what was left out, with its count, where it is time to. Once a second is often enough."""
        now = math.inf if at_the_end else self._clock()
        for line, left_out in self._repeats.due(now):
            if left_out:
                line.words["left_out"] = left_out
            self._write(line)
        logs.tell_repeats(at_the_end=at_the_end)

    def partition_stalled(
        self, topic: str, partition: int, offset: int, waited_s: float, waits_on: str = "", tasks: str = ""
    ) -> None:
        """A partition's frontier has not moved for long although records are open and nothing explains it;
        `tasks` tells where the loop's tasks wait."""
        self._say(
            "warning",
            "partition_stalled",
            topic=topic,
            partition=partition,
            offset=offset,
            waited_s=round(waited_s, 1),
            waits_on=waits_on,
            tasks=tasks,
        )

    def stalled(self, count: int) -> None:
        """So many partitions are stalled now."""
        self.metrics.series("stalled_partitions").set((), count)

    def poll_thread_hung(self, age_s: float, stack: str) -> None:
        """The poll thread does not go round any more; the process ends."""
        self._log.error(
            "poll_thread_hung",
            for_s=round(age_s, 1),
            stack=stack,
            consequence="Kafka has given its partitions to others; the process ends, to be started again",
        )

    # ── what others read ─────────────────────────────────────────────────────────────────────────

    def exposition(self) -> bytes:
        """The body of `/metrics`."""
        return self._exposition.text()

    def topics(self) -> Mapping[str, TopicCounts]:
        """Conservation per topic: consumed = delivered + skipped + dead-lettered + released + in flight."""
        return self.counts

    def outcomes(self) -> dict[str, dict[str, int]]:
        """Records by outcome and reason, over all topics."""
        found: dict[str, dict[str, int]] = {}
        for counts in self.counts.values():
            for (outcome, reason), count in counts.outcomes().items():
                if count:
                    reasons = found.setdefault(outcome, {})
                    reasons[reason] = reasons.get(reason, 0) + count
        return found

    def last_records(self) -> dict[str, dict[str, str]]:
        """A coordinate by outcome and reason: the last record of one of the topics, for people to look at."""
        found: dict[str, dict[str, str]] = {}
        for topic, counts in self.counts.items():
            for (outcome, reason), (partition, offset) in counts.last.items():
                found.setdefault(outcome, {})[reason] = f"{topic}:{partition}:{offset}"
        return found

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _warn(self, event: str, kind: str, **words: object) -> None:
        """What may come with every record: one line of each kind, then its count."""
        line = Line("warning", event, words, kind)
        if self._repeats.admit(line, self._clock()):
            self._write(line)

    def _say(self, level: Level, event: str, **words: object) -> None:
        """What seldom comes, and may come for a thousand partitions at once."""
        line = Line(level, event, words)
        if self._repeats.admit(line, self._clock(), FEW):
            self._write(line)

    def _write(self, line: Line) -> None:
        self._log.log(LEVELS[line.level], line.event, **line.words)

    def _consumed(self) -> Mapping[Labels, float]:
        return {(topic,): counts.consumed for topic, counts in self.counts.items()}

    def _released(self) -> Mapping[Labels, float]:
        return {(topic,): counts.released for topic, counts in self.counts.items()}

    def _settled(self) -> Mapping[Labels, float]:
        return {
            (topic, *outcome): count
            for topic, counts in self.counts.items()
            for outcome, count in counts.outcomes().items()
        }

    def _scalable_lag(self) -> Mapping[Labels, float]:
        waits = self.halt_reason is not None or self.breaker != "closed" or self._clock() < self._gated_until
        if waits:
            return {(): 0}
        lags = self._lag.values.items()
        return {(): sum(lag for labels, lag in lags if labels not in self.halted_partitions)}

    def _forget(self, name: str) -> None:
        topic, _, number = name.rpartition(":")
        labels = (topic, int(number))
        self.partition_unknown(*labels)
        self.halted_details.pop(labels, None)
        if self.halted_partitions.pop(labels, None) is not None:
            self._show_halts()

    def _show_halts(self) -> None:
        active = {self.halt_reason, *self.halted_partitions.values()}
        for known in list(self._halted.values):
            self._halted.set(known, 0)
        for reason in active:
            if reason is not None:
                self._halted.set((reason,), 1)


def _where(error: Exception) -> str:
    """The places in the code where it was raised, the innermost first. Not by `traceback`, which reads the
    source files: a bug may show in every event."""
    places: deque[str] = deque(maxlen=BUG_FRAMES)
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.appendleft(f"{code.co_filename}:{step.tb_lineno} {code.co_name}")
        step = step.tb_next
    return " < ".join(places)
