"""A report is only worth something if it can fail: delivery is broken on purpose, and it must be found out.

Each ends with exit code 1, in bounded time, and names what is wrong.
"""

from __future__ import annotations

import re

import pytest

from connector.demo import stage
from tests.cli.commandline import Ended, connector
from tests.demo.breaking import Breaking
from tests.kept_logging import kept_logging

__all__ = ["kept_logging"]
pytestmark = [pytest.mark.usefixtures("kept_logging"), pytest.mark.timeout(120)]


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    """What can be broken, in a demo that waits less long and prints wide lines."""
    monkeypatch.setattr(stage, "STUCK_S", 4.0)
    monkeypatch.setattr(stage, "COMMITTED_WITHIN_S", 1.0)
    monkeypatch.setenv("COLUMNS", "300")
    return Breaking(monkeypatch)


def found_out(events: int = 300) -> Ended:
    """How a demo ends for which something was broken."""
    ended = connector("demo", "--events", str(events), "--seed", "3")
    assert ended.code == 1, ended.out
    assert "DOES NOT BALANCE" in ended.out
    return ended


def test_an_item_that_is_never_sent_ends_the_run_and_names_the_open_record(breaking: Breaking) -> None:
    """Its record stays open for ever, which is right; a demo that waits for it for ever is not."""
    breaking.drop_a_record()
    out = found_out().out
    assert "no record was settled in 4 s" in out
    assert f"1 record without its outcome: {breaking.coordinate}" in out
    assert breaking.items[0].id in out


def test_an_item_that_is_lost_on_the_way_is_found_out(breaking: Breaking) -> None:
    """One of a record's items is dropped, and the record counted as delivered all the same."""
    breaking.drop_an_item_and_count_it()
    out = found_out().out
    assert breaking.items[-1].id in out
    assert f"1 record committed without its outcome: {breaking.coordinate}" in out


def test_a_batch_that_is_called_delivered_but_was_never_sent_is_found_out(breaking: Breaking) -> None:
    """The vendor's own ledger says what is missing."""
    breaking.call_delivered_what_was_never_sent()
    out = found_out().out
    assert breaking.items[0].id in out
    assert f"1 record committed without its outcome: {breaking.coordinate}" in out


def test_an_item_that_comes_again_with_other_bytes_is_found_out(breaking: Breaking) -> None:
    """Under an id that the vendor knows; a repeat is harmless only when it says the same."""
    breaking.send_again_with_other_bytes()
    out = found_out().out
    assert f"1 id with other bytes than mapped: {breaking.items[0].id}" in out


def test_a_refusal_that_is_called_a_delivery_is_found_out(breaking: Breaking) -> None:
    """The outcomes are held against the oracle's, reason by reason."""
    breaking.call_refusals_deliveries()
    out = found_out(600).out
    assert re.search(r"vendor_rejected: \d+ expected, 0 counted", out)


def test_a_dead_letter_that_was_never_written_is_found_out(breaking: Breaking) -> None:
    """The topic is read, whatever the connector counted."""
    breaking.claim_dead_letters_and_write_none()
    out = found_out(600).out
    assert re.search(r"records? committed without (its|their) outcome", out)
    assert "counted" not in out.partition("what does not balance")[2]


def test_a_dead_letter_about_the_wrong_record_is_found_out(breaking: Breaking) -> None:
    """Its number and its reason are right; its coordinate is not."""
    breaking.write_a_neighbour_aside()
    out = found_out(600).out
    assert "1 record committed without its outcome" in out
    assert "1 dead letter that should not be" in out


def test_offsets_that_are_never_committed_are_found_out(breaking: Breaking) -> None:
    """The group is asked, whatever the connector believes."""
    breaking.commit_nothing()
    assert "300 records not committed, from " in found_out().out


def test_a_commit_past_an_open_record_is_found_out(breaking: Breaking) -> None:
    """The worst of all: nobody will read that record again."""
    breaking.drop_a_record()
    breaking.commit_what_is_open()
    out = found_out().out
    assert "no record was settled in 4 s" in out
    assert f"1 record committed without its outcome: {breaking.coordinate}" in out


def test_a_halt_that_only_a_person_can_end_ends_the_run(breaking: Breaking) -> None:
    """At once, and says so."""
    breaking.halt_for_good()
    out = found_out(600).out
    assert "halted for good: dead_letter_flood" in out
    assert "no record was settled" not in out


def test_a_halt_that_nobody_mends_ends_the_run(breaking: Breaking) -> None:
    """A key may be rotated, so it is waited for; here nobody does."""
    breaking.have_a_wrong_key()
    assert "halted: auth" in found_out().out


def test_a_connector_that_ends_by_itself_is_reported_like_any_other(breaking: Breaking) -> None:
    """With its error in words, and what it left behind."""
    breaking.end_by_itself()
    out = found_out().out
    assert "the connector ended by itself: LookupError: a bug in judge" in out
    assert "records without their outcome" in out
