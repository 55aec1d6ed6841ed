"""What a person is told about a state: one sentence each, with what to do about it. Decides only."""

from __future__ import annotations

from collections.abc import Sequence

from connector.model.outcome import HTTP_PREFIX

HALTS = {
    "auth": "The destination refuses our credential. Put a valid key where destination.api_key_file points: "
    "it is looked at every second, and sending resumes.",
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
    "offset_lost": "Kafka no longer has the records that come next. Decide with source.on_offset_lost where "
    "to go on, and restart.",
}
"""By halt reason."""


def halt(reason: str) -> str:
    """Why nothing is sent, and what to do."""
    if reason in HALTS:
        return HALTS[reason]
    status = reason.removeprefix(HTTP_PREFIX)
    return (
        f"The destination answers {status}, which blames no event. Compare destination.url and "
        "destination.options with the vendor's documents."
    )


STATES = {
    "starting": "Joining the group; records come in a moment.",
    "stopping": "Finishing what is under way, then leaving the group. What is left is read again by others.",
}


def told(state: str, halt_reason: str | None, waits: bool, lag: int, in_flight: int) -> str:
    """The first sentence of the page: how it is, as one would say it."""
    if halt_reason is not None and state != "stopping":
        return f"Nothing is sent. {halt(halt_reason)} Nothing is lost: records stay in Kafka."
    if state in STATES:
        return STATES[state]
    if waits:
        return "Something is waited for, and it goes on by itself once that is over. Nothing is lost."
    if lag == 0 and in_flight == 0:
        return "Everything that Kafka has was delivered, skipped for a reason, or put aside as a dead letter."
    return "Reading and delivering."


def partitions(count: int) -> str:
    """So many, in words."""
    return "One partition" if count == 1 else f"{count} partitions"


def next_probe(probe_s: float | None) -> str:
    """When a destination that is down is asked again. None: just now."""
    if probe_s is None:
        return "a probe is under way"
    return f"next probe in {max(1, round(probe_s))} s" if probe_s > 0 else "the next batch is its probe"


def batches_wait(count: int) -> str:
    """So many do, in words."""
    return "one batch waits" if count == 1 else f"{count:,} batches wait"


def listed(names: Sequence[str]) -> str:
    """Names of topics, in words."""
    return ("the topic " if len(names) == 1 else "the topics ") + ", ".join(names)
