"""Confluent framing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.codec.wire import HEADER_BYTES, SCHEMA_ID_MAX, frame, schema_id


def test_a_frame_is_zero_four_bytes_and_the_datum() -> None:
    """As Confluent's serializers write it: big-endian."""
    assert frame(258, b"datum") == b"\x00\x00\x00\x01\x02datum"


@given(st.integers(0, SCHEMA_ID_MAX), st.binary(max_size=20))
def test_the_id_comes_back(number: int, datum: bytes) -> None:
    """Whatever the id and the datum, an empty one too."""
    framed = frame(number, datum)
    assert schema_id(framed) == number
    assert framed[HEADER_BYTES:] == datum


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00\x01", b"{}   "])
def test_what_is_not_framed_has_no_id(value: bytes) -> None:
    """Too short, or another first byte."""
    assert schema_id(value) is None
