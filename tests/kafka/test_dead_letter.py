"""A dead letter holds the record as read and why; what is written can be read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.kafka.dead_letter import (
    COORDINATE_HEADERS,
    REPLAYS,
    TEXT_BYTES_MAX,
    Context,
    DeadLetters,
    Forms,
    Letter,
    TicketForms,
    parse,
    rfc3339,
)
from connector.model.item import Rejection, Ticket
from connector.model.record import Lease, Record
from tests.examples import examples

FAILED_AT = "2026-11-21T10:00:00.000Z"
Headers = tuple[tuple[str, bytes | None], ...]


def plain(text: str) -> str:
    return text


def context(redact: Callable[[str], str] = plain) -> Context:
    return Context("promoted", "commerce-connector-promoted", "5e771465", redact)


def ticket(
    *rejections: Rejection, headers: Headers = (), key: bytes | None = b"k", value: bytes | None = b"v"
) -> Ticket:
    record = Record(Lease("orders", 3, 9), 42, 1_763_719_200_000, key, value, headers)
    return Ticket(
        record, event_id="e-1", event_type="click", rejections=rejections or (Rejection("undecodable"),)
    )


def first(one: Ticket, redact: Callable[[str], str] = plain) -> Letter:
    return TicketForms(one, context(redact), FAILED_AT)[0]


def texts(letter: Letter) -> dict[str, str]:
    return {name: value.decode() for name, value in letter.headers if value is not None}


def test_every_header_has_its_fixed_name() -> None:
    """Operators and existing tools read these names; a changed one breaks their filters."""
    refused = Rejection("vendor_rejected", "items.0: no price", 422, b'{"why":"no price"}', "i-2", 3)
    assert texts(first(ticket(refused))) == {
        "__connect.errors.topic": "orders",
        "__connect.errors.partition": "3",
        "__connect.errors.offset": "42",
        "__connect.errors.connector.name": "commerce-connector-promoted",
        "__connect.errors.task.id": "0",
        "__connect.errors.stage": "TASK_PUT",
        "__connect.errors.exception.class.name": "connector.vendor_rejected",
        "__connect.errors.exception.message": "vendor_rejected: items.0: no price",
        "connector.destination": "promoted",
        "connector.reason": "vendor_rejected",
        "connector.event_id": "e-1",
        "connector.event_type": "click",
        "connector.response_status": "422",
        "connector.response_body": '{"why":"no price"}',
        "connector.attempts": "3",
        "connector.items": '["i-2"]',
        "connector.failed_at": FAILED_AT,
        "connector.replays": "0",
        "connector.settings": "5e771465",
    }


def test_the_record_is_as_read() -> None:
    """Key, value and headers byte for byte, the odd ones too: repeated names, no value, another's errors."""
    headers: Headers = (("a", b"\xff"), ("a", None), ("__connect.errors.topic", b"elsewhere"), ("", b""))
    letter = first(ticket(headers=headers, key=None, value=b"\x00\xff"))
    assert (letter.key, letter.value) == (None, b"\x00\xff")
    assert letter.headers[: len(headers)] == headers
    read = parse(letter.headers)
    assert read is not None
    assert read.source_headers == headers
    assert read.topic == "orders"


def test_what_is_not_known_is_left_out() -> None:
    """Bytes that did not decode have no event id, and without a request there is no answer."""
    one = ticket(Rejection("undecodable", "byte 0"))
    one.event_id = one.event_type = ""
    found = texts(first(one))
    absent = {"event_id", "event_type", "response_status", "response_body"}
    assert not absent & {name.removeprefix("connector.") for name in found}
    read = parse(first(one).headers)
    assert read is not None
    assert (read.event_id, read.event_type, read.response_status, read.response_body) == (
        None,
        None,
        None,
        "",
    )


def test_the_stage_is_kafka_connects_word() -> None:
    """Decoding, mapping, sending: tools group dead letters by it."""
    found = [
        texts(first(ticket(rejection)))["__connect.errors.stage"]
        for rejection in (
            Rejection("unknown_schema"),
            Rejection("invalid_price"),
            Rejection("http_409", status=409),
            Rejection("vendor_rejected_5xx", attempts=8),
        )
    ]
    assert found == ["VALUE_CONVERTER", "TRANSFORMATION", "TASK_PUT", "TASK_PUT"]


def test_all_refused_items_are_named() -> None:
    """A replay sends just those, so a missing one would be lost and one too many sent twice."""
    one = ticket(Rejection("vendor_rejected", item_id="a"), Rejection("http_413", item_id='b"', attempts=4))
    found = texts(first(one))
    assert json.loads(found["connector.items"]) == ["a", 'b"']
    assert found["connector.reason"] == "vendor_rejected"
    assert found["connector.attempts"] == "4"


def test_credentials_are_taken_out_before_the_cut() -> None:
    """A secret that the cut would halve is one that nobody could recognise any more."""
    secret = "s3cr3t-key"
    body = b"x" * (TEXT_BYTES_MAX - 4) + secret.encode()
    one = ticket(Rejection("vendor_rejected", f"key {secret} is wrong", 400, body))
    found = texts(first(one, lambda text: text.replace(secret, "*")))
    assert "s3cr" not in "".join(found.values())
    assert found["connector.response_body"].endswith("x*")


@pytest.mark.parametrize("shift", range(4))
def test_texts_are_cut_between_characters(shift: int) -> None:
    """At most 1 KB each, and always readable."""
    text = "a" * shift + "😀" * 1000
    found = texts(first(ticket(Rejection("vendor_rejected", text, 400, text.encode()))))
    body, message = found["connector.response_body"], found["__connect.errors.exception.message"]
    assert text.startswith(body)
    assert f"vendor_rejected: {text}".startswith(message)
    for each in (body, message):
        assert TEXT_BYTES_MAX - 4 < len(each.encode()) <= TEXT_BYTES_MAX


def test_a_replay_is_counted_and_leaves_no_mark_of_its_own() -> None:
    """A letter that comes again says how often, and its record is still as the source has it."""
    headers: Headers = (("trace", b"1"), (REPLAYS, b"2"))
    read = parse(first(ticket(headers=headers)).headers)
    assert read is not None
    assert read.replays == 2
    assert read.source_headers == (("trace", b"1"),)


@pytest.mark.parametrize(
    "headers",
    [
        ((REPLAYS, b"9" * 5000),),
        ((REPLAYS, b"two"),),
        ((REPLAYS, None),),
        ((REPLAYS, b"2"), ("trace", b"1")),
    ],
)
def test_a_header_that_no_replay_wrote_is_the_records_own(headers: Headers) -> None:
    """Anything may stand in a source record: it is kept as read, counts for nothing and breaks nothing."""
    read = parse(first(ticket(headers=headers)).headers)
    assert read is not None
    assert read.replays == 0
    assert read.source_headers == headers


def test_the_smallest_form_is_small_whatever_was_refused() -> None:
    """A record that fits in no form would hold its partition for ever."""
    refused = [Rejection("vendor_rejected", "w" * 5000, 422, b"w" * 5000, f"{n}" * 20) for n in range(5000)]
    one = ticket(*refused, headers=(("h", b"x" * 100_000),), key=b"k" * 100_000, value=b"v" * 100_000)
    forms = TicketForms(one, context(), FAILED_AT)
    sizes = [forms[number].size for number in range(len(forms))]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 4096
    read = parse(forms[len(forms) - 1].headers)
    assert read is not None
    assert (read.items, read.value_omitted) == ((), "value, key, headers and items")


def test_smaller_forms_say_what_they_left_out() -> None:
    """A topic may find a letter too large; the source still has the record, and the hash proves which."""
    value = b"v" * 5000
    one = ticket(headers=(("h", b"x"),), value=value)
    forms = TicketForms(one, context(), FAILED_AT)
    full, without_value, bare, without_items = (forms[number] for number in range(len(forms)))
    assert full.value == value
    assert (without_value.key, without_value.value) == (b"k", None)
    assert without_value.headers[0] == ("h", b"x")
    assert (bare.key, bare.value) == (None, None)
    digest = hashlib.sha256(value).hexdigest()
    for letter, omitted in ((without_value, "value"), (bare, "value, key and headers")):
        found = texts(letter)
        assert (found["connector.value_omitted"], found["connector.value_sha256"]) == (omitted, digest)
        read = parse(letter.headers)
        assert read is not None
        assert (read.value_omitted, read.value_sha256, read.coordinate) == (omitted, digest, "orders:3:42")
    assert "connector.value_omitted" not in texts(full)
    assert bare.headers[0][0] == without_items.headers[0][0] == COORDINATE_HEADERS[0]
    assert ("connector.items" in texts(bare), "connector.items" in texts(without_items)) == (True, False)


@given(
    st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=5),
    st.text(max_size=20),
    st.integers(0, 20),
    st.lists(st.text(max_size=8), max_size=4),
)
@settings(max_examples=examples(100), deadline=None)
def test_what_is_written_is_read_back(
    headers: list[tuple[str, bytes | None]], detail: str, attempts: int, items: list[str]
) -> None:
    """Listing and replay see exactly what was known when it failed."""
    refused = [Rejection("http_409", detail, 409, b"no", item, attempts) for item in items]
    one = ticket(
        *(refused or [Rejection("http_409", detail, 409, b"no", attempts=attempts)]), headers=tuple(headers)
    )
    read = parse(first(one).headers)
    assert read is not None
    assert (read.items, read.attempts, read.response_status) == (tuple(items), attempts, 409)
    assert (read.destination, read.failed_at, read.settings) == ("promoted", FAILED_AT, "5e771465")
    assert read.message == (f"http_409: {detail}" if detail else "http_409")
    assert read.source_headers == tuple(headers)


def test_what_is_not_ours_is_not_read() -> None:
    """A dead-letter topic may be shared; other connectors' letters and broken ones are passed over."""
    ours = first(ticket()).headers
    assert parse(()) is None
    assert parse((("__connect.errors.topic", b"orders"), ("__connect.errors.offset", b"1"))) is None
    broken = tuple((name, b"x" if name == "__connect.errors.offset" else value) for name, value in ours)
    assert parse(broken) is None


def test_dead_letters_settle_when_written_and_not_before() -> None:
    """The record stays open until Kafka has the letter."""

    class Slow:
        def write(self, topic: str, forms: Forms, done: Callable[[], None]) -> None:
            self.topic, self.letter, self.done = topic, forms[0], done

    slow, written = Slow(), []
    dead_letters = DeadLetters("dead", context(), slow, lambda: 1_763_719_200_123)
    dead_letters.write(ticket(), lambda: written.append(True))
    assert (slow.topic, written) == ("dead", [])
    assert texts(slow.letter)["connector.failed_at"] == "2025-11-21T10:00:00.123Z"
    slow.done()
    assert written == [True]


def test_times_are_utc_with_milliseconds() -> None:
    """RFC 3339, whatever the machine's zone."""
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
