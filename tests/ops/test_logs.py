"""Log lines: readable by machines and people, bounded, and without secrets."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.ops import logs
from tests.examples import examples

SECRET = 'p@ss "w\\rd"/?é'


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging belongs to the whole process: put everything back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_our_lines_and_those_of_libraries_look_alike(out: io.StringIO) -> None:
    """JSON with time in UTC, level, event and logger, whoever wrote it."""
    logs.configure("info", "json", out)
    structlog.stdlib.get_logger("connector").info("partitions_assigned", count=3)
    logging.getLogger("aiohttp.server").warning("bad %s", "request")
    ours, theirs = lines(out)
    assert (ours["event"], ours["count"], ours["level"]) == ("partitions_assigned", 3, "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == (
        "bad request",
        "aiohttp.server",
        "warning",
    )
    for line in (ours, theirs):
        assert list(line)[:3] == ["timestamp", "level", "event"]
        assert line["timestamp"].endswith("Z")


def test_an_exception_is_one_line(out: io.StringIO) -> None:
    """A collector of logs never tears a traceback apart."""
    logs.configure("info", "json", out)
    try:
        raise ValueError("boom")
    except ValueError:
        structlog.stdlib.get_logger("connector").exception("died")
        logging.getLogger("aiohttp.server").exception("died, too")
    ours, theirs = lines(out)
    assert "ValueError: boom" in ours["exception"]
    assert "ValueError: boom" in theirs["exception"]


def test_text_is_for_people_and_auto_follows_the_terminal(out: io.StringIO) -> None:
    """`auto` on something that is no terminal is JSON."""
    logs.configure("info", "text", out)
    structlog.stdlib.get_logger("connector").warning("breaker_opened", detail="refused")
    assert "breaker_opened" in out.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(out.getvalue())
    logs.configure("info", "auto", out)
    out.truncate(0)
    out.seek(0)
    structlog.stdlib.get_logger("connector").warning("breaker_opened")
    assert lines(out)[0]["event"] == "breaker_opened"


def test_what_is_below_the_level_is_not_written(out: io.StringIO) -> None:
    """And access lines of our own server never are."""
    logs.configure("info", "json", out)
    structlog.stdlib.get_logger("connector").debug("request_done")
    logging.getLogger("aiohttp.access").info("GET /metrics")
    assert out.getvalue() == ""
    logs.configure("debug", "json", out)
    structlog.stdlib.get_logger("connector").debug("request_done")
    assert len(lines(out)) == 1


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_registered_secret_never_gets_out(form: Any, out: io.StringIO) -> None:
    """In a message, a field, a nested value, an exception or a library's line, however it was encoded."""
    logs.configure("debug", form, out)
    logs.register_secret(SECRET)
    basic = base64.b64encode(SECRET.encode()).decode()
    log = structlog.stdlib.get_logger("connector")
    log.info(
        f"with {SECRET} inside", field=SECRET, nested={"a": [SECRET]}, url=f"https://x/?k={quote(SECRET)}"
    )
    log.info("headers", authorization=f"Basic {basic}", whole=quote(SECRET, safe=""), shown=repr(SECRET))
    logging.getLogger("confluent_kafka").error("sasl.password=%s", SECRET)
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        log.exception("died")
    text = out.getvalue()
    assert logs.HIDDEN in text
    for form_of_it in (SECRET, json.dumps(SECRET)[1:-1], quote(SECRET), quote(SECRET, safe=""), basic):
        assert form_of_it not in text
    assert SECRET not in json.dumps(text)


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_a_secret_within_basic_authentication_is_hidden(before: bytes, after: bytes) -> None:
    """`Basic` carries user and key together in base64, where the key looks different by where it begins."""
    redactor = logs.Redactor()
    redactor.register(SECRET)
    shown = redactor.redact(f"Basic {base64.b64encode(before + SECRET.encode() + after).decode()}")
    left, hidden, right = shown.removeprefix("Basic ").partition(logs.HIDDEN)
    assert hidden
    # What is left has room for the neighbours and for less than one byte of the secret at either end.
    assert 6 * len(left) < 8 * (len(before) + 1)
    assert 6 * len(right.rstrip("=")) < 8 * (len(after) + 1) + 6


@settings(max_examples=examples(50))
@given(st.lists(st.text(min_size=4, max_size=12), max_size=5), st.text())
def test_redacting_leaves_no_secret_in_any_text(secrets: list[str], text: str) -> None:
    """Also when one secret is part of another, or the text is made of secrets."""
    redactor = logs.Redactor()
    for secret in secrets:
        redactor.register(secret)
    cleaned = redactor.redact(text + "".join(secrets) + text)
    for secret in secrets:
        if set(secret) != {"*"}:
            assert secret not in cleaned.replace(logs.HIDDEN, "\0" * 20)


def test_a_secret_that_begins_like_another_is_hidden_whole() -> None:
    """Else the rest of the longer one would stay readable."""
    redactor = logs.Redactor()
    redactor.register("password")
    redactor.register("password-and-more")
    assert redactor.redact("<password-and-more>") == f"<{logs.HIDDEN}>"


@pytest.mark.parametrize("secret", ["sk-live-0123456789", 'quo"ted\nsecret', "sk-sk-sk-sk-live"])
def test_a_secret_that_was_cut_off_is_hidden_too(secret: str) -> None:
    """What a vendor says is cut by many hands before anybody redacts it; half a key must not stay."""
    redactor = logs.Redactor()
    redactor.register("another-secret")
    redactor.register(secret)
    in_json = json.dumps(secret)[1:-1]
    for form in (secret, in_json):
        for length in range(logs.CUT_LENGTH_MIN, len(form)):
            assert redactor.redact(f"no such key: {form[:length]}") == f"no such key: {logs.HIDDEN}"
    kept = f"{secret[: logs.CUT_LENGTH_MIN - 1]} and {secret[: logs.CUT_LENGTH_MIN]} in the middle"
    assert redactor.redact(kept) == kept


def test_the_memory_of_secrets_is_bounded_and_keeps_the_newest() -> None:
    """Keys are rotated; a year of rotation does not slow every line down."""
    redactor = logs.Redactor()
    for number in range(logs.SECRETS_MAX + 10):
        redactor.register(f"secret-{number:04}")
    assert redactor.redact("secret-0000") == "secret-0000"
    assert redactor.redact(f"secret-{logs.SECRETS_MAX + 9:04}") == logs.HIDDEN


def test_text_without_secrets_stays_as_it_is() -> None:
    """Short values are no secrets: hiding every "a" would make logs unreadable."""
    redactor = logs.Redactor()
    assert redactor.redact("abc") == "abc"
    redactor.register("a")
    redactor.register("")
    assert redactor.redact("abc") == "abc"


def line(level: int, name: str = "x") -> logging.LogRecord:
    return logging.LogRecord(name, level, "", 0, "x", None, None)


@pytest.mark.parametrize(
    ("level", "factor"), [(logging.DEBUG, logs.DEBUG_FACTOR), (logging.WARNING, 1), (logging.ERROR, 1)]
)
def test_a_storm_of_lines_is_bounded_and_told(level: int, factor: int) -> None:
    """The burst, then so many a second, errors too; the next line says how many were held back."""
    now = 0.0
    budget = logs.LineBudget(clock=lambda: now)
    assert sum(budget.filter(line(level)) for _ in range(5000)) == logs.LINES_BURST * factor
    now = 10.0
    first = line(level)
    assert budget.filter(first)
    assert first.__dict__["lines_left_out"] == 5000 - logs.LINES_BURST * factor
    passed = 1 + sum(budget.filter(line(level)) for _ in range(5000))
    assert passed == pytest.approx(10 * logs.LINES_PER_S * factor, abs=2)


def test_no_storm_hides_the_lines_of_another() -> None:
    """Kafka's client may go on about a broker, and debug may be on: what we warn of is read all the same."""
    budget = logs.LineBudget(clock=lambda: 0.0)
    for _ in range(20_000):
        budget.filter(line(logging.WARNING, "connector.kafka"))
        budget.filter(line(logging.DEBUG, "connector"))
    assert budget.filter(line(logging.WARNING, "connector"))
    assert budget.filter(line(logging.ERROR, "connector.kafka"))


def test_loggers_without_number_share_a_budget() -> None:
    """Memory and volume stay bounded, whoever writes."""
    budget = logs.LineBudget(clock=lambda: 0.0)
    passed = sum(budget.filter(line(logging.INFO, f"library.{number}")) for number in range(10_000))
    assert passed == logs.LOGGERS_MAX + logs.LINES_BURST


def test_what_was_held_back_is_in_the_next_line(out: io.StringIO) -> None:
    """Nobody takes a silence for calm."""
    handler = logs.configure("info", "json", out)
    now = 0.0
    for old in list(handler.filters):
        handler.removeFilter(old)
    handler.addFilter(logs.LineBudget(clock=lambda: now))
    log = structlog.stdlib.get_logger("connector")
    for _ in range(logs.LINES_BURST + 41):
        log.info("storm")
    now = 1.0
    log.info("calm")
    log.info("calm")
    assert lines(out)[-2]["lines_left_out"] == 41
    assert "lines_left_out" not in lines(out)[-1]


def test_configuring_twice_writes_each_line_once(out: io.StringIO) -> None:
    """A command that changes its mind about the form has one way out, not two."""
    logs.configure("info", "json", out)
    logs.configure("info", "json", out)
    structlog.stdlib.get_logger("connector").info("once")
    assert len(lines(out)) == 1
