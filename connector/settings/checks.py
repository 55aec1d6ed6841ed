"""What must hold between settings, one function a rule. Decides only, but for looking into secret files.

A rule says which settings it needs; it is left out while one of them is wrong by itself, so that nobody reads
about the same mistake twice.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from connector.settings.model import (
    FILE_SUFFIX,
    Settings,
    is_topic,
)
from connector.settings.problem import Problem, did_you_mean
from connector.settings.secret import Secret, is_header_safe

if TYPE_CHECKING:
    from connector.kafka.unusable import Unusable
    from connector.vendors.contract import Destination

Problems = Iterator[Problem]

PORT_MAX = 65_535

_BROKER = re.compile(
    r"(?:(?:plaintext|ssl|sasl_plaintext|sasl_ssl)://)?(?:\[[0-9a-f:.]+\]|[^\s:/\[\]@]+)(?::(\d{1,5}))?",
    re.IGNORECASE,
)
"""A broker as librdkafka reads it; what it can't read it leaves out, and says so in its log alone."""


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
    if not settings.destination.allow_http and not travels_safely(url):
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
    if secret and not registry.allow_http and not travels_safely(registry.url):
        hint = f"use https, or set {path}.allow_http: true if you must"
        yield Problem(f"{path}.url", "is plain http, and credentials are given", hint)


def brokers_named(settings: Settings) -> Problems:
    """There is a broker to ask, and each is a host."""
    given = settings.source.properties
    file = f"bootstrap.servers{FILE_SUFFIX}"
    path = f"{PROPERTIES}.{file if file in given else 'bootstrap.servers'}"
    brokers = _resolved(settings).get("bootstrap.servers", "")
    if brokers is None:
        return  # its file can't be read, which is told elsewhere
    if not brokers.strip(" ,"):
        yield Problem(path, "is missing", "for example kafka-1:9092,kafka-2:9092")
    elif not all(_is_broker(broker.strip()) for broker in brokers.split(",") if broker.strip()):
        yield Problem(path, "is not a list of hosts", "for example kafka-1:9092,kafka-2:9092")


def _is_broker(text: str) -> bool:
    found = _BROKER.fullmatch(text)
    return found is not None and 0 < int(found[1] or 9092) <= PORT_MAX


def properties_usable(settings: Settings) -> Problems:
    """Secret files can be read, nothing of ours is overridden or of no effect, and librdkafka takes the
    rest."""
    from connector.kafka import unusable

    given = settings.source.properties
    refused = [_refusal(settings, each) for each in unusable.one_by_one(_resolved(settings))]
    yield from refused
    for name, value in given.items():
        path = f"{PROPERTIES}.{name}"
        if name.endswith(FILE_SUFFIX) and path not in {problem.path for problem in refused}:
            if name.removesuffix(FILE_SUFFIX) in given:
                other = name.removesuffix(FILE_SUFFIX)
                yield Problem(path, f"is given beside {other}", "give one of the two")
            else:
                yield from _readable(path, Path(value))


def properties_agree(settings: Settings) -> Problems:
    """librdkafka takes them together, and holds no more than the process may."""
    from connector.kafka import unusable

    properties = {name: value for name, value in _resolved(settings).items() if value is not None}
    if not any(properties_usable(settings)):
        for refused in unusable.at_odds(properties, settings.limits.memory_mib << 20):
            yield _refusal(settings, refused)


def _refusal(settings: Settings, refused: Unusable) -> Problem:
    from connector.kafka.unusable import NAMES

    name, hint = refused.name, refused.hint
    if not hint:
        (meant,) = get_close_matches(name, NAMES, n=1) or ("",)
        hint = f"did you mean {meant}?" if meant else "see its CONFIGURATION.md; Java's differ"
    if name not in settings.source.properties and name + FILE_SUFFIX in settings.source.properties:
        name += FILE_SUFFIX
    return Problem(f"{PROPERTIES}.{name}" if name else PROPERTIES, refused.what, hint)


def _resolved(settings: Settings) -> dict[str, str | None]:
    """The properties as librdkafka wants them; None where the file that holds a value can't be read."""
    found: dict[str, str | None] = {}
    for name, value in settings.source.properties.items():
        if name.endswith(FILE_SUFFIX):
            try:
                found[name.removesuffix(FILE_SUFFIX)] = Secret(file=Path(value)).read()
            except (OSError, ValueError):
                found[name.removesuffix(FILE_SUFFIX)] = None
        else:
            found[name] = value
    return found


def drain_before_eviction(settings: Settings) -> Problems:
    """A drain ends before Kafka takes the partitions away, else every slow drain would be a lost one."""
    from connector.kafka.offsets import COMMIT_S
    from connector.kafka.properties import MAX_POLL_INTERVAL, max_poll_interval_ms

    properties = {name: value for name, value in _resolved(settings).items() if value is not None}
    most_ms = max_poll_interval_ms(properties)
    if (settings.limits.drain_timeout_s + COMMIT_S) * 1000 >= most_ms:
        yield Problem(
            "limits.drain_timeout_s",
            f"must be below {MAX_POLL_INTERVAL} ({most_ms / 1000:g} s) by more than {COMMIT_S:g} s, "
            "which the commit may take",
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
    (brokers_named, (PROPERTIES,)),
    (properties_usable, (PROPERTIES,)),
    (properties_agree, (PROPERTIES, "limits.memory_mib")),
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


def travels_safely(url: str) -> bool:
    """True if nobody on the way can read what is sent to this address."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


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
