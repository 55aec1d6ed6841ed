"""Looks at a cluster before anything is consumed from it: can it be reached, what topics are there.

Joins no group and changes nothing. Every call is bounded in time.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as NoAnswer
from types import TracebackType

import msgspec
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, though not by name
    AdminClient,
    ConfigResource,
    ResourceType,
)

from connector.kafka import rights
from connector.kafka.dead_letter import Headers
from connector.model.coordinate import Coordinate

OFFSET_NONE = -1001  # librdkafka's number for "the group has no offset here"

_silent = logging.getLogger("connector.inspect")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


LOOK_BACK = 10
"""Offsets before the end among which a newest record is looked for: the last ones may be the marks of
transactions, or compacted away."""

ASK_AGAIN_S = 1.0
"""How long a question for the group's offsets waits, before a look at whether it may be asked at all."""

READ_AT_ONCE = 500
"""Messages taken from the client in one call: one by one they cost ten times as much."""

NO_CONCERN = KafkaError.GROUP_AUTHORIZATION_FAILED
"""A consumer asks for its group's coordinator whether it joins or not, and is told in the place of a record,
without a partition, when it may not. Whoever joins nothing can read all the same."""


class Stored(msgspec.Struct, frozen=True):
    """A record as it stands in its topic."""

    partition: int
    offset: int
    timestamp_ms: int
    """Kafka's own (create or append time), 0 when it has none."""
    key: bytes | None
    value: bytes | None
    headers: Headers


class ClusterError(Exception):
    """The cluster gave no usable answer; the text says why, for people."""


class Cluster:
    """One look at a cluster with a consumer's properties and its group. Close it, or use `with`.

    Raises ClusterError for properties that librdkafka refuses, and from every call that gets no answer.
    """

    def __init__(self, properties: Mapping[str, str], group_id: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._group_id = group_id
        self._is_mute = False
        """It did not answer what only administrators ask, and will not answer the next such question."""
        self._properties: dict[str, str | int | float | bool] = {**properties}
        self._errors: list[str] = []
        self._no: KafkaError | None = None
        """Kafka's no to asking for the group, once it was said."""
        given = {
            **properties,
            "group.id": group_id,
            "enable.auto.commit": "false",
            "auto.offset.reset": "error",  # what is gone is gone; never read something else instead
            "enable.partition.eof": "true",  # a topic may end in a transaction's mark, which is no record
            "fetch.wait.max.ms": "10",  # a broker answers in turn: what we ask next waits behind a fetch
        }
        try:
            self._consumer = Consumer({**given, "error_cb": self._note}, logger=_silent)
        except (KafkaException, ValueError, TypeError) as error:
            raise ClusterError(_words(error)) from None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def topics(self) -> dict[str, int]:
        """Every topic that we may see → its number of partitions."""
        try:
            found = self._consumer.list_topics(timeout=self._timeout_s)
        except KafkaException as error:
            self._consumer.poll(0)  # serves error_cb, which knows more than the call: a wrong password, say
            raise ClusterError("; ".join(self._errors) or _words(error)) from None
        return {name: len(topic.partitions) for name, topic in found.topics.items() if topic.error is None}

    def committed(self, topics: Iterable[tuple[str, int]]) -> Sequence[int | None]:
        """The group's offset of each partition of these topics (name, partitions); None where it has none."""
        places = [TopicPartition(name, number) for name, partitions in topics for number in range(partitions)]
        if not places:
            return []
        # By the consumer: librdkafka's admin client crashes where a coordinator has just moved or come to be
        # (librdkafka issue 5040), as on a Kafka that never had a group.
        deadline = time.monotonic() + self._timeout_s
        answers: list[TopicPartition] | None = None
        while answers is None:
            try:
                answers = self._consumer.committed(places, timeout=self._slice(deadline))
            except KafkaException as error:
                self._refused_or_late(error.args[0], deadline)
        found = {(each.topic, each.partition): each.offset for each in answers if each.error is None}
        known = [found.get((place.topic, place.partition), OFFSET_NONE) for place in places]
        return [None if offset == OFFSET_NONE else offset for offset in known]

    def _slice(self, deadline: float) -> float:
        return min(ASK_AGAIN_S, max(0.0, deadline - time.monotonic()))

    def _refused_or_late(self, error: KafkaError, deadline: float) -> None:
        """Raise where asking for the group once more is in vain. What it may not ask for a consumer asks for
        until its time is over, and is told of the no once, in the place of a record."""
        self._of_concern(self._consumer.consume(READ_AT_ONCE, 0))
        if self._no is not None:
            raise ClusterError(f"group {self._group_id}: {rights.reading(self._no, self._group_id)}")
        if time.monotonic() >= deadline:
            late = error.code() == KafkaError._TIMED_OUT
            raise ClusterError(f"group {self._group_id}: {'no answer in time' if late else error.str()}")

    def records(self, topic: str) -> Iterator[Stored]:
        """Every record that the topic holds now; each partition's in their order."""
        numbers = range(self.topics().get(topic, 0))
        edges = {number: self.edges(topic, number) for number in numbers}
        ends = {number: end for number, (first, end) in edges.items() if end > first}
        self._consumer.assign([TopicPartition(topic, number, edges[number][0]) for number in ends])
        while ends:
            for message in self._some():
                number, offset, error = message.partition(), message.offset(), message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise ClusterError(f"{topic}:{number} can't be read: {rights.reading(error, '')}")
                assert number is not None, "a record has its partition"
                assert offset is not None, "and its offset, an end of partition too"
                end = ends.get(number, 0)
                if error is None and offset < end:
                    yield stored_of(message)
                if error is not None or offset + 1 >= end:
                    ends.pop(number, None)
        self._consumer.unassign()

    def record(self, where: Coordinate) -> Stored | None:
        """The record at this coordinate; None when Kafka has none there, any more or at all."""
        if not self._has(where):
            return None
        first, end = self.edges(where.topic, where.partition)
        if not first <= where.offset < end:
            return None
        self._consumer.assign([TopicPartition(*where)])
        try:
            for message in self._some():
                error, offset = message.error(), message.offset()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise ClusterError(f"{where} can't be read: {rights.reading(error, '')}")
                if error is None and offset == where.offset:
                    return stored_of(message)
            return None  # a hole: compaction, or the mark of a transaction
        finally:
            self._consumer.unassign()

    def _has(self, where: Coordinate) -> bool:
        """Whether there is such a partition; asked for alone, as a cluster may have ten thousand topics."""
        try:
            found = self._consumer.list_topics(where.topic, timeout=self._timeout_s)
        except KafkaException as error:
            raise ClusterError(_words(error)) from None
        topic = found.topics.get(where.topic)
        return topic is not None and topic.error is None and where.partition in topic.partitions

    def newest(self, topic: str, number: int) -> Stored | None:
        """The newest record of a partition; None when there is none among its last `LOOK_BACK` offsets."""
        first, end = self.edges(topic, number)
        if first == end:
            return None
        found: Stored | None = None
        self._consumer.assign([TopicPartition(topic, number, max(first, end - LOOK_BACK))])
        try:
            while True:
                for message in self._some():
                    error = message.error()
                    if error is not None and error.code() == KafkaError._PARTITION_EOF:
                        return found
                    if error is not None:
                        raise ClusterError(f"{topic}:{number} can't be read: {rights.reading(error, '')}")
                    found = stored_of(message)
                    if found.offset + 1 >= end:
                        return found
        finally:
            self._consumer.unassign()

    def _some(self) -> list[Message]:
        """What is there, at least one message."""
        deadline = time.monotonic() + self._timeout_s
        while (message := self._consumer.poll(max(0.0, deadline - time.monotonic()))) is not None:
            if concerning := self._of_concern([message, *self._consumer.consume(READ_AT_ONCE, 0)]):
                return concerning
        raise ClusterError("no answer in time")

    def _of_concern(self, messages: Iterable[Message]) -> list[Message]:
        """Without Kafka's no to asking for the group, which is kept: it is said once."""
        concerning = []
        for message in messages:
            if is_of_concern(message):
                concerning.append(message)
            else:
                self._no = message.error()
        return concerning

    def edges(self, topic: str, number: int) -> tuple[int, int]:
        """The first offset that Kafka has of a partition, and the one that its next record will get."""
        try:
            first, end = self._consumer.get_watermark_offsets(
                TopicPartition(topic, number), timeout=self._timeout_s
            )
        except KafkaException as error:
            raise ClusterError(_words(error)) from None
        return first, end

    def offsets_at(self, places: Iterable[tuple[str, int]], at_ms: int) -> dict[tuple[str, int], int]:
        """The first offset of each partition whose record is of that time or later (epoch milliseconds);
        where there is none, it is not in the answer."""
        asked = [TopicPartition(topic, number, at_ms) for topic, number in places]
        try:
            answers = self._consumer.offsets_for_times(asked, timeout=self._timeout_s) if asked else []
        except KafkaException as error:
            raise ClusterError(_words(error)) from None
        for answer in answers:
            if answer.error is not None:
                raise ClusterError(f"{answer.topic}:{answer.partition}: {answer.error.str()}")
        return {(each.topic, each.partition): each.offset for each in answers if each.offset >= 0}

    def topic_setting(self, topic: str, name: str) -> str:
        """A topic's setting, `cleanup.policy` for example."""
        admin = AdminClient(self._properties, logger=_silent)
        resource = ConfigResource(ResourceType.TOPIC, topic)
        future = admin.describe_configs([resource], request_timeout=self._timeout_s)[resource]
        try:
            return str(future.result(self._timeout_s)[name].value)
        except NoAnswer:
            self._is_mute = True
            raise ClusterError("no answer in time") from None
        except KafkaException as error:
            self._is_mute = error.args[0].code() == KafkaError._TIMED_OUT
            raise ClusterError(rights.asking(error.args[0])) from None

    def allowed(self, topics: Iterable[str]) -> dict[str, frozenset[str]]:
        """What our user may do to each of these topics, by Kafka's words in lower case (`describe_configs`).
        What the cluster does not tell is not in the answer; embedded, it tells nothing of the kind."""
        asked = sorted(topics)
        if self._is_mute or not asked:
            return {}
        admin = AdminClient(self._properties, logger=_silent)
        answers = admin.describe_topics(
            TopicCollection(asked), include_authorized_operations=True, request_timeout=self._timeout_s
        )
        told: dict[str, frozenset[str]] = {}
        for topic, future in answers.items():
            with contextlib.suppress(NoAnswer, KafkaException):
                operations = future.result(self._timeout_s).authorized_operations
                told[topic] = frozenset(each.name.lower() for each in operations or ())
        # Whoever sees a topic may at least do that: an empty answer is one of a broker that does not tell.
        return {topic: operations for topic, operations in told.items() if operations}

    def _note(self, error: KafkaError) -> None:
        text = error.str()
        if text not in self._errors and len(self._errors) < 3:
            self._errors.append(text)


def is_of_concern(message: Message) -> bool:
    """Whether a message tells somebody who joins no group anything."""
    error = message.error()
    return error is None or error.code() != NO_CONCERN


def stored_of(message: Message) -> Stored:
    """A message that is no error."""
    headers = tuple(message.headers() or ())
    timestamp_ms = max(0, message.timestamp()[1])
    return Stored(
        message.partition(),  # type: ignore[arg-type]  # always set, as the offset; headers come as bytes
        message.offset(),  # type: ignore[arg-type]
        timestamp_ms,
        message.key(),
        message.value(),
        headers,  # type: ignore[arg-type]
    )


def _words(error: Exception) -> str:
    if isinstance(error, KafkaException) and error.args and isinstance(error.args[0], KafkaError):
        return str(error.args[0].str())
    return str(error)
