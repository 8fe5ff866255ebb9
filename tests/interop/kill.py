#!/usr/bin/env python3
"""Kills a working server again and again, fills its disk, and takes its folder away; says what was lost.

    cargo build --bin knowlyr-crew
    tests/interop/kill.py [kill] [disk] [readonly]        # all without a word
    tests/interop/kill.py kill --rounds 200 --bin target/release/knowlyr-crew

`kill`: each round starts `serve`, submits pipelines of three steps whose results are delivered to a receiver, and ends the
process with SIGKILL at a moment left to chance, while the journal, its index and its compaction are at work. What is checked:

- every task that was acknowledged is known until it has ended, and as long as it is remembered; all of them end well;
- a step that the journal tells is finished when the process dies is never asked of the model again;
- the same key gives the same task after a restart;
- a delivery that the outbox tells is made when the process dies is never sent again, and each result arrives under one id.

`disk`: the file size is limited (and, as root, the file system is small): submissions are answered with 503, `/readyz` with 503,
and everything acknowledged is done once there is room. `readonly`: the same of a folder that cannot be written (as root only).

Needs Linux and Python 3.11. Exits with 1 when anything was lost, repeated, or not told.
"""

import argparse
import contextlib
import http.client
import http.server
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
STEPS = ["one", "two", "three"]
MARK = re.compile(rb"mark<([^>]+)>")
# How many finished tasks the server remembers: more than can end in a round, as what it forgets within one is not seen.
KEPT = 1000
WORDS = "What a longer answer may look like: 你好. " * 120


class Counting(http.server.ThreadingHTTPServer):
    """Counts what it is asked for; `name` says what a request is about."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, name, answer, seconds):
        counts, lock = Counter(), threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with lock:
                    counts[name(self.headers, body)] += 1
                time.sleep(seconds)
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    # Whoever asked was killed.
                    self.close_connection = True

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.counts, self.lock = counts, lock
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass

    def seen(self):
        with self.lock:
            return Counter(self.counts)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


def fake_model(seconds):
    answer = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": WORDS}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 900, "output_tokens": 20},
    }  # fmt: skip
    # The first mark is what the step itself is asked for; what went before is quoted after it.
    return Counting(lambda _, body: MARK.search(body)[1].decode(), json.dumps(answer).encode(), seconds)


def receiver():
    return Counting(lambda headers, _: headers.get("webhook-id") or headers.get("Idempotency-Key"), b"{}", 0)


def project(folder, receiver_url="http://127.0.0.1:9", retain=KEPT):
    crew = Path(folder) / ".crew"
    (crew / "employees").mkdir(parents=True)
    (crew / "pipelines").mkdir()
    (crew / "employees" / "writer.md").write_text(
        "---\nname: writer\ndescription: Writes\nmodel: claude-haiku-4-5\nargs: [{name: topic, required: true}]\n---\n$topic\n"
    )
    steps = [f"  - {{id: {name}, employee: writer, args: {{topic: 'mark<$topic:{name}> {{prev}}'}}}}" for name in STEPS]
    steps[0] = steps[0].replace(" {prev}", "")
    (crew / "pipelines" / "work.yaml").write_text(
        "name: work\ndescription: Three steps\nargs: [{name: topic, required: true}]\nsteps:\n" + "\n".join(steps)
        + "\ndeliver:\n  - receiver\n"
    )  # fmt: skip
    (crew / "config.yaml").write_text(
        f"outbound: {{allow: ['127.0.0.1']}}\ndestinations:\n  receiver: {{type: webhook, url: '{receiver_url}/in'}}\n"
        f"tasks: {{workers: 32, retain_count: {retain}}}\n"
    )
    return folder


class Serve:
    """A server, until it is killed."""

    running = set()

    def __init__(self, program, folder, model, **popen):
        env = os.environ | {
            "ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": model, "CREW_LOG": "error",
            "CREW_RATE_LIMIT_PER_MINUTE": "0", "CREW_DELIVERY__RETRY_SECONDS": "0.05",
        }  # fmt: skip
        command = [program, "serve", "-d", str(folder), "--port", "0"]
        self.log = tempfile.TemporaryFile("w+")
        self.child = subprocess.Popen(command, env=env, stdout=self.log, stderr=self.log, **popen)
        Serve.running.add(self)
        self.place = None
        for _ in range(3000):
            told = os.pread(self.log.fileno(), 1 << 16, 0).decode(errors="replace")
            if found := re.search(r"http://([\d.]+:\d+)", told):
                self.place = found[1]
                return
            if self.child.poll() is not None:
                break
            time.sleep(0.01)
        raise SystemExit(f"no server: {told}")

    def ask(self, method, path, body=None, headers=None, timeout=30):
        """Status and JSON; `None` when the server is gone."""
        connection = http.client.HTTPConnection(self.place, timeout=timeout)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, {"Content-Type": "application/json"} | (headers or {}))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def submit(self, topic):
        return self.ask("POST", "/run/pipeline/work", {"args": {"topic": topic}}, {"Idempotency-Key": topic})

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()
        Serve.running.discard(self)

    def drained(self, seconds=120):
        """Waits until nothing waits or runs."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            left = [self.ask("GET", f"/tasks?status={status}&limit=1") for status in ("pending", "running")]
            if all(answer and not answer[1]["tasks"] for answer in left):
                return True
            time.sleep(0.1)
        return False


@contextlib.contextmanager
def workplace():
    """A folder for servers. Those that a mistake has left running are ended before it goes, for they still write into it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield folder
        finally:
            for server in list(Serve.running):
                server.kill()


def lines(path):
    """The whole lines of a log; what was torn by a kill is not acknowledged."""
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        if line.strip():
            yield json.loads(line)


class Book:
    """What the journal and the outbox have told so far."""

    def __init__(self, folder):
        self.crew = Path(folder) / ".crew"
        self.topics, self.ended, self.steps, self.delivered = {}, {}, set(), set()

    def read(self):
        """Reads them, and tells which steps and deliveries are new in them."""
        steps, delivered = set(), set()
        for line in lines(self.crew / "tasks.jsonl"):
            match line["event"]:
                case "created":
                    self.topics[line["task"]["task_id"]] = line["task"]["args"].get("topic")
                case "step" if line["task_id"] in self.topics:
                    steps.add(f"{self.topics[line['task_id']]}:{line['output']['step_id']}")
                case "finished":
                    self.ended[line["task_id"]] = line["status"]
        for line in lines(self.crew / "outbox.jsonl"):
            if line["event"] == "delivered":
                # As the receiver is told it.
                delivered.add("-".join(line["id"].rsplit(".", 1)))
        new = steps - self.steps, delivered - self.delivered
        self.steps |= steps
        self.delivered |= delivered
        return new


def kill(words):
    """The rounds."""
    chance = random.Random(words.seed)
    wrong, acked, frozen, sent = [], {}, {}, {}
    model, inbox = fake_model(0.02), receiver()
    with workplace() as folder, ThreadPoolExecutor(16) as pool:
        project(folder, inbox.url)
        book, rewritten, began = Book(folder), 0, time.monotonic()
        inode = 0
        for number in range(words.rounds):
            server = Serve(words.bin, folder, model.url)
            ready = server.ask("GET", "/readyz")
            if not ready or ready[0] != 200:
                wrong.append(f"round {number}: /readyz is {ready}")
            # What is not over, and what ended last, is still known, with all there is of it.
            known = [task for task in acked.values() if task not in book.ended] + list(book.ended)[-KEPT // 2 :]
            for task in chance.sample(known, min(10, len(known))):
                answer = server.ask("GET", f"/tasks/{task}")
                if not answer or answer[0] != 200:
                    wrong.append(f"round {number}: task {task} is {answer}")
                elif answer[1]["status"] == "completed" and len(answer[1]["steps"]) != len(STEPS):
                    wrong.append(f"round {number}: task {task} has lost steps")
            # A key that was acknowledged in the last round means the same task now.
            for topic, task in list(acked.items())[-3:]:
                answer = server.submit(topic)
                if answer and answer[1].get("task_id") != task and task not in book.ended:
                    wrong.append(f"round {number}: the key {topic} gave {answer}, not {task}")
            dead = threading.Event()

            def client(which):
                for count in range(1000):
                    topic = f"r{number}-c{which}-{count}"
                    answer = server.submit(topic)
                    if answer is None or dead.is_set():
                        return None if answer is None else note(topic, answer)
                    note(topic, answer)

            def note(topic, answer):
                if answer[0] in (200, 202):
                    acked[topic] = answer[1]["task_id"]
                elif answer[0] != 503:
                    wrong.append(f"{topic}: {answer}")

            clients = [pool.submit(client, which) for which in range(words.clients)]
            time.sleep(chance.uniform(0.02, words.longest))
            server.kill()
            dead.set()
            for each in clients:
                each.result()
            new, delivered = book.read()
            seen, got = model.seen(), inbox.seen()
            frozen |= {step: seen[step] for step in new}
            sent |= {delivery: got[delivery] for delivery in delivered}
            now = (Path(folder) / ".crew" / "tasks.jsonl").stat().st_ino
            rewritten, inode = rewritten + (inode not in (0, now)), now
            repeated = [step for step, count in frozen.items() if seen[step] != count]
            if repeated:
                wrong.append(f"round {number}: steps asked again: {repeated[:5]}")
            if again := [delivery for delivery, count in sent.items() if got[delivery] != count]:
                wrong.append(f"round {number}: deliveries made again: {again[:5]}")
            if number % 20 == 19:
                size = (Path(folder) / ".crew" / "tasks.jsonl").stat().st_size / 1e6
                print(f"round {number + 1}: {len(acked)} tasks, {len(frozen)} steps, journal {size:.1f} MB, {len(wrong)} wrong", flush=True)
        server = Serve(words.bin, folder, model.url)
        if not server.drained():
            wrong.append("some tasks did not end")
        for _ in range(600):
            left = [server.ask("GET", f"/deliveries?status={status}&limit=1") for status in ("pending", "sending")]
            if all(answer and not answer[1]["deliveries"] for answer in left):
                break
            time.sleep(0.1)
        known = {task for task in list(book.ended)[-KEPT:]} | set(acked.values()) - set(book.ended)
        known = {task for task in known if (server.ask("GET", f"/tasks/{task}") or (0,))[0] == 200}
        server.kill()
        book.read()
        seen, got = model.seen(), inbox.seen()
        lost = [topic for topic, task in acked.items() if book.ended.get(task) != "completed"]
        if lost:
            wrong.append(f"acknowledged and not done: {len(lost)}: {lost[:5]}")
        repeated = [step for step, count in frozen.items() if seen[step] != count]
        if repeated:
            wrong.append(f"finished steps asked again: {repeated[:5]}")
        indexed = (Path(folder) / ".crew" / "tasks.index").exists()
        twice = sum(count - 1 for count in got.values())
        told = {task for task in book.ended if book.ended[task] == "completed"}
        print(
            f"{words.rounds} rounds in {time.monotonic() - began:.0f} s: {len(acked)} tasks acknowledged, {len(lost)} lost; "
            f"{len(frozen)} steps finished before a kill, {len(repeated)} repeated; {sum(seen.values())} calls of the model; "
            f"journal rewritten in {rewritten} rounds, index {'used' if indexed else 'never made'}; "
            f"{len(got)} results delivered of {len(told)}, {twice} sent again as the kill came before the record"
        )
        # One that is forgotten before it was delivered is not sent any more.
        if missing := [task for task in told & known if f"{task}-0" not in got]:
            wrong.append(f"results of known tasks that never arrived: {len(missing)}: {missing[:5]}")
    return wrong


def disk(words):
    """A limit of the size of files, and a small file system."""
    wrong = []
    model = fake_model(0.005)

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    with workplace() as folder:
        project(folder)
        # The signal stays ignored, as under a supervisor that limits files; writes fail then.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        wrong += full(words, folder, model, preexec_fn=limited, restore_signals=False)
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory() as folder:
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
            if mounted.returncode:
                print(f"no small file system here: {mounted.stderr.decode().strip()}")
                return wrong
            try:
                project(folder)
                wrong += full(words, folder, model)
            finally:
                subprocess.run(["umount", folder], check=True)
    return wrong


def full(words, folder, model, **popen):
    """Submits until nothing fits, looks at what is told, and lets it go on with room."""
    wrong, acked = [], {}
    server = Serve(words.bin, folder, model.url, **popen)
    refused, ready = None, None
    for number in range(3000):
        answer = server.submit(f"full-{number}")
        if answer is None:
            wrong.append("the server died on a full disk")
            break
        if answer[0] == 202:
            acked[f"full-{number}"] = answer[1]["task_id"]
            continue
        refused, ready = answer, server.ask("GET", "/readyz")
        # What was too big may have left room for less; it is full when it says so.
        if answer[0] != 503 or not ready or ready[0] != 200:
            break
    health = server.ask("GET", "/health")
    print(f"full: {len(acked)} accepted, then {refused}; /readyz {ready}; /health {health and health[0]}")
    if not refused or refused[0] != 503:
        wrong.append(f"a full disk was answered with {refused}")
    if not ready or ready[0] != 503:
        wrong.append(f"/readyz of a full disk is {ready}")
    if not health or health[0] != 200:
        wrong.append(f"/health of a full disk is {health}")
    server.kill()
    if not popen:
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
    server = Serve(words.bin, folder, model.url)
    if not server.drained():
        wrong.append("tasks did not end when there was room")
    stands = {task: server.ask("GET", f"/tasks/{task}") for task in acked.values()}
    lost = [task for task, answer in stands.items() if not answer or answer[1].get("status") != "completed"]
    print(f"with room: {len(acked) - len(lost)} of {len(acked)} done")
    if lost:
        wrong.append(f"lost on a full disk: {lost[:5]}")
    server.kill()
    return wrong


def readonly(words):
    """A folder that cannot be written."""
    if os.geteuid():
        print("a folder that cannot be written is tried as root only")
        return []
    wrong = []
    model = fake_model(0.005)
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    with workplace() as folder:
        project(folder)

        def allow(writing):
            for path in [folder, *map(str, Path(folder).rglob("*"))]:
                os.chown(path, 65534, 65534)
                os.chmod(path, (0o755 if writing else 0o555) if os.path.isdir(path) else (0o644 if writing else 0o444))

        allow(False)
        env = os.environ | {"ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": model.url}
        command = [words.bin, "serve", "-d", folder, "--port", "0"]
        refused = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, **nobody)
        print(f"a start in a folder that cannot be written: exit {refused.returncode}: {refused.stderr.strip()!r}")
        if refused.returncode != 1 or "tasks.jsonl" not in refused.stderr:
            wrong.append("a start in a folder that cannot be written does not say so")
        allow(True)
        server = Serve(words.bin, folder, model.url, **nobody)
        before = [server.submit(f"before-{number}") for number in range(5)]
        allow(False)
        answers = before + [server.submit(f"after-{number}") for number in range(5)]
        ready = server.ask("GET", "/readyz")
        print(f"made read-only under a server: {Counter(answer and answer[0] for answer in answers)}; /readyz {ready}")
        refusing = any(not answer or answer[0] != 202 for answer in answers)
        if any(not answer or answer[0] not in (202, 503) for answer in answers) or not ready or (refusing and ready[0] != 503):
            wrong.append(f"a folder made read-only was answered with {answers}, /readyz with {ready}")
        server.kill()
        allow(True)
        server = Serve(words.bin, folder, model.url, **nobody)
        if not server.drained():
            wrong.append("tasks did not end when the folder could be written again")
        for answer in answers:
            if answer and answer[0] == 202:
                stands = server.ask("GET", f"/tasks/{answer[1]['task_id']}")
                if not stands or stands[1].get("status") != "completed":
                    wrong.append(f"lost: {answer[1]}: {stands}")
        server.kill()
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["kill", "disk", "readonly", []], help="kill, disk, readonly")
    parser.add_argument("--bin", default=str(TARGET / "debug" / "knowlyr-crew"))
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--longest", type=float, default=0.6, help="the longest life of a server, in seconds")
    parser.add_argument("--seed", type=int, default=7)
    words = parser.parse_args()
    wrong = []
    for what in words.what or ["kill", "disk", "readonly"]:
        wrong += {"kill": kill, "disk": disk, "readonly": readonly}[what](words)
    for line in wrong[:50]:
        print(f"WRONG: {line}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
