"""librdkafka's own list of its properties, so that our tables can be held against it."""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
from functools import cache
from typing import NamedTuple

from confluent_kafka import cimpl


class Listed(NamedTuple):
    """One property as librdkafka documents it: who reads it (`C`, `P` or `*`), its range or words, and what
    it says of it."""

    readers: str
    may_be: str
    alias_of: str | None
    text: str


@cache
def listed() -> dict[str, Listed]:
    """Every property that text can set, by name. One that is there for clients and again for topics is listed
    as the one for clients."""
    found: dict[str, Listed] = {}
    for line in _printed().splitlines():
        cells = [cell.strip() for cell in line.split("|", 5)]
        if len(cells) == 6 and cells[1] in ("C", "P", "*") and "see dedicated API" not in cells[5]:
            alias = re.match(r"(?:\*\*DEPRECATED\*\* )?Alias for `([^`]+)`", cells[5])
            found.setdefault(cells[0], Listed(cells[1], cells[2], alias and alias[1], cells[5]))
    assert len(found) > 150, "the list could not be read"
    return found


def _printed() -> str:
    """The Markdown that librdkafka makes its CONFIGURATION.md from; it can only be printed to a C file."""
    ours, c = ctypes.CDLL(cimpl.__file__), ctypes.CDLL(None)
    c.fdopen.restype = ctypes.c_void_p
    with tempfile.TemporaryFile() as file:
        stream = ctypes.c_void_p(c.fdopen(os.dup(file.fileno()), b"w"))
        ours.rd_kafka_conf_properties_show(stream)
        c.fclose(stream)
        file.seek(0)
        return file.read().decode()
