"""What docs/helm.md and the chart's README tell a reader to write and to type works as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from tests.helm.chart import CHART, README
from tests.helm.rendering import PROMOTED, Thing, least, overlaid, refusal, template
from tests.helm.tools import Helm

ROOT = CHART.parents[1]
GUIDE = ROOT / "docs" / "helm.md"

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in that language."""
    return [body for found, body in BLOCK.findall(page.read_text()) if found == language]


def commands(page: Path) -> list[list[str]]:
    """Every line of its shell blocks, in words."""
    return [shlex.split(line) for body in blocks(page, "sh") for line in body.splitlines()]


@pytest.mark.parametrize("page", [GUIDE, README], ids=lambda page: page.name)
def test_every_values_block_renders(helm: Helm, page: Path) -> None:
    """The first of a page is whole; the others stand on two destinations that run."""
    first, *others = (yaml.safe_load(body) for body in blocks(page, "yaml"))
    assert template(helm, values=first).one("Deployment")
    below = least(destinations={"promoted": PROMOTED})
    for values in others:
        assert len(template(helm, values=overlaid(below, values)).all("Deployment")) == 2


def test_every_helm_command_is_understood(helm: Helm, tmp_path: Path) -> None:
    """Those that render are run without a cluster, with the guide's own values; of the others the options are
    looked up."""
    values = tmp_path / "values.yaml"
    values.write_text(blocks(GUIDE, "yaml")[0])
    typed = [words[1:] for words in commands(GUIDE) if words[0] == "helm"]
    assert [words[0] for words in typed] == ["install", "test", "upgrade", "rollback", "uninstall"]
    for words in typed:
        known = helm.run(words[0], "--help").out
        for option in (word for word in words if word.startswith("-")):
            assert option in known, f"helm {words[0]} has no {option}"
    install = [str(values) if word == "values.yaml" else word for word in typed[0]]
    install[install.index("helm/commerce-connector")] = str(CHART)
    answer = helm.run(*install, "--dry-run=client")
    assert answer.code == 0, answer.err
    made = "kafka-topics.sh --bootstrap-server kafka-bootstrap.kafka:9092"
    assert made in answer.out


def test_the_guide_names_what_is_there(helm: Helm) -> None:
    """The Deployment, the dead-letter topic and the Secret of its commands are those of its values."""
    values: Thing = yaml.safe_load(blocks(GUIDE, "yaml")[0])
    answer = helm.run("template", "commerce-connector", CHART, "--namespace", "commerce", values=values)
    names = {thing["metadata"]["name"] for thing in yaml.safe_load_all(answer.out)}
    text = GUIDE.read_text()
    assert set(re.findall(r"deployment/(\S+?)[`\s]", text)) <= names
    assert f"{values['destinations']['topsort']['config']['source']['group_id']}.dead-letter" in text
    assert "secret generic vendor-keys --from-file=topsort=" in text


def test_the_refusal_that_the_guide_shows_is_the_one_given(helm: Helm) -> None:
    """Word for word."""
    values = least(destinations={"topsort": {"config": {"destination": {"options": {"curency": "EUR"}}}}})
    said = refusal(helm, values)
    (shown,) = (body for body in blocks(GUIDE, "") if body.startswith("Error:"))
    for line in shown.splitlines():
        assert line.lstrip("- ") in said
