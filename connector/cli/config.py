"""`connector config`: what can be configured, as a JSON Schema, a page and an example."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from connector.cli.common import command

app = command()


@app.callback()
def config() -> None:
    """Print the configuration's JSON Schema, reference or example.

    \b
    Example:
      connector config example > connector.yaml
    """


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file, for editors.

    \b
    Example:
      connector config schema > connector.schema.json
    """
    from connector.settings.reference import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@app.command()
def reference() -> None:
    """Print every setting with its default, range and reason, as Markdown.

    \b
    Example:
      connector config reference > docs/configuration.md
    """
    from connector.settings.reference import markdown

    print(markdown(), end="")


@app.command()
def example(
    destination: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="One of `connector destinations`; topsort without it."),
    ] = None,
) -> None:
    """Print a commented file that names every setting and loads as it is.

    \b
    Example:
      connector config example --destination moloco > connector.yaml
    """
    from connector.cli.options import destination_named
    from connector.settings import reference

    kind = destination_named(destination or reference.EXAMPLE_DESTINATION)
    print(reference.example(kind.name), end="")
