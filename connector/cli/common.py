"""What several commands need: the `-c` option, and reading what it names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from connector.settings import Settings

FAILED, BAD_USAGE, PROBLEMS_FOUND = 1, 2, 3
"""Exit codes beside 0: it did not work; bad usage or configuration; `check` found problems."""

ConfigFile = Annotated[
    Path | None,
    typer.Option("-c", "--config", metavar="FILE", help="YAML file; the environment alone may do, too."),
]


def command(cls: type[TyperGroup] | None = None, *, no_args_is_help: bool = False) -> typer.Typer:
    """An app for one command file, with the looks that all of them share."""
    return typer.Typer(
        cls=cls,
        no_args_is_help=no_args_is_help,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,  # they print local variables, keys and events among them
    )


def read_settings(path: Path | None) -> Settings:
    """The settings of a file and the environment, their credentials known to the logs from here on.

    Raises ConfigurationError, which `main` prints and turns into exit code 2.
    """
    from connector.ops import logs
    from connector.settings import load, secret_values

    if path is None and not any(name.startswith("CONNECTOR_") and "__" in name for name in os.environ):
        raise typer.BadParameter("name a file, or set CONNECTOR_<SECTION>__<KEY> variables", param_hint="-c")
    settings = load(path, os.environ)
    for value in secret_values(settings):
        logs.register_secret(value)
    return settings
