"""Goes through a whole task with the public client, in both lifecycles.

usage: mcp_client.py ORCH ROOT     (a workspace with the free tasks T-0001, T-0002)
"""

import asyncio
import pathlib
import sys
import time

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

ORCH, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
LEDGER = ROOT / "ORCH/STATE/TASKS.md"


def server(actor):
    params = StdioServerParameters(command=ORCH, args=["mcp", "--as", actor], cwd=ROOT)
    return stdio_client(params)


def save(old, new):
    """Saves as editors do: another file, renamed."""
    copy = LEDGER.with_name("TASKS.md~")
    copy.write_text(LEDGER.read_text().replace(old, new))
    copy.rename(LEDGER)


async def go(client, task, hear):
    async def call(tool, **arguments):
        result = await client.call_tool(tool, arguments)
        return result.structured_content, result.is_error

    tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == [
        "list", "show", "claim", "renew", "submit", "release", "note", "request",
    ], tools
    listed, _ = await call("list", state="READY")
    assert task in [t["task_id"] for t in listed["data"]["tasks"]], listed
    claimed, is_error = await call("claim", id=task)
    assert not is_error and claimed["data"]["task"]["state"] == "DOING", claimed
    token = claimed["data"]["lease"]["token"]
    refused, is_error = await call("claim", id=task)
    assert is_error and refused["error"]["code"] == "held", refused
    refused, is_error = await call("claim", id=task, actor="CMD@boss")
    assert is_error and refused["error"]["code"] == "usage", refused

    async def edit():
        await asyncio.sleep(0.3)
        save(f"Task {int(task[-1])} ", f"by an editor {task} ")
        return time.monotonic()

    edited = asyncio.create_task(edit())
    while True:
        heard, uri = await hear()
        if edited.done():
            break
    assert uri == "orch://tasks", uri
    print(f"{client.protocol_version}: told of a save by hand after {1000 * (heard - await edited):.0f} ms")
    submitted, is_error = await call("submit", id=task, token=token, artifact="src/x.rs")
    assert not is_error and submitted["data"]["task"]["state"] == "REVIEW", submitted


async def main():
    told = asyncio.Queue()

    async def on_message(message):
        name = getattr(message, "method", None)
        if name == "notifications/resources/updated":
            told.put_nowait((time.monotonic(), str(message.params.uri)))

    async with Client(server("WORK@ada"), mode="legacy", message_handler=on_message) as client:
        await client.subscribe_resource("orch://tasks")
        await go(client, "T-0001", told.get)

    async with Client(server("WORK@bob"), mode="2026-07-28") as client:
        async with client.listen(resource_subscriptions=["orch://tasks"]) as stream:
            events = aiter(stream)

            async def hear():
                event = await anext(events)
                return time.monotonic(), str(event.uri)

            await go(client, "T-0002", hear)
    print("all is well")


asyncio.run(asyncio.wait_for(main(), 60))
