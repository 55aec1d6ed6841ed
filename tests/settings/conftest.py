"""A destination of the tests' own."""

from __future__ import annotations

import pytest

from connector.vendors import DESTINATIONS
from tests.settings.configurations import StandIn


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    kind = type("Fresh", (StandIn,), {})
    monkeypatch.setitem(DESTINATIONS, "stand-in", kind)
    return kind
