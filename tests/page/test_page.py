"""The page in Chromium: idle, busy, halted, breaker open. What it shows is what `/status` says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connector.faults import Faults
from tests.app_rig import KEY, Stage, click
from tests.broker.launcher.brokers import MockBroker
from tests.conftest import launched
from tests.kept_logging import kept_logging
from tests.page.browser import PATIENCE_MS, Visit, chromium, visiting

__all__ = ["kept_logging"]
pytestmark = [pytest.mark.usefixtures("kept_logging"), pytest.mark.slow]

Unique = Callable[[str], str]
Scene = Callable[[Stage], Any]

SHORT = {"shutdown_timeout_s": 2, "drain_timeout_s": 1}
"""Nobody waits here for a vendor that never answers."""


async def idle(stage: Stage) -> None:
    await stage.write(click(1))
    await stage.until(lambda: stage.partitions[0]["committed"] == 1, "the commit")


async def busy(stage: Stage) -> None:
    stage.vendor.faults = Faults.parse("hang:1.0")
    await stage.write(
        *(click(number) for number in range(200)), b"\xff", {**click(900), "event_type": "bookmark"}
    )
    await stage.until(lambda: bool(stage.books.get("skipped")), "the skip")
    await stage.until(lambda: stage.partitions[0]["lag"] is not None, "the lag")
    await stage.until(lambda: stage.app.status()["sender"]["in_flight"] > 0, "a request")  # type: ignore[index]


async def halted(stage: Stage) -> None:
    await stage.write(click(1))
    await stage.until(lambda: stage.app.status()["state"] == "halted", "the halt")


async def breaker_open(stage: Stage) -> None:
    stage.vendor.faults = Faults.parse("503:1.0")
    await stage.write(*(click(number) for number in range(300)))
    await stage.until(lambda: stage.app.status()["breaker"] != "closed", "the breaker")


async def kafka_silent(stage: Stage) -> None:
    await idle(stage)
    await stage.until(lambda: stage.partitions[0]["lag"] == 0, "the lag")
    stage.app._outlook._every_s = 0.2
    stage.broker.kafka.broker_down(1)  # type: ignore[attr-defined]  # the embedded one
    await stage.until(lambda: stage.app.status()["kafka_silent_s"] is not None, "the silence")


SCENES: dict[str, tuple[Scene, str, str]] = {
    "idle": (idle, "running", "Everything that Kafka has"),
    "busy": (busy, "running", "Reading and delivering"),
    "halted": (halted, "halted", "(401 Unauthorized, invalid_api_key), read from "),
    "breaker open": (breaker_open, "running", "waited for"),
    "Kafka silent": (kafka_silent, "running", "Kafka has not answered for"),
}
"""How the connector is brought there, the state it is then in, and what its first sentence says."""


def counted(number: int | None) -> str:
    """As the page writes it; a number that is not known yet is no 0."""
    return "–" if number is None else f"{number:,}"


@pytest.fixture(autouse=True)
def a_browser() -> None:
    launched(chromium)


@asynccontextmanager
async def scene(
    name: str, broker: MockBroker, unique: Unique, folder: Path
) -> AsyncIterator[tuple[Stage, Visit]]:
    """The connector in that state, and its page open in a browser."""
    key = "a-key-that-was-withdrawn" if name == "halted" else KEY
    async with Stage(broker, unique, folder, key=key, limits=SHORT) as stage:
        await SCENES[name][0](stage)
        async with visiting(stage.app.address) as visit:
            yield stage, visit
        broker.kafka.broker_up(1)


@pytest.mark.parametrize("name", SCENES)
async def test_the_page_shows_what_status_says(
    name: str, mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """State, sentence, figures, partitions, books and reasons; nothing asked of anybody else; no error."""
    async with scene(name, mock_broker, unique, tmp_path) as (stage, visit):
        await visit.page.locator("#pause").click()
        seen = await visit.page.evaluate("last")
        state, sentence = SCENES[name][1:]
        assert seen.keys() == json.loads((await stage.get("/status"))[1]).keys()
        assert (await visit.text("#state"), seen["state"]) == (state, state)
        assert sentence in await visit.text("#told")
        assert await visit.text("#told") == seen["told"]
        assert await visit.page.locator("#waits li").all_inner_texts() == seen["waits"]
        (partition,) = seen["partitions"]
        assert (await visit.text("#lag")).split(" as of ")[0] == counted(partition["lag"])
        assert await visit.text("#breaker") == seen["breaker"].replace("_", "-")
        assert (
            await visit.text("#requests") == f"{seen['sender']['in_flight']} of {seen['concurrency_limit']}"
        )
        row = (await visit.table("partitions"))[0]
        assert row[0] == f"{partition['topic']}:{partition['partition']}"
        assert row[2] == counted(partition["lag"])
        assert row[4:8] == [counted(partition[name]) for name in ("open", "committed", "frontier", "end")]
        topics = [
            [
                topic,
                *(
                    f"{books[part]:,}"
                    for part in ("consumed", "delivered", "skipped", "dead_lettered", "released", "in_flight")
                ),
            ]
            for topic, books in seen["topics"].items()
        ]
        assert await visit.table("topics") == topics
        reasons = {
            (row[0], row[1].replace("-", "_")): (row[2], row[4]) for row in await visit.table("reasons")
        }
        assert reasons == {
            (reason, outcome): (f"{count:,}", seen["last_records"][outcome][reason])
            for outcome in ("skipped", "dead_lettered")
            for reason, count in seen["outcomes"].get(outcome, {}).items()
        }
        assert {urlsplit(each).netloc for each in visit.asked} == {urlsplit(stage.app.address).netloc}
        assert not visit.wrong


async def test_what_came_once_in_thousands_has_no_share_of_nothing(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """A row beside 0 % would contradict itself."""
    async with scene("idle", mock_broker, unique, tmp_path) as (_, visit):
        shares = {(1, 0): "–", (1, 9999): "under 0.1 %", (1, 2000): "0.1 %", (1, 3): "33.3 %"}
        for (count, of), shown in shares.items():
            assert await visit.page.evaluate(f"share({count}, {of})") == shown


@pytest.mark.parametrize("name", SCENES)
async def test_nothing_stands_in_anybodys_way(
    name: str, mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """Screen reader, contrast, names of controls: light and dark, on a desk and on a phone."""
    async with scene(name, mock_broker, unique, tmp_path) as (_, visit):
        for dark in (False, True):
            for width in (1280, 360):
                await visit.look(width, dark=dark)
                assert await visit.barriers() == []
                assert not await visit.overflows(), width


async def test_a_phone_shows_what_matters_without_scrolling_sideways(
    mock_broker: MockBroker, tmp_path: Path
) -> None:
    """Every sentence whole, and of a partition name, state and lag; its name stays when one does scroll."""
    async with scene("breaker open", mock_broker, lambda name: name, tmp_path) as (_, visit):
        await visit.look(360, dark=False)
        for selector in ("section > p:visible", "#waits li", "#partitions tr > :nth-child(3)"):
            for each in await visit.page.locator(selector).all():
                box = await each.bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= 360, await each.inner_text()
        name = visit.page.locator("#partitions th")
        before = await name.bounding_box()
        await visit.page.locator("#partitions-box").evaluate("box => { box.scrollLeft = 100; }")
        assert await name.bounding_box() == before


@pytest.mark.parametrize("name", ["halted", "idle"])
async def test_without_javascript_the_page_says_how_it_is(
    name: str, mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """State and sentence, and where the rest is; nothing empty that would read as "there is none"."""
    async with scene(name, mock_broker, unique, tmp_path) as (stage, visit):
        browser = visit.page.context.browser
        assert browser is not None
        plain = Visit(await browser.new_page(java_script_enabled=False))
        await plain.page.goto(stage.app.address)
        state, sentence = SCENES[name][1:]
        assert await plain.text("#state") == state
        assert sentence in await plain.text("#told")
        assert await plain.page.locator("noscript a").get_attribute("href") == "/status"
        assert await plain.page.locator("section:visible").count() == 1
        assert not await plain.page.locator("button:visible, #waits:visible:empty").count()
        assert not await plain.overflows()
        assert not plain.wrong


async def test_what_was_known_of_a_silent_kafka_bears_its_age_and_then_is_unknown(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """No 0 that looks like all is well, and no partition that others are said to have."""
    async with scene("Kafka silent", mock_broker, unique, tmp_path) as (_, visit):
        await visit.page.locator("#pause").click()
        seen = await visit.page.evaluate("last")
        rounded = int(seen["kafka_silent_s"] + 0.5)  # as JavaScript does it: a half is rounded up
        assert await visit.text("#lag") == f"0 as of {rounded} s ago"
        assert (await visit.text("#oldest")).endswith("s at most")
        assert (await visit.text("#partitions-words")).endswith("s ago, when Kafka answered last")
        assert (await visit.table("partitions"))[0][1] == "waits for Kafka"
        lost = {**seen, "partitions": [], "in_group": False, "no_partitions": "Not known: it is silent."}
        await visit.page.evaluate("show", lost)
        assert [await visit.text("#lag"), await visit.text("#oldest")] == ["unknown", "unknown"]
        assert await visit.text("#no-partitions") == "Not known: it is silent."
        await visit.page.evaluate("show", {**lost, "kafka_silent_s": None})
        assert await visit.text("#lag") == "unknown", "it is joining"
        await visit.page.evaluate("show", {**seen, "in_group": False})
        assert await visit.text("#lag") == "unknown", "the new protocol keeps what may be another's by now"
        assert (await visit.table("partitions"))[0][1] == "waits for Kafka"
        await visit.page.evaluate("show", {**lost, "kafka_silent_s": None, "in_group": True})
        assert [await visit.text("#lag"), await visit.text("#oldest")] == ["0", "0 s"]
        assert not visit.wrong


async def test_a_replica_that_is_gone_is_told_and_the_old_figures_stay(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """The page outlives what it watches."""
    async with scene("idle", mock_broker, unique, tmp_path) as (stage, visit):
        delivered = await visit.table("topics")
        await stage.app.stop()
        await visit.shows("#state", "no answer")
        assert "the figures below are old" in await visit.text("#told")
        assert await visit.table("topics") == delivered


async def test_a_keyboard_is_enough(mock_broker: MockBroker, unique: Unique, tmp_path: Path) -> None:
    """Refreshing can be stopped, tables scrolled and settings opened; secrets are not among them."""
    async with scene("idle", mock_broker, unique, tmp_path) as (stage, visit):
        await visit.page.keyboard.press("Tab")
        await visit.page.keyboard.press("Enter")
        assert await visit.page.locator("#pause").get_attribute("aria-pressed") == "true"
        asked = len(visit.asked)
        for _ in range(20):
            await visit.page.keyboard.press("Tab")
            if await visit.page.evaluate("document.activeElement.tagName") == "SUMMARY":
                break
        await visit.page.keyboard.press("Enter")
        shown = await visit.text("#settings")
        assert '"group_id"' in shown
        assert stage.key_file.read_text() not in shown
        assert len(visit.asked) == asked


async def test_what_happened_is_seen_as_a_curve(
    mock_broker: MockBroker, unique: Unique, tmp_path: Path
) -> None:
    """With words for those who do not see it."""
    async with scene("idle", mock_broker, unique, tmp_path) as (_, visit):
        await visit.page.locator("#flows path[d^='M']").first.wait_for(timeout=PATIENCE_MS)
        words = await visit.page.locator("#flows svg").first.get_attribute("aria-label")
        assert words is not None
        assert words.startswith("delivered: ")
