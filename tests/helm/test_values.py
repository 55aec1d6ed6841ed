"""The chart's values: what is misspelt or does not fit is refused, by its name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helm.chart import CHART
from tests.helm.rendering import PROMOTED, TOPSORT, Thing, entry, least, overlaid, refusal, template
from tests.helm.tools import Helm

# ── what is misspelt or wrong is named ───────────────────────────────────────────────────────────


def _nested(path: str, value: Any) -> Thing:
    """A misspelt value at that path; `/` between steps, as names may have points."""
    made: Any = value
    for step in reversed(path.split("/")):
        made = {step: made}
    thing: Thing = made
    return thing


MISSPELT = [
    "replcas",
    "image/repo",
    "autoscaling/maxReplica",
    "networkPolicy/egress/broker",
    "networkPolicy/egress/dns/port",
    "monitoring/podMonitors",
    "monitoring/podMonitor/intervall",
    "livenessProbe/period",
    "serviceAccount/automount",
    "config/delivery/linger",
    "config/sauce",
    "config/destination/api_keys",
    "secrets/source.registry.auth",
    "secrets/destination.api_key/secretName",
    "destinations/topsort/replicaz",
    "destinations/topsort/config/limits/memory_mb",
    "destinations/topsort/config/destination/options/curency",
    "destinations/topsort/secrets/destination.apikey",
    "destinations/topsort/monitoring",
]


@pytest.mark.parametrize("path", MISSPELT)
def test_a_misspelt_value_is_refused_by_its_name(each_helm: Helm, path: str) -> None:
    """By lint and template alike, wherever it stands."""
    values = overlaid(least(), _nested(path, {"key": "a"} if "secrets" in path else 1))
    name = path.rpartition("/")[2]
    if name == "secretName":
        values["secrets"]["destination.api_key"]["key"] = "a"
    assert name in refusal(each_helm, values)
    assert name in each_helm.run("lint", CHART, values=values).out


WRONG = [
    ({"replicas": -1}, "/replicas"),
    ({"replicas": "two"}, "/replicas"),
    ({"image": {"digest": "sha256:abc"}}, "/image/digest"),
    ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    ({"autoscaling": {"minReplicas": 0}}, "/autoscaling/minReplicas"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "/podDisruptionBudget/maxUnavailable"),
    ({"config": {"limits": {"memory_mib": 8}}}, "/config/limits/memory_mib"),
    ({"config": {"source": {"start_from": "middle"}}}, "/config/source/start_from"),
    ({"monitoring": {"podMonitor": {"interval": "often"}}}, "/monitoring/podMonitor/interval"),
    ({"destinations": {"Topsort": TOPSORT}}, "'Topsort' not allowed"),
    ({"destinations": {"a" * 41: TOPSORT}}, "not allowed"),
    ({"destinations": {"b": {}}}, "/destinations/b"),
    ({"destinations": {"b": {"config": {"destination": {"name": "topsrt"}}}}}, "topsort"),
    ({"destinations": {"b": {"config": {"destination": {"name": "topsort"}}}}}, "options"),
    ({"destinations": {"b": {"config": {"destination": {"name": "promoted"}}}}}, "url"),
    (
        {"destinations": {"b": {"config": {"destination": {"name": "moloco", "options": {}}}}}},
        "platform_name",
    ),
]


@pytest.mark.parametrize(("more", "said"), WRONG)
def test_a_wrong_value_is_refused_by_the_schema(helm: Helm, more: Thing, said: str) -> None:
    """With where it is."""
    assert said in refusal(helm, least(**more))


GRACE = "terminationGracePeriodSeconds is 30, but config.limits.shutdown_timeout_s and 10 s"

UNFIT: list[tuple[Thing, str]] = [
    (least(terminationGracePeriodSeconds=30), GRACE),
    (entry(terminationGracePeriodSeconds=30), GRACE),
    (entry(terminationGracePeriodSeconds=69, config={"limits": {"shutdown_timeout_s": 59.5}}), "need 70"),
    (least(config={"limits": {"memory_mib": 400}}), "resources.limits.memory is 512Mi"),
    (entry(resources={"limits": {"memory": "300M"}}), "need 384Mi"),
    (entry(config={"http": {"port": 0}}), "config.http.port 0"),
    (entry(config={"http": {"host": "127.0.0.1"}}), "config.http.host 127.0.0.1"),
    (entry(autoscaling={"enabled": True}), "autoscaling.prometheusAddress is missing"),
    (
        entry(autoscaling={"enabled": True, "prometheusAddress": "http://p", "maxReplicas": 1}),
        "autoscaling.maxReplicas is below",
    ),
    (
        least(
            autoscaling={"enabled": True, "prometheusAddress": "http://p"},
            fullnameOverride="a" * (47 - len("-topsort")),
        ),
        "longer than 46 characters",
    ),
    (
        least(monitoring={"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}),
        "scraped and counted twice",
    ),
    (
        least(destinations={"second": overlaid(TOPSORT, {})}),
        "destinations.second and destinations.topsort share the consumer group g-topsort",
    ),
    (least(fullnameOverride="a" * 60), "longer than the 63 characters"),
    (
        entry(config={"destination": {"api_key": "k"}}),
        '{"destination.api_key": {existingSecret: NAME, key: KEY}}',
    ),
    (
        least(config={"source": {"schema_registry": {"url": "https://r", "auth": "a:b"}}}),
        "config.source.schema_registry.auth would be readable",
    ),
    (
        least(config={"source": {"properties": {"sasl.password": "p"}}}),
        "config.source.properties.sasl.password would be readable",
    ),
    (
        entry(config={"destination": {"options": {"customer_id_hmac_secret": "s"}}}),
        "config.destination.options.customer_id_hmac_secret would be readable",
    ),
    (entry(secrets={"destination.api_key": None}), "destinations.topsort.secrets has no destination.api_key"),
    (least(secrets={"source.schema_registry.auth": {"key": "k"}}), "names neither existingSecret nor"),
    (
        least(
            secrets={
                "source.schema_registry.auth": {"existingSecret": "a", "existingConfigMap": "b", "key": "k"}
            }
        ),
        "keep one",
    ),
    (least(destinations={"b": {"config": {}}}), "destinations.b.config.destination.name is missing"),
    ({"destinations": {"topsort": TOPSORT}}, "config.source.topics is missing"),
    ({"config": {"source": {"topics": ["a"]}}, "destinations": {"topsort": TOPSORT}}, "no bootstrap.servers"),
    (least(destinations={"p": overlaid(PROMOTED, {"config": {"source": {"group_id": None}}})}), "group_id"),
]


@pytest.mark.parametrize(("values", "said"), UNFIT)
def test_values_that_do_not_fit_together_are_refused_with_what_to_do(
    each_helm: Helm, values: Thing, said: str
) -> None:
    """What a schema can't say, the templates do."""
    assert said in refusal(each_helm, values)


def test_a_period_that_is_long_enough_is_taken(helm: Helm) -> None:
    """Exactly what is needed is enough."""
    values = entry(terminationGracePeriodSeconds=70, config={"limits": {"shutdown_timeout_s": 59.5}})
    assert template(helm, values=values).pod()["terminationGracePeriodSeconds"] == 70


@pytest.mark.parametrize(("length", "query"), [(46, ""), (63, "sum(my_lag)")])
def test_a_name_that_autoscaling_finds_is_taken(helm: Helm, length: int, query: str) -> None:
    """As long as Kubernetes does not shorten the names of its pods, and longer with a query of one's own."""
    scaling = {"enabled": True, "prometheusAddress": "http://p", "query": query}
    values = least(autoscaling=scaling, fullnameOverride="a" * (length - len("-topsort")))
    assert len(template(helm, values=values).one("ScaledObject")["metadata"]["name"]) == length


def test_no_destination_is_no_mistake_but_told(helm: Helm) -> None:
    """The chart as it is can be looked at; its notes say that nothing runs."""
    assert not template(helm).all("Deployment")
    answer = helm.run("install", "r", CHART, "--dry-run=client")
    assert "Nothing runs yet" in answer.out, answer.err
