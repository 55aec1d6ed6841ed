"""Makes `docs/cli.md` from the commands themselves: `make docs` runs it, a test compares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from connector.cli.common import BAD_USAGE, FAILED, PROBLEMS_FOUND
from connector.cli.loop import SECOND_SIGNAL
from connector.cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"

HEAD = f"""\
# Commands

<!-- Made by `make docs` from the commands' own `--help`; change the texts there. -->

`connector --help` lists them, `connector COMMAND --help` says what stands here.

| exit code | means |
| --- | --- |
| 0 | done |
| {FAILED} | failed: what was to be done is not, or not all of it |
| {BAD_USAGE} | bad usage or configuration; nothing was begun |
| {PROBLEMS_FOUND} | `connector check` found problems |
| {SECOND_SIGNAL} | ended at once by a second signal; what was under way is not finished |
"""

BLOCK = re.compile(r"\x08\n(.+)\n((?:  .*\n?)+)")
"""How a help text keeps lines as they are: click's mark, the line they belong to, the lines."""

CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def page() -> str:
    """The page as it should be."""
    return "\n".join([HEAD, *(_section(context) for context in contexts())])


def contexts() -> Iterator[Any]:
    """Every command that does something, with its name; groups come before what they hold."""
    root = typer.main.get_command(app)
    yield from _walk(root.make_context("connector", [], resilient_parsing=True))


def _walk(context: Any) -> Iterator[Any]:
    yield context
    if hasattr(context.command, "list_commands"):
        for name in context.command.list_commands(context):
            found = context.command.get_command(context, name)
            yield from _walk(found.make_context(name, [], context, resilient_parsing=True))


def _section(context: Any) -> str:
    level = "##" if context.command_path.count(" ") < 2 else "###"
    usage = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
    return "\n".join(
        [
            f"{level} {context.command_path}",
            "",
            f"```text\n{usage}\n```",
            "",
            _prose(context.command.help or ""),
            *_table(context),
        ]
    )


def _prose(text: str) -> str:
    """A help text as Markdown: its paragraphs, its example as commands, other fixed lines as they are."""
    text = BLOCK.sub(_fenced, text)
    return re.sub(r"\n{3,}", "\n\n", _escaped(text)).strip() + "\n"


def _fenced(found: re.Match[str]) -> str:
    lines = _undented(found[2])
    if lines.startswith("connector "):
        return f"```sh\n{lines}\n```\n"
    return f"{found[1]}\n\n```text\n{lines}\n```\n"


def _undented(lines: str) -> str:
    return re.sub(r"^  ", "", lines.rstrip(), flags=re.MULTILINE)


def _escaped(text: str) -> str:
    """What Markdown would take for its own, outside of code."""
    return "".join(
        part if part.startswith("`") else re.sub(r"([<>*|])", r"\\\1", part) for part in CODE.split(text)
    )


def _table(context: Any) -> Iterator[str]:
    rows = [param.get_help_record(context) for param in context.command.params]
    told = [(names, text) for names, text in filter(None, rows)]
    if told:
        yield "| argument or option | what it is |"
        yield "| --- | --- |"
        yield from (f"| {_names(names)} | {_escaped(' '.join(text.split()))} |" for names, text in told)
        yield ""


def _names(names: str) -> str:
    return f"`{names.replace('|', '/')}`"


if __name__ == "__main__":
    PAGE.write_text(page())
