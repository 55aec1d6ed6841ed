"""What every test may ask for: an embedded broker, real servers on this machine, and names of its own.

Real servers start when the first test asks for them. Where this machine lacks what they need, such a test is
skipped with what to install; with `CI` set, where a silent skip would hide that nothing was proved, it fails.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar
from uuid import uuid4

import pytest

from connector.kafka.embedded import EmbeddedKafka
from tests.broker.launcher.brokers import Broker, ExistingBroker, MockBroker
from tests.broker.launcher.java import MissingToolError
from tests.broker.launcher.kafka import KafkaCluster
from tests.broker.launcher.process import Server, work_dir
from tests.broker.launcher.registry import SchemaRegistry
from tests.broker.launcher.security import Security
from tests.examples import try_fewer_outside_of_ci

T = TypeVar("T")

MARKER_OF_FIXTURE = {
    "real_broker": "broker",
    "own_broker": "broker",
    "secure_broker": "broker",
    "guarded_broker": "broker",
    "fresh_broker": "broker",
    "cluster3": "broker",
    "schema_registry": "registry",
    "schema_registry_url": "registry",
}
"""A test is marked by what it asks for, so that none can forget it."""

PROCESS_PLACES = (
    "broker",
    "cli",
    "chaos",
    "bench",
    "monitoring",
    "page",
    "package",
    "test_app.py",
    "test_broken_delivery.py",
    "test_demo.py",
    "test_embedded.py",
    "test_inspect.py",
    "test_produce.py",
    "test_retention.py",
    "test_sandbox.py",
    "test_transport.py",
    "test_transport_connections.py",
    "test_transport_proxy.py",
)
"""Folders and files whose tests start processes, brokers or servers, and wait for them by the clock; all
others are the quick ones."""

KINDS_COUNTED = {"broker": "real broker", "registry": "schema registry"}
RAN_ON = "ran on"


# ── brokers ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["mock", pytest.param("real", marks=pytest.mark.broker)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """The embedded and the real broker in turn: the same test body must hold on both."""
    kinds = {"mock": "mock_broker", "real": "real_broker"}
    chosen: Broker = request.getfixturevalue(kinds[request.param])
    return chosen


@pytest.fixture
def mock_broker() -> Iterator[MockBroker]:
    """An embedded broker of the test's own, so that faults in `mock_broker.kafka` reach nobody else."""
    with EmbeddedKafka() as kafka:
        yield MockBroker(kafka)


@pytest.fixture(scope="session")
def real_broker() -> Iterator[Broker]:
    """Apache Kafka, one node, shared by all tests of the run: leave it running."""
    if existing := os.environ.get("KAFKA_BOOTSTRAP"):
        yield ExistingBroker(existing)
        return
    cluster = launched(KafkaCluster)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def own_broker() -> Iterator[KafkaCluster]:
    """Apache Kafka, one node, of the module's own: to kill and to start again."""
    needs_a_broker_of_ours("killed")
    cluster = launched(KafkaCluster)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def cluster3() -> Iterator[KafkaCluster]:
    """Apache Kafka, three nodes, every topic on all three: to fail over."""
    needs_a_broker_of_ours("made to fail over")
    cluster = launched(lambda: KafkaCluster(3))
    yield cluster
    for node in cluster.nodes:
        cluster.kill(node)  # ten times faster than a stop in order, and nobody needs the data


@pytest.fixture(scope="module")
def secure_broker() -> Iterator[KafkaCluster]:
    """Apache Kafka behind TLS and a password (SCRAM-SHA-256 or PLAIN); clients need `client_properties()`."""
    needs_a_broker_of_ours("given certificates")
    cluster = launched(lambda: KafkaCluster(security=Security(work_dir("security"))))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def guarded_broker() -> Iterator[KafkaCluster]:
    """As `secure_broker`, and the user may do nothing but what `allow` says."""
    needs_a_broker_of_ours("given access lists")
    authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    settings = {"authorizer.class.name": authorizer, "super.users": "User:ANONYMOUS"}
    cluster = launched(lambda: KafkaCluster(security=Security(work_dir("security")), settings=settings))
    yield cluster
    cluster.stop()


@pytest.fixture
def fresh_broker() -> Iterator[KafkaCluster]:
    """Apache Kafka as one has it for a first try: it never had a group, and makes what a client names."""
    needs_a_broker_of_ours("a new one")
    cluster = launched(lambda: KafkaCluster(settings={"auto.create.topics.enable": "true"}))
    yield cluster
    cluster.stop()


def needs_a_broker_of_ours(done_to_it: str) -> None:
    """Skip where `KAFKA_BOOTSTRAP` names somebody else's broker."""
    if os.environ.get("KAFKA_BOOTSTRAP"):
        pytest.skip(f"KAFKA_BOOTSTRAP names a broker that cannot be {done_to_it}")


# ── schema registry ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def session_registry() -> Iterator[SchemaRegistry]:
    """The registry process of the run. Tests ask for `schema_registry` or its address instead."""
    registry = launched(SchemaRegistry)
    yield registry
    registry.stop()


@pytest.fixture
def schema_registry(session_registry: SchemaRegistry) -> Iterator[SchemaRegistry]:
    """A real schema registry, shared: a test may stop or kill it, and the next one finds it up again."""
    yield session_registry
    session_registry.start()


@pytest.fixture(scope="session")
def schema_registry_url(session_registry: SchemaRegistry) -> str:
    """The address of a real schema registry, shared by all tests of the run: use subjects of your own."""
    return session_registry.url


# ── names, markers, the summary ──────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def unique() -> Callable[[str], str]:
    """Names that no other test and no other run uses, for topics, groups and subjects: `unique("orders")`."""
    return lambda name: f"{name}-{uuid4().hex[:12]}"


def launched(launch: Callable[[], T]) -> T:
    """A real server; without Java or Maven a loud skip, or a failure where `CI` is set."""
    try:
        return launch()
    except MissingToolError as missing:
        why = f"NOT PROVED: {missing}"
    if os.environ.get("CI"):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by the real servers it asks for."""
    for item in items:
        if not set(PROCESS_PLACES).isdisjoint(item.path.parts):
            item.add_marker("process")
        for name in getattr(item, "fixturenames", ()):
            if marker := MARKER_OF_FIXTURE.get(name):
                item.add_marker(marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of every test on which real servers it ran; of a report that a worker of `-n` sends, too.

    Of one that failed also what its servers said last: a fault seen once, elsewhere, has no other witness.
    """
    report = yield
    if report.failed:
        report.sections += [
            (f"the end of the log of: {name}", words) for name, words in Server.last_words().items()
        ]
    if report.when == "call" and not report.skipped:
        report.user_properties += [(RAN_ON, kind) for kind in KINDS_COUNTED if item.get_closest_marker(kind)]
    return report


class RealServers:
    """Counts the tests that really ran on a real server, wherever they ran."""

    def __init__(self) -> None:
        self._ran: Counter[object] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One more, or none."""
        if report.when == "call":
            self._ran.update(kind for name, kind in report.user_properties if name == RAN_ON)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what was proved on real servers; `.ci/run` demands that this is not nothing."""
        for kind, server in KINDS_COUNTED.items():
            terminalreporter.write_line(f"{server}: {self._ran[kind]} tests ran")


def pytest_configure(config: pytest.Config) -> None:
    """Begin counting, and say how many examples are tried."""
    config.pluginmanager.register(RealServers())
    try_fewer_outside_of_ci()
