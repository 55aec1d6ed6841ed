"""A credential that may change while we run."""

from __future__ import annotations

from pathlib import Path

PRINTABLE_ASCII = range(0x20, 0x7F)


class Secret:
    """A credential given in the configuration, or in a file that is read again when it changes.

    Mounted secrets are replaced while a process runs; `read` follows, at the price of a `stat`. While the
    file is briefly gone or empty, or holds what no header can carry, the last value stays.
    """

    def __init__(self, value: str | None = None, file: Path | None = None) -> None:
        assert (value is None) != (file is None), "a value or a file"
        self._value = value
        self._file = file
        self._seen: tuple[int, int, int] | None = None

    def __repr__(self) -> str:
        return "<Secret>" if self._file is None else f"<Secret from {self._file}>"

    def read(self) -> str:
        """The credential as it is now. Raises OSError or ValueError while it was never readable."""
        if self._file is not None:
            try:
                self._follow(self._file)
            except (OSError, ValueError):
                if self._value is None:
                    raise
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
        self._value = value
        self._seen = seen


def is_header_safe(value: str) -> bool:
    """True if a credential can travel in an HTTP header: printable ASCII, no blank at either end."""
    return bool(value) and value == value.strip() and all(ord(char) in PRINTABLE_ASCII for char in value)
