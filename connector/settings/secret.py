"""A credential that may change while we run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

PRINTABLE_ASCII = range(0x20, 0x7F)


class Secret:
    """A credential given in the configuration, or in a file that is read again when it changes.

    Mounted secrets are replaced while a process runs; `read` follows, at the price of a `stat`. While the
    file is briefly gone or empty, or holds what no header can carry, the last value stays.

    `place` tells people where it comes from: the file, or the setting or variable that holds the value.
    """

    def __init__(
        self,
        value: str | None = None,
        file: Path | None = None,
        place: str = "",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        assert (value is None) != (file is None), "a value or a file"
        self._value = value
        self._file = file
        self._now_ms = now_ms
        self.place = str(file) if file is not None else place
        self.read_ms = now_ms()
        """When the present value was read."""
        self.trouble = ""
        """Why the file gives no value now, and the last one stays; empty when it does."""
        self._seen: tuple[int, int, int] | None = None

    def __repr__(self) -> str:
        return "<Secret>" if self._file is None else f"<Secret from {self._file}>"

    @property
    def is_followed(self) -> bool:
        """True if another value is found without a restart."""
        return self._file is not None

    def read(self) -> str:
        """The credential as it is now. Raises OSError or ValueError while it was never readable."""
        if self._file is not None:
            try:
                self._follow(self._file)
                self.trouble = ""
            except (OSError, ValueError) as error:
                if self._value is None:
                    raise
                self.trouble = _why(error)
        assert self._value is not None
        return self._value

    def _follow(self, file: Path) -> None:
        stat = file.stat()
        seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if seen == self._seen:
            return
        value = file.read_text("utf-8").strip()
        if not value:
            raise ValueError("the file is empty")
        if self._value is not None and not value.isprintable():  # at the start it is a problem with a hint
            raise ValueError("the file holds more than one line, or control characters")
        if value != self._value:
            self.read_ms = self._now_ms()
        self._value = value
        self._seen = seen


def _why(error: OSError | ValueError) -> str:
    """In words that hold nothing of what is in the file."""
    if isinstance(error, OSError):
        return f"the file can't be read: {error.strerror}"
    return "the file is not text" if isinstance(error, UnicodeError) else str(error)


def is_header_safe(value: str) -> bool:
    """True if a credential can travel in an HTTP header: printable ASCII, no blank at either end."""
    return bool(value) and value == value.strip() and all(ord(char) in PRINTABLE_ASCII for char in value)
