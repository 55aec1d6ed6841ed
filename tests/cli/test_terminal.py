"""On a terminal a person is shown what goes on; anywhere else there are lines for a log. On real ptys."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.broker.launcher.brokers import MockBroker
from tests.broker.shop import Shop, click
from tests.cli.terminal import COLOUR, MOVES_UP, Terminal, on_a_terminal

Unique = Callable[[str], str]

LETTERS = 40
PLAIN = {"NO_COLOR": "1"}
NARROW = 48
"""About what is left of a terminal beside an editor."""


@pytest.fixture
def shop(mock_broker: MockBroker, unique: Unique, tmp_path: Path) -> Iterator[Shop]:
    """With its vendor, and a file for every command."""
    shop = Shop(mock_broker, unique, tmp_path, latency_s=0.02)
    with shop.vendor:
        yield shop


def file_of(shop: Shop) -> str:
    """Its configuration."""
    file = shop.folder / "shop.yaml"
    file.write_text(yaml.safe_dump(shop.settings()))
    return str(file)


def piped(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The same command where nobody looks."""
    return subprocess.run(
        [sys.executable, "-m", "connector", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def no_line_is_cut(terminal: Terminal, columns: int) -> None:
    """Of what is drawn. A sentence may wrap, and an address must, which one wants to click."""
    wide = [
        line
        for line in terminal.lines
        if len(line) > columns and not re.search(r"http://|^replayed \d", line)
    ]
    assert not wide


# ── run ──────────────────────────────────────────────────────────────────────────────────────────


def run_until_carried(shop: Shop, **environment: str) -> Terminal:
    """`connector run` on a terminal, stopped with Ctrl-C once it has its partitions."""
    with on_a_terminal("run", "-c", file_of(shop), environment=environment) as terminal:
        terminal.until("partitions_assigned")
        terminal.interrupt()
        assert terminal.ends() == 0, terminal.text
    return terminal


def assert_readable(terminal: Terminal) -> None:
    (line,) = (line for line in terminal.lines if "listening" in line)
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[info +\] listening +.*port=\d+", line)
    assert not [line for line in terminal.lines if line.startswith("{")]


def test_run_shows_readable_lines_in_colour(shop: Shop) -> None:
    """No JSON: the moment, how serious, what, and its facts as name=value."""
    terminal = run_until_carried(shop)
    assert COLOUR.search(terminal.text)
    assert_readable(terminal)


@pytest.mark.parametrize("environment", [PLAIN, {"TERM": "dumb"}], ids=str)
def test_run_uses_no_colour_where_none_is_wanted(shop: Shop, environment: dict[str, str]) -> None:
    """The same lines, without an escape."""
    terminal = run_until_carried(shop, **environment)
    assert_readable(terminal)
    assert "\x1b" not in terminal.text


def test_run_writes_json_where_nobody_looks(shop: Shop) -> None:
    """A line a happening, for whoever collects logs."""
    bad = shop.settings(http={"port": 1, "host": "192.0.2.1"})  # an address that no machine has
    file = shop.folder / "bad.yaml"
    file.write_text(yaml.safe_dump(bad))
    ended = piped("run", "-c", str(file))
    assert ended.returncode == 1
    (line, *_) = ended.stderr.splitlines()
    assert json.loads(line)["event"] == "not_started"
    assert "\x1b" not in ended.stderr


# ── demo ─────────────────────────────────────────────────────────────────────────────────────────


def test_demo_shows_a_live_table() -> None:
    """Drawn in the same place again and again, in colours."""
    with on_a_terminal("demo", "--events", "600") as terminal:
        assert terminal.ends() == 0, terminal.text
    assert MOVES_UP.search(terminal.text)
    assert any(re.match(r"delivered +[\d,]+ +[\d,]+ *$", line) for line in terminal.lines)
    assert COLOUR.search(terminal.text)
    assert "balances: produced" in terminal.text


def test_demo_of_all_is_whole_on_a_narrow_terminal() -> None:
    """Names and figures; a heading may be broken. Without colours, as asked."""
    with on_a_terminal(
        "demo", "--events", "100", "--destination", "all", columns=NARROW, environment=PLAIN
    ) as terminal:
        assert terminal.ends() == 0, terminal.text
    assert not COLOUR.search(terminal.text)
    no_line_is_cut(terminal, NARROW)
    for name in ("esputnik-orders", "esputnik-site"):
        assert [line for line in terminal.lines if re.match(rf"{name} +100( +\d+){{3}} *$", line)]
        assert [line for line in terminal.lines if re.match(rf"{name} +100( +\d+){{5}} +yes *$", line)]


def test_demo_prints_lines_where_nobody_looks() -> None:
    """No escape, no table over and over."""
    ended = piped("demo", "--events", "100")
    assert ended.returncode == 0
    assert "\x1b" not in ended.stdout + ended.stderr
    assert re.search(r"^ *\d+\.\d s  \d+ of 100 settled: ", ended.stdout, re.MULTILINE)


# ── bars ─────────────────────────────────────────────────────────────────────────────────────────


def sample(shop: Shop, count: int) -> tuple[str, ...]:
    topics = ("--topic-kind", "clickstream", "--clickstream-topic", shop.topic)
    return ("sample", "--produce", "-c", file_of(shop), "--count", str(count), *topics)


def test_sample_shows_how_far_it_is(shop: Shop) -> None:
    """A bar that leaves nothing behind but what was written."""
    with on_a_terminal(*sample(shop, 20_000), columns=NARROW) as terminal:
        assert terminal.ends() == 0, terminal.text
    assert re.search(r"writing .*━.* \d+%", terminal.text)
    assert "20000 events to" in terminal.text.replace(",", "")
    no_line_is_cut(terminal, NARROW)


def test_sample_is_quiet_where_nobody_looks(shop: Shop) -> None:
    ended = piped(*sample(shop, 500))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"500 events to {shop.topic}\n"


def replay(shop: Shop) -> tuple[str, ...]:
    shop.write_letters(*(click(number) for number in range(LETTERS)))
    return ("dlq", "replay", "-c", file_of(shop), "--rate", "40", "--other-settings")


def test_replay_shows_how_far_it_is(shop: Shop) -> None:
    """So many of so many, a bar, and the time it took."""
    with on_a_terminal(*replay(shop), columns=NARROW) as terminal:
        assert terminal.ends() == 0, terminal.text
    assert [line for line in terminal.lines if re.match(rf"replayed ━+ +{LETTERS}/{LETTERS} ", line)]
    assert f"replayed {LETTERS} of {LETTERS}: {LETTERS} delivered" in " ".join(terminal.lines)
    assert "{" not in terminal.text
    no_line_is_cut(terminal, NARROW)


def test_replay_prints_lines_where_nobody_looks(shop: Shop) -> None:
    """How far it is on standard error, what became of it on standard output."""
    ended = piped(*replay(shop))
    assert ended.returncode == 0, ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr
    assert re.search(rf"^ *\d+\.\d s  \d+ of {LETTERS} replayed", ended.stderr, re.MULTILINE)
    assert ended.stdout.startswith(f"replayed {LETTERS} of {LETTERS}")
