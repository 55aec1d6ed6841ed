"""`python -m bench`: the connector beside the floor, for a vendor with batches and for one without."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.one_by_one import TopsortOneByOne
from bench.stage import CONTENDERS, Result, Stage
from bench.vendor import Vendor
from bench.work import plan
from connector.kafka.embedded import EmbeddedKafka
from connector.vendors.topsort import Topsort
from tests.broker.launcher.brokers import Broker, ExistingBroker, MockBroker
from tests.broker.launcher.java import MissingToolError
from tests.broker.launcher.kafka import KafkaCluster

SEED = 1

HEADINGS = (
    "job",
    "what",
    "events",
    "requests",
    "wall s",
    "events/s",
    "CPU µs/event",
    "peak MiB",
    "missing",
    "repeated",
)


def main() -> int:
    """Run what was asked for and print one table; 1 if the connector lost or invented anything."""
    asked = _arguments().parse_args()
    jobs = {"batch": (Topsort.name, asked.events), "one": (TopsortOneByOne.name, asked.one_by_one_events)}
    results: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _broker(asked.broker) as broker:
        folder = Path(name)
        print(f"broker: {broker.kind}, vendor latency {asked.latency_ms} ms, {os.cpu_count()} cores")
        for job in asked.jobs:
            destination, events = jobs[job]
            stage = Stage(broker, plan(events, SEED), destination, folder)
            stage.prepare()
            with Vendor(folder, asked.latency_ms) as vendor:
                results[job] = [
                    stage.run(each, vendor, profile=asked.profile if each == "connector" else None)
                    for _ in range(asked.rounds)
                    for each in CONTENDERS
                ]
    _print(results)
    ours = [run.books for runs in results.values() for run in runs if run.contender == "connector"]
    return int(any(books.missing or books.unexpected for books in ours))


def _print(results: dict[str, list[Result]]) -> None:
    lines = [HEADINGS, *(_row(job, run) for job, runs in results.items() for run in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in (lines[0], tuple("-" * width for width in widths), *lines[1:]):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
    for job, runs in results.items():
        print(f"{job}: the connector takes {_ratio(runs):.2f} times the floor's CPU")


def _row(job: str, run: Result) -> tuple[str, ...]:
    missing = f"{run.books.missing}"
    if run.books.unexpected:
        missing += f" (and {run.books.unexpected} unexpected)"
    return (
        job,
        run.contender,
        f"{run.events}",
        f"{run.requests}",
        f"{run.wall_s:.1f}",
        f"{run.events / run.wall_s:.0f}" if run.wall_s else "-",
        f"{run.cpu_us:.1f}",
        f"{run.peak_bytes / 2**20:.0f}",
        missing,
        f"{run.books.repeated}",
    )


def _ratio(runs: Sequence[Result]) -> float:
    """Of the medians, since one run on a shared machine says little."""
    floor, ours = (
        statistics.median(run.cpu_us for run in runs if run.contender == contender)
        for contender in CONTENDERS
    )
    return ours / floor if floor else float("nan")


@contextmanager
def _broker(wanted: str) -> Iterator[Broker]:
    """The broker that `KAFKA_BOOTSTRAP` names, or a real one on this machine, or else the embedded one."""
    if wanted != "embedded":
        if existing := os.environ.get("KAFKA_BOOTSTRAP"):
            yield ExistingBroker(existing)
            return
        try:
            cluster = KafkaCluster()
        except MissingToolError as missing:
            if wanted == "real":
                sys.exit(str(missing))
            print(f"embedded Kafka instead of a real one: {missing}", file=sys.stderr)
        else:
            try:
                yield cluster
            finally:
                cluster.stop()
            return
    with EmbeddedKafka() as kafka:
        yield MockBroker(kafka)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="for the job with batches (%(default)s)")
    parser.add_argument(
        "--one-by-one-events", type=int, default=20_000, help="for the job without (%(default)s)"
    )
    parser.add_argument("--jobs", nargs="+", choices=("batch", "one"), default=["batch", "one"])
    parser.add_argument("--rounds", type=int, default=1, help="runs of each; ratios are of medians")
    parser.add_argument(
        "--latency-ms", type=int, default=0, help="how long the vendor takes for each request"
    )
    parser.add_argument("--broker", choices=("auto", "real", "embedded"), default="auto")
    parser.add_argument("--profile", type=Path, help="write the connector's last cProfile data to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
