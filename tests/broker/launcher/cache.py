"""Downloads, kept outside the checkout so that the next run and the next clone need none."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_root() -> Path:
    """Where downloads are kept: `$XDG_CACHE_HOME`, or `~/.cache`, and there a folder of our own."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "commerce-connector"


def cached(name: str, fill: Callable[[Path], None], root: Path | None = None) -> Path:
    """The folder `name`, filled by `fill` if it is not there yet.

    It is there completely or not at all, even when a run is killed in the middle; of several runs that want
    it at once, one fills it and the others wait. What is cached is never changed: new content, new name.
    """
    root = cache_root() if root is None else root
    place = root / name
    if place.is_dir():
        return place
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.is_dir():
            return place
        for left_by_a_killed_run in root.glob(f".{name}.part-*"):
            shutil.rmtree(left_by_a_killed_run)
        part = Path(tempfile.mkdtemp(prefix=f".{name}.part-", dir=root))
        try:
            fill(part)
            part.rename(place)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return place
