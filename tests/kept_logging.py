"""Logging belongs to the whole process: a test that configures it puts everything back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

OURS = ("", "connector", "connector.kafka")


@contextmanager
def logging_kept() -> Iterator[None]:
    """As it was before, at the end."""
    loggers = [logging.getLogger(name) for name in OURS]
    before = [(each, each.level, [*each.handlers]) for each in loggers]
    try:
        yield
    finally:
        for logger, level, handlers in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers
        structlog.reset_defaults()


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """The same around a test."""
    with logging_kept():
        yield
