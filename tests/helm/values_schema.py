"""Makes the chart's `values.schema.json`: its own values, and the connector's settings as in the code.

Draft-07, the newest that every Helm in use understands. Nothing that is named here may be misspelt in values;
what Kubernetes itself checks (a toleration, an affinity) is passed on as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from connector.settings.load import secret_fields
from connector.settings.reference import json_schema
from connector.vendors import DESTINATIONS
from tests.helm.chart import values

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
MAP: Schema = {"type": "object"}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
LOOSE_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
"""A map of which an entry may take one away."""
THINGS: Schema = {"type": "array", "items": {"type": "object"}}
COUNT: Schema = {"type": "integer", "minimum": 0}
SEVERAL: Schema = {"type": "integer", "minimum": 1}
SPAN: Schema = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}

ENTRY_KEY = "^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"
"""Part of names and labels. Not as `propertyNames`: helm 4.3 tells a wrong place for those."""
REFERENCE = "#/definitions/secretReference"


def shape(properties: dict[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    """An object that has these properties and no others."""
    made: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return made | ({"required": [*required]} if required else {})


def nullable(schema: Schema) -> Schema:
    """The same, or null: an entry takes a shared value away."""
    return {**schema, "type": [schema["type"], "null"]}


PROBE = shape(
    {
        "initialDelaySeconds": COUNT,
        "periodSeconds": SEVERAL,
        "timeoutSeconds": SEVERAL,
        "failureThreshold": SEVERAL,
        "successThreshold": SEVERAL,
    }
)
RULE = {
    "to": THINGS,
    "ports": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 65535}},
}
RANGES: Schema = {"type": "array", "items": TEXT}
MONITOR = shape(
    {
        "enabled": FLAG,
        "interval": SPAN,
        "scrapeTimeout": SPAN,
        "labels": TEXTS,
        "relabelings": THINGS,
        "metricRelabelings": THINGS,
    }
)

SHARED: dict[str, Schema] = {
    "secrets": {"$ref": "#/definitions/secrets"},
    "replicas": COUNT,
    "image": shape(
        {
            "registry": TEXT,
            "repository": {"type": "string", "minLength": 1},
            "tag": TEXT,
            "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
        }
    ),
    "imagePullSecrets": {"type": "array", "items": shape({"name": TEXT}, required=("name",))},
    "resources": shape({"requests": nullable(MAP), "limits": nullable(MAP), "claims": THINGS}),
    "autoscaling": shape(
        {
            "enabled": FLAG,
            "minReplicas": SEVERAL,
            "maxReplicas": SEVERAL,
            "lagPerReplica": SEVERAL,
            "prometheusAddress": TEXT,
            "pollingInterval": SEVERAL,
            "fallbackReplicas": nullable(COUNT),
            "query": TEXT,
            "behavior": shape({"scaleUp": MAP, "scaleDown": MAP}),
            "authenticationRef": MAP,
        }
    ),
    "strategy": shape({"type": {"enum": ["RollingUpdate", "Recreate"]}, "rollingUpdate": nullable(MAP)}),
    "revisionHistoryLimit": COUNT,
    "terminationGracePeriodSeconds": nullable(SEVERAL),
    "podDisruptionBudget": shape(
        {
            "enabled": FLAG,
            "maxUnavailable": {
                "anyOf": [SEVERAL, {"type": "string", "pattern": "^([1-9][0-9]?|100)%$"}],
            },
        }
    ),
    "topologySpreadConstraints": nullable(THINGS),
    "podSecurityContext": nullable(MAP),
    "securityContext": nullable(MAP),
    "startupProbe": PROBE,
    "livenessProbe": PROBE,
    "readinessProbe": PROBE,
    "networkPolicy": shape(
        {
            "enabled": FLAG,
            "ingress": shape({"from": THINGS}),
            "egress": shape(
                {
                    "dns": shape(RULE),
                    "brokers": shape(RULE),
                    "registry": shape(RULE),
                    "destination": shape({**RULE, "privateRanges": RANGES, "privateRanges6": RANGES}),
                    "extra": THINGS,
                }
            ),
        }
    ),
    "deploymentAnnotations": nullable(LOOSE_TEXTS),
    "podAnnotations": nullable(LOOSE_TEXTS),
    "podLabels": nullable(LOOSE_TEXTS),
    "nodeSelector": nullable(LOOSE_TEXTS),
    "tolerations": nullable(THINGS),
    "affinity": nullable(MAP),
    "priorityClassName": TEXT,
    "extraEnv": nullable(THINGS),
    "extraVolumes": nullable(THINGS),
    "extraVolumeMounts": nullable(THINGS),
    "extraContainers": nullable(THINGS),
}
"""What all destinations share and each may have its own of, beside `config`."""

RELEASE: dict[str, Schema] = {
    "nameOverride": {"type": "string", "maxLength": 63},
    "fullnameOverride": {"type": "string", "maxLength": 63},
    "commonLabels": TEXTS,
    "commonAnnotations": TEXTS,
    "serviceAccount": shape({"create": FLAG, "name": TEXT, "annotations": TEXTS}),
    "service": shape({"enabled": FLAG}),
    "monitoring": shape(
        {
            "podMonitor": MONITOR,
            "serviceMonitor": MONITOR,
            "rules": shape({"enabled": FLAG, "labels": TEXTS, "alertLabels": TEXTS, "runbooksUrl": TEXT}),
            "dashboards": shape({"enabled": FLAG, "labels": TEXTS, "annotations": TEXTS}),
        }
    ),
    "extraObjects": THINGS,
    "global": {"type": "object", "description": "Helm's own, for charts that have this one as a part."},
}
"""What is one for the whole release."""


def values_schema() -> Schema:
    """The whole schema."""
    definitions, choices = _settings()
    entry = shape(
        {
            "enabled": {"type": "boolean", "description": "false: this destination is left out."},
            "config": {"$ref": "#/definitions/connector.Settings"},
            **SHARED,
        },
        required=("config",),
    )
    root: dict[str, Schema] = {
        "destinations": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {ENTRY_KEY: {"$ref": "#/definitions/destination"}},
        },
        "config": {"$ref": "#/definitions/connector.Shared"},
        **SHARED,
        **RELEASE,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of commerce-connector",
        **shape(_described(root)),
        "definitions": {
            "destination": {**entry, "type": ["object", "null"], "allOf": choices},
            "secrets": _secrets(),
            "secretReference": {
                "description": "Where it is: a key of a Secret, or of a ConfigMap for what is no secret.",
                **shape(
                    {
                        "existingSecret": TEXT,
                        "existingConfigMap": TEXT,
                        "key": {"type": "string", "minLength": 1},
                    },
                    required=("key",),
                ),
                "type": ["object", "null"],
            },
            **definitions,
        },
    }


def text() -> str:
    """The file."""
    return json.dumps(values_schema(), indent=2, ensure_ascii=False) + "\n"


def _described(properties: dict[str, Schema]) -> dict[str, Schema]:
    """With the comments of `values.yaml` as descriptions, for editors."""
    made: dict[str, Schema] = json.loads(json.dumps(properties))
    for value in values():
        here: Schema = {"properties": made}
        for step in value.path:
            here = here["properties"][step]
        if "$ref" in here:  # draft-07 ignores everything beside a reference
            here["allOf"] = [{"$ref": here.pop("$ref")}]
        here["description"] = value.text
    return made


def _secrets() -> Schema:
    """Settings that hold a secret, by their path."""
    options = sorted({name for kind in DESTINATIONS.values() for name in secret_fields(kind.Options)})
    paths = [
        "destination.api_key",
        "source.schema_registry.auth",
        *(f"destination.options.{name}" for name in options),
    ]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {path: {"$ref": REFERENCE} for path in paths},
        "patternProperties": {r"^source\.properties\.[a-z._]+[a-z]$": {"$ref": REFERENCE}},
    }


# ── the connector's own settings ─────────────────────────────────────────────────────────────────


def _settings() -> tuple[dict[str, Schema], list[Schema]]:
    """The connector's schema as definitions, and what an entry's options must be for each destination.

    Nothing is required within it, because what is missing in an entry may be in the shared configuration: the
    templates look at both together.
    """
    code = json_schema()
    code = json.loads(json.dumps(code).replace("#/$defs/", "#/definitions/connector."))
    definitions = {f"connector.{name}": schema for name, schema in code["$defs"].items()}
    for name, schema in definitions.items():
        if not name.endswith(".Options"):
            schema.pop("required", None)
    for schema in _every(definitions):
        schema.pop("title", None)
        schema.pop("unit", None)
        if schema.get("format") in ("path", "password"):
            del schema["format"]
        schema.pop("writeOnly", None)
    settings = {"type": "object", "additionalProperties": False, "properties": code["properties"]}
    definitions["connector.Settings"] = settings
    properties = definitions["connector.DestinationSettings"]["properties"]
    shared = shape({name: properties[name] for name in ("allow_http", "proxy")})
    definitions["connector.Shared"] = {
        **settings,
        "properties": {**code["properties"], "destination": shared},
    }
    return dict(sorted(definitions.items())), [_choice(one) for one in code["allOf"]]


def _choice(choice: Schema) -> Schema:
    """What the code demands of a destination's section, in the entry that names this destination."""
    name = choice["if"]["properties"]["destination"]["properties"]["name"]["const"]
    then = choice["then"]["properties"]["destination"]
    if any(field.is_required() for field in DESTINATIONS[name].Options.model_fields.values()):
        then["required"] = [*then.get("required", []), "options"]
    named = {"properties": {"name": {"const": name}}, "required": ["name"]}
    return {"if": _in_config(named, required=True), "then": _in_config(then)}


def _in_config(destination: Schema, *, required: bool = False) -> Schema:
    inner: Schema = {"properties": {"destination": destination}}
    outer: Schema = {"properties": {"config": inner}}
    if required:
        inner["required"], outer["required"] = ["destination"], ["config"]
    return outer


def _every(schema: Any) -> Iterator[Schema]:
    """Every schema within: properties are names, not schemas, so that one called `title` stays."""
    if isinstance(schema, list):
        for one in schema:
            yield from _every(one)
    elif isinstance(schema, dict):
        yield schema
        for key, inner in schema.items():
            if key in ("properties", "definitions"):
                yield from (found for one in inner.values() for found in _every(one))
            elif key not in ("default", "const", "enum", "examples"):
                yield from _every(inner)
