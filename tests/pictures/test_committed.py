"""The pictures that are here: small, shown on a page, and with words for who does not see them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = sorted((ROOT / "docs/pictures").glob("*"))
BYTES_MAX = 200_000
SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
WORDS_MIN = 20


def shown() -> dict[Path, list[str]]:
    """Every picture that a page shows, with its words, page by page."""
    found: dict[Path, list[str]] = {}
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "connector").rglob("*.md")]:
        for words, link in SHOWN.findall(page.read_text()):
            if "://" not in link:
                found.setdefault((page.parent / link).resolve(), []).append(words)
    return found


def test_every_picture_is_shown_and_every_picture_that_is_shown_is_here() -> None:
    """A forgotten one would be in every clone for nothing."""
    assert {*PICTURES} == {*shown()}
    assert PICTURES


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_small_and_has_words(picture: Path) -> None:
    """Anybody who clones the project has all of them, and not everybody sees them."""
    assert picture.suffix == ".svg" or picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < BYTES_MAX
    for words in shown()[picture]:
        assert len(words) >= WORDS_MIN, words


def test_no_picture_says_where_it_was_taken() -> None:
    """Beside the pixels there is nothing in them: no time, no machine, no program's name."""
    for picture in PICTURES:
        assert not re.search(rb"tEXt|iTXt|zTXt|eXIf|tIME", picture.read_bytes()), picture.name
