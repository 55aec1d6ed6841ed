"""Pictures in the pages: hand-written SVG that is safe and legible wherever a page is read."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

PICTURES = sorted((Path(__file__).parents[2] / "docs").rglob("*.svg"))

SVG = "{http://www.w3.org/2000/svg}"

FONTS = {"system-ui, sans-serif", "ui-monospace, monospace", "sans-serif", "monospace"}
"""What every reader has: nothing is fetched for a picture."""


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_fetches_and_runs_nothing_and_says_what_it_shows(picture: Path) -> None:
    """No script, no link outside, no picture in it; a title and a description for those who can't see it."""
    root = ElementTree.parse(picture).getroot()
    for element in root.iter():
        assert element.tag.removeprefix(SVG) not in {"script", "image", "use", "foreignObject", "a"}
        for name, value in element.attrib.items():
            assert not name.rpartition("}")[2].lower().startswith(("on", "href")), f"{name}={value}"
            assert "url(" not in value or value.startswith("url(#"), f"{name}={value}"
        if (font := element.get("font-family")) is not None:
            assert font in FONTS
    assert "@import" not in picture.read_text()
    for told in ("title", "desc"):
        assert root.findtext(SVG + told), f"{picture.name} has no {told}"


def test_there_are_pictures() -> None:
    """Or the test above would look at none."""
    assert PICTURES
