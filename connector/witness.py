"""Looks at the bytes that a vendor's stand-in accepts. Decides only: no socket, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from connector.vendors.contract import Sandbox, SandboxAnswer, SandboxRequest


class Witness:
    """A stand-in around the vendor's: answers as that one does, and notes in `altered` every id under which
    something else came than was mapped.

    `bodies` holds what was mapped, by vendor id. A request joins its items' bytes as they are, so what was
    accepted must be found in its body, as often as it was accepted. An id without bodies is nobody's, which
    is for the books to say.
    """

    def __init__(self, stand_in: Sandbox, bodies: Mapping[str, Collection[bytes]]) -> None:
        self._stand_in = stand_in
        self._bodies = bodies
        self.altered: set[str] = set()

    def answer(self, request: SandboxRequest) -> SandboxAnswer:
        """The vendor's answer."""
        answer = self._stand_in.answer(request)
        for vendor_id, times in Counter(each for each, _ in answer.accepted).items():
            mapped = self._bodies.get(vendor_id, ())
            if mapped and sum(request.body.count(each) for each in mapped) < times:
                self.altered.add(vendor_id)
        return answer

    def ids(self, request: SandboxRequest) -> Sequence[str]:
        """As the vendor's stand-in reads them."""
        return self._stand_in.ids(request)

    def throttled(self, retry_after_s: float) -> SandboxAnswer:
        """In the vendor's form."""
        return self._stand_in.throttled(retry_after_s)

    def failed(self, status: int) -> SandboxAnswer:
        """In the vendor's form."""
        return self._stand_in.failed(status)
