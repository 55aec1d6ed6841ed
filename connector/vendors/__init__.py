"""The table of destinations. A new one is a line here and a folder beside it."""

from __future__ import annotations

from connector.vendors.contract import Destination
from connector.vendors.topsort import Topsort

DESTINATIONS: dict[str, type[Destination]] = {
    Topsort.name: Topsort,
}
