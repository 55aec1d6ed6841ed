"""Confluent wire format: a zero byte, the schema's id in four bytes (big-endian), the datum. Decides only."""

from __future__ import annotations

MAGIC = 0
HEADER_BYTES = 5
SCHEMA_ID_MAX = 2**32 - 1


def frame(schema_id: int, datum: bytes) -> bytes:
    """A datum with the id of the schema that wrote it."""
    return b"\0" + schema_id.to_bytes(4, "big") + datum


def schema_id(value: bytes) -> int | None:
    """The id that a framed value names, or None when it is not framed."""
    if len(value) < HEADER_BYTES or value[0] != MAGIC:
        return None
    return int.from_bytes(value[1:HEADER_BYTES], "big")
