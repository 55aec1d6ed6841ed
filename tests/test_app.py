"""The connector whole, in this process: prompt, open about itself, patient with a wrong key, and private."""

from __future__ import annotations

import asyncio
import io
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from structlog.testing import capture_logs

from connector.delivery import sender
from connector.faults import Faults
from connector.kafka import outlook
from connector.kafka.consumer import PollThread
from connector.ops import logs, watchdog
from connector.ops.watchdog import PollThreadHungError
from connector.sandbox import SandboxServer, SandboxThread
from connector.traffic import Planned
from connector.vendors.topsort import Topsort
from connector.vendors.topsort.settings import TopsortOptions
from tests.app_rig import Stage, click
from tests.broker.launcher.brokers import Broker, MockBroker
from tests.broker.member import committed
from tests.chaos.rig import ConnectorProcess, produce, wait_until
from tests.kept_logging import kept_logging

__all__ = ["kept_logging"]
pytestmark = pytest.mark.usefixtures("kept_logging")

Unique = Callable[[str], str]

PROMPT_S = 0.250
LINGER_S = 0.050
"""The default of `delivery.linger_ms`."""

HTTP_FIELDS = {
    "state",
    "halt_reason",
    "breaker",
    "topics",
    "partitions",
    "concurrency_limit",
}
TOPIC_FIELDS = {"consumed", "delivered", "skipped", "dead_lettered", "released", "in_flight"}
PARTITION_FIELDS = {"topic", "partition", "committed", "frontier", "end", "lag", "paused", "halted"}


@pytest.mark.alone
async def test_an_event_on_an_idle_system_is_at_the_vendor_promptly(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """Twenty events one by one, each on a system at rest: the median from the producer's acknowledgement to
    the vendor is within the promise; no single one may take four times as long, however busy the machine."""
    async with Stage(mock_broker, unique, tmp_path) as stage:
        took: list[float] = []
        for number in range(20):
            await stage.write(click(number))
            began = time.monotonic()
            await stage.until(partial(stage.has_accepted, number + 1), "the event at the vendor")
            took.append(time.monotonic() - began)
        assert statistics.median(took) <= PROMPT_S + LINGER_S
        assert max(took) <= 4 * (PROMPT_S + LINGER_S)


async def test_every_question_of_operators_has_an_answer(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """Probes, metrics, status and the page, with the fields that scripts rely on."""
    async with Stage(mock_broker, unique, tmp_path) as stage:
        await stage.write(click(1), b"\xff")
        await stage.until(lambda: stage.books.get("dead_lettered") == 1, "the dead letter")
        await stage.until(lambda: stage.books.get("delivered") == 1, "the delivery")
        await stage.until(lambda: stage.partitions[0]["committed"] == 2, "the commit")
        assert (await stage.get("/livez"))[0] == 200
        assert (await stage.get("/readyz"))[0] == 200
        status, body = await stage.get("/status")
        facts = json.loads(body)
        assert status == 200
        assert facts.keys() >= HTTP_FIELDS
        assert facts["state"] == "running"
        assert facts["topics"][stage.topic].keys() == TOPIC_FIELDS
        assert facts["partitions"][0].keys() >= PARTITION_FIELDS
        metrics = (await stage.get("/metrics"))[1].decode()
        counted = f'connector_records_consumed_total{{destination="topsort",topic="{stage.topic}"}} 2.0'
        assert counted in metrics
        assert (await stage.get("/"))[0] == 200
        assert (await stage.get("/nothing-here"))[0] == 404


async def test_what_a_destination_wants_known_is_told_once_at_the_start(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line a sentence, loud enough for a log that only shows warnings."""
    monkeypatch.setattr(Topsort, "advice", lambda _self: ("First this.", "Then that."))
    with capture_logs() as lines:
        async with Stage(mock_broker, unique, tmp_path) as stage:
            await stage.write(click(1))
            await stage.until(partial(stage.has_accepted, 1), "the event at the vendor")
    told = [(line["log_level"], line["text"]) for line in lines if line["event"] == "advice"]
    assert told == [("warning", "First this."), ("warning", "Then that.")]


async def test_a_wrong_key_halts_and_a_new_one_resumes_alone(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is dead-lettered or skipped, a restart would not help and is not asked for, and the file with
    the new key is all that is needed."""
    monkeypatch.setattr(sender, "HALT_PROBE_S", 0.2)
    async with Stage(mock_broker, unique, tmp_path, key="wrong-key-0123456789") as stage:
        await stage.write(*(click(number) for number in range(50)))
        await stage.until(lambda: stage.app.status()["state"] == "halted", "the halt")
        await asyncio.sleep(0.5)  # a probe or two with the wrong key
        assert stage.app.status()["halt_reason"] == "auth"
        assert (await stage.get("/readyz"))[0] == 200
        assert (await stage.get("/livez"))[0] == 200
        assert 'connector_halted{destination="topsort",reason="auth"} 1' in (
            (await stage.get("/metrics"))[1].decode()
        )
        assert stage.books.keys() <= {"consumed", "in_flight"}
        assert not stage.accepted
        stage.key_file.write_text("right-key-0123456789")
        await stage.until(lambda: stage.books == {"consumed": 50, "delivered": 50}, "all delivered")
        assert stage.app.status()["state"] == "running"
        assert len(stage.accepted) == 50


async def test_a_key_is_followed_while_nothing_is_wrong(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """From the next second on requests bear the one that the file holds, as a vendor shows that knows only
    the one before: whoever rotates in time sees no halt."""
    with capture_logs() as lines:
        async with Stage(mock_broker, unique, tmp_path) as stage:
            await stage.write(click(1))
            await stage.until(partial(stage.has_accepted, 1), "the event at the vendor")
            stage.key_file.write_text("other-key-0123456789")
            await stage.until(lambda: any(line["event"] == "key_changed" for line in lines), "the new key")
            await stage.write(click(2))
            await stage.until(lambda: stage.app.status()["state"] == "halted", "the refusal")
    assert not any("other-key" in str(line) for line in lines)


async def test_another_key_that_is_refused_too_is_told_in_the_log_and_in_the_sentence(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each: whoever has changed the file need not guess whether it was tried. No key is shown."""
    monkeypatch.setattr(sender, "SECRET_LOOK_S", 0.05)
    monkeypatch.setattr(sender, "HALT_PROBE_S", 0.2)
    wrong = "wrong-key-0123456789", "stale-key-0123456789", "other-key-0123456789"
    with capture_logs() as lines:
        async with Stage(mock_broker, unique, tmp_path, key=wrong[0]) as stage:
            await stage.write(click(1))
            await stage.until(lambda: stage.app.status()["state"] == "halted", "the halt")
            for number, key in enumerate(wrong[1:], start=2):
                stage.key_file.write_text(key)
                await stage.until(lambda n=number: stage.app.status()["keys_refused"] == n, "the refusal")  # type: ignore[misc]
                await asyncio.sleep(0.5)  # a probe or two more
            status = json.loads((await stage.get("/status"))[1])
            stage.key_file.write_text("right-key-0123456789")
            await stage.until(partial(stage.has_accepted, 1), "the event at the vendor")
    told = [line for line in lines if line["event"] in ("halted", "key_refused", "resumed")]
    assert [line["event"] for line in told] == ["halted", "key_refused", "key_refused", "resumed"]
    assert {line["key_from"] for line in told} == {str(stage.key_file)}
    assert [line["detail"] for line in told[:3]] == ["401 Unauthorized, invalid_api_key"] * 3
    assert f"read from {stage.key_file} at {status['key']['read_at']}, was refused as well" in status["told"]
    assert not any(key in text for key in wrong for text in (str(lines), str(status)))


async def test_a_poll_thread_that_hangs_ends_the_process_with_its_stack_in_the_log(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka has given its partitions to others by then, and nothing here would bring them back."""
    monkeypatch.setattr(watchdog, "LOOK_EVERY_S", 0.1)
    with capture_logs() as lines:
        async with Stage(mock_broker, unique, tmp_path) as stage:
            assert (await stage.get("/readyz"))[0] == 200
            monkeypatch.setattr(PollThread, "heartbeat", -1e9)
            with pytest.raises(PollThreadHungError):
                await asyncio.wait_for(stage.app.wait(), 20)
            status, body = await stage.get("/readyz")
            assert (status, json.loads(body)["in_group"]) == (503, False)
            assert not stage.app.status()["partitions"], "or we would go on sending what others have now"
    (line,) = [line for line in lines if line["event"] == "poll_thread_hung"]
    assert "kafka/consumer.py" in line["stack"]


async def test_a_dead_letter_topic_that_does_not_exist_makes_the_frontier_wait(
    real_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """Until somebody creates it; then the letter is written and the frontier moves, without a restart."""
    async with Stage(real_broker, unique, tmp_path, dead_letter_topic=False) as stage:
        await stage.write(click(1), b"\xff", click(3))
        await stage.until(lambda: len(stage.accepted) == 2, "the good events")
        await stage.until(
            lambda: (
                b'dead_letter_writes_total{destination="topsort",result="failed"}'
                in stage.app.telemetry.exposition()
            ),
            "the failed write",
        )
        # The vendor has taken them before we have its answer.
        waiting = {"consumed": 3, "delivered": 2, "in_flight": 1}
        await stage.until(lambda: stage.books == waiting, "the answer")
        assert stage.frontier == 1
        assert stage.dead_letter_topic in str(stage.app.status()["waits_on"])
        real_broker.create_topic(stage.dead_letter_topic, 1)
        await stage.until(lambda: stage.frontier == 3, "the frontier behind the dead letter", 60)
        await stage.until(lambda: stage.app.status()["waits_on"] is None, "nothing to wait for")
        assert stage.books == {"consumed": 3, "delivered": 2, "dead_lettered": 1}


async def test_a_dead_letter_topic_that_does_not_exist_is_told_before_one_is_needed(
    real_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """By name, on the page and in the log: the first poison event may come at night."""
    with capture_logs() as lines:
        async with Stage(real_broker, unique, tmp_path, dead_letter_topic=False) as stage:
            await stage.until(
                lambda: stage.dead_letter_topic in str(stage.app.status()["waits_on"]), "the words"
            )
    told = [line for line in lines if line["event"] == "topics_missing"]
    assert [line["topics"] for line in told] == [(stage.dead_letter_topic,)]


async def test_a_kafka_that_is_silent_is_told(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records stop without an error: somebody has to ask."""
    monkeypatch.setattr(outlook, "ANSWER_S", 0.5)
    async with Stage(mock_broker, unique, tmp_path) as stage:
        stage.app._outlook._every_s = 0.2
        await stage.until(lambda: stage.app.status()["waits_on"] is None, "the first look")
        mock_broker.kafka.broker_down(1)
        await stage.until(lambda: "Kafka does not answer" in str(stage.app.status()["waits_on"]), "the words")
        assert b'kafka_up{destination="topsort"} 0.0' in stage.app.telemetry.exposition()
        assert (await stage.get("/readyz"))[0] == 200
        mock_broker.kafka.broker_up(1)
        await stage.until(lambda: stage.app.status()["waits_on"] is None, "its answer")
        assert b'kafka_up{destination="topsort"} 1.0' in stage.app.telemetry.exposition()


def test_a_stop_exits_with_0_and_everything_is_committed(
    real_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """SIGTERM in the middle: whatever the vendor took is committed, and the next run brings the rest and not
    one of the others again."""
    events = 3000
    topic, group_id = unique("clickstream"), unique("group")
    dead_letter_topic = unique("dead-letter")
    real_broker.create_topic(topic, 2)
    real_broker.create_topic(dead_letter_topic, 1)
    options = TopsortOptions.model_validate({"currency": "EUR"})
    with SandboxThread(lambda: SandboxServer.of(Topsort, options, latency_s=0.02)) as vendor:
        settings = {
            "destination": {
                "name": "topsort",
                "url": vendor.url,
                "api_key": "stop-key-0123456789",
                "options": {"currency": "EUR"},
            },
            "source": {
                "topics": [topic],
                "group_id": group_id,
                "format": "json",
                "properties": {"bootstrap.servers": real_broker.bootstrap},
            },
            "delivery": {"requests_per_second": 30},
            "dead_letter": {"topic": dead_letter_topic},
            "limits": {"ahead_max": 100},
            "http": {"host": "127.0.0.1", "port": 0},
        }
        records = [
            Planned("clickstream", b"%d" % number, msgspec.json.encode(click(number)), "event")
            for number in range(events)
        ]
        produce(real_broker.bootstrap, records, {"clickstream": topic, "orders": topic})
        with ConnectorProcess(tmp_path, settings, "first") as first:
            wait_until(lambda: first.settled() > 200, "some are settled", 30)
            assert first.stop() == 0
        accepted = vendor.snapshot()["accepted"]
        assert isinstance(accepted, dict)
        done = sum(committed(real_broker, group_id, topic, number) or 0 for number in range(2))
        assert done == accepted["count"] == accepted["unique"]
        assert 200 < done < events
        with ConnectorProcess(tmp_path, settings, "second") as second:
            wait_until(
                lambda: second.settled() >= events - done, "the rest is settled", 30, tell=second.status
            )
            assert second.stop() == 0
        accepted = vendor.snapshot()["accepted"]
        assert isinstance(accepted, dict)
        assert accepted["count"] == accepted["unique"] == events


async def test_no_task_outlives_a_stop(mock_broker: MockBroker, unique: Unique, tmp_path: Path) -> None:
    """Although a vendor keeps silent, a registry is away and a record waits for its schema."""
    before = asyncio.all_tasks()
    registry = {"format": "auto", "schema_registry": {"url": "http://127.0.0.1:9"}}
    stop_soon = {"shutdown_timeout_s": 1}
    async with Stage(mock_broker, unique, tmp_path, source=registry, limits=stop_soon) as stage:
        stage.vendor.faults = Faults.parse("hang:1.0", 1)
        await stage.write(click(1), b"\x00\x00\x00\x00\x07\x02", click(2))
        await stage.until(
            lambda: b'requests_in_flight{destination="topsort"} 1' in stage.app.telemetry.exposition(),
            "a request",
        )
        await stage.until(
            lambda: (
                b'schema_registry_requests_total{destination="topsort",result="failed"}'
                in stage.app.telemetry.exposition()
            ),
            "a question",
        )
        await stage.session.close()
        await stage.vendor.stop()
        await stage.app.stop()
        assert asyncio.all_tasks() == before


async def test_an_address_that_is_taken_is_told_in_one_line(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """Nothing starts, exit code 1, and the log says what is in the way instead of a traceback."""
    async with Stage(mock_broker, unique, tmp_path) as stage:
        port = int(stage.app.address.rstrip("/").rpartition(":")[2])
        settings = {**stage.settings(), "http": {"host": "127.0.0.1", "port": port}}
        with ConnectorProcess(tmp_path, settings, "second") as second:
            await stage.until(lambda: not second.running, "the end of the second process")
            (line,) = [json.loads(each) for each in second.log.read_text().splitlines()]
            assert second.stop() == 1
    assert line["event"] == "not_started"
    assert line["level"] == "error"
    assert str(port) in line["error"]
    assert "set http.port (0: any free one)" in line["error"]


# ── private ──────────────────────────────────────────────────────────────────────────────────────

PERSONAL = {
    "opaque_id": "visitor-who-is-somebody",
    "email": "olena.secret@example.org",
    "phone": "+380501234567",
    "first_name": "Olenaprivate",
    "last_name": "Kovalprivate",
}


async def test_no_credential_and_no_personal_value_leaves_by_logs_metrics_status_or_dead_letter_headers(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """A person's data and the key are planted wherever something goes wrong: in good events, in broken ones,
    in those that the vendor refuses, and with retries and debug logs on. A dead letter's value is the record
    as it was read; nothing else holds any of it."""
    lines = io.StringIO()
    logs.configure("debug", "json", lines)
    key = "right-key-0123456789"
    async with Stage(mock_broker, unique, tmp_path, key=key) as stage:
        refused = click(2, user=PERSONAL)
        stage.vendor.faults = Faults.parse(f"503:burst=1/3,poison:{refused['event_id']}", 1)
        await stage.write(
            click(1, user=PERSONAL),
            refused,
            click(3, user={**PERSONAL, "is_internal": "+380501234567"}),
            click(4, user="olena.secret@example.org"),
            click(5, items="Olenaprivate"),
            click(6, **{"olena.secret@example.org": "+380501234567"}),
            b"olena.secret@example.org +380501234567 Olenaprivate Kovalprivate",
            b'{"event_id": "olena.secret@example.org", "event_type": "click", "occurred_at": 0}',
            b'{"event_type": "Olenaprivate", "occurred_at": "+380501234567"',
        )
        settled = {"consumed": 9, "delivered": 2, "dead_lettered": 7}
        await stage.until(lambda: stage.books == settled, "every record's outcome")
        seen = {
            "metrics": (await stage.get("/metrics"))[1].decode(),
            "status": (await stage.get("/status"))[1].decode(),
            "page": (await stage.get("/"))[1].decode(),
            "probes": str([await stage.get("/livez"), await stage.get("/readyz")]),
        }
        letters = read_letters(mock_broker, stage.dead_letter_topic, 7)
    seen["logs"] = lines.getvalue()
    assert "request_done" in seen["logs"], "debug lines were on"
    seen["dead-letter headers"] = str([headers for headers, _ in letters])
    values = b"".join(value for _, value in letters)
    assert b"+380501234567" in values, "the value itself is kept"
    for place, text in seen.items():
        for planted in (key, *PERSONAL.values()):
            assert planted not in text, f"{planted} in {place}"


def read_letters(broker: Broker, topic: str, count: int) -> list[tuple[object, bytes]]:
    """Headers and value of that many dead letters."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "reader"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[tuple[object, bytes]] = []
    try:
        while len(found) < count:
            message = consumer.poll(10)
            assert message is not None, f"only {len(found)} dead letters"
            assert message.error() is None
            found.append((message.headers(), message.value() or b""))
        return found
    finally:
        consumer.close()
