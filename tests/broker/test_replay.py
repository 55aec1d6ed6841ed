"""Dead letters from their arrival to their end, by an operator's commands: the same story on both brokers."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from confluent_kafka import KafkaError

from connector.faults import Faults
from connector.kafka.embedded import Api
from connector.model.coordinate import Coordinate
from tests.broker.launcher.brokers import Broker, MockBroker
from tests.broker.shop import PATIENCE_S, SMALL, Event, Shop, Unique, click, impression
from tests.chaos.rig import wait_until
from tests.cli.commandline import connector
from tests.letters import letter, write


@pytest.fixture
def shop(broker: Broker, unique: Unique, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(broker, unique, tmp_path)
    with shop.vendor:
        yield shop


def test_a_dead_letter_from_its_arrival_to_its_end(shop: Shop) -> None:
    """Poison arrives, is listed, shown and explained; an option is changed, a dry run says what it would do,
    the replay delivers, the letter is resolved, and a second replay has nothing to do."""
    long = click(2, "/" + "x" * SMALL)
    first, poison, last = shop.write(click(1), long, click(3))
    shop.carry(3, max_bytes=SMALL)
    assert set(shop.accepted()) == {click(1)["event_id"], click(3)["event_id"]}
    before = shop.committed()

    # listed, counted, shown
    assert [(each, facts["reason"]) for each, facts in shop.open().items()] == [(poison, "payload_too_large")]
    stats = json.loads(shop.run("dlq", "stats", "--json").out)
    assert stats["reason"] == {"payload_too_large": {"open": 1, "resolved": 0}}
    shown = shop.run("dlq", "show", poison, max_bytes=SMALL).out
    assert "settings" in shown
    assert "(as now)" in shown
    assert "x" * 100 not in shown, "the payload is hidden"

    # explained: by the options under which it failed, and by better ones
    refused = json.loads(shop.run("explain", poison, "--json", max_bytes=SMALL).out)
    assert (refused["outcome"], refused["reason"]) == ("refused", "payload_too_large")
    assert refused["stands"]["word"] == "dead_lettered"
    mended = json.loads(shop.run("explain", poison, "--json").out)
    assert (mended["outcome"], mended["items"]) == ("mapped", [long["event_id"]])
    assert json.loads(shop.run("explain", first, "--json").out)["stands"]["word"] == "settled"

    # a dry run: nothing is sent, and it says that the settings are others
    told = shop.run("dlq", "replay", "--reason", "payload_too_large", "--dry-run")
    assert told.code == 0
    assert told.out.splitlines() == [
        f"{poison}  would be sent: 1 of 1 items: {long['event_id']}",
        "a dry run, nothing was sent: 1 records: 1 sent",
        "1 failed under other mapping settings: the replay will want --other-settings",
    ]
    stubborn = shop.run("dlq", "replay", "--dry-run", max_bytes=SMALL)
    assert f"{poison}  would be refused again: payload_too_large" in stubborn.out

    # other settings are refused unless they are meant
    refusal = shop.run("dlq", "replay")
    assert refusal.code == 1
    assert "--other-settings" in refusal.err
    assert long["event_id"] not in shop.accepted()
    assert shop.markers() == []

    # replayed, resolved, and not a second time
    replayed = shop.run("dlq", "replay", "--other-settings")
    assert replayed.code == 0, replayed.err
    assert replayed.out.splitlines() == ["replayed 1 of 1: 1 delivered, 0 skipped, 0 failed again"]
    assert shop.accepted() == dict.fromkeys((click(n)["event_id"] for n in (1, 2, 3)), 1)
    assert shop.markers() == [poison]
    assert shop.open() == {}
    told = json.loads(shop.run("explain", poison, "--json").out)
    assert told["stands"]["word"] == "resolved"
    again = shop.run("dlq", "replay", "--other-settings")
    assert (again.code, again.out) == (0, "nothing to replay\n")
    assert shop.accepted()[long["event_id"]] == 1
    assert shop.committed() == before, "the live group never notices"
    assert last


def test_of_a_partly_refused_event_only_the_refused_items_go_again(shop: Shop) -> None:
    """The others were delivered; sending them again would count twice at a vendor that forgets ids."""
    event = impression(1, 3)
    mapped = json.loads(connector_map(shop, event))
    ids = [body["impressions"][0]["id"] for body in mapped["items"]]
    shop.vendor.fail(Faults.parse(f"poison:{ids[1]}", 1))
    (record,) = shop.write(event)
    shop.carry(1)
    assert shop.open()[record]["items"] == [ids[1]]
    assert set(shop.accepted()) == {ids[0], ids[2]}

    again = shop.run("dlq", "replay")
    assert again.code == 1
    assert again.out.startswith("replayed 1 of 1: 0 delivered, 0 skipped, 1 failed again (vendor_rejected 1)")
    facts = shop.open()[record]
    assert (facts["replays"], facts["items"], len(facts["letters"])) == (1, [ids[1]], 2)

    shop.vendor.fail(Faults())
    dry = shop.run("dlq", "replay", "--dry-run").out
    assert f"{record}  would be sent: 1 of 3 items: {ids[1]}" in dry
    assert shop.run("dlq", "replay").code == 0
    assert shop.accepted() == dict.fromkeys(ids, 1)
    assert shop.open() == {}


def connector_map(shop: Shop, event: Event) -> str:
    file = shop.folder / "event.jsonl"
    file.write_bytes(msgspec.json.encode(event))
    return connector("map", "--destination", "topsort", "--option", "currency=EUR", "--each", str(file)).out


def test_a_place_that_a_new_topic_used_again_is_two_dead_letters(
    mock_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """The topic was deleted and created anew, and both records at one offset failed: both are sent, in a
    replay each, and none is marked before it was."""
    shop = Shop(mock_broker, unique, tmp_path)
    place = Coordinate(shop.topic, 0, 42)
    write(
        shop.broker.bootstrap,
        shop.letters,
        [
            letter(place, failed_at_ms=number, value=shop.body(click(number)), group_id=shop.group_id)
            for number in (1, 2)
        ],
    )
    with shop.vendor:
        first = shop.run("dlq", "replay", "--other-settings")
        assert "held back 1: another dead letter of the same place goes first" in first.out
        assert len(shop.accepted()) == len(shop.open()) == 1
        assert shop.run("dlq", "replay", "--other-settings").code == 0
        assert {*shop.accepted()} == {click(1)["event_id"], click(2)["event_id"]}
        assert not shop.open()


def test_a_letter_whose_source_is_gone_holds_no_other_up(
    mock_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """It was too large for the dead-letter topic, and its own topic was deleted: it is told as unreadable."""
    shop = Shop(mock_broker, unique, tmp_path)
    gone = letter(Coordinate(unique("deleted"), 0, 1), group_id=shop.group_id, form=1)
    assert gone.value is None
    here = letter(
        Coordinate(shop.topic, 0, 2), value=shop.body(click(2)), group_id=shop.group_id, failed_at_ms=5
    )
    write(shop.broker.bootstrap, shop.letters, [gone, here])
    with shop.vendor:
        ended = shop.run("dlq", "replay", "--other-settings")
        assert {*shop.accepted()} == {click(2)["event_id"]}, ended.out + ended.err
        assert len(shop.open()) == 1


def test_what_fails_again_and_again_is_left_alone(shop: Shop) -> None:
    """The loop guard: after so many replays a letter waits for a better idea."""
    (record,) = shop.write(b"nonsense")
    shop.carry(1)
    for replays in (1, 2):
        ended = shop.run("dlq", "replay", "--max-replays", "2")
        assert ended.code == 1
        assert "1 failed again (undecodable 1)" in ended.out
        assert shop.open()[record]["replays"] == replays
    guarded = shop.run("dlq", "replay", "--max-replays", "2")
    assert guarded.code == 0
    assert guarded.out.splitlines() == ["nothing to replay", "held back 1: replayed 2 times already"]
    letters = shop.run("dlq", "show", record, "--payload").out
    assert "header         trace: t-1" in letters, "the record's own headers, and no mark of ours"
    assert "connector.replays" not in letters


def test_filters_records_and_limits_choose_what_goes(shop: Shop) -> None:
    """One record by its name, the oldest of many, and those of one reason; the others stay as they are."""
    shop.vendor.fail(Faults.parse(",".join(f"poison:{click(n)['event_id']}" for n in range(1, 6)), 1))
    records = shop.write(*(click(n) for n in range(1, 6)), b"nonsense")
    shop.carry(6)
    shop.vendor.fail(Faults())
    oldest = [record for record, facts in shop.open().items() if facts["reason"] == "vendor_rejected"]
    assert shop.run("dlq", "replay", oldest[4]).code == 0
    assert [each for each in shop.open() if each in oldest] == oldest[:4]
    assert shop.run("dlq", "replay", "--limit", "2", "--reason", "vendor_rejected").code == 0
    assert [each for each in shop.open() if each in oldest] == oldest[2:4]
    began = time.monotonic()
    assert shop.run("dlq", "replay", "--reason", "vendor_rejected", "--rate", "0.4").code == 0
    assert time.monotonic() - began >= 2.5, "the second of two left two and a half seconds after the first"
    assert [*shop.open()] == [records[5]]
    assert sorted(shop.markers()) == sorted(oldest)


def test_a_letter_too_large_for_its_topic_is_read_from_the_source(
    real_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """While the source has the record; once it has not, the replay says so and the case stays open."""
    shop = Shop(real_broker, unique, tmp_path)
    shop.letters = unique("dead-letter")
    real_broker.create_topic(shop.letters, 1, {"max.message.bytes": "2500"})
    events = [click(n, "/" + "x" * 5_000) for n in (1, 2)]
    with shop.vendor:
        records = shop.write(*events)
        shop.carry(2, max_bytes=SMALL)
        assert all(facts["value_omitted"] for facts in shop.open().values())
        real_broker.delete_records(shop.topic, 1, 1)
        ended = shop.run("dlq", "replay", "--other-settings", "--dry-run")
        assert f"{records[1]}  gone: the letter has no value" in ended.out
        ended = shop.run("dlq", "replay", "--other-settings")
        assert ended.code == 1
        assert ended.out.splitlines() == [
            "replayed 1 of 2: 1 delivered, 0 skipped, 0 failed again",
            "1 can't be: the letter has no value, and the source has the record no more",
        ]
        assert [*shop.accepted()] == [events[0]["event_id"]]
        assert [*shop.open()] == [records[1]]


# ── when it can't go on ──────────────────────────────────────────────────────────────────────────


def aside(mock_broker: Broker, unique: Unique, folder: Path, latency_s: float = 0.0) -> Shop:
    """A shop on the embedded broker alone: what is proved does not depend on it."""
    return Shop(mock_broker, unique, folder, latency_s)


def test_order_by_key_is_not_broken_by_mistake(mock_broker: Broker, unique: Unique, tmp_path: Path) -> None:
    """Newer events of the same key are at the vendor already: only somebody who knows may replay these."""
    shop = aside(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write_letters(click(1))
        refusal = shop.run("dlq", "replay", "--other-settings", delivery={"ordering": "key"})
        assert refusal.code == 2
        assert "--out-of-order" in refusal.err
        dry = shop.run("dlq", "replay", "--dry-run", delivery={"ordering": "key"})
        assert dry.code == 0
        assert "the replay will want --out-of-order" in dry.out
        assert shop.accepted() == {}
        known = ("dlq", "replay", "--other-settings", "--out-of-order")
        assert shop.run(*known, delivery={"ordering": "key"}).code == 0
        assert len(shop.accepted()) == 1


def test_another_destinations_letters_are_not_ours_to_send(
    mock_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """Two destinations may share a topic for what neither could deliver."""
    shop = aside(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write_letters(click(1), destination="promoted")
        shop.write_letters(click(2), group_id="another-account")
        ended = shop.run("dlq", "replay", "--other-settings")
        assert ended.code == 0
        assert ended.out.splitlines() == [
            "nothing to replay",
            "held back 1: of another destination (promoted)",
            "held back 1: of another connector (another-account)",
        ]
        assert shop.accepted() == {}


def test_a_flood_ends_the_replay_and_leaves_the_rest(
    mock_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """Most of them fail again: what was changed has not helped, and the topic must not fill with letters."""
    shop = aside(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write_letters(*[b"nonsense"] * 200)
        flood = {"topic": shop.letters, "flood_ratio": 0.5, "flood_window": 50}
        ended = shop.run("dlq", "replay", "--other-settings", dead_letter=flood)
        assert ended.code == 1
        assert ended.out.startswith("replayed 49 of 200: 0 delivered, 0 skipped, 49 failed again")
        assert "151 left as they were: halted: dead_letter_flood" in ended.out
        assert len(shop.open()) == 200


def test_markers_that_kafka_refuses_end_the_replay(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live connector waits; here is a person, who is told what was sent and is not marked."""
    monkeypatch.setattr("connector.replay.WRITES_PATIENCE_S", 1.5)
    shop = aside(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write_letters(*(click(n) for n in range(3)))
        mock_broker.kafka.fail_requests(Api.PRODUCE, [KafkaError.TOPIC_AUTHORIZATION_FAILED] * 200)
        ended = shop.run("dlq", "replay", "--other-settings", limits={"shutdown_timeout_s": 2})
        mock_broker.kafka.pass_requests(Api.PRODUCE)
        assert ended.code == 1
        assert len(shop.accepted()) == 3
        first, why, *records = ended.out.splitlines()
        assert first == "replayed 0 of 3: 0 delivered, 0 skipped, 0 failed again"
        assert why.startswith(
            "3 were delivered but not marked, so the next replay sends them again: Kafka takes"
        )
        assert "uthorization failed" in why
        assert records == [f"not marked: {shop.topic}:0:{n}" for n in range(3)]
        assert shop.markers() == []


def test_a_wrong_key_ends_the_replay(mock_broker: Broker, unique: Unique, tmp_path: Path) -> None:
    """The live connector waits for a better one; here is a person who can give it."""
    shop = aside(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.vendor.fail(Faults.parse("401:1", 1))
        shop.write_letters(click(1))
        ended = shop.run("dlq", "replay", "--other-settings")
        assert ended.code == 1
        assert "1 left as they were: halted: auth (401 Unauthorized, to the key from " in ended.out
        assert shop.markers() == []


def test_an_outage_is_waited_out(mock_broker: Broker, unique: Unique, tmp_path: Path) -> None:
    """As in the live connector: nobody is to blame for it, and no letter is written."""
    shop = aside(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.vendor.fail(Faults.parse("503:burst=3/1000", 1))
        shop.write_letters(*(click(n) for n in range(5)))
        ended = shop.run("dlq", "replay", "--other-settings")
        assert ended.code == 0, ended.err
        assert ended.out.splitlines() == ["replayed 5 of 5: 5 delivered, 0 skipped, 0 failed again"]


def test_what_the_vendor_has_no_use_for_is_resolved_too(
    mock_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """A changed option skips it: that is an outcome, and the marker says which."""
    shop = aside(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write_letters({**click(1), "consent": {"advertising": False}})
        ended = shop.run("dlq", "replay", "--other-settings")
        assert ended.code == 0
        assert ended.out.startswith("replayed 1 of 1: 0 delivered, 1 skipped (consent_denied 1), 0 failed")
        (told,) = shop.run("dlq", "list", "--resolved", "--json").out.splitlines()
        assert json.loads(told)["resolved"]["reason"] == "consent_denied"


def test_a_record_that_is_named_must_be_an_open_letter(
    mock_broker: Broker, unique: Unique, tmp_path: Path
) -> None:
    """Nothing to do would look like done."""
    shop = aside(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write_letters(click(1))
        known, unknown = f"{shop.topic}:0:0", f"{shop.topic}:0:99"
        ended = shop.run("dlq", "replay", "--other-settings", known, unknown)
        assert ended.code == 1
        assert ended.err.splitlines() == [f"not an open dead letter: {unknown}"]
        assert shop.accepted() == {}


def test_a_terminal_shows_a_bar(mock_broker: Broker, unique: Unique, tmp_path: Path) -> None:
    """With the count at its end; elsewhere it is a line every so often."""
    shop = aside(mock_broker, unique, tmp_path)
    with shop.vendor:
        shop.write_letters(*(click(n) for n in range(7)))
        file = tmp_path / "terminal.yaml"
        file.write_text(yaml.safe_dump(shop.settings()))
        words = ["dlq", "replay", "-c", str(file), "--other-settings"]
        ours, theirs = pty.openpty()
        ended = subprocess.run(
            [sys.executable, "-m", "connector", *words],
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        os.close(theirs)
        shown = os.read(ours, 1 << 16).decode()
        os.close(ours)
        assert ended.returncode == 0
        assert ended.stdout.splitlines() == ["replayed 7 of 7: 7 delivered, 0 skipped, 0 failed again"]
        assert "7/7" in shown
        shop.write_letters(click(8))
        assert "1 of 1 replayed" in shop.run("dlq", "replay", "--other-settings").err


class Replaying:
    """`connector dlq replay` as a process of its own."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        file = folder / "replay.yaml"
        slow = {"max_in_flight": 1, "linger_ms": 0}
        options = {"currency": "EUR", "max_per_array": 5}
        settings = shop.settings(delivery=slow)
        settings["destination"]["options"] = options
        file.write_text(yaml.safe_dump(settings))
        words = ["dlq", "replay", "-c", str(file), "--other-settings"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "connector", *words], stdout=subprocess.PIPE, text=True
        )

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """The exit code and what was printed."""
        self._process.send_signal(number)
        out, _ = self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode, out


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_cut_off_in_the_middle_nothing_is_marked_that_was_not_sent(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed, some are sent again by the next replay; stopped politely, none is: what was under way is
    finished and marked. In the end the vendor has all of them, and every case is resolved."""
    shop = aside(mock_broker, unique, tmp_path, latency_s=0.15)
    with shop.vendor:
        events = [click(n) for n in range(200)]
        shop.write_letters(*events)
        replaying = Replaying(shop, tmp_path)
        wait_until(lambda: len(shop.accepted()) >= 50, "50 accepted", PATIENCE_S)
        mock_broker.kafka.set_rtt(300)  # markers are on their way when the end comes
        code, out = replaying.end(number)
        mock_broker.kafka.set_rtt(0)
        sent = len(shop.accepted())
        assert sent < 200, "it was cut off"
        marked = {Coordinate.read(each) for each in shop.markers()}
        ids = {f"{shop.topic}:0:{n}": events[n]["event_id"] for n in range(200)}
        assert {ids[str(each)] for each in marked} <= shop.accepted().keys()
        if number is signal.SIGTERM:
            assert code == 1
            assert len(marked) == sent
            assert out.startswith(f"replayed {sent} of 200: {sent} delivered")
            assert f"{200 - sent} left as they were: stopped before the end, as asked" in out
        assert shop.run("dlq", "replay", "--other-settings").code == 0
        assert shop.accepted().keys() == set(ids.values())
        assert sorted(shop.markers()) == sorted(ids)
        repeats = sum(count - 1 for count in shop.accepted().values())
        assert repeats <= (50 if number is signal.SIGKILL else 0), "at most what was in flight or not marked"
        assert shop.open() == {}
