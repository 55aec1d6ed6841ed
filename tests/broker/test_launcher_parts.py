"""What the launchers are made of, without Java: cache, ports, finding Java, and nothing left behind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from tests.broker.launcher.cache import cache_root, cached
from tests.broker.launcher.java import MissingToolError, find_java
from tests.broker.launcher.ports import free_port
from tests.broker.launcher.process import Server, wait_for
from tests.conftest import launched

PATIENCE_S = 20.0


def python(program: str) -> subprocess.Popen[str]:
    """Another interpreter running this program, as another run of the tests would."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def line_of(run: subprocess.Popen[str]) -> str:
    assert run.stdout is not None
    return run.stdout.readline().strip()


def gone(pid: int) -> bool:
    """No such process, or one that has ended and only waits for its parent to notice."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


# ── nothing is left behind ───────────────────────────────────────────────────────────────────────

STARTS_A_SERVER = """
    import signal, sys, time
    from pathlib import Path
    from tests.broker.launcher.process import Server, work_dir

    folder = work_dir("sleeper")
    server = Server("sleeper", ["sh", "-c", "echo up $$; exec sleep 600"], folder / "log", "up")
    server.start()
    server.wait_ready()
    print((folder / "log").read_text().split()[1], folder, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["return", signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_a_run_ends_its_servers_and_files_go_with_it(end: str | signal.Signals) -> None:
    """A finished, interrupted or killed run leaves no process and no folder on the machine."""
    run = python(STARTS_A_SERVER)
    pid, folder = line_of(run).split()
    assert not gone(int(pid))
    if isinstance(end, signal.Signals):
        run.send_signal(end)
    run.communicate(timeout=PATIENCE_S)
    wait_for(lambda: gone(int(pid)), f"process {pid} to end", PATIENCE_S)
    wait_for(lambda: not Path(folder).parent.exists(), f"{folder} to go", PATIENCE_S)


def test_a_server_that_ends_instead_of_starting_says_why(tmp_path: Path) -> None:
    """The end of its log is in the error, so that nobody has to look for it."""
    server = Server("broken", ["sh", "-c", "echo no such port; exit 3"], tmp_path / "log", "up")
    server.start()
    with pytest.raises(RuntimeError, match=r"broken ended while it started\nno such port"):
        server.wait_ready()


def test_a_restarted_server_is_ready_only_by_its_new_log(tmp_path: Path) -> None:
    """The ready line of an earlier start does not count for the next one."""
    started = shlex.quote(str(tmp_path / "started"))
    program = f"test -e {started} && sleep 0.3 && exit 3; touch {started}; echo up; exec sleep 60"
    server = Server("once", ["sh", "-c", program], tmp_path / "log", "up")
    server.start()
    server.wait_ready()
    server.kill()
    server.start()
    with pytest.raises(RuntimeError, match="ended while it started"):
        server.wait_ready()


def test_the_last_words_of_servers_are_kept_until_they_are_reaped(tmp_path: Path) -> None:
    """A failed test shows them: of one that ended by itself, too, but of none that we have ended."""
    server = Server("spoken", ["sh", "-c", "echo out of memory; echo up"], tmp_path / "log", "up")
    server.start()
    wait_for(lambda: not server.running, "it to end", PATIENCE_S)
    assert Server.last_words()["spoken (not running)"] == "out of memory\nup\n"
    server.kill()
    assert not [name for name in Server.last_words() if name.startswith("spoken")]


# ── downloads ────────────────────────────────────────────────────────────────────────────────────


def test_what_is_cached_is_fetched_once_however_many_want_it(tmp_path: Path) -> None:
    """Runs that start side by side wait for the first one's download instead of repeating it."""
    fetched: list[Path] = []
    all_want_it = threading.Barrier(4)
    fetched_again = threading.Event()

    def fill(folder: Path) -> None:
        fetched.append(folder)
        if len(fetched) > 1:
            fetched_again.set()
        fetched_again.wait(0.3)  # long enough for the others to come, if they do not wait
        (folder / "jar").write_text("content")

    def run() -> None:
        all_want_it.wait()
        assert (cached("kafka", fill, tmp_path) / "jar").read_text() == "content"

    runs = [threading.Thread(target=run) for _ in range(4)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    cached("kafka", fill, tmp_path)
    assert len(fetched) == 1


def test_a_download_that_fails_or_is_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    """There is no half-filled folder that a later run would trust, nor rubbish that piles up."""

    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise RuntimeError("connection lost")

    with pytest.raises(RuntimeError, match="connection lost"):
        cached("kafka", fail, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".kafka.lock"]
    killed = tmp_path / ".kafka.part-killed"
    killed.mkdir()
    place = cached("kafka", lambda folder: (folder / "jar").touch(), tmp_path)
    assert [file.name for file in place.iterdir()] == ["jar"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".kafka.lock", "kafka"]


def test_downloads_are_kept_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside the checkout, so that a fresh clone need not fetch them again."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_root() == Path("/somewhere/commerce-connector")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "commerce-connector"


# ── ports ────────────────────────────────────────────────────────────────────────────────────────


def test_a_port_is_ours_until_this_process_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No other run is given it, even while nothing listens there, and no outgoing connection can hold it."""
    ask_for_all = """
        from tests.broker.launcher import ports
        ports._PORTS = range(30_000, 30_300)
        got = set()
        try:
            while True: got.add(ports.free_port())
        except (RuntimeError, ValueError):
            print(*sorted(got), flush=True)
        input()
    """
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # claims of our own: nobody else's run must wait for us
    first, second = python(ask_for_all), None
    try:
        firsts = set(line_of(first).split())
        second = python(ask_for_all)
        seconds = set(line_of(second).split())
    finally:
        for run in (first, second):
            if run is not None:
                run.communicate("\n", timeout=PATIENCE_S)
    assert len(firsts) > 100
    assert not firsts & seconds
    assert free_port() < 32_768


# ── Java ─────────────────────────────────────────────────────────────────────────────────────────


def java_home(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


def test_the_oldest_java_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    """So one machine with several always runs the same one, and none that is too old."""
    versions = {"eight": "1.8.0_402", "eleven": "11.0.2", "seventeen": "17.0.15", "twenty-five": "25"}
    homes = [java_home(tmp_path / name, version) for name, version in versions.items()]
    homes.append(tmp_path / "not-there")
    assert find_java(17, homes).version == 17
    assert find_java(21, homes).version == 25


def test_missing_java_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    """The one line that a skipped test shows is enough to act on."""
    with pytest.raises(MissingToolError, match=r"no Java 17 .* apt-get install"):
        find_java(17, [java_home(tmp_path, "11.0.2")])


def test_without_java_real_tests_are_skipped_and_in_ci_they_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer without Java can work; a CI run that proved nothing is red."""

    def launch() -> None:
        raise MissingToolError("no Java 17")

    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="NOT PROVED: no Java 17"):
        launched(launch)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="NOT PROVED: no Java 17"):
        launched(launch)


# ── the summary ──────────────────────────────────────────────────────────────────────────────────


def test_the_summary_counts_what_really_ran(tmp_path: Path) -> None:
    """Skipped and deselected tests prove nothing and do not count; a fixture's name is enough to mark."""
    (tmp_path / "test_sample.py").write_text(
        textwrap.dedent("""
            import pytest
            @pytest.fixture
            def real_broker(): ...
            @pytest.fixture
            def schema_registry(): pytest.skip("none here")
            def test_one(real_broker): ...
            def test_two(real_broker): ...
            def test_three(real_broker): pytest.skip("not this time")
            def test_four(schema_registry): ...
            def test_five(): ...
        """)
    )

    def summary(*more: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", os.devnull, "-q", *more, "."],
            cwd=tmp_path,
            # Plugins of other packages are none of its business; one wants what need not be installed here.
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    everything = summary()
    assert "real broker: 2 tests ran" in everything
    assert "schema registry: 0 tests ran" in everything
    without = summary("-m", "not broker")
    assert "real broker: 0 tests ran" in without
    assert "1 passed, 1 skipped, 3 deselected" in without
