"""What a user may do in Kafka: what the page about security lists is enough, and each of it is needed."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer

from connector.kafka.inspect import Cluster
from connector.model.coordinate import Coordinate
from tests.broker.launcher.admin import Right
from tests.broker.launcher.kafka import KafkaCluster
from tests.broker.launcher.process import wait_for
from tests.cli.answering import answering
from tests.cli.commandline import Ended, connector

Unique = Callable[[str], str]

ANSWER_S = 5.0
PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
HEALTHY = (400, b'[{"errCode": "empty_request", "docUrl": "", "message": "no events"}]')
BAD = b"no event"


def rights_of_the_page() -> list[Right]:
    """What its `kafka-acls.sh` lines give: each operation on each topic and group of a line."""
    rights = []
    for line in re.findall(r"^kafka-acls\.sh (.*)$", PAGE, re.M):
        words = shlex.split(line)
        given = [*itertools.pairwise(words)]
        operations = [re.sub(r"(?<=.)(?=[A-Z])", "_", word) for name, word in given if name == "--operation"]
        rights += [
            Right(name.removeprefix("--").upper(), word, operation.upper())
            for name, word in given
            if name in ("--topic", "--group")
            for operation in operations
        ]
    return rights


RIGHTS = rights_of_the_page()
SETTINGS: dict[str, Any] = yaml.safe_load(re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)[0])
GROUP: str = SETTINGS["source"]["group_id"]
LETTERS = f"{GROUP}.dead-letter"


def written(kafka: KafkaCluster, topic: str, *values: bytes) -> None:
    """By somebody else, into partition 0."""
    producer = Producer({"bootstrap.servers": kafka.admin_bootstrap, "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(ANSWER_S) == 0


def test_reading_outside_of_a_group_needs_no_right_to_one(
    guarded_broker: KafkaCluster, unique: Unique
) -> None:
    """A consumer asks for its group's coordinator all the same, and hears a no among the records."""
    topic = unique("orders")
    guarded_broker.create_topic(topic, 2)
    guarded_broker.allow(Right("TOPIC", topic, "READ"))
    written(guarded_broker, topic, b"1", b"2")
    with Cluster(guarded_broker.client_properties(), "nobodys", ANSWER_S) as cluster:
        newest = cluster.newest(topic, 0)
        assert (newest is not None, newest and newest.value) == (True, b"2")
        assert [each.value for each in cluster.records(topic)] == [b"1", b"2"]
        found = cluster.record(Coordinate(topic, 0, 0))
        assert (found is not None, found and found.value) == (True, b"1")


# ── the page's configuration, with the page's rights ─────────────────────────────────────────────


@pytest.fixture(scope="module")
def file(guarded_broker: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's configuration on this broker, with its topics, a bad event and a vendor that is healthy."""
    for topic in (*SETTINGS["source"]["topics"], LETTERS):
        guarded_broker.create_topic(topic, 1)
    written(guarded_broker, SETTINGS["source"]["topics"][0], BAD)
    with answering(*HEALTHY) as vendor:
        source = {**SETTINGS["source"], "properties": guarded_broker.client_properties()}
        destination = {**SETTINGS["destination"], "url": f"{vendor.url}/v2/events", "api_key": "k"}
        del destination["api_key_file"]
        raw = {"source": source, "destination": destination, "http": {"host": "127.0.0.1", "port": 0}}
        path = tmp_path_factory.mktemp("rights") / "connector.yaml"
        path.write_text(yaml.safe_dump(raw))
        yield str(path)


@pytest.fixture
def allowed(guarded_broker: KafkaCluster) -> Iterator[Callable[..., None]]:
    """Gives the page's rights without those that are left out, until the test has ended."""

    def allow(*left_out: Right) -> None:
        guarded_broker.allow(*(right for right in RIGHTS if right not in left_out))

    yield allow
    guarded_broker.forbid(*RIGHTS)


def run_until(file: str, words: str, *arguments: str, then_kill: bool = False) -> str:
    """What `connector run` says until this is said, and while it stops."""
    command = [sys.executable, "-m", "connector", "run", "-c", file, *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if words in line:
                process.kill() if then_kill else process.terminate()
        return "".join(said)


def test_the_page_lists_what_the_connector_touches() -> None:
    """Or what follows would prove little."""
    topics = {*SETTINGS["source"]["topics"], LETTERS}
    assert {(kind, name) for kind, name, _ in RIGHTS} == {("TOPIC", name) for name in topics} | {
        ("GROUP", GROUP)
    }


def test_the_rights_of_the_page_are_enough(file: str, allowed: Callable[..., None]) -> None:
    """To look, to carry, to write a dead letter, to list and replay it, to explain, to run aside."""
    allowed()

    def told(*arguments: str) -> Ended:
        return connector(*arguments, "-c", file)

    checked = told("check")
    assert (checked.code, "needs" in checked.out) == (0, False), checked.out
    assert "record_dead_lettered" in run_until(file, "record_dead_lettered")
    assert "undecodable" in wait_for(lambda: told("dlq", "list").out, "the letter")
    assert "a dead letter since" in told("explain", "orders:0:0").out
    assert "1 failed again (undecodable 1)" in told("dlq", "replay").out
    assert '"dead_lettered":1' in run_until(file, '"event":"stopped"', "--from", "orders:0:0")


LOUD = {"WRITE": "wrong", "READ": "wrong", "DESCRIBE_CONFIGS": "warning"}
WORDS = {"WRITE": "Write", "READ": "Read", "DESCRIBE_CONFIGS": "DescribeConfigs"}


@pytest.mark.parametrize("right", RIGHTS, ids="-".join)
def test_a_right_of_the_page_that_is_missing_is_told_by_check(
    right: Right, file: str, allowed: Callable[..., None]
) -> None:
    """With its name and what it is missing on; what the connector itself can do without is a warning."""
    allowed(right)
    ended = connector("check", "-c", file)
    state = "warning" if right == Right("TOPIC", LETTERS, "READ") else LOUD[right.operation]
    needed = re.compile(rf"the user (needs )?{WORDS[right.operation]} on")
    missed = [line for line in ended.out.splitlines() if right.name in line and needed.search(line)]
    assert len(missed) == 1, ended.out
    assert missed[0].startswith(state)
    assert ended.code == (3 if state == "wrong" else 0)


@pytest.mark.parametrize(
    ("right", "words"),
    [
        (Right("TOPIC", "orders", "READ"), "orders: Broker: Topic authorization failed: the user needs Read"),
        (Right("GROUP", GROUP, "READ"), f"the user needs Read on the group {GROUP}"),
        (Right("TOPIC", LETTERS, "WRITE"), f"the user needs Write on the topic {LETTERS}"),
    ],
    ids=["topic", "group", "dead-letter topic"],
)
def test_a_run_without_a_right_says_so(
    right: Right, words: str, file: str, allowed: Callable[..., None]
) -> None:
    """In the log; the test's time limit ends a run that never does."""
    allowed(right)
    assert words in run_until(file, words, then_kill=True)


def test_what_reads_dead_letters_says_what_it_needs(file: str, allowed: Callable[..., None]) -> None:
    """The topic and the right; the connector itself does not read them."""
    allowed(Right("TOPIC", LETTERS, "READ"))
    for command in (["dlq", "list"], ["dlq", "replay"], ["explain", "orders:0:0"]):
        ended = connector(*command, "-c", file)
        assert (ended.code, ended.out) == (1, "")
        assert f"{LETTERS}:0 can't be read: " in ended.err
        assert "the user needs Read on the topic" in ended.err
