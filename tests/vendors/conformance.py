"""What every destination must hold, whatever its vendor: subclass `VendorConformance`, fill in three names.

The claims are tried on many events, extreme ones included, and against the vendor's own strict stand-in.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from connector.delivery.batcher import Batcher
from connector.model.event import EVENT_TYPES
from connector.model.item import Item
from connector.model.outcome import (
    RETRY_REASONS,
    SKIP_REASONS,
    is_dead_letter_reason,
    is_halt_reason,
)
from connector.model.verdict import Delivered, Halt, Partial, Reject, Retry, Split, Verdict
from connector.sample import NOW_MS as SAMPLED_MS
from connector.settings.model import PURPOSES
from connector.settings.reference import example_options
from connector.vendors.contract import (
    Destination,
    Mapped,
    Refused,
    Response,
    SandboxAnswer,
    SandboxRequest,
    Skipped,
)
from tests.vendors.any_event import NOW_MS, any_events, bent_events, event_of, rich_event, sampled

API_KEY = "kit-api-key-5c1e"

EXAMPLES = 2_000 if os.environ.get("CI") else 50

exhaustively = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow, HealthCheck.data_too_large],
)

STATUSES = range(100, 600)
SILENCES = (Response(None, silence="timeout"), Response(None, silence="connection"), Response(None))
ODD_BODIES = (
    *(b"", b" ", b"OK", b"null", b"true", b"1", b"1e999", b'"text"', b"[]", b"{}", b"[[]]", b"[null, 1, {}]"),
    *(b"\xff\xfe", b'{"message": "\xff"}', b'{"a":', b"<html>502</html>", b"{" * 65_536, b"[" * 65_536),
    *(b'{"errCode": 5, "message": [], "code": "x", "details": 1}', b'[{"errCode": null}]', b'"\\ud800"'),
    b"[" + b'{"errCode": "bad_request"},' * 2_000 + b"1]",
)
ODD_HEADERS: Sequence[dict[str, str]] = (
    {},
    {"retry-after": "", "x-ratelimit-reset": ""},
    {"retry-after": "soon", "x-ratelimit-reset": "later"},
    {"retry-after": "-1", "x-ratelimit-reset": "nan"},
    {"retry-after": "9" * 400, "x-ratelimit-reset": "1_0"},
    {"retry-after": "Wed, 99 Foo 99999 99:99:99 GMT", "x-ratelimit-reset": "99999-99-99"},
)
ODD_ANSWERS = [Response(status, {}, body) for status in STATUSES for body in ODD_BODIES]
ODDLY_HEADED = [Response(status, headers) for status in STATUSES for headers in ODD_HEADERS]


class VendorConformance:
    """Claims about one destination. Subclasses say which, with which options, and what it must not see."""

    vendor: ClassVar[type[Destination]]
    options: ClassVar[BaseModel]
    forbidden: ClassVar[Sequence[str]]
    """Dotted paths of canonical fields that never reach this vendor; `items.name` means each item's, and
    `page.url?` what follows its path (user info, query and fragment)."""
    adjustments: ClassVar[frozenset[str]]
    """The counters its contract names for what is changed without changing the outcome."""

    risked: ClassVar[frozenset[str]] = frozenset()
    """Refusals of the stand-in that the contract takes its chance with: what it lets through although the
    vendor may refuse it, alone and at no cost to others."""

    own_words: ClassVar[Sequence[bytes]] = ()
    """Bodies in which its verdicts read more than the status: tried with every status, as the odd ones."""

    switched: ClassVar[Mapping[str, str]] = {}
    """Rows of the event table that read otherwise under these options."""

    # ── what it is ───────────────────────────────────────────────────────────────────────────────

    def test_what_it_is_is_said_in_the_contracts_words(self) -> None:
        """Whoever configures it relies on that: the checks of the settings, `check`, the reference."""
        vendor = self.vendor
        for said in (vendor.ordering_required, vendor.writes_to_customers, vendor.url_per_account):
            assert said is True or said is False
        assert vendor.ordering == "key" or (vendor.ordering == "none" and not vendor.ordering_required)
        assert set(PURPOSES).issuperset(vendor.consent)
        assert set(vendor.Options.model_fields).issuperset(vendor.address_options)

    # ── mapping ──────────────────────────────────────────────────────────────────────────────────

    @exhaustively
    @given(st.data())
    def test_the_same_event_gives_the_same_ids_and_bytes(self, data: st.DataObject) -> None:
        """A retry, a restart and a replay say the same: nothing depends on chance or on what came before."""
        form = self._any_event(data)
        first, again = self._map(form), self._map(form)
        assert first == again
        if isinstance(first, Mapped):
            ids = {item.id for item in first.items}
            assert len(ids) == len(first.items), "two items of an event share an id"

    @exhaustively
    @given(st.data())
    def test_any_event_is_accepted_or_has_a_listed_reason(self, data: st.DataObject) -> None:
        """Whatever the event: skipped or refused with a listed reason, or taken by the vendor."""
        result = self._map(self._any_event(data))
        assert self.adjustments.issuperset(result.adjustments)
        match result:
            case Skipped(reason):
                assert reason in SKIP_REASONS
                assert reason in self.vendor.reasons
            case Refused(reason):
                assert is_dead_letter_reason(reason)
                assert reason in self.vendor.reasons
            case Mapped(items):
                assert items, "mapped means at least one item"
                for item in items:
                    self._assert_taken([item])

    @settings(exhaustively, max_examples=EXAMPLES // 4)
    @given(st.data(), st.integers(0, 5), st.integers(1, 40))
    def test_any_batch_is_within_the_limits_and_accepted(
        self, data: st.DataObject, different: int, times: int
    ) -> None:
        """However events come together, a request holds no more than the vendor takes, and it is taken."""
        destination = self._destination()
        items = [item for _ in range(different) for item in self._items(self._any_event(data))] * times
        carried = 0
        for batch in self._batches(items):
            carried += len(batch)
            limits = destination.limits
            assert len(batch) <= limits.items_max
            for kind, most in limits.per_kind.items():
                assert sum(item.kind == kind for item in batch) <= most
            if limits.unique_ids:
                assert len({item.id for item in batch}) == len(batch)
            estimate = limits.frame_bytes + sum(len(item.body) + 1 for item in batch)
            body = destination.request(batch).body
            assert len(body) <= max(estimate, len(batch[0].body) if limits.items_max == 1 else 0)
            assert len(body) <= limits.body_bytes_max
            self._assert_taken(batch)
        assert carried == len(items)

    def test_the_event_table_tells_the_truth(self) -> None:
        """A type that the table calls a skip is one, with that reason; any other is mapped."""
        untrue = []
        for event_type in EVENT_TYPES:
            result = self._map(self.whole_event(event_type))
            match self._events[event_type].split():
                case ["skip", reason, *_]:
                    true = isinstance(result, Skipped) and result.reason == reason
                case _:
                    true = isinstance(result, Mapped)
            if not true:
                untrue.append(f"{event_type}: {self._events[event_type]!r}, but {result}")
        assert not untrue, "; ".join(untrue)

    def test_what_the_demo_sends_is_mapped_and_never_refused(self) -> None:
        """Under the options of `connector config example`, believable events (`connector sample`) have what
        the vendor asks for: none is a dead letter, and what the table calls sent is sent once at least.

        A refused one lacks what the vendor wants: skip it with a reason, or let `connector/sample/` have it.
        """
        destination = self.vendor(self.vendor.Options.model_validate(example_options(self.vendor.Options)))
        mapped = set()
        for event in sampled():
            result = destination.map(event, SAMPLED_MS)
            assert not isinstance(result, Refused), (result, event)
            if isinstance(result, Mapped):
                mapped.add(str(event.event_type))
        assert mapped == {word for word, fate in self.vendor.events.items() if not fate.startswith("skip")}

    def test_the_event_table_is_complete(self) -> None:
        """Every canonical event type has a row, and there is no row for anything else."""
        assert set(self.vendor.events) == set(EVENT_TYPES)

    def test_a_type_that_nobody_knows_is_a_skip(self) -> None:
        """A newer producer's event type is normal traffic, not a fault."""
        result = self._map(rich_event("click") | {"event_type": "teleported"})
        assert isinstance(result, Skipped)
        assert result.reason == "unknown_event_type"

    # ── privacy ──────────────────────────────────────────────────────────────────────────────────

    @exhaustively
    @given(st.data())
    def test_nothing_forbidden_is_ever_in_a_body(self, data: st.DataObject) -> None:
        """What the vendor may not have is in none of the bytes, whatever else the event holds."""
        planted = _plant(self._any_event(data), self.forbidden)
        for item in self._items(planted):
            assert b"PLANTED" not in item.body

    def test_nothing_forbidden_is_in_the_body_of_a_whole_event(self) -> None:
        """The same for an event that has everything, so that no field hides behind a skip."""
        for event_type in EVENT_TYPES:
            for item in self._items(_plant(self.whole_event(event_type), self.forbidden)):
                assert b"PLANTED" not in item.body, event_type

    def test_no_secret_shows(self) -> None:
        """Neither the options nor the destination nor an error says a secret aloud."""
        secrets = [value.get_secret_value() for _, value in self.options if isinstance(value, SecretStr)]
        destination = self._destination()
        shown = [repr(self.options), str(self.options), repr(destination), self.options.model_dump_json()]
        try:
            self.vendor.Options(**self.options.model_dump(), no_such_option=True)
        except ValueError:
            shown.append(traceback.format_exc())
        else:
            pytest.fail("an unknown option was accepted")
        for secret in secrets:
            assert all(secret not in text for text in shown)
        headers = self.vendor.credentials(API_KEY)
        assert headers, "the key travels in a header"
        request = str(destination.request(self._some_items()[:1]))
        assert all(value not in request for value in (API_KEY, *headers.values()))

    # ── verdicts ─────────────────────────────────────────────────────────────────────────────────

    @pytest.mark.parametrize("count", [1, 2, 7])
    def test_every_answer_has_a_verdict(self, count: int) -> None:
        """Every status with every odd body, and both silences: a listed reason, never an exception, never
        `Split` for what can't be split, and never a part again where order matters."""
        items = self._some_items()[:count]
        count = len(items)
        judge = self._destination().judge
        for answer in (*ODD_ANSWERS, *ODDLY_HEADED, *self._in_its_own_words(), *SILENCES):
            self._assert_sound(judge(items, answer, NOW_MS), count)

    @exhaustively
    @given(st.integers(100, 599), st.binary(max_size=64), st.text(max_size=40))
    def test_no_answer_is_too_odd(self, status: int, body: bytes, wait: str) -> None:
        """Bytes and headers without sense are judged like their status."""
        headers = {"retry-after": wait, "x-ratelimit-reset": wait}
        items = self._some_items()
        destination = self._destination()
        verdict = destination.judge(items, Response(status, headers, body), NOW_MS)
        self._assert_sound(verdict, len(items))
        probed = destination.judge_probe(Response(status, headers, body))
        assert isinstance(probed, bool) or is_halt_reason(probed.reason)

    def test_every_answer_to_the_probe_means_something(self) -> None:
        """Healthy, not yet, or a listed halt."""
        judge_probe = self._destination().judge_probe
        for answer in (*ODD_ANSWERS, *self._in_its_own_words(), *SILENCES):
            probed = judge_probe(answer)
            assert isinstance(probed, bool) or is_halt_reason(probed.reason)

    def test_silence_and_outage_blame_no_event(self) -> None:
        """A vendor that is down is never a bad record."""
        items = self._some_items()
        for answer in (*SILENCES, *(Response(status) for status in range(500, 600)), Response(429)):
            assert isinstance(self._destination().judge(items, answer, NOW_MS), Retry)

    def test_a_wrong_key_blames_no_event(self) -> None:
        """A wrong key is never a bad record."""
        for status in (401, 403):
            verdict = self._destination().judge(self._some_items(), Response(status), NOW_MS)
            assert isinstance(verdict, Halt)

    @pytest.mark.parametrize("status", [400, 409, 413, 418, 422])
    def test_a_split_ends_and_finds_the_culprit(self, status: int) -> None:
        """Halving a refused batch settles every item: the bad one is rejected, all others are delivered."""
        items = self._some_items()
        for poison in {items[0].id, items[-1].id, items[len(items) // 2].id}:
            delivered, rejected, requests = self._settle(items, poison, status)
            assert rejected == [poison]
            assert sorted(delivered) == sorted(item.id for item in items if item.id != poison)
            assert requests <= 2 * len(items)

    # ── the stand-in ─────────────────────────────────────────────────────────────────────────────

    def test_the_stand_in_throttles_and_fails_as_the_vendor_does(self) -> None:
        """Injected faults come in a form that is judged as what they are."""
        sandbox = self.vendor.sandbox(self.options)
        items = self._some_items()
        throttled = self._judge(items, sandbox.throttled(7.0))
        assert isinstance(throttled, Retry)
        assert throttled.reason == "throttled"
        assert isinstance(self._judge(items, sandbox.failed(503)), Retry)
        assert isinstance(self._judge(items, sandbox.failed(401)), Halt)

    def test_the_stand_in_reads_ids_without_judging(self) -> None:
        """Faults can aim at an id; unreadable requests have none."""
        sandbox = self.vendor.sandbox(self.options)
        items = self._some_items()
        for batch in self._batches(items):
            assert sorted(sandbox.ids(self._arrived(batch))) == sorted(
                [self.vendor.vendor_id(item) for item in batch]
            )
        request = msgspec.structs.replace(self._arrived(items[:1]), body=b"\xff")
        assert not sandbox.ids(request)

    def test_the_stand_in_wants_the_key(self) -> None:
        """Without credentials nothing is taken, and the answer is judged as a halt."""
        for batch in self._batches(self._some_items()):
            request = self._arrived(batch)
            keyed = {name.lower() for name in self.vendor.credentials(API_KEY)}
            headers = {name: value for name, value in request.headers.items() if name not in keyed}
            answer = self.vendor.sandbox(self.options).answer(
                msgspec.structs.replace(request, headers=headers)
            )
            assert not answer.accepted
            assert isinstance(self._judge(batch, answer), Halt)

    def test_the_probe_is_harmless_and_healthy(self) -> None:
        """The stand-in stores nothing for the probe, and its answer means healthy."""
        url = self.vendor.url(self.options)
        probe = self._destination().probe(url)
        if probe is None:
            return
        parts = urlsplit(probe.url or url)
        headers = {**probe.headers, **self.vendor.credentials(API_KEY)}
        arrived = SandboxRequest(
            probe.method, parts.path, {k.lower(): v for k, v in headers.items()}, probe.body, NOW_MS
        )
        answer = self.vendor.sandbox(self.options).answer(arrived)
        assert not answer.accepted
        assert self._destination().judge_probe(_response(answer)) is True

    # ── what a subclass may widen ────────────────────────────────────────────────────────────────

    def whole_event(self, event_type: str) -> dict[str, Any]:
        """An event of this type that has all the vendor could want."""
        return rich_event(event_type)

    # ── tools ────────────────────────────────────────────────────────────────────────────────────

    def _any_event(self, data: st.DataObject) -> dict[str, Any]:
        """Any event at all; mostly of a type that the vendor wants, with only a few fields out of order."""
        wanted = [name for name, words in self._events.items() if not words.startswith("skip")]
        event_type = data.draw(st.sampled_from([*wanted * 9, *EVENT_TYPES]))
        if data.draw(st.integers(0, 5)) == 5:
            return data.draw(any_events(event_type))
        return data.draw(bent_events(self.whole_event(event_type)))

    def _in_its_own_words(self) -> Iterator[Response]:
        return (Response(status, {}, body) for status in STATUSES for body in self.own_words)

    @property
    def _events(self) -> Mapping[str, str]:
        return {**self.vendor.events, **self.switched}

    def _destination(self) -> Destination:
        return self.vendor(self.options)

    def _map(self, form: dict[str, Any]) -> Mapped | Skipped | Refused:
        return self._destination().map(event_of(form), NOW_MS)

    def _items(self, form: dict[str, Any]) -> Sequence[Item]:
        result = self._map(form)
        return result.items if isinstance(result, Mapped) else ()

    def _some_items(self) -> list[Item]:
        """Items of all kinds from whole events, each event twice under ids of its own."""
        return [*self._mapped_once()]

    @classmethod
    @cache
    def _mapped_once(cls) -> tuple[Item, ...]:
        """With thousands of examples, mapping them for each was most of what judging odd answers cost."""
        items: list[Item] = []
        for number, event_type in enumerate((*EVENT_TYPES, *EVENT_TYPES)):
            event = cls().whole_event(event_type)
            event["event_id"] = f"00000000-0000-4000-8000-{number:012d}"
            if "order" in event:
                event["order"]["order_id"] = f"ord-{number}"
            items += cls()._items(event)
        assert items
        return tuple(items)

    def _batches(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        """The batches that the delivery room would make."""
        batcher = Batcher(self._destination().limits, linger_s=1.0)
        for item in items:
            closed = batcher.add(item, 0.0)
            if closed:
                yield closed
        rest = batcher.close()
        if rest:
            yield rest

    def _arrived(self, items: Sequence[Item]) -> SandboxRequest:
        """The request for these items as it reaches the vendor."""
        destination = self._destination()
        request = destination.request(items)
        parts = urlsplit(request.url or self.vendor.url(self.options))
        headers = {**request.headers, **self.vendor.credentials(API_KEY)}
        lower = {name.lower(): value for name, value in headers.items()}
        return SandboxRequest(request.method, parts.path, lower, request.body, NOW_MS)

    def _assert_taken(self, items: Sequence[Item]) -> None:
        answer = self.vendor.sandbox(self.options).answer(self._arrived(items))
        if answer.refused in self.risked:
            assert isinstance(self._judge(items, answer), Reject)
            return
        assert answer.refused is None, (answer, [item.body for item in items])
        assert self.vendor.unavoidable.issuperset(reason for _, reason in answer.ignored), answer.ignored
        assert sorted(each for each, _ in (*answer.accepted, *answer.ignored)) == sorted(
            self.vendor.vendor_id(item) for item in items
        )
        assert self._judge(items, answer) == Delivered()

    def _judge(self, items: Sequence[Item], answer: SandboxAnswer) -> Verdict:
        return self._destination().judge(items, _response(answer), NOW_MS)

    def _assert_sound(self, verdict: Verdict, count: int) -> None:
        match verdict:
            case Delivered():
                pass
            case Partial(rejected, retry):
                assert not rejected.keys() & retry
                assert not retry or self.vendor.ordering != "key", (
                    "they would come after newer ones of their key"
                )
                assert all(0 <= index < count for index in (*rejected, *retry))
                assert all(reason in self.vendor.reasons for reason, _ in rejected.values())
            case Retry(reason, after_s):
                assert reason in RETRY_REASONS
                assert after_s is None or 0 <= after_s <= self._destination().limits.retry_after_max_s
            case Split():
                assert count > 1
            case Reject(reason):
                assert is_dead_letter_reason(reason)
                assert reason in self.vendor.reasons
            case Halt(reason):
                assert is_halt_reason(reason)

    def _settle(self, items: Sequence[Item], poison: str, status: int) -> tuple[list[str], list[str], int]:
        """Send until everything is settled, to a vendor that refuses any request with the poison in it."""
        destination = self._destination()
        waiting = list(self._batches(items))
        delivered: list[str] = []
        rejected: list[str] = []
        requests = 0
        while waiting:
            batch = waiting.pop()
            requests += 1
            assert requests <= 10 * len(items), "the split does not end"
            refused = any(item.id == poison for item in batch)
            match destination.judge(batch, Response(status if refused else 200), NOW_MS):
                case Delivered():
                    delivered += [item.id for item in batch]
                case Split():
                    half = len(batch) // 2
                    waiting += [batch[:half], batch[half:]]
                case Reject():
                    rejected += [item.id for item in batch]
                case verdict:
                    raise AssertionError(f"{status} must not be {verdict}")
        return delivered, rejected, requests


def _response(answer: SandboxAnswer) -> Response:
    return Response(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)


def _plant(form: dict[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """The event with a mark in every field of `paths`, whether it was there before or not."""
    planted: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(form))
    for path in paths:
        *groups, field = path.split(".")
        for holder in _holders(planted, groups):
            _mark(holder, field)
    return planted


def _holders(form: dict[str, Any], groups: Sequence[str]) -> Iterator[dict[str, Any]]:
    if not groups:
        yield form
        return
    if groups[0] == "order" and "order" not in form:
        return  # only order events have one
    inner = form.get(groups[0]) or ([{}] if groups[0] == "items" else {})
    form[groups[0]] = inner
    for each in inner if isinstance(inner, list) else [inner]:
        yield from _holders(each, groups[1:])


def _mark(holder: dict[str, Any], field: str) -> None:
    if field.endswith("?"):
        field = field[:-1]
        holder[field] = "https://PLANTED:PLANTED@shop.example/p/1?q=PLANTED#PLANTED"
    elif field == "properties" or field in ("filters", "attributes"):
        holder[field] = {"PLANTED": "PLANTED"}
    else:
        holder[field] = f"PLANTED {field}"
