"""Schemas by id: patience in virtual time, and the questions over real HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from connector.codec import registry as module
from connector.codec.avro_form import AvroReader, WriterSchema, reader
from connector.codec.decoder import Decoder, NeedSchema, NotFound
from connector.codec.encode import encode_framed
from connector.codec.registry import (
    NOT_FOUND_KEPT_S,
    NOT_FOUND_WAITS_S,
    RETRY_CAP_S,
    Answer,
    ConfluentSource,
    Registry,
    Silence,
)
from connector.codec.schemas import text
from connector.model.event import ClickstreamEvent
from connector.ops.telemetry import Telemetry
from tests.codec.records import CLICK, record
from tests.delivery.virtual_time import run
from tests.fakes.hostile import Behaviour, answer, drip, hang, hostile_server, raw, reset, truncated
from tests.fakes.registry import FakeRegistry, Reference

CLICKS = WriterSchema(text("ClickstreamEvent"))
DOWN = Silence("status 503")
MISSING = NotFound()


class Script:
    """Gives these answers in turn, the last one for ever; each takes a second."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked_at: list[float] = []
        self.closed = False

    async def ask(self, schema_id: int) -> Answer:
        """The next answer."""
        self.asked_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(1)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def close(self) -> None:
        """Noted."""
        self.closed = True


def registry_of(script: Script, telemetry: Telemetry | None = None) -> Registry:
    """A registry that asks the script."""
    return Registry(script, telemetry or Telemetry("acme"), random.Random(1))


def told(telemetry: Telemetry) -> dict[str, float]:
    """How often each result was reported."""
    values = telemetry.metrics.series("schema_registry_requests_total").values
    return {str(result): count for (result,), count in values.items() if count}


def waits(script: Script) -> list[float]:
    """Seconds between an answer and the next question."""
    pairs = zip(script.asked_at, script.asked_at[1:], strict=False)
    return [later - earlier - 1 for earlier, later in pairs]


# ── patience ─────────────────────────────────────────────────────────────────────────────────────


def test_an_id_is_asked_for_once_however_many_wait() -> None:
    """Every partition may meet a new schema in the same moment."""

    async def main() -> None:
        script, telemetry = Script(CLICKS), Telemetry("acme")
        registry = registry_of(script, telemetry)
        assert registry.get(7) is None
        await asyncio.gather(*(registry.fetch(7) for _ in range(20)))
        await registry.fetch(7)
        assert registry.get(7) == CLICKS
        assert len(script.asked_at) == 1
        assert told(telemetry) == {"ok": 1, "cached": 1}

    run(main())


def test_one_who_gives_up_waiting_disturbs_nobody() -> None:
    """Its partition was revoked; another one still needs the schema."""

    async def main() -> None:
        script = Script(DOWN, CLICKS)
        registry = registry_of(script)
        leaving, staying = (asyncio.create_task(registry.fetch(7)) for _ in range(2))
        await asyncio.sleep(0.5)
        leaving.cancel()
        await staying
        assert leaving.cancelled()
        assert registry.get(7) == CLICKS

    run(main())


def test_a_not_found_is_believed_after_the_third_time() -> None:
    """A follower may lag behind the leader where the producer registered a moment ago."""

    async def main() -> None:
        script, telemetry = Script(MISSING), Telemetry("acme")
        registry = registry_of(script, telemetry)
        await registry.fetch(7)
        assert isinstance(registry.get(7), NotFound)
        assert waits(script) == list(NOT_FOUND_WAITS_S)
        assert told(telemetry) == {"not_found": 1}

    run(main())


def test_a_lagging_registry_finds_it_the_third_time() -> None:
    """Then nothing was lost, and nobody is told of it."""

    async def main() -> None:
        registry = registry_of(Script(MISSING, MISSING, CLICKS), telemetry := Telemetry("acme"))
        await registry.fetch(7)
        assert registry.get(7) == CLICKS
        assert told(telemetry) == {"ok": 1}

    run(main())


def test_a_not_found_is_forgotten_after_a_minute() -> None:
    """Until then many records with the bad id cost no request; afterwards it may have been registered."""

    async def main() -> None:
        script = Script(MISSING, MISSING, MISSING, CLICKS)
        registry = registry_of(script)
        await registry.fetch(7)
        await asyncio.sleep(NOT_FOUND_KEPT_S - 0.1)
        await registry.fetch(7)
        assert len(script.asked_at) == 3
        await asyncio.sleep(0.2)
        assert registry.get(7) is None
        await registry.fetch(7)
        assert registry.get(7) == CLICKS

    run(main())


def test_an_outage_of_hours_is_waited_out() -> None:
    """Never a dead letter, never an exception: ever longer waits up to the cap, and each failure is told."""

    async def main() -> None:
        script, telemetry = Script(*[DOWN] * 500, CLICKS), Telemetry("acme")
        registry = registry_of(script, telemetry)
        await registry.fetch(7)
        assert registry.get(7) == CLICKS
        assert told(telemetry) == {"failed": 500, "ok": 1}
        assert all(RETRY_CAP_S / 2 <= wait <= RETRY_CAP_S for wait in waits(script)[10:])
        assert max(waits(script)[:3]) <= 2
        assert sum(waits(script)) > 2 * 3600

    run(main())


def test_an_outage_between_two_not_founds_is_no_not_found() -> None:
    """Only the registry's own word counts."""

    async def main() -> None:
        registry = registry_of(Script(MISSING, DOWN, DOWN, DOWN, MISSING, CLICKS))
        await registry.fetch(7)
        assert registry.get(7) == CLICKS

    run(main())


def test_memory_is_bounded_and_what_is_used_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one asked for longest ago goes first, of schemas and of not-founds."""
    monkeypatch.setattr(module, "SCHEMAS_MAX", 3)

    async def main() -> None:
        registry = registry_of(Script(CLICKS))
        for schema_id in (1, 2, 3):
            await registry.fetch(schema_id)
        assert registry.get(1) is not None
        await registry.fetch(4)
        assert [registry.get(each) is not None for each in (1, 2, 3, 4)] == [True, False, True, True]
        nothing = registry_of(Script(MISSING))
        for schema_id in range(5):
            await nothing.fetch(schema_id)
        assert len(nothing._not_found) == 3

    run(main())


def test_close_ends_every_wait() -> None:
    """A stop does not hang on a registry that is down."""

    async def main() -> None:
        script = Script(DOWN)
        registry = registry_of(script)
        waiting = asyncio.create_task(registry.fetch(7))
        await asyncio.sleep(100)
        await registry.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert script.closed
        assert len(asyncio.all_tasks()) == 1

    run(main())


# ── over HTTP ────────────────────────────────────────────────────────────────────────────────────


def asking(
    body: Callable[[FakeRegistry, ConfluentSource], Coroutine[Any, Any, None]], auth: str | None = None
) -> None:
    """Run a test on the loop that the connector runs on, between a fake registry and a source."""

    async def main() -> None:
        async with FakeRegistry(auth) as fake:
            source = ConfluentSource(fake.url)
            try:
                await body(fake, source)
            finally:
                await source.close()

    uvloop.run(main())


def test_a_registered_schema_comes_as_it_was_registered() -> None:
    """Its text, and that it is Avro; other kinds say what they are."""

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        clicks = fake.register("clickstream-value", CLICKS.text)
        other = fake.register("other", "message A {}", schema_type="PROTOBUF")
        assert await source.ask(clicks) == CLICKS
        assert await source.ask(other) == WriterSchema("message A {}", kind="PROTOBUF")

    asking(body)


def test_only_the_registrys_own_word_is_not_found() -> None:
    """A 404 of anything else, such as a wrong address, says nothing about an id."""

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        assert isinstance(await source.ask(99), NotFound)
        elsewhere = ConfluentSource(f"{fake.url}/wrong/path")
        assert await elsewhere.ask(99) == Silence("status 404")
        await elsewhere.close()

    asking(body)


@pytest.mark.parametrize("outage", [500, 503, 429, 403, 302, 204, "reset", "nonsense"])
def test_whatever_a_registry_does_in_an_outage_is_silence(outage: int | str) -> None:
    """And when it is over, the same source gets its answer."""

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        clicks = fake.register("clickstream-value", CLICKS.text)
        fake.outage = outage
        assert isinstance(await source.ask(clicks), Silence)
        assert len(fake.requests) == 1
        fake.outage = None
        assert await source.ask(clicks) == CLICKS

    asking(body)


def test_a_registry_that_is_gone_is_silence_until_it_is_back() -> None:
    """Connections of before are dead then."""

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        clicks = fake.register("clickstream-value", CLICKS.text)
        assert await source.ask(clicks) == CLICKS
        await fake.stop()
        assert await source.ask(clicks) == Silence("no connection")
        await fake.start()
        assert await source.ask(clicks) == CLICKS

    asking(body)


def test_an_answer_that_takes_too_long_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing at all, or byte after byte without end: the whole answer has a deadline."""
    monkeypatch.setattr(module, "ANSWER_TIMEOUT_S", 0.1)

    async def main() -> None:
        async with hostile_server() as server:
            source = ConfluentSource(server.url)
            for behaviour in (hang(), drip()):
                server.script.append(behaviour)
                said = await source.ask(1)
                assert said == Silence("no answer in time")
            await source.close()

    uvloop.run(main())


@pytest.mark.parametrize(
    "behaviour", [truncated(), reset(), raw(b"HTTP/1.1 20"), raw(b"SSH-2.0-x\r\n\r\n"), raw(b"")]
)
def test_an_answer_that_breaks_off_is_silence(behaviour: Behaviour) -> None:
    """Whatever stands at that address."""

    async def main() -> None:
        async with hostile_server() as server:
            source = ConfluentSource(server.url)
            server.script.append(behaviour)
            assert await source.ask(1) == Silence("the connection broke")
            await source.close()

    uvloop.run(main())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"5",
        b"null",
        b'"text"',
        b'{"schema": null}',
        b'{"schema": 5}',
        b'{"schema": "{}", "schemaType": ["AVRO"]}',
        b'{"error_code": 40403}',
        b'{"schema": "{}", "references": 5}',
        b'{"schema": "{}", "references": [5]}',
    ],
)
def test_a_good_status_with_a_bad_answer_is_silence(body: bytes) -> None:
    """Some proxy's own page, or a registry's bug: nothing was said about the id."""

    async def main() -> None:
        async with hostile_server() as server:
            source = ConfluentSource(server.url)
            server.script.append(answer(200, body))
            said = await source.ask(1)
            assert isinstance(said, Silence)
            assert said.detail.startswith("the answer is none of a registry's")
            await source.close()

    uvloop.run(main())


def test_a_changed_password_counts_from_the_next_question(tmp_path: Path) -> None:
    """A wrong one waits, it never makes dead letters; a file that cannot be read waits too."""
    file = tmp_path / "auth"

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        clicks = fake.register("clickstream-value", CLICKS.text)
        assert await source.ask(clicks) == Silence("status 401")
        following = ConfluentSource(fake.url, lambda: file.read_text())
        assert await following.ask(clicks) == Silence("no such file or directory")
        file.write_text("jo:old")
        assert await following.ask(clicks) == Silence("status 401")
        file.write_text("jo:new:with colon")
        assert await following.ask(clicks) == CLICKS
        await following.close()

    asking(body, auth="jo:new:with colon")


def test_schemas_that_a_schema_refers_to_come_with_it() -> None:
    """Each after what it needs itself and none twice; then it can be read."""

    def line(name: str, field: str, kind: str) -> str:
        fields = [{"name": field, "type": kind}]
        return json.dumps({"type": "record", "name": name, "namespace": "shop", "fields": fields})

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        fake.register("sku", line("Sku", "code", "string"))
        fake.register("line", line("Line", "sku", "shop.Sku"), (Reference("shop.Sku", "sku", 1),))
        fields = [
            {"name": "event_id", "type": "string"},
            {"name": "event_type", "type": {"type": "enum", "name": "T", "symbols": ["click"]}},
            {"name": "occurred_at", "type": "long"},
            {"name": "line", "type": "shop.Line"},
            {"name": "sku", "type": "shop.Sku"},
        ]
        whole = json.dumps({"type": "record", "name": "ClickstreamEvent", "fields": fields})
        needs = (Reference("shop.Line", "line", 1), Reference("shop.Sku", "sku", 1))
        found = await source.ask(fake.register("clicks", whole, needs))
        assert isinstance(found, WriterSchema)
        assert [json.loads(each)["name"] for each in found.references] == ["Sku", "Line"]
        assert isinstance(reader(found), AvroReader)

    asking(body)


def test_a_reference_that_cannot_be_followed_is_silence() -> None:
    """The schema exists, so its records are no dead letters."""

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        fake.register("sku", json.dumps({"type": "record", "name": "Sku", "fields": []}))
        fields = [{"name": "a", "type": "Sku"}]
        whole = json.dumps({"type": "record", "name": "OrderEvent", "fields": fields})
        orders = fake.register("orders", whole, (Reference("Sku", "sku", 1),))
        fake.forget("sku")
        assert await source.ask(orders) == Silence("status 404")

    asking(body)


def test_the_client_keeps_nothing_itself() -> None:
    """The one cache is ours, and it has a bound."""

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        clicks = fake.register("clickstream-value", CLICKS.text)
        await source.ask(clicks)
        await source.ask(clicks)
        assert fake.requests == [f"GET /schemas/ids/{clicks}"] * 2

    asking(body)


def test_no_credential_is_ever_told(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in an answer nor in a log of any library, at any level."""
    caplog.set_level(logging.DEBUG)
    answers: list[Answer] = []

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        named = ConfluentSource(fake.url, lambda: "jo:s3cret")
        outages: Iterable[int | str | None] = (None, 500, "reset", "nonsense")
        for outage in outages:
            fake.outage = outage
            answers.append(await named.ask(1))
        await named.close()

    asking(body, auth="jo:another")
    assert "s3cret" not in repr(answers)
    assert "s3cret" not in caplog.text
    assert "am86czNjcmV0" not in caplog.text


def test_a_record_waits_for_its_schema_and_is_an_event_then() -> None:
    """Decoder and registry together, as the pipeline uses them."""

    async def body(fake: FakeRegistry, source: ConfluentSource) -> None:
        clicks = fake.register("clickstream-value", CLICKS.text)
        registry = Registry(source, Telemetry("acme"))
        decoder = Decoder("auto", registry)
        waiting = record(encode_framed(clicks, CLICK))
        assert decoder.decode(waiting) == NeedSchema(clicks)
        await registry.fetch(clicks)
        assert isinstance(decoder.decode(waiting), ClickstreamEvent)

    asking(body)
