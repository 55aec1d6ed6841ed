"""Log lines: JSON for machines, text for people, UTC, bounded in number, and never a credential in one.

Our own lines and those of libraries (aiohttp, Kafka's client) take the same way out.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, TextIO
from urllib.parse import quote

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from connector.ops.kafka_lines import TOLD_WITH, KafkaLines

HIDDEN = "**********"
SECRETS_MAX = 64
SECRET_LENGTH_MIN = 4
"""A shorter secret is no secret, and hiding every "a" would make logs unreadable."""

CUT_LENGTH_MIN = 6
"""So much of a secret is hidden at the end of a text, where the rest of it may have been cut off. With fewer
characters many an innocent word would go."""

LINES_PER_S = 10.0
LINES_BURST = 200
"""What each logger may write at each level in a storm: some 200 MB a day. A calm connector writes a few a
minute; our own happenings are counted long before this (`ops.repeats`), libraries' are not."""

DEBUG_FACTOR = 10
"""At debug there is a line a request, which is what somebody wanted who asked for it."""

LOGGERS_MAX = 64
"""Loggers with a budget of their own; the others share one."""

Level = Literal["debug", "info", "warning", "error"]


class Redactor:
    """Replaces known credentials in text, however they were encoded on the way: as they are, in JSON, in an
    address, in Basic authentication; cut off at the text's end, too. Remembers the last `SECRETS_MAX`, as
    keys are rotated."""

    def __init__(self) -> None:
        self._forms: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._longest_first: list[str] = []
        self._pattern: re.Pattern[str] | None = None

    def register(self, value: str) -> None:
        """From now on, hide this value."""
        if len(value) < SECRET_LENGTH_MIN or value in self._forms:
            return
        self._forms[value] = _forms(value)
        if len(self._forms) > SECRETS_MAX:
            self._forms.popitem(last=False)
        self._longest_first = sorted(
            {form for forms in self._forms.values() for form in forms}, key=len, reverse=True
        )
        self._pattern = re.compile("|".join(map(re.escape, self._longest_first)))

    def redact(self, text: str) -> str:
        """The text without any registered value."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(HIDDEN, text)
        cut_at = min((_cut_at(text, form) for form in self._longest_first), default=len(text))
        return text if cut_at == len(text) else text[:cut_at] + HIDDEN


def _cut_at(text: str, form: str) -> int:
    """Where the text's last word begins that may go on as this secret; its length if there is none."""
    at = max(0, len(text) - len(form) + 1)
    while (at := text.find(form[:CUT_LENGTH_MIN], at)) >= 0:
        if form.startswith(text[at:]):
            return at
        at += 1
    return len(text)


def _forms(value: str) -> frozenset[str]:
    plain_base64 = base64.b64encode(value.encode()).decode()
    return frozenset(
        {
            value,
            json.dumps(value)[1:-1],
            orjson.dumps(value).decode()[1:-1],
            quote(value, safe=""),
            quote(value),
            repr(value)[1:-1],
            plain_base64,
            *(_base64_within(value.encode(), before) for before in range(3)),
        }
    )


def _base64_within(value: bytes, before: int) -> str:
    """What the value is in base64 behind `before` other bytes (modulo 3): the characters that hold bits of it
    alone. Basic authentication puts a user's name in front of the key."""
    encoded = base64.b64encode(bytes(before) + value).decode()
    return encoded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]


_redactor = Redactor()


def register_secret(value: str) -> None:
    """Never let this value out in a log line, a dead letter's header or `/status`."""
    _redactor.register(value)


def redact(text: str) -> str:
    """The text without any registered credential."""
    return _redactor.redact(text)


class LineBudget(logging.Filter):
    """Lets `LINES_BURST` lines through at once and `LINES_PER_S` in the long run; then tells how many it held
    back. Each logger has its own budget at each level, so that no storm hides another's lines: not Kafka's
    client ours, and no debug line an error."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._filled: dict[tuple[str, int], tuple[float, float]] = {}
        """Logger and level → tokens, and when they were counted."""
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """True if this line may be written."""
        now = self._clock()
        key = (record.name, record.levelno)
        if key not in self._filled and len(self._filled) >= LOGGERS_MAX:
            key = ("", record.levelno)
        factor = DEBUG_FACTOR if record.levelno <= logging.DEBUG else 1
        tokens, at = self._filled.get(key, (LINES_BURST * factor, now))
        tokens = min(LINES_BURST * factor, tokens + (now - at) * LINES_PER_S * factor)
        may = tokens >= 1
        self._filled[key] = (tokens - may, now)
        if not may:
            self._left_out += 1
        elif self._left_out:
            record.lines_left_out = self._left_out
            self._left_out = 0
        return may


def configure(
    level: Level, form: Literal["json", "text", "auto"], stream: TextIO | None = None
) -> logging.Handler:
    """Send everything to `stream` (standard error) in that form. Called once, at the start of a command."""
    out = stream if stream is not None else sys.stderr
    as_text = form == "text" or (form == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=["lines_left_out", *TOLD_WITH]),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.addFilter(KafkaLines())
    handler.addFilter(LineBudget())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[],
            processors=[
                *shared,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_text(out) if as_text else _json()),
                _redacted,
            ],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # Each request to /metrics, each probe and each question to the schema registry would be a line.
    for chatty in ("aiohttp.access", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return handler


def tell_repeats(*, at_the_end: bool = False) -> None:
    """Write what was left out of Kafka's client's lines, with its count, where it is time to."""
    for handler in logging.getLogger().handlers:
        for lines in [each for each in handler.filters if isinstance(each, KafkaLines)]:
            for record in lines.due(at_the_end=at_the_end):
                handler.handle(record)


def _json() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        _in_reading_order,
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]


def _in_reading_order(_logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
    return {word: line.pop(word) for word in ("timestamp", "level", "event") if word in line} | dict(line)


def _text(out: TextIO) -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=_takes_colours(out), exception_formatter=structlog.dev.plain_traceback, pad_event_to=24
        )
    ]


def _takes_colours(out: TextIO) -> bool:
    """A terminal that can, of a person who did not ask for none (no-color.org)."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _dumps(value: object, **_: object) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8", "replace")


def _redacted(_logger: WrappedLogger, _name: str, line: EventDict | str) -> str:
    """Last of all, over the finished line: whatever came in by whatever way is covered."""
    return redact(str(line))
