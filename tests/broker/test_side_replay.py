"""`connector run --from … --to …`: part of the source once more, beside the live group, with a report."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer

from connector.faults import Faults
from tests.broker.launcher.brokers import Broker, MockBroker
from tests.broker.shop import PATIENCE_S, Shop, Unique, click
from tests.chaos.rig import wait_until
from tests.cli.commandline import Ended


def totals(ended: Ended, topic: str) -> dict[str, int]:
    """The report's line of a topic, zeros left out."""
    lines = ended.out.splitlines()
    head = next(line for line in lines if line.startswith("topic")).split()
    row = next(line for line in lines if line.startswith(topic)).split()
    found = {name: int(count.replace(",", "")) for name, count in zip(head[1:], row[1:], strict=True)}
    return {name: count for name, count in found.items() if count}


def test_a_range_of_offsets_is_delivered_again_and_the_live_group_never_notices(
    broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """Exactly the range, the end excluded, of one partition; what can't be delivered is a dead letter in the
    same topic; it ends by itself."""
    shop = Shop(broker, unique, tmp_path)
    with shop.vendor:
        events = [click(n) for n in range(20)]
        shop.write(*events, b"nonsense", b"nonsense")
        shop.carry(22)
        before = shop.committed()
        assert len(shop.open()) == 2
        ended = shop.run("run", "--from", f"{shop.topic}:0:5", "--to", f"{shop.topic}:0:11")
        assert ended.code == 0, ended.err
        assert ended.out.splitlines()[0] == "side replay of 6 offsets in 1 partitions"
        assert "balances: consumed = delivered" in ended.out
        assert totals(ended, shop.topic) == {"consumed": 6, "delivered": 5, "dead-lettered": 1}
        again = {event["event_id"] for event in events[10:20:2]}
        assert {each for each, count in shop.accepted().items() if count == 2} == again
        assert shop.committed() == before
        facts = shop.open()[f"{shop.topic}:0:10"]
        assert len(facts["letters"]) == 2, "one more letter, and still one case"


def test_everything_that_there_is_and_nothing_that_comes_later(
    broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """One end is enough: up to a record from the beginning, or from a record up to now."""
    shop = Shop(broker, unique, tmp_path)
    with shop.vendor:
        shop.write(*(click(n) for n in range(10)))
        ended = shop.run("run", "--to", f"{shop.topic}:1:3")
        assert totals(ended, shop.topic) == {"consumed": 3, "delivered": 3}
        ended = shop.run("run", "--from", f"{shop.topic}:1:3")
        assert totals(ended, shop.topic) == {"consumed": 2, "delivered": 2}
        ended = shop.run("run", "--from", f"{shop.topic}:1:5")
        assert (ended.code, totals(ended, shop.topic)) == (0, {})
        assert set(shop.accepted().values()) == {1}


def test_a_range_of_time_is_read_from_all_partitions(
    real_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """By Kafka's own times, the end excluded; a partition without a record of that time gives none."""
    shop = Shop(real_broker, unique, tmp_path)
    hour_ms = 3_600_000
    producer = Producer({"bootstrap.servers": real_broker.bootstrap})
    for n in range(12):
        producer.produce(
            shop.topic, shop.body(click(n)), partition=n % 2, timestamp=1_763_719_200_000 + n * hour_ms
        )
    assert producer.flush(PATIENCE_S) == 0
    with shop.vendor:
        ended = shop.run("run", "--from", "2025-11-21T12:00:00Z", "--to", "2025-11-21T15:00:00+00:00")
        assert ended.code == 0, ended.err
        assert totals(ended, shop.topic) == {"consumed": 3, "delivered": 3}
        assert set(shop.accepted()) == {click(n)["event_id"] for n in (2, 3, 4)}
        ended = shop.run("run", "--from", "2025-11-21T21:00:00Z")
        assert totals(ended, shop.topic) == {"consumed": 1, "delivered": 1}
        ended = shop.run("run", "--to", "2025-11-21T11:00:00Z")
        assert totals(ended, shop.topic) == {"consumed": 1, "delivered": 1}
        nothing = shop.run("run", "--from", "2025-11-22T21:00:00Z")
        assert (nothing.code, totals(nothing, shop.topic)) == (0, {})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--from", "TOPIC:0:5", "--to", "TOPIC:1:9"), "name different partitions"),
        (("--from", "2026-11-18T09:00:00Z", "--to", "2026-11-18T09:00:00Z"), "--from is not before --to"),
        (("--from", "yesterday"), "neither TOPIC:PARTITION:OFFSET nor an RFC 3339 time"),
        (("--to", "elsewhere:0:5"), "elsewhere:0 is no partition of source.topics"),
        (("--from", "TOPIC:0:0"), "begins at 2"),
    ],
)
def test_ends_that_make_no_range_are_bad_usage(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    """Nothing is sent; what Kafka no longer has is said before anything begins, not left out."""
    shop = Shop(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write(*(click(n) for n in range(8)))
        mock_broker.delete_records(shop.topic, 0, 2)
        ended = shop.run("run", *(word.replace("TOPIC", shop.topic) for word in words))
        assert ended.code == 2
        assert says in ended.err
        assert shop.accepted() == {}


def test_order_by_key_is_warned_of(mock_broker: MockBroker, unique: Unique, tmp_path: Path) -> None:
    """What comes a second time comes after what came later."""
    shop = Shop(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write(click(1))
        ended = shop.run("run", "--from", f"{shop.topic}:0:0", delivery={"ordering": "key"})
        assert ended.code == 0
        assert "out_of_order" in ended.err


def test_a_flood_ends_it_and_says_where_to_go_on(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """It would wait for a restart for ever; here nobody restarts it."""
    shop = Shop(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write(*[b"nonsense"] * 400)
        flood = {"topic": shop.letters, "flood_ratio": 0.5, "flood_window": 50}
        ended = shop.run("run", "--from", f"{shop.topic}:0:0", dead_letter=flood)
        assert ended.code == 1
        assert "not finished: halted: dead_letter_flood" in ended.out
        assert f"go on with --from {shop.topic}:0:49 --to {shop.topic}:0:200" in ended.out
        found = totals(ended, shop.topic)
        assert found["dead-lettered"] == 49
        assert found["consumed"] == 49 + found["released"]
        assert "balances" in ended.out


def test_stopped_in_the_middle_it_says_where_to_go_on(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """What is under way is finished; what follows is named, and the next run misses and repeats nothing."""
    shop = Shop(mock_broker, unique, tmp_path, latency_s=0.1)
    with shop.vendor:
        shop.write(*(click(n) for n in range(400)))
        file = tmp_path / "side.yaml"
        settings = shop.settings(delivery={"max_in_flight": 1, "linger_ms": 0})
        settings["destination"]["options"]["max_per_array"] = 5
        file.write_text(yaml.safe_dump(settings))
        words = ["run", "-c", str(file), "--from", f"{shop.topic}:0:0"]
        side = subprocess.Popen(
            [sys.executable, "-m", "connector", *words], stdout=subprocess.PIPE, text=True
        )
        wait_until(lambda: len(shop.accepted()) >= 30, "30 accepted", PATIENCE_S)
        side.send_signal(signal.SIGTERM)
        out, _ = side.communicate(timeout=PATIENCE_S)
        assert side.returncode == 1
        sent = len(shop.accepted())
        assert sent < 200
        assert "not finished: stopped before the end, as asked" in out
        assert f"go on with --from {shop.topic}:0:{sent} --to {shop.topic}:0:200" in out
        ended = shop.run("run", "--from", f"{shop.topic}:0:{sent}", "--to", f"{shop.topic}:0:200")
        assert ended.code == 0
        assert len(shop.accepted()) == 200
        assert set(shop.accepted().values()) == {1}


def test_an_outage_is_waited_out(mock_broker: MockBroker, unique: Unique, tmp_path: Path) -> None:
    """Nothing is a dead letter for it, and the end comes later."""
    shop = Shop(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.vendor.fail(Faults.parse("503:burst=3/1000", 1))
        shop.write(*(click(n) for n in range(10)))
        ended = shop.run("run", "--from", f"{shop.topic}:0:0")
        assert ended.code == 0, ended.err
        assert totals(ended, shop.topic) == {"consumed": 5, "delivered": 5}


def test_it_runs_where_the_live_connector_has_the_port(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """In the same pod, say: its status is at any free port then, and the log tells which."""
    shop = Shop(mock_broker, unique, tmp_path)
    with shop.vendor, socket.create_server(("127.0.0.1", 0)) as taken:
        shop.write(click(1))
        port = taken.getsockname()[1]
        http = {"host": "127.0.0.1", "port": port}
        ended = shop.run("run", "--from", f"{shop.topic}:0:0", http=http)
        assert ended.code == 0, ended.err
        (line,) = [json.loads(each) for each in ended.err.splitlines() if '"listening"' in each]
        assert line["port"] != port
