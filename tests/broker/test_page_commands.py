"""The lines of the pages that are for Kafka's own tools, run by these on a real broker."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from connector.kafka.inspect import Cluster
from connector.kafka.marker import Marker, read_marker
from connector.model.coordinate import Coordinate
from tests.broker.launcher.kafka import KafkaCluster
from tests.broker.launcher.tools import tools_in
from tests.conftest import launched
from tests.test_docs import PAGES, blocks

TOPICS = ("orders", "clickstream")
OLD_GROUP, NEW_GROUP = "old-consumer", "commerce-connector-topsort"
COMMITTED = 700
LETTERS = f"{NEW_GROUP}.dead-letters.dead-letter"

Bash = Callable[[str], str]


def lines(page: str) -> list[str]:
    """The lines of a page that are for one of the tools, from its beginning or behind a pipe."""
    return [
        line
        for body in blocks(page, "sh")
        for line in body.splitlines()
        if re.match(r"(\S.* \| )?kafka-", line)
    ]


PAGES_WITH_LINES = [page for page in PAGES if lines(page)]


@pytest.fixture(scope="module")
def shop(guarded_broker: KafkaCluster) -> KafkaCluster:
    """A broker with the pages' topics, a thousand events, and a consumer that is in the middle of them."""
    producer = Producer({"bootstrap.servers": guarded_broker.admin_bootstrap})
    for topic in TOPICS:
        guarded_broker.create_topic(topic, 1)
        for number in range(1_000):
            producer.produce(topic, b'{"n": %d}' % number)
    assert producer.flush(30) == 0
    old = Consumer({"bootstrap.servers": guarded_broker.admin_bootstrap, "group.id": OLD_GROUP})
    old.commit(offsets=[TopicPartition(topic, 0, COMMITTED) for topic in TOPICS], asynchronous=False)
    old.close()
    return guarded_broker


@pytest.fixture(scope="module")
def bash(shop: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> Bash:
    """Runs lines of a page, on this broker and with one replica; what they print."""
    folder = tmp_path_factory.mktemp("pages")
    tools = launched(lambda: tools_in(folder / "bin"))
    (folder / "admin.properties").touch()
    docker = tools / "docker"
    docker.write_text('#!/bin/sh\nshift 2\nname=${1##*/}\nshift\nexec "$name" "$@"\n')
    docker.chmod(0o755)
    (folder / "config").mkdir()
    (folder / "config" / "server.properties").write_text(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n"
        "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\n"
        f"log.dirs={folder}/data\n"
    )

    def run(text: str) -> str:
        here = re.sub(r"(--bootstrap-server) \S+", rf"\1 {shop.admin_bootstrap}", text)
        done = subprocess.run(
            ["bash", "-euc", here.replace("--replication-factor 3", "--replication-factor 1")],
            cwd=folder,
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{here}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


def test_there_are_such_lines() -> None:
    """Or nothing would be proved."""
    assert {"README.md", "docs/helm.md", "docs/migrating.md", "docs/security.md"} <= {*PAGES_WITH_LINES}


@pytest.mark.parametrize("page", PAGES_WITH_LINES)
def test_kafkas_tools_take_the_lines_of_the_page(page: str, bash: Bash, shop: KafkaCluster) -> None:
    """As they stand, one after the other; a topic that two pages create has a name of the page here."""
    if page == "docs/dead-letters.md":
        shop.create_topic(LETTERS, 3)
    for line in lines(page):
        said = bash(line.replace(".dead-letter ", f".{Path(page).stem}.dead-letter "))
        assert "Error" not in said, said


def test_the_quick_start_makes_its_cluster_and_topics(bash: Bash, shop: KafkaCluster) -> None:
    """Its loop, where docker only finds the tool; and the storage of a download, which has no docker."""
    page = "docs/quickstart.md"
    (loop,) = (body for body in blocks(page, "sh") if body.startswith("for topic in"))
    bash(loop.replace("orders clickstream", "first second"))
    assert shop.end_offsets("try-topsort.dead-letter") == {0: 0, 1: 0, 2: 0}
    (download,) = (body for body in blocks(page, "sh") if body.startswith("bin/kafka-storage.sh"))
    bash(download.splitlines()[0])


def test_a_case_is_closed_by_hand_as_the_page_says(bash: Bash, shop: KafkaCluster) -> None:
    """What the page's line writes is a marker for all letters that were there before."""
    topic = "closed.dead-letter"
    shop.create_topic(topic, 1)
    (line,) = lines("docs/dead-letters.md")
    bash(line.replace(f"{NEW_GROUP}.dead-letter", topic))
    with Cluster({"bootstrap.servers": shop.admin_bootstrap}, "nobodys", 10) as cluster:
        (written,) = cluster.records(topic)
    assert (written.value, read_marker(written.headers)) == (None, Marker(Coordinate("orders", 3, 42), None))


def test_offsets_are_copied_as_the_page_says(bash: Bash, shop: KafkaCluster) -> None:
    """From the old consumer's group into the connector's."""
    for line in lines("docs/migrating.md"):
        if "offsets.csv" in line:
            bash(line)
    copied = Consumer({"bootstrap.servers": shop.admin_bootstrap, "group.id": NEW_GROUP}).committed(
        [TopicPartition(topic, 0) for topic in TOPICS], timeout=10
    )
    assert [place.offset for place in copied] == [COMMITTED, COMMITTED]
