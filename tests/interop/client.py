"""Uses all that crew offers with the Python SDK (1.x or 2.x, whichever is installed) and prints what it counted.

    client.py TRANSPORT MODE TARGET...

TRANSPORT is stdio (TARGET is a command), http or sse (TARGET is a URL). MODE is legacy, auto or a revision; 1.x knows
legacy alone.
"""

import asyncio
import json
import pathlib
import sys
from contextlib import asynccontextmanager

import mcp
from mcp import StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl

NEW = hasattr(mcp, "Client")
CALLS = json.loads((pathlib.Path(__file__).parent / "calls.json").read_text())


@asynccontextmanager
async def connect(transport, mode, target, hear):
    """A connected client, and the revision it settled on; `hear` is told what it is told."""
    if transport == "stdio":
        way = stdio_client(StdioServerParameters(command=target[0], args=target[1:]))
    else:
        way = {"http": streamable_http_client, "sse": sse_client}[transport](target[0])
    if NEW:
        async with mcp.Client(way, mode=mode, message_handler=hear) as client:
            yield client, client.protocol_version
    else:
        async with way as streams, mcp.ClientSession(*streams[:2], message_handler=hear) as session:
            yield session, (await session.initialize()).protocolVersion


def plain(result):
    """A result as it was on the wire."""
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


async def walk(method, member):
    """All pages of a list."""
    items, cursor = [], None
    while True:
        page = plain(await method(cursor=cursor))
        items += page[member]
        cursor = page.get("nextCursor")
        if cursor is None:
            return items


async def refused(awaitable):
    """Makes sure that the server answers with an error."""
    try:
        answer = await awaitable
    except Exception as error:
        assert "mcperror" in type(error).__name__.lower(), repr(error)
        return 1
    raise AssertionError(f"no error: {answer}")


async def call_all(client, tools):
    """Calls every tool; gives how often, and how much progress was told."""
    names, called = {tool["name"] for tool in tools}, {call["tool"] for call in CALLS}
    assert names == called, f"calls.json does not fit the tools: {sorted(names ^ called)}"
    told, task = [], None

    async def progress(done, total, message):
        told.append((done, total, message))

    for call in CALLS:
        text = json.dumps(call["arguments"]).replace("$task", str(task))
        extra = {"progress_callback": progress} if call.get("progress") else {}
        result = plain(await client.call_tool(call["tool"], json.loads(text), **extra))
        assert not result.get("isError"), (call, result)
        assert result["content"][0]["text"], call
        task = result["structuredContent"].get("task_id") or task
    assert told, "no progress was told"
    return len(CALLS), len(told)


async def main(transport, mode, *target):
    heard = set()

    async def hear(message):
        heard.add(getattr(getattr(message, "root", message), "method", None))

    async with connect(transport, mode, target, hear) as (client, version):
        tools = await walk(client.list_tools, "tools")
        prompts = await walk(client.list_prompts, "prompts")
        for prompt in prompts:
            arguments = {argument["name"]: "x" for argument in prompt.get("arguments", [])}
            assert plain(await client.get_prompt(prompt["name"], arguments))["messages"], prompt
        uri_of = str if NEW else AnyUrl
        resources = await walk(client.list_resources, "resources")
        for resource in resources:
            contents = plain(await client.read_resource(uri_of(resource["uri"])))["contents"]
            assert contents[0]["uri"] == resource["uri"] and contents[0]["text"], resource
        templates = await walk(client.list_resource_templates, "resourceTemplates")
        reference = types.ResourceTemplateReference(type="ref/resource", uri="crew://employee/{name}")
        argument = {"name": "name", "value": "code"}
        completed = plain(await client.complete(reference, argument))["completion"]["values"]
        assert "code-reviewer" in completed, completed
        calls, told = await call_all(client, tools)
        wrong = plain(await client.call_tool("get_employee", {"name": "nobody"}))
        facts = wrong["structuredContent"] if version > "2026" else wrong["_meta"]["failure"]
        assert wrong["isError"] and facts["code"] == "not-found", wrong
        errors = 1
        errors += await refused(client.call_tool("no_such_tool", {}))
        errors += await refused(client.get_prompt("nobody", {}))
        errors += await refused(client.read_resource(uri_of("crew://employee/nobody")))
        if mode == "legacy":
            await client.send_ping()
            # An employee was created.
            expected = {f"notifications/{kind}/list_changed" for kind in ("prompts", "resources")}
            for _ in range(100):
                if expected <= heard:
                    break
                await asyncio.sleep(0.05)
            assert expected <= heard, heard
        changes = len(expected) if mode == "legacy" else "-"
    counted = [tools, calls, told, prompts, resources, templates, completed, changes, errors]
    print(version, *(len(one) if isinstance(one, list) else one for one in counted))


asyncio.run(main(*sys.argv[1:]))
