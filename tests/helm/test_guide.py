"""What docs/helm.md and the chart's README tell a reader to write and to type works as it stands."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests import test_docs
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


def kubectl_commands() -> list[str]:
    """Every `kubectl …` of every page, in blocks and in backquotes, up to what is for the pod itself."""
    found = [
        line.partition(" -- ")[0]
        for name in test_docs.PAGES
        for body in (*test_docs.blocks(name, "sh"), *test_docs.prose_words(name))
        for line in body.splitlines()
        if line.startswith("kubectl ")
    ]
    return sorted({*found})


def test_every_kubectl_command_on_a_page_is_understood(kubectl: Path, tmp_path: Path) -> None:
    """Its subcommand and options are there, as kubectl says. What makes something is run, on the client's
    side alone; the rest needs a cluster."""

    def said(*words: str) -> str:
        return subprocess.run(
            [kubectl, *words],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "KUBECONFIG": "/nonexistent"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    (tmp_path / "topsort-api-key.txt").write_text("key")
    typed = [shlex.split(command)[1:] for command in kubectl_commands()]
    for words in typed:
        usage = said(*words, "--help").partition("Usage:\n")[2]
        plain = [word for word in words if not word.startswith("--")]
        assert any(f" {word} " in usage for word in plain[:2]), f"kubectl {shlex.join(words)}"
    made = [said(*words, "--dry-run=client", "--output=name") for words in typed if "create" in words]
    assert made == ["secret/vendor-keys\n", "namespace/commerce\n"]


def test_the_options_that_it_speaks_of_are_there(helm: Helm, each_helm: Helm) -> None:
    """In its text, not only in its commands: those of Helm 3, and those of the newest."""
    spoken_of = re.findall(r"(Helm 3: )?`(--[-a-z]+)", GUIDE.read_text())
    old = each_helm.binary != helm.binary
    ours = [option for of_helm_3, option in spoken_of if bool(of_helm_3) == old]
    known = "".join(each_helm.run(verb, "--help").out for verb in ("upgrade", "test"))
    assert ours
    assert [option for option in ours if f" {option} " not in known] == []


def test_the_guide_names_what_is_there(helm: Helm) -> None:
    """Deployment, dead-letter topic, Secret and pods of its commands are those of its values."""
    values: Thing = yaml.safe_load(blocks(GUIDE, "yaml")[0])
    answer = helm.run("template", "commerce-connector", CHART, "--namespace", "commerce", values=values)
    things: list[Thing] = list(yaml.safe_load_all(answer.out))
    names = {thing["metadata"]["name"] for thing in things}
    (check,) = (thing["metadata"] for thing in things if thing["kind"] == "Pod")
    text = GUIDE.read_text()
    assert set(re.findall(r"deployment/(\S+?)[`\s]", text)) <= names
    assert f"{values['destinations']['topsort']['config']['source']['group_id']}.dead-letter" in text
    assert "secret generic vendor-keys --from-file=topsort=" in text
    assert f"--filter name={check['name']}`" in text
    (selector,) = re.findall(r"delete pod --selector (\S+)", text)
    assert dict(label.split("=") for label in selector.split(",")).items() <= check["labels"].items()


def test_the_refusal_that_the_guide_shows_is_the_one_given(helm: Helm) -> None:
    """Word for word."""
    values = least(destinations={"topsort": {"config": {"destination": {"options": {"curency": "EUR"}}}}})
    said = refusal(helm, values)
    (shown,) = (body for body in blocks(GUIDE, "") if body.startswith("Error:"))
    for line in shown.splitlines():
        assert line.lstrip("- ") in said
