"""Destinations of other packages are found, and one that can't be used harms nobody."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connector.vendors.found import GROUP, PARTS, found
from tests.delivery.acme import Acme


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


INVENTED = point("invented", "tests.delivery.acme:Acme")


def test_a_class_that_has_what_the_contract_asks_for_is_usable() -> None:
    """Under the name of its entry point."""
    assert found((), [INVENTED]) == ({"invented": Acme}, {})


def test_the_contract_is_asked_for_whole() -> None:
    """A part that is added to the contract is asked for, too."""
    assert {"name", "Options", "map", "request", "judge", "sandbox", "vendor_id", "advice"} <= PARTS


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (point("invented", "no_such_package:Acme"), "can't be imported: ModuleNotFoundError"),
        (point("invented", "tests.delivery.acme:NoSuchClass"), "can't be imported: AttributeError"),
        (point("invented", "tests.delivery.acme:LIMITS"), "is no class"),
        (point("invented", "tests.delivery.acme:Half"), "lacks Options, "),
        (
            point("devised", "tests.delivery.acme:Acme"),
            "calls itself 'invented', and its entry point 'devised'",
        ),
        (point("topsort", "tests.delivery.acme:Acme"), "has the name of a destination that is built in"),
    ],
)
def test_one_that_cannot_be_used_says_why_and_harms_no_other(bad: EntryPoint, why: str) -> None:
    """Whoever asks for it by name is told."""
    others = [INVENTED] if bad.name != "invented" else []
    usable, unusable = found(("topsort",), [bad, *others])
    assert [*unusable] == [bad.name]
    assert why in unusable[bad.name]
    assert [*usable] == [other.name for other in others]


def test_two_of_one_name_are_neither() -> None:
    """Which one is meant nobody can tell."""
    usable, unusable = found((), [INVENTED, INVENTED, INVENTED])
    assert not usable
    assert "two packages" in unusable["invented"]


def test_an_installed_package_brings_its_destination_to_the_command_line(tmp_path: Path) -> None:
    """Nothing of ours is changed: its metadata is enough. A broken one beside it is named."""
    metadata = tmp_path / "invented_connector-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: invented-connector\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        textwrap.dedent(
            f"""
            [{GROUP}]
            invented = tests.delivery.acme:Acme
            broken = no_such_package:Broken
            """
        )
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-m", "connector", "destinations"],
        cwd=root,
        env={"PYTHONPATH": f"{tmp_path}:{root}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    lines = {line.split()[0]: line for line in ended.stdout.splitlines()}
    assert "event types sent" in lines["invented"]
    assert "can't be used: no_such_package:Broken can't be imported" in lines["broken"]
    assert "topsort" in lines
