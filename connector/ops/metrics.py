"""Every metric there is, in one table, and the plain numbers behind them.

The hot path adds to integers; names, labels and text are put together only when somebody scrapes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from connector.model.outcome import HALT_REASONS, RETRY_REASONS

PREFIX = "connector_"
SERIES_MAX = 5000
"""Label combinations one metric may have; topics and partitions are the only labels that grow. What does not
fit is counted under `OVERFLOW`, so that the sum stays right."""
OVERFLOW = "overflow"

Labels = tuple[str | int, ...]


class Metric(msgspec.Struct, frozen=True):
    """One row of the table. `name` is without prefix; `preset` are the label values that are shown as 0 from
    the start, so that a rate over them is never empty; `buckets` are upper bounds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    preset: tuple[Labels, ...] = ()
    buckets: tuple[float, ...] = ()


def _each(words: Iterable[str]) -> tuple[Labels, ...]:
    return tuple((word,) for word in sorted(words))


_NOTHING_YET: tuple[Labels, ...] = ((),)

SECONDS_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SECONDS_DELAY = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 21600, 86400)
SECONDS_LOOP = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)
ITEMS = (1, 2, 5, 10, 25, 50, 100, 200, 500, 1000)
BYTES = (1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 5e5, 1e6, 5e6)

METRICS: tuple[Metric, ...] = (
    Metric("records_consumed_total", "counter", "Records taken from Kafka.", ("topic",)),
    Metric(
        "records_settled_total",
        "counter",
        "Records that got their outcome; reason is empty when delivered.",
        ("topic", "outcome", "reason"),
    ),
    Metric("records_in_flight", "gauge", "Records taken from Kafka and not settled yet.", ("topic",)),
    Metric(
        "records_released_total",
        "counter",
        "Records handed back unsettled with a revoked partition; its new owner reads them again.",
        ("topic",),
    ),
    Metric(
        "adjustments_total",
        "counter",
        "Changes made to events on the way that do not change their outcome.",
        ("kind",),
    ),
    Metric(
        "in_flight_bytes",
        "gauge",
        "Bytes held by everything in flight; what Kafka's client fetched ahead is not among them.",
        (),
        _NOTHING_YET,
    ),
    Metric(
        "in_flight_bytes_limit",
        "gauge",
        "The byte budget above which partitions are paused: limits.memory_mib less what is fetched ahead.",
        (),
        _NOTHING_YET,
    ),
    Metric(
        "requests_total",
        "counter",
        "Requests to the vendor, probes among them, by what their answer meant; status is the number, "
        "timeout or connection.",
        ("verdict", "status"),
    ),
    Metric(
        "request_duration_seconds",
        "histogram",
        "Time from sending a request to its answer or silence.",
        buckets=SECONDS_REQUEST,
    ),
    Metric("batch_items", "histogram", "Items in a request that carries any.", buckets=ITEMS),
    Metric("batch_bytes", "histogram", "Bytes of such a request's body.", buckets=BYTES),
    Metric("requests_in_flight", "gauge", "Requests open at the vendor.", (), _NOTHING_YET),
    Metric(
        "concurrency_limit",
        "gauge",
        "Requests that may be open at once; adapts to the vendor.",
        (),
        _NOTHING_YET,
    ),
    Metric(
        "retries_total",
        "counter",
        "Batches that were put back to be sent again.",
        ("reason",),
        _each(RETRY_REASONS),
    ),
    Metric("breaker_state", "gauge", "0 closed, 1 half-open, 2 open.", (), _NOTHING_YET),
    Metric("halted", "gauge", "1 while halted for this reason.", ("reason",), _each(HALT_REASONS)),
    Metric(
        "delivery_delay_seconds",
        "histogram",
        "From a record's Kafka timestamp to its outcome.",
        buckets=SECONDS_DELAY,
    ),
    Metric("consumer_lag", "gauge", "Log end minus committed offset.", ("topic", "partition")),
    Metric(
        "scalable_lag",
        "gauge",
        "Lag that more replicas would help with: 0 while halted, breaker open, gated or at the rate cap.",
        (),
        _NOTHING_YET,
    ),
    Metric(
        "oldest_unsettled_seconds",
        "gauge",
        "Age, by Kafka timestamp, of the record at the frontier, 0 if none waits. For one that was not read "
        "yet, the time since it is known; while Kafka is silent, at least the time since it answered.",
        ("topic", "partition"),
    ),
    Metric(
        "topic_retention_seconds",
        "gauge",
        "How long Kafka keeps a topic's records (retention.ms); no series where that is for ever or unknown.",
        ("topic",),
    ),
    Metric("kafka_up", "gauge", "1 while Kafka answers questions, 0 while it does not.", (), _NOTHING_YET),
    Metric("commits_total", "counter", "Offset commits.", ("result",), _each(("ok", "failed"))),
    Metric(
        "rebalances_total",
        "counter",
        "Assignments, revocations and losses of partitions.",
        ("kind",),
        _each(("assigned", "revoked", "lost")),
    ),
    Metric("paused_partitions", "gauge", "Partitions paused by backpressure or a halt.", (), _NOTHING_YET),
    Metric(
        "stalled_partitions",
        "gauge",
        "Partitions whose frontier has not moved for two minutes though records are open and nothing known "
        "holds them.",
        (),
        _NOTHING_YET,
    ),
    Metric("dead_letters_total", "counter", "Records that became dead letters.", ("reason",)),
    Metric(
        "dead_letter_writes_total",
        "counter",
        "Writes to the dead-letter topic.",
        ("result",),
        _each(("ok", "failed")),
    ),
    Metric(
        "loop_delay_seconds",
        "histogram",
        "How much later than asked a timer of the event loop fired.",
        buckets=SECONDS_LOOP,
    ),
    Metric(
        "schema_registry_requests_total",
        "counter",
        "Schema lookups.",
        ("result",),
        _each(("ok", "failed", "cached", "not_found")),
    ),
    Metric("build_info", "gauge", "Always 1; the labels tell what runs.", ("version",)),
)

# ── the numbers ──────────────────────────────────────────────────────────────────────────────────


class Series:
    """The values of one counter or gauge, by label values. Never more than `SERIES_MAX` of them."""

    __slots__ = ("_overflow", "values")

    def __init__(self, metric: Metric) -> None:
        self.values: dict[Labels, float] = dict.fromkeys(metric.preset, 0)
        self._overflow: Labels = (OVERFLOW,) * len(metric.labels)

    def add(self, labels: Labels, count: int = 1) -> None:
        """Count up."""
        values = self.values
        if labels in values:
            values[labels] += count
        elif len(values) < SERIES_MAX:
            values[labels] = count
        else:
            values[self._overflow] = values.get(self._overflow, 0) + count

    def set(self, labels: Labels, value: float) -> None:
        """Say what is now. A new combination beyond the bound is left out: a sum of gauges means nothing."""
        if labels in self.values or len(self.values) < SERIES_MAX:
            self.values[labels] = value

    def forget(self, labels: Labels) -> None:
        """Stop showing a value, because what it spoke of is no longer ours."""
        self.values.pop(labels, None)


class Histogram:
    """How often values fell under each bound; one bisect and two additions an observation."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_ms(self, values_ms: Sequence[int]) -> None:
        """Count values in milliseconds, for bounds in seconds. A batch of much the same values, which is the
        rule, costs little more than one. What lies in the future, by a clock that is wrong, counts as 0."""
        if not values_ms:
            return
        least, most = min(values_ms), max(values_ms)
        if least < 0:
            values_ms = [max(0, value) for value in values_ms]
            least, most = max(0, least), max(0, most)
        bucket = bisect_left(self.bounds, least / 1000)
        if bucket == bisect_left(self.bounds, most / 1000):
            self.counts[bucket] += len(values_ms)
        else:
            for value in values_ms:
                self.counts[bisect_left(self.bounds, value / 1000)] += 1
        self.total += sum(values_ms) / 1000

    def cumulative(self) -> list[tuple[str, float]]:
        """Prometheus' form: each bound with the number of values up to it, `+Inf` last."""
        seen = 0
        rows = []
        for bound, count in zip((*map(repr, map(float, self.bounds)), "+Inf"), self.counts, strict=True):
            seen += count
            rows.append((bound, float(seen)))
        return rows


Derived = Callable[[], Mapping[Labels, float]]


class Metrics:
    """All numbers of the table. `derive` names the ones that are worked out from others when scraped."""

    def __init__(self, table: Sequence[Metric] = METRICS) -> None:
        self.table = table
        self._series = {metric.name: Series(metric) for metric in table if metric.kind != "histogram"}
        self._histograms = {metric.name: Histogram(metric.buckets) for metric in table if metric.buckets}
        self._derived: dict[str, Derived] = {}

    def series(self, name: str) -> Series:
        """The counter or gauge of that row."""
        return self._series[name]

    def histogram(self, name: str) -> Histogram:
        """The histogram of that row."""
        return self._histograms[name]

    def derive(self, name: str, read: Derived) -> None:
        """Take this gauge's values from `read` at every scrape."""
        assert name in self._series, name
        self._derived[name] = read

    def values(self, name: str) -> Mapping[Labels, float]:
        """What a scrape would show now for a counter or gauge."""
        read = self._derived.get(name)
        return read() if read else self._series[name].values


# ── the scrape ───────────────────────────────────────────────────────────────────────────────────


class Scrape(Collector):
    """Turns the numbers into Prometheus' form; `destination` is a label of every one of them."""

    def __init__(self, metrics: Metrics, destination: str) -> None:
        self._metrics = metrics
        self._destination = destination

    def collect(self) -> Iterator[Family]:
        """All metrics, in the table's order."""
        for metric in self._metrics.table:
            if metric.kind == "histogram":
                yield self._histogram(metric)
            else:
                yield self._plain(metric)

    def describe(self) -> list[Family]:
        """Nothing to compare at registration: the registry is ours alone."""
        return []

    def _plain(self, metric: Metric) -> Family:
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(PREFIX + metric.name, metric.help, labels=("destination", *metric.labels))
        for labels, value in self._metrics.values(metric.name).items():
            family.add_metric([self._destination, *map(str, labels)], value)
        return family

    def _histogram(self, metric: Metric) -> Family:
        histogram = self._metrics.histogram(metric.name)
        family = HistogramMetricFamily(PREFIX + metric.name, metric.help, labels=("destination",))
        family.add_metric([self._destination], histogram.cumulative(), histogram.total)
        return family


class Exposition:
    """The body of `/metrics`: our table, and what the process and its garbage collector use."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, metrics: Metrics, destination: str) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Scrape(metrics, destination))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self) -> bytes:
        """What a scraper gets now."""
        return generate_latest(self._registry)
