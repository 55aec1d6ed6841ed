"""A new destination is a skeleton whose tests say what is missing, and pass when that is filled in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vendors.new_vendor import main, make

ROOT = Path(__file__).parents[2]

MAPPED = """
        if event.occurred_at < YEAR_2000_MS:
            return Refused("invalid_timestamp", "occurred_at")
        at_ms, adjustments = event.occurred_at, []
        if at_ms > now_ms:
            if at_ms - now_ms > self._options.max_future_skew_ms:
                return Refused("timestamp_in_future", "occurred_at")
            at_ms, adjustments = now_ms, ["clock_skew_clamped"]
        user = identifier(event.user.customer_id) if event.user is not None else None
        if user is None or holds_email(user):
            return Skipped("no_identifier", adjustments)
        products = [(at, text(each.product_id)) for at, each in enumerate(event.items or ())]
        items = []
        for at, product in products:
            if product is not None:
                name = item_id(event.event_id, at, len(products))
                kind = MAPPERS[event.event_type]
                body = wire.encode(wire.Record(name, kind, at_ms, user, product))
                if len(body) + wire.FRAME_BYTES + 1 > wire.LIMITS.body_bytes_max:
                    return Refused("payload_too_large", "", adjustments)
                items.append(Item(name, kind, body, at_ms))
        if not items:
            return Skipped("no_content_id", adjustments)
        return Mapped(items, adjustments)
"""

IMPORTS = """from connector.model.item import Item
from connector.vendors.acme import wire
from connector.vendors.contract import Mapped, Refused
from connector.vendors.formats import YEAR_2000_MS, holds_email, identifier, item_id, text
"""

SANDBOX = '''"""Acme's strict stand-in, as this test would have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from connector.vendors.contract import SandboxAnswer, SandboxRequest

Text = Annotated[str, Meta(min_length=1)]


class Record(msgspec.Struct, forbid_unknown_fields=True):
    id: Text
    type: Literal["clicked"]
    at: Annotated[int, Meta(ge=946_684_800_000)]
    user: Text
    product: Text


class Body(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[list[Record], Meta(min_length=1, max_length=100)]


class AcmeSandbox:
    def answer(self, request: SandboxRequest) -> SandboxAnswer:
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return SandboxAnswer(401, refused="no key")
        try:
            body = msgspec.json.decode(request.body, type=Body)
        except (ValueError, RecursionError) as error:
            return SandboxAnswer(400, str(error).encode(), refused="not by the schema")
        if any(each.at > request.now_ms for each in body.events):
            return SandboxAnswer(400, refused="in the future")
        return SandboxAnswer(204, accepted=[(each.id, None) for each in body.events])

    def ids(self, request: SandboxRequest) -> Sequence[str]:
        try:
            return [each.id for each in msgspec.json.decode(request.body, type=Body).events]
        except (ValueError, RecursionError):
            return ()

    def throttled(self, retry_after_s: float) -> SandboxAnswer:
        return SandboxAnswer(429, b"{}", {"Retry-After": f"{retry_after_s:g}"})

    def failed(self, status: int) -> SandboxAnswer:
        return SandboxAnswer(status, b"{}")
'''


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """This project, as far as a destination's tests need it, somewhere else."""
    leave = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for folder in ("connector", "tests", "avro"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=leave)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def run(root: Path) -> subprocess.CompletedProcess[str]:
    """The tests of the new destination, with few examples."""
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/vendors/acme"],
        cwd=root,
        env=environment | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_skeleton_fails_until_it_is_filled_and_says_where(copy: Path) -> None:
    """Unfilled: every failure names the file. Filled: the whole kit passes."""
    make("acme", copy)
    unfilled = run(copy)
    assert unfilled.returncode == 1, unfilled.stdout
    assert "acme/mapping.py: say what an event becomes" in unfilled.stdout
    assert "no tests ran" not in unfilled.stdout

    mapping = copy / "connector" / "vendors" / "acme" / "mapping.py"
    code = mapping.read_text()
    blank = code[code.index("        raise NotImplementedError") :]
    code = code.replace(blank, MAPPED.lstrip("\n"))
    mapping.write_text(
        code.replace("from connector.vendors.acme.settings", f"{IMPORTS}from connector.vendors.acme.settings")
    )
    (copy / "connector" / "vendors" / "acme" / "sandbox.py").write_text(SANDBOX)
    filled = run(copy)
    assert filled.returncode == 0, filled.stdout


def test_nothing_is_overwritten_and_a_bad_name_is_refused(tmp_path: Path) -> None:
    """A second call, or a name that no package could have, writes nothing."""
    table = tmp_path / "connector" / "vendors" / "__init__.py"
    table.parent.mkdir(parents=True)
    table.write_text((ROOT / "connector" / "vendors" / "__init__.py").read_text())
    before = table.read_text()
    make("acme", tmp_path)
    listed = table.read_text()
    assert "    Acme.name: Acme,\n" in listed
    assert listed != before
    with pytest.raises(FileExistsError):
        make("acme", tmp_path)
    for bad in ("Acme", "a-b", "", "1st", "../x"):
        with pytest.raises(ValueError, match="must be lower-case"):
            make(bad, tmp_path)
    assert table.read_text() == listed


def test_it_says_how_it_is_used_and_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a name, with a bad one, and when it is made."""
    for none in ([], ["acme", "other"]):
        assert str(main(none, tmp_path)).startswith("usage: make new-vendor NAME=")
    assert str(main(["A b"], tmp_path)).startswith("new-vendor: A b must be")
    table = tmp_path / "connector" / "vendors" / "__init__.py"
    table.parent.mkdir(parents=True)
    table.write_text((ROOT / "connector" / "vendors" / "__init__.py").read_text())
    assert main(["acme"], tmp_path) is None
    *files, following = capsys.readouterr().out.splitlines()
    assert "connector/vendors/acme/mapping.py" in files
    assert "make vendor-test NAME=acme" in following


@pytest.mark.process
def test_what_is_made_is_in_our_layout(tmp_path: Path) -> None:
    """Whoever fills it in begins with a `make check` that finds nothing."""
    table = tmp_path / "connector" / "vendors" / "__init__.py"
    table.parent.mkdir(parents=True)
    for name in ("pyproject.toml", "connector/vendors/__init__.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    make("acme", tmp_path)
    for command in (["check"], ["format", "--check"]):
        ended = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout
