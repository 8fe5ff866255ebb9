"""Processes under measurement: how they are started and talked to, and what the system says of them."""

import json
import os
import re
import statistics
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

TICK = os.sysconf("SC_CLK_TCK")
CALL = ("tools/call", {"name": "get_employee", "arguments": {"name": "employee-7"}})


def settle():
    """Lets a server come to rest."""
    time.sleep(1)


class Process:
    """A process that ends with the block it was started for."""

    def __init__(self, command, **streams):
        self.child = subprocess.Popen(command, **streams)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            if stream:
                stream.close()

    def cpu(self):
        """Seconds of CPU it took so far, all its threads together."""
        nanoseconds = 0
        for thread in Path(f"/proc/{self.child.pid}/task").iterdir():
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
        if nanoseconds:
            return nanoseconds / 1e9
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident(self):
        """Bytes of memory it holds."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def descriptors(self):
        """How many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))


class Http(Process):
    """A server that tells its address, on stdout or on stderr."""

    def __init__(self, command, env=None):
        env = os.environ | (env or {})
        super().__init__(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        told = ""
        while not (found := re.search(r"http://[\d.:]+\d", told)):
            line = self.child.stdout.readline()
            if not line:
                raise SystemExit(f"{command}: no server: {told}")
            told += line
        self.url = f"{found[0]}/mcp"
        # What else it says is of no interest, but must not fill the pipe.
        subprocess.Popen(["cat"], stdin=self.child.stdout, stdout=subprocess.DEVNULL)


class Pipe(Process):
    """A process that answers lines with lines."""

    def __init__(self, command):
        super().__init__(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)

    def ask(self, line):
        """Sends a line, and waits for the one that comes back."""
        os.write(self.child.stdin.fileno(), line)
        answer = b""
        while not answer.endswith(b"\n"):
            part = os.read(self.child.stdout.fileno(), 1 << 20)
            if not part:
                raise SystemExit("the process ended")
            answer += part
        return answer


class Stdio(Pipe):
    """An MCP server on stdio."""

    def call(self, method, params):
        lines = self.ask(message(1, method, params)).splitlines()
        # What it tells unasked comes in between.
        while not (answers := [line for line in lines if b'"id":1' in line]):
            lines = self.ask(b"").splitlines()
        answer = json.loads(answers[0])
        if "result" not in answer:
            raise SystemExit(f"{method}: not a result: {answer}")
        return answer["result"]

    def greet(self):
        self.call(*INITIALIZE)
        os.write(self.child.stdin.fileno(), b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        settle()


def message(number, method, params):
    text = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
    return text.encode() + b"\n"


CLIENT = {"name": "bench", "version": "1"}
INITIALIZE = ("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT})


def project(folder, employees, model="echo"):
    """A project in `folder` with so many employees, who run on `model`."""
    place = folder / ".crew" / "employees"
    place.mkdir(parents=True)
    for number in range(employees):
        (place / f"employee-{number}.md").write_text(
            f"---\nname: employee-{number}\ndescription: Does thing {number}\nmodel: {model}\ntriggers: [thing-{number}]\n"
            "args:\n  - name: subject\n    description: What it is about\n    default: all\n---\n"
            f"You do thing {number}. Look at $subject with care, and say what you see in a few words.\n"
        )
    return str(folder)


def startup(server, empty, times):
    """Time and CPU from spawn to the answer to `initialize`; the time over that of an empty process, spawn to end.

    What else the machine does can only make a start longer, so the time is taken from the quickest tenth of each.
    """
    answered, ended, spent = [], [], []
    for _ in range(times):
        begin = time.perf_counter()
        with Stdio(server) as child:
            child.ask(message(1, *INITIALIZE))
            answered.append(time.perf_counter() - begin)
            spent.append(child.cpu())
        begin = time.perf_counter()
        with Process(empty) as child:
            child.child.wait()
            ended.append(time.perf_counter() - begin)
    quick = lambda taken: statistics.quantiles(taken, n=10)[0]
    return SimpleNamespace(extra=quick(answered) - quick(ended), cpu=statistics.median(spent))


def sequence(server, cat, calls):
    """Seconds for a call, when each waits for the one before; and for the same bytes through `cat`."""
    line = message(1, *CALL)
    answer = server.ask(line)
    call, pipe = [], []
    for _ in range(500):
        server.ask(line)
    before = server.cpu()
    for _ in range(calls):
        begin = time.perf_counter()
        server.ask(line)
        call.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        cat.ask(answer)
        pipe.append(time.perf_counter() - begin)
    cpu = (server.cpu() - before) / calls
    return SimpleNamespace(call=statistics.median(call), pipe=statistics.median(pipe), cpu=cpu)


def compare(small, large, calls):
    """For each kind of request, how much CPU `large` takes for one, as a multiple of what `small` takes."""
    for server in (small, large):
        server.greet()
        # Definitions are read when they are first needed, and the files are looked at once more when the watch begins.
        server.call("prompts/list", {})
        server.call("resources/list", {})
        settle()
    resource = {"uri": "crew://employee/employee-7"}
    for what, method, params in [
        ("tools/call of get_employee", *CALL),
        ("prompts/get", "prompts/get", {"name": "employee-7", "arguments": {"subject": "tea"}}),
        ("prompts/list, a page, for each prompt on it", "prompts/list", {}),
        ("resources/read", "resources/read", resource),
    ]:
        line = message(1, method, params)
        taken = {small: [], large: []}
        for _ in range(7):
            for server in (small, large):
                server.call(method, params)
                before = server.cpu()
                for _ in range(calls):
                    server.ask(line)
                taken[server].append((server.cpu() - before) / calls)
        each = lambda server: len(server.call(method, params).get("prompts", [0]))
        cost = lambda server: statistics.median(taken[server]) / each(server)
        yield what, cost(large) / cost(small)
