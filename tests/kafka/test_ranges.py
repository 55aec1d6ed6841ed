"""Two ends make a range of each partition, or say why not."""

from __future__ import annotations

import pytest

from connector.kafka.ranges import At, BadRangeError, Range, bounded, chosen
from connector.model.coordinate import Coordinate

PLACE = ("orders", 0)
PLACES = {("orders", 0): 2, ("orders", 1): 2, ("clicks", 0): 1}


@pytest.mark.parametrize(
    ("start", "end", "places"),
    [
        (1, None, ["clicks:0", "orders:0", "orders:1"]),
        (None, 2, ["clicks:0", "orders:0", "orders:1"]),
        (Coordinate("orders", 1, 5), None, ["orders:1"]),
        (Coordinate("orders", 1, 5), Coordinate("orders", 1, 9), ["orders:1"]),
        (7, Coordinate("orders", 1, 9), ["orders:1"]),
    ],
)
def test_a_coordinate_names_its_partition_and_a_time_all(
    start: At | None, end: At | None, places: list[str]
) -> None:
    assert [f"{topic}:{number}" for topic, number in chosen(PLACES, start, end)] == places


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (Coordinate("orders", 1, 5), Coordinate("orders", 0, 9), "different partitions"),
        (Coordinate("orders", 2, 5), None, "orders:2 is no partition"),
        (5, 5, "not before"),
    ],
)
def test_what_makes_no_range_is_told(start: At | None, end: At | None, says: str) -> None:
    with pytest.raises(BadRangeError, match=says):
        chosen(PLACES, start, end)


@pytest.mark.parametrize(
    ("start", "end", "range_"),
    [
        (None, None, (10, 90)),
        (Coordinate(*PLACE, 20), None, (20, 90)),
        (None, Coordinate(*PLACE, 20), (10, 20)),
        (Coordinate(*PLACE, 20), Coordinate(*PLACE, 1_000), (20, 90)),
        (Coordinate(*PLACE, 95), None, (95, 95)),
        (Coordinate(*PLACE, 30), Coordinate(*PLACE, 20), (30, 30)),
        (1_000, None, (40, 90)),
        (1_000, 2_000, (40, 60)),
        (3_000, None, (90, 90)),
        (None, 3_000, (10, 90)),
    ],
)
def test_a_range_is_within_what_kafka_has_now(
    start: At | None, end: At | None, range_: tuple[int, int]
) -> None:
    """A time after the last record is the end; what is not there yet is left out; nothing is less than
    nothing."""
    times = {1_000: {PLACE: 40}, 2_000: {PLACE: 60}}
    starts_at = times.get(start, {}) if isinstance(start, int) else {}
    ends_at = times.get(end, {}) if isinstance(end, int) else {}
    assert bounded(PLACE, (10, 90), start, end, starts_at, ends_at) == Range(*PLACE, *range_)


def test_what_kafka_no_longer_has_is_not_left_out_in_silence() -> None:
    """Somebody who names a record wants that one."""
    with pytest.raises(BadRangeError, match="no longer has orders:0:9: the partition begins at 10"):
        bounded(PLACE, (10, 90), Coordinate(*PLACE, 9), None, {}, {})
