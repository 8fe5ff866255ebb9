#!/usr/bin/env python3
"""Measures crew against a bare handler and against rmcp: pairs of figures from one run, never seconds of this machine.

    cargo build --release --locked --bin knowlyr-crew --example bench-target
    tests/bench/run.py [http] [health] [instructions] [start] [scale]      # all without a word

Needs Linux, Python 3.11, `wrk` and, for instructions, `valgrind`. Rounds of the rivals are short and take turns, so that what else the machine does
falls on all of them; each figure is the median of the rounds. Exits with 1 when a target is missed.
"""

import argparse
import contextlib
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True

import load
import processes

HOME = Path(__file__).resolve().parents[2]
TARGETS = HOME / "target" / "release"


class Report:
    """Lines for a reader, and whether all targets were met."""

    def __init__(self):
        self.met = True

    def say(self, what, value, unit="", target=None, at_least=False):
        line = f"  {what:<58} {value:9.2f} {unit:<4}"
        if target is not None:
            good = value >= target if at_least else value <= target
            self.met &= good
            line += f"  target {'>=' if at_least else '<='} {target:g}: {'met' if good else 'MISSED'}"
        print(line, flush=True)


def http(report, program, rounds, seconds):
    """tools/call over HTTP: both eras, against the bare handler and against rmcp."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def start(*words):
            return stack.enter_context(processes.Http([program, *words]))

        crew, rmcp, sessions = start("crew"), start("rmcp"), start("rmcp-sessions")
        for title, rival, call, others in [
            ("2026-07-28, no session", rmcp, load.modern, load.modern),
            ("2025-11-25, in a session", sessions, load.session, load.session),
        ]:
            request, theirs = call(crew.url), others(rival.url)
            answer = folder / "answer"
            answer.write_bytes(load.answer(crew.url, request))
            load.answer(rival.url, theirs)
            bare = start("bare", str(answer))
            rivals = [("bare", bare, request), ("crew", crew, request), ("rmcp", rival, theirs)]
            figures = load.rounds(rivals, folder, rounds, seconds)
            ratio = lambda name, of, figure: load.ratio(figures[name], figures[of], figure)
            print(f"tools/call over HTTP at {load.CONNECTIONS} connections, {title}")
            report.say("requests/s, crew / bare handler", ratio("crew", "bare", "rate"), "x", 0.8, True)
            report.say("requests/s, crew / rmcp", ratio("crew", "rmcp", "rate"), "x", 2, True)
            report.say("CPU per request, crew / bare handler", ratio("crew", "bare", "cpu"), "x", 1.4)
            report.say("CPU per request, rmcp / bare handler", ratio("rmcp", "bare", "cpu"), "x")
            for name, taken in figures.items():
                report.say(f"  CPU per request, {name}", load.median(taken, "cpu") * 1e6, "us")


def health(report, program, target, rounds, seconds):
    """What probes ask every few seconds, against the bare handler."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        project = processes.project(folder, 10)
        env = {"CREW_RATE_LIMIT_PER_MINUTE": "0"}
        crew = stack.enter_context(processes.Http([program, "serve", "-d", project, "--port", "0"], env))
        crew.url = crew.url.replace("/mcp", "/health")
        answer = folder / "answer"
        answer.write_bytes(urllib.request.urlopen(crew.url).read())
        bare = stack.enter_context(processes.Http([target, "bare", str(answer)]))
        bare.url = bare.url.replace("/mcp", "/health")
        figures = load.rounds([("bare", bare, ({}, None)), ("crew", crew, ({}, None))], folder, rounds, seconds)
        ratio = lambda figure: load.ratio(figures["crew"], figures["bare"], figure)
        print(f"GET /health at {load.CONNECTIONS} connections")
        report.say("requests/s, crew / bare handler", ratio("rate"), "x", 0.9, True)
        report.say("CPU per request, crew / bare handler", ratio("cpu"), "x")


def instructions(report, program, calls):
    """What one call costs in user space, counted: the same figure on a busy machine and on an idle one."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        with processes.Http([program, "crew"]) as crew:
            answer.write_bytes(load.answer(crew.url, load.modern(crew.url)))
        count = lambda call, *words: load.instructions([program, *words], call, Path(folder) / "counts", calls)
        bare = count(load.modern, "bare", str(answer))
        print("Instructions in user space for one tools/call over HTTP")
        report.say("bare handler", bare, "")
        for era, call in [("2026-07-28, no session", load.modern), ("2025-11-25, in a session", load.session)]:
            report.say(f"crew, {era}", count(call, "crew"), "")
        report.say("rmcp, 2026-07-28, no session", count(load.modern, "rmcp"), "")


def start(report, program, target, times):
    """From spawn to the answer to `initialize`, one call after another, and memory at rest."""
    with tempfile.TemporaryDirectory() as folder:
        project = processes.project(Path(folder), 50)
        print("The product, 50 employees")
        figures = processes.startup([program, "mcp", "-d", project], [target, "nothing"], times)
        report.say("spawn to `initialize` answered, over an empty process", figures.extra * 1e3, "ms", 3)
        report.say("CPU from spawn to that answer", figures.cpu * 1e3, "ms")
        with processes.Stdio([program, "mcp", "-d", project]) as crew, processes.Pipe(["cat"]) as cat:
            crew.greet()
            taken = processes.sequence(crew, cat, 3000)
            report.say("one stdio call after another", taken.call * 1e6, "us", 60)
            report.say("of which a pipe to `cat` and back takes", taken.pipe * 1e6, "us")
            report.say("CPU of the server for one", taken.cpu * 1e6, "us")
        with processes.Stdio([program, "mcp", "-d", project]) as crew:
            crew.greet()
            report.say("memory at rest, stdio", crew.resident() / 2**20, "MB", 10)
        with processes.Http([program, "serve", "-d", project, "--port", "0"]) as crew:
            processes.settle()
            report.say("memory at rest, serve", crew.resident() / 2**20, "MB", 10)


def scale(report, program, calls):
    """What a request costs must not depend on how many employees there are."""
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        command = lambda folder, count: [program, "mcp", "-d", processes.project(Path(folder), count)]
        with processes.Stdio(command(few, 10)) as small, processes.Stdio(command(many, 5000)) as large:
            print("CPU per request with 5,000 employees / with 10")
            for what, ratio in processes.compare(small, large, calls):
                report.say(what, ratio, "x", 1.25)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="http, health, instructions, start, scale")
    parser.add_argument("--bin", default=str(TARGETS / "knowlyr-crew"))
    parser.add_argument("--target", default=str(TARGETS / "examples" / "bench-target"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=1)
    words = parser.parse_args()
    what = words.what or ["http", "health", "instructions", "start", "scale"]
    report = Report()
    if "http" in what:
        http(report, words.target, words.rounds, words.seconds)
    if "health" in what:
        health(report, words.bin, words.target, words.rounds, words.seconds)
    if "instructions" in what:
        instructions(report, words.target, 1000)
    if "start" in what:
        start(report, words.bin, words.target, 100)
    if "scale" in what:
        scale(report, words.bin, 300)
    sys.exit(not report.met)


if __name__ == "__main__":
    main()
