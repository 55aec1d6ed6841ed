"""Builds the image without a container engine, and runs what is in it as Kubernetes would.

buildah builds in a chroot, on a base that mmdebstrap makes from the packages of the Debian we are on: nothing
is pulled. The image's file system is then mounted read-only and its entry point started in it as its user,
without capabilities or a way to get any. Needs root on Debian; what is missing is installed, and the base is
kept in the cache. Not shown by it: what the published base image holds beside Python, and other processors.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.broker.launcher.cache import cached
from tests.broker.launcher.java import MissingToolError
from tests.helm.chart import CHART

ROOT = CHART.parents[1]
BASE = "localhost/commerce-connector-base"
IMAGE = "localhost/commerce-connector"
TOOLS = ("buildah", "mmdebstrap")
PACKAGES = ("ca-certificates", "python3", "python3-venv")
"""What the base has beyond Debian's least."""

CERTIFICATES = Path("/etc/ssl/certs")
BUILD_PATIENCE_S = 540
RUN_PATIENCE_S = 60


def pins(name: str) -> dict[str, str]:
    """What a lock pins, with its marker: name to version."""
    found = re.findall(r"^([a-z0-9-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)
    assert found, name
    return dict(found)


def install_tools() -> None:
    """Have what builds. Raises MissingToolError where it can't be had."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0:
        raise MissingToolError("the image is built in a chroot, which only root may")
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise MissingToolError(f"please install {', '.join(missing)}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        _run(["apt-get", *command], env=quiet)


def debian() -> str:
    """The name of the Debian that we are on."""
    words = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    if words.get("ID") != "debian":
        raise MissingToolError("the base is made from Debian's packages, and this is no Debian")
    return words["VERSION_CODENAME"]


def base_archive() -> Path:
    """The base's file system, packed; made once for a Debian and a list of packages."""
    suite = debian()
    recipe = hashlib.sha256("\n".join([suite, *PACKAGES]).encode()).hexdigest()[:12]

    def make(place: Path) -> None:
        _run(
            [
                *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"),
                *(f"--include={','.join(PACKAGES)}", suite, str(place / "base.tar")),
                *map(str, _sources()),
            ]
        )

    return cached(f"image-base-{suite}-{recipe}", make) / "base.tar"


def _sources() -> list[Path]:
    """Where this machine has its Debian packages from."""
    folder = Path("/etc/apt")
    found = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("debian*"))]
    given = [file for file in found if file.is_file() and file.read_text().strip()]
    if not given:
        raise MissingToolError(f"no list of Debian's packages in {folder}")
    return given


class Engine:
    """buildah with a store of its own, which goes with `close`."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.given = place / "given"
        """What a container sees at /etc/connector, where a pod has its configuration and secrets."""
        self._mounted: list[Path] = []
        self._options = [
            *("--root", str(place / "store"), "--runroot", str(place / "run"), "--storage-driver", "vfs"),
        ]

    def buildah(self, *words: str | Path) -> str:
        """Run it; what it says."""
        environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}
        return _run(["buildah", *self._options, *map(str, words)], env=environment)

    def make_base(self) -> None:
        """The base, as an image."""
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, base_archive(), "/")
        self.buildah("commit", "--quiet", "--rm", container, BASE)

    def build(self, **arguments: str) -> None:
        """The image, from the checkout's Dockerfile."""
        given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        # The format in which a health check would be kept, so that a test can see that there is none.
        self.buildah(
            *("build", "--quiet", "--format", "docker", "--pull=never", "--network=host", "--layers=false"),
            *("--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro", "--build-arg", f"BASE={BASE}", *given),
            *("--tag", IMAGE, ROOT),
        )

    def inspect(self) -> dict[str, Any]:
        """What the image says of itself."""
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", IMAGE))
        config: dict[str, Any] = found["Docker"]["config"]
        return config

    def unpack(self) -> Path:
        """The image's files, with which nothing can be done but to read and start them."""
        container = self.buildah("from", "--pull=never", IMAGE).strip()
        files = Path(self.buildah("mount", container).strip())
        root = self._place / "root"
        for place in (root, self.given, files / "proc", files / "dev", files / "etc/connector"):
            place.mkdir(exist_ok=True)
        self._mount("--bind", files, root)
        _run(["mount", "-o", "remount,bind,ro,nosuid", str(root)])
        self._mount("--bind", self.given, root / "etc/connector")
        _run(["mount", "-o", "remount,bind,ro", str(root / "etc/connector")])
        for kernel in ("proc", "dev"):
            self._mount("--rbind", Path("/") / kernel, root / kernel)
            _run(["mount", "--make-rslave", str(root / kernel)])
        return root

    def _mount(self, how: str, what: Path, where: Path) -> None:
        _run(["mount", how, str(what), str(where)])
        self._mounted.append(where)

    def close(self) -> None:
        """Let go of everything."""
        for place in reversed(self._mounted):
            _run(["umount", "--recursive", "--lazy", str(place)])
        self._mounted.clear()
        self.buildah("rm", "--all")
        shutil.rmtree(self._place)


class Unpacked:
    """The image's files and what it says of itself: how a container of it begins, and what it sees."""

    def __init__(self, root: Path, given: Path, config: dict[str, Any]) -> None:
        self.root = root
        self.config = config
        self._given = given

    def give(self, name: str, text: str) -> None:
        """A file below /etc/connector, readable by the image's group, as Kubernetes makes it by fsGroup."""
        file = self._given / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        os.chown(file, 0, int(self.config["User"].partition(":")[2]))
        file.chmod(0o440)

    def command(self, words: Sequence[str], entry: Sequence[str] | None = None) -> list[str]:
        """The entry point with these arguments, as the image's user, with no capability and no way to one."""
        user, _, group = self.config["User"].partition(":")
        environment = self.config["Env"]
        return [
            *("chroot", str(self.root), "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"),
            *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
            *("env", "-i", *environment, *(entry or self.config["Entrypoint"]), *words),
        ]

    def run(self, *words: str, entry: Sequence[str] | None = None) -> subprocess.CompletedProcess[str]:
        """Start it and wait for its end."""
        return subprocess.run(
            self.command(words, entry),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_PATIENCE_S,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start it and let it run."""
        return subprocess.Popen(
            self.command(words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )


def stop(process: subprocess.Popen[bytes]) -> int:
    """As Kubernetes asks for it; the exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(RUN_PATIENCE_S)


def _run(command: Sequence[str], env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_PATIENCE_S,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-3000:]
        raise RuntimeError(f"{' '.join(command[:8])}… failed ({done.returncode}): {said}")
    return done.stdout
