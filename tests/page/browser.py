"""A headless Chromium, and what of a page a person or a screen reader would get."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright

from tests.broker.launcher.java import MissingToolError

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox",  # as root, in a container, Chromium has no sandbox; it sees our own page alone
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE_MS = 15_000
INSTALL_PATIENCE_S = 600


def chromium() -> str:
    """The browser on this machine; raises `MissingToolError` where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise MissingToolError("no Chromium (on Debian: apt-get install chromium)")


def install() -> None:
    """Get it where there is none and this machine lets us: as root on Debian. Raises `MissingToolError` where
    it does not, `CalledProcessError` where Debian's packages are out of reach."""
    try:
        chromium()
    except MissingToolError:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise
        print("installing Debian's package chromium (once, about half a minute)", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "-qq", *command], env=quiet, check=True, timeout=INSTALL_PATIENCE_S)


class Visit:
    """One open page, with all that went wrong on it and every address it asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.wrong: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on(
            "console",
            lambda line: self.wrong.append(line.text) if line.type in ("error", "warning") else None,
        )

    async def look(self, width: int, *, dark: bool) -> None:
        """As one would see it on a screen so wide, by day or by night."""
        await self.page.set_viewport_size({"width": width, "height": 900})
        await self.page.emulate_media(color_scheme="dark" if dark else "light")

    async def text(self, selector: str) -> str:
        """What stands there."""
        return str(await self.page.locator(selector).inner_text()).strip()

    async def table(self, body: str) -> list[list[str]]:
        """The cells of a table's body, row by row."""
        rows = await self.page.locator(f"#{body} tr").all()
        return [[cell.strip() for cell in await row.locator("th, td").all_inner_texts()] for row in rows]

    async def shows(self, selector: str, text: str) -> None:
        """Return once this text stands there."""
        await self.page.locator(selector, has_text=text).wait_for(timeout=PATIENCE_MS)

    async def barriers(self) -> list[str]:
        """What axe-core finds in the way of a person with a screen reader, a keyboard or weak eyes."""
        results = await Axe().run(self.page)
        return [f"{each['id']}: {each['help']} {each['nodes']}" for each in results.response["violations"]]

    async def overflows(self) -> bool:
        """Whether one would have to scroll sideways."""
        return bool(
            await self.page.evaluate(
                "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            )
        )


@asynccontextmanager
async def visiting(url: str) -> AsyncIterator[Visit]:
    """The page at this address, with its first answer, in a browser of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        try:
            visit = Visit(await browser.new_page())
            async with visit.page.expect_response("**/status", timeout=PATIENCE_MS):
                await visit.page.goto(url)
            await visit.page.locator("#figures dd").first.wait_for(timeout=PATIENCE_MS)
            yield visit
        finally:
            await browser.close()


if __name__ == "__main__":
    try:
        install()
    except MissingToolError as missing:
        print(missing)  # the tests say what is not proved without it, and fail where CI is set
