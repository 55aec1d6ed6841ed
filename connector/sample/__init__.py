"""Believable canonical events by seed: what a shop's order and clickstream topics carry.

Decides only: the same arguments give the same events, byte for byte, on every machine.

A *visit* is one shopper's stay, told as a generator of events (`stories`). Many visits are open at a time and
take turns, so events of one shopper keep their order while those of all shoppers are mixed, as on a real
topic. A purchase lives on after its visit: it is updated, delivered, sometimes cancelled or refunded.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from connector.sample.shop import Json, Shop
from connector.sample.stories import STORIES, Kind
from connector.sample.visit import Clock

NOW_MS = 1_748_858_400_000
"""2025-06-02T10:00:00Z, the moment the events lead up to when no other is given: long past on any clock, so
that no event of a repeatable run ever lies in the future."""

STEP_MS = 40
"""Time between two events of the whole shop: 25 a second."""

OPEN_VISITS = 48
"""Visits that take turns."""


def generate(count: int, seed: int = 1, kind: Kind = "both", now_ms: int = NOW_MS) -> Iterator[Json]:
    """`count` events, each a JSON-ready dict, ending shortly before `now_ms`.

    All are valid canonical events. Read them only: what events of one visit share (the user, the device) is
    one dict.
    """
    rng = Random(f"{seed} {kind}")
    shop = Shop(rng)
    story = STORIES[kind]
    clock = Clock(now_ms - 60_000 - count * STEP_MS)
    visits = [story(shop, clock) for _ in range(OPEN_VISITS)]
    for _ in range(count):
        clock.now_ms += STEP_MS
        turn = shop.below(OPEN_VISITS)
        event = next(visits[turn], None)
        while event is None:
            visits[turn] = story(shop, clock)
            event = next(visits[turn], None)
        yield event
