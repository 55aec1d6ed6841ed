"""The last one out: ends processes and removes a folder once the process that started it is gone.

Run as a program with the folder as its argument. It is told `+pid` and `-pid` on its standard input; when
that closes, because its parent ended in whatever way, it kills what is left. Knows nothing of the tests.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys


def main(folder: str) -> None:
    """Listen until the parent is gone, then clean up after it."""
    left: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line[0] == "+":
            left.add(pid)
        else:
            left.discard(pid)
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
