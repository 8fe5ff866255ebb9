#!/usr/bin/env python3
"""A model that speaks as Anthropic does and takes a known time: `fake.py 50` answers after 50 ms, `fake.py held` never.

It tells its address on stdout. `GET /` gives the body of the newest call, and in a header how many there were.
"""

import asyncio
import json
import re
import sys

ANSWER = json.dumps(
    {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": "What a short answer may look like: 你好."}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 900, "output_tokens": 20},
    }
).encode()  # fmt: skip
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def framed(body, headers=b""):
    length = str(len(body)).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + headers + b"Content-Length: " + length + b"\r\n\r\n" + body


class Messages(asyncio.Protocol):
    """A connection; bare, so that the model takes little of the processor beside what it serves."""

    delay = None
    calls = 0
    newest = b"{}"
    answer = framed(ANSWER)

    def connection_made(self, transport):
        self.transport = transport
        self.told = b""

    def data_received(self, data):
        self.told += data
        while (end := self.told.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.told, 0, end + 2)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.told) < whole:
                return
            request, self.told = self.told[:whole], self.told[whole:]
            if request.startswith(b"GET"):
                self.transport.write(framed(Messages.newest, f"Calls: {Messages.calls}\r\n".encode()))
                continue
            Messages.calls += 1
            Messages.newest = request[end + 4 :]
            if self.delay is not None:
                asyncio.get_running_loop().call_later(self.delay, self.transport.write, self.answer)


async def main():
    Messages.delay = None if sys.argv[1] == "held" else float(sys.argv[1]) / 1e3
    server = await asyncio.get_running_loop().create_server(Messages, "127.0.0.1", 0, backlog=4096)
    print("http://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
