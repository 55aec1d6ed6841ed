"""A dry run of a replay: a line a record, what would be sent and what would not."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from connector.cli.letter_choice import look_at
from connector.cli.letter_views import printable
from connector.cli.looking import ANSWER_S
from connector.kafka.cases import Case
from connector.kafka.inspect import Cluster
from connector.kafka.marker import Spot
from connector.kafka.readers import LetterReader
from connector.rehearsal import Rehearsal, Rehearsed
from connector.replay import items_again
from connector.settings import Settings

GONE = "gone: the letter has no value, and the source has the record no more"


async def rehearse(settings: Settings, chosen: Sequence[Case]) -> Counter[str]:
    """Print what would become of each, in the order in which they would be read; how many of each outcome."""
    outcomes: Counter[str] = Counter()
    wanted = {case.spot: case for case in chosen}
    topic = settings.dead_letter_topic
    async with Rehearsal(settings) as rehearsal:
        with (
            look_at(settings) as letters,
            Cluster(settings.source.librdkafka(), settings.source.group_id, ANSWER_S) as source,
        ):
            reader = LetterReader(chosen, source.record)
            for stored in letters.records(topic) if chosen else ():
                case = wanted.get(Spot(stored.partition, stored.offset))
                if case is None:
                    continue
                record = reader.read(topic, stored)
                if record is None:
                    outcome, words = "gone", GONE
                else:
                    rehearsed = await rehearsal.of(record, time.time_ns() // 1_000_000)
                    outcome, words = _said(case, rehearsed)
                outcomes[outcome] += 1
                print(f"{case.record}  {printable(words)}")
    return outcomes


def _said(case: Case, rehearsed: Rehearsed) -> tuple[str, str]:
    """In a word and in a sentence, what would become of it."""
    why = f"{rehearsed.reason}: {rehearsed.detail}" if rehearsed.detail else rehearsed.reason
    match rehearsed.outcome:
        case "mapped":
            items = items_again(case, rehearsed.items)
            ids = ", ".join(item.id for item in items)
            return "sent", f"would be sent: {len(items)} of {len(rehearsed.items)} items: {ids}"
        case "skipped":
            return "skipped", f"would be skipped, and so resolved: {why}"
        case "refused":
            return "refused again", f"would be refused again: {why}"
        case "waits":
            return "waiting", f"would wait: {rehearsed.detail}"
