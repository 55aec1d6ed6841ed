"""The pages made from the settings: reference, example, JSON Schema."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from connector.kafka.properties import ceilings
from connector.kafka.unusable import HARMFUL, NO_EFFECT, OURS
from connector.settings import load, reference
from connector.settings.model import paths
from connector.vendors import DESTINATIONS
from tests.settings.configurations import MINIMAL, ROOT, with_


@pytest.mark.parametrize("destination", sorted(DESTINATIONS))
def test_the_example_loads_and_names_every_setting(destination: str, tmp_path: Path) -> None:
    """It is a file to start from, and a full one, the destination's own settings included."""
    file = tmp_path / "connector.yaml"
    file.write_text(reference.example(destination))
    settings = load(file, {})
    assert settings.destination.name == destination
    raw = yaml.safe_load(reference.example(destination))
    assert list(jsonschema.Draft202012Validator(reference.json_schema()).iter_errors(raw)) == []
    options = [f"destination.options.{name}" for name in DESTINATIONS[destination].Options.model_fields]
    for path in (*paths(), *options):
        here = raw
        for step in path.split("."):
            assert step in here, path
            here = here[step]


def test_the_json_schema_takes_what_loads_and_refuses_what_we_refuse() -> None:
    """An editor marks what `connector check` would."""
    schema = reference.json_schema()
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema)
    assert list(validator(schema).iter_errors(MINIMAL | {"http": None, "delivery": None})) == []
    assert list(validator(schema).iter_errors(with_("source.schema_registry", None))) == []
    for path, value in (
        ("destination.nmae", "x"),
        ("destination.name", "topsrot"),
        ("destination.options", {"no_such_option": 1}),
        ("delivery.linger_ms", -1),
        ("source.format", "xml"),
        ("source.properties.group:id", "g"),
        ("source.properties.acks", 1),
        ("source.properties.check:crcs", True),
        ("dead_letter.flood_ratio", 2),
        ("http", {"prot": 1}),
        ("http", 8080),
        ("source", None),
    ):
        assert list(validator(schema).iter_errors(with_(path, value))), path


def test_the_reference_has_a_row_for_every_setting() -> None:
    """With default, range and reason: no setting is without a description."""
    text = reference.markdown()
    for path in paths():
        key = path.rpartition(".")[2]
        row = re.search(rf"^\| `{key}` \| .+ \| .+ \| (.+) \|$", text, re.MULTILINE)
        assert row is not None, path
        assert row[1].strip(), path


def test_the_reference_page_is_in_step_with_the_code() -> None:
    """docs/configuration.md is what `connector config reference` prints."""
    page = ROOT / "docs" / "configuration.md"
    assert page.read_text() == reference.markdown(), "run: connector config reference > docs/configuration.md"


def test_the_reference_tells_why_a_property_is_refused() -> None:
    """Whoever reads the refusal finds the reason on the page, and what is bounded beside it."""
    page = reference.markdown()
    for name, why in {**OURS, **NO_EFFECT, **HARMFUL}.items():
        assert re.search(rf"^\| .*`{re.escape(name)}`.* \| .*{re.escape(why)} \|$", page, re.MULTILINE), name
    for name, most in ceilings(256 << 20).items():
        assert f"- `{name}`: {most:,}\n" in page
