"""eSputnik's strict stand-in, for either version of the method. Where documents disagree, the stricter holds.

Decides only. Written from the vendor's documents, not from our mapping. The vendor says 200 to nearly all it
can read and then drops in silence what it has no use for; that is `ignored` here, with one of these reasons:

    unknown_event_type_key     an event type that nobody asked for came to be in the account
    event_type_switched_off    segmentation is not switched on for it
    duplicate_param:NAME       which of the two counts is anybody's guess
    missing_param:NAME         required, and absent or blank
    blank_param:NAME           absent is absent; blank is a fault
    bad_param:NAME             inner JSON that does not parse, a member missing, a number as text, …
    identifier_not_recognised  of no form that identifies anybody, or a key that is none of the identifiers
    no_contact_identifier      an order for whom, the vendor can't say
    contact_unknown            events are stored for contacts that exist
    order_unknown              delivered or cancelled, but nothing was heard of the order before
    order_came_later           the same, said again when its orderCreated comes after all: the lane is broken

`order_unknown` is nobody's fault where the traffic lacks the order, as after a start in the middle of a
topic. Where the traffic has it and order is kept, it can't occur: `order_came_later` replaces it in the
ledger as soon as the order does come.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec

from connector.vendors.contract import SandboxAnswer, SandboxRequest
from connector.vendors.esputnik.sandbox_rules import EVENT_TYPES, EventType, is_text

PATHS: Mapping[int, str] = {1: "/api/v1/event", 2: "/api/v2/event"}
ACCOUNT_PATH = "/api/v1/account/info"
BODY_BYTES_MAX = 20_000  # eSputnik's API reference: 20 kB a request
IDENTIFIER_CHARS_MAX = 300
NAME_CHARS_MAX = 100
FORBIDDEN = frozenset(
    map(chr, (0x3C, 0x3E, 0x3B, 0x2C, 0x27, 0x2019, 0x22, 0x60, 0x5C, 0x2F, 0x7C, 0x5E, 0x3F, 0x21))
)

ORDERS_MAX = 1_000_000
"""Orders that are remembered; the oldest are forgotten first."""

ORDER_UNKNOWN, ORDER_CAME_LATER = "order_unknown", "order_came_later"

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"[1-9][0-9]{4,14}")

IDENTIFIERS: Mapping[str, re.Pattern[str]] = {
    "contactId": re.compile(r".+", re.DOTALL),
    "externalCustomerId": re.compile(r".+", re.DOTALL),
    "email": _EMAIL,
    "phone": _PHONE,
    "pushToken": re.compile(r".+", re.DOTALL),
}
"""What a contact is looked up by, and what it looks like."""

ORDER_IDENTIFIERS = ("externalCustomerId", "email", "phone")


class Refusal(Exception):  # noqa: N818 - the vendor's no is no error of ours
    """Why the request is answered with 400: a word for the ledger, and the vendor's free text."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(word, message)
        self.word = word
        self.message = message


# ── the body ─────────────────────────────────────────────────────────────────────────────────────


class Param(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    value: str | int


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    event_type_key: str
    params: list[Param]
    key_value: str | None = None


_decode = msgspec.json.Decoder(Body).decode


# ── the stand-in ─────────────────────────────────────────────────────────────────────────────────


class EsputnikSandbox:
    """eSputnik's generate-event method for one account.

    With `api_key`, only that key is good; otherwise any is. `contacts` are the identifiers that the account
    knows, None: everybody's. `orders` are there from before. `switched_off` are event types without
    segmentation, `validated` those whose params the account has checked: a fault in one is then a 400.
    """

    def __init__(
        self,
        version: Literal[1, 2],
        *,
        api_key: str | None = None,
        contacts: Collection[str] | None = None,
        orders: Collection[str] = (),
        switched_off: Collection[str] = (),
        validated: Collection[str] = (),
    ) -> None:
        self._version = version
        self._path = PATHS[version]
        self._event_types = EVENT_TYPES[version]
        self._api_key = api_key
        self._contacts = contacts
        self._orders: dict[str, None] = dict.fromkeys(orders)
        self._too_early: dict[str, list[str]] = {}
        self._switched_off = switched_off
        self._validated = validated

    def answer(self, request: SandboxRequest) -> SandboxAnswer:
        """Judge one request as the vendor would."""
        turned_away = self._door(request)
        if turned_away is not None:
            return turned_away
        if request.method == "GET":
            return _answer(200, b'{"organizationName":"Sandbox"}', "application/json")
        try:
            body = _read(request.body)
            self._check(body)
        except Refusal as refusal:
            return _answer(400, refusal.message.encode(), refused=refusal.word)
        name = _name(request.body, {"eventTypeKey": body.event_type_key}, _values(body))
        event_type = self._event_types.get(body.event_type_key)
        reason = "unknown_event_type_key" if event_type is None else self._dropped(body, event_type)
        if event_type is None or reason is not None:
            return SandboxAnswer(200, ignored=[(name, reason or "")])
        return self._store(name, body, event_type)

    def ids(self, request: SandboxRequest) -> Sequence[str]:
        """What the vendor calls the event that the request carries, without judging it."""
        try:
            read = json.loads(request.body)
            values = {param["name"]: param["value"] for param in read["params"]}
            return [_name(request.body, read, values)]
        except (ValueError, TypeError, KeyError, RecursionError):
            return ()

    def throttled(self, retry_after_s: float) -> SandboxAnswer:
        """429; the header is not documented, and clients that know it wait for it."""
        headers = {"Retry-After": f"{retry_after_s:g}"}
        return SandboxAnswer(429, b"Too many requests", headers, refused="too_many_requests")

    def failed(self, status: int) -> SandboxAnswer:
        """An injected error with a body as free as the vendor's."""
        return _answer(status, b"" if status == 401 else b"Injected by the sandbox", refused="injected")

    # ── what is refused aloud ────────────────────────────────────────────────────────────────────

    def _door(self, request: SandboxRequest) -> SandboxAnswer | None:
        path = request.path.partition("?")[0]
        if path not in (self._path, ACCOUNT_PATH):
            return _answer(404, b"", refused="not_found")
        if request.method != ("POST" if path == self._path else "GET"):
            return _answer(405, b"", refused="method_not_allowed")
        if not self._knows_key(request.headers.get("authorization", "")):
            return _answer(401, b"", refused="unauthorized")
        if request.method == "GET":
            return None
        if "content-encoding" in request.headers or not _is_json(request.headers.get("content-type", "")):
            return _answer(415, b"", refused="unsupported_media_type")
        if len(request.body) > BODY_BYTES_MAX:
            return _answer(413, b"Request is too large", refused="payload_too_large")
        return None

    def _knows_key(self, authorization: str) -> bool:
        scheme, _, pair = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            user, colon, key = base64.b64decode(pair.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return bool(user and colon and key) and self._api_key in (None, key)

    def _check(self, body: Body) -> None:
        if not body.event_type_key.strip():
            raise Refusal("no_event_type_key", "eventTypeKey is required")
        for param in body.params:
            if not 1 <= len(param.name) <= NAME_CHARS_MAX:
                raise Refusal("bad_param_name", f"A name has 1 to {NAME_CHARS_MAX} characters")
            if self._version == 1 and not isinstance(param.value, str):
                raise Refusal("bad_param_value", f"{param.name} must be a string")
        found = _identifiers(body)
        if body.key_value is None:
            if self._version == 1:
                raise Refusal("no_key_value", "keyValue is required")
            if not found:
                raise Refusal("no_identifier", "Neither keyValue nor an identifier is given")
        for value in (body.key_value, *found.values()):
            if value is not None:
                _check_identifier(value)
        if body.event_type_key in self._validated:
            wrong = self._dropped(body, self._event_types[body.event_type_key])
            if wrong is not None and ":" in wrong:
                expected = ", ".join(self._event_types[body.event_type_key].required)
                raise Refusal("validation", f"{wrong}; expected parameters: {expected}")

    # ── what is dropped in silence ───────────────────────────────────────────────────────────────

    def _dropped(self, body: Body, event_type: EventType) -> str | None:
        """Why the vendor takes this event and does not store it; None when it does."""
        if body.event_type_key in self._switched_off:
            return "event_type_switched_off"
        names = Counter(param.name for param in body.params)
        for name, count in names.items():
            if count > 1:
                return f"duplicate_param:{name}"
        found = _identifiers(body)
        if any(IDENTIFIERS[name].fullmatch(value) is None for name, value in found.items()):
            return "identifier_not_recognised"
        if body.key_value is not None and body.key_value not in found.values():
            return "identifier_not_recognised"
        if event_type.about_order and not any(name in found for name in ORDER_IDENTIFIERS):
            return "no_contact_identifier"
        if self._contacts is not None and not any(value in self._contacts for value in found.values()):
            return "contact_unknown"
        values = _values(body)
        for name, check in event_type.required.items():
            if name not in values or (isinstance(values[name], str) and not is_text(values[name])):
                return f"missing_param:{name}"
            if not check(values[name]):
                return f"bad_param:{name}"
        for name, value in values.items():
            if isinstance(value, str) and not is_text(value):
                return f"blank_param:{name}"
            if name in event_type.optional and not event_type.optional[name](value):
                return f"bad_param:{name}"
        return None

    # ── what is stored ───────────────────────────────────────────────────────────────────────────

    def _store(self, name: str, body: Body, event_type: EventType) -> SandboxAnswer:
        values = _values(body)
        if not event_type.about_order:
            cart = values.get("recycleStateId")
            lane = None if cart is None else f"cart:{cart}"
            return SandboxAnswer(200, accepted=[(name, lane)], may_recur=True)
        order_id = str(values["externalOrderId"])
        early: Sequence[str] = ()
        if order_id not in self._orders:
            if event_type.only_known_orders:
                _remember(self._too_early, order_id).append(name)
                return SandboxAnswer(200, ignored=[(name, ORDER_UNKNOWN)])
            if body.event_type_key == "orderCreated":
                early = self._too_early.pop(order_id, ())
            self._orders[order_id] = None
            if len(self._orders) > ORDERS_MAX:
                del self._orders[next(iter(self._orders))]
        return SandboxAnswer(
            200,
            accepted=[(name, f"order:{order_id}")],
            ignored=[(each, ORDER_CAME_LATER) for each in early],
        )


def _remember(of_orders: dict[str, list[str]], order_id: str) -> list[str]:
    if len(of_orders) >= ORDERS_MAX:
        del of_orders[next(iter(of_orders))]
    return of_orders.setdefault(order_id, [])


def _name(raw: bytes, event: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """What stands for the event, as its body has no id: type, order or cart, and a digest of the body."""
    about = values.get("externalOrderId")
    if about is None:
        about = values.get("recycleStateId", "")
    return f"{event['eventTypeKey']}:{about}:{hashlib.sha256(raw).hexdigest()[:16]}"


def _read(raw: bytes) -> Body:
    try:
        return _decode(raw)
    except msgspec.ValidationError as error:
        raise Refusal("malformed", str(error)) from None
    except (ValueError, RecursionError):
        raise Refusal("not_json", "The body is not JSON") from None


def _values(body: Body) -> dict[str, str | int]:
    return {param.name: param.value for param in body.params}


def _identifiers(body: Body) -> dict[str, str]:
    return {
        param.name: param.value
        for param in body.params
        if param.name in IDENTIFIERS and isinstance(param.value, str) and param.value.strip()
    }


def _check_identifier(value: str) -> None:
    if not value.strip() or len(value) > IDENTIFIER_CHARS_MAX:
        raise Refusal("identifier_length", f"An identifier has 1 to {IDENTIFIER_CHARS_MAX} characters")
    if not FORBIDDEN.isdisjoint(value):
        raise Refusal("forbidden_character", "An identifier holds a forbidden character")


def _is_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"') if parameters.strip() else "utf-8"
    return media_type.strip() == "application/json" and charset == "utf-8"


def _answer(
    status: int, body: bytes, kind: str = "text/plain", *, refused: str | None = None
) -> SandboxAnswer:
    return SandboxAnswer(status, body, {"Content-Type": kind} if body else {}, refused=refused)
