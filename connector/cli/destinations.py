"""`connector destinations`: who can be sent to, within which limits, and what becomes of each event type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from connector.cli.common import command
from connector.model.outcome import HTTP_PREFIX, SKIP_REASONS
from connector.settings.reference import default_of, example_options
from connector.vendors import DESTINATIONS, UNUSABLE
from connector.vendors.contract import Destination

app = command()


@app.command()
def destinations(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one, in full.")] = None,
) -> None:
    """List the destinations; with a name, its limits, options and event table.

    \b
    Example:
      connector destinations
      connector destinations topsort
    """
    if name is None:
        for known, destination in DESTINATIONS.items():
            sent = sum(not fate.startswith("skip") for fate in destination.events.values())
            about = (destination.__doc__ or "").strip().partition("\n")[0]
            print(f"{known:<18} {about} {sent} event types sent, order: {destination.ordering}".rstrip())
        for known, why in UNUSABLE.items():
            print(f"{known:<18} can't be used: {why}")
        return
    if name not in DESTINATIONS:
        raise typer.BadParameter(f"known: {', '.join(DESTINATIONS)}", param_hint="NAME")
    print("\n".join(_describe(DESTINATIONS[name])))


def _describe(destination: type[Destination]) -> list[str]:
    lines = [destination.name, "", "limits"]
    lines += _columns(_limits(destination))
    lines += ["", "options"]
    fields = destination.Options.model_fields
    lines += _columns(
        (f"{option} ({default_of(field).strip('`')})", field.description or "")
        for option, field in fields.items()
    )
    lines += ["", "events"]
    lines += _columns(destination.events.items())
    skips = destination.reasons & SKIP_REASONS
    lines += ["", "reasons for a skip", *(f"  {reason}" for reason in sorted(skips))]
    lines += ["", "reasons for a dead letter", *_folded(destination.reasons - skips)]
    return lines


def _folded(reasons: Iterable[str]) -> list[str]:
    """In order, with all that are a status of their own as one line a hundred: nobody reads eighty."""
    statuses = [reason for reason in reasons if reason.startswith(HTTP_PREFIX)]
    hundreds = sorted({status.removeprefix(HTTP_PREFIX)[:1] for status in statuses})
    lines = [f"  {reason}" for reason in sorted(set(reasons).difference(statuses))]
    return lines + [
        f"  {HTTP_PREFIX}{first}xx (http_ and the status, for those not named)" for first in hundreds
    ]


def _limits(destination: type[Destination]) -> Iterator[tuple[str, str]]:
    options = destination.Options(**example_options(destination.Options))
    limits = destination(options).limits
    yield "items a request", str(limits.items_max)
    for kind, most in limits.per_kind.items():
        yield f"{kind} a request", str(most)
    yield "bytes a request", f"{limits.body_bytes_max:,}"
    rate = limits.requests_per_second
    yield "requests a second", "no published number" if rate is None else f"{rate:g}"
    yield "time a request", f"{limits.request_timeout_s:g} s"
    url = destination.url(options)
    yield "address", f"destination.url, as {url}" if destination.url_per_account else url


def _columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    pairs = list(rows)
    width = max((len(left) for left, _ in pairs), default=0)
    return [f"  {left:<{width}}  {right}".rstrip() for left, right in pairs]
