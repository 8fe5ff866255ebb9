#!/usr/bin/env python3
"""Measures the work of crew beside that of its model: pipelines, runs that wait, deliveries, a start with many tasks.

    cargo build --release --locked --bin knowlyr-crew
    tests/bench/pipelines.py [runs] [waiting] [deliveries] [restart]      # all without a word

Needs Linux, Python 3.11 and, for deliveries, `wrk`. The model (`fake.py`) takes 50 ms and shares the processors, so the same calls are made of it
without crew in the same run: that is what a pipeline is compared with. Exits with 1 when a target is missed.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True

import processes
from run import TARGETS, Report

FAKE = [sys.executable, str(Path(__file__).with_name("fake.py"))]
MODEL = "claude-haiku-4-5"
DELAY = 50
SECRET = "a secret of the benchmark"
# Five items, of which the third is a group of three: seven calls, five of them one after the other.
ITEMS = [1, 1, 3, 1, 1]
STEPS = sum(ITEMS)
OPEN = {"CREW_RATE_LIMIT_PER_MINUTE": "0", "CREW_WEBHOOK_RATE_LIMIT_PER_MINUTE": "0", "CREW_LOG": "error"}
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def address(server):
    """The URL of a server, without a path."""
    return server.url.removesuffix("/mcp")


def project(folder, config="", model=MODEL):
    """An employee, a pipeline of her alone, and a route that has deliveries start her."""
    folder = Path(folder)
    processes.project(folder, 1, model)
    step = lambda name: f"{{id: {name}, employee: employee-0, args: {{subject: '{name} of $subject'}}}}"
    lines = ["name: five", "description: Five items", "args: [{name: subject, default: tea}]", "steps:"]
    for number, width in enumerate(ITEMS):
        if width == 1:
            lines.append(f"  - {step(f's{number}')}")
        else:
            lines.append("  - parallel:")
            lines.extend(f"      - {step(f's{number}-{member}')}" for member in range(width))
    crew = folder / ".crew"
    (crew / "pipelines").mkdir()
    (crew / "pipelines" / "five.yaml").write_text("\n".join(lines) + "\n")
    (crew / "config.yaml").write_text(config)
    (crew / "webhook.yaml").write_text(
        "github_secret: ${BENCH_SECRET}\nroutes:\n  - event: push\n    target:\n"
        "      {type: employee, name: employee-0, args: {subject: '{{head_commit.message}}'}}\n"
    )
    return str(folder)


def serve(program, place, model=None):
    """The server, which asks `model`."""
    env = OPEN | {"BENCH_SECRET": SECRET}
    if model:
        env |= {"ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": address(model)}
    return processes.Http([program, "serve", "-d", place, "--port", "0"], env)


class Caller(asyncio.Protocol):
    """A connection that asks one thing after another."""

    @classmethod
    async def open(cls, url):
        host, port = url.removeprefix("http://").split(":")
        _, caller = await asyncio.get_running_loop().create_connection(cls, host, int(port))
        return caller

    def connection_made(self, transport):
        self.transport = transport
        self.told, self.answer = b"", None

    def connection_lost(self, _):
        if self.answer and not self.answer.done():
            self.answer.set_exception(SystemExit("a connection was closed before its answer"))

    def data_received(self, data):
        self.told += data
        end = self.told.find(b"\r\n\r\n")
        length = LENGTH.search(self.told, 0, end + 2) if end >= 0 else None
        if length and len(self.told) >= end + 4 + int(length[1]):
            told, self.told = self.told, b""
            self.answer.set_result((int(told[9:12]), told[end + 4 :]))

    async def post(self, path, body):
        self.answer = asyncio.get_running_loop().create_future()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)
        return await self.answer


async def alone(url, body, runs):
    """Seconds for the calls of so many pipelines, made of the model by nobody in particular."""
    callers = [[await Caller.open(url) for _ in range(max(ITEMS))] for _ in range(runs)]

    async def one(mine):
        for width in ITEMS:
            await asyncio.gather(*(caller.post("/v1/messages", body) for caller in mine[:width]))

    begin = time.perf_counter()
    await asyncio.gather(*map(one, callers))
    taken = time.perf_counter() - begin
    for caller in sum(callers, []):
        caller.transport.close()
    return taken


async def through(url, runs, path="/run/pipeline/five"):
    """Seconds from the first request to the last finished task."""
    callers = [await Caller.open(url) for _ in range(runs)]
    body = json.dumps({"sync": True}).encode()
    begin = time.perf_counter()
    answers = await asyncio.gather(*(caller.post(path, body) for caller in callers))
    taken = time.perf_counter() - begin
    for status, answer in answers:
        if status != 200 or json.loads(answer)["status"] != "completed":
            raise SystemExit(f"not completed: {status} {answer[:500]!r}")
    for caller in callers:
        caller.transport.close()
    return taken


def runs(report, program, count, rounds):
    """So many pipelines at once: with the limits as they are, and with more calls at a time than they need."""
    for title, config in [("limits as they are", ""), ("max_concurrent: 1000", "max_concurrent: 1000\n")]:
        with tempfile.TemporaryDirectory() as folder, processes.Http([*FAKE, str(DELAY)]) as model:
            with serve(program, project(folder, config), model) as crew:
                asyncio.run(through(address(crew), count))
                newest = urllib.request.urlopen(address(model)).read()
                ours, bare, spent = [], [], []
                for _ in range(rounds):
                    bare.append(asyncio.run(alone(address(model), newest, count)))
                    before = crew.cpu()
                    ours.append(asyncio.run(through(address(crew), count)))
                    spent.append((crew.cpu() - before) / (count * STEPS))
                report_runs(report, f"{count} pipelines of {STEPS} calls in {len(ITEMS)} items at once, {title}", ours, bare, spent)


def report_runs(report, title, ours, bare, spent):
    print(title)
    path = len(ITEMS) * DELAY / 1e3
    each = [a / b for a, b in zip(ours, bare, strict=True)]
    report.say("from the first request to the last finished task", statistics.median(ours) * 1e3, "ms")
    report.say("the same calls without crew", statistics.median(bare) * 1e3, "ms")
    report.say("crew / the same calls without crew", statistics.median(each), "x", 1.15)
    report.say("crew / five times what the model takes", statistics.median(ours) / path, "x")
    report.say("CPU of crew for one step", statistics.median(spent) * 1e3, "ms", 1)


def waiting(report, program, counts):
    """What a run holds in memory while its model does not answer."""
    config = "max_concurrent: 5000\ntasks: {workers: 1024, queue: 5000}\n"
    for count in counts:
        with tempfile.TemporaryDirectory() as folder, processes.Http([*FAKE, "held"]) as model:
            with serve(program, project(folder, config), model) as crew:
                asyncio.run(begin(address(crew), 5))
                until_asked(model, 5)
                processes.settle()
                before = crew.resident()
                asyncio.run(begin(address(crew), count))
                until_asked(model, 5 + count)
                processes.settle()
                each = (crew.resident() - before) / count
                report.say(f"memory for one of {count} runs that wait for a model", each / 1e3, "kB", 100)


async def begin(url, count):
    """Starts so many pipelines, over a few connections."""
    async def some(number):
        caller = await Caller.open(url)
        for _ in range(number):
            status, answer = await caller.post("/run/pipeline/five", b"{}")
            if status != 202:
                raise SystemExit(f"not accepted: {status} {answer!r}")
        caller.transport.close()

    await asyncio.gather(*(some(count // 5) for _ in range(5)))


def until_asked(model, count):
    """Waits until the model has been asked so often."""
    for _ in range(600):
        if int(urllib.request.urlopen(address(model)).headers["Calls"]) >= count:
            return
        time.sleep(0.05)
    raise SystemExit(f"the model was not asked {count} times")


def deliveries(report, program, seconds):
    """Signed deliveries of GitHub, each new, at 64 connections: acknowledged is what is on the disk."""
    body = json.dumps({"ref": "refs/heads/main", "head_commit": {"message": "Tea"}, "padding": "x" * 2000})
    signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    script = "\n".join(
        [
            f"local body, id = [==[{body}]==], 0",
            'local headers = {["Content-Type"] = "application/json", ["X-GitHub-Event"] = "push", '
            f'["X-Hub-Signature-256"] = "sha256={signature}"}}',
            'function request() id = id + 1; headers["X-GitHub-Delivery"] = "bench-" .. id; '
            'return wrk.format("POST", "/webhook/github", headers, body) end',
            "function done(all, latency) io.write(string.format('FIGURES %d %d %d %d %d\\n', all.requests, all.duration, "
            "all.errors.status + all.errors.connect + all.errors.read + all.errors.write + all.errors.timeout, "
            "latency:percentile(50), latency:percentile(99))) end",
        ]
    )
    for title, model in [("a model that does not answer, one worker", MODEL), ("worked on at once, `echo`", "echo")]:
        workers = 1 if model == MODEL else 128
        with tempfile.TemporaryDirectory() as folder, processes.Http([*FAKE, "held"]) as held:
            config = f"tasks: {{workers: {workers}, queue: 100000, retain_count: 1000000}}\n"
            with serve(program, project(folder, config, model), held) as crew:
                file = Path(folder) / "deliveries.lua"
                file.write_text(script)
                before = crew.cpu()
                command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", str(file), address(crew)]
                told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                spent = crew.cpu() - before
                line = next(line for line in told.splitlines() if line.startswith("FIGURES"))
                done, micros, errors, half, most = map(int, line.split()[1:])
                created = (Path(folder) / ".crew" / "tasks.jsonl").read_bytes().count(b'"event":"created"')
                if errors or created < done:
                    raise SystemExit(f"{errors} of {done} deliveries failed, {created} are on the disk")
                print(f"Deliveries, {title}")
                report.say("acknowledged in a second", done / micros * 1e6, "", 5000, True)
                report.say("half of them within", half / 1e3, "ms")
                report.say("99 of 100 within", most / 1e3, "ms", 25)
                report.say("CPU of crew for one", spent / done * 1e6, "us")


def restart(report, program, count):
    """From spawn to the first answer of a server that has so many finished tasks behind it."""
    with tempfile.TemporaryDirectory() as folder:
        place = project(folder, f"tasks: {{retain_count: {count}}}\n", "echo")
        journal = Path(folder) / ".crew" / "tasks.jsonl"
        with serve(program, place) as crew:
            asyncio.run(through(address(crew), 1, "/run/employee/employee-0"))
        lines = journal.read_bytes()
        named = lambda number: b"%s-%06d" % (one[:24], number)
        one = re.search(rb'"task_id":"([^"]+)"', lines)[1]
        # Each ended at a moment of its own, as what is kept goes by that.
        clock = re.compile(rb"T\d\d:\d\d:\d\d\.\d+")
        moment = lambda number: time.strftime("T%H:%M:%S", time.gmtime(number // 2)).encode() + b".%d" % (number % 2 * 5)
        with journal.open("wb") as file:
            for number in range(count):
                file.write(clock.sub(moment(number), lines.replace(one, named(number))))
        size = journal.stat().st_size
        print(f"A start with {count} finished runs of an employee in a journal of {size / 1e6:.0f} MB")
        # The first reads all of it and makes the index.
        started(report, program, place, "all kept, without an index", named(0).decode(), None)
        started(report, program, place, "all kept, with the index", named(0).decode(), 500)
        (Path(folder) / ".crew" / "config.yaml").write_text("")
        # The first forgets all but 5,000 and writes the journal anew.
        oldest = named(count - 5000).decode()
        started(report, program, place, "5,000 kept, as usual, the first start", oldest, 500)
        started(report, program, place, "5,000 kept, the next start", oldest, 500)


def started(report, program, place, title, oldest, most):
    """One start; `oldest` is a task that it still has to know. It ends when the journal is seen to no more."""
    begin = time.perf_counter()
    with serve(program, place) as crew:
        urllib.request.urlopen(f"{address(crew)}/health").read()
        urllib.request.urlopen(f"{address(crew)}/readyz").read()
        taken = time.perf_counter() - begin
        spent = crew.cpu()
        processes.settle()
        if most:
            report.say(f"{title}: spawn to /health and /readyz", taken * 1e3, "ms", most)
        else:
            report.say(f"{title}: spawn to /health and /readyz", taken * 1e3, "ms")
        report.say("  CPU of it", spent * 1e3, "ms")
        report.say("  memory", crew.resident() / 2**20, "MB")
        begin = time.perf_counter()
        urllib.request.urlopen(f"{address(crew)}/tasks/{oldest}").read()
        report.say("  the oldest task, read from the journal", (time.perf_counter() - begin) * 1e3, "ms")
        begin = time.perf_counter()
        urllib.request.urlopen(f"{address(crew)}/tasks?status=failed&limit=1").read()
        report.say("  a list that looks at every task", (time.perf_counter() - begin) * 1e3, "ms")
        quiet = Path(place) / ".crew"
        sizes = lambda: [(path.name, path.stat().st_size) for path in quiet.iterdir() if path.name.startswith((".tasks", "tasks"))]
        while (before := sizes()) and (time.sleep(1), sizes())[1] != before:
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="runs, waiting, deliveries, restart")
    parser.add_argument("--bin", default=str(TARGETS / "knowlyr-crew"))
    parser.add_argument("--seconds", type=int, default=5)
    words = parser.parse_args()
    what = words.what or ["runs", "waiting", "deliveries", "restart"]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    report = Report()
    if "runs" in what:
        runs(report, words.bin, 100, 5)
    if "waiting" in what:
        waiting(report, words.bin, [100, 1000])
    if "deliveries" in what:
        deliveries(report, words.bin, words.seconds)
    if "restart" in what:
        restart(report, words.bin, 100_000)
    sys.exit(not report.met)


if __name__ == "__main__":
    main()
