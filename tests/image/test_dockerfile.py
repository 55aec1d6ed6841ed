"""The Dockerfile as the linter sees it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.broker.launcher.java import MissingToolError
from tests.conftest import launched
from tests.image.engine import ROOT

DOCKERFILE = ROOT / "Dockerfile"


def test_the_linter_has_nothing_to_say() -> None:
    """hadolint, with all its rules."""
    done = subprocess.run([hadolint(), DOCKERFILE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_the_linter_would_say_something(tmp_path: Path) -> None:
    """Or the test above would prove nothing."""
    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.read_text().replace('ENTRYPOINT ["', "ENTRYPOINT "))
    done = subprocess.run([hadolint(), worse], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0


def hadolint() -> str:
    """Beside this Python, or on the path."""

    def found() -> str:
        place = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which("hadolint")
        if place is None:
            raise MissingToolError("hadolint is not installed: make image-check")
        return place

    return launched(found)
