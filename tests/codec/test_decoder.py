"""Records by their topic's format."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.codec import decoder as module
from connector.codec.answer import Undecodable
from connector.codec.avro_form import WriterSchema
from connector.codec.decoder import Decoder, NeedSchema, NotFound, Tombstone
from connector.codec.encode import encode_framed, encode_raw, record_of
from connector.codec.schemas import RECORDS, text
from connector.codec.wire import frame
from connector.model.event import ClickstreamEvent, Envelope, EventType, OrderEvent
from tests.codec.records import CLICK, NOW_MS, PURCHASE, Json, KnownSchemas, as_json, record, written
from tests.examples import examples
from tests.strategies import events, unknown_events

ORDERS, CLICKS, ALIEN, MISSING = 1, 2, 3, 4


def schemas() -> KnownSchemas:
    """Both of our schemas, a foreign one, and an id that the registry does not know."""
    return KnownSchemas(
        {
            ORDERS: WriterSchema(text("OrderEvent")),
            CLICKS: WriterSchema(text("ClickstreamEvent")),
            ALIEN: written({"type": "record", "name": "Payment", "fields": []}),
            MISSING: NotFound(),
        }
    )


def framed(event: Json) -> bytes:
    """An event as Confluent's serializers write it."""
    return encode_framed(ORDERS if record_of(event) == "OrderEvent" else CLICKS, event)


def decode(value: bytes | None, formats: str | dict[str, str] = "auto", topic: str = "topic") -> object:
    """A fresh decoder's answer."""
    return Decoder(formats, schemas()).decode(record(value, topic))


def refusal(answer: object) -> str:
    """The reason."""
    assert isinstance(answer, Undecodable), answer
    return answer.reason


FORMATS = ("auto", "avro", *(f"avro-raw:{name}" for name in RECORDS), "json")
ANY_FORMAT = Decoder({word: word for word in FORMATS}, schemas())
"""Shared by the property tests: a topic for each format, named like it."""


# ── formats ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("word", ["auto", "avro", "avro-raw:OrderEvent", "json"])
def test_no_value_is_a_tombstone_and_an_empty_one_is_not(word: str) -> None:
    """A deletion is nothing to deliver; zero bytes are a broken record."""
    assert decode(None, word) == Tombstone()
    assert refusal(decode(b"", word)) == "undecodable"


@pytest.mark.parametrize("blank", [b"", b" ", b"\n\t\r "])
def test_auto_looks_at_the_first_byte_of_each_record(blank: bytes) -> None:
    """Zero is framed Avro, a brace or a blank is JSON; both may stand in one topic."""
    both = Decoder("auto", schemas())
    for event in (CLICK, PURCHASE):
        assert both.decode(record(blank + as_json(event))) == both.decode(record(framed(event)))
    for other in (b"[]", b'"text"', b"\x01\x00\x00\x00\x01", b"\xef\xbb\xbf{}", b"\xff"):
        assert refusal(decode(other)) == "undecodable"


def test_a_stated_format_is_the_only_one() -> None:
    """JSON in an Avro topic is a mistake, and the other way round."""
    assert isinstance(decode(framed(CLICK), "avro"), ClickstreamEvent)
    assert isinstance(decode(as_json(CLICK), "json"), ClickstreamEvent)
    assert refusal(decode(as_json(CLICK), "avro")) == "undecodable"
    assert refusal(decode(framed(CLICK), "json")) == "undecodable"
    assert refusal(decode(framed(PURCHASE), "avro-raw:OrderEvent")) == "undecodable"


def test_raw_avro_is_read_by_the_shipped_schema() -> None:
    """No frame, no registry."""
    raw = Decoder("avro-raw:OrderEvent").decode(record(encode_raw("OrderEvent", PURCHASE)))
    assert raw == decode(as_json(PURCHASE))
    click = Decoder("avro-raw:ClickstreamEvent").decode(record(encode_raw("ClickstreamEvent", CLICK)))
    assert click == decode(as_json(CLICK))


def test_a_map_gives_each_topic_its_format() -> None:
    """An exact name before patterns, of those the first that matches, and auto where no key fits."""
    formats = {"^orders": "avro", "orders-raw": "avro-raw:OrderEvent", "^orders-j": "json", "clicks": "json"}
    raw = encode_raw("OrderEvent", PURCHASE)
    assert isinstance(decode(raw, formats, "orders-raw"), OrderEvent)
    assert isinstance(decode(framed(PURCHASE), formats, "orders-json"), OrderEvent)
    assert refusal(decode(framed(CLICK), formats, "clicks")) == "undecodable"
    assert isinstance(decode(framed(CLICK), formats, "clicks-too"), ClickstreamEvent)
    assert isinstance(decode(as_json(CLICK), formats, "my-orders"), ClickstreamEvent)


def test_a_format_that_cannot_be_is_an_error_at_the_start() -> None:
    """Settings refuse words before; here they must neither pass for another format nor wait for a record."""
    for word in ("Avro", "avro-raw", "avro-raw:", "avro-raw:Payment", "json:x", ""):
        with pytest.raises(ValueError, match="is not a format"):
            Decoder({"orders": word})
    with pytest.raises(re.error):
        Decoder({"^orders-(": "json"})


# ── schemas by id ────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_id_is_asked_for_and_then_read() -> None:
    """The record waits; the same record is an event once the schema is there."""
    known = schemas()
    patient = Decoder("avro", known)
    value = encode_framed(77, CLICK)
    assert patient.decode(record(value)) == NeedSchema(77)
    assert patient.decode(record(value)) == NeedSchema(77)
    known.known[77] = WriterSchema(text("ClickstreamEvent"))
    assert isinstance(patient.decode(record(value)), ClickstreamEvent)


def test_a_schema_is_looked_up_once() -> None:
    """From then on it costs a dict lookup; topics share it."""
    known = schemas()
    shared = Decoder("avro", known)
    for topic in ("a", "b", "a"):
        shared.decode(record(framed(CLICK), topic))
        shared.decode(record(frame(ALIEN, b""), topic))
    assert known.asked == [CLICKS, ALIEN]


def test_an_id_that_does_not_exist_is_not_remembered() -> None:
    """The registry's negative cache decides for how long."""
    known = schemas()
    forgetful = Decoder("avro", known)
    value = record(encode_framed(MISSING, CLICK))
    assert refusal(forgetful.decode(value)) == "unknown_schema"
    known.known[MISSING] = WriterSchema(text("ClickstreamEvent"))
    assert isinstance(forgetful.decode(value), ClickstreamEvent)


def test_a_schema_that_does_not_fit_makes_dead_letters_that_say_so() -> None:
    """With its id, so that somebody finds it in the registry."""
    answer = decode(frame(ALIEN, b""))
    assert isinstance(answer, Undecodable)
    assert answer.reason == "undecodable"
    assert answer.detail.startswith("schema 3: ")


def test_without_a_registry_framed_avro_is_an_unknown_schema() -> None:
    """It never waits for a registry that nobody configured."""
    assert refusal(Decoder("auto").decode(record(framed(CLICK)))) == "unknown_schema"


def test_readers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new schema every minute for years fills no memory; what was pushed out comes back."""
    monkeypatch.setattr(module, "READERS_MAX", 3)
    known = KnownSchemas(dict.fromkeys(range(10), WriterSchema(text("ClickstreamEvent"))))
    bounded = Decoder("avro", known)
    for number in (*range(10), 0):
        assert isinstance(bounded.decode(record(encode_framed(number, CLICK))), ClickstreamEvent)
        assert len(bounded._by_schema) <= 3
    assert known.asked == [*range(10), 0]


# ── any event ────────────────────────────────────────────────────────────────────────────────────


@settings(
    max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(events())
def test_both_forms_of_an_event_are_the_same_event(event: Json) -> None:
    """Whatever a valid event holds, JSON, framed and raw Avro give equal Structs."""
    from_json = decode(as_json(event))
    assert isinstance(from_json, OrderEvent | ClickstreamEvent)
    assert ANY_FORMAT.decode(record(framed(event), "avro")) == from_json
    name = record_of(event)
    assert ANY_FORMAT.decode(record(encode_raw(name, event), f"avro-raw:{name}")) == from_json
    assert from_json.event_id == event["event_id"].lower()


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(unknown_events())
def test_an_unknown_type_is_its_envelope_in_every_form(event: Json) -> None:
    """Whatever its groups hold."""
    answer = decode(as_json(event))
    assert isinstance(answer, ClickstreamEvent)
    assert answer == ClickstreamEvent(
        **{name: getattr(answer, name) for name in Envelope.__struct_fields__ if name != "event_type"},
        event_type=EventType.unknown,
    )


@settings(max_examples=examples(300))
@given(st.binary(max_size=60), st.sampled_from(FORMATS))
def test_random_bytes_never_break_the_decoder(noise: bytes, word: str) -> None:
    """In any format and behind any frame: a reason, and the next record is decoded."""
    for value in (noise, frame(ORDERS, noise), frame(CLICKS, noise), b"{" + noise):
        assert isinstance(ANY_FORMAT.decode(record(value, word)), Undecodable | NeedSchema)


def test_a_record_gives_the_same_answer_whatever_came_before() -> None:
    """Caches and guesses change the price, never the answer."""
    values = [
        as_json(CLICK),
        as_json(PURCHASE),
        framed(CLICK),
        framed(PURCHASE),
        b"\xff",
        None,
        frame(ALIEN, b""),
    ]
    draw = random.Random(NOW_MS)
    shared = Decoder("auto", schemas())
    for value in draw.choices(values, k=200):
        assert shared.decode(record(value)) == decode(value)
