"""A Kafka cluster inside this process, for the demo and the tests: no download, no Java, up in milliseconds.

It is librdkafka's own mock cluster, which the wheel of confluent-kafka carries and its Python side does not
show; we call its C functions. Clients of any kind, also in other processes, reach it by `bootstrap`.

It is not Kafka. It keeps nothing after `close`, forgets old records (`PARTITION_KEEPS_BYTES`), creates every
topic a client asks for, knows no transactions, no security, no offsets by time, and answers no request to
create topics, describe their settings or delete records: `create_topic` and `delete_records` are its own.
A classic group waits at every rebalance for `session.timeout.ms` less a second (rdkafka_mock_cgrp.c), no
longer and no shorter; who has not joined again by then loses its partitions. The new protocol does no such
thing.
"""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from types import TracebackType
from typing import Any

from confluent_kafka import KafkaError, cimpl

PARTITION_KEEPS_BYTES = 4_000_000
"""What a partition surely keeps; beyond it the oldest records are gone without a word, as by retention.
librdkafka drops whole batches above 5 MiB (and above 100,000 batches), rdkafka_mock.c, `max_size`."""

_pointer, _text, _id = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
_FUNCTIONS: dict[str, tuple[type[Any] | None, list[type[Any]]]] = {
    "rd_kafka_conf_new": (_pointer, []),
    "rd_kafka_conf_set_log_cb": (None, [_pointer, _pointer]),
    "rd_kafka_new": (_pointer, [ctypes.c_int, _pointer, _text, ctypes.c_size_t]),
    "rd_kafka_destroy": (None, [_pointer]),
    "rd_kafka_mock_cluster_new": (_pointer, [_pointer, ctypes.c_int]),
    "rd_kafka_mock_cluster_destroy": (None, [_pointer]),
    "rd_kafka_mock_cluster_bootstraps": (_text, [_pointer]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [_pointer, ctypes.c_int32]),
    "rd_kafka_mock_set_group_consumer_heartbeat_interval_ms": (None, [_pointer, ctypes.c_int]),
    "rd_kafka_mock_topic_create": (ctypes.c_int, [_pointer, _text, ctypes.c_int, ctypes.c_int]),
    "rd_kafka_mock_partition_delete_records": (ctypes.c_int, [_pointer, _text, _id, ctypes.c_int64]),
    "rd_kafka_mock_partition_set_leader": (ctypes.c_int, [_pointer, _text, _id, _id]),
    "rd_kafka_mock_push_request_errors_array": (
        None,
        [_pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)],
    ),
    "rd_kafka_mock_clear_request_errors": (None, [_pointer, ctypes.c_int16]),
    "rd_kafka_mock_broker_set_down": (ctypes.c_int, [_pointer, _id]),
    "rd_kafka_mock_broker_set_up": (ctypes.c_int, [_pointer, _id]),
    "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, [_pointer, _id, ctypes.c_int]),
    "rd_kafka_mock_coordinator_set": (ctypes.c_int, [_pointer, _text, _text, _id]),
}
"""The C functions that we call: result and arguments (rdkafka.h, rdkafka_mock.h)."""

_PRODUCER = 0  # rd_kafka_type_t

HEARTBEAT_MS = 200
"""How often members of the new protocol ask what changed. The default of 3 s is how long each step of a
rebalance would take."""


class Api(IntEnum):
    """Requests that can be made to fail, by Kafka's names and numbers for them (protocol guide, API keys)."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22
    CONSUMER_GROUP_HEARTBEAT = 68


class Failure(IntEnum):
    """Answers that a request can be made to get, by librdkafka's names. Any other code does as well."""

    BROKEN_CONNECTION = KafkaError._TRANSPORT  # no answer at all
    NONE = KafkaError.NO_ERROR  # this one request passes
    OFFSET_OUT_OF_RANGE = KafkaError.OFFSET_OUT_OF_RANGE
    UNKNOWN_TOPIC_OR_PART = KafkaError.UNKNOWN_TOPIC_OR_PART
    NOT_LEADER_FOR_PARTITION = KafkaError.NOT_LEADER_FOR_PARTITION
    REQUEST_TIMED_OUT = KafkaError.REQUEST_TIMED_OUT
    MSG_SIZE_TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE
    COORDINATOR_LOAD_IN_PROGRESS = KafkaError.COORDINATOR_LOAD_IN_PROGRESS
    NOT_COORDINATOR = KafkaError.NOT_COORDINATOR
    NOT_ENOUGH_REPLICAS = KafkaError.NOT_ENOUGH_REPLICAS
    ILLEGAL_GENERATION = KafkaError.ILLEGAL_GENERATION
    UNKNOWN_MEMBER_ID = KafkaError.UNKNOWN_MEMBER_ID
    REBALANCE_IN_PROGRESS = KafkaError.REBALANCE_IN_PROGRESS
    TOPIC_AUTHORIZATION_FAILED = KafkaError.TOPIC_AUTHORIZATION_FAILED


class EmbeddedKafka:
    """A mock cluster of `brokers` brokers with the ids 1 to `brokers`, on loopback ports of its own.

    Groups form at once: there is no initial rebalance delay. It lives until `close` (or the end of a `with`);
    calls after that are refused with `ValueError`. Raises `RuntimeError` where this machine's confluent-kafka
    does not carry the mock cluster.
    """

    def __init__(self, brokers: int = 1) -> None:
        self._brokers = range(1, brokers + 1)
        self._down: set[int] = set()
        """librdkafka 2.16 lets a broker that is up listen a second time, and crashes."""
        self._lib = _library()
        self._client: int | None = _client(self._lib)
        with _deaf_to_signals():
            cluster = self._lib.rd_kafka_mock_cluster_new(self._client, brokers)
        if not cluster:
            self._lib.rd_kafka_destroy(self._client)
            raise RuntimeError(f"an embedded Kafka of {brokers} brokers could not be started")
        self._cluster_or_none: int | None = cluster
        self._lib.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
        self._lib.rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(cluster, HEARTBEAT_MS)
        self.bootstrap: str = self._lib.rd_kafka_mock_cluster_bootstraps(cluster).decode()
        """`bootstrap.servers` for clients."""

    def __enter__(self) -> EmbeddedKafka:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the cluster and everything in it; clients see their connections break. May be called twice."""
        if self._cluster_or_none is not None:
            self._lib.rd_kafka_mock_cluster_destroy(self._cluster_or_none)
            self._cluster_or_none = None
        if self._client is not None:
            self._lib.rd_kafka_destroy(self._client)
            self._client = None

    def create_topic(self, name: str, partitions: int = 4) -> None:
        """Create a topic, replicated to up to three brokers. Refused when it exists already.

        Choose the partitions by volume: each keeps only `PARTITION_KEEPS_BYTES`.
        """
        replicas = min(3, len(self._brokers))
        self._done(self._lib.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, replicas))

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Forget a partition's records below the offset `before`, as retention does."""
        self._done(
            self._lib.rd_kafka_mock_partition_delete_records(self._cluster, topic.encode(), partition, before)
        )

    def fail_requests(self, api: Api, codes: Sequence[int]) -> None:
        """Let the next requests of this kind fail so (see `Failure`), one each, in order.

        Asking again adds to the end; `pass_requests` forgets what is left.
        """
        errors = (ctypes.c_int * len(codes))(*codes)
        self._lib.rd_kafka_mock_push_request_errors_array(self._cluster, api, len(codes), errors)

    def pass_requests(self, api: Api) -> None:
        """Answer requests of this kind normally again."""
        self._lib.rd_kafka_mock_clear_request_errors(self._cluster, api)

    def broker_down(self, broker: int) -> None:
        """Break the broker's connections and refuse new ones. It stays leader of what it leads."""
        if broker not in self._down:
            self._done(self._lib.rd_kafka_mock_broker_set_down(self._cluster, broker))
            self._down.add(broker)

    def broker_up(self, broker: int) -> None:
        """Let clients reach the broker again; its records are still there."""
        if broker in self._down:
            self._done(self._lib.rd_kafka_mock_broker_set_up(self._cluster, broker))
            self._down.remove(broker)

    def set_rtt(self, ms: int, broker: int | None = None) -> None:
        """Let this broker, or every one, take this long to answer; 0 is at once. Requests under way keep
        their time."""
        for each in self._brokers if broker is None else [broker]:
            self._done(self._lib.rd_kafka_mock_broker_set_rtt(self._cluster, each, ms))

    def coordinator(self, group_id: str, broker: int) -> None:
        """Make this broker the group's coordinator; the old one answers NOT_COORDINATOR from now on."""
        self._done(
            self._lib.rd_kafka_mock_coordinator_set(self._cluster, b"group", group_id.encode(), broker)
        )

    def leader(self, topic: str, partition: int, broker: int) -> None:
        """Make this broker the partition's leader; the old one answers NOT_LEADER from now on."""
        self._done(
            self._lib.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, broker)
        )

    @property
    def _cluster(self) -> int:
        if self._cluster_or_none is None:
            raise ValueError("this embedded Kafka is closed")
        return self._cluster_or_none

    @staticmethod
    def _done(code: int) -> None:
        if code != KafkaError.NO_ERROR:
            raise ValueError(f"embedded Kafka refused: {KafkaError(code).str()}")


def _library(path: str = cimpl.__file__) -> ctypes.CDLL:
    """librdkafka, with the types of our functions set.

    Looking a name up in the extension module finds it in the librdkafka that the module is linked with. So we
    always speak to the copy that the Python client uses, wherever a wheel or a distribution has put it.
    """
    lib = ctypes.CDLL(path)
    for name, (result, arguments) in _FUNCTIONS.items():
        try:
            function = getattr(lib, name)
        except AttributeError:
            raise RuntimeError(
                f"this build of confluent-kafka has no embedded Kafka ({name} is missing in {path}): "
                "use its Linux or macOS wheel, or a real broker"
            ) from None
        function.restype, function.argtypes = result, arguments
    return lib


@contextmanager
def _deaf_to_signals() -> Iterator[None]:
    """Threads begun here get no signals, as librdkafka sees to for those of its clients.

    It forgets that of a mock cluster (2.16), which takes an interrupted wait for its end and frees all it
    has; the next call then crashes the process, or waits for ever. Ctrl-C did that to a demo.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _client(lib: ctypes.CDLL) -> int:
    """A client handle for the cluster to live in. It connects nowhere and logs nothing."""
    conf = lib.rd_kafka_conf_new()
    lib.rd_kafka_conf_set_log_cb(conf, None)
    reason = ctypes.create_string_buffer(512)
    client: int | None = lib.rd_kafka_new(_PRODUCER, conf, reason, len(reason))
    if client is None:
        raise RuntimeError(f"an embedded Kafka could not be started: {reason.value.decode()}")
    return client
