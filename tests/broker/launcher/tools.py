"""Kafka's own command line tools, under the names that its download gives them."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

from tests.broker.launcher.cache import cached
from tests.broker.launcher.java import fetch_dependencies, find_java
from tests.broker.launcher.kafka import class_path

_POM = Path(__file__).with_name("tools.pom.xml")
_JAVA_VERSION_MIN = 17  # Kafka 4
_JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # starts fast, stays small

CLASSES = {
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-storage.sh": "kafka.tools.StorageTool",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
}
"""What each script of the download starts, as it says itself (bin/, kafka-run-class.sh)."""


def tools_in(folder: Path) -> Path:
    """Put the scripts into a new folder. Raises `MissingToolError` without Java or, the first time, Maven."""
    content = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    jars = cached(f"kafka-tools-{content}", lambda place: fetch_dependencies(_POM, place))
    # The storage tool is the broker's.
    start = shlex.join([find_java(_JAVA_VERSION_MIN).command, *_JVM, "-cp", f"{jars}/*:{class_path()}"])
    folder.mkdir(parents=True)
    for name, main in CLASSES.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {start} {main} "$@"\n')
        script.chmod(0o755)
    return folder
