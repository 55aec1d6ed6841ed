"""`docs/sizing.md`: its table is computed here again by its formula, from code and benchmarks."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from connector.delivery.sender import WAITING_PER_REQUEST
from connector.kafka.properties import PREFETCH_SHARE
from connector.settings.model import DeliverySettings, LimitsSettings
from connector.settings.reference import example_options
from connector.vendors import DESTINATIONS

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "sizing.md").read_text()

HEADROOM = 2
"""As the page says: a backlog is worked off in as long as it took to grow."""

EVENT_BYTES = 1100
"""As in the benchmarks; the items made of an event are about as large, which makes it twice."""

MIB = 1 << 20


class Row(NamedTuple):
    """What the page tells of one example, in its columns' order."""

    destination: str
    latency_ms: int
    in_flight: int
    a_request: int
    wire: int
    cpu: int
    events: int
    replicas: int
    held_mib: int


def told() -> list[Row]:
    """The rows of the page."""
    cells = re.findall(r"^\| `([a-z-]+)` \| ((?:[\d,]+ \| ){7}[\d,]+) \|$", PAGE, re.MULTILINE)
    return [Row(name, *(int(each.replace(",", "")) for each in rest.split(" | "))) for name, rest in cells]


def cpu_us(job: str) -> int:
    """The most that an event took of the connector in a job of the published run, in whole tens."""
    rows = re.findall(
        rf"^\| {job} +\| connector \|(?:[^|]*\|){{4}} *([\d.]+) *\|",
        (DOCS / "benchmarks.md").read_text(),
        re.MULTILINE,
    )
    return math.ceil(max(map(float, rows)) / 10) * 10


def sized(row: Row) -> Row:
    """The same example, computed."""
    kind = DESTINATIONS[row.destination]
    limits = kind(kind.Options(**example_options(kind.Options))).limits
    a_request = min([limits.items_max, *limits.per_kind.values()])
    wire = row.in_flight * a_request * 1000 / row.latency_ms
    if limits.requests_per_second is not None:
        wire = min(wire, limits.requests_per_second * a_request)
    cpu = 1_000_000 / cpu_us("one" if a_request == 1 else "batch")
    batches = (1 + WAITING_PER_REQUEST) * row.in_flight
    return row._replace(
        a_request=a_request,
        wire=int(wire),
        cpu=int(round(cpu, -2)),
        replicas=math.ceil(HEADROOM * row.events / min(wire, cpu)),
        held_mib=math.ceil(batches * a_request * 2 * EVENT_BYTES / MIB),
    )


@pytest.mark.parametrize("row", told(), ids=lambda row: f"{row.destination}-{row.latency_ms}ms")
def test_a_row_is_what_its_formula_gives(row: Row) -> None:
    """With the destination's own limits, and the CPU time of the published run."""
    assert sized(row) == row


def test_the_table_has_every_destination() -> None:
    """And shows the default of requests in flight for each."""
    default = DeliverySettings.model_fields["max_in_flight"].default
    assert {row.destination for row in told() if row.in_flight == default} == set(DESTINATIONS)


def test_the_figures_in_its_sentences_are_the_codes() -> None:
    """Defaults and shares are written out, because a reader wants to compute without looking them up."""
    memory_mib = LimitsSettings.model_fields["memory_mib"].default
    budget_mib = int(memory_mib * (1 - PREFETCH_SHARE))
    ahead = LimitsSettings.model_fields["ahead_max"].default
    for sentence in (
        f"{cpu_us('batch')} µs of CPU an event with batches and {cpu_us('one')} µs without",
        f"`limits.memory_mib` ({memory_mib})",
        f"{budget_mib} MiB of them are the budget",
        f"{1 + WAITING_PER_REQUEST} × requests in flight",
        f"`limits.ahead_max` ({ahead:,} records)",
        f"`delivery.max_in_flight` ({DeliverySettings.model_fields['max_in_flight'].default})",
    ):
        assert sentence in PAGE, sentence
