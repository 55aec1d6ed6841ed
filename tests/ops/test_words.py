"""What a person is told."""

from __future__ import annotations

from typing import Any

import pytest

from connector.delivery.sender import HALT_PROBE_S
from connector.model.outcome import HALT_REASONS
from connector.ops import words

FILE = words.Key("/run/secrets/key", True, 0)
VARIABLE = words.Key("CONNECTOR_DESTINATION__API_KEY", False, 0)


def halted(reason: str, detail: str = "", key: words.Key = FILE, keys_refused: int = 1) -> words.Halted:
    return words.Halted(reason, detail, 1_767_225_600_999, key, keys_refused)


def test_every_halt_has_its_sentence() -> None:
    """One that says what to do, and no other; a refused key's is made of what is known of it."""
    assert words.HALTS.keys() | {"auth"} == HALT_REASONS
    assert "409" in words.halt(halted("http_409"), FILE)


def test_a_halt_says_what_it_goes_by() -> None:
    """The status that was answered, or how many would have been dead letters; or nothing."""
    assert ". The answer was 404 Not Found. It " in words.halt(halted("not_found", "404 Not Found"), FILE)
    assert words.halt(halted("dead_letter_flood", "the first one is"), FILE).endswith(". The first one is.")
    assert words.halt(halted("not_found"), FILE).startswith(words.HALTS["not_found"])


@pytest.mark.parametrize("reason", ["auth", "not_found", "http_402"])
def test_a_halt_that_may_end_by_itself_says_how_often_it_is_tried(reason: str) -> None:
    """A right that is granted, or an address that is back, needs nobody here; what wants a restart does."""
    assert f"every {HALT_PROBE_S:g} s" in words.halt(halted(reason), FILE)
    for last in ("dead_letter_flood", "offset_lost"):
        assert " s." not in words.halt(halted(last), FILE)


def test_a_refused_key_is_named_by_its_place_and_its_status_explained() -> None:
    """Without the key itself. A key that is wrong and one that lacks a right are mended differently, and a
    status that says neither is not explained."""
    wrong = words.halt(halted("auth", "401 Unauthorized"), FILE)
    assert "(401 Unauthorized), read from /run/secrets/key at 1970-01-01T00:00:00Z" in wrong
    assert "has expired" in wrong
    assert "lacks a right" not in wrong
    lacking = words.halt(halted("auth", "403 Forbidden"), FILE)
    assert "lacks a right" in lacking
    assert "has expired" not in lacking
    odd = words.halt(halted("auth", "400 Bad Request, invalid_api_key"), FILE)
    assert "So it" not in odd
    assert "(400 Bad Request, invalid_api_key)" in odd


def test_what_to_do_about_a_refused_key_depends_on_where_it_is() -> None:
    """A file is followed; a variable is read at the start alone."""
    assert "into that file: it is looked at every second" in words.halt(halted("auth"), FILE)
    fixed = words.halt(halted("auth", key=VARIABLE), VARIABLE)
    assert "into CONNECTOR_DESTINATION__API_KEY and restart" in fixed
    assert "every second" not in fixed


def test_another_key_is_told_while_it_is_tried_and_when_it_was_refused() -> None:
    """And what can be no key, as it will never be tried."""
    another = words.Key(FILE.place, True, 61_000)
    tried = words.halt(halted("auth"), another)
    assert "read from /run/secrets/key at 1970-01-01T00:00:00Z" in tried
    assert "Another key was read at 1970-01-01T00:01:01Z, and is being tried." in tried
    refused = words.halt(halted("auth", "401 Unauthorized", another, 2), another)
    assert "at 1970-01-01T00:01:01Z, was refused as well (401 Unauthorized)." in refused
    assert "being tried" not in refused
    empty = words.Key(FILE.place, True, 0, "the file is empty")
    assert "Now it gives none: the file is empty." in words.halt(halted("auth"), empty)


def test_what_paused_partitions_wait_for() -> None:
    """In a halt it is not the destination that must take more."""
    assert words.pause_ends(None, 1) == "One partition waits until the destination takes more."
    assert words.pause_ends("auth", 3) == "3 partitions wait for the end of the halt."


def test_the_next_probe() -> None:
    """None is one that is under way."""
    assert words.next_probe(12.4) == "next probe in 12 s"
    assert words.next_probe(0.2) == "next probe in 1 s"
    assert words.next_probe(0.0) == "the next batch is its probe"
    assert words.next_probe(None) == "a probe is under way"


def told(state: str, halt: words.Halted | None = None, **changes: Any) -> str:
    """The first sentence for a replica with two partitions and nothing to do, but for `changes`."""
    idle = {
        "silent_s": 0,
        "held": False,
        "needs_person": False,
        "waits": False,
        "partitions": 2,
        "lag": 0,
        "in_flight": 0,
    }
    return words.told(state, halt, FILE, **idle | changes)


@pytest.mark.parametrize(
    ("state", "halt_reason", "waits", "lag", "in_flight", "said"),
    [
        ("starting", None, False, 0, 0, "Joining"),
        ("running", None, False, 0, 0, "Everything"),
        ("running", None, False, None, 0, "Reading and delivering"),
        ("running", None, False, 10, 0, "Reading and delivering"),
        ("running", None, False, 0, 3, "Reading and delivering"),
        ("running", None, True, 10, 3, "waited for"),
        (
            "halted",
            "auth",
            True,
            10,
            3,
            "Nothing is sent since 2026-01-01T00:00:00Z. The destination refuses",
        ),
        ("stopping", "auth", True, 10, 3, "leaving the group"),
    ],
)
def test_the_first_sentence(
    state: str, halt_reason: str | None, waits: bool, lag: int | None, in_flight: int, said: str
) -> None:
    """As one would say it; that all is done only where that is known."""
    halt = halted(halt_reason) if halt_reason is not None else None
    assert said in told(state, halt, waits=waits, lag=lag, in_flight=in_flight)


@pytest.mark.parametrize(
    ("state", "halt_reason", "held", "said"),
    [
        ("running", None, False, "Kafka has not answered for 42 s"),
        ("running", None, False, "What was read is still delivered."),
        ("running", None, True, "What was read waits for the destination, which takes nothing now either."),
        ("starting", None, False, "Kafka has not answered for 42 s"),
        ("halted", "auth", True, "Nothing is sent since"),
        ("stopping", None, False, "leaving the group"),
    ],
)
def test_a_silent_kafka_comes_before_what_was_known_of_it(
    state: str, halt_reason: str | None, held: bool, said: str
) -> None:
    """Lag 0 was so when it was heard of last; a halt and a stop are ours. With the destination down as well,
    nothing is delivered."""
    halt = halted(halt_reason) if halt_reason is not None else None
    sentence = told(state, halt, silent_s=42.4, held=held, waits=True)
    assert said in sentence
    assert "Everything" not in sentence


@pytest.mark.parametrize(("state", "silent_s"), [("running", 42), ("stopping", 0)])
def test_that_a_person_is_needed_is_said_where_nothing_comes_before_it(state: str, silent_s: float) -> None:
    """A topic that is missing does not come by itself, nor does an offset that is lost."""

    def needing(state: str, silent_s: float) -> str:
        return told(state, silent_s=silent_s, needs_person=True, waits=True, lag=9, in_flight=1)

    assert "A person is needed" in needing("running", 0)
    assert "A person is needed" in needing("starting", 0)
    assert "by itself" not in needing("running", 0)
    assert "A person is needed" not in needing(state, silent_s)


def test_only_who_joins_a_group_is_said_to() -> None:
    """A replay and a side run join none, and wait for no session to end."""
    assert "joining the group: up to the session timeout (45 s)" in words.joining(45.0)
    assert "joining" not in words.joining(None)
    assert "the log says what is amiss" in words.joining(None)


def test_partitions_that_stand_still_are_named_as_far_as_a_sentence_bears() -> None:
    """With what is known of the first, and what to do."""
    one = words.standing_still(["orders:1"], "Kafka no longer has offset 5")
    assert one.startswith(
        "orders:1 stands still (Kafka no longer has offset 5). Decide with source.on_offset_lost"
    )
    many = words.standing_still([f"orders:{number}" for number in range(7)], "gone")
    assert many.startswith(
        "7 partitions stand still: orders:0, orders:1, orders:2, orders:3, orders:4, … (orders:0: gone)."
    )
    assert "orders:2 (" in words.standing_still(["orders:0", "orders:1", "orders:2"], "gone")


def test_no_partitions_has_three_reasons() -> None:
    """Only one of them is that others have them."""
    assert words.no_partitions(130.0, in_group=False) == "Not known: Kafka has not answered for 2 min."
    assert words.no_partitions(0.0, in_group=False) == "None yet: the group is being joined."
    assert words.no_partitions(0.0, in_group=True) == "None: other replicas have them all."
    idle = told("running", partitions=0)
    assert idle == "This replica has nothing to do: others of its group have all partitions."


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (119, "119 s"), (150, "2 min"), (7199, "120 min"), (86400, "24 h")]
)
def test_an_age_is_said_in_the_unit_that_fits(seconds: float, said: str) -> None:
    """Nobody counts the seconds of an hour."""
    assert words.age(seconds) == said
