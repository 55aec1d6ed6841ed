"""Of what Kafka's client says again and again, a line a cause: a broker that is away is 25 lines a second."""

from __future__ import annotations

import copy
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator

from connector.ops.repeats import Line, Repeats

LOGGER = "connector.kafka"
"""Where librdkafka's own lines go, and what it tells by its callback for errors."""

PERIOD_S = 60.0
"""What lasts is told this often, with its count. That Kafka is away we tell ourselves, in one line."""

TOLD_WITH = ("left_out", "last_s_ago")
"""Beside a line that stands for others: how many others, and how long ago it came."""

PLAIN = (
    # FAIL [client's name] [thrd:127.0.0.1:9092/1]: …; without it stands what the callback is told, too.
    (re.compile(r"^[A-Z0-9_]+ \[[^\]]*\] \[thrd:.*?\]: "), ""),
    # A broker is the same before and after its number is known.
    (re.compile(r"(:\d+)/(?:bootstrap|\d+)\b"), r"\1"),
    # (after 12ms in state CONNECT, 30 identical error(s) suppressed), (#12)
    (re.compile(r"\(s\)"), "s"),
    (re.compile(r" ?\([^()]*\d[^()]*\)"), ""),
    # A name may have several addresses, tried in turn.
    (re.compile(r"ipv[46]#\S+"), "address"),
    # Numbers that are no part of a name, a version or an address.
    (re.compile(r"(?<![\w.:-])\d+(?:ms|s)?(?!\w|[.:-]\w)"), "N"),
)
"""What says nothing about a cause, and what stands there instead."""


def cause(text: str) -> str:
    """What a line of Kafka's client is about: equal for lines that differ in times, counts and who says it.
    The broker's address stays: another broker is another cause."""
    for pattern, instead in PLAIN:
        text = pattern.sub(instead, text)
    return text


class KafkaLines(logging.Filter):
    """Lets the first line of a cause through at once, then one in `PERIOD_S`, which bears the count of the
    others.

    Asked from any thread. Debug lines all pass: who asked for them wants them. `due` has what was left out
    and is told now; what it gives passes the filter.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._repeats = Repeats(PERIOD_S)

    def filter(self, record: logging.LogRecord) -> bool:
        """True if this line may be written."""
        if record.name != LOGGER or record.levelno < logging.INFO or hasattr(record, "last_s_ago"):
            return True
        now = self._clock()
        line = Line("warning", LOGGER, {"record": record, "at": now}, cause(record.getMessage()))
        with self._lock:
            return self._repeats.admit(line, now)

    def due(self, *, at_the_end: bool = False) -> Iterator[logging.LogRecord]:
        """The last line of each cause whose time has come. Ask about once a second."""
        now = self._clock()
        with self._lock:
            lines = [*self._repeats.due(math.inf if at_the_end else now)]
        for line, left_out in lines:
            record = copy.copy(line.words["record"])
            at = line.words["at"]
            assert isinstance(record, logging.LogRecord)
            assert isinstance(at, float)
            record.last_s_ago = round(now - at, 1)
            if left_out:
                record.left_out = left_out
            yield record
