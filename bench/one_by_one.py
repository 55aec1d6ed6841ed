"""A destination with one event a request: what the connector costs where nothing can be batched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from connector.vendors import DESTINATIONS
from connector.vendors.topsort import Topsort
from connector.vendors.topsort.settings import TopsortOptions


class TopsortOneByOne(Topsort):
    """Topsort as it is, but every item travels alone."""

    name: ClassVar[str] = "topsort-one-by-one"

    def __init__(self, options: TopsortOptions, consent: Sequence[str] | None = None) -> None:
        super().__init__(options, consent)
        self.limits = msgspec.structs.replace(self.limits, items_max=1)


def register() -> None:
    """Make it known in this process, so that a configuration can name it."""
    DESTINATIONS[TopsortOneByOne.name] = TopsortOneByOne
