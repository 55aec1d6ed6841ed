"""The invented shop behind `sample.py`: its goods, its shoppers, and how popular each of them is.

Decides only: everything is drawn from the `Random` it is given. Nobody in it exists: mail addresses, phone
numbers and network addresses are from the ranges reserved for documentation and fiction.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

import msgspec

T = TypeVar("T")
Json = dict[str, object]

PRODUCTS = 1_500
SHOPPERS = 4_000
ZIPF_EXPONENT = 0.9
"""Weight of rank r is r^-0.9: the first hundred products draw about half of all views, as in real shops."""

CURRENCIES: dict[str, float] = {"EUR": 1.0, "PLN": 4.3, "UAH": 45.0, "SEK": 11.2, "USD": 1.1, "JPY": 165.0}
"""Currency → what one euro buys of it, roughly. The first is the shop's home currency."""

HOME_CURRENCY = "EUR"
SHOP_URL = "https://shop.example"

_CATEGORIES = (
    ("c-10", "Lamps", ("Home", "Lamps")),
    ("c-11", "Чоботи", ("Одяг", "Взуття", "Чоботи")),
    ("c-12", "Kaffee & Tee", ("Küche", "Kaffee & Tee")),
    ("c-13", "Fromages", ("Épicerie", "Fromages")),
    ("c-14", "Headphones", ("Electronics", "Audio", "Headphones")),
    ("c-15", "Półki", ("Meble", "Półki")),
    ("c-16", "日本茶", ("Drinks", "Tea", "日本茶")),
    ("c-17", "Cykelhjälmar", ("Sport", "Cykelhjälmar")),
)
_WEIGHED_CATEGORIES = frozenset({"c-13", "c-16"})
"""Goods sold by weight: their quantities are fractions."""

_NOUNS = {
    "c-10": ("Desk lamp", "Stehlampe «Öre»", "Лампа настільна"),
    "c-11": ("Зимові черевики", "Trail boot", "Stövlar"),
    "c-12": ("Kaffeemühle", "French press", "Café en grains"),
    "c-13": ("Comté 18 mois", "Gruyère", "Сир твердий"),
    "c-14": ("Headphones", "Écouteurs", 'Kopfhörer 40 mm "Pro"'),
    "c-15": ("Półka dębowa", "Wall shelf", "Bücherregal"),
    "c-16": ("煎茶 Sencha", "玄米茶 Genmaicha", "抹茶 Matcha"),
    "c-17": ("Cykelhjälm", "Bike helmet", "Шолом"),
}
_BRANDS = ("Norrsken", "Тепло", "Müller & Söhne", "Aoyama", "Łódzkie", "Plain", "Été")
_FIRST_NAMES = ("Олена", "Zoë", "José", "Łukasz", "Ayşe", "美咲", "Anna", "Björn", "Iain", "Nuala")
_LAST_NAMES = (
    "Шевченко",
    "Müller",
    "O'Brien",
    "Żak",
    "Yılmaz",
    "佐藤",
    "Smith",
    "Åkesson",
    "García",
    "Ní Bhriain",
)
_LANGUAGES = ("en-GB", "de-DE", "uk-UA", "pl", "sv_SE", "ja-JP", "fr-CA", "en")
_OFFSETS = (0, 60, 120, 180, -300, 330)
_USER_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36",
)


class Product(msgspec.Struct, frozen=True):
    """One good. `line` holds what the catalogue knows about it, some fields missing as in every catalogue."""

    product_id: str
    seller_id: str
    category: tuple[str, str, tuple[str, ...]]
    price_micros: int
    weighed: bool
    path: str
    line: Json


class Shopper(msgspec.Struct, frozen=True):
    """One person (or bot) with its devices. `known` is what the shop knows once the shopper has signed in."""

    anonymous: Json
    known: Json
    app_device: Json
    web_device: Json
    currency: str
    utc_offset_minutes: int
    consent: Json | None


class Popularity:
    """Draws ranks 0…n-1 by Zipf's law, in constant memory and one bisection."""

    __slots__ = ("_cumulated", "_random", "_total")

    def __init__(self, rng: Random, count: int, exponent: float = ZIPF_EXPONENT) -> None:
        self._random = rng.random
        self._cumulated = list(accumulate(rank**-exponent for rank in range(1, count + 1)))
        self._total = self._cumulated[-1]

    def draw(self) -> int:
        """The next rank."""
        return bisect(self._cumulated, self._random() * self._total)


class Shop:
    """The goods and the shoppers of one seed, and the draws that stories are made of."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.chance = rng.random
        self._products = [self._make_product(number) for number in range(PRODUCTS)]
        self._shoppers = [self._make_shopper(number) for number in range(SHOPPERS)]
        self._product_popularity = Popularity(rng, PRODUCTS)
        self._shopper_activity = Popularity(rng, SHOPPERS)

    def product(self) -> Product:
        """A product, the popular ones more often."""
        return self._products[self._product_popularity.draw()]

    def shopper(self) -> Shopper:
        """A shopper, the eager ones more often."""
        return self._shoppers[self._shopper_activity.draw()]

    def category(self) -> tuple[str, str, tuple[str, ...]]:
        """A category of the catalogue."""
        return self.pick(_CATEGORIES)

    def pick(self, choices: Sequence[T]) -> T:
        """One of them, evenly. (`Random.choice` does the same at three times the price.)"""
        return choices[int(self.chance() * len(choices))]

    def below(self, bound: int) -> int:
        """A whole number from 0 to `bound` - 1."""
        return int(self.chance() * bound)

    def uuid(self) -> str:
        """A random UUID of this seed."""
        digits = f"{self.rng.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def token(self, prefix: str) -> str:
        """An opaque word, as other systems give them out."""
        return f"{prefix}{self.rng.getrandbits(64):016x}"

    def sparse(self, fields: Json, share: float) -> Json:
        """These fields, each present with this probability."""
        chance = self.chance
        return {name: value for name, value in fields.items() if chance() < share}

    # ── making them ──────────────────────────────────────────────────────────────────────────────

    def _make_product(self, number: int) -> Product:
        category = self.category()
        category_id, category_name, category_path = category
        product_id = f"sku-{100_000 + number}"
        path = f"/p/{product_id}"
        name = f"{self.pick(_NOUNS[category_id])} {1 + number % 90}"
        price_micros = int(self.rng.lognormvariate(3.2, 1.0) * 100 + 50) * 10_000
        line: Json = {"product_id": product_id}
        line |= self.sparse(
            {
                "parent_id": f"P-{number // 4}",
                "sku": f"{category_id.upper()}/{number:05d}",
                "name": name,
                "category": category_name,
                "category_path": list(category_path),
                "brand": self.pick(_BRANDS),
                "url": f"{SHOP_URL}{path}?ref=feed",
                "image_url": f"https://cdn.shop.example/{product_id}.jpg",
                "in_stock": self.chance() < 0.9,
            },
            0.65,
        )
        line |= self.sparse(
            {
                "description": f"{name}. Größe {number % 7}, {self.pick(_BRANDS)}.",
                "attributes": {"colour": self.pick(("grün", "rot", "чорний")), "size": str(36 + number % 12)},
            },
            0.35,
        )
        return Product(
            product_id,
            f"s-{number % 60}",
            category,
            price_micros,
            category_id in _WEIGHED_CATEGORIES,
            path,
            line,
        )

    def _make_shopper(self, number: int) -> Shopper:
        anonymous = self._make_anonymous()
        return Shopper(
            anonymous,
            anonymous | self._make_customer(number),
            self._make_app_device(),
            self._make_web_device(),
            HOME_CURRENCY if self.chance() < 0.82 else self.pick(tuple(CURRENCIES)),
            self.pick(_OFFSETS),
            self._make_consent(),
        )

    def _make_anonymous(self) -> Json:
        """Ids without a name. One of the two pseudonyms is always there: a browser has its cookie."""
        user = self.sparse({"opaque_id": self.uuid()}, 0.75)
        if "opaque_id" not in user or self.chance() < 0.65:
            user["anonymous_id"] = self.uuid()
        if self.chance() < 0.35:
            user["is_internal"] = self.chance() < 0.1
        return user

    def _make_customer(self, number: int) -> Json:
        first, last = self.pick(_FIRST_NAMES), self.pick(_LAST_NAMES)
        customer: Json = {"customer_id": f"C-{10_000 + number}"}
        if self.chance() < 0.05:
            customer["customer_id"] = (
                "guest"  # what careless producers write for a shopper without an account
            )
        customer |= self.sparse(
            {
                "email": f"{self.pick(('Olena', 'jo', 'zoe.m', 'kim+shop', 'b'))}{number}@example.com",
                "phone": self.pick(
                    ("+380 50 555 {:04d}", "0048 555 01 {:04d}", "+44 (1632) 96{:04d}")
                ).format(number % 10_000),
            },
            0.8,
        )
        customer |= self.sparse(
            {"first_name": first, "last_name": last, "contact_id": f"{255_000_000 + number}"}, 0.5
        )
        return customer

    def _make_app_device(self) -> Json:
        ios = self.chance() < 0.45
        device: Json = {"os": self.pick(("iOS", "iOS", "iPadOS") if ios else ("Android", "android 15"))}
        return device | self.sparse(
            {
                "type": "mobile" if self.chance() < 0.8 else "tablet",
                "os_version": "18.1" if ios else "15",
                "app_version": f"7.{self.below(30)}.0",
                "model": "iPhone16,2" if ios else "Pixel 9",
                "advertising_id": self.uuid(),
                "persistent_id": self.uuid(),
                "ip": f"203.0.113.{self.below(256)}",
                "language": self.pick(_LANGUAGES),
                "screen_width": 390,
                "screen_height": 844,
            },
            0.7,
        )

    def _make_web_device(self) -> Json:
        return self.sparse(
            {
                "type": self.pick(("desktop", "desktop", "desktop", "mobile", "tablet", "tv", "other")),
                "os": self.pick(("Windows", "macOS", "Android", "Linux")),
                "os_version": self.pick(("11", "14.6", "15")),
                "user_agent": self.pick(_USER_AGENTS),
                "ip": f"2001:db8::{self.below(65_536):x}",
                "language": self.pick(_LANGUAGES),
                "screen_width": 1920,
                "screen_height": 1080,
            },
            0.7,
        )

    def _make_consent(self) -> Json | None:
        """What the shopper answered. Most agree, some refuse, many were never asked."""
        if self.chance() < 0.4:
            return None
        purposes = ("analytics", "advertising", "personalization", "marketing")
        answers: Json = {purpose: self.chance() < 0.88 for purpose in purposes}
        return self.sparse(answers, 0.75) or None
