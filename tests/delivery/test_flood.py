"""A stream of dead letters is stopped; a few are not, however slow the vendor is."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.delivery.flood import SEEN_MIN, FloodGuard
from tests.examples import examples


def refuse(guard: FloodGuard) -> bool:
    """A record can't be decoded."""
    return guard.admit_refused("undecodable")


def reject(guard: FloodGuard) -> bool:
    """A record goes all the way to the vendor, which rejects it."""
    guard.mapped()
    return guard.admit_rejected("http_400")


def deliver(guard: FloodGuard) -> None:
    """A record goes all the way to the vendor, which takes it."""
    guard.mapped()
    guard.delivered()


@pytest.mark.parametrize("bad", [refuse, reject])
def test_a_stream_of_nothing_but_dead_letters_is_stopped_at_the_fiftieth(bad) -> None:  # type: ignore[no-untyped-def]  # either way of being bad
    """49 are too few to tell; the fiftieth stays open, and so does every one after it."""
    guard = FloodGuard(0.5, 200)
    assert [bad(guard) for _ in range(60)] == [True] * 49 + [False] * 11


def test_the_ratio_itself_is_allowed_and_the_record_beyond_it_is_not() -> None:
    """With 0.5, half may be dead letters."""
    guard = FloodGuard(0.5, 100)
    for _ in range(50):
        guard.skipped()
    assert [guard.admit_refused("undecodable") for _ in range(60)] == [True] * 50 + [False] * 10


def test_refused_and_rejected_records_add_up() -> None:
    """A third can't be mapped, and the vendor rejects half of the others: two thirds of all are lost."""

    def stops(guard: FloodGuard) -> bool:
        for count in range(1000):
            guard.mapped()
            guard.mapped()
            admitted = guard.admit_refused("undecodable") and (
                count % 2 == 0 or guard.admit_rejected("http_400")
            )
            if count % 2 == 0:
                guard.delivered()
            if not admitted:
                return True
        return False

    assert stops(FloodGuard(0.6, 300))
    assert not stops(FloodGuard(0.7, 300))


def test_old_records_leave_the_window() -> None:
    """Good times long ago do not pay for a flood now."""
    guard = FloodGuard(0.5, 100)
    for _ in range(10_000):
        deliver(guard)
    assert [guard.admit_refused("undecodable") for _ in range(52)] == [True] * 50 + [False] * 2
    guard = FloodGuard(0.5, 100)
    for _ in range(10_000):
        deliver(guard)
    assert [reject(guard) for _ in range(52)] == [True] * 50 + [False] * 2


def test_a_ratio_of_one_switches_it_off() -> None:
    """An operator may accept everything."""
    guard = FloodGuard(1.0, 50)
    assert all(guard.admit_refused("undecodable") and reject(guard) for _ in range(1000))


def test_a_slow_vendor_makes_no_flood_of_a_few_bad_records() -> None:
    """A fresh process reads a backlog of which every tenth record is broken, and no answer has come yet:
    that is a tenth, not all of what was decided."""
    guard = FloodGuard(0.5, 200)
    for count in range(5_000):
        if count % 10:
            guard.mapped()
        else:
            assert guard.admit_refused("undecodable")


def test_the_first_answer_is_no_flood() -> None:
    """Plenty was skipped, much is on its way, and the first answers are rejections: too few to tell."""
    guard = FloodGuard(0.5, 200)
    for _ in range(60):
        guard.skipped()
    for _ in range(140):
        guard.mapped()
    assert all(guard.admit_rejected("http_400") for _ in range(30))


@settings(max_examples=examples(150))
@given(
    fates=st.lists(st.sampled_from(["skip", "refuse", "deliver", "reject"]), max_size=400),
    ratio=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    window=st.integers(50, 120),
)
def test_a_dead_letter_is_admitted_exactly_up_to_the_ratio(
    fates: list[str], ratio: float, window: int
) -> None:
    """Checked against the definition, counted the slow way."""
    guard = FloodGuard(ratio, window)
    read: list[str] = []
    answers: list[str] = []
    decided = 0

    def share(read: list[str], answers: list[str]) -> float:
        last_read, last_answers = read[-window:], answers[-window:]
        rejected = last_answers.count("reject") / max(len(last_answers), SEEN_MIN)
        refused, mapped = last_read.count("refuse"), last_read.count("map")
        return (refused / len(last_read) + mapped / len(last_read) * rejected) if last_read else 0.0

    for fate in fates:
        match fate:
            case "skip":
                guard.skipped()
                read.append("skip")
            case "refuse":
                crosses = decided + 1 >= SEEN_MIN and share([*read, "refuse"], answers) > ratio
                assert guard.admit_refused("undecodable") is not crosses
                if crosses:
                    continue
                read.append("refuse")
            case "deliver":
                deliver(guard)
                read.append("map")
                answers.append("deliver")
            case "reject":
                read.append("map")
                crosses = decided + 1 >= SEEN_MIN and share(read, [*answers, "reject"]) > ratio
                assert reject(guard) is not crosses
                if crosses:
                    continue
                answers.append("reject")
        decided += 1


@pytest.mark.parametrize("bad", [0.1, 0.3, 0.45])
@pytest.mark.parametrize("delay", [0, 100, 3_000])
def test_below_the_ratio_nothing_ever_halts_whatever_the_delay(bad: float, delay: int) -> None:
    """Half of the bad ones can't be mapped, half are rejected by a vendor that is `delay` records late."""
    draw = Random(f"{bad} {delay}")
    guard = FloodGuard(0.75, 200)
    on_their_way: list[bool] = []
    for _ in range(20_000):
        is_bad = draw.random() < bad
        if is_bad and draw.random() < 0.5:
            assert guard.admit_refused("undecodable")
        else:
            guard.mapped()
            on_their_way.append(is_bad)
        if len(on_their_way) > delay:
            if on_their_way.pop(0):
                assert guard.admit_rejected("http_400")
            else:
                guard.delivered()


def test_a_halt_tells_how_many_why_which_record_and_what_to_do() -> None:
    """Who is called for it finds all of that in the one sentence, and need not look for the first record."""
    guard = FloodGuard(0.5, 200)
    for number in range(49):
        if number % 12 == 0:
            guard.skipped()
        else:
            assert guard.admit_refused("undecodable" if number % 7 == 0 else "invalid_event")
    assert not guard.admit_refused("undecodable")
    told = guard.told("orders:3:49", "undecodable")
    assert told.startswith("44 of the last 49 records (90%) read were refused before sending")
    assert "most often with invalid_event; orders:3:49 (undecodable)" in told
    assert "restart: it goes on there" in told
    assert "dead_letter.flood_ratio: 1 (now 0.5)" in told


def test_the_most_frequent_reason_is_one_of_the_window() -> None:
    """What was wrong long ago does not explain a flood now, and answers have their own count."""
    guard = FloodGuard(0.5, 50)
    for _ in range(10):
        assert guard.admit_rejected("http_400")
    for _ in range(200):
        deliver(guard)
    for _ in range(9):
        assert guard.admit_refused("undecodable")
    while reject(guard):
        pass
    told = guard.told("orders:0:7", "http_400")
    assert "9 of the last 50 records (18%) read were refused before sending and " in told
    assert "answered were rejected by the vendor, most often with http_400;" in told
    for _ in range(60):
        guard.delivered()
    assert "most often with undecodable;" in guard.told("orders:0:7", "http_400")
