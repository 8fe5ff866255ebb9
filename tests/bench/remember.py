#!/usr/bin/env python3
"""Measures how long one server takes to remember and to tell, with 1,000, 10,000 and 100,000 memories of one employee.

    cargo build --release --locked --bin knowlyr-crew
    tests/bench/remember.py [--bin BIN] [--sizes 1000,10000,100000] [--folder DIR]

A call at a time over stdio, as an editor would. What is added is on the disk before it is acknowledged, so that each round
of adding also appends and syncs a line of its own on the same disk: what is above that is crew's. Without the disk:
`--folder /dev/shm`. Exits with 1 when a target is missed.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True

import processes

HOME = Path(__file__).resolve().parents[2]
WORDS = 20_000
LENGTH = 25


class Texts:
    """Texts of words of which few are said often and most hardly ever, the same in each run."""

    def __init__(self):
        self.chance = random.Random(7)
        parts = ["ka", "to", "mi", "ren", "shu", "vel", "or", "dan", "pi", "lus", "gra", "net", "zo", "qua", "fi"]
        self.words = ["".join(self.chance.choice(parts) for _ in range(4)) for _ in range(WORDS)]

    def text(self, length=LENGTH):
        return " ".join(self.words[int(WORDS ** self.chance.random()) - 1] for _ in range(length))


def fill(folder, texts, count):
    """An employee with so many memories, written as they would have come, and the index of them."""
    processes.project(folder, 1)
    place = folder / ".crew" / "memory"
    place.mkdir()
    kinds = ["finding", "decision", "estimate", "correction", "pattern"]
    with open(place / "employee-0.jsonl", "w") as file:
        for number in range(count):
            at = 1_750_000_000_000 + number * 60_000
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at // 1000))
            entry = {
                "id": f"{at:012x}{number:08x}", "employee": "employee-0", "created_at": f"{moment}.000000+00:00",
                "category": kinds[number % 4], "content": f"{number}: {texts.text()}", "source_session": "",
                "confidence": 1.0, "superseded_by": "",
            }
            if number % 3 == 0:
                entry["importance"] = number % 5 + 1
                entry["tags"] = [f"tag-{number % 50}"]
            file.write(json.dumps(entry, separators=(",", ":")) + "\n")
    os.sync()


class Server(processes.Stdio):
    def tool(self, tool, **arguments):
        answer = self.call("tools/call", {"name": tool, "arguments": arguments})
        if answer.get("isError"):
            raise SystemExit(f"{tool}: {answer}")
        return answer["structuredContent"]

    def remembers(self, tool, **arguments):
        return self.tool(tool, employee="employee-0", **arguments)


def took(work, times):
    """Milliseconds of each time."""
    taken = []
    for number in range(times):
        begin = time.perf_counter()
        work(number)
        taken.append((time.perf_counter() - begin) * 1e3)
    return taken


def spread(taken):
    """What half and 99 of 100 stay within."""
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return cuts[49], cuts[98]


def syncs(folder, times):
    """The same of a line that is appended and synced on the disk of `folder`."""
    with open(folder / "probe", "ab", buffering=0) as file:
        line = b"x" * 300 + b"\n"
        return spread(took(lambda _: (file.write(line), os.fdatasync(file)), times))


def measure(binary, texts, size, times, place):
    """Rows of what was measured: its name, its figures, the targets for them."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        folder = Path(folder)
        fill(folder, texts, size)
        begin = time.perf_counter()
        subprocess.run([binary, "memory", "index", "-d", folder], check=True, capture_output=True)
        indexing = time.perf_counter() - begin
        command = [binary, "mcp", "-d", str(folder)]
        starts = {}
        for what, first in [
            ("query", lambda server: server.remembers("query_memory")),
            ("search", lambda server: server.remembers("search_memory", query=texts.text(5))),
        ]:
            taken = []
            for _ in range(5):
                begin = time.perf_counter()
                with Server(command) as server:
                    server.call(*processes.INITIALIZE)
                    first(server)
                    taken.append((time.perf_counter() - begin) * 1e3)
            starts[what] = (statistics.median(taken), max(taken))
        with Server(command) as server:
            server.greet()
            tell = lambda name, **arguments: spread(took(lambda _: server.remembers(name, **arguments), times))
            search = lambda: spread(took(lambda _: server.remembers("search_memory", query=texts.text(5)), times))
            render = lambda: spread(took(lambda _: server.tool("render_prompt", name="employee-0"), times))
            server.remembers("query_memory")
            rows = [
                ("start to the first answer of `query_memory`, half and most", starts["query"], (300, 300)),
                ("start to the first answer of `search_memory`, half and most", starts["search"], (300, 300)),
                ("the newest 20", tell("query_memory"), (5, 20)),
                ("the newest 20 corrections", tell("query_memory", category="correction"), (5, 20)),
                ("the newest 20 with a tag", tell("query_memory", tags=["tag-6"]), (5, 20)),
                ("the 20 that matter most", tell("query_memory", sort_by="importance"), (5, 20)),
                ("the 20 that are surest", tell("query_memory", sort_by="confidence"), (5, 20)),
                ("a search", search(), (5, 20)),
                ("a prompt, while all have faded", render(), (5, 20)),
            ]
            added = []

            def add(number):
                new = server.remembers("add_memory", category="finding", content=f"new {number} {texts.text()}")
                added.append(new["id"])

            before = syncs(folder, times)
            rows.append(("add one", spread(took(add, times)), None))
            # A correction of what was added long ago, and one of what is new.
            correct = lambda number: server.remembers(
                "correct_memory", id=added[number], content=f"right {number} {texts.text()}"
            )
            rows.append(("correct one", spread(took(correct, times // 2)), None))
            after = syncs(folder, times)
            disk = tuple(min(pair) for pair in zip(before, after))
            rows.append(("of these two, a synced append of the disk", disk, None))
            rows.append(("add one, above that", tuple(a - b for a, b in zip(rows[-3][1], disk)), (5, 5)))
            turns = lambda number: (add(number), server.remembers("query_memory"))
            rows.append(("add one, then the newest 20", spread(took(turns, times // 2)), None))

            def found(number):
                add(number)
                begin = time.perf_counter()
                server.remembers("search_memory", query=texts.text(5))
                return (time.perf_counter() - begin) * 1e3

            rows.append(("a search after one was added", spread([found(n) for n in range(times // 2)]), (5, 20)))
            rows.append(("a prompt, now that some are new", render(), (5, 20)))
            rows.append(("memory of the process, MB", (server.resident() / 2**20,), (150,)))
            rows.append(("`memory index` from nothing, s", (indexing,), None))
            return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(HOME / "target" / "release" / "knowlyr-crew"))
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--times", type=int, default=400)
    parser.add_argument("--folder", help="where the projects are; a temporary one unless given")
    words = parser.parse_args()
    sizes = [int(size) for size in words.sizes.split(",")]
    texts = Texts()
    columns = [measure(words.bin, texts, size, words.times, words.folder) for size in sizes]
    met = True
    print("ms at which half and 99 of 100 are done, with so many memories of one employee\n")
    print("| | " + " | ".join(f"{size:,}" for size in sizes) + " | target |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for row in zip(*columns):
        name, _, target = row[0]
        figures = [" and ".join(f"{value:.1f}" for value in values) for _, values, _ in row]
        for _, values, target in row:
            met &= target is None or all(value <= most for value, most in zip(values, target))
        told = " and ".join(map(str, target)) if target else ""
        print(f"| {name} | " + " | ".join(figures) + f" | {told} |")
    sys.exit(not met)


if __name__ == "__main__":
    main()
