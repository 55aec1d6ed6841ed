"""Apache Kafka on this machine: one node or several, plain or protected, with kill -9 and restart."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from uuid import uuid4

from tests.broker.launcher.admin import Admin, Right
from tests.broker.launcher.cache import cached
from tests.broker.launcher.java import fetch_dependencies, find_java
from tests.broker.launcher.ports import free_port
from tests.broker.launcher.process import START_PATIENCE_S, Server, reaped, spawn, wait_for, work_dir
from tests.broker.launcher.security import Security

_POM = Path(__file__).with_name("pom.xml")
_JAVA_VERSION_MIN = 17  # Kafka 4
_JVM = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # starts fast, stays small
_READY_LINE = "Kafka Server started"


class KafkaCluster:
    """A cluster of `nodes` brokers with the ids 1 to `nodes`, each also a controller, up when constructed.

    Clients use `bootstrap`; with `security` they need `client_properties` too. Topics are replicated to every
    node and must be created. Nodes keep their data and ports over `kill` and `start`. `stop` ends everything.
    """

    kind: Literal["real"] = "real"

    def __init__(
        self,
        nodes: int = 1,
        *,
        security: Security | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes = range(1, nodes + 1)
        self._security = security
        self._folder = work_dir("kafka")
        self._ports = {
            (node, listener): free_port()
            for node in self.nodes
            for listener in ("CLIENT", "INTERNAL", "CONTROLLER")
        }
        self._java = [find_java(_JAVA_VERSION_MIN).command, *_JVM, "-cp", class_path()]
        self._servers = {node: self._server(node, settings or {}) for node in self.nodes}
        self.bootstrap = self._addresses("CLIENT")
        """`bootstrap.servers` for clients."""
        try:
            self._format()
            self._start(*self.nodes)
        except BaseException:
            for server in self._servers.values():
                server.kill()
            raise
        self._admin = Admin(self._addresses("INTERNAL"))
        self._wait_members(*self.nodes)

    @property
    def admin_bootstrap(self) -> str:
        """`bootstrap.servers` for whoever may do everything, from this machine and without a password."""
        return self._addresses("INTERNAL")

    def client_properties(self, mechanism: str = "SCRAM-SHA-256") -> dict[str, str]:
        """The librdkafka properties that let a client in; `mechanism` is SCRAM-SHA-256 or PLAIN."""
        properties = {"bootstrap.servers": self.bootstrap}
        if self._security is not None:
            properties |= self._security.client_properties(mechanism)
        return properties

    def create_topic(self, name: str, partitions: int = 4, config: Mapping[str, str] | None = None) -> None:
        """Create a topic on every node and wait until it can be used."""
        self._admin.create_topic(name, partitions, len(self.nodes), config or {})

    def allow(self, *rights: Right) -> None:
        """Give the user of `security` these rights; without an authorizer among the settings all have all."""
        assert self._security is not None, "nobody is known by name without"
        self._admin.allow(self._security.principal, rights)

    def forbid(self, *rights: Right) -> None:
        """Take rights away again."""
        assert self._security is not None, "nobody is known by name without"
        self._admin.forbid(self._security.principal, rights)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Delete a partition's records below an offset, as retention would."""
        self._admin.delete_records(topic, partition, before)

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset that the next record of each partition will get."""
        return self._admin.end_offsets(topic)

    def kill(self, node: int = 1) -> None:
        """kill -9 a node. It keeps its data, and its port stays ours."""
        self._servers[node].kill()

    def start(self, node: int = 1) -> None:
        """Start a node that was killed, and wait until it is back in the cluster."""
        self._start(node)
        self._wait_members(node)

    def stop(self) -> None:
        """Stop every node in order and wait for it. May be called twice."""
        for server in self._servers.values():
            server.terminate()
        for server in self._servers.values():
            server.wait_ended()

    def _start(self, *nodes: int) -> None:
        # Side by side: a controller is not ready before most of them are up.
        for node in nodes:
            self._servers[node].start()
        for node in nodes:
            self._servers[node].wait_ready()

    def _wait_members(self, *nodes: int) -> None:
        wait_for(lambda: self._admin.brokers().issuperset(nodes), f"brokers {nodes} to join the cluster")

    def _addresses(self, listener: str) -> str:
        return ",".join(f"127.0.0.1:{self._ports[node, listener]}" for node in self.nodes)

    def _server(self, node: int, settings: Mapping[str, str]) -> Server:
        folder = self._folder / str(node)
        folder.mkdir()
        lines = {**self._settings(node, folder), **settings}
        text = "".join(f"{name}={value}\n" for name, value in lines.items())
        (folder / "server.properties").write_text(text)
        command = [*self._java, "kafka.Kafka", str(folder / "server.properties")]
        return Server(f"Kafka node {node}", command, folder / "server.log", _READY_LINE)

    def _settings(self, node: int, folder: Path) -> dict[str, str]:
        replicas = len(self.nodes)
        in_sync = max(1, replicas - 1)  # one node may be away
        listeners = ("CLIENT", "INTERNAL", "CONTROLLER")
        client_protocol = "PLAINTEXT" if self._security is None else "SASL_SSL"
        settings = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": ",".join(
                f"{other}@127.0.0.1:{self._ports[other, 'CONTROLLER']}" for other in self.nodes
            ),
            "listeners": ",".join(f"{name}://127.0.0.1:{self._ports[node, name]}" for name in listeners),
            "listener.security.protocol.map": (
                f"CLIENT:{client_protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "inter.broker.listener.name": "INTERNAL",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": folder / "data",
            # A topic that a test forgot to create must not appear by itself.
            "auto.create.topics.enable": "false",
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            # Groups form, end and fail over in test time.
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "group.consumer.min.session.timeout.ms": 1000,
            "group.consumer.min.heartbeat.interval.ms": 200,
            "group.consumer.heartbeat.interval.ms": 200,
            "broker.session.timeout.ms": 3000,
            # Kafka's own topics: small, and possible with these few nodes.
            "offsets.topic.num.partitions": 3,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": 3,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": 3,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
            "num.network.threads": 2,
            "num.io.threads": 4,
        }
        if self._security is not None:
            settings |= self._security.broker_settings("client", folder)
        return {name: str(value) for name, value in settings.items()}

    def _format(self) -> None:
        """Give every node its empty storage, all of one cluster; side by side, since each is a JVM start."""
        cluster_id = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        users = [] if self._security is None else ["--add-scram", self._security.scram_user]
        tool = [*self._java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", *users]
        logs = {node: self._folder / str(node) / "format.log" for node in self.nodes}
        runs = {
            node: spawn([*tool, "--config", str(self._folder / str(node) / "server.properties")], log)
            for node, log in logs.items()
        }
        for node, run in runs.items():
            failed = run.wait(START_PATIENCE_S)
            reaped(run)
            if failed:
                raise RuntimeError(
                    f"Kafka's storage could not be formatted\n{logs[node].read_text()[-2000:]}"
                )


def class_path() -> str:
    """Kafka's jars, fetched on this machine's first run."""
    content = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    jars = cached(f"kafka-{content}", lambda folder: fetch_dependencies(_POM, folder))
    return ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))
