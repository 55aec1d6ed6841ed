"""Both packages hold what they must and nothing else, install with every dependency's hash, and run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from connector import __version__

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
WHEEL = DIST / f"commerce_connector-{__version__}-py3-none-any.whl"
SDIST = DIST / f"commerce_connector-{__version__}.tar.gz"
LOCK = ROOT / "requirements-run.lock"
PATIENCE_S = 280


def ran(command: Sequence[str | Path], folder: Path) -> str:
    """What it printed, in an environment that has neither our settings nor our packages."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what the lock names for running, and nothing of ours."""
    folder = tmp_path_factory.mktemp("bare")
    ran([sys.executable, "-m", "venv", folder / "venv"], folder)
    pip: list[str | Path] = [
        folder / "venv/bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    ran([*pip, "--require-hashes", "-r", LOCK], folder)
    return folder / "venv/bin"


# ── what is in them ──────────────────────────────────────────────────────────────────────────────


def test_the_wheel_holds_the_program_its_schemas_and_its_page() -> None:
    """And no test, no benchmark, no chart."""
    names = wheel_names(WHEEL)
    assert {"connector/ops/page.html", "connector/py.typed"} <= names
    schemas = {str(file.relative_to(ROOT / "avro")) for file in (ROOT / "avro").rglob("*.avsc")}
    assert {f"connector/_avro/{name}" for name in schemas} <= names
    assert schemas
    assert {name.partition("/")[0] for name in names} == {
        "connector",
        f"commerce_connector-{__version__}.dist-info",
    }


def test_the_sdist_builds_the_same_wheel(tmp_path: Path) -> None:
    """Whoever builds from source gets what was released."""
    with tarfile.open(SDIST) as opened:
        opened.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    out = tmp_path / "out"
    ran([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source], tmp_path)
    assert wheel_names(out / WHEEL.name) == wheel_names(WHEEL)


# ── they run ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("package", [WHEEL, SDIST], ids=["wheel", "sdist"])
def test_a_package_installs_and_runs_where_nothing_else_is(package: Path, bare: Path, tmp_path: Path) -> None:
    """From another folder, without the source: destinations, schemas, and the whole way of an event."""
    pip: list[str | Path] = [bare / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    if package is SDIST:  # what a source needs to be built, by its own lock
        ran([*pip, "install", "--require-hashes", "-r", ROOT / "requirements-build.lock"], tmp_path)
    ran([*pip, "install", "--no-deps", "--no-build-isolation", "--force-reinstall", package], tmp_path)
    connector = bare / "connector"
    assert "esputnik-site" in ran([connector, "destinations"], tmp_path)
    assert json.loads(ran([connector, "schema", "show", "OrderEvent"], tmp_path))["name"] == "OrderEvent"
    assert "balances" in ran([connector, "demo", "--events", "200"], tmp_path).lower()


# ── what goes with them ──────────────────────────────────────────────────────────────────────────


def test_the_sbom_names_every_pinned_dependency() -> None:
    """By name, version and hash."""
    sbom = json.loads((DIST / "sbom.json").read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    assert sbom["metadata"]["component"]["name"] == "commerce-connector"
    pinned = set(re.findall(r"^([\w.-]+)==(\S+)", LOCK.read_text(), re.MULTILINE))
    assert {(each["name"], each["version"]) for each in sbom["components"]} == pinned
    assert pinned


def test_the_notes_are_the_changelogs() -> None:
    """What is said of this version, or of what is not released yet."""
    notes = (DIST / "release-notes.md").read_text().strip()
    assert notes
    assert notes in (ROOT / "CHANGELOG.md").read_text()
    assert "## [" not in notes


def test_notes_of_a_version_that_nobody_wrote_about_are_refused() -> None:
    """A release says what is in it."""
    ended = subprocess.run(
        [ROOT / ".ci/release-notes", "99.0"], capture_output=True, text=True, timeout=10, check=False
    )
    assert ended.returncode == 1
    assert "99.0" in ended.stderr
