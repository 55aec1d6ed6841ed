"""The `connector` command: which subcommands there are, and how they end.

A subcommand is a module of this folder with a `typer.Typer` named `app`. It is imported when it is called, so
that `--help` is quick. Exit codes are in `common`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from connector import __version__
from connector.cli.common import BAD_USAGE, command

COMMANDS = {
    "run": ("run", "Carry events from Kafka to the destination."),
    "demo": ("demo", "Show it all on this machine, and count every event."),
    "map": ("map", "Turn canonical events into request bodies."),
    "check": ("check", "Try a configuration out."),
    "explain": ("explain", "Tell the story of one record; sends nothing."),
    "dlq": ("dead_letters", "List, show, count and replay dead letters."),
    "sandbox": ("sandbox", "Be the strict stand-in for a vendor."),
    "sample": ("sample", "Make realistic canonical events."),
    "schema": ("schema", "List, show and register the Avro schemas."),
    "config": ("config", "Print what can be configured."),
    "destinations": ("destinations", "List the destinations, limits and event tables."),
}
"""Command → its module in `connector.cli`, and its line in `connector --help`."""


class Deferred(TyperCommand):
    """Stands for a command in the list; becomes the real one when it is called."""

    def __init__(self, name: str, module: str, help_line: str) -> None:
        super().__init__(name, help=help_line)
        self._module = module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The real command's context."""
        app = importlib.import_module(self._module).app
        assert isinstance(app, typer.Typer), f"{self._module} has no app"
        return typer.main.get_command(app).make_context(info_name, args, parent, **extra)


class Commands(TyperGroup):
    """The commands of the table that this build has."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the table's order."""
        return [name for name in COMMANDS if _module_of(name) is not None]

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """A stand-in, so that listing imports nothing."""
        module = _module_of(cmd_name)
        return Deferred(cmd_name, module, COMMANDS[cmd_name][1]) if module is not None else None


def _module_of(name: str) -> str | None:
    if name not in COMMANDS:
        return None
    module = f"connector.cli.{COMMANDS[name][0]}"
    return module if importlib.util.find_spec(module) is not None else None


def _show_version(asked: bool) -> None:
    if asked:
        print(f"connector {__version__}")
        raise typer.Exit


app = command(cls=Commands, no_args_is_help=True)


@app.callback()
def connector(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Carry commerce events from Kafka to ad, search and customer-data vendors, and lose none.

    \b
    Start here:
      connector demo
      connector config example > connector.yaml
      connector check -c connector.yaml
      connector run -c connector.yaml
    """


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        sys.exit(app(prog_name="connector"))
    except Exception as error:
        # Imported only now: it takes longer than `--help` may.
        from connector.settings import ConfigurationError

        if not isinstance(error, ConfigurationError):
            raise
        print(error, file=sys.stderr)
        sys.exit(BAD_USAGE)
