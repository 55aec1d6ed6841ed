"""`python -m tests.pictures [FOLDER]`: the pictures of the docs, from a run of about three minutes.

Needs Java, Maven, Prometheus and Chromium; never run by a test, as the pictures differ each time.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.broker.launcher.process import work_dir
from tests.monitoring.dashboards import BOARDS
from tests.page.browser import PATIENCE_MS, QUIET, chromium
from tests.pictures.board import WIDTH_PX, page
from tests.pictures.panels import Span
from tests.pictures.png import small
from tests.pictures.story import Story

FOLDER = Path(__file__).parents[2] / "docs/pictures"
DESK, PHONE, PHONE_HEIGHT = 1_000, 360, 780
STEP_S = 1.0

TRAFFIC_S, OUTAGE_S, RECOVERED_S, REFUSED_S = 75, 25, 45, 12
"""Long enough for each part of the story to be seen on a curve of five-second slots."""


async def photograph(
    browser: Browser, url: str, into: Path, says: str, *, width: int = DESK, dark: bool = False
) -> None:
    """The status page as soon as it says this: all of it on a desk, the first screen of it on a phone."""
    tab = await browser.new_page(
        viewport={"width": width, "height": PHONE_HEIGHT}, color_scheme="dark" if dark else "light"
    )
    await tab.goto(url)
    await tab.locator("#told", has_text=says).wait_for(timeout=PATIENCE_MS)
    await keep(browser, await tab.screenshot(full_page=width == DESK), into)
    await tab.close()


async def photograph_boards(browser: Browser, story: Story, folder: Path) -> None:
    """Every dashboard, from the beginning until now."""
    span = Span(math.floor(story.began), math.floor(time.time()), STEP_S)
    for name, board in BOARDS.items():
        tab = await browser.new_page(viewport={"width": WIDTH_PX, "height": PHONE_HEIGHT})
        await tab.set_content(page(board, story.ask, span))
        await keep(browser, await tab.screenshot(full_page=True), folder / f"dashboard-{name}.png")
        await tab.close()


async def keep(browser: Browser, screenshot: bytes, into: Path) -> None:
    """Write it, as small as it can be."""
    picture = await small(browser, screenshot)
    await asyncio.to_thread(into.write_bytes, picture)
    print(f"{into.name}: {len(picture) // 1000} kB", flush=True)


async def take(folder: Path) -> None:
    """The whole story, photographed where it is worth it."""
    with Story(work_dir("pictures")) as story:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium(), args=QUIET)
            await asyncio.sleep(TRAFFIC_S)  # the story takes its time
            await photograph(browser, story.page, folder / "page-busy.png", "Reading")
            await photograph(browser, story.page, folder / "page-phone.png", "Reading", width=PHONE)
            await asyncio.to_thread(story.outage)
            await asyncio.sleep(OUTAGE_S)
            await photograph(browser, story.page, folder / "page-breaker-open.png", "waited for")
            await asyncio.to_thread(story.recover)
            await asyncio.sleep(RECOVERED_S)
            await photograph_boards(browser, story, folder)
            await asyncio.to_thread(story.quiet)
            await photograph(browser, story.page, folder / "page-idle.png", "Everything", dark=True)
            await asyncio.to_thread(story.refuse)
            await asyncio.sleep(REFUSED_S)
            await photograph(browser, story.page, folder / "page-halted.png", "Nothing is sent")
            await browser.close()


def main() -> None:
    """Into `docs/pictures`, or the folder that is named."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(folder))


if __name__ == "__main__":
    main()
