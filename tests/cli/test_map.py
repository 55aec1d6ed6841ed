"""`connector map`: the bodies that a vendor would get, what is left out and why, and how input is read."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connector.cli import lines
from connector.cli.lines import read_lines
from connector.cli.map import STRANGERS_KEPT, STRANGERS_SHOWN
from connector.sample import NOW_MS, generate
from connector.settings.reference import example_options
from connector.vendors import DESTINATIONS
from connector.vendors.contract import Mapped, SandboxRequest
from tests.cli.commandline import Ended, connector
from tests.vendors.any_event import event_of

GOLDEN = sorted((Path(__file__).parents[1] / "vendors" / "topsort" / "events").glob("*.json"))
NOW = "2026-11-18T15:00:00Z"
EVENT: dict[str, Any] = {
    "event_id": "00000000-0000-4000-8000-000000000001",
    "event_type": "home_view",
    "occurred_at": "2026-11-18T14:00:00Z",
    "user": {"opaque_id": "b2222222-2222-4222-8222-222222222222"},
    "page": {"path": "/"},
}


def topsort(tmp_path: Path, events: list[Any], *arguments: str) -> Ended:
    """The command over these lines; texts are taken as they are."""
    file = tmp_path / "events.jsonl"
    texts = (event if isinstance(event, str) else json.dumps(event, ensure_ascii=False) for event in events)
    file.write_text("".join(f"{text}\n" for text in texts))
    options = () if "-c" in arguments else ("--option", "currency=EUR")
    return connector("map", "--destination", "topsort", *options, "--now", NOW, *arguments, str(file))


def numbered(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{**EVENT, "event_id": f"00000000-0000-4000-8000-{n:012}", **more} for n in range(count)]


# ── what comes out ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", GOLDEN, ids=[path.stem for path in GOLDEN])
def test_worked_examples_come_out_as_the_contract_says(tmp_path: Path, path: Path) -> None:
    """One event in: its bodies, or the reason for a skip or a refusal, in both forms of output."""
    case = json.loads(path.read_bytes())
    assert not set(case["options"]) - {"currency"}, "pass other options on here"
    batched, each = (topsort(tmp_path, [case["event"]], *more) for more in ((), ("--each",)))
    (told,) = [json.loads(line) for line in each.out.splitlines()]
    assert told["event_id"] == case["event"]["event_id"]
    assert batched.code == each.code == (1 if "refuse" in case else 0)
    assert [json.loads(line) for line in batched.out.splitlines()] == case.get("bodies", [])
    assert united(told["items"]) == united(case.get("bodies", []))
    if "bodies" in case:
        assert (told["outcome"], told["reason"]) == ("mapped", None)
    elif "skip" in case:
        assert (told["outcome"], told["reason"]) == ("skipped", case["skip"])
        assert f"skipped 1 {case['skip']}" in batched.err
    else:
        assert (told["outcome"], told["reason"]) == ("refused", case["refuse"])
        assert f"refused 1 {case['refuse']}" in batched.err


def united(bodies: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """The records of several bodies, array by array."""
    arrays: dict[str, list[Any]] = {}
    for body in bodies:
        for name, records in body.items():
            arrays.setdefault(name, []).extend(records)
    return arrays


def test_bodies_are_batched_to_the_vendors_limits_in_input_order(tmp_path: Path) -> None:
    """120 page views are three requests: 50, 50 and 20."""
    events = numbered(120)
    ended = topsort(tmp_path, events)
    bodies = [json.loads(line) for line in ended.out.splitlines()]
    assert [len(body["pageviews"]) for body in bodies] == [50, 50, 20]
    ids = [record["id"] for body in bodies for record in body["pageviews"]]
    assert ids == [event["event_id"] for event in events]
    assert (ended.code, ended.err) == (0, "mapped 120\n")


def test_each_event_has_its_line_in_input_order(tmp_path: Path) -> None:
    """Mapped, skipped and refused ones alike; each item in a whole body of its own."""
    events = numbered(3)
    events[1]["event_type"] = "sign_in"
    events[2] |= {"event_type": "impression", "items": [{"product_id": "a"}, {"product_id": "b"}]}
    ended = topsort(tmp_path, events, "--each")
    told = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["event_id"] for line in told] == [event["event_id"] for event in events]
    assert [line["outcome"] for line in told] == ["mapped", "skipped", "mapped"]
    assert [[list(body) for body in line["items"]] for line in told] == [
        [["pageviews"]],
        [],
        [["impressions"], ["impressions"]],
    ]
    assert all(list(line) == ["event_id", "outcome", "reason", "items"] for line in told)


def test_text_beyond_ascii_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """As UTF-8, not as escapes."""
    event = {**EVENT, "event_type": "search", "search": {"query": "зимові черевики 煎茶"}}
    ended = topsort(tmp_path, [event])
    assert "зимові черевики 煎茶" in ended.out


# ── what is left out ─────────────────────────────────────────────────────────────────────────────


def test_a_bad_line_stops_no_other(tmp_path: Path) -> None:
    """It is refused with its line, reason and path, and without its values; the exit code says so."""
    bad = [
        "not json",
        {**EVENT, "occurred_at": "soon"},
        '{"event_id": "only this", "user": {"email": "olena@example.com"}}',
        "[]",
    ]
    ended = topsort(tmp_path, [EVENT, *bad, "", "   ", numbered(1)[0]], "--each")
    assert ended.code == 1
    told = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["outcome"] for line in told] == ["mapped", *["refused"] * 4, "mapped"]
    assert [line["event_id"] for line in told[1:5]] == [None, EVENT["event_id"], "only this", None]
    assert [line["reason"] for line in told[1:5]] == ["undecodable", *["invalid_event"] * 3]
    errors = ended.err.splitlines()
    assert errors[0].startswith("line 2: undecodable")
    assert errors[1].startswith("line 3: invalid_event $.occurred_at")
    assert errors[4:] == ["mapped 2", "refused 3 invalid_event", "refused 1 undecodable"]
    assert "olena" not in ended.err
    assert "soon" not in ended.err


def test_a_flood_of_refusals_is_counted_not_listed(tmp_path: Path) -> None:
    """Twenty lines, then one that says so, then the counts."""
    ended = topsort(tmp_path, ["?"] * 30)
    assert (ended.code, ended.out) == (1, "")
    assert sum(line.startswith("line ") for line in ended.err.splitlines()) == 20
    assert ended.err.splitlines()[-1] == "refused 30 undecodable"


def test_skips_are_told_by_reason_and_are_no_failure(tmp_path: Path) -> None:
    """Most frequent first."""
    events = [
        *numbered(3, event_type="sign_in"),
        *numbered(2, consent={"advertising": False}),
        *numbered(1),
    ]
    ended = topsort(tmp_path, events)
    assert ended.code == 0
    assert ended.err.splitlines() == [
        "mapped 1",
        "skipped 3 unsupported_event_type",
        "skipped 2 consent_denied",
    ]


@pytest.mark.parametrize("more", [(), ("--each",)])
def test_a_name_that_is_no_field_is_told(tmp_path: Path, more: tuple[str, ...]) -> None:
    """With its path, what was probably meant, and in how many events; bodies and exit code stay as ever."""
    page = {"path": "/", "heading": "personal"}
    odd = [
        {**EVENT, "page": {**page, "titel": "personal"}},
        {**EVENT, "page": page, "event_id": "unreadable"},
        EVENT,
    ]
    ended, plain = (
        topsort(tmp_path, events, *more)
        for events in (odd, [EVENT, {**EVENT, "event_id": "unreadable"}, EVENT])
    )
    assert [line for line in ended.err.splitlines() if "not a field" in line] == [
        "warning: page.heading: not a field, and nothing reads it (2 events)",
        "warning: page.titel: not a field; did you mean title? (1 event)",
    ]
    assert "personal" not in ended.err
    assert (ended.out, ended.code) == (plain.out, plain.code)
    assert "not a field" not in plain.err


def test_names_without_end_are_not_all_told(tmp_path: Path) -> None:
    """The commonest, and that there are more."""
    events = [{**EVENT, "common": 1, f"odd_{n}": 1} for n in range(STRANGERS_KEPT + 1)]
    told = [line for line in topsort(tmp_path, events).err.splitlines() if "warning" in line]
    assert told[0].startswith("warning: common: not a field"), told
    assert told[-1] == "warning: further names are no fields, either"
    assert len(told) == STRANGERS_SHOWN + 1


# ── options, configuration, clock ────────────────────────────────────────────────────────────────


def test_a_missing_mandatory_option_is_bad_configuration(tmp_path: Path) -> None:
    """Named, with what it is for."""
    file = tmp_path / "events.jsonl"
    file.touch()
    ended = connector("map", "--destination", "topsort", str(file))
    assert (ended.code, ended.out) == (2, "")
    assert "destination.options.currency: is missing" in ended.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--destination", "topsor"), "did you mean topsort"),
        (("--destination", "topsort", "--option", "currency"), "KEY=VALUE"),
        (("--destination", "topsort", "--option", "=EUR"), "KEY=VALUE"),
        (("--destination", "topsort", "--option", "pageviews=[", "--option", "currency=EUR"), "pageviews"),
        (("--destination", "topsort", "--option", "curency=EUR"), "did you mean currency"),
        (("--destination", "topsort", "--option", "currency=EUR", "--now", "today"), "RFC 3339"),
        (("--destination", "topsort", "--option", "currency=EUR", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--destination", "topsort", "-c", "nowhere.yaml"), "nowhere.yaml"),
        ((), "--destination"),
    ],
)
def test_bad_usage_is_told_and_exits_2(arguments: tuple[str, ...], word: str) -> None:
    """Nothing is read or printed."""
    ended = connector("map", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert word in ended.err


def test_options_are_read_by_their_type(tmp_path: Path) -> None:
    """Words as written, although YAML would make false of off; numbers, switches and lists as YAML."""
    like = {**EVENT, "event_type": "like", "items": [{"product_id": "a"}]}
    ended = topsort(tmp_path, [like], "--option", "engagement_clicks=off")
    assert ended.err == "mapped 0\nskipped 1 disabled_by_config\n"
    assert (
        topsort(tmp_path, [EVENT], "--option", "pageviews=off").err
        == "mapped 0\nskipped 1 disabled_by_config\n"
    )
    event = {**EVENT, "user": {"opaque_id": "o-1", "anonymous_id": "a-1"}}
    for sources in ("[anonymous_id, opaque_id]", '["anonymous_id"]'):
        body = json.loads(topsort(tmp_path, [event], "--option", f"opaque_user_id_sources={sources}").out)
        assert body["pageviews"][0]["opaqueUserId"] == "a-1"
    ended = topsort(tmp_path, numbered(4), "--option", "max_per_array=2")
    assert [len(json.loads(line)["pageviews"]) for line in ended.out.splitlines()] == [2, 2]


def test_a_partial_configuration_gives_options_and_consent(tmp_path: Path, monkeypatch: Any) -> None:
    """The rest may be missing; the environment goes over the file, --option over both."""
    config = tmp_path / "part.yaml"
    config.write_text(
        "destination: {options: {currency: EUR, max_per_array: 1}}\ndelivery: {consent: [marketing]}\n"
    )
    events = [
        *numbered(2, consent={"advertising": False}),
        *numbered(1, consent={"marketing": False}),
    ]
    ended = topsort(tmp_path, events, "-c", str(config))
    assert ended.err == "mapped 2\nskipped 1 consent_denied\n"
    assert len(ended.out.splitlines()) == 2
    monkeypatch.setenv("CONNECTOR_DESTINATION__OPTIONS", '{"max_per_array": 50}')
    assert len(topsort(tmp_path, events, "-c", str(config)).out.splitlines()) == 1
    ended = topsort(tmp_path, events, "-c", str(config), "--option", "max_per_array=1")
    assert len(ended.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("destination: {options: [1]}", "destination.options"),
        ("destination: {options: {curency: EUR}}", "destination.options.curency"),
        ("delivery: {consent: marketing}", "delivery.consent"),
        ("delivery: {consent: [all]}", "delivery.consent"),
    ],
)
def test_what_is_wrong_in_a_partial_configuration_is_told(tmp_path: Path, text: str, path: str) -> None:
    """With its path; exit code 2."""
    config = tmp_path / "part.yaml"
    config.write_text(text)
    ended = topsort(tmp_path, [EVENT], "-c", str(config))
    assert ended.code == 2
    assert path in ended.err


def test_the_clock_can_be_set(tmp_path: Path) -> None:
    """An event ten minutes ahead of it is refused, one in its past is not."""
    events = [{**EVENT, "occurred_at": "2026-11-18T15:10:00Z"}]
    assert "refused 1 timestamp_in_future" in topsort(tmp_path, events).err
    assert topsort(tmp_path, events, "--now", "2026-11-18T15:10:01+00:00").code == 0


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def test_a_line_beyond_the_bound_is_cut_and_the_next_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory stays bounded, line numbers stay right; a last line needs no end."""
    monkeypatch.setattr(lines, "LINE_BYTES_MAX", 8)
    file = tmp_path / "lines"
    file.write_bytes(b"1234567\n" + b"x" * 100 + b"\n\n \nlast")
    assert list(read_lines(file)) == [(1, b"1234567\n"), (2, b"x" * 8), (5, b"last")]


def run(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "connector", *arguments]


@pytest.mark.parametrize("name", DESTINATIONS)
def test_samples_piped_into_map_are_taken_by_the_strict_sandbox(name: str) -> None:
    """10,000 events: the mapping refuses none, every line is a body that the vendor takes, and together they
    hold what each event was mapped to; the vendor drops nothing in silence but what is unavoidable."""
    kind = DESTINATIONS[name]
    options = example_options(kind.Options)
    given = [word for option, value in options.items() for word in ("--option", f"{option}={value}")]
    with subprocess.Popen(run("sample", "--count", "10000", "--seed", "5"), stdout=subprocess.PIPE) as sample:
        mapped = subprocess.run(
            run("map", "--destination", name, *given), stdin=sample.stdout, capture_output=True, check=False
        )
    assert (sample.returncode, mapped.returncode) == (0, 0)
    assert b"refused" not in mapped.stderr

    destination = kind(kind.Options(**options))
    answers = [destination.map(event_of(raw), NOW_MS) for raw in generate(10_000, 5)]
    items = [item for answer in answers if isinstance(answer, Mapped) for item in answer.items]
    assert len(items) > 1_000
    model = destination.request(items[:1])
    headers = {key.lower(): value for key, value in {**model.headers, **kind.credentials("key")}.items()}
    path = urlsplit(kind.url(destination.Options(**options))).path
    stand_in = kind.sandbox(kind.Options(**options))
    arrived: Counter[str] = Counter()
    for body in mapped.stdout.splitlines():
        assert isinstance(json.loads(body), dict)
        now_ms = time.time_ns() // 1_000_000
        answer = stand_in.answer(SandboxRequest(model.method, path, headers, body, now_ms))
        assert answer.refused is None, (answer, body)
        assert kind.unavoidable.issuperset(reason for _, reason in answer.ignored), answer.ignored
        arrived.update(each for each, _ in (*answer.accepted, *answer.ignored))
    assert arrived == Counter(kind.vendor_id(item) for item in items)


@pytest.mark.parametrize(("count", "wanted"), [(5_000, 1), (3, 0)])
def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path, count: int, wanted: int) -> None:
    """As with `| head -1`: no traceback, no message, whether much or little was still to be told."""
    file = tmp_path / "events.jsonl"
    file.write_text("".join(f"{json.dumps(event)}\n" for event in numbered(count)))
    arguments = run("map", "--destination", "topsort", "--option", "currency=EUR", "--each", str(file))
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(wanted):
            assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_lines_are_held_one_at_a_time(tmp_path: Path) -> None:
    """Five megabytes of lines never take more than a fraction of one."""
    file = tmp_path / "events.jsonl"
    file.write_bytes((json.dumps(EVENT) + "\n").encode() * 25_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_lines(file)) == 25_000
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


# ── the file names the destination, and a mapper may break ───────────────────────────────────────


def test_the_name_is_the_files_without_destination(tmp_path: Path) -> None:
    """Who has a file need not say twice where to."""
    file = tmp_path / "connector.yaml"
    file.write_text("destination: {name: topsort, options: {currency: EUR}}")
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps(EVENT))
    ended = connector("map", "-c", str(file), "--now", NOW, str(events))
    assert (ended.code, ended.err) == (0, "mapped 1\n")
    assert '"pageviews"' in ended.out
    ended = connector("map", str(events))
    assert ended.code == 2
    assert "a file with destination.name" in ended.err


@pytest.mark.parametrize("each", [(), ("--each",)])
def test_a_mapper_that_breaks_costs_its_event_and_a_line(
    tmp_path: Path, each: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a run: the event would become a dead letter, and the others are mapped."""
    kind = DESTINATIONS["topsort"]
    whole = kind.map

    def breaks(self: Any, event: Any, now_ms: int) -> Any:
        return 1 / 0 if event.event_id.endswith("2") else whole(self, event, now_ms)

    monkeypatch.setattr(kind, "map", breaks)
    ended = topsort(tmp_path, numbered(5), *each)
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "line 3: invalid_event event 00000000-0000-4000-8000-000000000002: mapper failed: ZeroDivisionError",
        "mapped 4",
        "refused 1 invalid_event",
    ]
