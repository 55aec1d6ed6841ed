"""Small PNGs: with 256 colours a screenshot takes a third of what the browser writes, and looks the same."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator

from playwright.async_api import Browser

COLOURS_MAX = 256

_COUNTED = """async ([url, most]) => {
  const picture = await createImageBitmap(await (await fetch(url)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height), context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, picture.width, picture.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  const palette = [...counts].sort((one, other) => other[1] - one[1]).slice(0, most).map(([pixel]) => pixel);
  const parts = (pixel) => [pixel & 255, pixel >> 8 & 255, pixel >> 16 & 255];
  const known = palette.map(parts), places = new Map();
  for (const pixel of counts.keys()) {
    const mine = parts(pixel);
    let best = 0, least = Infinity;
    known.forEach((other, place) => {
      const distance = other.reduce((sum, part, at) => sum + (part - mine[at]) ** 2, 0);
      if (distance < least) { best = place; least = distance; }
    });
    places.set(pixel, best);
  }
  let text = "";
  for (const pixel of pixels) text += String.fromCharCode(places.get(pixel));
  return [picture.width, picture.height, known, btoa(text)];
}"""
"""Each pixel as its place among the colours most used; a rare one as the nearest of them."""


async def small(browser: Browser, screenshot: bytes) -> bytes:
    """The same picture, smaller. The browser counts the colours, since it can read PNGs."""
    tab = await browser.new_page()
    url = f"data:image/png;base64,{base64.b64encode(screenshot).decode()}"
    width, height, palette, places = await tab.evaluate(_COUNTED, [url, COLOURS_MAX])
    await tab.close()
    return written(width, height, palette, base64.b64decode(places))


def written(width: int, height: int, palette: list[list[int]], places: bytes) -> bytes:
    """A PNG of one byte a pixel, which is the place of its colour in the palette."""
    rows = b"".join(b"\0" + places[start : start + width] for start in range(0, width * height, width))
    chunks: Iterator[tuple[bytes, bytes]] = iter(
        (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            (b"PLTE", b"".join(map(bytes, palette))),
            (b"IDAT", zlib.compress(rows, 9)),
            (b"IEND", b""),
        )
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
