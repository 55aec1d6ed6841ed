"""The table of destinations. A new one is a line here and a folder beside it; a private one is `found`."""

from __future__ import annotations

from connector.vendors.contract import Destination
from connector.vendors.esputnik import EsputnikOrders, EsputnikSite
from connector.vendors.found import found
from connector.vendors.moloco import Moloco
from connector.vendors.promoted import Promoted
from connector.vendors.topsort import Topsort

DESTINATIONS: dict[str, type[Destination]] = {
    EsputnikOrders.name: EsputnikOrders,
    EsputnikSite.name: EsputnikSite,
    Moloco.name: Moloco,
    Promoted.name: Promoted,
    Topsort.name: Topsort,
}

_of_others, UNUSABLE = found(DESTINATIONS)
"""Names of destinations that are installed but can't be used, and why."""

DESTINATIONS |= _of_others
