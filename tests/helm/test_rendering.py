"""What the chart makes of its values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trustme
import yaml

from connector.ops.metrics import METRICS
from connector.settings import Settings, from_mapping
from tests.helm.chart import CHART, VALUE_SETS
from tests.helm.rendering import PROMOTED, Rendered, Thing, entry, least, overlaid, template
from tests.helm.tools import Helm

FULL = CHART / "ci" / "full-values.yaml"
MOUNTED = "/etc/connector/secrets"
CERTIFICATE = trustme.CA().cert_pem.bytes().decode()


@pytest.fixture(scope="module")
def full(helm: Helm) -> Rendered:
    """Three destinations and everything on."""
    return template(helm, FULL)


def loaded(config: Thing, tmp_path: Path) -> Settings:
    """The connector's settings of a rendered file, every secret in a file where this test may write."""
    text = json.dumps(config).replace(MOUNTED, str(tmp_path))
    for line in text.split('"'):
        if line.startswith(str(tmp_path)):
            Path(line).write_text(CERTIFICATE if line.endswith("ca.pem") else "user:password")
    return from_mapping(json.loads(text))


# ── the configuration ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("file", VALUE_SETS, ids=lambda file: file.stem)
def test_the_rendered_configuration_is_loaded_by_the_connector(
    helm: Helm, file: Path, tmp_path: Path
) -> None:
    """Every destination of every value set."""
    rendered = template(helm, file)
    names = [each["metadata"]["name"] for each in rendered.all("Deployment")]
    assert names
    for name in names:
        settings = loaded(rendered.config(name), tmp_path)
        assert settings.destination.name in name


def test_what_is_shared_and_what_is_ones_own_come_together(full: Rendered, tmp_path: Path) -> None:
    """Maps merged, lists replaced, secrets as files; numbers keep their form."""
    promoted = loaded(full.config("promoted"), tmp_path)
    assert promoted.delivery.linger_ms == 0
    assert promoted.limits.memory_mib == 512
    assert promoted.limits.shutdown_timeout_s == 40.5
    assert promoted.limits.ahead_max == 1_000_000
    assert promoted.source.properties["sasl.password_file"] == f"{tmp_path}/source.properties.sasl.password"
    assert loaded(full.config("esputnik-orders"), tmp_path).source.topics == ["orders"]
    assert full.config("topsort")["destination"]["options"] == {
        "currency": "EUR",
        "opaque_user_id_sources": ["opaque_id", "customer_id"],
        "max_bytes": 900_000,
        "customer_id_hmac_secret_file": f"{MOUNTED}/destination.options.customer_id_hmac_secret",
    }


def test_an_entry_takes_a_shared_value_away_with_null(each_helm: Helm) -> None:
    """In its configuration, its secrets and its pod; and what is nothing, false or empty wins, too."""
    values = least(
        config={"delivery": {"requests_per_second": 9, "linger_ms": 70}},
        secrets={"source.schema_registry.auth": {"existingSecret": "registry", "key": "a"}},
        nodeSelector={"disk": "ssd"},
        podLabels={"a": "b", "c": "d"},
        podDisruptionBudget={"enabled": True},
        destinations={
            "topsort": {
                "config": {"delivery": {"requests_per_second": None, "linger_ms": 0}},
                "secrets": {"source.schema_registry.auth": None},
                "nodeSelector": None,
                "podLabels": {"a": None},
                "resources": {"limits": None},
                "strategy": {"type": "Recreate", "rollingUpdate": None},
                "podDisruptionBudget": {"enabled": False},
            },
            "promoted": PROMOTED,
        },
    )
    rendered = template(each_helm, values=values)
    assert rendered.config("topsort")["delivery"] == {"requests_per_second": None, "linger_ms": 0}
    assert rendered.config("promoted")["delivery"] == {"requests_per_second": 9, "linger_ms": 70}
    assert "schema_registry" not in rendered.config("topsort")["source"]
    assert "nodeSelector" not in rendered.pod("topsort")
    assert rendered.pod("promoted")["nodeSelector"] == {"disk": "ssd"}
    assert rendered.container("topsort")["resources"] == {"requests": {"cpu": "250m", "memory": "512Mi"}}
    assert "limits" in rendered.container("promoted")["resources"]
    deployments = [rendered.one("Deployment", name)["spec"] for name in ("topsort", "promoted")]
    assert [each["strategy"]["type"] for each in deployments] == ["Recreate", "RollingUpdate"]
    assert "rollingUpdate" not in deployments[0]["strategy"]
    assert [each["template"]["metadata"]["labels"].get("a") for each in deployments] == [None, "b"]
    assert deployments[0]["template"]["metadata"]["labels"]["c"] == "d"
    assert [each["metadata"]["name"] for each in rendered.all("PodDisruptionBudget")] == [
        "shop-commerce-connector-promoted"
    ]


def test_another_configuration_makes_other_pods_and_nothing_else_does(helm: Helm) -> None:
    """The checksum of a destination follows its own file alone."""

    def checksum(values: Thing, name: str) -> str:
        template_of_pods = template(helm, values=values).one("Deployment", name)["spec"]["template"]
        found: str = template_of_pods["metadata"]["annotations"]["checksum/config"]
        return found

    two = least(destinations={"promoted": PROMOTED})
    changed = overlaid(two, {"destinations": {"topsort": {"config": {"delivery": {"linger_ms": 9}}}}})
    assert checksum(two, "topsort") != checksum(changed, "topsort")
    assert checksum(two, "promoted") == checksum(changed, "promoted")
    assert checksum(two, "topsort") == checksum(overlaid(two, {"replicas": 5}), "topsort")


@pytest.mark.parametrize("off", [{**PROMOTED, "enabled": False}, None], ids=["off", "null"])
def test_an_entry_that_is_off_leaves_nothing(each_helm: Helm, off: Thing | None) -> None:
    """Not even its configuration; null is how a second file of values takes an entry of the first away."""
    rendered = template(each_helm, values=least(destinations={"promoted": off}))
    assert "promoted" not in rendered.text
    assert len(rendered.all("Deployment")) == 1


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────


def test_secrets_are_mounted_as_files_each_by_its_own_destination(full: Rendered) -> None:
    """By reference, whole folders (a file mounted alone would never be renewed), readable by the process."""
    volumes = {volume["name"]: volume for volume in full.pod("promoted")["volumes"]}
    sources = volumes["secrets"]["projected"]["sources"]
    assert {
        "secret": {"name": "vendor-keys", "items": [{"key": "promoted", "path": "destination.api_key"}]}
    } in sources
    assert {
        "configMap": {
            "name": "kafka-ca",
            "items": [{"key": "ca.crt", "path": "source.properties.ssl.ca.pem"}],
        }
    } in sources
    assert len(sources) == 4
    assert volumes["secrets"]["projected"]["defaultMode"] == 0o440
    mounts = {mount["name"]: mount for mount in full.container("promoted")["volumeMounts"]}
    assert mounts["secrets"]["mountPath"] == MOUNTED
    assert not any("subPath" in mount for mount in mounts.values())
    assert not full.all("Secret")


def test_secrets_are_readable_without_a_group_too(helm: Helm) -> None:
    """Where a platform chooses the user and `fsGroup` is taken away, the files belong to root."""
    pod = template(helm, values=least(podSecurityContext={"fsGroup": None})).pod()
    (secrets,) = (volume for volume in pod["volumes"] if volume["name"] == "secrets")
    assert secrets["projected"]["defaultMode"] == 0o444


# ── the pod ──────────────────────────────────────────────────────────────────────────────────────


def test_a_pod_fits_the_restricted_standard(full: Rendered) -> None:
    """Pod Security's `restricted`, and more: nothing to write to, no token."""
    pods = [each["spec"]["template"]["spec"] for each in full.all("Deployment")]
    pods += [each["spec"] for each in full.all("Pod")]
    assert len(pods) == 6
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
    assert full.one("ServiceAccount")["automountServiceAccountToken"] is False


def test_probes_ask_the_right_paths_at_the_port_that_is_set(helm: Helm) -> None:
    """Only readiness looks at the consumer group, so that a broker that is away never restarts a pod."""
    container = template(helm, values=entry(config={"http": {"port": 9000}})).container()
    assert container["ports"] == [{"name": "http", "containerPort": 9000, "protocol": "TCP"}]
    paths = {
        probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {
        "startupProbe": {"path": "/livez", "port": "http"},
        "livenessProbe": {"path": "/livez", "port": "http"},
        "readinessProbe": {"path": "/readyz", "port": "http"},
    }


@pytest.mark.parametrize(("timeout", "grace"), [(None, 35), (10, 20), (40.5, 51), (600, 610)])
def test_the_grace_period_follows_the_shutdown_timeout(helm: Helm, timeout: float | None, grace: int) -> None:
    """With what closing connections takes on top; the default of the code is the chart's."""
    values = entry(config={"limits": {"shutdown_timeout_s": timeout}}) if timeout else least()
    assert template(helm, values=values).pod()["terminationGracePeriodSeconds"] == grace
    assert Settings.model_fields["limits"].default.shutdown_timeout_s == 25


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ({}, "commerce-connector:0.1.0"),
        ({"registry": "r.example.com", "tag": "9"}, "r.example.com/commerce-connector:9"),
        ({"tag": "9", "digest": f"sha256:{'a' * 64}"}, f"commerce-connector@sha256:{'a' * 64}"),
    ],
)
def test_the_image_is_named_by_digest_tag_or_version(helm: Helm, image: Thing, name: str) -> None:
    """In this order."""
    assert template(helm, values=least(image=image)).container()["image"] == name


def test_pods_are_not_replaced_for_a_new_chart_alone(full: Rendered) -> None:
    """Its version is on every object, but not on the pods."""
    for deployment in full.all("Deployment"):
        assert "helm.sh/chart" in deployment["metadata"]["labels"]
        assert "helm.sh/chart" not in deployment["spec"]["template"]["metadata"]["labels"]


# ── several pods ─────────────────────────────────────────────────────────────────────────────────


def test_a_single_pod_has_no_budget_and_no_spreading(helm: Helm) -> None:
    """There is nothing to protect and nothing to spread."""
    rendered = template(helm, CHART / "ci" / "one-replica-values.yaml")
    assert not rendered.all("PodDisruptionBudget")
    assert "topologySpreadConstraints" not in rendered.pod()


@pytest.mark.parametrize(("least_pods", "budgets"), [(1, 0), (2, 1)])
def test_with_autoscaling_the_least_number_of_pods_counts(helm: Helm, least_pods: int, budgets: int) -> None:
    """Not the number that stands in `replicas`."""
    scaling = {"enabled": True, "prometheusAddress": "http://p", "minReplicas": least_pods}
    rendered = template(helm, values=least(autoscaling=scaling, replicas=3 - least_pods))
    assert len(rendered.all("PodDisruptionBudget")) == budgets
    assert ("topologySpreadConstraints" in rendered.pod()) == bool(budgets)


def test_several_pods_have_both_and_only_their_own_count(full: Rendered) -> None:
    """The pods of another destination, and the check pod, are no part of it."""
    budget = full.one("PodDisruptionBudget", "topsort")["spec"]
    deployment = full.one("Deployment", "topsort")["spec"]
    assert budget["selector"] == deployment["selector"]
    assert budget["maxUnavailable"] == 1
    assert full.one("PodDisruptionBudget", "promoted")["spec"]["maxUnavailable"] == "34%"
    labels = deployment["template"]["metadata"]["labels"]
    chosen = deployment["selector"]["matchLabels"]
    assert chosen.items() <= labels.items()
    for each in [*full.all("Deployment"), *full.all("Pod")]:
        other = each.get("spec", {}).get("template", each)["metadata"]["labels"]
        assert (chosen.items() <= other.items()) == (other == labels)
    spread = full.pod("topsort")["topologySpreadConstraints"]
    assert [each["labelSelector"]["matchLabels"] for each in spread] == [chosen, chosen]


def test_a_constraint_of_the_operators_keeps_its_own_selector(helm: Helm) -> None:
    """Only what is missing is filled in."""
    mine = {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    chosen = {"labelSelector": {"matchLabels": {"a": "b"}}}
    spread = template(helm, values=least(topologySpreadConstraints=[mine, {**mine, **chosen}])).pod()[
        "topologySpreadConstraints"
    ]
    assert spread[0]["labelSelector"]["matchLabels"]["commerce-connector/destination"] == "topsort"
    assert spread[1] == {**mine, **chosen}


def test_autoscaling_owns_the_number_of_pods(full: Rendered) -> None:
    """A number in the Deployment would undo it at every upgrade."""
    assert "replicas" not in full.one("Deployment", "topsort")["spec"]
    assert full.one("Deployment", "esputnik-orders")["spec"]["replicas"] == 1
    assert len(full.all("ScaledObject")) == 2
    scaled = full.one("ScaledObject", "promoted")["spec"]
    assert scaled["scaleTargetRef"]["name"] == full.one("Deployment", "promoted")["metadata"]["name"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (3, 12)
    assert scaled["fallback"]["replicas"] == 4
    assert full.one("ScaledObject", "topsort")["spec"]["fallback"]["replicas"] == 12
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"]["threshold"] == "1000000"
    assert trigger["metadata"]["query"] == (
        'sum(connector_scalable_lag{namespace="commerce",'
        'pod=~"shop-commerce-connector-promoted-[a-z0-9]{1,10}-[a-z0-9]{5}"})'
    )
    assert "scalable_lag" in {metric.name for metric in METRICS}


PODS = [
    ("top", "shop-commerce-connector-top-85dd8b6764-hwrhx"),
    ("top-eu", "shop-commerce-connector-top-eu-7cdb9449bd-p2mdz"),
    ("", "shop-commerce-connector-top-345678901234567890ab-bc98cc9cc8xd7p"),
    ("", "shop-commerce-connector-top-345678901234567890abcd-b8f475dw48m5"),
]
"""What a real Kubernetes called the pods of five entries; long names it cuts, and puts no hyphen."""


def test_autoscaling_counts_the_pods_of_one_deployment_alone(helm: Helm) -> None:
    """Neither those of an entry whose key goes on behind its own."""
    scaling = {"enabled": True, "prometheusAddress": "http://p"}
    keys = {key: overlaid(PROMOTED, {"config": {"source": {"group_id": key}}}) for key in ("top", "top-eu")}
    rendered = template(helm, values=least(autoscaling=scaling, destinations=keys))
    for key in keys:
        query = rendered.one("ScaledObject", f"-{key}")["spec"]["triggers"][0]["metadata"]["query"]
        (pattern,) = re.findall(r'pod=~"([^"]+)"', query)
        assert [whose for whose, pod in PODS if re.fullmatch(pattern, pod)] == [key]


# ── the network ──────────────────────────────────────────────────────────────────────────────────


def ports(policy: Thing) -> list[list[int]]:
    """The ports of each rule for what goes out."""
    return [[port["port"] for port in rule["ports"]] for rule in policy["spec"]["egress"]]


def test_pods_may_reach_what_their_configuration_names_and_nothing_else(full: Rendered) -> None:
    """Names, brokers, registry, vendor; the policy is the check pod's, too."""
    policy = full.one("NetworkPolicy", "topsort")
    assert ports(policy) == [[53, 53], [9094], [8081], [443], [4317]]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    public = policy["spec"]["egress"][3]["to"]
    assert [peer["ipBlock"]["cidr"] for peer in public] == ["0.0.0.0/0", "::/0"]
    assert "10.0.0.0/8" in public[0]["ipBlock"]["except"]
    chosen = policy["spec"]["podSelector"]["matchLabels"].items()
    assert chosen <= full.one("Pod", "topsort-check")["metadata"]["labels"].items()
    assert chosen <= full.one("Deployment", "topsort")["spec"]["template"]["metadata"]["labels"].items()
    assert not chosen <= full.one("Pod", "promoted-check")["metadata"]["labels"].items()


def test_a_proxy_is_reached_instead_of_the_vendor(full: Rendered) -> None:
    """Wherever it is, as it is mostly not public."""
    policy = full.one("NetworkPolicy", "promoted")
    assert ports(policy)[3] == [3128]
    assert "to" not in policy["spec"]["egress"][3]


NETWORK: list[tuple[Thing, list[list[int]]]] = [
    ({}, [[53, 53], [9092], [443]]),
    (
        {"config": {"source": {"properties": {"bootstrap.servers": "a, b:9093,[::1]:9094,c:9093"}}}},
        [[53, 53], [9092, 9093, 9094], [443]],
    ),
    (
        {"config": {"source": {"schema_registry": {"url": "http://registry"}}}},
        [[53, 53], [9092], [80], [443]],
    ),
    (
        {"networkPolicy": {"egress": {"brokers": {"ports": [9092, 9094]}, "destination": {"ports": [8443]}}}},
        [[53, 53], [9092, 9094], [8443]],
    ),
]


@pytest.mark.parametrize(("more", "expected"), NETWORK)
def test_ports_are_those_of_the_addresses_unless_given(
    helm: Helm, more: Thing, expected: list[list[int]]
) -> None:
    """Kafka's own port where a broker is named without."""
    values = overlaid(least(networkPolicy={"enabled": True}), more)
    assert ports(template(helm, values=values).one("NetworkPolicy")) == expected


def test_a_vendors_own_port_is_open(helm: Helm) -> None:
    """Where the address names one."""
    values = least(
        networkPolicy={"enabled": True},
        destinations={"topsort": {"config": {"destination": {"url": "https://vendor.example:8443/x"}}}},
    )
    assert ports(template(helm, values=values).one("NetworkPolicy"))[-1] == [8443]


def test_only_monitoring_reaches_the_pods(full: Rendered, helm: Helm) -> None:
    """And nobody at all when no one is named."""
    (rule,) = full.one("NetworkPolicy", "topsort")["spec"]["ingress"]
    assert rule == {
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "ports": [{"port": 8080, "protocol": "TCP"}],
    }
    closed = template(helm, values=least(networkPolicy={"enabled": True, "ingress": {"from": []}}))
    assert closed.one("NetworkPolicy")["spec"]["ingress"] == []


# ── monitoring ───────────────────────────────────────────────────────────────────────────────────


def test_everything_on_has_every_part(full: Rendered) -> None:
    """Three destinations, and what watches them."""
    kinds = {kind: len(full.all(kind)) for kind in sorted({thing["kind"] for thing in full.things})}
    alerts, dashboards = _count("alerts/*.yaml"), _count("dashboards/*.json")
    assert kinds == {
        "ConfigMap": 3 + dashboards,
        "Deployment": 3,
        "NetworkPolicy": 3,
        "Pod": 3,
        "PodDisruptionBudget": 2,
        "PodMonitor": 1,
        "PrometheusRule": alerts,
        "ScaledObject": 2,
        "Service": 3,
        "ServiceAccount": 1,
    }


def _count(pattern: str) -> int:
    found = len(list(CHART.glob(pattern)))
    assert found, pattern
    return found


def test_the_monitor_finds_the_pods_that_carry_events(full: Rendered, helm: Helm) -> None:
    """And not the check pods, which serve nothing."""
    chosen = full.one("PodMonitor")["spec"]["selector"]["matchLabels"].items()
    for deployment in full.all("Deployment"):
        assert chosen <= deployment["spec"]["template"]["metadata"]["labels"].items()
    for pod in full.all("Pod"):
        assert not chosen <= pod["metadata"]["labels"].items()
    by_service = template(helm, CHART / "ci" / "external-secrets-values.yaml")
    service = by_service.one("Service")
    monitor = by_service.one("ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_alerts_arrive_as_they_are_written(full: Rendered) -> None:
    """Helm fills in none of Prometheus' templates; labels are added, runbooks get their address."""
    for file in CHART.glob("alerts/*.yaml"):
        written = yaml.safe_load(file.read_text())["groups"]
        spec = full.one("PrometheusRule", file.stem)["spec"]
        assert [group["name"] for group in spec["groups"]] == [group["name"] for group in written]
        for made, group in zip(spec["groups"], written, strict=True):
            for rule, source in zip(made["rules"], group["rules"], strict=True):
                assert rule["expr"] == source["expr"]
                if "alert" in rule:
                    assert rule["labels"] == {"team": "data-platform", **source["labels"]}
                    _same_annotations(rule["annotations"], source["annotations"])


def _same_annotations(made: Thing, written: Thing) -> None:
    page, here = "https://docs.example.com/commerce-connector/docs/runbooks.html#", "docs/runbooks.md#"
    assert written["runbook_url"].startswith(here)
    assert made == written | {"runbook_url": written["runbook_url"].replace(here, page)}


def test_dashboards_arrive_as_they_are_written(full: Rendered) -> None:
    """Byte for byte, where Grafana's sidecar looks."""
    for file in CHART.glob("dashboards/*.json"):
        config = full.one("ConfigMap", f"-{file.name}")
        assert json.loads(config["data"][file.name]) == json.loads(file.read_text())
        assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert config["metadata"]["annotations"]["grafana_folder"] == "Commerce"


# ── notes and the check ──────────────────────────────────────────────────────────────────────────


def test_helm_test_tries_the_configuration_of_every_destination(full: Rendered) -> None:
    """With the same file, the same secrets and the same image as the pods that carry events."""
    for pod in full.all("Pod"):
        name = pod["metadata"]["name"].removesuffix("-check")
        assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
        # Deleted when it succeeds, its log would be gone when helm 3 is to show it, and the test would fail.
        assert pod["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation"
        assert pod["spec"]["restartPolicy"] == "Never"
        (container,) = pod["spec"]["containers"]
        carrying = full.container(name)
        assert container["args"] == ["check", *carrying["args"][1:]]
        for same in ("image", "volumeMounts", "env", "securityContext"):
            assert container[same] == carrying[same]
        assert pod["spec"]["volumes"] == full.pod(name)["volumes"]


def notes(helm: Helm, *sets: Path) -> str:
    """What an installation prints."""
    files = [argument for file in sets for argument in ("-f", file)]
    answer = helm.run("install", "shop", CHART, "--namespace", "commerce", "--dry-run=client", *files)
    assert answer.code == 0, answer.err
    return answer.out.partition("NOTES:")[2]


def test_the_notes_tell_what_to_do_next(helm: Helm) -> None:
    """Topics to make, the check, where to look, and whom a start from the beginning would write to."""
    said = notes(helm, FULL)
    for group in ("topsort", "promoted", "esputnik-orders"):
        assert f"--topic commerce-connector-{group}.dead-letter" in said
    assert "--bootstrap-server kafka-0.kafka:9094,kafka-1.kafka:9094,kafka-2.kafka:9094" in said
    assert "helm test shop --namespace commerce" in said
    assert "port-forward deployment/shop-commerce-connector-" in said
    assert "writes to customers" not in said  # it starts from latest
    assert "Mind: nobody scrapes" not in said
    assert "Mind: nobody scrapes" in notes(helm, CHART / "ci" / "minimal-values.yaml")


def test_the_notes_say_when_an_alert_leads_nowhere_yet(helm: Helm, tmp_path: Path) -> None:
    """Alerts name a file of the repository until the address of the runbooks is given."""
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(least(monitoring={"rules": {"enabled": True}})))
    assert "monitoring.rules.runbooksUrl" in notes(helm, values)
    (file,) = CHART.glob("alerts/*.yaml")
    written = yaml.safe_load(file.read_text())["groups"]
    rules = template(helm, values).one("PrometheusRule")["spec"]["groups"]
    assert [rule["annotations"] for rule in rules[0]["rules"]] == [
        rule["annotations"] for rule in written[0]["rules"]
    ]
    assert "runbooksUrl" not in notes(helm, FULL)
    assert "runbooksUrl" not in notes(helm, CHART / "ci" / "minimal-values.yaml")


def test_the_notes_warn_before_old_events_reach_customers(helm: Helm, tmp_path: Path) -> None:
    """A new group begins with the oldest event."""
    values = tmp_path / "values.yaml"
    site: Thing = {
        "config": {"destination": {"name": "esputnik-site"}, "source": {"group_id": "g"}},
        "secrets": {"destination.api_key": {"existingSecret": "k", "key": "k"}},
    }
    values.write_text(yaml.safe_dump(least(destinations={"site": site})))
    assert "site writes to customers" in notes(helm, values)


# ── names ────────────────────────────────────────────────────────────────────────────────────────

NAMES: list[tuple[dict[str, Any], str]] = [
    ({}, "shop-commerce-connector-topsort"),
    ({"nameOverride": "shop"}, "shop-topsort"),
    ({"fullnameOverride": "cc"}, "cc-topsort"),
]


@pytest.mark.parametrize(("more", "name"), NAMES)
def test_names_say_the_release_and_the_destination(helm: Helm, more: Thing, name: str) -> None:
    """Or what the operator wants them to."""
    rendered = template(helm, values=least(**more))
    assert rendered.one("Deployment")["metadata"]["name"] == name
    assert rendered.one("ConfigMap")["metadata"]["name"] == name


def test_what_looks_like_no_text_is_text(helm: Helm, kubernetes: ModuleType) -> None:
    """A release, a namespace, a destination or a Secret may be called like a number or a yes."""
    secrets = {"destination.api_key": {"existingSecret": "24", "key": "no"}}
    values = least(
        fullnameOverride="1",
        nameOverride="on",
        priorityClassName="off",
        monitoring={"rules": {"enabled": True}, "podMonitor": {"enabled": True}},
        destinations={"no": {**PROMOTED, "secrets": secrets}},
    )
    rendered = template(helm, values=values, release="1e3", namespace="24")
    for thing in rendered.things:
        metadata = thing["metadata"]
        assert metadata["namespace"] == "24"
        assert all(isinstance(text, str) for text in [metadata["name"], *metadata["labels"].values()])
        if "monitoring" not in thing["apiVersion"]:
            kubernetes.validate(thing, "1.37", strict=True)
    selector = rendered.one("PodMonitor")["spec"]["selector"]["matchLabels"]
    assert selector["app.kubernetes.io/instance"] == "1e3"


def test_labels_and_annotations_of_the_operators_own_stand_beside_the_charts(helm: Helm) -> None:
    """Each name once: a thing's own before what all have, the chart's before both."""
    theirs = {"team": "all", "app.kubernetes.io/component": "x", "commerce-connector/destination": "x"}
    notes = {"checksum/config": "x", "team": "all"}
    mine = {"labels": {"team": "mine"}}
    watched = {"podMonitor": {"enabled": True} | mine, "rules": {"enabled": True} | mine}
    values = least(
        commonLabels=theirs,
        commonAnnotations=notes,
        podLabels=theirs | mine["labels"],
        podAnnotations={"checksum/config": "z", "helm.sh/hook": "z"} | mine["labels"],
        service={"enabled": True},
        monitoring=watched | {"dashboards": {"enabled": True} | mine},
    )
    rendered = template(helm, values=values)
    for kind in ("PodMonitor", "PrometheusRule"):
        assert rendered.one(kind)["metadata"]["labels"]["team"] == "mine"
    assert rendered.one("ConfigMap", "-kafka.json")["metadata"]["labels"]["team"] == "mine"
    for thing in (rendered.one("Deployment"), rendered.one("Service")):
        assert thing["metadata"]["labels"]["team"] == "all"
        assert thing["metadata"]["labels"]["app.kubernetes.io/component"] == "connector"
        assert thing["metadata"]["labels"]["commerce-connector/destination"] == "topsort"
    pods = rendered.one("Deployment")["spec"]["template"]["metadata"]
    assert pods["labels"].items() >= rendered.one("Deployment")["spec"]["selector"]["matchLabels"].items()
    assert (pods["labels"]["team"], pods["annotations"]["team"]) == ("mine", "mine")
    assert len(pods["annotations"]["checksum/config"]) == 64
    assert rendered.one("Pod")["metadata"]["annotations"]["helm.sh/hook"] == "test"


def test_no_two_things_have_one_name(helm: Helm) -> None:
    """Helm 4 would let the second replace the first and say nothing."""
    files = [*CHART.glob("dashboards/*.json"), *CHART.glob("alerts/*.yaml")]
    keys = [*(file.stem for file in files), "check"]
    entries = {key: overlaid(PROMOTED, {"config": {"source": {"group_id": key}}}) for key in keys}
    rendered = template(helm, FULL, values={"destinations": entries})
    names = [(thing["kind"], thing["metadata"]["name"]) for thing in rendered.things]
    assert len(rendered.all("Deployment")) == 3 + len(keys)
    assert len(names) == len(set(names))


def test_objects_of_the_operators_own_are_filled_in(helm: Helm) -> None:
    """The namespace of an ExternalSecret, for instance."""
    rendered = template(helm, CHART / "ci" / "external-secrets-values.yaml")
    assert rendered.one("ExternalSecret")["metadata"]["namespace"] == "commerce"
