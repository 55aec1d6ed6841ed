"""The image, built once for all tests of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector import __version__
from tests.conftest import launched
from tests.image.engine import Engine, Unpacked, install_tools

REVISION = "0123456789abcdef"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unpacked]:
    """Built on a base of this machine's Debian and unpacked, read-only; without root or Debian not proved."""
    launched(install_tools)
    engine = Engine(tmp_path_factory.mktemp("image"))
    try:
        launched(engine.make_base)
        engine.build(VERSION=__version__, REVISION=REVISION)
        yield Unpacked(engine.unpack(), engine.given, engine.inspect())
    finally:
        engine.close()
