"""The witness: whatever a vendor accepts, these must be the bytes that were mapped."""

from __future__ import annotations

import pytest

from connector.vendors.contract import SandboxAnswer, SandboxRequest
from connector.witness import Witness

BODIES = {"a": {b'{"id":"a","n":1}'}, "b": {b'{"id":"b","n":1}', b'{"id":"b","n":2}'}}


class Takes:
    """A stand-in that accepts these ids, whatever comes."""

    def __init__(self, *ids: str) -> None:
        self._ids = ids

    def answer(self, request: SandboxRequest) -> SandboxAnswer:
        return SandboxAnswer(204, accepted=[(each, None) for each in self._ids])

    def ids(self, request: SandboxRequest) -> tuple[str, ...]:
        return self._ids

    def throttled(self, retry_after_s: float) -> SandboxAnswer:
        return SandboxAnswer(429)

    def failed(self, status: int) -> SandboxAnswer:
        return SandboxAnswer(status)


def sent(body: bytes) -> SandboxRequest:
    return SandboxRequest("POST", "/", {}, body, 0)


@pytest.mark.parametrize(
    ("ids", "body", "altered"),
    [
        (("a",), b'[{"id":"a","n":1}]', set()),
        (("a", "b"), b'[{"id":"a","n":1},{"id":"b","n":2}]', set()),
        (("a",), b'[{"id":"a","n":7}]', {"a"}),
        (("a", "b"), b'[{"id":"a","n":7},{"id":"b","n":1}]', {"a"}),
        (("a", "a"), b'[{"id":"a","n":1},{"id":"a","n":1}]', set()),
        (("a", "a"), b'[{"id":"a","n":1},{"id":"a","n":7}]', {"a"}),
        (("b", "b"), b'[{"id":"b","n":1},{"id":"b","n":2}]', set()),
        ((), b'[{"id":"a","n":7}]', set()),
        (("x",), b'[{"id":"x"}]', set()),
    ],
    ids=[
        "as mapped",
        "several in one request",
        "another number",
        "its neighbour is right",
        "twice the same",
        "twice, once differently",
        "two events of one id",
        "what is refused does not count",
        "nobody's id is another matter",
    ],
)
def test_other_bytes_under_a_known_id_are_noted(ids: tuple[str, ...], body: bytes, altered: set[str]) -> None:
    """And nothing else is; the answer is the vendor's own."""
    witness = Witness(Takes(*ids), BODIES)
    answer = witness.answer(sent(body))
    assert [each for each, _ in answer.accepted] == [*ids]
    assert witness.altered == altered


def test_it_answers_to_faults_as_the_vendor_does() -> None:
    """It stands around it, not instead of it."""
    witness = Witness(Takes("a"), BODIES)
    assert witness.ids(sent(b"")) == ("a",)
    assert witness.throttled(1.0).status == 429
    assert witness.failed(503).status == 503
