"""Avro data of our own, older, newer and wrong schemas."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.codec.answer import Undecodable
from connector.codec.avro_form import AvroReader, Unreadable, WriterSchema, reader, shipped_reader
from connector.codec.encode import encode_raw
from connector.codec.resolution import plain
from connector.codec.schemas import RECORDS, RecordName, schema, text
from connector.model.event import EPOCH_MS_MAX, Channel, ClickstreamEvent, EventType, OrderEvent
from tests.codec.records import CLICK, EVENT_ID, NOW_MS, PURCHASE, Json, changed, written
from tests.examples import examples


def datum(definition: Any, value: Json) -> bytes:
    """What a producer with this schema writes."""
    stream = BytesIO()
    schemaless_writer(stream, parse_schema(plain(definition, frozenset({"logicalType", "default"}))), value)
    return stream.getvalue()


def read_as(definition: Any, value: Json) -> Any:
    """What becomes of a producer's event."""
    able = reader(written(definition))
    assert isinstance(able, AvroReader), able
    return able.read(datum(definition, value))


SHIPPED = {name: shipped_reader(name) for name in RECORDS}


def refusal(answer: object) -> tuple[str, str]:
    """Reason and path."""
    assert isinstance(answer, Undecodable), answer
    return answer.reason, answer.detail.partition(":")[0]


# ── our own schema ───────────────────────────────────────────────────────────────────────────────


def test_times_stay_numbers() -> None:
    """A datetime per event would cost more than the whole event."""
    event = SHIPPED["OrderEvent"].read(encode_raw("OrderEvent", PURCHASE))
    assert isinstance(event, OrderEvent)
    assert type(event.occurred_at) is type(event.order.created_at) is int
    assert event.occurred_at == event.order.created_at == NOW_MS


def test_a_datum_may_begin_anywhere() -> None:
    """After the five bytes of a frame, without copying the value."""
    value = encode_raw("ClickstreamEvent", CLICK)
    click = SHIPPED["ClickstreamEvent"]
    assert click.read(b"?????" + value, 5) == click.read(value)


@pytest.mark.parametrize("record", RECORDS)
def test_every_cut_of_a_datum_is_undecodable(record: RecordName) -> None:
    """A datum that breaks off anywhere, or goes on, is no datum."""
    value = encode_raw(record, PURCHASE if record == "OrderEvent" else CLICK)
    able = SHIPPED[record]
    assert not isinstance(able.read(value), Undecodable)
    for end in range(len(value)):
        assert refusal(able.read(value[:end]))[0] == "undecodable"
    assert refusal(able.read(value + b"\x00"))[0] == "undecodable"


def test_an_id_in_upper_case_is_kept_in_lower_case() -> None:
    """As in JSON."""
    value = encode_raw("ClickstreamEvent", {**CLICK, "event_id": EVENT_ID.upper()})
    event = SHIPPED["ClickstreamEvent"].read(value)
    assert isinstance(event, ClickstreamEvent)
    assert event.event_id == EVENT_ID


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({**CLICK, "event_id": "not a uuid"}, "$.event_id"),
        ({**CLICK, "occurred_at": EPOCH_MS_MAX + 1}, "$.occurred_at"),
        ({**CLICK, "occurred_at": -(2**63)}, "$.occurred_at"),
        ({**CLICK, "utc_offset_minutes": 2**31}, "$.utc_offset_minutes"),
        ({**CLICK, "items": [{}, {"quantity": float("nan")}]}, "$.items[1].quantity"),
        ({**CLICK, "items": [{"quantity": float("-inf")}]}, "$.items[0].quantity"),
        ({**CLICK, "cart": {"items": [{"quantity": float("inf")}]}}, "$.cart.items[0].quantity"),
        ({**PURCHASE, "order": {"order_id": "o", "updated_at": EPOCH_MS_MAX + 1}}, "$.order.updated_at"),
    ],
)
def test_the_rules_of_the_form_hold_in_avro_too(event: Json, path: str) -> None:
    """What bytes can say and the canonical form can't: with the path, as in JSON."""
    record: RecordName = "OrderEvent" if "order" in event else "ClickstreamEvent"
    assert refusal(SHIPPED[record].read(encode_raw(record, event))) == ("invalid_event", path)


def test_an_event_type_of_the_other_record_is_invalid() -> None:
    """A click in an order's record is a producer's mistake, not a click."""
    order = {**PURCHASE, "event_type": "click"}
    assert refusal(SHIPPED["OrderEvent"].read(encode_raw("OrderEvent", order))) == (
        "invalid_event",
        "$.event_type",
    )
    click = {**CLICK, "event_type": "order_created"}
    assert refusal(SHIPPED["ClickstreamEvent"].read(encode_raw("ClickstreamEvent", click))) == (
        "invalid_event",
        "$.event_type",
    )


@pytest.mark.parametrize("record", RECORDS)
def test_an_unknown_type_is_its_envelope_in_either_record(record: RecordName) -> None:
    """Even where its groups would break the rules of the form: nobody reads them."""
    event = {
        **(PURCHASE if record == "OrderEvent" else CLICK),
        "event_type": "order_teleported",
        "items": [{"quantity": float("nan")}],
        "channel": "app",
    }
    assert SHIPPED[record].read(encode_raw(record, event)) == ClickstreamEvent(
        event_id=EVENT_ID, event_type=EventType.unknown, occurred_at=NOW_MS, channel=Channel.app
    )


# ── producers of other versions ──────────────────────────────────────────────────────────────────

TIME = {"type": "long", "logicalType": "timestamp-millis"}
WORDS = {"type": "enum", "name": "EventType", "symbols": ["click", "teleport"]}
FULL = {**CLICK, "utc_offset_minutes": 60}


def small(**changes: Any) -> Json:
    """The least a click's schema may hold, with changes; a field of None is left out."""
    types = {"event_id": "string", "event_type": WORDS, "occurred_at": TIME, **changes}
    fields = [{"name": name, "type": kind} for name, kind in types.items() if kind is not None]
    return {"type": "record", "name": "ClickstreamEvent", "namespace": "shop", "fields": fields}


SMALL: Json = {"event_id": EVENT_ID, "event_type": "click", "occurred_at": NOW_MS}


def test_an_older_producer_leaves_fields_out() -> None:
    """What it did not know yet has its default."""
    older = changed(
        "ClickstreamEvent", {}, without=("utc_offset_minutes", "page", "items", "cart", "consent")
    )
    click = read_as(older, FULL)
    assert (click.utc_offset_minutes, click.page, click.items, click.consent) == (0, None, None, None)
    assert click.user.customer_id == "c-1"


def test_a_newer_producer_adds_fields() -> None:
    """Wherever they stand and whatever is in them; the next field is still found."""
    news = {"type": "array", "items": {"type": "map", "values": ["null", "double"]}}
    newer = changed("ClickstreamEvent", {"news": news, "user": ["null", schema_of_user("nickname")]})
    value = {**FULL, "news": [{"a": 1.0, "b": None}], "user": {"customer_id": "c-1", "nickname": "jo"}}
    click = read_as(newer, value)
    assert click.user.customer_id == "c-1"
    assert click.page.type == "search"


def schema_of_user(extra: str) -> Json:
    """A user with one field that we do not know."""
    names = ("customer_id", extra)
    return {"type": "record", "name": "User", "fields": [{"name": each, "type": "string"} for each in names]}


def test_a_newer_producer_knows_more_words() -> None:
    """They are read as the enum's default; a new event type as its envelope."""
    pages = {"type": "enum", "name": "PageType", "symbols": ["moon", "home"]}
    page = {"type": "record", "name": "Page", "fields": [{"name": "type", "type": pages}]}
    assert read_as(small(page=page), {**SMALL, "page": {"type": "moon"}}).page.type == "other"
    assert read_as(small(page=page), {**SMALL, "page": {"type": "home"}}).page.type == "home"
    teleport = read_as(small(page=page), {**SMALL, "event_type": "teleport", "page": {"type": "home"}})
    assert (teleport.event_type, teleport.page) == ("unknown", None)


@pytest.mark.parametrize(("wide", "narrow"), [("long", "int"), ("double", "int"), ("double", "float")])
def test_smaller_numbers_of_a_producer_are_promoted(wide: str, narrow: str) -> None:
    """int where we have long, int or float where we have double."""
    name = "unit_price_micros" if wide == "long" else "quantity"
    item = {"type": "record", "name": "Line", "fields": [{"name": name, "type": narrow}]}
    click = read_as(small(items={"type": "array", "items": item}), {**SMALL, "items": [{name: 3}]})
    value = getattr(click.items[0], name)
    assert value == 3
    assert type(value) is (int if wide == "long" else float)


def test_an_int_of_a_producer_that_is_longer_than_32_bits_is_invalid() -> None:
    """The bytes can hold it, the type can't."""
    item = {"type": "record", "name": "Line", "fields": [{"name": "position", "type": "int"}]}
    lines = small(items={"type": "array", "items": item})
    for position in (2**31, -(2**31) - 1):
        click = read_as(lines, {**SMALL, "items": [{"position": 1}, {"position": position}]})
        assert refusal(click) == ("invalid_event", "$.items[1].position")


def test_a_required_field_may_be_nullable_at_the_producer() -> None:
    """Then it is the data that tells: null is missing."""
    nullable = small(event_id=["null", "string"])
    assert read_as(nullable, SMALL).event_id == EVENT_ID
    assert refusal(read_as(nullable, {**SMALL, "event_id": None})) == ("invalid_event", "$.event_id")


def test_an_event_type_of_a_strange_type_is_invalid() -> None:
    """A union can hold anything; it is still one event that is wrong."""
    strange = small(event_type=["null", WORDS, schema_of_user("nickname")])
    assert refusal(read_as(strange, {**SMALL, "event_type": None})) == ("invalid_event", "$.event_type")
    nested = {**SMALL, "event_type": {"customer_id": "a", "nickname": "b"}}
    assert refusal(read_as(strange, nested)) == ("invalid_event", "$.event_type")


@pytest.mark.parametrize("name", ["OrderEvent", "ClickstreamEvent"])
def test_the_name_or_an_alias_tells_the_record(name: RecordName) -> None:
    """In whatever namespace the producer puts it."""
    for named in (
        {"name": name, "namespace": "shop.events"},
        {"name": f"shop.{name}"},
        {"name": "Shop", "aliases": [f"old.{name}"]},
        {"name": "Shop", "namespace": "x", "aliases": [name]},
    ):
        able = reader(written({**schema(name), "namespace": "commerce.v1", **named}))
        assert isinstance(able, AvroReader)
        assert able.record == name


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ("string", "neither"),
        (["null", "string"], "neither"),
        ({"type": "enum", "name": "OrderEvent", "symbols": ["a"]}, "neither"),
        ({**schema("OrderEvent"), "name": "Payment"}, "neither"),
        (small(event_id=None), "$.event_id: missing"),
        (small(event_id="int"), "$.event_id: int where string is needed"),
        (small(occurred_at="string"), "$.occurred_at: string where long is needed"),
        (small(occurred_at={"type": "long", "logicalType": "timestamp-micros"}), "timestamp-micros"),
        (changed("OrderEvent", {}, without=("order",)), "$.order: missing"),
        (
            small(tree={"type": "record", "name": "T", "fields": [{"name": "t", "type": ["null", "T"]}]}),
            "itself",
        ),
        ({"type": "record", "name": "OrderEvent", "fields": [{"name": "a", "type": "Nope"}]}, "valid"),
        ({"type": "record", "name": "OrderEvent", "fields": 5}, "valid"),
        ({"type": "record", "name": "OrderEvent"}, "missing"),
        ({"type": "record"}, "valid"),
        ({}, "valid"),
        (None, "valid"),
        (5, "valid"),
        ([], "neither"),
    ],
)
def test_a_schema_that_does_not_fit_says_why(definition: Any, why: str) -> None:
    """Its records are dead letters, and somebody has to know what to change."""
    answer = reader(written(definition))
    assert isinstance(answer, Unreadable)
    assert why in answer.detail


@pytest.mark.parametrize(
    "broken", [WriterSchema("{"), WriterSchema("[" * 100_000), WriterSchema("message A {}", kind="PROTOBUF")]
)
def test_a_schema_in_another_language_is_unreadable(broken: WriterSchema) -> None:
    """A registry holds other kinds too."""
    assert isinstance(reader(broken), Unreadable)


def test_defaults_that_break_the_rules_do_not_matter() -> None:
    """Old Java libraries let producers register such schemas, and their data is good."""
    definition = small(note=["null", "string"])
    definition["fields"][-1]["default"] = 5
    assert read_as(definition, {**SMALL, "note": None}).event_id == EVENT_ID


def test_a_schema_may_be_spread_over_others() -> None:
    """References are texts of their own, each after those it needs."""
    line = {"type": "record", "name": "Line", "namespace": "shop", "fields": [{"name": "sku", "type": "Sku"}]}
    sku = {
        "type": "record",
        "name": "Sku",
        "namespace": "shop",
        "fields": [{"name": "code", "type": "string"}],
    }
    whole = small(lines={"type": "array", "items": "shop.Line"})
    texts = [msgspec.json.encode(each).decode() for each in (sku, line, whole)]
    able = reader(WriterSchema(texts[2], (texts[0], texts[1])))
    assert isinstance(able, AvroReader)
    value = datum(
        small(lines={"type": "array", "items": {**line, "fields": [{"name": "sku", "type": sku}]}}),
        {**SMALL, "lines": [{"sku": {"code": "c"}}]},
    )
    event = able.read(value)
    assert isinstance(event, ClickstreamEvent)
    assert isinstance(reader(WriterSchema(texts[2])), Unreadable)


def test_we_read_what_avros_own_resolution_reads() -> None:
    """Against fastavro with writer and reader schema: the same event from an older and a newer producer."""
    pages = {"type": "enum", "name": "PageType", "symbols": ["moon", "home"]}
    page = {
        "type": "record",
        "name": "Page",
        "fields": [{"name": "type", "type": pages}, {"name": "n", "type": "int"}],
    }
    producers = [
        (changed("ClickstreamEvent", {}, without=("page", "items", "cart")), FULL),
        (changed("ClickstreamEvent", {"page": ["null", page]}), {**FULL, "page": {"type": "moon", "n": 1}}),
        (
            changed("ClickstreamEvent", {"occurred_at": "int", "note": "string"}),
            {**FULL, "occurred_at": 7, "note": ""},
        ),
    ]
    ours = parse_schema(plain(schema("ClickstreamEvent"), frozenset({"logicalType"})))
    for definition, value in producers:
        theirs = parse_schema(plain(definition, frozenset({"logicalType"})))
        resolved = schemaless_reader(BytesIO(datum(definition, value)), theirs, ours)
        assert read_as(definition, value) == msgspec.convert(resolved, ClickstreamEvent)


# ── bytes that are no datum ──────────────────────────────────────────────────────────────────────


def test_text_that_is_not_utf8_is_undecodable() -> None:
    """Lone surrogates included."""
    good = encode_raw("ClickstreamEvent", {**CLICK, "user": {"first_name": "abc"}})
    for text_bytes in (b"\xff\xfe\xfd", b"\xed\xa0\x80"):
        damaged = good.replace(b"\x06abc", b"\x06" + text_bytes)
        assert damaged != good
        assert refusal(SHIPPED["ClickstreamEvent"].read(damaged))[0] == "undecodable"


@pytest.mark.parametrize("length", [2**40, 2**62, -1, -(2**62)])
def test_a_length_that_lies_costs_no_memory(length: int) -> None:
    """The first field claims more bytes than there are."""
    number = (length << 1) ^ (length >> 63)
    claim = bytearray()
    while number > 0x7F:
        claim.append(number & 0x7F | 0x80)
        number >>= 7
    claim.append(number)
    assert refusal(SHIPPED["OrderEvent"].read(bytes(claim) + b"abc"))[0] == "undecodable"


@settings(max_examples=examples(300))
@given(st.sampled_from(RECORDS), st.binary(max_size=80))
def test_random_bytes_never_break_the_reader(record: RecordName, noise: bytes) -> None:
    """Too short for an event, so never one; behind a valid beginning they may be."""
    able = SHIPPED[record]
    assert isinstance(able.read(noise), Undecodable)
    good = encode_raw(record, PURCHASE if record == "OrderEvent" else CLICK)
    answer = able.read(good[:40] + noise)
    assert isinstance(answer, OrderEvent | ClickstreamEvent | Undecodable)


@settings(max_examples=examples(300))
@given(st.sampled_from(RECORDS), st.integers(0, 500), st.binary(min_size=1, max_size=9))
def test_a_flipped_byte_never_breaks_the_reader(record: RecordName, place: int, noise: bytes) -> None:
    """Damage in the middle gives another event or a reason, never an exception."""
    good = encode_raw(record, PURCHASE if record == "OrderEvent" else CLICK)
    place %= len(good)
    answer = SHIPPED[record].read(good[:place] + noise + good[place + len(noise) :])
    assert isinstance(answer, OrderEvent | ClickstreamEvent | Undecodable)


def test_no_value_is_ever_quoted() -> None:
    """Details reach dead letters and screens."""
    secret = "jo@example.com"
    values = [
        {**CLICK, "event_id": secret},
        {**CLICK, "user": {"email": secret}, "items": [{"quantity": float("nan"), "name": secret}]},
    ]
    able = SHIPPED["ClickstreamEvent"]
    answers = [able.read(encode_raw("ClickstreamEvent", value)) for value in values]
    answers += [
        able.read(encode_raw("ClickstreamEvent", {**CLICK, "user": {"email": secret}}) + secret.encode())
    ]
    for answer in answers:
        assert isinstance(answer, Undecodable)
        assert secret not in answer.detail


def test_the_schema_texts_are_what_is_read() -> None:
    """A producer that registers what `schema show` prints is read."""
    for record in RECORDS:
        able = reader(WriterSchema(text(record)))
        assert isinstance(able, AvroReader)
        assert able.record == record
