"""The configuration's JSON Schema, reference page and commented example, all made from the model.

They can't disagree with the code, because nothing in them is written twice.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from connector.settings.checks import destinations
from connector.settings.load import secret_fields
from connector.settings.model import FILE_SUFFIX, LimitsSettings, Settings, SourceSettings
from connector.settings.problem import number

EXAMPLE_DESTINATION = "topsort"
EXAMPLE_KEY = "replace-me"
_EXAMPLES: dict[str, Any] = {
    "destination.api_key": EXAMPLE_KEY,
    "source.topics": ["orders", "clickstream"],
    "source.properties": {"bootstrap.servers": "localhost:9092"},
    "destination.options.currency": "EUR",
}
"""What a setting without a default is in the example, where its field names no example of its own."""

# ── JSON Schema ──────────────────────────────────────────────────────────────────────────────────


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the file, for editors; options follow the destination's name."""
    from connector.kafka import unusable

    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Settings.model_json_schema(),
        "title": "commerce-connector",
    }
    schema["$defs"]["DestinationSettings"]["properties"]["name"]["enum"] = sorted(destinations())
    refused = {"enum": sorted({*unusable.OURS, *unusable.NO_EFFECT, *unusable.HARMFUL})}
    schema["$defs"]["SourceSettings"]["properties"]["properties"]["propertyNames"] = {"not": refused}
    _let_sections_be_empty(schema)
    choices = []
    for name, destination in sorted(destinations().items()):
        options = destination.Options.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        for inner, definition in options.pop("$defs", {}).items():
            schema["$defs"][f"{name}.{inner}"] = definition
        schema["$defs"][f"{name}.Options"] = _with_files(options, destination.Options)
        then: dict[str, Any] = {"properties": {"options": {"$ref": f"#/$defs/{name}.Options"}}}
        if destination.url_per_account:
            then["properties"]["url"] = {"type": "string"}
            then["required"] = ["url"]
        if destination.address_options:
            named = {"properties": {"options": {"required": [*destination.address_options]}}}
            then["anyOf"] = [
                {"required": ["url"], "properties": {"url": {"type": "string"}}},
                {"required": ["options"], **named},
            ]
        choices.append(
            {
                "if": {"properties": {"destination": {"properties": {"name": {"const": name}}}}},
                "then": {"properties": {"destination": then}},
            }
        )
    schema["allOf"] = choices
    return schema


def _let_sections_be_empty(schema: dict[str, Any]) -> None:
    """A section whose keys are all commented out is null."""
    owners = (schema, Settings), (schema["$defs"]["SourceSettings"], SourceSettings)
    for owner, model in owners:
        for name, field in model.model_fields.items():
            if _section(field) is not None and not field.is_required():
                owner["properties"][name] = {"anyOf": [owner["properties"][name], {"type": "null"}]}


def _with_files(options: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """A secret option may also be given as the name of a file that holds it."""
    for name in secret_fields(model):
        options["properties"][name + FILE_SUFFIX] = {"type": "string", "format": "path"}
    return options


# ── the reference page ───────────────────────────────────────────────────────────────────────────

_HEAD = """\
# Configuration

<!-- Made by `connector config reference`; change the settings' own texts instead. -->

One YAML file, given with `-c`. Every key is also an environment variable, which wins over the file:
`CONNECTOR_<SECTION>__<KEY>`, for example `CONNECTOR_DESTINATION__API_KEY`. Lists and maps are written as JSON
(`CONNECTOR_SOURCE__TOPICS='["orders"]'`), `null` is null. A key that ends in `_file` names a file that holds
the value. A section without keys means its defaults.

Unknown keys are errors, and so are variables with one `_` too few. All errors are reported at once, each with
its path, a hint, and the variable that the value comes from; the exit code is 2.

`connector config example` prints a file with every setting, `connector config schema` a JSON Schema for
editors, and `connector check -c FILE` tries a configuration out.
"""


_PROPERTIES = """\
## source.properties

Everything goes to librdkafka, whose CONFIGURATION.md tells what there is. It is asked when the file is read,
without a broker: an unknown name, a bad value and what does not go together are told with all other mistakes.
Dead letters reach the cluster with the same properties for connection, TLS and SASL.

Whatever would be accepted and then ignored, or would break a promise, is refused by name:

{table}

What would let librdkafka hold more than its share of `limits.memory_mib`, or keep it from answering, is
bounded. Smaller values are taken; the most with `limits.memory_mib: {memory}`:

{bounds}
"""


def markdown() -> str:
    """The reference page: a table per section, then one per destination's options."""
    parts = [_HEAD]
    for path, section in _sections(Settings):
        parts.append(f"## {path}\n\n{section.__doc__}\n\n{_table(path, section)}")
        if path == "source":
            parts.append(_properties())
    for name, destination in sorted(destinations().items()):
        note = "`destination.url` must be given.\n\n" if destination.url_per_account else ""
        if destination.address_options:
            names = " and ".join(f"`{option}`" for option in destination.address_options)
            note = f"{names} must be given, or `destination.url`.\n\n"
        table = _table("destination.options", destination.Options)
        parts.append(f"## destination.options for {name}\n\n{note}{table}")
    return "\n".join(parts)


def _properties() -> str:
    """Which librdkafka properties are refused or bounded, and why."""
    from connector.kafka.properties import ALIASES, ceilings
    from connector.kafka.unusable import HARMFUL, NO_EFFECT, OURS

    rows = ["| property | why not |", "| --- | --- |"]
    for told, table in (
        ("set by the connector", OURS),
        ("no effect", NO_EFFECT),
        ("harmful", HARMFUL),
    ):
        names: dict[str, list[str]] = {}
        for name, reason in table.items():
            names.setdefault(reason, []).append(f"`{name}`")
        rows += [f"| {', '.join(each)} | {told}: {reason} |" for reason, each in names.items()]
    memory = LimitsSettings().memory_mib
    bounds = ceilings(memory << 20)
    second = [name for name, first in ALIASES.items() if first in bounds]
    most = [f"- `{name}`: {bounds[ALIASES.get(name, name)]:,}" for name in (*bounds, *second)]
    return _PROPERTIES.format(table="\n".join(rows), memory=memory, bounds="\n".join(most))


def _sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        section = _section(field)
        if section is not None:
            yield prefix + name, section
            yield from _sections(section, f"{prefix}{name}.")


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _table(path: str, section: type[BaseModel]) -> str:
    schema = section.model_json_schema()
    note = "".join(
        f"\n`{name}` may also be given as `{name}{FILE_SUFFIX}`, a file that holds it.\n"
        for name in (secret_fields(section) if path == "destination.options" else ())
    )
    rows = ["| key | default | may be | what it is for |", "| --- | --- | --- | --- |"]
    for name, field in section.model_fields.items():
        if _section(field) is not None and path != "destination.options":
            continue  # has its own table
        shape = schema["properties"][field.alias or name]
        cells = (
            f"`{field.alias or name}`",
            default_of(field),
            _may_be(shape, schema, field),
            field.description or "",
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n" + note


def default_of(field: FieldInfo) -> str:
    """A setting's default as Markdown, or that there is none."""
    if field.is_required():
        return "must be given"
    return f"`{json.dumps(_plain(field), ensure_ascii=False)}`"


def _plain(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return json.loads(json.dumps(value, default=_shown))


def _shown(value: object) -> Any:
    if isinstance(value, SecretStr):
        return ""
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def _may_be(shape: dict[str, Any], schema: dict[str, Any], field: FieldInfo) -> str:
    words = _kind(shape, schema)
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "unit" in extra:
        words += f", in {extra['unit']}"
    return words


_WORDS = {"object": "map", "string": "text", "integer": "whole number", "boolean": "true or false"}


def _kind(shape: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in shape:
        return _kind(schema["$defs"][shape["$ref"].rpartition("/")[2]], schema)
    if "anyOf" in shape:
        return " or ".join(_kind(one, schema) for one in shape["anyOf"])
    if "enum" in shape:
        return ", ".join(f"`{word}`" for word in shape["enum"])
    if "const" in shape:
        return f"`{shape['const']}`"
    kind: str | list[str] = shape.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(_WORDS.get(one, one) for one in kind)
    if kind == "array":
        return "list of " + _kind(shape.get("items", {}), schema)
    if kind == "object" and isinstance(shape.get("additionalProperties"), dict):
        return "map to " + _kind(shape["additionalProperties"], schema)
    return _WORDS.get(kind, kind) + _range(shape)


def _range(shape: dict[str, Any]) -> str:
    bounds = [
        ("exclusiveMinimum", "above"),
        ("minimum", "from"),
        ("maximum", "to"),
        ("exclusiveMaximum", "below"),
    ]
    words = [f"{word} {number(shape[key])}" for key, word in bounds if key in shape]
    return " " + " ".join(words) if words else ""


# ── the example ──────────────────────────────────────────────────────────────────────────────────


def example(name: str = EXAMPLE_DESTINATION) -> str:
    """A file for this destination that names every setting, each with its reason, and that loads as it is."""
    lines = [
        "# Every setting of commerce-connector with its default; a real file needs only what differs.",
        "# Every key is also an environment variable: CONNECTOR_DESTINATION__API_KEY and so on.",
    ]
    values = _EXAMPLES | _of_destination(name)
    for section_name, field in Settings.model_fields.items():
        section = _section(field)
        assert section is not None, section_name
        lines += ["", *_example_section(section_name, section_name, section, values)]
    return "\n".join(lines) + "\n"


def _of_destination(name: str) -> dict[str, Any]:
    """What must be given for this one and has no example of its own: its name, and where it is."""
    kind = destinations()[name]
    fields = kind.Options.model_fields
    found = {"destination.name": name, "source.group_id": f"commerce-connector-{name}"}
    if kind.url_per_account:
        found["destination.url"] = kind.url(kind.Options(**example_options(kind.Options)))
    for option in kind.address_options:
        found[f"destination.options.{option}"] = _first_example(option, fields[option])
    return found


def _example_section(
    path: str, key: str, section: type[BaseModel], values: Mapping[str, Any]
) -> Iterator[str]:
    depth = path.count(".")
    yield f"{'  ' * depth}{key}:"
    for name, field in section.model_fields.items():
        here = f"{path}.{name}"
        indent = "  " * (depth + 1)
        inner = _section(field)
        if here == "destination.options":
            inner = destinations()[values["destination.name"]].Options
        if inner is not None and inner.model_fields:
            yield from _example_section(here, name, inner, values)
            continue
        if field.description:
            yield from textwrap.wrap(
                field.description, 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
            )
        value = values[here] if here in values else _example_of(here, field)
        in_a_list = yaml.safe_dump(
            [value], default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
        )
        yield f"{indent}{name}: {in_a_list.strip()[1:-1]}"


def example_options(options: type[BaseModel]) -> dict[str, Any]:
    """A destination's options that must be given, with example values."""
    return {
        name: _example_of(f"destination.options.{name}", field)
        for name, field in options.model_fields.items()
        if field.is_required()
    }


def _example_of(path: str, field: FieldInfo) -> Any:
    if path in _EXAMPLES:
        return _EXAMPLES[path]
    return _first_example(path, field) if field.is_required() else _plain(field)


def _first_example(path: str, field: FieldInfo) -> Any:
    assert field.examples, f"{path} must be given, so its field needs an example"
    return field.examples[0]
