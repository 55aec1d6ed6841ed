"""The stand-in refuses what the vendor refuses, and drops in silence what the vendor drops."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.vendors.contract import SandboxAnswer, SandboxRequest
from connector.vendors.promoted import sandbox
from connector.vendors.promoted.log_request import LOG_REQUEST
from connector.vendors.promoted.protojson import parse
from connector.vendors.promoted.sandbox import DAY_MS, PromotedSandbox

NOW_MS = 1_795_010_600_000  # 2026-11-18T14:03:20Z
AT_MS = 1_795_010_587_123

WHO: dict[str, Any] = {
    "userInfo": {"userId": "c-1", "anonUserId": "u-1"},
    "timing": {"clientLogTimestamp": AT_MS},
    "clientInfo": {"clientType": "PLATFORM_SERVER", "trafficType": "PRODUCTION"},
}
LINE: dict[str, Any] = {
    "contentId": "sku-1",
    "quantity": 2,
    "pricePerUnit": {"currencyCode": "EUR", "amountMicros": 49_900_000},
}
GOOD: dict[str, Any] = {
    "view": [
        {
            "viewId": "v-1",
            **WHO,
            "sessionId": "s-1",
            "contentId": "sku-1",
            "name": "product",
            "useCase": "CLOSE_UP",
            "searchQuery": "lamp",
            "locale": {"languageCode": "uk", "regionCode": "UA"},
            "webPageView": {"url": "https://shop.example/p/1", "referrer": "https://mail.example/"},
        }
    ],
    "impression": [
        {
            "impressionId": "imp-1",
            **WHO,
            "insertionId": "i-1",
            "requestId": "r-1",
            "viewId": "v-1",
            "contentId": "sku-1",
            "sourceType": "DELIVERY",
            "clientPosition": {"index": [0]},
        }
    ],
    "action": [
        {
            "actionId": "a-1",
            **WHO,
            "impressionId": "imp-1",
            "actionType": "NAVIGATE",
            "navigateAction": {"targetUrl": "https://shop.example/p/1"},
        },
        {
            "actionId": "a-2",
            **WHO,
            "actionType": "PURCHASE",
            "cart": {"contents": [LINE]},
            "properties": {"struct": {"orderId": "ord-1", "orderTotalMicros": 99_800_000}},
        },
    ],
}
IDS = ["v-1", "imp-1", "a-1", "a-2"]
SEED_PURCHASE: dict[str, Any] = {
    "userInfo": {"anonUserId": "0ea9657c-bd64-4709-9cc0-fbbcdd8d9f43", "userId": "user1"},
    "action": [
        {
            "actionId": "b59b77c7-a55a-4f01-91b5-58a3d4e36876",
            "timing": {"clientLogTimestamp": 1_641_038_400_000},
            "actionType": "PURCHASE",
            "insertionId": "b59b77c7-a55a-4f01-91b5-58a3d4e36876",
            "contentId": "123",
            "impressionId": "cb97da40-1c56-45fc-b8c5-c525c384ae48",
            "properties": {"struct": {"customKey1": "customValue", "customKey2": 3}},
            "cart": {
                "contents": [
                    {
                        "contentId": "abc",
                        "quantity": 1,
                        "pricePerUnit": {"currencyCode": "USD", "amountMicros": 10_000_000},
                    }
                ]
            },
        }
    ],
}

HEADERS = {"x-api-key": "key", "content-type": "application/json"}


def asked(body: Any, **changes: Any) -> SandboxRequest:
    """A request with this body, otherwise faultless but for the changes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return msgspec.structs.replace(SandboxRequest("POST", "/log", HEADERS, raw, NOW_MS), **changes)


def answer(body: Any, **changes: Any) -> SandboxAnswer:
    return PromotedSandbox().answer(asked(body, **changes))


def action(**members: Any) -> dict[str, Any]:
    """A body with one action; given `...`, a member is left out."""
    record = {"actionId": "a-1", **WHO, "actionType": "LIKE", "contentId": "sku-1", **members}
    return {"action": [{name: value for name, value in record.items() if value is not ...}]}


def ignored(body: Any, **changes: Any) -> str | None:
    """Why the only record of the body is dropped in silence; None when it is kept."""
    said = answer(body, **changes)
    assert (said.status, said.refused) == (200, None), said
    assert len(said.ignored) + len(said.accepted) == 1
    return said.ignored[0][1] if said.ignored else None


# ── what is taken ────────────────────────────────────────────────────────────────────────────────


def test_good_records_are_taken() -> None:
    """Every kind at its best: 200, `{}`, every id accepted, no order."""
    taken = answer(GOOD)
    assert (taken.status, taken.body, taken.refused) == (200, b"{}", None)
    assert taken.accepted == [(each, None) for each in IDS]
    assert not taken.ignored


def test_the_examples_of_the_vendors_documentation_are_taken() -> None:
    """With the user at the top level, as they have it."""
    assert [each for each, _ in answer(SEED_PURCHASE).accepted] == ["b59b77c7-a55a-4f01-91b5-58a3d4e36876"]
    impression = {
        "userInfo": SEED_PURCHASE["userInfo"],
        "impression": [
            {
                "impressionId": "cb97da40-1c56-45fc-b8c5-c525c384ae48",
                "timing": {"clientLogTimestamp": 1_641_038_400_000},
                "insertionId": "b59b77c7-a55a-4f01-91b5-58a3d4e36876",
                "contentId": "123",
            }
        ],
    }
    assert len(answer(impression).accepted) == 1
    line = {"contentId": "abc", "quantity": -2, "pricePerUnit": {"currencyCode": "USD", "amountMicros": 1}}
    modified = action(
        actionType="CUSTOM_ACTION_TYPE",
        customActionType="MODIFY_ORDER",
        properties={"struct": {"orderId": "abc", "orderDelta": [line], "currentOrder": [line, line]}},
    )
    assert ignored(modified) is None
    without_a_key = action(actionId=...)
    assert answer(without_a_key).accepted == [("", None)]


def test_an_empty_request_means_nothing() -> None:
    """Which makes it a harmless probe."""
    for body in (b"{}", b'{"action":[]}', b'{"view":[],"impression":[],"action":[]}'):
        taken = answer(body)
        assert (taken.status, taken.refused, taken.accepted, taken.ignored) == (200, None, [], [])


def test_what_belongs_to_no_field_of_ours_is_still_the_vendors() -> None:
    """Fields of the schema that a connector leaves out are no error."""
    extra = {"name": "x", "elementId": "y", "hasSuperimposedViews": True, "autoViewId": "z"}
    device = {
        "deviceType": "MOBILE",
        "brand": "x",
        "ipAddress": "203.0.113.9",
        "locale": {"languageCode": "uk"},
    }
    provenances = {"userIdProvenance": "PLATFORM_SPECIFIED"}
    assert ignored(action(**extra, device=device, idProvenances=provenances)) is None
    assert len(answer({**GOOD, "device": device, "clientInfo": WHO["clientInfo"]}).accepted) == 4


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "status", "refused"),
    [
        ({"path": "/"}, 403, "not_found"),
        ({"path": "/log/"}, 403, "not_found"),
        ({"path": "/v1/log"}, 403, "not_found"),
        ({"method": "GET"}, 405, "method_not_allowed"),
        ({"method": "PUT"}, 405, "method_not_allowed"),
        ({"headers": {}}, 403, "invalid_api_key"),
        ({"headers": HEADERS | {"x-api-key": ""}}, 403, "invalid_api_key"),
        ({"headers": {**HEADERS, "content-type": "text/plain"}}, 415, "unsupported_media_type"),
        ({"headers": {"x-api-key": "key"}}, 415, "unsupported_media_type"),
        ({"headers": {**HEADERS, "content-encoding": "gzip"}}, 415, "unsupported_media_type"),
    ],
)
def test_a_gateway_turns_away_before_the_body_is_read(
    changes: dict[str, Any], status: int, refused: str
) -> None:
    """403 for a bad key and for a bad path alike."""
    said = answer(GOOD, **changes)
    assert (said.status, said.refused) == (status, refused)
    assert not said.accepted
    assert "message" in json.loads(said.body)


def test_the_path_may_carry_a_query_and_the_type_a_charset() -> None:
    """Neither changes what is meant."""
    assert answer(GOOD, path="/log?x=1").accepted
    assert answer(GOOD, headers={**HEADERS, "content-type": "Application/JSON; charset=utf-8"}).accepted


def test_only_the_accounts_key_is_good() -> None:
    """Where one is set; without a prefix."""
    stand_in = PromotedSandbox(api_key="right")
    for key, status in (("right", 200), ("wrong", 403), ("Bearer right", 403)):
        assert stand_in.answer(asked(GOOD, headers={**HEADERS, "x-api-key": key})).status == status


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"not json", "not_json"),
        (b" {}", "not_json"),
        (b'{"action":[]', "invalid_json"),
        ({"actions": []}, "unknown_field"),
        ({"action": [{"cart": {"items": []}}]}, "unknown_field"),
        ({"action": [{"timing": {"eventApiTimestamp": 1}}]}, "unknown_field"),
        ({"action": [{"actionType": "purchase"}]}, "unknown_enum"),
        ({"action": [{"contentId": 123}]}, "wrong_type"),
        ({"view": [{"webPageView": {}, "appScreenView": {}}]}, "oneof"),
        ({"action": [None]}, "null_in_array"),
        ({"platformId": 2}, "wrong_platform"),
        ({"action": [{"platformId": "2"}]}, "wrong_platform"),
    ],
)
def test_what_the_parser_refuses_fails_the_whole_request(body: Any, refused: str) -> None:
    """400, and nothing is taken: every form is in `test_protojson`."""
    if isinstance(body, dict):
        body = {**deepcopy(GOOD), **body}
    said = answer(body)
    assert (said.status, said.refused) == (400, refused)
    assert not said.accepted
    assert not said.ignored


def test_the_own_platform_is_no_other() -> None:
    """The server would have set it anyway."""
    body = {**GOOD, "platformId": 1, "view": [{**GOOD["view"][0], "platformId": "1"}]}
    assert len(answer(body).accepted) == 4
    assert PromotedSandbox(platform_id=7).answer(asked(body)).refused == "wrong_platform"


# ── sizes ────────────────────────────────────────────────────────────────────────────────────────


def of_size(size: int) -> dict[str, Any]:
    """A body whose protobuf form has exactly so many bytes."""
    body = action(name="x" * 1_500_000)
    measured = _size(body)
    body["action"][0]["name"] = "x" * (1_500_000 + size - measured)
    assert _size(body) == size
    return body


def _size(body: dict[str, Any]) -> int:
    return LOG_REQUEST.open(parse(json.dumps(body).encode()))[1]


@pytest.mark.parametrize(
    ("size", "status", "kept"),
    [
        (1_048_576, 200, True),
        (1_048_577, 500, False),
        (2_000_024, 500, False),
        (2_000_025, 200, False),
    ],
)
def test_large_requests_fail_and_larger_ones_vanish(size: int, status: int, kept: bool) -> None:
    """As protobuf: above a MiB the queue refuses, above 2,000,024 bytes it is 200 and nothing is stored."""
    said = answer(of_size(size))
    assert said.status == status
    assert bool(said.accepted) is kept
    lost = [("a-1", "request over 2,000,024 bytes as protobuf")]
    assert list(said.ignored) == (lost if size > 2_000_024 else [])


def test_a_list_of_small_numbers_is_larger_than_it_looks() -> None:
    """The JSON is well below a megabyte, and the request is lost all the same."""
    body = action(properties={"struct": {"numbers": [1] * 200_000}})
    assert len(json.dumps(body, separators=(",", ":"))) < 500_000
    assert ignored(body) == "request over 2,000,024 bytes as protobuf"


# ── what is dropped in silence ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", [..., "", None])
def test_an_impression_of_nothing_is_dropped(content: Any) -> None:
    """It needs an insertion or a product."""
    members = {"impressionId": "imp-1", **WHO, "contentId": content, "viewId": "v-1"}
    record = {name: value for name, value in members.items() if value is not ...}
    assert ignored({"impression": [record]}) == "neither insertionId nor contentId"
    assert ignored({"impression": [{**record, "insertionId": "i-1"}]}) is None
    assert ignored({"impression": [{**record, "contentId": "sku-1"}]}) is None


def test_an_action_about_nothing_is_dropped() -> None:
    """It needs an impression, an insertion or a product; a purchase or checkout may have a cart instead, and
    signing in is about nobody but the visitor."""
    nothing = "none of impressionId, insertionId, contentId"
    for kind in ("LIKE", "REFUND_PURCHASE", "PURCHASE", "CHECKOUT", "FOLLOW"):
        assert ignored(action(actionType=kind, contentId=..., viewId="v-1", requestId="r-1")) == nothing
        for name in ("impressionId", "insertionId", "contentId"):
            assert ignored(action(**{"actionType": kind, "contentId": ..., name: "x"})) is None
    cart = {"contents": [LINE]}
    for kind, lost in (
        ("PURCHASE", None),
        ("CHECKOUT", None),
        ("REFUND_PURCHASE", nothing),
        ("CANCEL_PURCHASE", nothing),
        ("ONGOING_PURCHASE", nothing),
    ):
        assert ignored(action(actionType=kind, contentId=..., cart=cart)) == lost
    for kind in ("PURCHASE", "CHECKOUT"):
        assert ignored(action(actionType=kind, contentId=..., cart={"contents": []})) == nothing
    for kind in ("COMPLETE_SIGN_IN", "COMPLETE_SIGN_UP"):
        assert ignored(action(actionType=kind, contentId=...)) is None


def test_a_custom_action_about_nothing_is_dropped_for_a_reason_of_its_own() -> None:
    """Nobody can help it: the event was about nothing."""
    custom = {"actionType": "CUSTOM_ACTION_TYPE", "customActionType": "REVIEW"}
    assert ignored(action(**custom, contentId=...)) == sandbox.CUSTOM_ALONE
    assert ignored(action(**custom, contentId=..., cart={"contents": [LINE]})) == sandbox.CUSTOM_ALONE
    assert ignored(action(**custom)) is None


@pytest.mark.parametrize(
    "line",
    [
        {**LINE, "quantity": 0},
        {**LINE, "quantity": -1},
        {**LINE, "contentId": ""},
        {"contentId": "sku-1"},
        {"quantity": 1},
    ],
)
def test_one_bad_line_invalidates_the_action(line: dict[str, Any]) -> None:
    """All of it, the good lines too."""
    body = action(actionType="PURCHASE", cart={"contents": [LINE, line]})
    assert ignored(body) == "a cart line without contentId or quantity"


@pytest.mark.parametrize(
    "members", [{"actionType": ...}, {"actionType": "UNKNOWN_ACTION_TYPE"}, {"actionType": 0}]
)
def test_an_action_without_a_type_is_nothing(members: dict[str, Any]) -> None:
    """So is a custom one without its name."""
    reason = "no actionType, or custom without customActionType"
    assert ignored(action(**members)) == reason
    assert ignored(action(actionType="CUSTOM_ACTION_TYPE")) == reason


def test_a_record_of_nobody_is_dropped() -> None:
    """Its own user counts, else the request's; a customer alone is accepted, though joined to nothing."""
    nobody = "neither anonUserId nor userId"
    assert ignored(action(userInfo=...)) == nobody
    assert ignored(action(userInfo={})) == nobody
    assert ignored(action(userInfo={"logUserId": "x"})) == nobody
    assert ignored(action(userInfo={"userId": "c-1"})) is None
    assert ignored(action(userInfo={"anonUserId": "u-1"})) is None
    assert ignored({**action(userInfo=...), "userInfo": {"anonUserId": "u-1"}}) is None


def test_a_record_that_asks_to_be_ignored_is() -> None:
    """From all of reporting."""
    assert ignored(action(userInfo={"anonUserId": "u-1", "ignoreUsage": True})) == "ignoreUsage"
    assert ignored(action(userInfo={"anonUserId": "u-1", "ignoreUsage": False})) is None
    top = {**action(userInfo=...), "userInfo": {"anonUserId": "u-1", "ignoreUsage": True}}
    assert ignored(top) == "ignoreUsage"


@pytest.mark.parametrize(
    ("written", "lost"),
    [
        (1_795_010_587, True),
        ("1795010587", True),
        (946_684_799_999, True),
        (946_684_800_000, False),
        (AT_MS, False),
        (0, False),
        (None, False),
    ],
)
def test_seconds_for_milliseconds_are_january_1970(written: Any, lost: bool) -> None:
    """Accepted, and dated where nobody looks; without a time the server writes its own."""
    said = ignored(action(timing={"clientLogTimestamp": written}))
    assert said == ("clientLogTimestamp in seconds" if lost else None)
    top = {**action(timing=...), "timing": {"clientLogTimestamp": written}}
    assert ignored(top) == said
    assert ignored(action(timing=...)) is None


def test_a_number_that_stands_for_no_name_means_nothing() -> None:
    """The parser lets it pass: names are checked, numbers are not."""
    for members in (
        {"actionType": 99},
        {"clientInfo": {"trafficType": 3}},
        {"clientInfo": {"clientType": 9}},
        {"cart": {"contents": [{**LINE, "pricePerUnit": {"currencyCode": 21, "amountMicros": 1}}]}},
    ):
        assert ignored(action(**members)) == "a number that stands for no name of its enum"
    view = GOOD["view"][0]
    assert ignored({"view": [{**view, "useCase": 12}]}) == "a number that stands for no name of its enum"
    assert ignored({"view": [{**view, "useCase": 2}]}) is None
    impression = GOOD["impression"][0]
    assert ignored({"impression": [{**impression, "sourceType": 3}]}) is not None
    assert ignored(action(actionType=6)) is None


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────

KEYS = {"view": "viewId", "impression": "impressionId", "action": "actionId"}
WINDOW_MS = {"view": DAY_MS // 4, "impression": DAY_MS, "action": DAY_MS}


def kept(stand_in: PromotedSandbox, array: str, at_ms: Any = NOW_MS, **members: Any) -> str | None:
    """Why one more record of this kind is lost."""
    said = stand_in.answer(asked({array: [{**GOOD[array][0], **members}]}, now_ms=at_ms))
    return said.ignored[0][1] if said.ignored else None


@pytest.mark.parametrize("array", KEYS)
def test_a_key_belongs_to_the_first_record_under_it(array: str) -> None:
    """Another one is lost in silence, also under other capitals; a resend of the same is harmless."""
    stand_in = PromotedSandbox()
    assert kept(stand_in, array) is None
    assert kept(stand_in, array) is None
    lost = f"{KEYS[array]} of another {array}"
    assert kept(stand_in, array, sessionId="other") == lost
    upper = GOOD[array][0][KEYS[array]].upper()
    assert kept(stand_in, array, **{KEYS[array]: upper}, sessionId="other") == lost
    assert kept(stand_in, array, **{KEYS[array]: "new"}) is None
    assert kept(stand_in, array) is None


@pytest.mark.parametrize("array", KEYS)
def test_a_key_is_forgotten_after_its_window(array: str) -> None:
    """Six hours for views, a day for the others: a replay after that counts twice."""
    stand_in = PromotedSandbox()
    assert kept(stand_in, array) is None
    last = NOW_MS + WINDOW_MS[array] - 1
    assert kept(stand_in, array, last, sessionId="other") is not None
    assert kept(stand_in, array, last + 1, sessionId="other") is None
    assert kept(stand_in, array, last + 2) is not None


def test_kinds_have_keys_of_their_own() -> None:
    """An action may be called like a view; in one request, too."""
    same = {"view": [{**GOOD["view"][0], "viewId": "x"}], **action(actionId="X")}
    assert answer(same).accepted == [("x", None), ("x", None)]
    twice = {"action": [action()["action"][0], action(contentId="sku-2")["action"][0]]}
    assert answer(twice).ignored == [("a-1", "actionId of another action")]


def test_what_was_dropped_takes_no_key() -> None:
    """A mended record may come under it."""
    stand_in = PromotedSandbox()
    bad = asked(action(contentId=...))
    assert stand_in.answer(bad).ignored
    assert stand_in.answer(asked(action())).accepted


def test_the_memory_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest key is forgotten first."""
    monkeypatch.setattr(sandbox, "KEYS_MAX", 2)
    stand_in = PromotedSandbox()
    for key in ("a", "b", "c"):
        assert kept(stand_in, "action", actionId=key) is None
    assert kept(stand_in, "action", actionId="b", sessionId="other") is not None
    assert kept(stand_in, "action", actionId="a", sessionId="other") is None


def test_only_what_nobody_can_help_is_unavoidable() -> None:
    """Two events of one view, two reports of one impression, a custom event about nothing."""
    assert {
        "viewId of another view",
        "impressionId of another impression",
        "custom action with none of impressionId, insertionId, contentId",
    } == sandbox.UNAVOIDABLE


# ── tools for faults ─────────────────────────────────────────────────────────────────────────────


def test_ids_are_read_without_judging() -> None:
    """In lower case, as the vendor keeps them; what can't be read has none."""
    body = {**GOOD, **action(actionId="A-9", contentId=...)}
    assert PromotedSandbox().ids(asked(body)) == ["v-1", "imp-1", "a-9"]
    assert PromotedSandbox().ids(asked(action(actionId=...))) == []
    for unreadable in (b"", b"[]", b'{"action":[{"nope":1}]}'):
        assert PromotedSandbox().ids(asked(unreadable)) == ()


def test_injected_faults_have_a_gateways_form() -> None:
    """A message, and the wait in a header."""
    throttled = PromotedSandbox().throttled(2.5)
    assert (throttled.status, throttled.headers["Retry-After"]) == (429, "2.5")
    for status in (400, 401, 403, 500, 503):
        failed = PromotedSandbox().failed(status)
        assert (failed.status, failed.refused) == (status, "injected")
        assert json.loads(failed.body)["message"]


@given(st.binary(max_size=200))
def test_no_body_is_too_odd(body: bytes) -> None:
    """Whatever arrives is judged."""
    for raw in (body, b"{" + body, b'{"action":[' + body):
        said = answer(raw)
        assert said.status in (200, 400)
        PromotedSandbox().ids(asked(raw))
