"""`connector config`: what it prints is what the settings say."""

from __future__ import annotations

import json
from pathlib import Path

from connector.settings import load, reference
from tests.cli.commandline import connector


def test_the_example_is_a_file_that_loads(tmp_path: Path) -> None:
    """As it is printed."""
    ended = connector("config", "example")
    assert ended.code == 0
    file = tmp_path / "connector.yaml"
    file.write_text(ended.out)
    assert load(file, {}).destination.name == reference.EXAMPLE_DESTINATION


def test_the_example_is_for_the_destination_that_is_asked_for(tmp_path: Path) -> None:
    """Each has options of its own; a name that is none is bad usage."""
    ended = connector("config", "example", "--destination", "moloco")
    assert ended == (0, reference.example("moloco"), "")
    ended = connector("config", "example", "--destination", "molco")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean moloco?" in ended.err


def test_the_schema_is_json() -> None:
    """An editor can read it from a pipe."""
    ended = connector("config", "schema")
    assert ended.code == 0
    assert json.loads(ended.out) == reference.json_schema()


def test_the_reference_is_the_page() -> None:
    """So that it can be written to docs/configuration.md."""
    ended = connector("config", "reference")
    assert ended == (0, reference.markdown(), "")
