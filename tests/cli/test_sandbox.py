"""`connector sandbox`: a process that others can start, read the address of, ask, and stop."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.commandline import connector

BODY = json.dumps(
    {
        "pageviews": [
            {
                "id": "v-1",
                "occurredAt": "2026-01-01T00:00:00+00:00",
                "opaqueUserId": "u-1",
                "page": {"type": "home", "pageId": "/"},
            }
        ]
    }
).encode()


@contextlib.contextmanager
def sandbox(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the address that it printed first."""
    command = [sys.executable, "-m", "connector", "sandbox", "--destination", "topsort", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            word, _, url = process.stdout.readline().strip().partition(" ")
            assert word == "listening"
            yield process, url
        finally:
            process.kill()


def post(url: str, context: ssl.SSLContext | None = None) -> int:
    headers = {"Authorization": "Bearer key", "Content-Type": "application/json"}
    request = urllib.request.Request(url, BODY, headers)
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def stats(url: str) -> dict[str, Any]:
    base = url.removesuffix("/v2/events")
    with urllib.request.urlopen(f"{base}/_stats", timeout=10) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_at_the_printed_address_until_it_is_stopped(number: signal.Signals) -> None:
    """The complete events address comes first; stats tell the ids; a signal ends it with 0 and no noise."""
    with sandbox() as (process, url):
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/v2/events")
        assert post(url) == 204
        assert stats(url)["accepted"]["ids"] == {"v-1": 1}
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
        assert (process.returncode, rest, errors) == (0, "", "")


def test_faults_and_latency_are_as_asked() -> None:
    """Stored, but told 503, after the latency."""
    with sandbox("--fail", "503_after:1", "--latency-ms", "100", "--seed", "3") as (_, url):
        began = time.monotonic()
        assert post(url) == 503
        assert time.monotonic() - began >= 0.1
        told = stats(url)
        assert (told["faults"], told["accepted"]["unique"]) == ({"503_after": 1}, 1)


def test_it_speaks_https_with_a_certificate(tmp_path: Path) -> None:
    """And says so in its address."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    with sandbox("--tls", str(cert), str(key)) as (_, url):
        assert url.startswith("https://")
        assert post(url, trusted) == 204


def test_a_named_port_is_used_and_a_taken_one_is_told() -> None:
    """Exit code 1 when somebody else listens there."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = connector("sandbox", "--destination", "topsort", "--port", str(port))
    assert (ended.code, ended.out) == (1, "")
    assert "can't listen" in ended.err
    assert "give another --port (0: any free one)" in ended.err


@pytest.mark.parametrize(("key", "status"), [("key", 204), ("another", 401)])
def test_with_a_key_it_takes_no_other(key: str, status: int) -> None:
    """So that a wrong key can be tried out before the vendor's; what it refused is counted."""
    with sandbox("--key", key) as (_, url):
        assert post(url) == status
        told = stats(url)
        assert told["accepted"]["unique"] == int(status == 204)
        assert ("wrong_key" in json.dumps(told["refused"])) is (status == 401)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--destination", "nobody"), "topsort"),
        (("--destination", "topsort", "--fail", "explode:1"), "explode"),
        (("--destination", "topsort", "--fail", "401"), "401:1 is every request, 401:0.05 is 5 %"),
        (("--destination", "topsort", "--option", "curency=EUR"), "curency"),
        (("--destination", "topsort", "--port", "70000"), "65535"),
        (("--destination", "topsort", "--tls", "pyproject.toml", "pyproject.toml"), "certificate"),
        (("--destination", "topsort", "--tls", "no.pem", "no.pem"), "no.pem"),
    ],
)
def test_bad_usage_is_told_and_exits_2(arguments: tuple[str, ...], word: str) -> None:
    """Before anything listens."""
    ended = connector("sandbox", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert word in ended.err
