"""Which of an operator's properties can't be used, and why. Asks librdkafka itself, and connects nowhere.

Every property of librdkafka is in one of the tables below; a test holds them against librdkafka's own list.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException

from connector.kafka.properties import ALIASES, ceilings, consumer_properties, prefetch_of, whole
from connector.kafka.security import OFF

OURS: Mapping[str, str] = {
    "group.id": "use source.group_id",
    "auto.offset.reset": "use source.start_from and source.on_offset_lost",
    **dict.fromkeys(
        (
            *("enable.auto.commit", "auto.commit.enable", "auto.commit.interval.ms"),
            *("enable.auto.offset.store", "offset.store.method", "offset.store.path"),
            "offset.store.sync.interval.ms",
        ),
        "the connector commits what is settled, nothing else",
    ),
    "enable.partition.eof": "it asks for it itself",
    "statistics.interval.ms": "it asks for statistics where it needs them; /metrics has what operators need",
    "metadata.broker.list": "from bootstrap.servers; use that",
    **dict.fromkeys(("logger", "log.queue"), "use the section logging"),
    **dict.fromkeys(
        ("enabled_events", "internal.termination.signal"), "only a program can know what it needs"
    ),
}
"""What an operator may not set, and what to do instead. The frontier decides what is committed, and a second
opinion would lose events."""

NO_EFFECT: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("acks", "request.required.acks", "request.timeout.ms", "message.timeout.ms"),
            *("delivery.timeout.ms", "enable.idempotence", "enable.gapless.guarantee", "transactional.id"),
            *("transaction.timeout.ms", "queue.buffering.max.messages", "queue.buffering.max.kbytes"),
            *("queue.buffering.max.ms", "linger.ms", "queue.buffering.backpressure.threshold", "retries"),
            *("message.send.max.retries", "compression.codec", "compression.type", "compression.level"),
            *("batch.num.messages", "batch.size", "delivery.report.only.error", "partitioner"),
            *("sticky.partitioning.linger.ms", "queuing.strategy", "produce.offset.report"),
            # Read by both clients, but a consumer only raises its fetches to the first and copies nothing.
            *("message.max.bytes", "message.copy.max.bytes"),
        ),
        "only producers read it, and dead letters are written as the connector's promises demand",
    ),
    **dict.fromkeys(
        ("topic.metadata.refresh.fast.cnt", "socket.blocking.max.ms", "reconnect.backoff.jitter.ms"),
        "librdkafka no longer reads it",
    ),
    **dict.fromkeys(
        ("max.poll.records", "share.acknowledgement.mode", "consume.callback.max.messages"),
        "only other kinds of consumers read it",
    ),
    **dict.fromkeys(
        ("api.version.request", "api.version.fallback.ms", "broker.version.fallback"),
        "only brokers before Kafka 0.11 need it, where dead letters can't be written with idempotence",
    ),
}
"""What librdkafka takes and this consumer does not read: accepted, it would seem to work."""

HARMFUL: Mapping[str, str] = {
    # librdkafka 2.16.0, rdkafka_msgset_reader.c (a FIXME there knows it): after a damaged batch at offset 20
    # it went on at offset 8,680,820,740,569,200,760. May go through when a release no longer does that.
    "check.crcs": "after a batch that fails the check, librdkafka takes garbage for offsets and goes on "
    "there; TLS finds what is damaged on the way",
}
"""What would break a promise, however well it is meant."""

NAMES = frozenset(
    """
    allow.auto.create.topics api.version.request.timeout.ms bootstrap.servers broker.address.family
    broker.address.ttl builtin.features client.dns.lookup client.id client.rack connections.max.idle.ms
    coordinator.query.interval.ms debug enable.metrics.push enable.random.seed
    enable.sasl.oauthbearer.unsecure.jwt enable.ssl.certificate.verification fetch.error.backoff.ms
    fetch.max.bytes fetch.message.max.bytes fetch.min.bytes fetch.queue.backoff.ms fetch.wait.max.ms
    group.instance.id group.protocol group.protocol.type group.remote.assignor heartbeat.interval.ms
    https.ca.location https.ca.pem isolation.level log.connection.close log.thread.name log_level
    max.in.flight max.in.flight.requests.per.connection max.partition.fetch.bytes max.poll.interval.ms
    metadata.max.age.ms metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy
    partition.assignment.strategy plugin.library.paths queued.max.messages.kbytes queued.min.messages
    receive.message.max.bytes reconnect.backoff.max.ms reconnect.backoff.ms retry.backoff.max.ms
    retry.backoff.ms sasl.kerberos.keytab sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin
    sasl.kerberos.principal sasl.kerberos.service.name sasl.mechanism sasl.mechanisms
    sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.claim.aud
    sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.iss
    sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds
    sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file
    sasl.oauthbearer.assertion.jwt.template.file sasl.oauthbearer.assertion.private.key.file
    sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.private.key.pem
    sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret
    sasl.oauthbearer.client.id sasl.oauthbearer.client.secret sasl.oauthbearer.config
    sasl.oauthbearer.extensions sasl.oauthbearer.grant.type sasl.oauthbearer.metadata.authentication.type
    sasl.oauthbearer.method sasl.oauthbearer.scope sasl.oauthbearer.sub.claim.name
    sasl.oauthbearer.token.endpoint.url sasl.password sasl.username security.protocol session.timeout.ms
    socket.connection.setup.timeout.ms socket.keepalive.enable socket.max.fails socket.nagle.disable
    socket.receive.buffer.bytes socket.send.buffer.bytes socket.timeout.ms ssl.ca.certificate.stores
    ssl.ca.location ssl.ca.pem ssl.certificate.location ssl.certificate.pem ssl.cipher.suites
    ssl.crl.location ssl.curves.list ssl.endpoint.identification.algorithm ssl.engine.id ssl.engine.location
    ssl.key.location ssl.key.password ssl.key.pem ssl.keystore.location ssl.keystore.password ssl.providers
    ssl.sigalgs.list topic.blacklist topic.metadata.propagation.max.ms
    topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.interval.ms topic.metadata.refresh.sparse
    """.split()  # noqa: SIM905  # as a list it would be a line each
)
"""What goes through; for these, an operator knows better than we do."""

CHOICES: Mapping[str, str] = {
    "security.protocol": "plaintext, ssl, sasl_plaintext, sasl_ssl",
    "sasl.mechanisms": "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
    "isolation.level": "read_uncommitted, read_committed",
    "group.protocol": "classic, consumer",
    "ssl.endpoint.identification.algorithm": "none, https",
}
"""The words for what is mistyped most; librdkafka only says that a word is wrong. GSSAPI, its default
mechanism, is left out, because the wheel of confluent-kafka is built without it."""

HEARTBEATS = {"heartbeat.interval.ms": 3_000, "session.timeout.ms": 45_000}  # librdkafka's defaults

PLUGINS = "plugin.library.paths"
"""A plugin may bring properties of its own, so it is loaded before any other property is asked about."""

ASKS = "connector.asks"
"""Our name while we ask. As a property, it is one that librdkafka can't know: coming last, it keeps a client
from ever being made, and when librdkafka names it, whatever came before was right."""

OUT_OF_RANGE = "-2147483648"
"""No property may be that low, so what is refused for it is one that holds a number."""

REFUSED = "is refused by librdkafka"

_log = logging.getLogger("connector.kafka.unusable")
_log.addHandler(logging.NullHandler())
_log.propagate = False


class Unusable(NamedTuple):
    """One property, or with an empty name several together: what is wrong, and what would be right. No value
    is ever repeated; it might be a secret in the wrong place."""

    name: str
    what: str
    hint: str


def one_by_one(properties: Mapping[str, str | None]) -> Iterator[Unusable]:
    """What is wrong with each by itself. None stands for a value that could not be read: then only the name
    is judged."""
    plugins = {PLUGINS: path} if (path := properties.get(PLUGINS)) and not _words(PLUGINS, path) else {}
    for name, value in properties.items():
        # librdkafka takes what concerns topics with `topic.` before it, too.
        plain = name if name in NAMES or name in NO_EFFECT else name.removeprefix("topic.")
        if plain in OURS:
            yield Unusable(name, "is set by the connector", OURS[plain])
        elif plain in NO_EFFECT:
            yield Unusable(name, "would have no effect", NO_EFFECT[plain])
        elif plain in HARMFUL:
            yield Unusable(name, "would break a promise", HARMFUL[plain])
        elif ALIASES.get(name) in properties:
            yield Unusable(name, f"is another name of {ALIASES[name]}, given too", "give one of the two")
        else:
            yield from _asked(name, value, plugins)


def at_odds(properties: Mapping[str, str], memory_bytes: int) -> Iterator[Unusable]:
    """What is wrong with them together, each being usable by itself; `memory_bytes` is what the process may
    hold.

    Some of it librdkafka only looks at when a client is made. So one is made that has nowhere to go, which
    takes a few milliseconds.
    """
    found = [*_over(properties, ceilings(memory_bytes)), *_of_no_avail(properties)]
    yield from found
    if found:
        return
    asked = consumer_properties(
        properties, group_id=ASKS, client_id=ASKS, prefetch_bytes=prefetch_of(memory_bytes)
    )
    asked |= {"bootstrap.servers": "", "log_level": 0}
    asked.pop("debug", None)
    try:
        # Not closed: that would serve its queue, in which a request for an OAuth token may wait.
        Consumer(asked, logger=_log)
    except KafkaException as refused:
        words = _text(refused).removeprefix("Failed to create consumer: ")
        name = _named_in(words, properties)
        choices = CHOICES.get(ALIASES.get(name, name)) if words.startswith("Unsupported") else None
        yield Unusable(
            name, REFUSED, f"one of {choices}" if choices else _without(words, properties.values())
        )


def _over(properties: Mapping[str, str], ceilings: Mapping[str, int]) -> Iterator[Unusable]:
    for name, value in properties.items():
        most = ceilings.get(ALIASES.get(name, name))
        if most is None or (whole(value) or 0) <= most:
            continue
        hint = "the connector's share of limits.memory_mib: leave it out, or raise that"
        if name == "fetch.wait.max.ms":
            hint = "questions about offsets wait behind a fetch"
        yield Unusable(name, f"must be at most {most}", hint)


def _of_no_avail(properties: Mapping[str, str]) -> Iterator[Unusable]:
    """What librdkafka takes in silence, or refuses in words that don't help, and what would never work."""
    given = {ALIASES.get(name, name): value.strip().lower() for name, value in properties.items()}
    mechanism = given.get("sasl.mechanisms")
    if given.get("security.protocol", "").startswith("sasl_"):
        if mechanism is None:
            yield Unusable("sasl.mechanisms", "is missing", f"one of {CHOICES['sasl.mechanisms']}")
        elif (
            mechanism == "oauthbearer"
            and given.get("sasl.oauthbearer.method") != "oidc"
            and given.get("enable.sasl.oauthbearer.unsecure.jwt", "f") in OFF
        ):
            hint = "nothing else fetches a token here, and librdkafka would wait for one in silence"
            yield Unusable("sasl.oauthbearer.method", "must be oidc", hint)
    if given.get("group.protocol") != "consumer":
        beat, session = (whole(given.get(name, "")) or default for name, default in HEARTBEATS.items())
        if beat >= session:
            hint = "Kafka takes partitions away from a consumer that is not heard of for that long"
            yield Unusable("heartbeat.interval.ms", f"must be below session.timeout.ms ({session})", hint)


# ── what librdkafka says ─────────────────────────────────────────────────────────────────────────


def _asked(name: str, value: str | None, plugins: Mapping[str, str]) -> Iterator[Unusable]:
    words = _words(name, value or "", plugins)
    if words.startswith("No such configuration property"):
        yield Unusable(name, "is not a property of librdkafka", "")
    elif value is None:
        return
    elif any(word in words for word in ("dedicated", "not settable", "callable")):
        yield Unusable(name, REFUSED, "only a program can set it")
    elif words:
        choices = CHOICES.get(ALIASES.get(name, name))
        yield Unusable(name, REFUSED, f"one of {choices}" if choices else _without(words, [value]))
    elif re.match(r"\s*[+-]?\d", value) and whole(value) is None and _words(name, OUT_OF_RANGE, plugins):
        yield Unusable(
            name, "must be a whole number", "librdkafka would read its beginning, and pass over the rest"
        )


def _words(name: str, value: str, plugins: Mapping[str, str] = {}) -> str:
    """Why this property with this value is refused; empty if it is not."""
    try:
        Consumer({"group.id": ASKS, **plugins, name: value, ASKS: ""})
    except KafkaException as refused:
        words = _text(refused)
        return "" if f'"{ASKS}"' in words else words
    except (AttributeError, TypeError) as refused:
        return f"not a callable: {refused}"  # the client's own names, for what only Python can give
    raise AssertionError(f"librdkafka knows {ASKS}")


def _text(refused: KafkaException) -> str:
    return " ".join(str(refused.args[0].str()).split())


def _without(words: str, values: Iterable[str]) -> str:
    """librdkafka's words without the values that it quotes."""
    for value in values:
        text = " ".join(value.split())
        words = words.replace(f' "{text}"', "").replace(f" value {text} ", " value ")
        if len(text) > 2 and whole(text) is None:
            words = re.sub(rf"(?<![\w.]){re.escape(text)}(?![\w.])", "…", words)
    return words


def _named_in(words: str, properties: Mapping[str, str]) -> str:
    """The property that librdkafka's words are about: one that was given, or else one that is missing."""
    if "SASL mechanism" in words:
        return "sasl.mechanism" if "sasl.mechanism" in properties else "sasl.mechanisms"
    for known in (properties, NAMES):
        found = [(words.index(name), -len(name), name) for name in known if name in words]
        if found:
            return min(found)[2]
    return ""
