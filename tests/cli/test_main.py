"""The command itself: what it lists, how it ends, and that it starts quickly."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from connector import __version__
from connector.cli.main import COMMANDS
from tests.cli.commandline import connector

HERE = [name for name, (module, _) in COMMANDS.items() if find_spec(f"connector.cli.{module}")]
GROUPS = {"config": ("schema", "reference", "example"), "schema": ("list", "show", "register")}


def test_help_lists_every_command_that_is_there() -> None:
    """And none that is not."""
    ended = connector("--help")
    assert ended.code == 0
    listed = {line.split()[0] for line in ended.out.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed == set(HERE)
    assert "..." not in ended.out.partition("Commands:")[2], "a line of help is cut off"


@pytest.mark.parametrize("name", HERE)
def test_every_command_has_help_with_an_example(name: str) -> None:
    """Whoever is called at night reads that first."""
    ended = connector(name, "--help")
    assert ended.code == 0
    assert f"connector {name}" in ended.out.partition("Example:")[2]


@pytest.mark.parametrize("words", [(group, name) for group, names in GROUPS.items() for name in names])
def test_every_subcommand_has_help_with_an_example(words: tuple[str, str]) -> None:
    """Those of a group, too."""
    ended = connector(*words, "--help")
    assert ended.code == 0
    assert f"connector {' '.join(words)}" in ended.out.partition("Example:")[2]


def test_version_is_told() -> None:
    """As the package has it."""
    assert connector("--version") == (0, f"connector {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("--nonsense",),
        ("config", "nonsense"),
        ("check", "--nonsense"),
        ("check", "extra"),
        ("check",),
    ],
)
def test_bad_usage_ends_with_2_and_a_hint(arguments: tuple[str, ...]) -> None:
    """On standard error, without a traceback."""
    ended = connector(*arguments)
    assert ended.code == 2
    assert "Usage:" in ended.err or "Usage:" in ended.out
    assert "Traceback" not in ended.err


def test_a_bad_configuration_ends_with_2_and_its_problems(tmp_path: Path) -> None:
    """For every command that reads one: the problems, and nothing else."""
    file = tmp_path / "connector.yaml"
    file.write_text("destination: {name: nobody, api_key: hunter2}")
    ended = connector("check", "-c", str(file))
    assert ended.code == 2
    assert ended.out == ""
    assert "destination.name: is not a destination" in ended.err
    assert "Traceback" not in ended.err
    assert "hunter2" not in ended.err


def test_help_imports_nothing_heavy() -> None:
    """`connector --help` answers at once: no settings, no Kafka, no HTTP are loaded for it."""
    code = (
        "import sys; sys.argv = ['connector', '--help']\n"
        "from connector.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'confluent_kafka', 'aiohttp', 'fastavro', 'prometheus_client', 'structlog'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    """`connector config reference | head -1` ends quietly."""
    process = subprocess.Popen(
        [sys.executable, "-m", "connector", "config", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(60) in (0, 1)
    assert err == b""
    process.stderr.close()
