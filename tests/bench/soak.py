#!/usr/bin/env python3
"""Keeps a server busy with everything at once, and tells whether its memory and its descriptors stay where they are.

    cargo build --release --locked --bin knowlyr-crew
    tests/bench/soak.py [--seconds 60]

Needs Linux and Python 3.11. Deliveries, runs that are waited for, calls of tools in both eras, lists, measures and streams
that are given up come side by side, each over connections of its own. The same comes before, until all that is bounded is
full: finished tasks, sessions, and the ids of 20,000 deliveries. From the first to the last third of the time memory may grow
by a twentieth, and at the end as many descriptors have to be open as before. Exits with 1 when that is not so, or when an
answer was wrong.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True

import load
import pipelines
import processes
from run import TARGETS, Report

# Few enough that what is kept of them is full when the deliveries are.
CONFIG = "tasks: {retain_count: 2000, queue: 10000}\n"
# Some more than ids of deliveries that are remembered.
DELIVERIES = 20_500
PUSH = json.dumps({"ref": "refs/heads/main", "head_commit": {"message": "Tea"}}).encode()
SIGNED = "sha256=" + hmac.new(pipelines.SECRET.encode(), PUSH, hashlib.sha256).hexdigest()


class Side:
    """One kind of work: how it is asked for, and what is a right answer."""

    def __init__(self, name, verb, path, headers, body, good):
        self.name, self.good, self.asked, self.done = name, good, 0, 0
        self.verb, self.path, self.headers, self.body = verb, path, headers, body

    def request(self, host):
        body = self.body.encode() if isinstance(self.body, str) else self.body
        headers = {"Host": host} | self.headers | ({"Content-Length": len(body)} if body else {})
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        text = f"{self.verb} {self.path} HTTP/1.1\r\n{head}\r\n".encode() + body
        self.asked += 1
        return text.replace(b"NUMBER", b"%06d" % self.asked)


def sides(url):
    typed = {"Content-Type": "application/json", "Accept": load.ACCEPT}
    echo = {"name": "list_employees", "arguments": {}}
    modern, _ = load.modern(url)
    meta = {"_meta": json.loads(load.modern(url)[1])["params"]["_meta"]}
    older, _ = load.session(url)
    call = load.body(1, "tools/call", echo | meta)
    hook = typed | {"X-GitHub-Event": "push", "X-Hub-Signature-256": SIGNED, "X-GitHub-Delivery": "soak-NUMBER"}
    return [
        Side("deliveries", "POST", "/webhook/github", hook, PUSH, 202),
        Side("runs that are waited for", "POST", "/run/employee/employee-0", typed, b'{"sync":true}', 200),
        Side("tool calls, 2026-07-28", "POST", "/mcp", typed | modern | {"Mcp-Name": "list_employees"}, call, 200),
        Side("tool calls, in a session", "POST", "/mcp", typed | older, load.body(2, "tools/call", echo), 200),
        Side("lists of tasks", "GET", "/tasks?limit=20", {}, b"", 200),
        Side("measures", "GET", "/metrics/prometheus", {}, b"", 200),
    ]


async def keep_on(side, host, going):
    """Asks again and again over one connection, while it is `going` on."""
    reader, writer = await asyncio.open_connection(*host.split(":"), limit=1 << 22)
    while going():
        writer.write(side.request(host))
        head = await reader.readuntil(b"\r\n\r\n")
        if int(head[9:12]) != side.good:
            raise SystemExit(f"{side.name}: {head!r}")
        length = pipelines.LENGTH.search(head)
        if length:
            await reader.readexactly(int(length[1]))
        else:
            # In chunks, of which the last is empty.
            await reader.readuntil(b"0\r\n\r\n")
        side.done += 1
    writer.close()


async def give_up(host, counts, going):
    """Opens streams of events, reads their beginning and goes away."""
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": load.CLIENT,
            "io.modelcontextprotocol/clientCapabilities": {}}
    wants = {"notifications": {"toolsListChanged": True}, "_meta": meta}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen", "Content-Type": "application/json",
               "Accept": load.ACCEPT}
    side = Side("streams that are given up", "POST", "/mcp", headers, load.body(1, "subscriptions/listen", wants), 200)
    while going():
        reader, writer = await asyncio.open_connection(*host.split(":"))
        writer.write(side.request(host))
        head = await reader.readuntil(b"\r\n\r\n")
        if int(head[9:12]) != 200:
            raise SystemExit(f"{side.name}: {head!r}")
        writer.close()
        counts[0] += 1
        await asyncio.sleep(0.02)


async def watch(server, going):
    """Memory and descriptors, five times a second."""
    seen = []
    while going():
        seen.append((server.resident(), server.descriptors()))
        await asyncio.sleep(0.2)
    return seen


async def all_at_once(server, work, given_up, going):
    """Everything at once while it is `going` on; gives what was seen of the server meanwhile."""
    host = server.url.split("/")[2]
    busy = [keep_on(side, host, going) for side in work for _ in range(3)]
    seen, *_ = await asyncio.gather(watch(server, going), give_up(host, given_up, going), *busy)
    return seen


async def soak(report, server, seconds):
    work, given_up = sides(server.url), [0]
    # Files that are kept open are opened by who first needs them.
    await all_at_once(server, work, given_up, lambda begin=time.monotonic(): time.monotonic() < begin + 1)
    processes.settle()
    rest = server.descriptors()
    begin = time.monotonic()
    await all_at_once(server, work, given_up, lambda: work[0].done < DELIVERIES)
    report.say("until all that is bounded is full", time.monotonic() - begin, "s")
    for side in work:
        side.done = 0
    given_up = [0]
    seen = await all_at_once(server, work, given_up, lambda begin=time.monotonic(): time.monotonic() < begin + seconds)
    for side in work:
        report.say(f"{side.name}, a second", side.done / seconds)
    report.say("streams that are given up, a second", given_up[0] / seconds)
    third = len(seen) // 3
    first, last = seen[:third], seen[2 * third :]
    memory = lambda part: statistics.median(resident for resident, _ in part)
    report.say("memory, first third", memory(first) / 2**20, "MB")
    report.say("memory, last third", memory(last) / 2**20, "MB")
    report.say("memory, last third / first third", memory(last) / memory(first), "x", 1.05)
    report.say("most descriptors, first third", max(files for _, files in first))
    report.say("most descriptors, last third", max(files for _, files in last))
    for _ in range(50):
        if server.descriptors() <= rest:
            break
        await asyncio.sleep(0.2)
    report.say("descriptors at rest, before", rest)
    report.say("descriptors at rest, after", server.descriptors(), "", rest)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(TARGETS / "knowlyr-crew"))
    parser.add_argument("--seconds", type=int, default=60)
    words = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        with pipelines.serve(words.bin, pipelines.project(Path(folder), CONFIG, "echo")) as server:
            asyncio.run(soak(report, server, words.seconds))
    sys.exit(not report.met)


if __name__ == "__main__":
    main()
