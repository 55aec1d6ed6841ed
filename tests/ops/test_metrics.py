"""The table of metrics, and the numbers behind it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from connector.ops.metrics import (
    METRICS,
    OVERFLOW,
    SERIES_MAX,
    Exposition,
    Histogram,
    Metric,
    Metrics,
    Series,
)

PROMISED = """
records_consumed_total{topic} records_settled_total{topic,outcome,reason} records_in_flight{topic}
records_released_total{topic} adjustments_total{kind} in_flight_bytes in_flight_bytes_limit
requests_total{verdict,status} request_duration_seconds batch_items batch_bytes requests_in_flight
concurrency_limit retries_total{reason} breaker_state halted{reason} delivery_delay_seconds
consumer_lag{topic,partition} kafka_up scalable_lag oldest_unsettled_seconds{topic,partition}
topic_retention_seconds{topic}
commits_total{result}
rebalances_total{kind} paused_partitions stalled_partitions dead_letters_total{reason}
dead_letter_writes_total{result}
loop_delay_seconds schema_registry_requests_total{result} build_info{version}
"""
"""What dashboards and alerts are built on; `destination` comes to each."""


def test_the_table_is_what_dashboards_are_built_on() -> None:
    """A metric that is renamed, relabelled or gone breaks somebody's alert."""
    promised = dict(re.findall(r"(\w+)(?:\{([\w,]+)\})?", PROMISED))
    assert {metric.name: ",".join(metric.labels) for metric in METRICS} == promised


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: str(metric.name))
def test_every_metric_is_named_and_explained_as_is_usual(metric: Metric) -> None:
    """Counters end in _total and nothing else does; help is a sentence; preset labels fit."""
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert metric.help.endswith(".")
    assert all(len(labels) == len(metric.labels) for labels in metric.preset)
    assert (metric.kind == "histogram") == bool(metric.buckets)
    assert list(metric.buckets) == sorted(set(metric.buckets))


@given(st.lists(st.floats(0, 2000, allow_nan=False)))
def test_a_histogram_counts_as_prometheus_does(values: list[float]) -> None:
    """A bucket holds the values up to and including its bound; +Inf holds all."""
    bounds = (0.5, 1, 10, 1000)
    histogram = Histogram(bounds)
    for value in values:
        histogram.observe(value)
    expected = [float(sum(value <= bound for value in values)) for bound in (*bounds, float("inf"))]
    assert [count for _, count in histogram.cumulative()] == expected
    assert histogram.total == pytest.approx(sum(values))


@given(st.lists(st.integers(-100, 2_000_000)))
def test_a_histogram_takes_milliseconds_by_the_batch(values: list[int]) -> None:
    """As if each had been counted alone, in seconds, and none below 0."""
    alone, batch = Histogram((0.5, 1, 10, 1000)), Histogram((0.5, 1, 10, 1000))
    for value in values:
        alone.observe(max(0, value) / 1000)
    batch.observe_ms(values)
    assert batch.counts == alone.counts
    assert batch.total == pytest.approx(alone.total)


def test_a_scrape_parses_and_carries_the_destination_everywhere() -> None:
    """The text is valid, every row of the table is there, and `destination` is a label of each sample."""
    metrics = Metrics()
    metrics.series("records_settled_total").add(('or"d\\ers\n', "delivered", ""), 3)
    metrics.series("consumer_lag").set(("orders", 7), 12)
    metrics.histogram("batch_items").observe(50)
    families = {
        family.name: family
        for family in text_string_to_metric_families(Exposition(metrics, "topsort").text().decode())
    }
    for metric in METRICS:
        family = families["connector_" + metric.name.removesuffix("_total")]
        assert family.type == metric.kind
        assert all(sample.labels["destination"] == "topsort" for sample in family.samples)
    (settled,) = families["connector_records_settled"].samples
    assert settled.labels["topic"] == 'or"d\\ers\n'
    assert settled.value == 3
    (lag,) = families["connector_consumer_lag"].samples
    assert lag.labels["partition"] == "7"
    assert "process_resident_memory_bytes" in families


def test_a_derived_gauge_is_worked_out_when_scraped() -> None:
    """Nothing is kept for it in between."""
    metrics = Metrics()
    value = 1.0
    metrics.derive("scalable_lag", lambda: {(): value})
    value = 2.0
    assert b'connector_scalable_lag{destination="d"} 2.0' in Exposition(metrics, "d").text()


def test_labels_are_bounded_and_the_sum_stays_right() -> None:
    """Beyond the bound, counters share one entry and new gauges are left out."""
    counter = Series(Metric("x_total", "counter", "X.", ("topic",)))
    gauge = Series(Metric("x", "gauge", "X.", ("topic",)))
    for number in range(SERIES_MAX + 500):
        counter.add((f"t{number}",))
        gauge.set((f"t{number}",), 1)
    assert len(counter.values) == SERIES_MAX + 1
    assert sum(counter.values.values()) == SERIES_MAX + 500
    assert counter.values[(OVERFLOW,)] == 500
    assert len(gauge.values) == SERIES_MAX
    counter.add(("t1",))
    assert counter.values[("t1",)] == 2
