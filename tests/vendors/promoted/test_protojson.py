"""The protobuf JSON form is read as strictly as the vendor's parser reads it, and measured to the byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.vendors.promoted.log_request import LOG_REQUEST
from connector.vendors.promoted.protojson import Refusal, parse, varint


def opened(body: str | bytes | dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Values and size of a body."""
    raw = json.dumps(body) if isinstance(body, dict) else body
    return LOG_REQUEST.open(parse(raw if isinstance(raw, bytes) else raw.encode()))


def code(body: str | bytes | dict[str, Any]) -> str:
    """Why it is refused."""
    with pytest.raises(Refusal) as refusal:
        opened(body)
    return refusal.value.code


def action(member: str) -> str:
    """A body with one action that has this member, as text."""
    return f'{{"action":[{{{member}}}]}}'


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [b"", b" {}", b"\n{}", b"\xef\xbb\xbf{}", b"[]", b'"x"', b"\x1f\x8b\x08", b"\xff\xfe{\x00}\x00", b"CgA="],
)
def test_what_does_not_begin_with_a_brace_is_taken_for_base64(body: bytes) -> None:
    """A blank, a byte order mark, an array as root, a compressed body: all of it is broken base64."""
    assert code(body) == "not_json"


@pytest.mark.parametrize(
    "body",
    [
        *('{"action":[]', '{"action":[],}', "{}x", "{} ", "{}\n", "{}{}", "{'action':[]}"),
        *('{"action":[1 2]}', '{"action":[01]}', '{"action":[],//\n}', "{action:[]}"),
        *('{"action":NaN}', '{"action":-Infinity}'),
        *(b'{"\xff":1}', b'{"action":["\x01"]}', '{"a":' * 100_000),
        *(action(r'"contentId":"\ud800"'), action(r'"properties":{"struct":{"\udfff":1}}')),
        *(action('"properties":{"struct":{"a":NaN}}'), action('"properties":{"struct":{"a":[Infinity]}}')),
    ],
)
def test_what_is_not_json_is_refused(body: str | bytes) -> None:
    """Nothing behind the object, no half characters, no infinity."""
    assert code(body) == "invalid_json"


def test_a_refusal_says_where() -> None:
    """By the path of the field, as far as it is a message's."""
    line = '{"pricePerUnit":{"currencyCode":"usd"}}'
    with pytest.raises(Refusal) as refusal:
        opened(action(f'"cart":{{"contents":[{line}]}}'))
    assert refusal.value.message == (
        "action.cart.contents.pricePerUnit.currencyCode 'usd' is no name of its enum"
    )
    with pytest.raises(Refusal) as refusal:
        opened(action('"nope":1'))
    assert refusal.value.message == "action.nope is no field"


# ── fields ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        {"actions": []},
        {"Action": []},
        {"action": [{"cart": {"items": []}}]},
        {"action": [{"cart": {"contents": [{"pricePerUnit": {"amount": 1}}]}}]},
        {"action": [{"timing": {"eventApiTimestamp": 1}}]},
        {"action": [{"properties": {"color": "red"}}]},
        {"view": [{"device": {}}]},
        {"view": [{"requestId": "r"}]},
        {"view": [{"appScreenView": {"url": "x"}}]},
        {"impression": [{"cart": {}}]},
    ],
)
def test_an_unknown_field_refuses_the_whole_request(body: dict[str, Any]) -> None:
    """Wherever it stands."""
    assert code(body) == "unknown_field"


def test_a_field_has_two_spellings() -> None:
    """camelCase and the schema's own; both at once are one field twice."""
    one, _ = opened({"action": [{"action_id": "a", "user_info": {"anon_user_id": "u"}}]})
    assert one == {"action": [{"actionId": "a", "userInfo": {"anonUserId": "u"}}]}
    assert code(action('"actionId":"a","action_id":"a"')) == "duplicate_field"
    assert code(action('"actionId":"a","actionId":"a"')) == "duplicate_field"
    assert code(action('"actionId":null,"actionId":"a"')) == "duplicate_field"
    assert code('{"action":[],"action":[]}') == "duplicate_field"
    assert code(action('"properties":{"struct":{"a":1,"a":1}}')) == "duplicate_field"


def test_null_is_absent_but_not_in_an_array() -> None:
    """Inside a struct it is a value."""
    assert opened({"action": [{"contentId": None, "cart": None}], "view": None}) == ({"action": [{}]}, 2)
    for body in ({"action": [None]}, {"action": [{"cart": {"contents": [None]}}]}):
        assert code(body) == "null_in_array"
    assert code({"view": [], "impression": [{"clientPosition": {"index": [None]}}]}) == "null_in_array"
    values, _ = opened({"action": [{"properties": {"struct": {"a": None, "b": [None]}}}]})
    assert values["action"][0]["properties"]["struct"] == {"a": None, "b": [None]}


def test_only_one_of_a_oneof_may_be_given() -> None:
    """A view is a page or a screen; null is neither."""
    assert code({"view": [{"webPageView": {}, "appScreenView": {}}]}) == "oneof"
    assert opened({"view": [{"webPageView": None, "appScreenView": {}}]})[0] == {
        "view": [{"appScreenView": {}}]
    }
    both = {"struct": {}, "structBytes": "YQ=="}
    assert code({"view": [{"properties": both}]}) == "oneof"


@pytest.mark.parametrize(
    "member",
    [
        *('"contentId":123', '"contentId":["a"]', '"contentId":{}', '"contentId":true'),
        *('"userInfo":""', '"userInfo":[]', '"userInfo":"x"', '"userInfo":0', '"userInfo":false'),
        *('"cart":{"contents":{}}', '"cart":{"contents":""}', '"cart":[]', '"properties":{"struct":[]}'),
        *('"hasSuperimposedViews":"true"', '"hasSuperimposedViews":1', '"properties":{"structBytes":"?"}'),
        *('"timing":{"clientLogTimestamp":1.5}', '"timing":{"clientLogTimestamp":-1}'),
        *('"timing":{"clientLogTimestamp":"2026-01-01T00:00:00Z"}', '"timing":{"clientLogTimestamp":""}'),
        *('"timing":{"clientLogTimestamp":" 1"}', '"timing":{"clientLogTimestamp":"0x1"}'),
        *('"timing":{"clientLogTimestamp":18446744073709551616}', '"timing":{"clientLogTimestamp":1e99999}'),
        *('"timing":{"clientLogTimestamp":true}', '"timing":{"clientLogTimestamp":1e-3}'),
        *('"clientPosition":{"index":[2147483648]}', '"clientPosition":{"index":["x"]}'),
        *('"clientPosition":{"index":1}', '"actionType":1.5', '"actionType":2147483648', '"actionType":true'),
        *('"device":{"location":{"latitude":1e999}}', '"device":{"location":{"latitude":"NaN"}}'),
        '"properties":{"struct":{"a":1e999}}',
    ],
)
def test_a_wrong_type_refuses_the_whole_request(member: str) -> None:
    """Ids are strings, integers whole, objects objects, and a range is kept."""
    assert code(action(member)) == "wrong_type"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1641038400000", 1_641_038_400_000),
        ('"1641038400000"', 1_641_038_400_000),
        ("1.0", 1),
        ("1e3", 1_000),
        ('"1e3"', 1_000),
        ("1.5e1", 15),
        ("-0", 0),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_a_whole_number_may_be_written_in_many_ways(written: str, expected: int) -> None:
    """Also as a string: 64 bits are more than JavaScript can hold."""
    values, _ = opened(action(f'"timing":{{"clientLogTimestamp":{written}}}'))
    assert values["action"][0]["timing"]["clientLogTimestamp"] == expected


@pytest.mark.parametrize(
    "member",
    [
        *('"actionType":"purchase"', '"actionType":""', '"actionType":"LOAD_TEST"', '"actionType":"3"'),
        '"cart":{"contents":[{"pricePerUnit":{"currencyCode":"usd"}}]}',
        '"cart":{"contents":[{"pricePerUnit":{"currencyCode":"UAH"}}]}',
        '"cart":{"contents":[{"pricePerUnit":{"currencyCode":"PLN"}}]}',
        *('"clientInfo":{"trafficType":"LOAD_TEST"}', '"clientInfo":{"clientType":"SERVER"}'),
    ],
)
def test_an_unknown_enum_name_refuses_the_whole_request(member: str) -> None:
    """Names are compared to the letter."""
    assert code(action(member)) == "unknown_enum"


def test_a_number_passes_for_any_enum() -> None:
    """Whether it stands for a name or not."""
    values, _ = opened(action('"actionType":3,"clientInfo":{"trafficType":4}'))
    assert values["action"][0] == {"actionType": "PURCHASE", "clientInfo": {"trafficType": "SHADOW"}}
    assert opened(action('"actionType":99'))[0]["action"][0] == {"actionType": 99}


@pytest.mark.parametrize(
    "array", ["user", "cohortMembership", "autoView", "request", "insertion", "deliveryLog", "diagnostics"]
)
def test_what_is_for_the_vendors_own_libraries_is_not_taken(array: str) -> None:
    """It is in the schema, and this stand-in does not know how to read it."""
    assert code({array: [{}]}) == "foreign_field"
    assert opened({array: []}) == ({array: []}, 0)


WHOLE_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | WHOLE_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(WHOLE_TEXT, inner),
)

# ── sizes ────────────────────────────────────────────────────────────────────────────────────────
# Each was measured once with protobuf's own library and the published schema, as were some 14,000 more.


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ({}, 0),
        ({"action": []}, 0),
        ({"action": [{}]}, 2),
        ({"action": [{"contentId": ""}]}, 2),
        ({"action": [{"contentId": "sku-1"}]}, 10),
        ({"action": [{"contentId": "é😀"}]}, 11),
        ({"action": [{"actionType": "PURCHASE"}]}, 4),
        ({"action": [{"actionType": "UNKNOWN_ACTION_TYPE"}]}, 2),
        ({"action": [{"actionType": -1}]}, 13),
        ({"action": [{"timing": {"clientLogTimestamp": 1_795_010_587_123}}]}, 11),
        ({"action": [{"timing": {}}]}, 4),
        ({"action": [{"clientPosition": {"index": [0, 1, 300, -1]}}]}, 21),
        ({"action": [{"clientPosition": {"index": []}}]}, 5),
        ({"action": [{"cart": {"contents": [{"quantity": -1}, {}]}}]}, 20),
        ({"action": [{"hasSuperimposedViews": True}]}, 5),
        ({"action": [{"properties": {"struct": {}}}]}, 7),
        ({"action": [{"properties": {"structBytes": ""}}]}, 7),
        ({"view": [{"properties": {"struct": {"a": 1, "b": "", "c": None, "d": False, "e": [0, {}]}}}]}, 73),
        ({"action": [{"device": {"location": {"latitude": 0, "longitude": 1.5}}}]}, 16),
        ({"action": [{"device": {"screen": {"size": {"width": 300}, "scale": 2}}}]}, 17),
        ({"view": [{"appScreenView": {}}]}, 4),
        ({"view": [{"contentId": "x" * 200}]}, 207),
        ({"platformId": 1, "userInfo": {"userId": "u"}}, 7),
    ],
)
def test_a_request_is_measured_as_protobuf(body: dict[str, Any], size: int) -> None:
    """The vendor's limits are on that."""
    assert opened(body)[1] == size


@given(st.integers(0, 2**64 - 1))
def test_an_integer_takes_a_byte_for_seven_bits(number: int) -> None:
    """As the binary form writes it."""
    written = 1
    while number >> 7 * written:
        written += 1
    assert varint(number) == written


@given(JSON_VALUES)
def test_any_json_value_may_stand_in_a_struct(value: Any) -> None:
    """And is read as what it is; numbers are doubles."""
    values, size = opened({"view": [{"properties": {"struct": {"it": value}}}]})
    assert values["view"][0]["properties"]["struct"] == {"it": value}
    assert size > 0
