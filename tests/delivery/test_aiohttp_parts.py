"""The parts of aiohttp that the transport uses although its documentation leaves them out."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable
from pathlib import Path

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

AWAITED: list[tuple[Callable[..., object], tuple[str, ...]]] = [
    (aiohttp.BaseConnector.connect, ("req", "traces", "timeout")),
    (ResponseHandler.read, ()),
    (aiohttp.StreamReader.read, ("n",)),
]
CALLED: list[tuple[Callable[..., object], tuple[str, ...]]] = [
    (aiohttp.ClientRequest.__init__, ("method", "url", "headers", "skip_auto_headers", "loop", "proxy")),
    (ResponseHandler.set_response_params, ("read_until_eof", "auto_decompress")),
    (aiohttp.StreamReader.at_eof, ()),
    (Connection.release, ()),
    (Connection.close, ()),
]
"""With the parameters that are given."""

READ: list[tuple[type, str]] = [
    (Connection, "protocol"),
    (Connection, "transport"),
    (ResponseHandler, "should_close"),
    (RawResponseMessage, "code"),
    (RawResponseMessage, "headers"),
]


def helpful(part: str) -> str:
    return (
        f"aiohttp {aiohttp.__version__} has no {part} as connector/delivery/transport.py uses it. Stay below "
        "this version (pyproject.toml, make lock), or fit the transport to it until test_transport*.py here "
        'pass; DESIGN.md, "aiohttp\'s connections and parser", tells what is gained and what else there is.'
    )


def test_the_parts_of_aiohttp_that_the_transport_uses_are_there() -> None:
    """Another version may lack them without a word anywhere: here it is said what to do then."""
    for function, parameters in AWAITED + CALLED:
        there = inspect.signature(function).parameters
        for name in parameters:
            assert name in there, helpful(f"{function.__qualname__}({name})")
    for function, _ in AWAITED:
        assert inspect.iscoroutinefunction(function), helpful(f"{function.__qualname__} to await")
    for kind, name in READ:
        assert inspect.isdatadescriptor(getattr(kind, name, None)), helpful(f"{kind.__name__}.{name}")
    assert issubclass(HttpProcessingError, Exception), helpful("HttpProcessingError to catch")


def test_only_a_version_that_was_tried_is_allowed() -> None:
    """Parts that may change without notice are taken one minor version at a time."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    (asked,) = [each for each in project["dependencies"] if each.startswith("aiohttp")]
    major, minor = aiohttp.__version__.split(".")[:2]
    assert asked.endswith(f",<{major}.{int(minor) + 1}"), helpful(f"part that was tried, since {asked!r},")
