"""Every promise names the tests that hold it, and every test that is named is there and really runs."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
PROMISES = [f"P{number}" for number in range(1, 12)]
NOT_BUILT = {"P10"}
"""What says "not built yet" on the page. Whoever builds it takes it away in both places."""

ROW = re.compile(r"^\| (P\d+) \| \*\*(.+?)\*\* \| (.+) \|$", re.MULTILINE)
SECTION = re.compile(r"^## (P\d+) (.+)\n((?:(?!^## ).*\n?)*)", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")

ROWS = {number: (title, text) for number, title, text in ROW.findall(PAGE)}
SECTIONS = {number: (title, text) for number, title, text in SECTION.findall(PAGE)}
NAMED = sorted({f"{file}::{name}" for file, name in TEST.findall(PAGE)})


def test_every_promise_has_a_row_and_a_section() -> None:
    """All eleven, in order, under one title."""
    assert [*ROWS] == PROMISES
    assert [*SECTIONS] == PROMISES
    assert {number: title for number, (title, _) in ROWS.items()} == {
        number: title for number, (title, _) in SECTIONS.items()
    }


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_held_by_a_test(promise: str) -> None:
    """By name, not by a folder in which it might be."""
    _, text = SECTIONS[promise]
    bullets = [line for line in text.splitlines() if line.startswith("- ")]
    assert bullets
    for bullet in bullets:
        assert TEST.fullmatch(bullet.removeprefix("- ")), bullet


def test_every_test_that_is_named_is_there() -> None:
    """Under this name, where pytest finds it, and never skipped by a mark."""
    for named in NAMED:
        file, *names = named.split("::")
        assert (ROOT / file).name.startswith("test_"), named
        found: object = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        for name in names:
            assert name.startswith(("test_", "Test")), f"pytest would not collect {named}"
            found = getattr(found, name, None)
            assert found is not None, f"{file} has no {name}"
            marks = [mark.name for mark in getattr(found, "pytestmark", ())]
            assert not {"skip", "skipif", "xfail"}.intersection(marks), named


def test_what_is_not_built_says_so() -> None:
    """And nothing else does."""
    assert {number for number, (_, text) in ROWS.items() if "*Not built yet" in text} == NOT_BUILT
