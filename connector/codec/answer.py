"""What a decoder says when it has no event to give."""

from __future__ import annotations

from msgspec import Struct


class Tombstone(Struct, frozen=True, gc=False):
    """A record without a value: a deletion in a compacted topic, nothing to deliver."""


class Undecodable(Struct, frozen=True, gc=False):
    """Never an event, on no attempt. `reason` is a dead letter's: `undecodable`, `unknown_schema` or
    `invalid_event`; `detail` tells people where and why, and never quotes a value, which may be personal."""

    reason: str
    detail: str


class NeedSchema(Struct, frozen=True, gc=False):
    """Cannot be told yet: ask the registry for this schema, then decode again."""

    schema_id: int


def not_an_event(detail: str) -> Undecodable:
    """The bytes are not in the format that they should be in."""
    return Undecodable("undecodable", detail)


def invalid(path: str, why: str) -> Undecodable:
    """The bytes are well formed, and what stands at `path` breaks the canonical form."""
    return Undecodable("invalid_event", f"{path}: {why}")
