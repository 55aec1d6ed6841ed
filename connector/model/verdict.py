"""The six verdicts: what an answer, or silence, means for the batch that was sent."""

from __future__ import annotations

import msgspec


class Delivered(msgspec.Struct, frozen=True, gc=False):
    """Everything in the request was taken."""


class Partial(msgspec.Struct, frozen=True):
    """Some items were refused for good (`rejected`: index in the batch → reason and the vendor's words),
    some may be sent again (`retry`: indexes); all others were taken.

    `retry` turns the order round where items of one key were in the batch: what is sent again comes after
    what was taken. So it is not for a destination whose `ordering` is `key`.
    """

    rejected: dict[int, tuple[str, str]]
    retry: frozenset[int] = frozenset()


class Retry(msgspec.Struct, frozen=True, gc=False):
    """No event is to blame; send the same bytes again, after `after_s` seconds if the vendor said so.

    `throttled` closes the gate for everybody; every other reason concerns this batch alone.
    """

    reason: str
    after_s: float | None = None


class Split(msgspec.Struct, frozen=True, gc=False):
    """One bad item fails all and none was stored: halve until it stands alone."""


class Reject(msgspec.Struct, frozen=True, gc=False):
    """This request will never be accepted; its items are dead letters. `detail` holds the vendor's words."""

    reason: str
    detail: str = ""


class Halt(msgspec.Struct, frozen=True, gc=False):
    """Nothing can be sent until a person acts (or a rotated key works); no event is to blame."""

    reason: str
    detail: str = ""


Verdict = Delivered | Partial | Retry | Split | Reject | Halt
