"""What goes wrong in a demo: at the vendor, in Kafka, at the producers. Decides only: no socket, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

import msgspec

VENDOR: Sequence[tuple[str, int, str]] = (
    ("500:burst=1", 37, "answers 500"),
    ("503:burst=1", 29, "answers 503"),
    ("503_after:burst=1", 41, "stores it, and answers 503"),
    ("429:burst=2:retry_after=1", 131, "answers 429, come back in a second; twice running"),
    ("reset:burst=1", 43, "resets the connection"),
    ("reset_after:burst=1", 47, "stores it, and resets the connection"),
    ("hang:burst=1:seconds=3", 89, "never answers"),
    ("hang_after:burst=1:seconds=3", 97, "stores it, and never answers"),
    ("slow:burst=1:seconds=0.3", 31, "stores it, and answers late"),
    ("truncated:burst=1", 53, "stores it, and breaks off in its answer"),
)
"""Faults in the words of `faults.py`, once in how many requests that carry a batch, and what the vendor does
then. Primes, so that they seldom meet, and in a run of 10,000 events every one occurs."""

POISON = "refuses an id whenever it comes"

REQUESTS_PER_BATCH = 15
"""Where a request carries one event there are so many more of them, and faults are as much rarer."""

KAFKA = {
    "commit": "refuses a commit: a rebalance is under way",
    "fetch": "refuses a fetch, and breaks the next one off",
    "broker": "one of three brokers is away for half a second",
}

PRODUCERS = {
    "undecodable": "bytes that are no event",
    "wrong_type": "a text where a group of fields belongs",
    "missing_field": "no event id",
    "not_a_number": "a quantity of NaN",
    "year_9999": "a time in the year 9999",
    "tombstone": "no value",
    "repeat": "the record before, once more",
}
"""Kind of record, as `traffic.py` calls it, and what is wrong with it."""

NOT_HERE = "a connector that is killed, rebalances, an outage of the registry, a key that expires"
"""What a demo leaves to the tests."""


class Injected(msgspec.Struct, frozen=True):
    """One kind of trouble, and how often it came in a run; `seldom` says why it may never come."""

    where: str
    kind: str
    words: str
    count: int
    seldom: str


def vendor_faults(one_event: bool, poison: Iterable[str]) -> str:
    """The SPEC for a vendor's stand-in. `one_event`: a request carries only one."""
    rules = []
    for fault, every, _ in VENDOR:
        kind, burst, *settings = fault.split(":")
        rules.append(":".join([kind, f"{burst}/{every * _rarer(one_event)}", *settings]))
    return ",".join([*rules, *(f"poison:{quote(each)}" for each in sorted(poison))])


def injected(
    one_event: bool,
    requests: int,
    poisoned: int,
    vendor: Mapping[str, int],
    kafka: Mapping[str, int],
    producers: Mapping[str, int],
) -> list[Injected]:
    """Every kind with its count, those that never came too."""
    told = []
    for fault, every, words in VENDOR:
        kind = fault.partition(":")[0]
        seldom = f"one in {every * _rarer(one_event):,} requests, {requests:,} came"
        told.append(Injected("vendor", kind, words, vendor.get(kind, 0), seldom))
    told.append(Injected("vendor", "poison", POISON, vendor.get("poison", 0), f"{poisoned:,} such ids"))
    for kind, words in KAFKA.items():
        told.append(Injected("Kafka", kind, words, kafka.get(kind, 0), "it was over too soon"))
    for kind, words in PRODUCERS.items():
        told.append(Injected("producer", kind, words, producers.get(kind, 0), "too few records"))
    return told


def _rarer(one_event: bool) -> int:
    return REQUESTS_PER_BATCH if one_event else 1
