"""What `/status`, `/readyz` and the watchdog are told: one picture of the whole, made when somebody asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from connector import __version__
from connector.delivery.sender import Sender
from connector.kafka.assignment import Assignment, Partition
from connector.ops import words
from connector.ops.history import OUTCOMES, History
from connector.ops.metrics import OVERFLOW
from connector.ops.telemetry import Telemetry
from connector.ops.watchdog import FrontierSnapshot, Watchdog
from connector.pipeline import Pipeline

MEASURED_EVERY_S = 1.0
"""How often gauges are brought up to date."""

CAPPED_S = 5 * MEASURED_EVERY_S
"""How long the rate cap counts as reached once it was seen to hold requests: looked at once a second, a look
may fall between two requests, where nothing holds them for a moment."""

HELD = ("halted", "breaker_open", "gated")
"""States of the sender that were told already and hold everything: no partition is stalled by them."""


class Status:
    """Answers the questions of operators and probes from the living parts; holds nothing itself.

    `settings` is the effective configuration with secrets hidden, `session_timeout_s` how long the group
    waits for a member that says nothing, None outside of one. `state` is starting, running, halted or
    stopping.
    """

    def __init__(
        self,
        *,
        assignment: Assignment,
        sender: Sender,
        pipeline: Pipeline,
        telemetry: Telemetry,
        settings: Mapping[str, object],
        session_timeout_s: float | None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._assignment = assignment
        self._sender = sender
        self._pipeline = pipeline
        self._telemetry = telemetry
        self._settings = settings
        self._session_timeout_s = session_timeout_s
        self._now_ms = now_ms
        self._clock = clock
        self._history = History(clock())
        self._limit_bytes = 0
        self.stopping = False
        self.watchdog: Watchdog | None = None
        telemetry.metrics.derive(
            "records_in_flight", lambda: {(topic,): count for topic, count in self._in_flight().items()}
        )

    # ── for probes ───────────────────────────────────────────────────────────────────────────────

    def alive(self) -> tuple[bool, Mapping[str, object]]:
        """False only when a restart would help."""
        return self.watchdog.alive() if self.watchdog is not None else (True, {})

    def ready(self) -> tuple[bool, Mapping[str, object]]:
        """In the group, also without a partition, and alive. A halt or an open breaker changes nothing: they
        are the vendor's. A stop is on its way out of the group, and a poll thread that hangs is out of it."""
        alive, _ = self.alive()
        in_group = self._in_group()
        facts = {"state": self.state(), "in_group": in_group}
        return in_group and alive and not self.stopping, facts

    def _in_group(self) -> bool:
        return self._pipeline.in_group and (self.watchdog is None or self.watchdog.polls())

    def frontiers(self) -> Iterable[FrontierSnapshot]:
        """Where each partition stands, for the watchdog."""
        held, waits_on = self._sender.snapshot().state in HELD, self._waits_on()
        told = {"schema"}
        if self._telemetry.dead_letters_held or self._telemetry.kafka_error:
            told.add("dead letter")
        for partition in self._assignment:
            frontier = partition.frontier.commit_offset
            if frontier is not None:
                lease = partition.lease
                waits_for = self._pipeline.waits_for(lease)
                yield FrontierSnapshot(
                    lease.topic,
                    lease.partition,
                    frontier,
                    partition.open_count,
                    f"a {waits_for}" if waits_for is not None else waits_on,
                    # A pause explains nothing: it stops what comes, not what is held.
                    held or partition.halted is not None or partition.draining or waits_for in told,
                )

    # ── for people ───────────────────────────────────────────────────────────────────────────────

    def state(self) -> str:
        """starting, running, halted or stopping."""
        if self.stopping:
            return "stopping"
        if self._telemetry.halt_reason is not None:
            return "halted"
        return "running" if self._pipeline.joined else "starting"

    def status(self) -> Mapping[str, object]:
        """Everything worth knowing, ready for JSON."""
        sender, halt, key = self._sender.snapshot(), self._telemetry.halt, self._telemetry.key
        state, waits_on, topics = self.state(), self._waits_on(), self.topics()
        down_ms = self._telemetry.breaker_since_ms
        waits = self._waits()
        silent_s, count = self._telemetry.kafka_silent_s, len(self._assignment)
        needs_person, in_group = self._needs_person(), self._in_group()
        lags = [partition.lag for partition in self._assignment]
        lag = None if None in lags else sum(each or 0 for each in lags)
        in_flight = sum(topic["in_flight"] for topic in topics.values())
        return {
            "destination": self._telemetry.destination,
            "version": __version__,
            "state": state,
            "told": words.told(
                state,
                halt,
                key,
                silent_s=silent_s,
                held=sender.state in HELD,
                needs_person=needs_person,
                waits=bool(waits),
                partitions=count,
                lag=lag,
                in_flight=in_flight,
            ),
            "waits": waits,
            "needs_person": needs_person,
            "halt_reason": halt.reason if halt is not None else None,
            "halt_detail": (halt.detail or None) if halt is not None else None,
            "halted_since": words.at(halt.since_ms) if halt is not None else None,
            "key": {"from": key.place, "read_at": key.read_at, "trouble": key.trouble or None},
            "keys_refused": halt.keys_refused if halt is not None else 0,
            "waits_on": waits_on or None,
            "in_group": in_group,
            "kafka_silent_s": round(silent_s, 1) if silent_s else None,
            "breaker": sender.breaker,
            "breaker_since": words.at(down_ms) if down_ms is not None else None,
            "concurrency_limit": sender.limit,
            "sender": msgspec.structs.asdict(sender),
            "in_flight_bytes": self._assignment.open_bytes,
            "in_flight_bytes_limit": self._limit_bytes,
            "topics": topics,
            "partitions": [self._partition(each) for each in self._assignment],
            "no_partitions": None if count else words.no_partitions(silent_s, in_group),
            "outcomes": self._by_reason(),
            "last_records": self._telemetry.last_records(),
            "history": self._history.snapshot(),
            "settings": self._settings,
        }

    def _by_reason(self) -> dict[str, dict[str, int]]:
        """Of what was not delivered; what was has no reason, and stands in the books."""
        found = self._telemetry.outcomes()
        return {outcome: found.get(outcome, {}) for outcome in ("skipped", "dead_lettered")}

    def _needs_person(self) -> bool:
        """Whether something that holds us, or a part, does not end by itself."""
        telemetry = self._telemetry
        if telemetry.halt is not None or any(partition.halted is not None for partition in self._assignment):
            return True
        # Why is not known of what Kafka did not answer.
        return not telemetry.kafka_error and bool(telemetry.missing_topics or telemetry.dead_letters_held)

    def _waits_on(self) -> str:
        """Why nothing, or less than wanted, is sent right now; empty when nothing holds us."""
        halt_reason = self._telemetry.halt_reason
        return f"halted: {halt_reason}" if halt_reason is not None else next(self._causes(), "")

    def _causes(self) -> Iterator[str]:
        """What holds us beside a halt, the most important first; what follows from another is left out."""
        telemetry = self._telemetry
        if telemetry.kafka_error:
            yield f"Kafka does not answer ({telemetry.kafka_error})"
        elif telemetry.missing_topics:
            named = words.listed(telemetry.missing_topics)
            yield f"Kafka does not have {named}: create what is missing, or let us see it"
        elif telemetry.dead_letters_held:
            yield f"dead letters cannot be written ({telemetry.dead_letters_held}); their records stay open"
        if not self._pipeline.in_group and not telemetry.kafka_error:
            yield words.joining(self._session_timeout_s)
        if telemetry.halt is None and (vendor := self._vendor()):
            yield vendor
        if telemetry.registry_error:
            count = sum(self._pipeline.waits_for(each.lease) == "schema" for each in self._assignment)
            if count:
                yield words.no_schema(telemetry.registry_error, count)

    def _vendor(self) -> str:
        """What of the destination holds us; empty when nothing does."""
        sender = self._sender.snapshot()
        why = f" ({sender.last_failure})" if sender.last_failure else ""
        if sender.breaker != "closed":
            since = words.since(self._telemetry.breaker_since_ms)
            return f"the destination is down{since}{why}; {words.next_probe(sender.probe_s)}"
        if sender.gate_s > 0:
            return f"the destination asked for a pause of {sender.gate_s:.1f} s more"
        if sender.retrying:
            return f"{words.batches_wait(sender.retrying)} to be sent again{why}"
        if sender.state == "capped" and sender.waiting:
            return f"{words.batches_wait(sender.waiting)} for delivery.requests_per_second"
        return ""

    def _waits(self) -> list[str]:
        """What holds this replica up, as sentences, most important first; what halts it is told elsewhere."""
        waits = [f"{cause[0].upper()}{cause[1:]}." for cause in self._causes()]
        halted = [each.lease for each in self._assignment if each.halted is not None]
        if halted:
            names = [f"{lease.topic}:{lease.partition}" for lease in halted]
            first = (halted[0].topic, halted[0].partition)
            detail = self._telemetry.halted_details.get(first) or "its offset is gone"
            waits.append(words.standing_still(names, detail))
        paused = sum(partition.paused and partition.halted is None for partition in self._assignment)
        if paused:
            halt_reason = self._telemetry.halt_reason
            full = halt_reason is None and self._assignment.open_bytes >= self._limit_bytes // 2
            why = "The byte budget is used up: " if full else ""
            waits.append(why + words.pause_ends(halt_reason, paused))
        return waits

    def measure(self, limit_bytes: int) -> None:
        """Bring the gauges up to date, and the log with what it left out."""
        telemetry = self._telemetry
        self._limit_bytes = limit_bytes
        totals = self.topics().values()
        counts = {outcome: sum(topic[outcome] for topic in totals) for outcome in OUTCOMES}
        self._history.look(counts, self._clock())
        telemetry.tell_repeats()
        sender = self._sender.snapshot()
        if sender.state == "capped" and sender.waiting:
            telemetry.rate_capped(CAPPED_S)
        telemetry.in_flight_bytes(self._assignment.open_bytes, limit_bytes)
        for partition in self._assignment:
            topic, number = partition.lease.topic, partition.lease.partition
            if not self._pipeline.in_group:  # another replica may have it, and measure it, by now
                telemetry.partition_unknown(topic, number)
                continue
            if partition.lag is not None:
                telemetry.lag(topic, number, partition.lag)
            telemetry.oldest_unsettled(topic, number, self._unsettled_s(partition))

    def topics(self) -> dict[str, dict[str, int]]:
        """The books per topic. `in_flight` is counted from what is open, not worked out from the others."""
        in_flight = self._in_flight()
        return {
            topic: {
                "consumed": counts.consumed,
                "delivered": counts.delivered,
                "skipped": counts.skipped,
                "dead_lettered": counts.dead_lettered,
                "released": counts.released,
                "in_flight": in_flight.get(topic, 0),
            }
            for topic, counts in self._telemetry.counts.items()
        }

    def _in_flight(self) -> dict[str, int]:
        """By topic; 0 for one that was consumed and has nothing open."""
        counts = self._telemetry.counts
        found = dict.fromkeys(counts, 0)
        for topic, count in self._assignment.in_flight().items():
            if count:
                name = topic if topic in counts else OVERFLOW
                found[name] = found.get(name, 0) + count
        return found

    def _unsettled_s(self, partition: Partition) -> float:
        """While Kafka is silent nobody knows what waits there: something may, since it answered last."""
        return max(partition.unsettled_s(self._now_ms()), self._telemetry.kafka_silent_s)

    def _partition(self, partition: Partition) -> dict[str, object]:
        frontier = partition.frontier
        return {
            "topic": partition.lease.topic,
            "partition": partition.lease.partition,
            "epoch": partition.lease.epoch,
            "committed": partition.committed,
            "frontier": frontier.commit_offset,
            "end": partition.end,
            "lag": partition.lag,
            "open": frontier.open_count,
            "oldest_unsettled_s": self._unsettled_s(partition),
            "paused": partition.paused,
            "halted": partition.halted,
        }
