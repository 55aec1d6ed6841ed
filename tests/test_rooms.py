"""Every room keeps to what it may touch: who imports whom, who uses which library, who prints, who decides.

Read from the source, so that a breach is named with its line before anything runs.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SEES = {
    "connector.model": ("connector.model",),
    "connector.ops": ("connector.ops", "connector.model"),
    "connector.codec": ("connector.codec", "connector.model", "connector.ops"),
    "connector.kafka": ("connector.kafka", "connector.model", "connector.ops"),
    "connector.delivery": (
        "connector.delivery",
        "connector.model",
        "connector.ops",
        "connector.vendors.contract",
    ),
    "connector.vendors": ("connector.vendors", "connector.model"),
    "connector.vendors.contract": ("connector.model",),
    "connector.vendors.formats": ("connector.model", "connector.vendors.contract"),
    "connector.vendors.found": ("connector.vendors.contract",),
    "connector.vendors.answers": (
        "connector.model",
        "connector.vendors.contract",
        "connector.vendors.formats",
    ),
    "connector.cli": ("connector",),
    "connector.__main__": ("connector.cli",),
}
"""What of ours a room or module may import; the most exact line counts. A vendor's folder sees itself and
`SEEN_BY_VENDORS`; the top level, which has no line, sees all but the command line."""

SEEN_BY_VENDORS = (
    "connector.model",
    "connector.vendors.answers",
    "connector.vendors.contract",
    "connector.vendors.formats",
)

USERS = {
    "confluent_kafka": ("connector.kafka",),
    "confluent_kafka.schema_registry": ("connector.codec.registry",),
    "fastavro": ("connector.codec",),
    "aiohttp": (
        "connector.delivery.transport",
        "connector.ops.health",
        "connector.sandbox",
        "connector.demo",
    ),
    "typer": ("connector.cli",),
    "rich": ("connector.cli", "connector.demo"),
}
"""Libraries that only these rooms and modules may import."""

DECIDING_ROOMS = (
    "connector.model",
    "connector.vendors",
    "connector.codec",
    "connector.kafka",
    "connector.delivery",
)
DOERS = (
    "connector.codec.registry",
    "connector.delivery.sender",
    "connector.delivery.transport",
    "connector.kafka.bridge",
    "connector.kafka.bounded",
    "connector.kafka.consumer",
    "connector.kafka.embedded",
    "connector.kafka.handover",
    "connector.kafka.inspect",
    "connector.kafka.outlook",
    "connector.kafka.placing",
    "connector.kafka.produce",
    "connector.kafka.producer",
    "connector.kafka.retention",
)
"""In the deciding rooms every module decides, except these. Elsewhere those decide that say so."""

NOT_FOR_DECIDERS = (
    "connector.ops",
    "asyncio",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "uvloop",
)
EXITS = {"print", "input", "exit", "quit", "sys.exit", "os._exit", "os.abort"}
VENDORS = ("topsort", "moloco", "esputnik")  # `promoted` is also a word
VENDOR_BLIND_ROOMS = (
    "connector.model",
    "connector.codec",
    "connector.kafka",
    "connector.delivery",
    "connector.ops",
)


def breaches(root: Path) -> Iterator[str]:
    """Every breach below `root`/connector, as `file:line: what`."""
    for path in sorted((root / "connector").rglob("*.py")):
        tree = ast.parse(path.read_text())
        module = module_of(path, root)
        for line, what in sorted({*room_breaches(module, tree, root), *other_breaches(module, tree)}):
            yield f"{path.relative_to(root)}:{line}: {what}"


def room_breaches(module: str, tree: ast.Module, root: Path) -> Iterator[tuple[int, str]]:
    decides = is_decider(module, tree)
    for line, target in imports(module, tree, root):
        if not may_see(module, target):
            yield line, f"may not import {target}"
        elif not within(module, users_of(target)):
            yield line, f"may not use {target}"
        elif decides and within(target, NOT_FOR_DECIDERS):
            yield line, f"decides, so it may not use {target}"


def other_breaches(module: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    may_print = within(module, ("connector.cli", "connector.__main__"))
    decides = is_decider(module, tree)
    for node in ast.walk(tree):
        if not may_print and isinstance(node, ast.Call) and ast.unparse(node.func) in EXITS:
            yield node.lineno, f"only the command line may call {ast.unparse(node.func)}"
        if not may_print and isinstance(node, ast.Raise) and "SystemExit" in ast.unparse(node):
            yield node.lineno, "only the command line may raise SystemExit"
        if decides and isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield node.lineno, "decides, so it may not wait"
        if (
            decides
            and isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith(("time.now", "time.utcnow"))
        ):
            yield node.lineno, "decides, so the time is passed in"
    if decides:
        for line, name in names_from_modules(tree):
            if draws(name):
                yield line, "decides, so randomness is passed in"
    if within(module, VENDOR_BLIND_ROOMS):
        for line, word in words(tree):
            if any(vendor in word.lower() for vendor in VENDORS):
                yield line, f"only the vendors' room knows a vendor's name: {word}"


def may_see(module: str, target: str) -> bool:
    """Whether a module may import another of ours. Everybody may see the package itself: its version."""
    if target == "connector" or not within(target, ("connector",)):
        return True
    room = next((name for name in sorted(SEES, key=len, reverse=True) if within(module, (name,))), None)
    if room is None:  # the top level sees every room, but is used by the command line, not the other way
        return not within(target, ("connector.cli",))
    if room == "connector.vendors" and module != room:
        vendor = ".".join(module.split(".")[:3])
        return within(target, (vendor, *SEEN_BY_VENDORS))
    return within(target, SEES[room])


def users_of(target: str) -> tuple[str, ...]:
    """Who may import a library, by its most exact line; everybody when it has none."""
    name = next((name for name in sorted(USERS, key=len, reverse=True) if within(target, (name,))), None)
    return ("connector",) if name is None else USERS[name]


def draws(name: str) -> bool:
    """Randomness of one's own; the class `Random` is the type of what is passed in, and seeded."""
    return (name.startswith("random.") and name != "random.Random") or name in ("uuid.uuid1", "uuid.uuid4")


def names_from_modules(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name taken from an imported module, as `module.name`, in whichever of the two ways."""
    nodes = list(ast.walk(tree))
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported
        ):
            yield node.lineno, f"{node.value.id}.{node.attr}"


def is_decider(module: str, tree: ast.Module) -> bool:
    says_so = "Decides only" in (ast.get_docstring(tree) or "")
    return module not in DOERS and (says_so or within(module, DECIDING_ROOMS))


def imports(module: str, tree: ast.Module, root: Path) -> Iterator[tuple[int, str]]:
    """Every module that is imported, wherever in the file, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative imports hide the room"
            source = node.module or ""
            yield from ((node.lineno, target_of(source, name.name, root)) for name in node.names)


def target_of(source: str, name: str, root: Path) -> str:
    """`from source import name` imports a module of ours if there is one, else a name from `source`."""
    inner = root.joinpath(*source.split("."), name)
    return f"{source}.{name}" if inner.is_dir() or inner.with_suffix(".py").is_file() else source


def words(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names and texts that the code works with; docstrings are for people and may name anybody."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def module_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


# ── the tests ────────────────────────────────────────────────────────────────────────────────────


def test_no_room_reaches_where_it_may_not() -> None:
    """model ← vendors, ops ← codec, kafka, delivery ← top level ← cli, and all the other rules above."""
    assert not list(breaches(ROOT))


def test_every_exception_names_a_module_that_exists() -> None:
    """A rule for a module that is gone would silently allow its successor of the same name anything."""
    named = {*DOERS, *SEES, *(user for users in USERS.values() for user in users)}
    paths = {name: ROOT.joinpath(*name.split(".")) for name in named}
    missing = {
        name for name, path in paths.items() if not (path.is_dir() or path.with_suffix(".py").is_file())
    }
    assert not missing


@pytest.mark.parametrize(
    ("file", "source", "what"),
    [
        ("model/a.py", "import connector.ops.metrics", "may not import connector.ops.metrics"),
        ("model/a.py", "from connector import vendors", "may not import connector.vendors"),
        ("model/a.py", "def f():\n    from connector.kafka.a import x", "may not import connector.kafka.a"),
        ("ops/a.py", "from connector.delivery.a import x", "may not import connector.delivery.a"),
        ("ops/a.py", "import connector.settings", "may not import connector.settings"),
        ("codec/a.py", "from connector.kafka import a", "may not import connector.kafka.a"),
        ("kafka/a.py", "from connector.delivery.a import x", "may not import connector.delivery.a"),
        (
            "kafka/a.py",
            "from connector.vendors.contract import x",
            "may not import connector.vendors.contract",
        ),
        ("delivery/a.py", "from connector.codec.a import x", "may not import connector.codec.a"),
        (
            "delivery/a.py",
            "from connector.vendors import contract, formats",
            "may not import connector.vendors.formats",
        ),
        ("delivery/a.py", "import connector.vendors", "may not import connector.vendors"),
        ("delivery/a.py", "import connector.app", "may not import connector.app"),
        (
            "vendors/acme/a.py",
            "from connector.vendors.other.a import x",
            "may not import connector.vendors.other.a",
        ),
        ("vendors/acme/a.py", "import connector.vendors", "may not import connector.vendors"),
        ("vendors/acme/a.py", "import connector.delivery.a", "may not import connector.delivery.a"),
        ("vendors/formats.py", "import connector.vendors.acme", "may not import connector.vendors.acme"),
        (
            "vendors/contract.py",
            "import connector.vendors.formats",
            "may not import connector.vendors.formats",
        ),
        ("pipeline.py", "import connector.cli.main", "may not import connector.cli.main"),
        ("settings/load.py", "from connector.cli import main", "may not import connector.cli.main"),
        ("codec/a.py", "from confluent_kafka import Consumer", "may not use confluent_kafka"),
        ("codec/registry.py", "import confluent_kafka.admin", "may not use confluent_kafka.admin"),
        (
            "kafka/consumer.py",
            "import confluent_kafka.schema_registry",
            "may not use confluent_kafka.schema_registry",
        ),
        ("pipeline.py", "from confluent_kafka import Consumer", "may not use confluent_kafka"),
        ("delivery/a.py", "import aiohttp", "may not use aiohttp"),
        ("delivery/sender.py", "from aiohttp import web", "may not use aiohttp"),
        ("kafka/a.py", "import fastavro.schema", "may not use fastavro.schema"),
        ("app.py", "import typer", "may not use typer"),
        ("ops/a.py", "from rich.console import Console", "may not use rich.console"),
        ("delivery/a.py", "import asyncio", "decides, so it may not use asyncio"),
        (
            "delivery/a.py",
            "from connector.ops import telemetry",
            "decides, so it may not use connector.ops.telemetry",
        ),
        ("kafka/a.py", "from threading import Thread", "decides, so it may not use threading"),
        ("vendors/acme/a.py", "import time", "decides, so it may not use time"),
        ("kafka/a.py", "async def f():\n    await g()", "decides, so it may not wait"),
        ("delivery/a.py", "import random\nx = random.random()", "decides, so randomness is passed in"),
        ("delivery/a.py", "from random import Random, uniform", "decides, so randomness is passed in"),
        ("vendors/acme/a.py", "import uuid\nx = uuid.uuid4()", "decides, so randomness is passed in"),
        ("vendors/acme/a.py", "from uuid import UUID, uuid4", "decides, so randomness is passed in"),
        (
            "vendors/acme/a.py",
            "import datetime as d\nx = d.datetime.now()",
            "decides, so the time is passed in",
        ),
        (
            "sample.py",
            '"""Believable. Decides only: no clock."""\nimport time',
            "decides, so it may not use time",
        ),
        ("app.py", "print('here')", "only the command line may call print"),
        ("ops/a.py", "import os\nos._exit(1)", "only the command line may call os._exit"),
        ("app.py", "raise SystemExit(1)", "only the command line may raise SystemExit"),
        ("delivery/a.py", "if name == 'moloco': ...", "only the vendors' room knows a vendor's name: moloco"),
        (
            "delivery/a.py",
            "TOPSORT_LIMIT = 50",
            "only the vendors' room knows a vendor's name: TOPSORT_LIMIT",
        ),
    ],
)
def test_a_breach_is_found(tmp_path: Path, file: str, source: str, what: str) -> None:
    """Each rule can fail: the same file with the breach is named, with its line and the rule."""
    found = list(breaches(tree_with(tmp_path, file, source)))
    line = len(source.splitlines())
    assert found == [f"connector/{file}:{line}: {what}"]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("model/a.py", "from random import Random\nfrom connector.model import event"),
        ("ops/a.py", "from connector import __version__\nimport time, asyncio, threading"),
        (
            "codec/registry.py",
            "from confluent_kafka.schema_registry import SchemaRegistryClient\nimport asyncio",
        ),
        ("kafka/consumer.py", "import threading, time\nfrom confluent_kafka import Consumer"),
        ("kafka/consumer.py", "from connector.ops import telemetry"),
        ("delivery/a.py", "from connector.vendors.contract import Verdict"),
        ("delivery/a.py", "import random\nx = random.Random(7)"),
        ("delivery/a.py", "from random import Random\ndef f(random: Random): random.random()"),
        ("delivery/a.py", "class Wire(Protocol):\n    async def send(self): ..."),
        ("vendors/acme/a.py", "from uuid import UUID, uuid5"),
        ("delivery/sender.py", "import asyncio\nasync def f(): await g()"),
        ("delivery/a.py", '"""As Topsort wants it."""\nx = 1\n"""Moloco too."""'),
        (
            "vendors/acme/a.py",
            "from connector.vendors import contract, formats\nimport connector.vendors.acme.b",
        ),
        ("vendors/__init__.py", "from connector.vendors.acme import Acme\nNAME = 'moloco'"),
        ("pipeline.py", "import asyncio\nimport connector.settings, connector.vendors, connector.kafka.a"),
        ("demo.py", "import rich, aiohttp\nimport connector.app"),
        ("cli/run.py", "import typer, rich\nimport connector.app\nprint('x')\nraise SystemExit(2)"),
        ("__main__.py", "from connector.cli.main import main\nraise SystemExit(main())"),
    ],
)
def test_what_is_allowed_is_not_a_breach(tmp_path: Path, file: str, source: str) -> None:
    """The rules forbid no more than they say."""
    assert not list(breaches(tree_with(tmp_path, file, source)))


def tree_with(root: Path, file: str, source: str) -> Path:
    """A small connector of empty modules, one of them with this source."""
    modules = """
        __init__ __main__ app pipeline sample demo settings/__init__ settings/load cli/main cli/run
        model/a model/event ops/a ops/metrics ops/telemetry codec/a codec/registry kafka/a kafka/consumer
        delivery/a delivery/sender vendors/__init__ vendors/contract vendors/formats
        vendors/acme/a vendors/acme/b vendors/other/a
    """
    for name in modules.split():
        path = root / "connector" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "connector" / file).write_text(textwrap.dedent(source))
    return root
