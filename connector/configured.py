"""Parts that a configuration asks for, built in one way for a live run, a rehearsal and `check`."""

from __future__ import annotations

from connector.codec.registry import ConfluentSource, Registry
from connector.ops.telemetry import Telemetry
from connector.settings import Settings, typed_options
from connector.vendors import DESTINATIONS
from connector.vendors.contract import Destination


def destination_of(settings: Settings) -> tuple[Destination, str]:
    """The destination, configured and ready, and its address."""
    kind = DESTINATIONS[settings.destination.name]
    options = typed_options(settings.destination.name, settings.destination.options)
    return kind(options, settings.delivery.consent), settings.destination.url or kind.url(options)


def keeps_order(settings: Settings) -> bool:
    """Whether events of one key go one after the other: by the operator's word, or the destination's."""
    return (settings.delivery.ordering or DESTINATIONS[settings.destination.name].ordering) == "key"


def registry_of(settings: Settings, telemetry: Telemetry) -> Registry | None:
    """The schema registry, if there is one. Raises OSError when its secret's file can't be read."""
    registry = settings.source.schema_registry
    if registry.url is None:
        return None
    secret = registry.secret()
    return Registry(ConfluentSource(registry.url, secret.read if secret is not None else None), telemetry)
