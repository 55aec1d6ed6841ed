"""Golden cases: files beside a vendor's tests that say what becomes of an event, and what an answer means.

`events/*.json`   {"title", "options", "event", and one of "bodies", "skip", "refuse"; "adjustments"}
`answers/*.json`  {"status", "headers", "body", "verdict": the words of one; "age_ms" of the records, 1 hour}

`bodies` are whole request bodies, each carrying one batch; they are compared as JSON values.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector.delivery.batcher import Batcher
from connector.model.item import Item
from connector.model.verdict import Delivered, Halt, Reject, Retry, Split, Verdict
from connector.vendors.contract import Destination, Mapped, Refused, Response, Skipped
from tests.vendors.any_event import NOW_MS, event_of

ANSWERED_AT_MS = 1_795_010_587_000
"""2026-11-18T14:03:07Z, the moment at which the answers of the files are judged."""


class GoldenCases:
    """Runs a vendor's files: subclasses name the vendor and where the folders `events` and `answers` are."""

    vendor: ClassVar[type[Destination]]
    folder: ClassVar[Path]
    answers: ClassVar[Path | None] = None
    """Where the answers are, if not in the same folder: two destinations of one vendor may share them."""
    options: ClassVar[dict[str, Any]] = {}
    """What the vendor's options need at least."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        answers = self.answers or self.folder / "answers"
        for name, folder in (("golden_event", self.folder / "events"), ("golden_answer", answers)):
            if name in metafunc.fixturenames:
                files = sorted(folder.glob("*.json"))
                assert files, f"nothing in {folder}"
                metafunc.parametrize(name, files, ids=[file.stem for file in files])

    def test_an_event_becomes_what_the_contract_says(self, golden_event: Path) -> None:
        """The requests, or the reason why there are none, and what was changed on the way."""
        case: dict[str, Any] = json.loads(golden_event.read_bytes())
        destination = self.vendor(self.vendor.Options.model_validate(case["options"]))
        result = destination.map(event_of(case["event"]), NOW_MS)
        match result:
            case Mapped(items):
                assert case["bodies"] == [_body(destination, batch) for batch in _batches(destination, items)]
            case Skipped(reason):
                assert case["skip"] == reason
            case Refused(reason):
                assert case["refuse"] == reason
        if "adjustments" in case:
            assert case["adjustments"] == list(result.adjustments)

    def test_an_answer_means_what_the_contract_says(self, golden_answer: Path) -> None:
        """The verdict for one record; where that is a rejection and batches exist, for two it is a split."""
        case: dict[str, Any] = json.loads(golden_answer.read_bytes())
        body = case["body"] if isinstance(case["body"], str) else json.dumps(case["body"])
        response = Response(case["status"], case["headers"], body.encode())
        at_ms = ANSWERED_AT_MS - case.get("age_ms", 3_600_000)
        destination = self.vendor(self.vendor.Options.model_validate(case.get("options", self.options)))
        items = [Item(f"id-{n}", "any", b"{}", at_ms) for n in range(2)]
        one = destination.judge(items[:1], response, ANSWERED_AT_MS)
        assert case["verdict"] == words(one)
        if destination.limits.items_max > 1:
            two = destination.judge(items, response, ANSWERED_AT_MS)
            assert words(two) == ("Split" if isinstance(one, Reject) else case["verdict"])


def words(verdict: Verdict) -> str:
    """A verdict as the files write it: its kind, reason, and the wait it names."""
    match verdict:
        case Retry(reason, None) | Halt(reason) | Reject(reason):
            return f"{type(verdict).__name__} {reason}"
        case Retry(reason, after_s):
            return f"Retry {reason} {after_s}"
        case Delivered() | Split():
            return type(verdict).__name__
        case _:
            return str(verdict)


def _batches(destination: Destination, items: Any) -> list[list[Item]]:
    batcher = Batcher(destination.limits, linger_s=1.0)
    closed = [batcher.add(item, 0.0) for item in items]
    return [batch for batch in (*closed, batcher.close()) if batch]


def _body(destination: Destination, batch: list[Item]) -> Any:
    return json.loads(destination.request(batch).body)
