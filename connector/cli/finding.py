"""What `connector check` found: one line each."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "advice", "warning", "wrong"]


class Finding(msgspec.Struct, frozen=True):
    """One line: what was looked at, how it is, and what to do when it is not well.

    `advice` is what can't be looked at from here, and somebody must know.
    """

    subject: str
    state: State
    text: str

    def __str__(self) -> str:
        return f"{self.state:<8} {self.subject:<18} {self.text}"
