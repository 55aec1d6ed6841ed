"""What goes wrong at the sandbox, and when: the faults of a SPEC, decided request by request.

Decides only: no socket, no clock; chance comes from a seeded `Random`.

SPEC is a list of rules separated by commas, each `KIND:HOW_OFTEN`, some with a `:NAME=VALUE` setting.

| kind           | the client sees                          | stored?              | setting         |
| -------------- | ---------------------------------------- | -------------------- | --------------- |
| `300` … `599`  | that status, in the vendor's own form    | no                   | `retry_after=S` |
| `500_after` …  | that status (5xx only)                   | yes: the answer lost | `retry_after=S` |
| `reset`        | the connection is reset                  | no                   |                 |
| `reset_after`  | the connection is reset                  | yes                  |                 |
| `hang`         | nothing for `seconds` (300), then reset  | no                   | `seconds=S`     |
| `hang_after`   | nothing for `seconds` (300), then reset  | yes                  | `seconds=S`     |
| `slow`         | the right answer, `seconds` (2) late     | yes, if acceptable   | `seconds=S`     |
| `truncated`    | half an answer, then the connection ends | yes, if acceptable   |                 |
| `poison:ID`    | 400 for every request that carries ID    | no                   |                 |
| `poison5xx:ID` | 500 for every request that carries ID    | no                   |                 |
| `poison429:ID` | 429 for every request that carries ID    | no                   |                 |

HOW_OFTEN is a share (`0.05`) or a burst (`burst=20/1000`: the last 20 of every 1,000 requests). Shares add up
to 1 at most, since one request meets one fault; bursts go before shares, and faults before poison. In an ID,
`%2C` stands for a comma.

    503:0.05,503_after:0.01,429:burst=20/1000:retry_after=2,reset_after:0.01,hang:0.001:seconds=20,poison:ord-7
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Literal
from urllib.parse import unquote

import msgspec

HANG_S = 300.0
SLOW_S = 2.0
SECONDS_MAX = 3_600.0
RETRY_AFTER_S = 1.0
"""What an injected 429 asks for when the rule does not say."""

Kind = Literal["status", "reset", "hang", "slow", "truncated"]


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong. `name` is the kind as written; `after`: the request is stored first."""

    name: str
    kind: Kind
    after: bool = False
    status: int = 0
    retry_after_s: float | None = None
    seconds: float = 0.0


class Burst(msgspec.Struct, frozen=True):
    """The last `length` of every `period` requests."""

    length: int
    period: int

    def hits(self, number: int) -> bool:
        """Whether request `number` (from 0) is one of them."""
        return number % self.period >= self.period - self.length


class SpecError(ValueError):
    """The SPEC can't be read; the text says which rule and why."""


class Faults:
    """Decides for each request, in the order they arrive, which fault meets it, if any."""

    def __init__(
        self,
        shares: Iterable[tuple[float, Fault]] = (),
        bursts: Iterable[tuple[Burst, Fault]] = (),
        poison: Iterable[tuple[str, str]] = (),
        seed: int = 1,
    ) -> None:
        self._shares: list[tuple[float, Fault]] = []
        reached = 0.0
        for share, fault in shares:
            reached += share
            self._shares.append((reached, fault))
        self._bursts = list(bursts)
        self._poison = dict(poison)
        self.seed = seed
        self._random = Random(seed)
        self._number = 0

    @staticmethod
    def parse(spec: str, seed: int = 1) -> Faults:
        """Read a SPEC; an empty one is no faults. Raises `SpecError`."""
        shares: list[tuple[float, Fault]] = []
        bursts: list[tuple[Burst, Fault]] = []
        poison: list[tuple[str, str]] = []
        for rule in filter(None, (part.strip() for part in spec.split(","))):
            kind, _, rest = rule.partition(":")
            if kind in _POISON_STATUS:
                poison.append((_poison_id(rule, rest), kind))
                continue
            how_often, *settings = rest.split(":")
            fault = _fault(rule, kind, settings)
            if not how_often:
                raise SpecError(
                    f"{rule}: say how often: {kind}:1 is every request, {kind}:0.05 is 5 % of them"
                )
            if how_often.startswith("burst="):
                bursts.append((_burst(rule, how_often), fault))
            else:
                shares.append((_number(rule, how_often, 0.0, 1.0), fault))
        if sum(share for share, _ in shares) > 1.0 + 1e-9:
            raise SpecError("the shares add up to more than 1")
        return Faults(shares, bursts, poison, seed)

    def next(self) -> Fault | None:
        """What happens to the next request. Costs one random number, whatever the rules are."""
        number = self._number
        self._number += 1
        draw = self._random.random()
        for burst, fault in self._bursts:
            if burst.hits(number):
                return fault
        for reached, fault in self._shares:
            if draw < reached:
                return fault
        return None

    @property
    def has_poison(self) -> bool:
        """Whether any id is poisonous; if not, nobody need read the ids of requests."""
        return bool(self._poison)

    def poisoned(self, ids: Iterable[str]) -> tuple[str, int] | None:
        """The kind of poison among these ids and the status it provokes, None when none is poisonous."""
        for carried in ids:
            if (kind := self._poison.get(carried)) is not None:
                return kind, _POISON_STATUS[kind]
        return None


_POISON_STATUS = {"poison": 400, "poison5xx": 500, "poison429": 429}
_SILENT_KINDS: dict[str, Kind] = {"reset": "reset", "hang": "hang"}
_LATE_KINDS: dict[str, Kind] = {"slow": "slow", "truncated": "truncated"}


def _fault(rule: str, name: str, settings: list[str]) -> Fault:
    base, after = (name.removesuffix("_after"), True) if name.endswith("_after") else (name, False)
    if base.isdecimal():
        status = int(base)
        if not 300 <= status <= 599:
            raise SpecError(f"{rule}: a status to inject lies between 300 and 599")
        if after and status < 500:
            raise SpecError(
                f"{rule}: only a 5xx can follow a stored request; what a vendor refuses it does not store"
            )
        retry_after_s = _setting(rule, settings, "retry_after", None)
        if status == 429 and retry_after_s is None:
            retry_after_s = RETRY_AFTER_S
        return Fault(name, "status", after, status, retry_after_s)
    if base in _SILENT_KINDS:
        kind = _SILENT_KINDS[base]
    elif name in _LATE_KINDS:
        kind, after = _LATE_KINDS[name], True
    else:
        raise SpecError(f"{rule}: unknown kind {name!r}")
    if kind not in _SECONDS:
        _setting(rule, settings, "", None)
        return Fault(name, kind, after)
    seconds = _setting(rule, settings, "seconds", _SECONDS[kind])
    assert seconds is not None
    return Fault(name, kind, after, seconds=seconds)


_SECONDS: dict[Kind, float] = {"hang": HANG_S, "slow": SLOW_S}


def _setting(rule: str, settings: list[str], allowed: str, default: float | None) -> float | None:
    """The one setting that a kind has; anything else is an error."""
    value = default
    for setting in settings:
        name, _, text = setting.partition("=")
        if name != allowed:
            raise SpecError(
                f"{rule}: unknown setting {name!r}" + (f", only {allowed} is known here" if allowed else "")
            )
        value = _number(rule, text, 0.0, SECONDS_MAX)
    return value


def _burst(rule: str, how_often: str) -> Burst:
    length, _, period = how_often.removeprefix("burst=").partition("/")
    if not (length.isdecimal() and period.isdecimal() and 0 < int(length) <= int(period)):
        raise SpecError(f"{rule}: a burst is written burst=LENGTH/PERIOD, for example burst=20/1000")
    return Burst(int(length), int(period))


def _number(rule: str, text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        raise SpecError(f"{rule}: {text!r} is not a number") from None
    if not low <= number <= high:
        raise SpecError(f"{rule}: {text} does not lie between {low:g} and {high:g}")
    return number


def _poison_id(rule: str, text: str) -> str:
    if not text:
        raise SpecError(f"{rule}: which id? Write poison:ID")
    return unquote(text)
