"""What the kit says when a claim of it does not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from connector.model.verdict import Halt
from tests.delivery.acme import Acme, Options
from tests.vendors.conformance import VendorConformance
from tests.vendors.golden import GoldenCases


class Invented(VendorConformance):
    vendor = Acme
    options = Options()
    forbidden = ()
    adjustments: ClassVar = frozenset[str]()


class InventedGolden(GoldenCases):
    vendor = Acme


def test_a_claim_that_fails_shows_its_values() -> None:
    """Whoever writes a destination sees what came instead, not a bare AssertionError."""
    with pytest.raises(AssertionError, match="a-word-of-its-own"):
        Invented()._assert_sound(Halt("a-word-of-its-own"), 1)


def test_a_golden_case_that_fails_shows_both_verdicts(tmp_path: Path) -> None:
    """The file's and the vendor's."""
    file = tmp_path / "401.json"
    file.write_text(json.dumps({"status": 401, "headers": {}, "body": "", "verdict": "Halt of-the-file"}))
    with pytest.raises(AssertionError, match=r"(?s)Halt of-the-file.*Halt auth"):
        InventedGolden().test_an_answer_means_what_the_contract_says(file)
