"""Looking at a cluster from a command: how long it may take, and how a command ends that gets no answer."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import NoReturn

import typer

from connector.cli.common import FAILED
from connector.kafka.inspect import ClusterError
from connector.ops import logs

ANSWER_S = 10.0
"""Longest wait for one answer of Kafka."""


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What the cluster has against it is told in one line, with exit code 1."""
    try:
        yield
    except ClusterError as error:
        fail(str(error))


def fail(why: str, code: int = FAILED) -> NoReturn:
    """End with this on standard error."""
    print(logs.redact(why), file=sys.stderr)
    raise typer.Exit(code)
