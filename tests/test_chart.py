"""The Helm chart is in step with the code: its schema, its README, its version, its words.

These need no helm and run with all other tests, so that who changes a setting learns here what to make anew;
what the chart renders is proved by `make helm`.
"""

from __future__ import annotations

import json
import re

import yaml

from connector import __version__
from connector.ops.metrics import METRICS, PREFIX
from connector.settings import Settings
from connector.settings.load import secret_fields
from connector.settings.model import _SECRET_PROPERTY, is_secret_property
from connector.vendors import DESTINATIONS
from tests.helm import values_page, values_schema
from tests.helm.chart import CHART, README, SCHEMA, undescribed

ANEW = "make it anew: make helm-update"


def test_the_schema_is_the_codes() -> None:
    """Settings, options and the list of destinations are those of the code."""
    assert SCHEMA.read_text() == values_schema.text(), ANEW


def test_the_schema_lists_the_codes_destinations() -> None:
    """Said once more without the maker: the list that helm reads."""
    name = json.loads(SCHEMA.read_text())["definitions"]["connector.DestinationSettings"]["properties"][
        "name"
    ]
    assert name["enum"] == sorted(DESTINATIONS)


def test_the_readme_has_every_value() -> None:
    """With its default and its description."""
    assert README.read_text() == values_page.page(), ANEW


def test_every_value_is_described() -> None:
    """By a comment of its own or of what it lies in."""
    assert undescribed() == []


def test_the_chart_is_of_this_version() -> None:
    """The image that it names is the one this code makes."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


def test_the_chart_knows_a_secret_as_the_code_does() -> None:
    """The same pattern for librdkafka's properties, and it fits exactly those options that hold a secret."""
    helpers = (CHART / "templates" / "_check.tpl").read_text()
    found = re.search(r'define "commerce-connector.secretProperty" -\}\}\n(.*)\n', helpers)
    assert found is not None
    assert found[1] == _SECRET_PROPERTY.pattern
    for kind in DESTINATIONS.values():
        names = [name for name in kind.Options.model_fields if is_secret_property(name)]
        assert names == secret_fields(kind.Options)


def test_the_chart_knows_who_writes_to_customers() -> None:
    """Its notes warn of the destinations that the code warns of, by the beginning of their names."""
    warned = {name for name, kind in DESTINATIONS.items() if getattr(kind, "writes_to_customers", False)}
    assert warned == {name for name in DESTINATIONS if name.startswith("esputnik")}
    assert 'hasPrefix "esputnik"' in (CHART / "templates" / "NOTES.txt").read_text()


def test_the_defaults_that_the_chart_works_with_are_the_codes() -> None:
    """The budget of memory and the port stand in the templates, too."""
    fields = Settings.model_fields
    assert fields["limits"].default.memory_mib == 256
    assert fields["http"].default.port == 8080
    assert fields["http"].default.host == "0.0.0.0"


def test_alerts_and_dashboards_speak_of_metrics_that_exist() -> None:
    """Every name with our prefix is in the table."""
    known = {PREFIX + metric.name for metric in METRICS}
    known |= {f"{PREFIX}{metric.name}_{part}" for metric in METRICS for part in ("bucket", "sum", "count")}
    for file in [*CHART.glob("alerts/*.yaml"), *CHART.glob("dashboards/*.json"), *CHART.glob("templates/*")]:
        if file.is_file():
            for name in re.findall(rf"\b{PREFIX}[a-z_]+", file.read_text()):
                assert name in known, f"{file.name}: {name}"
