"""Renders the chart and finds its way in what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.helm.chart import CHART
from tests.helm.tools import Helm

Thing = dict[str, Any]

RELEASE, NAMESPACE = "shop", "commerce"

TOPSORT: Thing = {
    "config": {
        "destination": {"name": "topsort", "options": {"currency": "EUR"}},
        "source": {"group_id": "g-topsort"},
    },
    "secrets": {"destination.api_key": {"existingSecret": "vendor-keys", "key": "topsort"}},
}
PROMOTED: Thing = {
    "config": {
        "destination": {"name": "promoted", "url": "https://acme.example.com/log"},
        "source": {"group_id": "g-promoted"},
    },
    "secrets": {"destination.api_key": {"existingSecret": "vendor-keys", "key": "promoted"}},
}


def least(**more: Any) -> Thing:
    """Values for one destination, and whatever else at the top."""
    source = {"topics": ["orders"], "properties": {"bootstrap.servers": "kafka:9092"}}
    return overlaid({"config": {"source": source}, "destinations": {"topsort": TOPSORT}}, more)


def entry(**more: Any) -> Thing:
    """The same, with something else in the destination's entry."""
    return least(destinations={"topsort": more})


def overlaid(below: Thing, above: Thing) -> Thing:
    """Both, map by map; `above` wins."""
    made = dict(below)
    for key, value in above.items():
        old = made.get(key)
        made[key] = overlaid(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return made


class Strict(yaml.SafeLoader):
    """Takes no name twice in a map, as kustomize (and so Flux) takes none."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A map whose names are all different."""
        made = super().construct_mapping(node, deep)
        assert len(made) == len(node.value), f"a name stands twice in {list(made)}"
        return made


class Rendered:
    """What `helm template` put out."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.things: list[Thing] = [thing for thing in yaml.load_all(text, Strict) if thing]

    def all(self, kind: str) -> list[Thing]:
        """Every object of a kind."""
        return [thing for thing in self.things if thing["kind"] == kind]

    def one(self, kind: str, name: str = "") -> Thing:
        """The object of that kind whose name ends so."""
        (found,) = (thing for thing in self.all(kind) if thing["metadata"]["name"].endswith(name))
        return found

    def pod(self, name: str = "") -> Thing:
        """The pod's spec of the Deployment whose name ends so."""
        spec: Thing = self.one("Deployment", name)["spec"]["template"]["spec"]
        return spec

    def container(self, name: str = "") -> Thing:
        """The connector's container there."""
        container: Thing = self.pod(name)["containers"][0]
        return container

    def config(self, name: str = "topsort") -> Thing:
        """The connector's file of that destination."""
        config: Thing = yaml.safe_load(self.one("ConfigMap", name)["data"]["connector.yaml"])
        return config


def template(
    helm: Helm, *sets: Path, values: Thing | None = None, release: str = RELEASE, namespace: str = NAMESPACE
) -> Rendered:
    """Render the chart; it must be possible."""
    files = [argument for file in sets for argument in ("-f", file)]
    answer = helm.run("template", release, CHART, "--namespace", namespace, *files, values=values)
    assert answer.code == 0, answer.err
    return Rendered(answer.out)


def refusal(helm: Helm, values: Thing) -> str:
    """Why the chart does not take these values; it must refuse them."""
    answer = helm.run("template", RELEASE, CHART, "--namespace", NAMESPACE, values=values)
    assert answer.code != 0, "it was rendered"
    return answer.err
