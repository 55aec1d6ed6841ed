"""What the sandbox saw and did, counted by id: the truth that demo and tests compare the connector with.

Decides only: no socket, no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from connector.vendors.contract import SandboxAnswer

IDS_MAX = 2_000_000
"""Ids remembered in all. Later ones are counted as forgotten: about 250 bytes each would fill memory."""


class Ledger:
    """Requests, faults and ids since the start. Totals are always exact; ids are remembered up to a bound.

    `accepted` holds how often each id was stored: a repeat shows as 2. `order` holds each key's ids as they
    arrived, repeats in place left out; an id that comes again after a newer one of its key stands there again
    and is `older_after_newer`, unless the vendor says that its ids `may_recur`. `overlaps` counts requests
    that arrived while another with the same key was still being answered.

    `key_checks` are requests without an event, by which a key or the endpoint is tried (the connector's
    probes, `connector check`): they are among `requests` and `statuses`, and nowhere else.
    """

    def __init__(self, ids_max: int = IDS_MAX) -> None:
        self.requests = 0
        self.statuses: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()
        self.key_checks = 0
        self.keys_refused = 0
        self.accepted: dict[str, int] = {}
        self.accepted_count = 0
        self.ignored: dict[str, str] = {}
        self.ignored_reasons: Counter[str] = Counter()
        self.refused: dict[str, str] = {}
        self.refused_reasons: Counter[str] = Counter()
        self.order: dict[str, list[str]] = {}
        self.older_after_newer = 0
        self.overlaps = 0
        self.ids_forgotten = 0
        self._ids_left = ids_max
        self._open: Counter[str] = Counter()

    def stored(self, answer: SandboxAnswer) -> None:
        """The stand-in judged a request; this is what it kept, and what it silently dropped."""
        self.accepted_count += len(answer.accepted)
        for item_id, key in answer.accepted:
            repeats = self.accepted.get(item_id, 0)
            if repeats:
                self.accepted[item_id] = repeats + 1
            elif self._room():
                self.accepted[item_id] = 1
            else:
                continue
            if key is not None:
                self._in_order(key, item_id, repeats > 0, answer.may_recur)
        for item_id, reason in answer.ignored:
            self.ignored_reasons[reason] += 1
            if item_id in self.ignored or self._room():
                self.ignored[item_id] = reason

    def turned_away(self, reason: str, ids: Sequence[str]) -> None:
        """The stand-in refused a request; `ids` is what it carried. One refused request counts once."""
        self.refused_reasons[reason] += 1
        for item_id in ids:
            if item_id in self.refused or self._room():
                self.refused[item_id] = reason

    @property
    def open_keys(self) -> frozenset[str]:
        """Keys of the requests that are being answered now."""
        return frozenset(self._open)

    def opened(self, keys: set[str]) -> None:
        """A request that carries these keys is being answered."""
        if any(key in self._open for key in keys):
            self.overlaps += 1
        self._open.update(keys)

    def closed(self, keys: set[str]) -> None:
        """It was answered, or its client is gone."""
        for key in keys:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def snapshot(self, ids: bool = True) -> dict[str, object]:
        """Everything as JSON-ready values; without `ids` only the counts, which is small and quick."""
        unique = len(self.accepted)
        counts: dict[str, object] = {
            "requests": self.requests,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "faults": dict(sorted(self.faults.items())),
            "key_checks": {"count": self.key_checks, "refused": self.keys_refused},
            "accepted": {"count": self.accepted_count, "unique": unique},
            "ignored": {"count": self.ignored_reasons.total(), "reasons": dict(self.ignored_reasons)},
            "refused": {"count": self.refused_reasons.total(), "reasons": dict(self.refused_reasons)},
            "older_after_newer": self.older_after_newer,
            "overlaps": self.overlaps,
            "ids_forgotten": self.ids_forgotten,
        }
        if not ids:
            return counts
        return counts | {
            "accepted": {"count": self.accepted_count, "unique": unique, "ids": dict(self.accepted)},
            "ignored": {
                "count": self.ignored_reasons.total(),
                "reasons": dict(self.ignored_reasons),
                "ids": dict(self.ignored),
            },
            "refused": {
                "count": self.refused_reasons.total(),
                "reasons": dict(self.refused_reasons),
                "ids": dict(self.refused),
            },
            "order": {key: list(arrived) for key, arrived in self.order.items()},
        }

    def _in_order(self, key: str, item_id: str, seen: bool, may_recur: bool) -> None:
        arrived = self.order.setdefault(key, [])
        if seen:
            if not arrived or arrived[-1] == item_id:
                return
            if not may_recur:
                self.older_after_newer += 1
            if not self._ids_left:
                return
            self._ids_left -= 1
        arrived.append(item_id)

    def _room(self) -> bool:
        if self._ids_left:
            self._ids_left -= 1
            return True
        self.ids_forgotten += 1
        return False
