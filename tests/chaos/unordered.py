"""The connector's own command line, which here also knows eSputnik without its order: to measure what order
costs. The events, the requests and the vendor are the same."""

from __future__ import annotations

from connector.cli.main import main
from connector.vendors import DESTINATIONS
from connector.vendors.esputnik import EsputnikOrders, EsputnikSite


class UnorderedOrders(EsputnikOrders):
    """Orders, each event by itself."""

    name = "esputnik-orders-unordered"
    ordering = "none"  # type: ignore[assignment]  # which eSputnik never is
    ordering_required = False


class UnorderedSite(EsputnikSite):
    """Site events, each by itself."""

    name = "esputnik-site-unordered"
    ordering = "none"  # type: ignore[assignment]  # which eSputnik never is
    ordering_required = False


if __name__ == "__main__":
    DESTINATIONS.update({each.name: each for each in (UnorderedOrders, UnorderedSite)})
    main()
