"""What the pages say is so: commands exist, configurations load, files and links are there.

Every tracked page is read as it stands, so a new one is held to this without being named here.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import yaml

from connector import __version__
from connector.cli.main import app
from connector.model.outcome import (
    DEAD_LETTER_REASONS,
    HALT_REASONS,
    HTTP_PREFIX,
    MISSING_FIELD_PREFIX,
    RETRY_REASONS,
    SKIP_REASONS,
)
from connector.model.verdict import Verdict
from connector.ops.metrics import METRICS
from connector.settings import from_mapping

ROOT = Path(__file__).parents[1]

CODE_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE_WORD = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PLACE = re.compile(r"(?:connector|tests|docs|avro|bench|helm)/[\w./-]*|[A-Z]+\.md|Makefile|pyproject\.toml")
MAKE = re.compile(r"\bmake ([a-z-]+)")
VARIABLES = re.compile(r"^(?:CONNECTOR_\w+=\S+ )+")


@cache
def tracked() -> list[str]:
    """Every file of the repository, or of what was unpacked from it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*")
        if path.is_file() and ".venv" not in path.parts
    ]


PAGES = sorted(name for name in tracked() if name.endswith(".md"))


def text(page: str) -> str:
    """A page."""
    return (ROOT / page).read_text()


def blocks(page: str, *languages: str) -> Iterator[str]:
    """Its code blocks in these languages."""
    return (body for language, body in CODE_BLOCK.findall(text(page)) if language in languages)


def prose_words(page: str) -> Iterator[str]:
    """What stands in `backquotes` outside of blocks."""
    return (word for word in CODE_WORD.findall(CODE_BLOCK.sub("", text(page))))


# ── commands ─────────────────────────────────────────────────────────────────────────────────────


def commands() -> list[tuple[str, str]]:
    """Every `connector …` on a page, with it: block lines, words in backquotes; behind a pipe, variables or
    `kubectl exec … --`, too."""
    found = []
    for page in PAGES:
        lines = [line.strip() for body in blocks(page, "", "sh", "bash") for line in body.splitlines()]
        for line in [*lines, *prose_words(page)]:
            parts = [VARIABLES.sub("", part) for part in re.split(r" \| | -- ", line)]
            found += [(page, part) for part in parts if re.match(r"connector [a-z]", part)]
    return found


def test_every_command_on_a_page_is_understood() -> None:
    """It exists, and so does every option that it is given; nothing is run."""
    connector = typer.main.get_command(app)
    misread = [
        f"{page}: `{line}`: there is no {word}"
        for page, line in commands()
        for word in unknown_words(line, connector)
    ]
    assert not misread, "\n".join(misread)


def unknown_words(line: str, connector: Any) -> list[str]:
    """The subcommand, or the options, that a command line has and the command line interface has not."""
    words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    context = connector.make_context("connector", [], resilient_parsing=True)
    while words and hasattr(context.command, "get_command"):
        name = words.pop(0)
        found = context.command.get_command(context, name)
        if found is None:
            return [name]
        context = found.make_context(name, [], context, resilient_parsing=True)
    known = {"--help", *(name for each in context.command.params for name in each.opts)}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]


def test_every_make_target_on_a_page_exists() -> None:
    """As `make help` lists them."""
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    missing = [
        f"{page}: make {found[1]}"
        for page in PAGES
        for body in (*blocks(page, "", "sh", "bash"), *prose_words(page))
        for line in body.splitlines()
        if (found := MAKE.match(line.strip())) and found[1] not in targets
    ]
    assert not missing, "\n".join(missing)


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────


def fault_of(language: str, body: str) -> str | None:
    """What is wrong with a block before anybody asks what it means; None: it can be read."""
    try:
        match language:
            case "sh" | "bash":
                read = subprocess.run(
                    ["bash", "-n"], input=body, capture_output=True, text=True, check=False, timeout=30
                )
                return read.stderr.strip() or None
            case "yaml" | "yml":
                yaml.safe_load(body)
            case "json":
                json.loads(body)
            case "toml":
                tomllib.loads(body)
            case "" | "text":
                pass
            case _:
                return f"no test reads {language}"
    except (ValueError, yaml.YAMLError) as error:
        return str(error)
    return None


def test_every_block_on_a_page_can_be_read() -> None:
    """In a language that is read here: one that nobody reads could say anything."""
    faults = [
        f"{page}: {fault}:\n{body}"
        for page in PAGES
        for language, body in CODE_BLOCK.findall(text(page))
        if (fault := fault_of(language, body)) is not None
    ]
    assert not faults, "\n".join(faults)


def test_no_block_escapes() -> None:
    """One that is indented or has more than a language behind its fence would be read by no test."""
    hidden = [
        f"{page}: {fence}"
        for page in PAGES
        for fence in re.findall(r"^ *(?:```|~~~).*$", CODE_BLOCK.sub("", text(page)), re.MULTILINE)
    ]
    assert not hidden, "\n".join(hidden)


@pytest.mark.parametrize(
    ("language", "body"),
    [
        ("sh", "for topic in orders; do"),
        ("yaml", "a: [1"),
        ("json", "{'a': 1}"),
        ("toml", "a = "),
        ("console", "$ connector run"),
    ],
)
def test_a_block_with_a_fault_is_found_out(language: str, body: str) -> None:
    """One of each kind."""
    assert fault_of(language, body)


# ── configuration ────────────────────────────────────────────────────────────────────────────────


def configurations() -> list[tuple[str, dict[str, Any]]]:
    """Every YAML block that is a configuration, with its page."""
    found = [(page, yaml.safe_load(body)) for page in PAGES for body in blocks(page, "yaml", "yml")]
    return [(page, raw) for page, raw in found if isinstance(raw, dict) and "destination" in raw]


@pytest.mark.parametrize(("page", "raw"), configurations())
def test_every_configuration_on_a_page_loads(page: str, raw: dict[str, Any], tmp_path: Path) -> None:
    """With all that settings demand of one another; only the key's file is put where this test may write."""
    if "api_key_file" in raw["destination"]:
        key = tmp_path / "key"
        key.write_text("a-key-for-the-page")
        raw = {**raw, "destination": {**raw["destination"], "api_key_file": str(key)}}
    from_mapping(raw)


def test_the_readme_has_a_configuration() -> None:
    """Or the test above would prove nothing about it."""
    assert "README.md" in {page for page, _ in configurations()}
    assert "README.md" in {page for page, _ in commands()}


# ── links and names ──────────────────────────────────────────────────────────────────────────────


def test_every_link_and_file_on_a_page_exists() -> None:
    """Relative links from where the page is, names in backquotes from the root."""
    missing = []
    for page in PAGES:
        folder = (ROOT / page).parent
        for link in LINK.findall(text(page)):
            elsewhere = "://" in link or link.startswith(("#", "mailto:"))
            if not elsewhere and not (folder / link.partition("#")[0]).exists():
                missing.append(f"{page} links to {link}")
        for word in prose_words(page):
            name = word.partition("::")[0]
            if PLACE.fullmatch(name) and not ((ROOT / name).exists() or (folder / name).exists()):
                missing.append(f"{page} names {name}")
    assert not missing, "\n".join(missing)


# ── closed lists ─────────────────────────────────────────────────────────────────────────────────

REASONS: dict[str, frozenset[str]] = {
    "Skips": SKIP_REASONS,
    "Dead letters": DEAD_LETTER_REASONS | {f"{MISSING_FIELD_PREFIX}<field>", f"{HTTP_PREFIX}<status>"},
    "Halts": HALT_REASONS | {f"{HTTP_PREFIX}<status>"},
    "Retries": RETRY_REASONS,
}


@pytest.mark.parametrize(("title", "words"), REASONS.items())
def test_every_reason_is_told_with_what_to_do(title: str, words: frozenset[str]) -> None:
    """One row each, under its kind, and no row for anything else."""
    _, _, after = text("docs/reasons.md").partition(f"\n## {title}\n")
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \| (.+) \|$", after.partition("\n## ")[0], re.MULTILINE)
    told = [word for word, _, _ in rows]
    assert sorted(told) == sorted(words)
    assert all(meaning.endswith(".") and advice for _, meaning, advice in rows)


def test_every_metric_is_told_as_the_table_has_it_and_with_what_to_look_at() -> None:
    """A row each, in the table's order; kind, labels and meaning are the scrape's."""
    rows = re.findall(
        r"^\| `connector_(\w+)` \| (\w+) \| (.+?) \| (.+?) \| (.+) \|$", text("docs/metrics.md"), re.MULTILINE
    )
    assert [(name, kind, labels, means) for name, kind, labels, means, _ in rows] == [
        (each.name, each.kind, ", ".join(f"`{label}`" for label in each.labels) or "–", each.help)
        for each in METRICS
    ]
    assert all(look.endswith(".") and look != means for *_, means, look in rows)


def test_every_label_is_told_with_its_values() -> None:
    """Those that are there from the start, at least; reasons have a page of their own."""
    _, _, labels = text("docs/metrics.md").partition("\n## Labels\n")
    told: dict[str, str] = {}
    for names, values in re.findall(r"^\| (`.+`) \| (.+) \|$", labels, re.MULTILINE):
        told |= dict.fromkeys(re.findall(r"`(\w+)`", names), values)
    assert told.keys() == {"destination", *(label for metric in METRICS for label in metric.labels)}
    for metric in METRICS:
        for values in metric.preset:
            for label, value in zip(metric.labels, values, strict=True):
                assert label == "reason" or f"`{value}`" in told[label], f"{metric.name}: {value}"
    for verdict in get_args(Verdict):
        assert f"`{verdict.__name__.lower()}`" in told["verdict"]


def test_every_runbook_that_a_page_leads_to_is_there() -> None:
    """A renamed alert takes its links along."""
    there = {
        title.lower() for title in re.findall(r"^## (Connector\w+)$", text("docs/runbooks.md"), re.MULTILINE)
    }
    for page in PAGES:
        assert {*re.findall(r"\(runbooks\.md#(connector\w+)\)", text(page))} <= there, page


def test_the_changelog_tells_this_version() -> None:
    """Under its number, or as what is not released yet."""
    assert re.search(rf"^## \[(?:Unreleased|{re.escape(__version__)})\]", text("CHANGELOG.md"), re.MULTILINE)


# ── nothing of a workplace ───────────────────────────────────────────────────────────────────────

HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "repo1.maven" + ".org", "repo.maven" + ".apache.org",
         "registry.npmjs" + ".org", "proxy.golang" + ".org", "index.crates" + ".io")  # fmt: skip
"""Written in two pieces, or this file would be the one that names them."""

MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+|private/tmp)/\w")


def test_no_file_names_an_index_host_or_a_path_of_somebodys_machine() -> None:
    """Where packages come from is the business of whoever installs them."""
    named = []
    for name in tracked():
        try:
            content = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue
        named += [f"{name} names {host}" for host in HOSTS if host in content]
        named += [f"{name} names {found[0]}…" for found in MACHINE.finditer(content)]
    assert not named, "\n".join(named)
