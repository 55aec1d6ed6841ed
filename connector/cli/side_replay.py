"""`connector run --from … --to …`: the source topics once more, between two ends, with a report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence

import structlog
import typer

from connector.app import App
from connector.cli.common import BAD_USAGE, FAILED
from connector.cli.lines import output
from connector.cli.looking import ANSWER_S, fail, told
from connector.cli.loop import fast_loop
from connector.cli.side_run import run_aside
from connector.codec.times import epoch_ms
from connector.configured import keeps_order
from connector.kafka.inspect import Cluster
from connector.kafka.ranges import At, BadRangeError, Range
from connector.kafka.readers import SourceReader
from connector.model.coordinate import Coordinate
from connector.ops import logs
from connector.settings import Settings
from connector.side import Side, group_of, ranges_between

TELL_EVERY_S = 10.0
LOOK_EVERY_S = 0.5

OUTCOMES = ("delivered", "skipped", "dead_lettered", "released", "in_flight")


def replay_source(settings: Settings, from_: str | None, to: str | None) -> int:
    """The exit code."""
    start, end = _at(from_, "--from"), _at(to, "--to")
    logs.configure(settings.logging.level, settings.logging.format)
    log = structlog.stdlib.get_logger("connector")
    group_id = group_of(settings)
    with told(), Cluster(settings.source.librdkafka(), group_id, ANSWER_S) as cluster:
        try:
            ranges = ranges_between(cluster, settings, start, end)
        except BadRangeError as error:
            fail(str(error), BAD_USAGE)
    if keeps_order(settings):
        log.warning(
            "out_of_order", consequence="later events are at the vendor; older ones may overwrite them"
        )
    log.info("side_replay", group_id=group_id, records_at_most=_size(ranges), partitions=len(ranges))
    side = Side(group_id, ranges, SourceReader())
    try:
        with asyncio.Runner(loop_factory=fast_loop) as runner:
            carrier, why = runner.run(run_aside(settings, side, _Teller(_size(ranges)), LOOK_EVERY_S))
    except (OSError, ValueError) as obstacle:
        log.error("not_started", error=str(obstacle))
        return FAILED if isinstance(obstacle, OSError) else BAD_USAGE
    with output():
        for line in report(ranges, _topics(carrier), [] if why is None else carrier.unfinished(), why):
            print(line)
    return 0 if why is None and not _differences(_topics(carrier)) else FAILED


def _at(text: str | None, option: str) -> At | None:
    if text is None:
        return None
    at: At | None = Coordinate.read(text)
    if at is None:
        at = epoch_ms(text)
    if at is None:
        what = f"{text!r} is neither TOPIC:PARTITION:OFFSET nor an RFC 3339 time (2026-11-18T14:03:07Z)"
        raise typer.BadParameter(what, param_hint=option)
    return at


class _Teller:
    """A line in the log every so often."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._next_at = time.monotonic() + TELL_EVERY_S

    def __call__(self, run: App) -> None:
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + TELL_EVERY_S
        settled = sum(topic[name] for topic in _topics(run).values() for name in OUTCOMES[:3])
        structlog.stdlib.get_logger("connector").info(
            "side_replay_goes_on", settled=settled, of_at_most=self._total, waits_on=run.status()["waits_on"]
        )


def _topics(run: App) -> Mapping[str, Mapping[str, int]]:
    topics: Mapping[str, Mapping[str, int]] = run.status()["topics"]  # type: ignore[assignment]  # as /status
    return topics


def _size(ranges: Sequence[Range]) -> int:
    """Offsets in all of them; records may be fewer, where there are holes."""
    return sum(each.end - each.start for each in ranges)


def _differences(topics: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Topics whose books do not balance."""
    balance = {name: sum(counts[each] for each in OUTCOMES) for name, counts in topics.items()}
    return [name for name, counts in topics.items() if counts["consumed"] != balance[name]]


def report(
    ranges: Sequence[Range],
    topics: Mapping[str, Mapping[str, int]],
    unfinished: Sequence[Range],
    why: str | None,
) -> Iterator[str]:
    """What was read, what became of it, whether the books balance, and where to go on if it did not end."""
    yield f"side replay of {_size(ranges):,} offsets in {len(ranges)} partitions"
    words = ("consumed", *OUTCOMES)
    names = sorted({each.topic for each in ranges})
    width = max(len(name) for name in ("topic", *names))
    yield f"{'topic':<{width}}" + "".join(f"  {word.replace('_', '-'):>13}" for word in words)
    for name in names:
        counts = topics.get(name, {})
        yield f"{name:<{width}}" + "".join(f"  {counts.get(word, 0):>13,}" for word in words)
    wrong = _differences(topics)
    if wrong:
        yield f"DOES NOT BALANCE: {', '.join(wrong)}"
    else:
        yield "balances: consumed = delivered + skipped + dead-lettered + released + in flight"
    if why is not None:
        yield f"not finished: {why}"
        for each in unfinished:
            place = f"{each.topic}:{each.partition}"
            yield f"  go on with --from {place}:{each.start} --to {place}:{each.end}"
