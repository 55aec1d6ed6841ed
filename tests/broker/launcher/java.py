"""Finds Java and Maven on this machine, and fetches from Maven Central with them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"  # named: the default one is too old
_FETCH_PATIENCE_S = 600
_HOW_TO_INSTALL = "on Debian: apt-get install default-jre-headless maven"


class MissingToolError(Exception):
    """This machine lacks something that the real servers need; the text says what, and how to get it."""


@dataclass(frozen=True)
class Java:
    """A Java runtime: its home folder and its major version."""

    home: Path
    version: int

    @property
    def command(self) -> str:
        """The `java` to run."""
        return str(self.home / "bin" / "java")


def find_java(at_least: int, homes: Iterable[Path] | None = None) -> Java:
    """The oldest runtime on this machine that is new enough; raises `MissingToolError` when there is none."""
    places = _homes() if homes is None else homes
    fitting = [java for java in map(_java_in, places) if java and java.version >= at_least]
    if not fitting:
        raise MissingToolError(f"no Java {at_least} or newer ({_HOW_TO_INSTALL})")
    return min(fitting, key=lambda java: java.version)


def fetch_dependencies(pom: Path, into: Path) -> None:
    """All jars that the pom asks for, and theirs."""
    _maven(
        "-f", str(pom), f"{_PLUGIN}:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={into}"
    )


def fetch_artifact(coordinates: str, into: Path) -> Path:
    """One artifact, `group:name:version:type:classifier`; returns its file."""
    _maven(f"{_PLUGIN}:copy", f"-Dartifact={coordinates}", f"-DoutputDirectory={into}")
    (file,) = into.iterdir()
    return file


def _maven(*arguments: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingToolError(f"no Maven ({_HOW_TO_INSTALL})")
    environment = os.environ | {"JAVA_HOME": str(find_java(17).home)}
    done = subprocess.run(
        [maven, "-B", "-q", "-ntp", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_FETCH_PATIENCE_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"Maven failed ({done.returncode}): {done.stdout[-2000:]}")


def _homes() -> Iterator[Path]:
    if named := os.environ.get("JAVA_HOME"):
        yield Path(named)
    if on_path := shutil.which("java"):
        yield Path(on_path).resolve().parent.parent
    yield from sorted(Path("/usr/lib/jvm").glob("*"))


def _java_in(home: Path) -> Java | None:
    """The runtime in a folder, by what it says about itself. `1.8` and the like are too old to matter."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return None
    version = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    if version is None or not (home / "bin" / "java").exists():
        return None
    return Java(home, int(version[1]))
