"""Every setting, with its unit, its default and its reason.

What one value must be stands at its field; what must hold between several is in `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    SecretStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from connector.settings.problem import did_you_mean, wrong
from connector.settings.secret import Secret

ENV_PREFIX = "CONNECTOR_"
ENV_DELIMITER = "__"

FORMATS = ("auto", "avro", "avro-raw:OrderEvent", "avro-raw:ClickstreamEvent", "json")
PURPOSES = ("analytics", "advertising", "personalization", "marketing")
MEMORY_MIB_MIN = 16  # below, the least that librdkafka fetches would be more than its share of this
MEMORY_MIB_MAX = 16_384  # twice this, and librdkafka's share would be above its own bound on a queue (2 GiB)
FILE_SUFFIX = "_file"
HIDDEN = "**********"

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")  # Kafka's own rule for topic names
_SECRET_PROPERTY = re.compile(r"password|passphrase|secret|token|\.key$|key\.pem|jaas|oauthbearer\.config")


def setting(
    default: Any,
    text: str,
    unit: str = "",
    *,
    gt: float | None = None,
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
) -> Any:
    """A field with what the reference says about it: what it is for, why that default, and its unit."""
    unit_note: dict[str, Any] | None = {"unit": unit} if unit else None
    return Field(
        default, description=text, json_schema_extra=unit_note, gt=gt, ge=ge, le=le, min_length=min_length
    )


# ── single values ────────────────────────────────────────────────────────────────────────────────


def is_topic(name: str) -> bool:
    """True for a name that Kafka takes."""
    return _TOPIC.fullmatch(name) is not None and name not in (".", "..")


def _topic_or_pattern(name: str) -> str:
    if name.startswith("^"):
        try:
            re.compile(name)
        except re.error:
            raise wrong(
                "is not a valid pattern", "a pattern is a regular expression that begins with ^"
            ) from None
    elif not is_topic(name):
        raise wrong("is not a topic name", "letters, digits, . _ - only; a pattern begins with ^")
    return name


def _topic(name: str) -> str:
    if not is_topic(name):
        raise wrong("is not a topic name", "letters, digits, . _ - only, at most 249")
    return name


def _formats(given: object) -> object:
    words = given.values() if isinstance(given, dict) else [given]
    for word in words:
        if not isinstance(word, str) or word not in FORMATS:
            raise wrong("is not a format, nor a map of topics to formats", f"known: {', '.join(FORMATS)}")
    return given


def _property(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case dict():
            raise wrong("is not a property, but a section", "names are written whole: bootstrap.servers: …")
    raise wrong("must be text, a number, true or false", "where there are several, commas are between them")


def _purposes(given: list[str]) -> list[str]:
    for word in given:
        if word not in PURPOSES:
            raise wrong("names an unknown purpose", did_you_mean(word, PURPOSES))
    return given


_FORMAT_SCHEMA = {
    "anyOf": [
        {"enum": list(FORMATS)},
        {"type": "object", "additionalProperties": {"enum": list(FORMATS)}},
    ]
}
Topic = Annotated[str, AfterValidator(_topic)]
TopicOrPattern = Annotated[str, AfterValidator(_topic_or_pattern)]
Format = Annotated[str | dict[str, str], PlainValidator(_formats), WithJsonSchema(_FORMAT_SCHEMA)]
Property = Annotated[
    str, PlainValidator(_property), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
Purposes = Annotated[list[str], AfterValidator(_purposes)]

# ── the sections ─────────────────────────────────────────────────────────────────────────────────


class Section(BaseModel):
    """Part of the file. Unknown keys are errors; nothing changes after the start."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, given: object) -> object:
        """A section whose keys are all commented out is null in YAML, and means its defaults."""
        return {} if given is None else given


class DestinationSettings(Section):
    """Where events go."""

    name: str = setting(..., "The vendor endpoint; `connector destinations` lists them. One a process.")
    url: str | None = setting(
        None,
        "Complete address of the endpoint. null: the destination's own (made from its options); not where "
        "the vendor gives every account another one, which must be given.",
    )
    allow_http: bool = setting(
        False, "Allow plain http beyond this machine. Off, because the key travels with every request."
    )
    proxy: str | None = setting(None, "HTTP proxy for requests to the destination, without credentials.")
    api_key: SecretStr | None = setting(None, "The vendor's key. Give this or `api_key_file`.")
    api_key_file: Path | None = setting(
        None, "File that holds the key; read again when it changes, so a rotated key needs no restart."
    )
    options: dict[str, Any] = setting({}, "The destination's own settings; see its part of this page.")
    _key_place: str = PrivateAttr("destination.api_key")

    def key_comes_from(self, variable: str) -> None:
        """The key is in this environment variable, not in the file of settings."""
        self._key_place = variable

    def secret(self) -> Secret:
        """The vendor's key, following its file."""
        if self.api_key_file is not None:
            return Secret(file=self.api_key_file)
        assert self.api_key is not None, "checked when the configuration was read"
        return Secret(self.api_key.get_secret_value(), place=self._key_place)


class SchemaRegistrySettings(Section):
    """Where Avro schemas are looked up."""

    url: str | None = setting(None, "Address of a Confluent-compatible registry. null: no framed Avro.")
    auth: SecretStr | None = setting(None, "`user:password` for the registry. Give this or `auth_file`.")
    auth_file: Path | None = setting(None, "File that holds `user:password`; read again when it changes.")
    allow_http: bool = setting(
        False, "Let credentials go to a registry over plain http, where anybody on the way can read them."
    )
    cache_dir: Path | None = setting(
        None, "Reserved for schemas kept on disk, which comes later: any value but null is refused."
    )

    def secret(self) -> Secret | None:
        """`user:password`, following its file; None without."""
        if self.auth_file is not None:
            return Secret(file=self.auth_file)
        if self.auth is None:
            return None
        return Secret(self.auth.get_secret_value(), place="source.schema_registry.auth")


class SourceSettings(Section):
    """What is read from Kafka."""

    topics: list[TopicOrPattern] = setting(
        ..., "Topic names; one that begins with ^ is a pattern (a regular expression).", min_length=1
    )
    group_id: str = setting(
        ..., "The consumer group. One a destination, so that none holds another back.", min_length=1
    )
    format: Format = setting(
        "auto",
        "How values are encoded: " + ", ".join(f"`{word}`" for word in FORMATS) + ", or a map of topics to "
        "these. auto looks at each record: first byte 0 is framed Avro, { or blank is JSON.",
    )
    start_from: Literal["earliest", "latest", "fail"] = setting(
        "earliest", "Where to begin when the group has no offset yet; never used afterwards."
    )
    on_offset_lost: Literal["halt", "earliest", "latest"] = setting(
        "halt",
        "What to do when Kafka no longer has the committed offset. halt, because any jump may lose events.",
    )
    properties: dict[str, Property] = setting(
        ...,
        "librdkafka properties, `bootstrap.servers` first. A name that ends in `_file` names a file that "
        "holds the value. Some are refused: `connector config reference` says which, and why.",
    )
    schema_registry: SchemaRegistrySettings = setting(
        SchemaRegistrySettings(), "Where Avro schemas are looked up."
    )

    def librdkafka(self) -> dict[str, str]:
        """The properties as librdkafka wants them, files read now. Raises OSError when one can't be."""
        resolved = {}
        for name, value in self.properties.items():
            if name.endswith(FILE_SUFFIX):
                resolved[name.removesuffix(FILE_SUFFIX)] = Path(value).read_text("utf-8").strip()
            else:
                resolved[name] = value
        return resolved


class DeliverySettings(Section):
    """How items travel. null: the destination's own rule."""

    ordering: Literal["none", "key"] | None = setting(
        None,
        "key: never two requests of one key at once, never an older item after a newer. Whose key: the "
        "destination's own (an order's, a cart's) where it has one, else the Kafka record's.",
    )
    linger_ms: int = setting(
        50, "How long a batch waits to fill up: the price of fewer requests.", "ms", ge=0, le=60_000
    )
    max_in_flight: int = setting(
        64,
        "Most requests open at once; the limit adapts to the vendor below this.",
        "requests",
        ge=1,
        le=4096,
    )
    requests_per_second: float | None = setting(
        None, "Most requests started a second by this process; 0: no cap.", "1/s", ge=0
    )
    request_timeout_s: float | None = setting(
        None, "Longest wait for an answer, after which the request counts as silence.", "s", gt=0, le=900
    )
    consent: Purposes | None = setting(
        None,
        f"Purposes whose refusal skips an event, of {', '.join(PURPOSES)}. Empty: consent is not looked at.",
    )


class DeadLetterSettings(Section):
    """Where events go that can never be delivered."""

    topic: Topic | None = setting(
        None, "The dead-letter topic; null: `<group_id>.dead-letter`. It must exist and not be compacted."
    )
    flood_ratio: float = setting(
        0.5,
        "Share of dead letters above which the connector halts, as something else is wrong then. 1: never.",
        gt=0,
        le=1,
    )
    flood_window: int = setting(
        200, "Over how many of the last records that share is taken.", "records", ge=50, le=1_000_000
    )


class LimitsSettings(Section):
    """Bounds on memory and time."""

    memory_mib: int = setting(
        256,
        "Bytes held by everything in flight, Kafka's queue included; above it partitions pause.",
        "MiB",
        ge=MEMORY_MIB_MIN,
        le=MEMORY_MIB_MAX,
    )
    partition_share: float = setting(
        0.5, "Most of that budget one partition may hold while others wait.", gt=0, le=1
    )
    ahead_max: int = setting(
        50_000,
        "Most records beyond a partition's first unsettled one; bounds what is repeated.",
        "records",
        ge=1,
    )
    shutdown_timeout_s: float = setting(
        25,
        "Longest stop. Below the pod's grace period (30 s in Kubernetes), else work is cut off.",
        "s",
        gt=0,
        le=3600,
    )
    drain_timeout_s: float = setting(
        20,
        "Longest wait for a revoked partition's requests; at a stop shutdown_timeout_s bounds it too.",
        "s",
        gt=0,
    )


class HttpSettings(Section):
    """Where health, metrics and status are served."""

    host: str = setting("0.0.0.0", "Address to listen on; `::` is every address, IPv6 too.", min_length=1)
    port: int = setting(8080, "Port to listen on; 0: any free one.", ge=0, le=65_535)


class LoggingSettings(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "debug adds a line a request; records are never logged one by one."
    )
    format: Literal["json", "text", "auto"] = setting(
        "auto", "json for machines, text for people, auto: text on a terminal, else json."
    )


class Settings(BaseSettings):
    """The whole configuration. Make it with `load` or `from_mapping`, which check what no field can alone."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        env_parse_none_str="null",
    )

    destination: DestinationSettings = setting(..., "Where events go.")
    source: SourceSettings = setting(..., "What is read from Kafka.")
    delivery: DeliverySettings = setting(
        DeliverySettings(), "How items travel. null: the destination's own rule."
    )
    dead_letter: DeadLetterSettings = setting(
        DeadLetterSettings(), "Where events go that can never be delivered."
    )
    limits: LimitsSettings = setting(LimitsSettings(), "Bounds on memory and time.")
    http: HttpSettings = setting(HttpSettings(), "Where health, metrics and status are served.")
    logging: LoggingSettings = setting(LoggingSettings(), "What is written to standard error.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: `load` reads the environment itself, to name every bad variable at once."""
        return (init_settings,)

    @property
    def dead_letter_topic(self) -> str:
        """Where dead letters go, the default worked out."""
        return self.dead_letter.topic or f"{self.source.group_id}.dead-letter"


def is_secret_property(name: str) -> bool:
    """True for a librdkafka property whose value nobody may see."""
    return _SECRET_PROPERTY.search(name) is not None and not name.endswith((FILE_SUFFIX, ".location"))


def paths(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """The dotted path of every setting that is not a section."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from paths(kind, f"{prefix}{name}.")
        else:
            yield prefix + name
