"""The JSON form: what is read, what is refused, and with which word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.codec.answer import Undecodable
from connector.codec.json_form import JsonReader
from connector.model.event import EPOCH_MS_MAX, EPOCH_MS_MIN, ClickstreamEvent, Event, OrderEvent
from tests.codec.records import CLICK, EVENT_ID, NOW_MS, PURCHASE, Json, as_json
from tests.examples import examples


def read(value: bytes | Json) -> Event | Undecodable:
    """A fresh reader's answer."""
    return JsonReader().read(value if isinstance(value, bytes) else as_json(value))


def event(value: bytes | Json) -> Any:
    """An event's attributes, for tests that expect one."""
    answer = read(value)
    assert not isinstance(answer, Undecodable), answer
    return answer


def refusal(value: bytes | Json) -> tuple[str, str]:
    """Reason and path."""
    answer = read(value)
    assert isinstance(answer, Undecodable), answer
    return answer.reason, answer.detail.partition(":")[0]


# ── what is read ─────────────────────────────────────────────────────────────────────────────────


def test_the_event_type_decides_the_record() -> None:
    """Wherever it stands in the text, and whatever the topic carried before."""
    assert type(event(CLICK)) is ClickstreamEvent
    assert type(event(PURCHASE)) is OrderEvent
    last = {name: value for name, value in PURCHASE.items() if name != "event_type"}
    assert event({**last, "event_type": "order_created"}) == event(PURCHASE)


def test_values_arrive() -> None:
    """The groups, lists and numbers of a click."""
    click = event(CLICK)
    assert click.event_id == EVENT_ID
    assert click.event_type == "click"
    assert click.occurred_at == NOW_MS
    assert click.utc_offset_minutes == 0
    assert click.channel == "web"
    assert click.user.customer_id == "c-1"
    assert click.items[0].quantity == 1.5
    assert click.cart is None


def test_an_id_in_any_case_is_kept_in_lower_case() -> None:
    """Two spellings of one id must not be two events at the vendor."""
    assert event({**CLICK, "event_id": EVENT_ID.upper()}).event_id == EVENT_ID


@pytest.mark.parametrize("moment", [NOW_MS, "2026-11-18T14:03:07.123Z", "2026-11-18T16:03:07.123+02:00"])
def test_times_are_milliseconds_however_they_are_written(moment: int | str) -> None:
    """At the top and within an order; a bigger time than an int32 stays a number."""
    order = {**PURCHASE["order"], "created_at": moment, "updated_at": moment}
    purchase = event({**PURCHASE, "occurred_at": moment, "order": order})
    times = {purchase.occurred_at, purchase.order.created_at, purchase.order.updated_at}
    assert len(times) == 1
    assert type(times.pop()) is int


def test_null_is_absent() -> None:
    """Every field that may be absent may be null instead, the offset too."""
    empty = dict.fromkeys(ClickstreamEvent.__struct_fields__)
    required = {name: CLICK[name] for name in ("event_id", "event_type", "occurred_at")}
    assert event({**empty, **required}) == event(required)
    assert event({**empty, **required}).utc_offset_minutes == 0
    assert event({**PURCHASE, "order": {"order_id": "o", "created_at": None}}).order.created_at is None


def test_an_empty_list_is_not_absent() -> None:
    """An emptied cart is not an unknown one."""
    assert event({**CLICK, "cart": {"items": []}}).cart.items == ()
    assert event({**CLICK, "cart": {}}).cart.items is None


def test_unknown_words_are_the_default() -> None:
    """As in Avro; free words stay as they are."""
    odd = {**CLICK, "channel": "hologram", "device": {"type": "watch"}, "page": {"type": "moon"}}
    click = event({**odd, "target": {"type": "planet"}})
    assert (click.channel, click.device.type, click.page.type) == ("other", "other", "other")
    assert click.target.type == "planet"


@pytest.mark.parametrize("word", ["order_teleported", "unknown", "", "Click"])
def test_an_unknown_event_type_is_read_by_the_envelope_alone(word: str) -> None:
    """A later version's groups may look like anything; the envelope is still checked."""
    later = {**CLICK, "event_type": word, "user": 5, "items": {"new": "shape"}, "order": []}
    unknown = event(later)
    assert unknown == ClickstreamEvent(
        event_id=EVENT_ID, event_type=unknown.event_type, occurred_at=NOW_MS, channel=unknown.channel
    )
    assert unknown.event_type == "unknown"
    assert unknown.channel == "web"
    assert refusal({**later, "channel": 5}) == ("invalid_event", "$.channel")
    assert refusal({**later, "event_id": "x"}) == ("invalid_event", "$.event_id")


def test_fields_that_we_do_not_know_are_ignored() -> None:
    """At any depth; a group of the other record is such a field, whatever is in it."""
    assert event({**CLICK, "new": {"deep": [1, "two"]}, "order": "free text"}) == event(CLICK)
    assert event({**PURCHASE, "search": 5, "offer": []}) == event(PURCHASE)
    assert event({**CLICK, "user": {**CLICK["user"], "nickname": 1}}) == event(CLICK)


def test_of_two_equal_keys_the_last_wins() -> None:
    """As in every JSON library that a producer may have checked with."""
    assert event(as_json(CLICK)[:-1] + b',"channel":"app"}').channel == "app"
    assert type(event(as_json(PURCHASE)[:-1] + b',"event_type":"click"}')) is ClickstreamEvent


def test_blanks_around_an_event_do_not_matter() -> None:
    """Pretty-printed is JSON too."""
    assert event(b"\r\n " + json.dumps(CLICK, indent=2).encode() + b"\n\t") == event(CLICK)


def test_five_megabytes_are_an_event() -> None:
    """Size is judged by the vendor's limits, not here."""
    assert len(event({**CLICK, "properties": {"long": "ї" * 2_500_000}}).properties["long"]) == 2_500_000


@given(st.permutations([as_json(CLICK), as_json(PURCHASE), as_json({**CLICK, "event_type": "x"}), b"[]"]))
def test_what_came_before_changes_nothing(values: list[bytes]) -> None:
    """The reader guesses the record by the last one; no answer depends on it."""
    reader = JsonReader()
    assert [reader.read(value) for value in values * 2] == [read(value) for value in values * 2]


@pytest.mark.parametrize("value", [as_json(CLICK), as_json(PURCHASE)])
def test_a_topic_of_one_record_is_read_in_one_pass(value: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its second record on nothing is read twice, whichever record it is."""
    reader = JsonReader()
    first = reader.read(value)
    monkeypatch.setattr(JsonReader, "_read_by_type", None)
    assert reader.read(value) == first


# ── what is no valid event ───────────────────────────────────────────────────────────────────────


def with_item(**fields: Any) -> Json:
    """A click on two items, the second with these fields."""
    return {**CLICK, "items": [{"product_id": "p"}, fields]}


def with_order(**fields: Any) -> Json:
    """A purchase whose order has these fields."""
    return {**PURCHASE, "order": {**PURCHASE["order"], **fields}}


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        ({}, "$.event_type"),
        ([], "$"),
        ("text", "$"),
        (None, "$"),
        ({**CLICK, "event_type": None}, "$.event_type"),
        ({**CLICK, "event_type": 5}, "$.event_type"),
        ({"event_type": "click", "occurred_at": 1}, "$.event_id"),
        ({"event_type": "click", "event_id": EVENT_ID}, "$.occurred_at"),
        ({**CLICK, "event_id": None}, "$.event_id"),
        ({**CLICK, "event_id": 7}, "$.event_id"),
        ({**CLICK, "event_id": ""}, "$.event_id"),
        ({**CLICK, "event_id": EVENT_ID.replace("-", "")}, "$.event_id"),
        ({**CLICK, "event_id": f"{{{EVENT_ID}}}"}, "$.event_id"),
        ({**CLICK, "event_id": f"urn:uuid:{EVENT_ID}"}, "$.event_id"),
        ({**CLICK, "event_id": EVENT_ID + "\n"}, "$.event_id"),
        ({**CLICK, "event_id": EVENT_ID.replace("0", "٠")}, "$.event_id"),
        ({**CLICK, "occurred_at": "yesterday"}, "$.occurred_at"),
        ({**CLICK, "occurred_at": 1.5}, "$.occurred_at"),
        ({**CLICK, "occurred_at": True}, "$.occurred_at"),
        ({**CLICK, "occurred_at": EPOCH_MS_MAX + 1}, "$.occurred_at"),
        ({**CLICK, "occurred_at": EPOCH_MS_MIN - 1}, "$.occurred_at"),
        ({**CLICK, "occurred_at": 2**64}, "$.occurred_at"),
        ({**CLICK, "occurred_at": "10000-01-01T00:00:00Z"}, "$.occurred_at"),
        ({**CLICK, "utc_offset_minutes": "60"}, "$.utc_offset_minutes"),
        ({**CLICK, "utc_offset_minutes": 2**31}, "$.utc_offset_minutes"),
        ({**CLICK, "channel": 1}, "$.channel"),
        ({**CLICK, "properties": ["a"]}, "$.properties"),
        ({**CLICK, "properties": {"a": 1}}, "$.properties[...]"),
        ({**CLICK, "properties": {"a": None}}, "$.properties[...]"),
        ({**CLICK, "user": "jo"}, "$.user"),
        ({**CLICK, "user": {"is_internal": "no"}}, "$.user.is_internal"),
        ({**CLICK, "consent": {"marketing": 0}}, "$.consent.marketing"),
        ({**CLICK, "items": {"0": {}}}, "$.items"),
        ({**CLICK, "items": [None]}, "$.items[0]"),
        ({**CLICK, "category": {"path": ["a", None]}}, "$.category.path[1]"),
        ({**CLICK, "search": {"result_count": 1.0}}, "$.search.result_count"),
        (with_item(quantity="2"), "$.items[1].quantity"),
        (with_item(position=2**31), "$.items[1].position"),
        (with_item(position=-(2**31) - 1), "$.items[1].position"),
        (with_item(unit_price_micros=2**63), "$.items[1].unit_price_micros"),
        (with_item(unit_price_micros=-(2**63) - 1), "$.items[1].unit_price_micros"),
        (with_item(unit_price_micros=2**64), "$.items[1].unit_price_micros"),
        (with_item(unit_price_micros=10.5), "$.items[1].unit_price_micros"),
        (with_item(attribution={"resolved_bid_id": 1}), "$.items[1].attribution.resolved_bid_id"),
        ({**CLICK, "cart": {"items": [{"quantity": []}]}}, "$.cart.items[0].quantity"),
        ({name: value for name, value in PURCHASE.items() if name != "order"}, "$.order"),
        ({**PURCHASE, "order": None}, "$.order"),
        ({**PURCHASE, "order": {}}, "$.order.order_id"),
        (with_order(order_id=None), "$.order.order_id"),
        (with_order(created_at="soon"), "$.order.created_at"),
        (with_order(updated_at=EPOCH_MS_MAX + 1), "$.order.updated_at"),
        (with_order(total_micros="12"), "$.order.total_micros"),
    ],
)
def test_a_broken_field_is_named_by_its_path(broken: Json, path: str) -> None:
    """Missing, of a wrong type, beyond its range: an event that can't be taken for what it says."""
    assert refusal(as_json(broken)) == ("invalid_event", path)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_a_finite_number_is_named_too(word: str) -> None:
    """No JSON, but some producers write it, and then it is the event that is wrong, not the bytes."""
    with_word = json.dumps(with_item(quantity="?")).replace('"?"', word).encode()
    assert refusal(with_word) == ("invalid_event", "$.items[1].quantity")
    total = json.dumps(with_order(total_micros="?")).replace('"?"', word).encode()
    assert refusal(total) == ("invalid_event", "$.order.total_micros")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400, "9" * 5000])
def test_a_number_beyond_every_type_is_no_infinity(number: str) -> None:
    """It must not become one on the way, in a double or in an integer."""
    for name in ("quantity", "unit_price_micros"):
        value = json.dumps(with_item(**{name: "?"})).replace('"?"', number).encode()
        assert refusal(value) == ("invalid_event", f"$.items[1].{name}")


def test_the_end_of_each_range_is_in_it() -> None:
    """The last number that Avro could hold too."""
    edge = event(with_item(position=2**31 - 1, unit_price_micros=-(2**63), quantity=1.7976931348623157e308))
    assert edge.items[1].position == 2**31 - 1
    assert edge.items[1].unit_price_micros == -(2**63)
    assert event({**CLICK, "occurred_at": EPOCH_MS_MAX}).occurred_at == EPOCH_MS_MAX
    assert event({**CLICK, "occurred_at": EPOCH_MS_MIN}).occurred_at == EPOCH_MS_MIN


@pytest.mark.parametrize("secret", ["jo@example.com", "4711-very-personal"])
def test_no_value_is_ever_quoted(secret: str) -> None:
    """Details reach dead letters and screens; values and keys of maps may be personal."""
    broken = [
        as_json({**CLICK, "event_id": secret}),
        as_json({**CLICK, "occurred_at": secret}),
        as_json({**CLICK, "user": secret}),
        as_json({**CLICK, "properties": {secret: 1}}),
        as_json(with_item(quantity=secret)),
        as_json({**CLICK, "event_type": secret, "channel": 5}),
        json.dumps({**CLICK, "properties": {secret: "?"}}).replace('"?"', "NaN").encode(),
        json.dumps({**CLICK, secret: {secret: "?"}}).replace('"?"', "NaN").encode(),
        as_json({**CLICK, "user": {"email": secret}})[:-1],
        as_json({**CLICK, "user": {"email": secret}}) + secret.encode(),
    ]
    for value in broken:
        answer = read(value)
        assert isinstance(answer, Undecodable)
        assert secret not in answer.detail


# ── what is not JSON ─────────────────────────────────────────────────────────────────────────────

ESCAPES = ["\\ud800", "\\udfff", "\\uD800x", "\\ud800\\u0041", "\\udc00\\ud800", "\\ud800\\n"]


def with_text(text: bytes) -> list[bytes]:
    """The text as a value, as a key and in a field that nobody reads."""
    whole = as_json({**CLICK, "properties": {"a": "HERE"}}).replace(b"HERE", text)
    ignored = as_json({**CLICK, "ignored": ["HERE"]}).replace(b"HERE", text)
    key = as_json({**CLICK, "properties": {"HERE": "a"}}).replace(b"HERE", text)
    return [whole, ignored, key, as_json({**CLICK, "HERE": 1}).replace(b"HERE", text)]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"{",
        b"nul",
        b"\xef\xbb\xbf" + as_json(CLICK),
        as_json(CLICK)[:-1],
        as_json(CLICK) + b"x",
        as_json(CLICK) * 2,
        as_json(CLICK)[:-1] + b",}",
        as_json(CLICK)[:-1] + b',"a":01}',
        as_json(CLICK)[:-1] + b',"a":undefined}',
        b'{"event_type":5,',
        as_json({**CLICK, "user": 5})[:-1],
        json.dumps(CLICK).encode("utf-16"),
        b"[" * 100_000,
        as_json(CLICK)[:-1] + b',"deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        as_json(CLICK)[:-1] + b',"deep":NaN,"user":' + b'{"a":' * 100_000 + b"}" * 100_001,
        b'{"NaN":',
        *[value for text in ESCAPES for value in with_text(text.encode())],
        *[
            value
            for text in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80")
            for value in with_text(text)
        ],
    ],
    ids=lambda value: repr(value[-24:]),
)
def test_what_is_not_json_or_not_utf8_is_undecodable(value: bytes) -> None:
    """Whichever field it stands in, known or not, and whatever else is wrong."""
    assert refusal(value)[0] == "undecodable"


def test_a_pair_of_surrogates_is_one_character() -> None:
    """Only lone ones are no text."""
    pair = as_json({**CLICK, "user": {"first_name": "HERE"}}).replace(b"HERE", b"\\ud83d\\udca1")
    assert event(pair).user.first_name == "💡"


@settings(max_examples=examples(300))
@given(st.binary(max_size=60))
def test_random_bytes_are_refused_and_nothing_breaks(noise: bytes) -> None:
    """Whatever stands in the topic, the next record is decoded."""
    assert read(noise) == read(noise)
    assert isinstance(read(b"{" + noise), Undecodable)


@settings(max_examples=examples(300))
@given(st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_a_flipped_byte_never_breaks_the_reader(place: int, noise: bytes) -> None:
    """Damage in the middle of a good event gives an event or a reason, never an exception."""
    good = as_json(PURCHASE)
    place %= len(good)
    answer = read(good[:place] + noise + good[place + len(noise) :])
    assert isinstance(answer, OrderEvent | ClickstreamEvent | Undecodable)
