"""Requests over HTTP, and rounds of load by `wrk` in which rivals take turns."""

import http.client
import json
import re
import statistics
import subprocess
import urllib.request

import processes

CONNECTIONS = 64
ACCEPT = "application/json, text/event-stream"
CALL = {"name": "echo", "arguments": {"text": "What a short answer may look like: 你好."}}
CLIENT = {"name": "bench", "version": "1"}


def modern(_url):
    """A call that stands for itself."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
    return headers, body(1, "tools/call", CALL | {"_meta": meta})


def session(url):
    """A call in a session, which is opened here. All connections share it, so each call has an id of its own."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}
    opened = post(url, {}, body(0, "initialize", params))
    headers = {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
    done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    post(url, headers, json.dumps(done)).read()
    return headers, body("ID", "tools/call", CALL)


def body(number, method, params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}, ensure_ascii=False)


def post(url, headers, body):
    headers = {"Content-Type": "application/json", "Accept": ACCEPT} | headers
    request = urllib.request.Request(url, body.replace('"ID"', "100000").encode(), headers)
    return urllib.request.urlopen(request, timeout=10)


def answer(url, request):
    """What is answered; an answer that is no result ends the run."""
    response = post(url, *request)
    answered = response.read()
    if b'"result"' not in answered:
        raise SystemExit(f"{url}: not a result: {answered!r}")
    return answered


def script(request):
    """The request in the words of wrk; without a body, a GET. Ids have six digits, so that all answers are of one length."""
    headers, body = request
    if body is not None:
        headers = {"Content-Type": "application/json", "Accept": ACCEPT} | headers
    lines = [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()]
    first, _, rest = (body or "").partition('"ID"')
    if body is not None:
        lines.append('wrk.method = "POST"')
    if rest:
        lines.append(f"local first, rest, id = [==[{first}]==], [==[{rest}]==], 100000")
        lines.append("function request() id = id + 1; return wrk.format(nil, nil, nil, first .. id .. rest) end")
    elif body is not None:
        lines.append(f"wrk.body = [==[{body}]==]")
    lines.append(
        "function done(all) io.write(string.format('FIGURES %d %d %d\\n', all.requests, all.duration, "
        "all.errors.status + all.errors.connect + all.errors.read + all.errors.write + all.errors.timeout)) end"
    )
    return "\n".join(lines)


def rounds(rivals, folder, count, seconds):
    """The figures of each rival, round by round: requests a second, and seconds of CPU for one request."""
    figures = {name: [] for name, _, _ in rivals}
    for number in range(-1, count):
        for name, server, request in rivals:
            file = folder / f"{name}.lua"
            file.write_text(script(request))
            before = server.cpu()
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(file), server.url]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            spent = server.cpu() - before
            line = next(line for line in told.splitlines() if line.startswith("FIGURES"))
            done, micros, errors = map(int, line.split()[1:])
            if errors:
                raise SystemExit(f"{name}: {errors} of {done} requests failed")
            # The first round warms up.
            if number >= 0:
                figures[name].append({"rate": done / micros * 1e6, "cpu": spent / done})
    return figures


def median(taken, figure):
    return statistics.median(one[figure] for one in taken)


def ratio(one, other, figure):
    """The median of the ratios of what was taken in the same round."""
    return statistics.median(a[figure] / b[figure] for a, b in zip(one, other, strict=True))


def instructions(command, call, counts, calls):
    """Instructions in user space for one request to the server that `command` starts: the difference of two runs."""

    def run(times):
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}"]
        with processes.Http(tool + command) as server:
            headers, text = call(server.url)
            headers = {"Content-Type": "application/json", "Accept": ACCEPT} | headers
            connection = http.client.HTTPConnection(server.url.split("/")[2])
            for _ in range(times):
                connection.request("POST", "/mcp", text.replace('"ID"', "100000").encode(), headers)
                connection.getresponse().read()
            # Asked to end, it writes down what it counted.
            server.child.terminate()
            server.child.wait()
        return int(re.search(r"^(?:totals|summary): (\d+)", counts.read_text(), re.MULTILINE)[1])

    warm = 200
    return (run(warm + calls) - run(warm)) / calls
