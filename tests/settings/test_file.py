"""A file that can't be read is one problem that repeats nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.settings import ConfigurationError, load


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("destination: {name: *hunter2}", "not valid YAML at line 1, column 21"),
        ("a: 1\nb: !hunter2 x", "not valid YAML at line 2"),
        ("destination:\n\tname: hunter2", "not valid YAML at line 2"),
        ("destination: {api_key: hunter2, api_key: hunter3}", "names a key twice at line 1"),
        ("- hunter2", "must be sections"),
        ("hunter2", "must be sections"),
        ("1: hunter2", "must be sections"),
        ("when: 2026-99-99", "not valid YAML"),
        ("[" * 10_000, "not valid YAML"),
    ],
)
def test_a_broken_file_is_one_problem_that_repeats_nothing_of_it(
    text: str, words: str, tmp_path: Path
) -> None:
    """The parser's own words quote the file, and the file holds secrets: we name the place only."""
    file = tmp_path / "connector.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, {})
    (problem,) = caught.value.problems
    assert problem.path == str(file)
    assert words in problem.what
    assert "hunter" not in str(caught.value)


def test_a_file_that_is_not_there_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    """Missing, a directory, or not text: the path and the reason."""
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, words in ((tmp_path / "none", "No such file"), (tmp_path, "directory"), (binary, "not UTF-8")):
        with pytest.raises(ConfigurationError, match=words):
            load(path, {})
