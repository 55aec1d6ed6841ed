"""Ports that stay ours."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

# Below the ephemeral range, from which the kernel gives ports to outgoing connections: a server that is
# restarted would find its port taken by one of those now and then.
_PORTS = range(20_000, 32_768)

_claims: list[IO[str]] = []
"""Open lock files: a claim lasts as long as this process, however it ends."""


def free_port() -> int:
    """A loopback port that nobody uses and no other run of the tests will get while this process lives."""
    for port in random.SystemRandom().sample(_PORTS, 200):
        if _claim(port):
            return port
    raise RuntimeError(f"no free port between {_PORTS[0]} and {_PORTS[-1]}")


def _claim(port: int) -> bool:
    folder = Path(tempfile.gettempdir()) / f"commerce-connector-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    claim = (folder / str(port)).open("w")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
