"""A thousand plain questions at 64 against a server that thinks for 100 ms, each in a process.

As a script: ``many.py serve`` prints its port; ``many.py ask PORT`` asks and prints
``[seconds, CPU seconds, connections, seconds of plain httpx]`` as JSON: in pools of eight, with
nothing around it, so that what else the machine does meets both.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

from kernel import clean_environment

QUESTIONS, AT_ONCE, SECONDS = 1000, 64, 0.1
IDEAL = QUESTIONS / AT_ONCE * SECONDS


def _event(delta: dict[str, str], **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish", None)}
    chunk = {"id": "x", "created": 1, "model": "deepseek-flash", "choices": [choice], **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


_USAGE = {"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 19}
_BODY = b"".join(
    [
        *[_event({"content": "word "})] * 10,
        _event({}, finish="stop", usage=_USAGE),
        b"data: [DONE]\n\n",
    ]
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"


async def serve() -> None:
    """Answer everything after 100 ms; ``GET`` tells the most connections at a time."""
    count = {"now": 0, "most": 0}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count["now"] += 1
        count["most"] = max(count.values())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                body, kind = json.dumps(count["most"]).encode(), b"application/json"
                if head.startswith(b"post"):
                    size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                    await reader.readexactly(size)
                    await asyncio.sleep(SECONDS)
                    body, kind = _BODY, b"text/event-stream"
                writer.write(_HEAD % (kind, len(body)) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            count["now"] -= 1
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def ask(url: str) -> None:
    """Ask, by `ds.aask`."""
    import deepseek_jupyter as ds

    ds.get_session().config.concurrency = AT_ONCE

    async def all_of(count: int) -> None:
        asked = (ds.aask(f"Q{n}", show=False, history=False) for n in range(count))
        await asyncio.gather(*asked)

    asyncio.run(all_of(AT_ONCE))  # to warm up
    began, busy = time.perf_counter(), time.process_time()
    asyncio.run(all_of(QUESTIONS))
    took = [time.perf_counter() - began, time.process_time() - busy]
    most = json.loads(urllib.request.urlopen(url).read())
    began = time.perf_counter()
    asyncio.run(plain(url))
    # The connection of this very request apart.
    print(json.dumps([*took, most - 1, time.perf_counter() - began]))


async def plain(url: str) -> None:
    """The questions, by httpx alone."""
    import httpx

    left = iter(range(QUESTIONS))
    clients = [httpx.AsyncClient(timeout=60) for _ in range(AT_ONCE // 8)]

    async def work(client: httpx.AsyncClient) -> None:
        for n in left:
            said = [{"role": "user", "content": f"Q{n}"}]
            body = {"model": "deepseek-flash", "messages": said, "stream": True}
            answer = await client.post(f"{url}/chat/completions", json=body)
            assert b"[DONE]" in answer.content

    await asyncio.gather(*(work(clients[at % len(clients)]) for at in range(AT_ONCE)))


def measured() -> tuple[float, float, int, float]:
    """Seconds, CPU milliseconds a question, connections of one run, and seconds of httpx alone."""
    me = [sys.executable, __file__]
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen([*me, "serve"], stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            environment = {**clean_environment(home), "DEEPSEEK_BASE_URL": url}
            environment["DEEPSEEK_API_KEY"] = "sk-of-the-benchmark"
            done = subprocess.run(
                [*me, "ask", url], capture_output=True, text=True, check=True, env=environment
            )
        finally:
            server.kill()
    seconds, busy, most, by_httpx = json.loads(done.stdout)
    return seconds, busy / QUESTIONS * 1000, most, by_httpx


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    asyncio.run(serve()) if sys.argv[1] == "serve" else ask(sys.argv[2])
