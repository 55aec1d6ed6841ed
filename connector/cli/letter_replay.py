"""`connector dlq replay`: sends dead letters again, through the same pipeline, and marks what got through."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from connector.cli.common import BAD_USAGE, FAILED, ConfigFile, read_settings
from connector.cli.letter_choice import (
    EventTypes,
    Reasons,
    Records,
    Since,
    Topics,
    Until,
    choice_of,
    look_at,
    read_cases,
)
from connector.cli.lines import output
from connector.cli.looking import ANSWER_S, fail, told
from connector.configured import keeps_order
from connector.kafka.cases import Case
from connector.kafka.inspect import Cluster
from connector.kafka.readers import LetterReader, ranges_of
from connector.model.coordinate import Coordinate
from connector.ops import logs
from connector.replay import MAX_REPLAYS, Replay, held_back
from connector.settings import Settings, fingerprint


def replay(
    records: Records = None,
    config: ConfigFile = None,
    reason: Reasons = None,
    topic: Topics = None,
    event_type: EventTypes = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; say what would be sent, and what would not.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most so many records, the oldest failures.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.01, metavar="N", help="At most so many records a second.")
    ] = None,
    max_replays: Annotated[
        int, typer.Option(min=1, metavar="N", help="Leave what was replayed so often already.")
    ] = MAX_REPLAYS,
    other_settings: Annotated[
        bool,
        typer.Option("--other-settings", help="Also what failed under other mapping settings than now's."),
    ] = False,
    out_of_order: Annotated[
        bool,
        typer.Option("--out-of-order", help="Needed where order is kept by key: later events are out."),
    ] = False,
) -> None:
    """Send dead letters again, to the destination they came from and to no other.

    Each goes through the same pipeline as a live record: decoded, mapped by the configuration of now, sent,
    judged. Of a partly refused event only the refused items go. What is delivered or skipped is marked as
    resolved in the dead-letter topic; what fails again has a new letter. Cut off in the middle, some are sent
    again the next time, and none is marked that was not sent. Where Kafka takes no markers it ends after half
    a minute and names what was delivered without one.

    Exit code 1 when one that was to be replayed is still open.

    \b
    Example:
      connector dlq replay -c connector.yaml --reason invalid_price --dry-run
      connector dlq replay -c connector.yaml --reason invalid_price --rate 50
      connector dlq replay -c connector.yaml orders:3:42 orders:3:57
    """
    settings = read_settings(config)
    choice = choice_of(reason, topic, event_type, since, until, records=records)
    if not dry_run and not out_of_order and keeps_order(settings):
        fail(
            f"{settings.destination.name} keeps the order per key, and later events have passed these: what "
            "is replayed now may overwrite what is newer. Look with --dry-run, then add --out-of-order",
            BAD_USAGE,
        )
    logs.configure("error" if sys.stderr.isatty() else "warning", "text")
    with told(), look_at(settings) as cluster:
        cases = [case for case in read_cases(cluster, settings).all() if choice.takes(case)]
    if missing := choice.records.difference(case.record for case in cases):
        fail(f"not an open dead letter: {', '.join(map(str, sorted(missing)))}")
    chosen, held = _chosen(cases, settings, max_replays, limit)
    others = [case for case in chosen if case.letter.settings != fingerprint(settings)]
    if others and not other_settings and not dry_run:
        fail(
            f"{len(others):,} of {len(chosen):,} failed under other mapping settings than those of now, so "
            "what is sent may differ from what was sent then. Look with --dry-run, then add --other-settings"
        )
    with output(), told():
        code = _rehearse(settings, chosen, others) if dry_run else _replay(settings, chosen, rate)
        _tell_held(held)
    raise typer.Exit(code)


def _chosen(
    cases: Sequence[Case], settings: Settings, max_replays: int, limit: int | None
) -> tuple[list[Case], Counter[str]]:
    """Those to be replayed, and why the others are not."""
    held: Counter[str] = Counter()
    chosen = []
    places: set[Coordinate] = set()
    for case in cases:
        why = held_back(case, settings.destination.name, settings.source.group_id, max_replays)
        if why is None and case.record in places:
            why = "another dead letter of the same place goes first: replay once more"
        if why is None:
            chosen.append(case)
            places.add(case.record)
        else:
            held[why] += 1
    return chosen[:limit], held


def _tell_held(held: Counter[str]) -> None:
    for why, count in held.most_common():
        print(f"held back {count:,}: {why}")


# ── a dry run ────────────────────────────────────────────────────────────────────────────────────


def _rehearse(settings: Settings, chosen: Sequence[Case], others: Sequence[Case]) -> int:
    from connector.cli.letter_rehearsal import rehearse

    outcomes = asyncio.run(rehearse(settings, chosen))
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.most_common())
    print(f"a dry run, nothing was sent: {len(chosen):,} records{': ' if counts else ''}{counts}")
    if others:
        print(f"{len(others):,} failed under other mapping settings: the replay will want --other-settings")
    if keeps_order(settings):
        print("this destination keeps the order per key: the replay will want --out-of-order")
    return 0


# ── for good ─────────────────────────────────────────────────────────────────────────────────────


def _replay(settings: Settings, chosen: Sequence[Case], rate: float | None) -> int:
    from connector.cli.loop import fast_loop
    from connector.cli.progress import shown
    from connector.cli.side_run import run_aside
    from connector.side import Side, group_of

    if not chosen:
        print("nothing to replay")
        return 0
    topic = settings.dead_letter_topic
    books = Replay(chosen, topic)
    group_id = group_of(settings)
    with Cluster(
        settings.source.librdkafka(), group_id, ANSWER_S
    ) as source:  # the feed's thread asks it alone
        reader = LetterReader(chosen, source.record)
        side = Side(group_id, ranges_of(topic, chosen), reader, books, rate, serves=False)
        try:
            with (
                asyncio.Runner(loop_factory=fast_loop) as runner,
                shown("replayed", len(chosen), lambda _: books.done) as (show, every_s),
            ):
                _, why = runner.run(run_aside(settings, side, show, every_s))
        except (OSError, ValueError) as obstacle:
            fail(str(obstacle), FAILED if isinstance(obstacle, OSError) else BAD_USAGE)
    return _report(books, reader, why)


def _report(books: Replay, reader: LetterReader, why: str | None) -> int:
    resolved = books.delivered + books.skipped.total()
    unmarked = books.unmarked()
    left = books.chosen_count - books.done - reader.unreadable - len(unmarked)
    print(
        f"replayed {books.done:,} of {books.chosen_count:,}: {books.delivered:,} delivered"
        f", {books.skipped.total():,} skipped{_reasons(books.skipped)}"
        f", {books.again.total():,} failed again{_reasons(books.again)}"
    )
    if reader.unreadable:
        print(
            f"{reader.unreadable:,} can't be: the letter has no value, and the source has the record no more"
        )
    if left:
        print(f"{left:,} left as they were: {why or 'their letters were deleted meanwhile'}")
    if unmarked:
        print(
            f"{len(unmarked):,} were delivered but not marked, so the next replay sends them again: "
            f"{why or 'it was cut off'}"
        )
        for record in unmarked:
            print(f"not marked: {record}")
    return 0 if resolved == books.chosen_count else FAILED


def _reasons(counts: Counter[str]) -> str:
    return (
        f" ({', '.join(f'{reason} {count:,}' for reason, count in counts.most_common())})" if counts else ""
    )
