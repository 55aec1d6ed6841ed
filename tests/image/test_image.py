"""The image, really built: what is in it, what is not, and that it runs as a pod of the chart would."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer

from connector import __version__
from connector.sandbox import SandboxServer, SandboxThread
from connector.vendors.topsort.sandbox import PATH, TopsortSandbox
from tests.app_rig import KEY, click
from tests.broker.launcher.brokers import MockBroker
from tests.broker.launcher.ports import free_port
from tests.chaos.rig import wait_until
from tests.conftest import launched
from tests.helm.chart import CHART
from tests.helm.rendering import Rendered, template
from tests.helm.tools import helm
from tests.image.conftest import REVISION
from tests.image.engine import Unpacked, pins, stop

PATIENCE_S = 60.0
PROCESS_MIB = 128
"""What the chart reserves for the process beside what is in flight."""


def test_it_runs_as_nobody_in_particular(image: Unpacked) -> None:
    """A user by number that is not root, the command as a list, no health check: Kubernetes has probes."""
    assert image.config["User"] == "10001:10001"
    assert image.config["Entrypoint"] == ["/opt/connector/bin/connector"]
    assert image.config["Cmd"] == ["--help"]
    assert not image.config.get("Healthcheck")
    assert set(image.config["ExposedPorts"]) == {"8080/tcp"}


def test_its_user_is_the_charts(image: Unpacked) -> None:
    """Files that the chart mounts are readable by this group."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())["podSecurityContext"]
    assert f"{values['runAsUser']}:{values['runAsGroup']}" == image.config["User"]
    assert values["fsGroup"] == values["runAsGroup"]


def test_it_says_what_it_is(image: Unpacked) -> None:
    """Labels by which a registry and a scanner know it."""
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.revision"] == REVISION
    assert labels["org.opencontainers.image.title"] == "commerce-connector"


def test_it_has_what_is_locked_and_nothing_else(image: Unpacked) -> None:
    """Each distribution in the version that the lock pins; no installer, no build tools, no tests."""
    script = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.name.lower().replace('_','-').replace('.','-'): d.version"
        " for d in m.distributions()}))"
    )
    done = image.run("-c", script, entry=["/opt/connector/bin/python"])
    assert done.returncode == 0, done.stderr
    installed = json.loads(done.stdout)
    assert installed.pop("commerce-connector") == __version__
    locked = pins("requirements-run.lock")
    assert installed.items() <= locked.items()
    assert {"aiohttp", "confluent-kafka", "fastavro", "uvloop"} <= set(installed)


@pytest.mark.parametrize("tool", ["cc", "gcc", "make", "git", "pip", "pip3", "hatchling", "pytest", "uv"])
def test_it_has_no_tool_to_build_with(image: Unpacked, tool: str) -> None:
    """Of ours; the published base brings a pip of its own, which can write nowhere."""
    found = [path for path in (image.root / "opt").rglob(tool) if path.is_file()]
    assert not found


def test_it_can_write_nowhere(image: Unpacked) -> None:
    """Not even with what is writable for everybody, as the root is read-only; and it has no capability."""
    script = (
        "import os\n"
        "for place in ('/tmp/x', '/opt/connector/x', '/etc/connector/x', '/x'):\n"
        "    try: open(place, 'w')\n"
        "    except OSError as error: print(error.strerror)\n"
        "print(os.getuid(), os.getgid(), os.getgroups())\n"
        "print(*[line.strip() for line in open('/proc/self/status') if line[:3] in ('Cap', 'NoN')])"
    )
    done = image.run("-c", script, entry=["/opt/connector/bin/python"])
    assert done.returncode == 0, done.stderr
    *places, ids, rights = done.stdout.splitlines()
    assert places == ["Read-only file system"] * 4
    assert ids == "10001 10001 []"
    assert set(re.findall(r"Cap\w+:\t(\w+)", rights)) == {"0" * 16}
    assert "NoNewPrivs:\t1" in rights


@pytest.mark.parametrize("words", [["--help"], ["destinations"], ["config", "example"], ["schema", "list"]])
def test_its_commands_run(image: Unpacked, words: list[str]) -> None:
    """With nothing but the image."""
    done = image.run(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_it_carries_an_event_as_a_pod_of_the_chart(image: Unpacked, mock_broker: MockBroker) -> None:
    """The image with the chart's own configuration and secrets, probed at the chart's paths: `check` is
    content as in `helm test`, an event arrives at the vendor, idle memory is within what the chart reserves,
    and a stop is heard and ends in order."""
    for topic in ("orders", "clickstream", "pod.dead-letter"):
        mock_broker.create_topic(topic, 1)
    with SandboxThread(lambda: SandboxServer(TopsortSandbox(api_key=KEY), PATH)) as vendor:
        rendered = pod_of(mock_broker.bootstrap, vendor.url)
        image.give("config/connector.yaml", rendered.one("ConfigMap")["data"]["connector.yaml"])
        image.give("secrets/destination.api_key", KEY)
        container = rendered.container()
        (port,) = (each["containerPort"] for each in container["ports"])
        address = f"http://127.0.0.1:{port}"

        checked = image.run(*rendered.one("Pod")["spec"]["containers"][0]["args"])
        assert checked.returncode == 0, checked.stdout + checked.stderr

        process = image.start(*container["args"])
        try:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                probed = address + container[probe]["httpGet"]["path"]
                wait_until(partial(answers, probed), probed, PATIENCE_S)
            assert resident_mib(process.pid) < PROCESS_MIB
            producer = Producer({"bootstrap.servers": mock_broker.bootstrap})
            producer.produce("clickstream", json.dumps(click(1)))
            assert producer.flush(PATIENCE_S) == 0
            wait_until(lambda: accepted(vendor) == 1, "the event at the vendor", PATIENCE_S)
            assert stop(process) == 0
        finally:
            process.kill()
            process.wait()


def pod_of(bootstrap: str, url: str) -> Rendered:
    """The chart rendered for one destination, which is the stand-in."""
    config = {
        "destination": {"name": "topsort", "url": url, "options": {"currency": "EUR"}},
        "source": {"group_id": "pod", "format": "json", "properties": {"bootstrap.servers": bootstrap}},
        "http": {"port": free_port()},
    }
    key = {"existingSecret": "vendor-keys", "key": "topsort"}
    values: dict[str, Any] = {
        "config": {"source": {"topics": ["orders", "clickstream"]}},
        "destinations": {"topsort": {"config": config, "secrets": {"destination.api_key": key}}},
    }
    return template(launched(helm), values=values)


def answers(url: str) -> bool:
    """True if it says 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def accepted(vendor: SandboxThread) -> int:
    """How many events the vendor has taken."""
    counts = vendor.snapshot(ids=False)["accepted"]
    assert isinstance(counts, dict)
    return int(counts["count"])


def resident_mib(pid: int) -> int:
    """What the process holds in memory now."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) // 1024
