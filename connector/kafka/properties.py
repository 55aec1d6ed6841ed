"""What librdkafka is told: the operator's properties, ours, and bounds for its queues. Decides only."""

from __future__ import annotations

from collections.abc import Mapping

Properties = dict[str, str | int | float | bool]

CONNECTION = (
    "api.version.",
    "bootstrap.servers",
    "broker.",
    "client.",
    "connections.",
    "debug",
    "enable.metrics.push",
    "enable.sasl.",
    "enable.ssl.",
    "https.",
    "log.",
    "log_level",
    "metadata.",
    "reconnect.",
    "retry.backoff.",
    "sasl.",
    "security.",
    "socket.",
    "ssl.",
    "ssl_",
    "topic.metadata.",
)
"""Properties that say how to reach the cluster, by their beginning: these the producer shares."""

ALIASES: Mapping[str, str] = {
    "max.in.flight": "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes": "fetch.message.max.bytes",
    "sasl.mechanism": "sasl.mechanisms",
    "sasl.oauthbearer.client.credentials.client.id": "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
}
"""Second names that librdkafka has for some, most of them the Java client's."""

MAX_POLL_INTERVAL = "max.poll.interval.ms"
MAX_POLL_INTERVAL_MS = 300_000  # librdkafka's default

SESSION_TIMEOUT = "session.timeout.ms"
SESSION_TIMEOUT_MS = 45_000
"""librdkafka's default; with the new protocol the brokers', who alone decide there
(`group.consumer.session.timeout.ms`)."""

PREFETCH_SHARE = 0.125
"""Of the memory limit, what librdkafka may hold ahead of us; the rest is the budget of what is in flight."""

FETCH_BYTES_MIN = 1 << 20
"""librdkafka's own `message.max.bytes`; it raises a smaller `fetch.max.bytes` to it."""

FETCH_SHARE = 8
"""A fetch counts compressed bytes, and what it brings is several times that in memory: with a share of 2 and
54 lz4 partitions the process grew to 236 MiB, with 8 to 176."""

PARTITION_FETCH_BYTES = 256 << 10
"""What one partition may bring at once; a larger record still comes, alone."""

FETCH_AGAIN_MS = 20
"""How long a full queue keeps a partition from being fetched. librdkafka's default of a second is meant for
a queue of 64 MiB; ours is emptied in far less, and would then stand empty."""

FETCH_WAIT_MS = 100
"""How long a fetch may wait at the broker for records. Questions about offsets wait behind it, since a broker
answers the requests of one connection in order; librdkafka's default is half a second."""

FETCH_WAIT_MS_MAX = 500
"""The most an operator may set: librdkafka's default. Behind a longer wait, questions about offsets would not
be answered in the time that they have (`start.ASK_S`, `offsets.ASK_ASIDE_S`)."""

LETTER_BYTES_MAX = 100 << 20
"""What the producer lets pass; the dead-letter topic's own limit decides."""

LETTER_TIMEOUT_MS = 30_000
"""After so long without an answer a write counts as failed, is told, and begins anew."""


def ceilings(memory_bytes: int) -> dict[str, int]:
    """The most that an operator may set of what makes librdkafka hold more, or wait longer. `memory_bytes` is
    all that the process may hold.

    Half of what is fetched ahead waits in librdkafka's queue; the other half is for answers under way, one
    from each broker.
    """
    prefetch = prefetch_of(memory_bytes)
    fetch = _fetch_bytes(prefetch)
    return {
        "queued.max.messages.kbytes": _queue_bytes(prefetch) >> 10,
        "fetch.max.bytes": fetch,
        "fetch.message.max.bytes": fetch,
        "receive.message.max.bytes": memory_bytes,
        "fetch.wait.max.ms": FETCH_WAIT_MS_MAX,
    }


def max_poll_interval_ms(properties: Mapping[str, str]) -> int:
    """How long Kafka lets a consumer with these go without polling."""
    return whole(properties.get(MAX_POLL_INTERVAL, "")) or MAX_POLL_INTERVAL_MS


def session_timeout_ms(properties: Mapping[str, str]) -> int:
    """How long the group waits for a member that says nothing."""
    return whole(properties.get(SESSION_TIMEOUT, "")) or SESSION_TIMEOUT_MS


def whole(text: str) -> int | None:
    """The number in a property's text as librdkafka reads it (C's `strtol` with base 0), but None where
    anything stands behind it, which librdkafka passes over."""
    for base in (0, 8):  # 8: C takes 010 for octal, Python's base 0 for no number
        try:
            return int(text, base) if "_" not in text else None
        except ValueError:
            continue
    return None


def prefetch_of(memory_bytes: int) -> int:
    """What librdkafka may hold ahead of us, of all that the process may hold."""
    return int(memory_bytes * PREFETCH_SHARE)


def _queue_bytes(prefetch: int) -> int:
    return max(FETCH_BYTES_MIN, prefetch // 2)


def _fetch_bytes(prefetch: int) -> int:
    return max(FETCH_BYTES_MIN, prefetch // FETCH_SHARE)


def consumer_properties(
    given: Mapping[str, str | int | float | bool], *, group_id: str, client_id: str, prefetch_bytes: int
) -> Properties:
    """For the consumer of `PollThread`. It may fetch about `prefetch_bytes` ahead, all queues together."""
    defaults: Properties = {
        "client.id": client_id,
        "queued.max.messages.kbytes": _queue_bytes(prefetch_bytes) >> 10,
        "fetch.max.bytes": _fetch_bytes(prefetch_bytes),
        "fetch.message.max.bytes": PARTITION_FETCH_BYTES,
        "fetch.queue.backoff.ms": FETCH_AGAIN_MS,
        "fetch.wait.max.ms": FETCH_WAIT_MS,
    }
    if is_new_protocol(given):
        # There the broker assigns; only that it has joined must be learned from the statistics, as a member
        # without a partition hears nothing else.
        defaults["statistics.interval.ms"] = 1000
    else:
        defaults["partition.assignment.strategy"] = "cooperative-sticky"
    ours: Properties = {
        "group.id": group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # Any other word would let librdkafka jump over lost records without telling us.
        "auto.offset.reset": "error",
        # Tells when offsets that are no record's, as the marks of transactions, were passed.
        "enable.partition.eof": True,
    }
    named_once = {ALIASES.get(name, name): value for name, value in given.items()}
    return {**defaults, **named_once, **ours}


def is_cooperative(properties: Mapping[str, str | int | float | bool]) -> bool:
    """Whether partitions come and go one by one, or all are given back at every rebalance (librdkafka
    refuses a mix of strategies)."""
    if is_new_protocol(properties):
        return True
    return "cooperative" in str(properties.get("partition.assignment.strategy", ""))


def is_new_protocol(properties: Mapping[str, str | int | float | bool]) -> bool:
    """Whether the broker assigns partitions, not a member of the group."""
    return str(properties.get("group.protocol", "")).strip().lower() == "consumer"  # as librdkafka reads it


def client_properties(given: Mapping[str, str | int | float | bool], *, client_id: str) -> Properties:
    """For a client that neither reads nor writes: how the brokers are reached, and who we are there."""
    shared = {name: value for name, value in given.items() if name.startswith(CONNECTION)}
    return {"client.id": client_id, **shared}


def producer_properties(
    given: Mapping[str, str | int | float | bool], *, client_id: str, buffer_bytes: int
) -> Properties:
    """For `DeadLetterProducer`: acknowledged by all replicas, each letter once, about `buffer_bytes` held."""
    return {
        **client_properties(given, client_id=client_id),
        "allow.auto.create.topics": False,  # it may have to differ from what the broker makes
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 0,
        # Each letter in a request of its own, so that "too large" is about that one.
        "batch.num.messages": 1,
        "message.max.bytes": LETTER_BYTES_MAX,
        "queue.buffering.max.kbytes": max(LETTER_BYTES_MAX, buffer_bytes) >> 10,
        "message.timeout.ms": LETTER_TIMEOUT_MS,
    }
