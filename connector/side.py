"""A run beside the live one: what it reads instead of joining the group, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.kafka.inspect import Cluster
from connector.kafka.ranges import At, Range, Reader, bounded, chosen
from connector.replay import Replay
from connector.settings import Settings
from connector.settings.checks import covers


class Side(msgspec.Struct, frozen=True):
    """What `App` needs to know of such a run.

    `replay` keeps its books when dead letters are replayed; `rate` is the most records a second; `serves`:
    health, metrics and status are served as usual.
    """

    group_id: str
    ranges: Sequence[Range]
    reader: Reader
    replay: Replay | None = None
    rate: float | None = None
    serves: bool = True


def group_of(settings: Settings) -> str:
    """The group that a side run names itself. It joins none and commits nothing; brokers that ask for a right
    to a group are asked about this one, never about the live one."""
    return f"{settings.source.group_id}.side"


def ranges_between(cluster: Cluster, settings: Settings, start: At | None, end: At | None) -> list[Range]:
    """What the source topics hold between these two, the end excluded; None is their beginning, and now.

    Raises BadRangeError, and ClusterError when Kafka gives no answer.
    """
    places = {
        (topic, number): partitions
        for topic, partitions in cluster.topics().items()
        if any(covers(each, topic) for each in settings.source.topics)
        for number in range(partitions)
    }
    wanted = chosen(places, start, end)
    starts_at = cluster.offsets_at(wanted, start) if isinstance(start, int) else {}
    ends_at = cluster.offsets_at(wanted, end) if isinstance(end, int) else {}
    return [bounded(place, cluster.edges(*place), start, end, starts_at, ends_at) for place in wanted]
