"""What a person is told about a state: one sentence each, with what to do about it. Decides only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from connector.model.outcome import HTTP_PREFIX


class Key(msgspec.Struct, frozen=True):
    """Which key is used, never the key: the file, variable or setting that it comes from, and when it was
    read there. A file `is_followed`: another key in it is tried without a restart. `trouble`: why the file
    gives no key now, and the last one stays."""

    place: str
    is_followed: bool
    read_ms: int
    trouble: str = ""

    @property
    def read_at(self) -> str:
        """When, for people."""
        return at(self.read_ms)


class Halted(msgspec.Struct, frozen=True):
    """Why nothing is sent, with the vendor's status or more, and since when. `key` is the one that was in use
    when it was said last; `keys_refused`: so many keys were, in this halt."""

    reason: str
    detail: str
    since_ms: int
    key: Key
    keys_refused: int = 0


DECIDE = "Decide with source.on_offset_lost where to go on, and restart."

HALTS = {
    "not_found": "The destination does not know this address or account. Compare destination.url and "
    "destination.options with what the vendor gave you.",
    "wrong_method": "The destination does not take what we do at this address. Compare destination.url with "
    "the vendor's documents.",
    "wrong_media_type": "The destination does not take our format at this address. Compare destination.url "
    "with the vendor's documents.",
    "unexpected_redirect": "The destination sends us to another address, which we never follow. Put the "
    "final address into destination.url.",
    "empty_request": "The destination says that our request was empty. Something on the way, such as a "
    "proxy, takes the body away.",
    "dead_letter_flood": "Too many events would become dead letters, so nothing is sent until a person has "
    "looked at why. It goes on after a restart.",
    "offset_lost": f"Kafka no longer has the records that come next. {DECIDE}",
}
"""By halt reason."""


def auth(halted: Halted, key: Key) -> str:
    """Which key was refused how, and what to do: a wrong key and one that lacks a right differ in that."""
    read = f"read from {key.place} at {halted.key.read_at}"
    if halted.keys_refused > 1:
        said = f"The destination refuses our key; another one, {read}, was refused as well ({halted.detail})."
    else:
        said = f"The destination refuses our key ({halted.detail}), {read}."
    return " ".join(filter(None, (said, key_meaning(halted.detail), key_remedy(halted.key, key))))


KEY_MEANINGS = {
    "401": "So it does not know this key: it is wrong, has expired or was withdrawn.",
    "403": "So it may know this key, and does not allow it this: the key lacks a right, or destination.url "
    "or destination.options name what belongs to another account. Some vendors say so of a wrong key, too.",
}
"""By status."""


def key_meaning(detail: str) -> str:
    """What the status that a refused key met says of it; empty where it says no more than that."""
    return KEY_MEANINGS.get(detail[:3], "")


def key_remedy(refused: Key, now: Key) -> str:
    """Where to put another key and what happens then, or what happens to the one that is there now."""
    if not now.is_followed:
        return f"Put a valid key into {now.place} and restart; a key in a file needs no restart."
    if now.read_ms != refused.read_ms:
        return f"Another key was read at {now.read_at}, and is being tried."
    remedy = "Put a valid key into that file: it is looked at every second, and sending resumes."
    return f"{remedy} Now it gives none: {now.trouble}." if now.trouble else remedy


TRIED_AGAIN = {
    "auth": "The key that was refused is tried every 30 s, too, as the destination may come to allow it.",
    "dead_letter_flood": "",
    "offset_lost": "",
}
"""What is done without anybody, by halt reason; nothing for those that want a restart."""


def halt(halted: Halted, key: Key) -> str:
    """Why nothing is sent, what to do, and what is done without."""
    what = (
        auth(halted, key) if halted.reason == "auth" else f"{remedy(halted.reason)} {_detail(halted)}".strip()
    )
    return f"{what} {TRIED_AGAIN.get(halted.reason, 'It is tried again every 30 s.')}".strip()


def _detail(halted: Halted) -> str:
    """How many records would be dead letters, which is a sentence already; or the vendor's status."""
    if not halted.detail:
        return ""
    if halted.reason == "dead_letter_flood":
        return f"{halted.detail[0].upper()}{halted.detail[1:]}."
    return f"The answer was {halted.detail}."


def remedy(reason: str) -> str:
    """What a halt means and what to do, for any reason but a refused key."""
    if reason in HALTS:
        return HALTS[reason]
    status = reason.removeprefix(HTTP_PREFIX)
    return (
        f"The destination answers {status}, which blames no event. Compare destination.url and "
        "destination.options with the vendor's documents."
    )


STATES = {
    "starting": "Joining the group; records come once it has taken this replica in.",
    "stopping": "Finishing what is under way, then leaving the group. What is left is read again by others.",
}


def told(
    state: str,
    halted: Halted | None,
    key: Key,
    *,
    silent_s: float,
    held: bool,
    needs_person: bool,
    waits: bool,
    partitions: int,
    lag: int | None,
    in_flight: int,
) -> str:
    """The first sentence of the page: how it is, as one would say it. `silent_s`: so long Kafka has been
    silent. `held`: the destination takes nothing now. `needs_person`: some of what is waited for does not end
    by itself. `lag`: None while it is not known of every partition."""
    if halted is not None and state != "stopping":
        since = f"Nothing is sent since {at(halted.since_ms)}."
        return f"{since} {halt(halted, key)} Nothing is lost: records stay in Kafka."
    if silent_s and state != "stopping":
        read = "waits for the destination, which takes nothing now either" if held else "is still delivered"
        return (
            f"Kafka has not answered for {age(silent_s)}: what waits there is not known, and nothing is read "
            f"or committed. What was read {read}. It goes on by itself once Kafka answers, and nothing is "
            "lost."
        )
    if needs_person and state != "stopping":
        return "A person is needed, for what is told below. Whatever it does not concern goes on."
    if state in STATES:
        return STATES[state]
    if waits:
        return "Something is waited for, and it goes on by itself once that is over. Nothing is lost."
    if not partitions:
        return "This replica has nothing to do: others of its group have all partitions."
    if lag == 0 and in_flight == 0:
        return "Everything that Kafka has was delivered, skipped for a reason, or put aside as a dead letter."
    return "Reading and delivering."


def at(epoch_ms: int) -> str:
    """A moment, RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(epoch_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pause_ends(halt_reason: str | None, count: int) -> str:
    """What so many paused partitions wait for."""
    wait = f"{partitions(count)} {'waits' if count == 1 else 'wait'}"
    if halt_reason is None:
        return f"{wait} until the destination takes more."
    return f"{wait} for the end of the halt."


def no_partitions(silent_s: float, in_group: bool) -> str:
    """Why this replica shows none."""
    if silent_s:
        return f"Not known: Kafka has not answered for {age(silent_s)}."
    if not in_group:
        return "None yet: the group is being joined."
    return "None: other replicas have them all."


def age(seconds: float) -> str:
    """So long, as one would say it."""
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 7200 else f"{round(seconds / 3600)} h"


def partitions(count: int) -> str:
    """So many, in words."""
    return "One partition" if count == 1 else f"{count} partitions"


NAMED = 5
"""Partitions that are called by their names in a sentence."""


def standing_still(names: Sequence[str], detail: str) -> str:
    """These partitions wait for a person. `detail` is of the first."""
    if len(names) == 1:
        return f"{names[0]} stands still ({detail}). {DECIDE}"
    some = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f"{len(names)} partitions stand still: {some} ({names[0]}: {detail}). {DECIDE}"


def joining(session_timeout_s: float | None) -> str:
    """The group has not taken us in yet, and how long that takes; longer, a right may be missing. None: no
    group is joined, only topics are begun to be read."""
    if session_timeout_s is None:
        return "beginning to read, outside of the group: if it takes longer, the log says what is amiss"
    at_most = f"up to the session timeout ({session_timeout_s:g} s)"
    return f"joining the group: {at_most}, else the log says what is amiss"


def since(epoch_ms: int | None) -> str:
    """Since when, to stand behind what is so; empty where nothing is."""
    return f" since {at(epoch_ms)}" if epoch_ms is not None else ""


def next_probe(probe_s: float | None) -> str:
    """When a destination that is down is asked again. None: just now."""
    if probe_s is None:
        return "a probe is under way"
    return f"next probe in {max(1, round(probe_s))} s" if probe_s > 0 else "the next batch is its probe"


def no_schema(why: str, count: int) -> str:
    """So many partitions cannot go on without a schema that they have not seen yet."""
    wait = "one partition waits" if count == 1 else f"{count} partitions wait"
    return f"the schema registry gives no schema ({why}): {wait} for it"


def batches_wait(count: int) -> str:
    """So many do, in words."""
    return "one batch waits" if count == 1 else f"{count:,} batches wait"


def listed(names: Sequence[str]) -> str:
    """Names of topics, in words."""
    return ("the topic " if len(names) == 1 else "the topics ") + ", ".join(names)
