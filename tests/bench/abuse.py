#!/usr/bin/env python3
"""Treats a server badly, again and again, and tells its memory and its open descriptors before, during and after.

    cargo build --release --locked --bin knowlyr-crew
    tests/bench/abuse.py

Needs Linux, Python 3.11 and some 6,000 descriptors (`ulimit -n`). What is treated badly is `serve` with its usual limits.
Each kind of abuse is done in four rounds, of which the first and the last are shown. What the first ones leave behind is
kept by the allocator for reuse; what the last still adds is a leak. Exits with 1 when there is one, or when the server no
longer answers.
"""

import argparse
import asyncio
import contextlib

import socket
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import load
import processes

HOME = Path(__file__).resolve().parents[2]
STREAMS = 1000
SESSIONS = 10_000
CALLS = 5000
AT_ONCE = 250
READERS = 200
ROUNDS = 4
# What the last round may add: pages that happen to be used for the first time, not a leak.
SLACK = 1 << 20
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Client:
    """Speaks to one server, as roughly as is wanted."""

    def __init__(self, url):
        self.host, self.port = url.split("/")[2].split(":")

    async def open(self, receive=None):
        """A connection; `receive` is the size of its receive buffer."""
        sock = socket.socket()
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (self.host, int(self.port)))
        return await asyncio.open_connection(sock=sock, limit=1 << 22)

    def request(self, verb, headers, body=""):
        body = body.encode()
        lines = {"Host": f"{self.host}:{self.port}", "Accept": load.ACCEPT} | headers
        if body:
            lines |= {"Content-Type": "application/json", "Content-Length": len(body)}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{verb} /mcp HTTP/1.1\r\n{head}\r\n".encode() + body

    def modern(self, method, params, name=None):
        headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
        if name:
            headers["Mcp-Name"] = name
        return self.request("POST", headers, load.body(1, method, params | {"_meta": MODERN}))

    def initialize(self):
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": load.CLIENT}
        return self.request("POST", {}, load.body(0, "initialize", params))

    async def stream(self, request, until=b"\r\n\r\n"):
        """Sends `request` and reads up to `until`."""
        reader, writer = await self.open()
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(until), 30)
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"refused: {head.decode(errors='replace')} {await reader.read(1000)}")
        return head, reader, writer


async def listens(client):
    """Streams of 2026-07-28, each held open."""
    wishes = {"notifications": {"toolsListChanged": True, "resourcesListChanged": True}}
    request = client.modern("subscriptions/listen", wishes)
    return [await client.stream(request, b"acknowledged") for _ in range(STREAMS)]


async def gets(client):
    """Sessions of the older era, each with its stream held open. The sessions are ended in the end."""
    held = []
    for _ in range(STREAMS):
        head, _, writer = await client.stream(client.initialize())
        name = next(line for line in head.decode().split("\r\n") if line.lower().startswith("mcp-session-id"))
        await close([(None, None, writer)])
        headers = {"Mcp-Session-Id": name.split(": ")[1], "Accept": "text/event-stream"}
        held.append((headers, *(await client.stream(client.request("GET", headers)))[1:]))
    return held


async def end_gets(client, held):
    await close(held)
    for headers, _, _ in held:
        _, writer = await client.open()
        writer.write(client.request("DELETE", headers))
        await writer.drain()
        await close([(None, None, writer)])


async def sessions(client):
    """Sessions that nobody comes back to. The connections are kept open, as by clients that forgot them."""
    _, reader, writer = await client.stream(client.initialize())
    reader._buffer.clear()
    for _ in range(SESSIONS - 1):
        writer.write(client.initialize())
        await answered(reader)
    return [(None, reader, writer)]


async def answered(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return await reader.readexactly(int(length.split(b":")[1]))


async def readers(client):
    """Clients that ask for long lists, many times, and read nothing of the answers."""
    held = []
    for _ in range(READERS):
        reader, writer = await client.open(receive=2048)
        reader._transport.pause_reading()
        writer.write(client.modern("tools/list", {}) * 100 + client.modern("prompts/list", {}) * 100)
        held.append((None, reader, writer))
    await asyncio.sleep(1)
    return held


async def cancelled(client, sample):
    """Calls whose connection is closed while a model is at work on the answer."""
    call = {"name": "run_employee", "arguments": {"name": "employee-7", "execute": True}}
    request = client.modern("tools/call", call, "run_employee")
    for _ in range(CALLS // AT_ONCE):
        held = []
        for _ in range(AT_ONCE):
            reader, writer = await client.open()
            writer.write(request)
            held.append((None, reader, writer))
        await asyncio.sleep(0.2)
        sample()
        await close(held)


async def close(held):
    for _, _, writer in held:
        writer.transport.abort()
    await asyncio.sleep(0)


async def silent(reader, writer):
    """A model that never answers."""
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        await reader.read(-1)
    writer.close()


class Watch:
    """What the server holds, now and at most."""

    def __init__(self, server):
        self.server = server
        self.reset()

    def reset(self):
        self.memory, self.files = self.now()
        self.peak = (self.memory, self.files)

    def now(self):
        return self.server.resident(), self.server.descriptors()

    def sample(self):
        self.peak = tuple(map(max, self.peak, self.now()))

    async def calm(self, files):
        """Waits until no more than `files` descriptors are open and memory no longer falls."""
        last = None
        for _ in range(60):
            await asyncio.sleep(0.5)
            now = self.now()
            if now[1] <= files and last is not None and now[0] >= last:
                return now
            last = now[0]
        return self.now()


async def abuse(client, watch, kind):
    """One round: what there was before, at most, and after."""
    watch.reset()
    before = watch.now()
    if kind is cancelled:
        await cancelled(client, watch.sample)
    else:
        held = await kind(client)
        watch.sample()
        await (end_gets(client, held) if kind is gets else close(held))
    after = await watch.calm(before[1])
    return before, watch.peak, after


async def run(program):
    kinds = [
        (f"{STREAMS} open listen streams", listens),
        (f"{STREAMS} GET streams of sessions", gets),
        (f"{SESSIONS} sessions abandoned", sessions),
        (f"{READERS} clients that do not read", readers),
        (f"{CALLS} calls closed in mid answer", cancelled),
    ]
    model = await asyncio.start_server(silent, "127.0.0.1", 0, backlog=1024)
    port = model.sockets[0].getsockname()[1]
    env = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1"}
    sound = True
    with tempfile.TemporaryDirectory() as folder:
        project = processes.project(Path(folder), 200, model="gpt-bench")
        command = [program, "serve", "-d", project, "--port", "0", "--no-cron"]
        with processes.Http(command, env) as server:
            client, watch = Client(server.url), Watch(server)
            await client.stream(client.modern("tools/list", {}), b"}")
            processes.settle()
            print(f"{'':<34}{'memory, MB':^24}{'descriptors':^24}")
            print(f"{'':<34}" + f"{'before':>8}{'peak':>8}{'after':>8}" * 2)
            for what, kind in kinds:
                left = []
                for number in range(ROUNDS):
                    figures = await abuse(client, watch, kind)
                    left.append(figures[2])
                    if number in (0, ROUNDS - 1):
                        row = [f"{figure[0] / 2**20:8.1f}" for figure in figures]
                        row += [f"{figure[1]:8}" for figure in figures]
                        print(f"{what:<34}{''.join(row)}", flush=True)
                memory, files = (left[-1][which] - left[-2][which] for which in (0, 1))
                if memory > SLACK or files > 0:
                    print(f"  LEAK: the last round left {memory >> 10} kB and {files} descriptors more")
                    sound = False
            await client.stream(client.modern("tools/list", {}), b"}")
            print("it still answers")
    model.close()
    return sound


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(HOME / "target" / "release" / "knowlyr-crew"))
    words = parser.parse_args()
    sys.exit(not asyncio.run(run(words.bin)))


if __name__ == "__main__":
    main()
