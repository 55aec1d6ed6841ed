"""`connector check`: tries a configuration out, one line a finding, ok or what to do."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from connector.cli import asking
from connector.cli.asking import ask, registry_address, registry_credentials, shown
from connector.cli.check_records import newest_records
from connector.cli.common import PROBLEMS_FOUND, ConfigFile, command, read_settings
from connector.cli.finding import Finding, State
from connector.configured import destination_of
from connector.kafka.inspect import Cluster, ClusterError
from connector.kafka.offsets import EDGES
from connector.kafka.security import doubts
from connector.model.verdict import Halt
from connector.ops import logs, words
from connector.settings import Settings
from connector.settings.checks import covers, is_loopback, travels_safely
from connector.settings.reference import EXAMPLE_KEY
from connector.vendors import DESTINATIONS
from connector.vendors.answers import in_words
from connector.vendors.contract import Request, Response

app = command()


@app.command()
def check(
    config: ConfigFile = None,
    offline: Annotated[bool, typer.Option("--offline", help="Look at the configuration only.")] = False,
) -> None:
    """Try a configuration out: broker, topics, registry, dead-letter topic and the destination's key.

    Reads the newest record of each topic, to tell whether it decodes and maps. Sends no event and joins no
    group. Exit code 3 when something is wrong.

    \b
    Example:
      connector check -c connector.yaml
    """
    settings = read_settings(config)
    logs.configure("error", "text")
    worst = 0
    for finding in _findings(settings, config, offline):
        print(logs.redact(str(finding)), flush=True)
        worst = max(worst, PROBLEMS_FOUND if finding.state == "wrong" else 0)
    raise typer.Exit(worst)


def _findings(settings: Settings, config: Path | None, offline: bool) -> Iterator[Finding]:
    name = settings.destination.name
    where = str(config) if config is not None else "the environment"
    yield Finding("configuration", "ok", f"{where}: {', '.join(settings.source.topics)} to {name}")
    yield from _example_key(settings)
    yield from _replay_warning(settings)
    yield from _in_the_clear(settings)
    yield from _advice(settings)
    if offline:
        return
    yield from _kafka(settings)
    yield from asyncio.run(_registry(settings))
    yield from asyncio.run(_destination(settings))


def _example_key(settings: Settings) -> Iterator[Finding]:
    key = settings.destination.api_key
    if key is not None and key.get_secret_value() == EXAMPLE_KEY:
        yield Finding("destination", "warning", "destination.api_key is still the example's")


def _replay_warning(settings: Settings) -> Iterator[Finding]:
    destination = DESTINATIONS[settings.destination.name]
    if settings.source.start_from == "earliest" and destination.writes_to_customers:
        yield Finding(
            "source.start_from",
            "warning",
            "a new group begins with the oldest event, and this destination writes to customers: "
            "set latest unless the topics hold only what should be sent now",
        )


def _in_the_clear(settings: Settings) -> Iterator[Finding]:
    """Where credentials are not used or can be read on the way, by accident or by somebody's wish."""
    properties = settings.source.librdkafka()
    brokers = [broker.rpartition("://")[2].strip() for broker in properties["bootstrap.servers"].split(",")]
    here = all(is_loopback(re.sub(r":\d+$", "", broker).strip("[]")) for broker in brokers if broker)
    for sentence in doubts(properties, here):
        yield Finding("broker", "warning", sentence)
    registry = settings.source.schema_registry
    _, address = destination_of(settings)
    for subject, section, url in (
        ("destination", "destination", address),
        ("schema registry", "source.schema_registry", registry.url if registry.secret() else None),
    ):
        if url is not None and not travels_safely(url):
            text = f"the credentials travel unencrypted, as {section}.allow_http allows"
            yield Finding(subject, "warning", text)


def _advice(settings: Settings) -> Iterator[Finding]:
    """What only the vendor's account can tell, so that it is neither ok nor wrong."""
    destination, _ = destination_of(settings)
    for sentence in destination.advice():
        yield Finding(settings.destination.name, "advice", sentence)


# ── Kafka ────────────────────────────────────────────────────────────────────────────────────────


def _kafka(settings: Settings) -> Iterator[Finding]:
    properties = settings.source.librdkafka()
    servers = properties["bootstrap.servers"]
    print(f"asking {servers}, for {asking.ANSWER_S:g} s at the most …", file=sys.stderr, flush=True)
    answers = False
    try:
        with Cluster(properties, settings.source.group_id, asking.ANSWER_S) as cluster:
            topics = cluster.topics()
            answers = True
            yield Finding("broker", "ok", f"{servers} answers")
            found = dict(_matching(settings, topics))
            yield from _topics(settings, found)
            yield from newest_records(settings, cluster, found)
            yield from _offsets(settings, cluster, found)
            yield from _dead_letters(settings, cluster, topics)
            yield from _rights(settings, cluster, found, topics)
    except ClusterError as error:
        yield Finding(
            "broker",
            "wrong",
            f"{servers}: {error}. Check source.properties: bootstrap.servers, security.protocol and sasl.*",
        )
        if not answers:
            for subject in ("topic", "consumer group", "dead-letter topic"):
                yield Finding(subject, "advice", "not asked: the broker does not answer")


def _matching(settings: Settings, topics: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for source in settings.source.topics:
        for name, partitions in topics.items():
            if covers(source, name):
                yield name, partitions


def _topics(settings: Settings, found: Mapping[str, int]) -> Iterator[Finding]:
    for source in settings.source.topics:
        if source.startswith("^"):
            names = [name for name in found if re.match(source, name)]
            if names:
                yield Finding("topic", "ok", f"{source} matches {', '.join(sorted(names)[:10])}")
            else:
                yield Finding("topic", "warning", f"{source} matches no topic yet")
        elif source in found:
            yield Finding("topic", "ok", f"{source} has {found[source]} partitions")
        else:
            yield Finding(
                "topic",
                "wrong",
                f"{source} does not exist, or may not be seen: create it, or allow the user Read on it",
            )


def _offsets(settings: Settings, cluster: Cluster, found: Mapping[str, int]) -> Iterator[Finding]:
    group = settings.source.group_id
    if not found:
        yield Finding("consumer group", "advice", f"{group}: not asked: none of its topics is there")
        return
    try:
        offsets = cluster.committed(found.items())
    except ClusterError as error:
        yield Finding("consumer group", "wrong", str(error))
        return
    places = [(name, number) for name, partitions in found.items() for number in range(partitions)]
    stored = {place: offset for place, offset in zip(places, offsets, strict=True) if offset is not None}
    gone = _gone(settings, cluster, stored)
    if gone is not None:
        yield gone
    new = sum(offset is None for offset in offsets)
    if new and settings.source.start_from == "fail":
        yield Finding(
            "consumer group",
            "wrong",
            f"{group} has no offset in {new} partitions, and source.start_from is fail: "
            "set where to begin, or set the group's offsets",
        )
    elif new:
        begins = settings.source.start_from
        yield Finding(
            "consumer group", "ok", f"{group} begins at {begins} in {new} of {len(offsets)} partitions"
        )
    elif gone is None:
        yield Finding("consumer group", "ok", f"{group} goes on where it stopped")


def _gone(settings: Settings, cluster: Cluster, stored: Mapping[tuple[str, int], int]) -> Finding | None:
    """Where the group would go on with a record that Kafka no longer has; None where it has them all."""
    try:
        firsts, ends = (cluster.offsets_at(stored, EDGES[edge]) for edge in ("earliest", "latest"))
    except ClusterError:
        return None  # a topic that may not be read, which is told below
    gone = [
        f"{offset} of {topic}:{number} (it has {firsts[topic, number]} up to {ends[topic, number]})"
        for (topic, number), offset in stored.items()
        if not firsts.get((topic, number), offset) <= offset <= ends.get((topic, number), offset)
    ]
    if not gone:
        return None
    others = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
    group, chosen = settings.source.group_id, settings.source.on_offset_lost
    text = f"{group} would go on where Kafka has nothing any more: at offset {gone[0]}{others}"
    if chosen == "halt":
        return Finding("consumer group", "wrong", f"{text}. {words.DECIDE}")
    return Finding("consumer group", "warning", f"{text}; source.on_offset_lost is {chosen}")


def _dead_letters(settings: Settings, cluster: Cluster, topics: Mapping[str, int]) -> Iterator[Finding]:
    topic = settings.dead_letter_topic
    if topic not in topics:
        yield Finding(
            "dead-letter topic",
            "wrong",
            f"{topic} does not exist, or may not be seen: create it with cleanup.policy=delete, "
            "or allow the user Write on it",
        )
        return
    try:
        policy = cluster.topic_setting(topic, "cleanup.policy")
    except ClusterError as error:
        yield Finding(
            "dead-letter topic", "warning", f"{topic} exists; its cleanup.policy could not be read: {error}"
        )
        return
    if "compact" in policy:
        yield Finding(
            "dead-letter topic",
            "wrong",
            f"{topic} is compacted, so dead letters with equal keys would vanish: set cleanup.policy=delete",
        )
    else:
        yield Finding("dead-letter topic", "ok", topic)


def _rights(
    settings: Settings, cluster: Cluster, found: Mapping[str, int], topics: Mapping[str, int]
) -> Iterator[Finding]:
    """What our user may not do, which nothing above needed to be told."""
    letters = settings.dead_letter_topic
    allowed = cluster.allowed({*found, letters} & topics.keys())
    for topic, operations in sorted(allowed.items()):
        if topic in found and "read" not in operations:
            yield Finding("topic", "wrong", f"{topic} may not be read: the user needs Read on the topic")
        if topic in found and "describe_configs" not in operations:
            yield Finding(
                "topic",
                "warning",
                f"{topic}: how long Kafka keeps a record is not told, so nothing warns before one is deleted "
                "that waits: the user needs DescribeConfigs on the topic",
            )
        if topic == letters and "write" not in operations:
            yield Finding(
                "dead-letter topic", "wrong", f"{topic} may not be written: the user needs Write on the topic"
            )
        if topic == letters and "read" not in operations:
            yield Finding(
                "dead-letter topic",
                "warning",
                f"{topic} may not be read, as connector dlq and connector explain do: the user needs Read on "
                "the topic",
            )


# ── the registry and the destination ─────────────────────────────────────────────────────────────


async def _registry(settings: Settings) -> list[Finding]:
    url = registry_address(settings, "/subjects")
    if url is None:
        return []
    answer = await ask(Request("GET", {}, b"", url), registry_credentials(settings))
    state: State = "wrong"
    match answer:
        case str():
            text = f"{answer} The address is source.schema_registry.url"
        case Response(status=200):
            state, text = "ok", "answers"
        case Response(status=401 | 403 as status):
            text = _registry_refuses(settings, in_words(status))
        case Response(status=int() as status):
            text = f"{shown(url)} answered {in_words(status)}: check source.schema_registry.url"
    return [Finding("schema registry", state, text)]


def _registry_refuses(settings: Settings, status: str) -> str:
    secret = settings.source.schema_registry.secret()
    if secret is None:
        return f"wants credentials ({status}): set source.schema_registry.auth_file"
    return f"refuses the credentials from {secret.place} ({status}): put valid ones there, as user:password"


async def _destination(settings: Settings) -> list[Finding]:
    kind = DESTINATIONS[settings.destination.name]
    destination, url = destination_of(settings)
    probe = destination.probe(url)
    if probe is None:
        return [Finding("destination", "warning", f"{kind.name} has no call without side effects: not tried")]
    asked, secret = probe.url or url, settings.destination.secret()
    answer = await ask(
        msgspec.structs.replace(probe, url=asked),
        kind.credentials(secret.read()),
        proxy=settings.destination.proxy,
    )
    if isinstance(answer, str):
        return [Finding("destination", "wrong", f"{answer} The address is {_whose(settings)}")]
    assert answer.status is not None, "silence is told in words"
    match destination.judge_probe(answer):
        case Halt("auth", detail):
            text = f"{kind.name} refuses the key from {secret.place} ({detail}). {words.key_meaning(detail)}"
            return [Finding("destination", "wrong", f"{text} Put a valid key there, and check again")]
        case Halt(reason, detail):
            text = f"{shown(asked)} answered {detail}. {words.remedy(reason)}"
            return [Finding("destination", "wrong", text)]
        case True:
            return [Finding("destination", "ok", f"{kind.name} takes the key from {secret.place}")]
        case False:
            text = f"{shown(asked)} answered {in_words(answer.status)}: it is not well now; try again"
            return [Finding("destination", "wrong", text)]


def _whose(settings: Settings) -> str:
    """Where this address of the destination is from."""
    given = settings.destination.url is not None
    return "from destination.url" if given else f"the one that {settings.destination.name} documents"
