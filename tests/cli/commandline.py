"""Runs the `connector` command inside this process, as a shell would see it."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import NamedTuple
from unittest import mock

from connector.cli.main import main
from tests.kept_logging import logging_kept


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def connector(*arguments: str) -> Ended:
    """The exit code and what was printed. An exception that would be a traceback comes through."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        logging_kept(),
        mock.patch.object(sys, "argv", ["connector", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Ended(code, out.getvalue(), err.getvalue())
