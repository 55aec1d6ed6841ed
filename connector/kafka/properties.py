"""What librdkafka is told: the operator's properties, ours, and bounds for its queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaException

Properties = dict[str, str | int | float | bool]

CONNECTION = (
    "api.version.",
    "bootstrap.servers",
    "broker.",
    "client.",
    "connections.",
    "debug",
    "enable.sasl.",
    "enable.ssl.",
    "https.",
    "log_level",
    "metadata.",
    "metadata.broker.list",
    "reconnect.",
    "request.timeout.ms",
    "retry.backoff.",
    "sasl.",
    "security.",
    "socket.",
    "ssl.",
    "ssl_",
    "topic.metadata.",
)
"""Properties that say how to reach the cluster, by their beginning: these the producer shares."""

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
    "enable.partition.eof": "the connector has no use for it",
}
"""What an operator may not set, and what to do instead. The frontier decides what is committed, and a second
opinion would lose events. librdkafka takes each also with `topic.` before it."""

PRODUCERS = frozenset(
    {
        *("acks", "request.required.acks", "request.timeout.ms", "message.timeout.ms", "delivery.timeout.ms"),
        *("enable.idempotence", "enable.gapless.guarantee", "transactional.id", "transaction.timeout.ms"),
        *(
            "queue.buffering.max.messages",
            "queue.buffering.max.kbytes",
            "queue.buffering.max.ms",
            "linger.ms",
        ),
        *("queue.buffering.backpressure.threshold", "message.send.max.retries", "retries"),
        *("compression.codec", "compression.type", "compression.level", "batch.num.messages", "batch.size"),
        *("delivery.report.only.error", "sticky.partitioning.linger.ms", "partitioner", "queuing.strategy"),
    }
)
"""What only a producer reads (librdkafka's CONFIGURATION.md, column P). For the dead-letter producer the
connector decides, as its promises depend on it."""

QUEUES_KIB = ("queued.max.messages.kbytes",)
QUEUES_BYTES = (
    *("fetch.max.bytes", "fetch.message.max.bytes", "max.partition.fetch.bytes"),
    *("receive.message.max.bytes", "fetch.min.bytes"),
)
"""Sizes of what waits for us inside librdkafka."""

FETCH_BYTES_MIN = 1 << 20
"""librdkafka's own `message.max.bytes`; it raises a smaller `fetch.max.bytes` to it."""

_LAST = "connector.asks"

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

LETTER_BYTES_MAX = 100 << 20
"""What the producer lets pass; the dead-letter topic's own limit decides."""

LETTER_TIMEOUT_MS = 30_000
"""After so long without an answer a write counts as failed, is told, and begins anew."""


def refusals(properties: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each property that librdkafka itself refuses, and its words. Connects nowhere.

    librdkafka names one at a time, so what it named is left out and the rest asked again; a property that it
    can't know comes last, and keeps it from ever beginning to work.
    """
    left = dict(properties)
    while True:
        try:
            Consumer({"group.id": _LAST, **left, _LAST: ""})
        except KafkaException as refused:
            words = str(refused.args[0].str()).strip()
        except (TypeError, ValueError) as refused:
            words = str(refused)
        named = next((name for name in left if f'"{name}"' in words), None)
        if named is None:
            return
        yield named, words
        del left[named]


def consumer_properties(
    given: Mapping[str, str | int | float | bool], *, group_id: str, client_id: str, prefetch_bytes: int
) -> Properties:
    """For the consumer of `PollThread`. It may fetch about `prefetch_bytes` ahead of us, all queues together.

    Half of it waits in librdkafka's queue; the other half is for answers under way, one from each broker.
    """
    half = max(FETCH_BYTES_MIN, prefetch_bytes // 2)
    defaults: Properties = {
        "client.id": client_id,
        "queued.max.messages.kbytes": half >> 10,
        "fetch.max.bytes": max(FETCH_BYTES_MIN, prefetch_bytes // FETCH_SHARE),
        "fetch.message.max.bytes": PARTITION_FETCH_BYTES,
        "fetch.queue.backoff.ms": FETCH_AGAIN_MS,
        "fetch.wait.max.ms": FETCH_WAIT_MS,
    }
    if given.get("group.protocol") == "consumer":
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
        "enable.partition.eof": False,
    }
    return {**defaults, **given, **ours}


def is_cooperative(properties: Mapping[str, str | int | float | bool]) -> bool:
    """Whether partitions come and go one by one, or all are given back at every rebalance (librdkafka
    refuses a mix of strategies)."""
    if properties.get("group.protocol") == "consumer":
        return True
    return "cooperative" in str(properties.get("partition.assignment.strategy", ""))


def producer_properties(
    given: Mapping[str, str | int | float | bool], *, client_id: str, buffer_bytes: int
) -> Properties:
    """For `DeadLetterProducer`: acknowledged by all replicas, each letter once, about `buffer_bytes` held."""
    shared = {name: value for name, value in given.items() if name.startswith(CONNECTION)}
    return {
        "client.id": client_id,
        **shared,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 0,
        # Each letter in a request of its own, so that "too large" is about that one.
        "batch.num.messages": 1,
        "message.max.bytes": LETTER_BYTES_MAX,
        "queue.buffering.max.kbytes": max(LETTER_BYTES_MAX, buffer_bytes) >> 10,
        "message.timeout.ms": LETTER_TIMEOUT_MS,
    }
