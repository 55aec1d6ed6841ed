"""What the chart renders is what Kubernetes and the operators take: every object, over a matrix of values."""

from __future__ import annotations

import json
import tarfile
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.helm.chart import CHART, VALUE_SETS
from tests.helm.rendering import Rendered, Thing, template
from tests.helm.tools import Helm

OLDEST_KUBERNETES, NEWEST_KUBERNETES = "1.27", "1.37"
"""The first is that of Chart.yaml."""

FOREIGN = ("external-secrets.io/v1",)
"""Objects of the operator's own in the examples, whose models we do not have."""

OVERLAYS: dict[str, Thing] = {
    "as it is": {},
    "autoscaling": {
        "autoscaling": {
            "enabled": True,
            "prometheusAddress": "http://p:9090",
            "authenticationRef": {"name": "p"},
        },
        "podDisruptionBudget": {"maxUnavailable": "50%"},
    },
    "closed": {"networkPolicy": {"enabled": True, "ingress": {"from": []}}},
    "watched by services": {
        "monitoring": {
            "podMonitor": {"enabled": False},
            "serviceMonitor": {
                "enabled": True,
                "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.*"}],
            },
            "rules": {"enabled": True},
            "dashboards": {"enabled": True},
        }
    },
    "bare": {
        "replicas": 0,
        "resources": {"requests": None, "limits": None},
        "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
        "topologySpreadConstraints": [],
        "serviceAccount": {"create": False},
        "strategy": {"type": "Recreate", "rollingUpdate": None},
        "commonLabels": {"a": "b"},
        "commonAnnotations": {"c": "d"},
        "extraContainers": [{"name": "beside", "image": "x"}],
    },
}


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """Objects that were looked at already: most are the same in many value sets."""
    return set()


MATRIX = [pytest.param(file, name, id=f"{file.stem}, {name}") for file, name in product(VALUE_SETS, OVERLAYS)]


@pytest.mark.parametrize(("file", "name"), MATRIX)
def test_every_object_is_taken(
    helm: Helm,
    kubernetes: ModuleType,
    operators: dict[str, ModuleType],
    seen: set[str],
    file: Path,
    name: str,
) -> None:
    """By Kubernetes' schemas, where nothing unknown is allowed, and by the operators' models."""
    rendered = template(helm, file, values=OVERLAYS[name])
    assert rendered.things
    for thing in rendered.things:
        text = json.dumps(thing, sort_keys=True)
        if text in seen or thing["apiVersion"] in FOREIGN:
            continue
        seen.add(text)
        if thing["apiVersion"] in operators:
            taken_by_its_operator(thing, operators[thing["apiVersion"]])
        else:
            for version in (OLDEST_KUBERNETES, NEWEST_KUBERNETES):
                kubernetes.validate(thing, version, strict=True)


def taken_by_its_operator(thing: Thing, models: ModuleType) -> None:
    """The model takes it, and gives back all of it: a field that it does not know would be missing."""
    model = getattr(models, thing["kind"]).model_validate(thing)
    given = json.loads(model.model_dump_json(by_alias=True, exclude_unset=True))
    assert given == thing


def test_an_unknown_field_is_found(
    helm: Helm, kubernetes: ModuleType, operators: dict[str, ModuleType]
) -> None:
    """Or the test above would prove little."""
    rendered = template(helm, CHART / "ci" / "full-values.yaml")
    pod: Thing = rendered.one("Deployment", "topsort")
    pod["spec"]["template"]["spec"]["containers"][0]["readyProbe"] = {}
    with pytest.raises(Exception, match="readyProbe"):
        kubernetes.validate(pod, NEWEST_KUBERNETES, strict=True)
    monitor = rendered.one("PodMonitor")
    monitor["spec"]["podMetricsEndpoints"][0]["intervall"] = "30s"
    with pytest.raises((AssertionError, ValueError)):
        taken_by_its_operator(monitor, operators["monitoring.coreos.com/v1"])
    scaled = rendered.one("ScaledObject", "topsort")
    scaled["spec"]["maxReplicas"] = 3
    with pytest.raises((AssertionError, ValueError)):
        taken_by_its_operator(scaled, operators["keda.sh/v1alpha1"])


def test_the_matrix_begins_where_the_chart_does() -> None:
    """The oldest Kubernetes of the schemas is the one that Chart.yaml asks for."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">={OLDEST_KUBERNETES}.0-0"


# ── the chart itself ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", [None, *VALUE_SETS], ids=lambda file: file.stem if file else "alone")
def test_lint_has_nothing_to_say(each_helm: Helm, file: Path | None) -> None:
    """Strictly, with every value set and without any."""
    values = ("-f", file) if file else ()
    answer = each_helm.run("lint", "--strict", CHART, *values)
    assert answer.code == 0, answer.out
    assert "[WARNING]" not in answer.out
    assert "[ERROR]" not in answer.out


@pytest.mark.parametrize("file", VALUE_SETS, ids=lambda file: file.stem)
def test_both_helms_render_the_same(helm: Helm, each_helm: Helm, file: Path) -> None:
    """Object by object; the order may differ."""

    def in_order(rendered: Rendered) -> list[Any]:
        return sorted(rendered.things, key=lambda thing: (thing["kind"], thing["metadata"]["name"]))

    assert in_order(template(helm, file)) == in_order(template(each_helm, file))


def test_the_package_is_whole(helm: Helm, tmp_path: Path) -> None:
    """Alerts, dashboards, schema and README go along, value sets of the tests do not, and it renders."""
    answer = helm.run("package", CHART, "--destination", tmp_path)
    assert answer.code == 0, answer.err
    (package,) = tmp_path.glob("commerce-connector-*.tgz")
    with tarfile.open(package) as archive:
        names = {name.removeprefix("commerce-connector/") for name in archive.getnames()}
    here = {str(file.relative_to(CHART)) for file in CHART.rglob("*") if file.is_file()}
    assert names == {name for name in here if not name.startswith("ci/")}
    file = CHART / "ci" / "full-values.yaml"
    answer = helm.run("template", "shop", package, "--namespace", "commerce", "-f", file)
    assert answer.code == 0, answer.err
    assert Rendered(answer.out).things == template(helm, file).things
