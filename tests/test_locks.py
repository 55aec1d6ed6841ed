"""The locks agree with each other and with the project, and a build is sent only what it needs."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.image.engine import ROOT, pins


@pytest.mark.parametrize(
    "name", ["requirements-run.lock", "requirements-build.lock", "requirements-deploy.lock"]
)
def test_the_locks_agree(name: str) -> None:
    """What the image has is what the tests ran with."""
    whole = pins("requirements.lock")
    for package, version in pins(name).items():
        assert whole.get(package, version) == version, f"{name} has another {package}: make lock"


def test_the_image_gets_what_the_project_asks_for_and_no_tools() -> None:
    """Every dependency is pinned in its lock, and nothing of the developers' group that they do not need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = pins("requirements-run.lock")
    asked = [re.split(r"[^a-zA-Z0-9._-]", each)[0] for each in project["project"]["dependencies"]]
    assert set(asked) <= set(locked)
    assert not set(project["dependency-groups"]["dev"]) & set(locked)


def test_only_what_is_needed_is_sent_to_a_build() -> None:
    """Everything is left out but what the Dockerfile copies."""
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for words in re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        copied |= set(words.split()[:-1])
    assert kept == copied
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
