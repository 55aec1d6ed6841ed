"""What must hold between settings, one function a rule. Decides only, but for looking into secret files.

A rule says which settings it needs; it is left out while one of them is wrong by itself, so that nobody reads
about the same mistake twice.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from connector.settings.model import (
    FILE_SUFFIX,
    MAX_POLL_INTERVAL,
    MAX_POLL_INTERVAL_MS,
    Settings,
    is_secret_property,
    is_topic,
)
from connector.settings.problem import Problem, did_you_mean
from connector.settings.secret import Secret, is_header_safe

if TYPE_CHECKING:
    from connector.vendors.contract import Destination

Problems = Iterator[Problem]


def destination_known(settings: Settings) -> Problems:
    """The name is in the table of destinations."""
    name = settings.destination.name
    if name not in destinations():
        from connector.vendors import UNUSABLE

        what = f"can't be used: {UNUSABLE[name]}" if name in UNUSABLE else "is not a destination"
        yield Problem("destination.name", what, did_you_mean(name, destinations()))


def url_safe(settings: Settings) -> Problems:
    """The key never travels in the clear, and no credential hides in the address."""
    url = settings.destination.url
    if url is None:
        return
    path = "destination.url"
    parts = _split(url)
    if parts is None:
        yield Problem(path, "is not an address", "write it whole: https://host/path")
        return
    yield from _no_credentials(path, parts, "use destination.api_key or destination.api_key_file")
    if parts.fragment:
        yield Problem(path, "has a fragment (#…), which is never sent")
    if (
        parts.scheme == "http"
        and not settings.destination.allow_http
        and not is_loopback(parts.hostname or "")
    ):
        yield Problem(path, "is plain http", "use https, or set destination.allow_http: true if you must")


def proxy_usable(settings: Settings) -> Problems:
    """The proxy is an address without credentials."""
    if settings.destination.proxy is None:
        return
    parts = _split(settings.destination.proxy)
    if parts is None:
        yield Problem("destination.proxy", "is not an address", "for example http://proxy:3128")
        return
    yield from _no_credentials(
        "destination.proxy", parts, "proxies that ask for a password are not supported"
    )


def api_key_usable(settings: Settings) -> Problems:
    """There is exactly one key, and it fits into a header."""
    destination = settings.destination
    yield from _one_secret(
        "destination.api_key", destination.api_key, destination.api_key_file, required=True
    )


def avro_has_a_registry(settings: Settings) -> Problems:
    """Framed Avro needs schemas by id."""
    given = settings.source.format
    asked = "avro" in (given.values() if isinstance(given, dict) else [given])
    if asked and settings.source.schema_registry.url is None:
        yield Problem(
            "source.schema_registry.url", "is missing", "the format avro looks schemas up in a registry"
        )


def registry_usable(settings: Settings) -> Problems:
    """The registry's address and credentials can be used."""
    registry = settings.source.schema_registry
    path = REGISTRY
    if registry.cache_dir is not None:
        yield Problem(f"{path}.cache_dir", "is not built yet", "leave it null; schemas are cached in memory")
    yield from _one_secret(f"{path}.auth", registry.auth, registry.auth_file, required=False)
    if registry.url is None:
        if registry.auth is not None or registry.auth_file is not None:
            yield Problem(f"{path}.url", "is missing, but credentials for it are given")
        return
    parts = _split(registry.url)
    if parts is None:
        yield Problem(f"{path}.url", "is not an address", "for example https://registry:8081")
        return
    yield from _no_credentials(f"{path}.url", parts, f"use {path}.auth or {path}.auth_file")
    secret = registry.auth is not None or registry.auth_file is not None
    if (
        secret
        and parts.scheme == "http"
        and not registry.allow_http
        and not is_loopback(parts.hostname or "")
    ):
        hint = f"use https, or set {path}.allow_http: true if you must"
        yield Problem(f"{path}.url", "is plain http, and credentials are given", hint)


def properties_usable(settings: Settings) -> Problems:
    """Brokers are named, secret files can be read, nothing of ours is overridden or of no effect, and
    librdkafka takes the rest."""
    from connector.kafka import properties as kafka

    given = settings.source.properties
    path = "source.properties"
    if not given.get("bootstrap.servers"):
        yield Problem(f"{path}.bootstrap.servers", "is missing", "for example kafka-1:9092,kafka-2:9092")
    asked: dict[str, str] = {}
    for name, value in given.items():
        bare = name.removesuffix(FILE_SUFFIX)
        plain = bare.removeprefix("topic.")
        if plain in kafka.OURS:
            yield Problem(f"{path}.{name}", "is set by the connector", kafka.OURS[plain])
        elif plain in kafka.PRODUCERS:
            hint = "dead letters are written with the connector's own, which its promises depend on"
            yield Problem(f"{path}.{name}", "is for producers and would have no effect", hint)
        elif name == bare:
            asked[name] = value
        else:
            if bare in given:
                yield Problem(f"{path}.{name}", f"is given beside {bare}", "give one of the two")
            else:
                asked[bare] = "…"  # what the file holds is a secret, and does not matter here
            yield from _readable(f"{path}.{name}", Path(value))
    for bare, words in kafka.refusals(asked):
        name = bare if bare in given else f"{bare}{FILE_SUFFIX}"
        hint = "" if is_secret_property(bare) else words  # it may quote the value
        yield Problem(f"{path}.{name}", "is refused by librdkafka", hint)


def queues_within_memory(settings: Settings) -> Problems:
    """What librdkafka may hold stays within what the process may hold."""
    from connector.kafka import properties as kafka

    limit = settings.limits.memory_mib << 20
    for names, unit in ((kafka.QUEUES_KIB, 1024), (kafka.QUEUES_BYTES, 1)):
        for name in names:
            value = settings.source.properties.get(name, "")
            if value.isdecimal() and int(value) * unit > limit:
                hint = "leave it out: the connector keeps librdkafka's queues within limits.memory_mib"
                yield Problem(f"source.properties.{name}", "is more than limits.memory_mib", hint)


def drain_before_eviction(settings: Settings) -> Problems:
    """A drain ends before Kafka takes the partitions away, else every slow drain would be a lost one."""
    from connector.kafka.offsets import COMMIT_S

    text = settings.source.properties.get(MAX_POLL_INTERVAL, str(MAX_POLL_INTERVAL_MS))
    if text.isdecimal() and (settings.limits.drain_timeout_s + COMMIT_S) * 1000 >= int(text):
        limit = f"{MAX_POLL_INTERVAL} ({int(text) / 1000:g} s)"
        yield Problem(
            "limits.drain_timeout_s",
            f"must be below {limit} by more than {COMMIT_S:g} s, which the commit may take",
            "Kafka takes partitions away from a consumer that drains for longer",
        )


def topics_distinct(settings: Settings) -> Problems:
    """No topic is named twice, and a map of formats names only topics that are read."""
    topics = settings.source.topics
    for index, topic in enumerate(topics):
        if topic in topics[:index]:
            yield Problem(f"source.topics.{index}", "is listed twice")
    formats = settings.source.format
    if isinstance(formats, dict):
        for name in formats:
            if not any(covers(topic, name) for topic in topics):
                yield Problem(
                    f"source.format.{name}", "is not among source.topics", did_you_mean(name, topics)
                )


def dead_letters_apart(settings: Settings) -> Problems:
    """Dead letters are not read back as events."""
    topic = settings.dead_letter_topic
    path = "dead_letter.topic"
    if not is_topic(topic):
        yield Problem(path, "is missing", "source.group_id can't be part of a topic name, so name the topic")
    for source in settings.source.topics:
        if covers(source, topic):
            what = "is among source.topics" if source == topic else "is matched by a pattern of source.topics"
            yield Problem(path, what, f"{topic} would be read as events; choose another name")
            return


def ordering_fits(settings: Settings) -> Problems:
    """A destination that needs order by key is not run without it. Needs a known destination."""
    name = settings.destination.name
    if settings.delivery.ordering == "none" and destinations()[name].ordering_required:
        yield Problem(ORDERING, f"{name} requires key", "leave it null")


def url_given(settings: Settings) -> Problems:
    """Where every account has an address of its own, it is named, whole or by its parts. Needs a known
    destination."""
    name = settings.destination.name
    if settings.destination.url is not None:
        return
    if destinations()[name].url_per_account:
        hint = (
            f"{name} gives every account its own; write it whole, as the vendor told you: https://host/path"
        )
        yield Problem(URL, "is missing", hint)
    for option in destinations()[name].address_options:
        if settings.destination.options.get(option) is None:
            hint = f"{name} has told you; or give the whole address as {URL}"
            yield Problem(f"destination.options.{option}", "is missing", hint)


Rule = Callable[[Settings], Problems]

NAME, URL, HTTP = "destination.name", "destination.url", "destination.allow_http"
KEYS = ("destination.api_key", "destination.api_key_file")
TOPICS, PROPERTIES = "source.topics", "source.properties"
REGISTRY, ORDERING = "source.schema_registry", "delivery.ordering"

RULES: tuple[tuple[Rule, tuple[str, ...]], ...] = (
    (destination_known, (NAME,)),
    (url_safe, (URL, HTTP)),
    (proxy_usable, ("destination.proxy",)),
    (api_key_usable, KEYS),
    (properties_usable, (PROPERTIES,)),
    (queues_within_memory, (PROPERTIES, "limits.memory_mib")),
    (drain_before_eviction, (PROPERTIES, "limits.drain_timeout_s")),
    (topics_distinct, (TOPICS, "source.format")),
    (registry_usable, (REGISTRY,)),
    (avro_has_a_registry, ("source.format", f"{REGISTRY}.url")),
    (dead_letters_apart, (TOPICS, "source.group_id", "dead_letter.topic")),
)
"""Rules that hold for every destination, with the settings each looks at."""

# ── what the rules ask ───────────────────────────────────────────────────────────────────────────


def destinations() -> Mapping[str, type[Destination]]:
    """The table of destinations; imported when first asked for, so that `--help` need not wait for it."""
    from connector.vendors import DESTINATIONS

    return DESTINATIONS


def covers(source: str, topic: str) -> bool:
    """True if this entry of `source.topics` reads that topic; Kafka's patterns match a name's beginning."""
    return re.match(source, topic) is not None if source.startswith("^") else source == topic


def is_loopback(host: str) -> bool:
    """True for this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    usable = parts.scheme in ("http", "https") and parts.hostname and port != 0 and url == url.strip()
    return parts if usable and not re.search(r"[\s\\]", url) else None


def _no_credentials(path: str, parts: SplitResult, hint: str) -> Problems:
    if parts.username is not None or parts.password is not None:
        yield Problem(path, "holds credentials", hint)


def _one_secret(path: str, value: SecretStr | None, file: Path | None, *, required: bool) -> Problems:
    if value is not None and file is not None:
        yield Problem(path, "is given twice", f"keep {path} or {path}{FILE_SUFFIX}, not both")
    elif file is not None:
        yield from _readable(path + FILE_SUFFIX, file)
    elif value is not None:
        if not is_header_safe(value.get_secret_value()):
            yield Problem(path, "is empty, or holds blanks at its ends or characters outside printable ASCII")
    elif required:
        variable = "CONNECTOR_" + path.upper().replace(".", "__")
        yield Problem(path, "is missing", f"set it, {path}{FILE_SUFFIX} or the variable {variable}")


def _readable(path: str, file: Path) -> Problems:
    try:
        value = Secret(file=file).read()
    except OSError as error:
        yield Problem(path, f"can't be read: {error.strerror}", str(file))
    except ValueError:
        yield Problem(path, "is empty or not text", str(file))
    else:
        if path.startswith("destination.") and not is_header_safe(value):
            yield Problem(path, "holds characters outside printable ASCII", str(file))
