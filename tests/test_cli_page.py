"""`docs/cli.md` says what the commands say of themselves."""

from __future__ import annotations

import re

from connector.cli.main import COMMANDS
from tests import cli_page


def test_it_is_what_the_commands_say() -> None:
    """`make docs` makes it anew."""
    assert cli_page.page() == cli_page.PAGE.read_text()


def test_every_command_has_its_part_and_a_command_to_copy() -> None:
    """Or a help text whose example is written otherwise would lose it on the page without a word."""
    parts = re.split(r"^##+ (connector\b.*)$", cli_page.page(), flags=re.MULTILINE)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert {name.split()[1] for name in told if " " in name} == COMMANDS.keys()
    for name, text in told.items():
        assert "```sh\nconnector " in text, name
        assert "\x08" not in text, name


def test_code_is_left_as_it_is_and_prose_is_not_taken_for_html() -> None:
    """`<url>` in backquotes is told as such; elsewhere it would vanish from the page."""
    assert cli_page._escaped("a `<url>` and <url>, x|y") == r"a `<url>` and \<url\>, x\|y"
