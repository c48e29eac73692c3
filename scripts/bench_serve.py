#!/usr/bin/env python
"""Measure `gesture-maker serve`: many clients that ask one after the other, each on a connection of its own.

    scripts/bench_serve.py first                      a run, a .task or a registered model
    scripts/bench_serve.py first digits --clients 50 --seconds 30
    scripts/bench_serve.py first --images             photos of a drawn hand in place of landmarks

Prints for each model requests, errors, requests per second, p50, p95 and p99 of the time from the question to the whole answer, the
server's processor time for a request, which other programs change little, and the memory of the server's processes (resident, the pages they share counted in each) when it begins to answer and at the end. The clients
are one process: on two cores they take about a third of one.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

START_SECONDS = 120  # only for a server that never starts
WARM = 5  # requests of each client that are not counted


@dataclass
class Result:
    """What the clients saw. `seconds`: of each answer."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def client(port: int, body: bytes, end: float, result: Result, warm: int) -> None:
    """Ask until `end`, on one connection, and open it again after an error."""
    head = f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    question = head.encode() + body
    reader = writer = None
    asked = 0
    while time.perf_counter() < end:
        begin = time.perf_counter()
        try:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(question)
            head_of_answer = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head_of_answer, re.IGNORECASE)[1])  # type: ignore[index]
            answer = await reader.readexactly(length)
            if not head_of_answer.startswith(b"HTTP/1.1 200") or (
                b'"gesture"' not in answer and b'"hands"' not in answer
            ):
                raise ValueError(answer[:200].decode(errors="replace"))
        except (OSError, EOFError, ValueError, TypeError) as error:
            result.errors.append(f"{type(error).__name__}: {error}")
            if writer is not None:
                writer.close()
            reader = writer = None
            await asyncio.sleep(0.05)
            continue
        asked += 1
        if asked > warm:
            result.seconds.append(time.perf_counter() - begin)
    if writer is not None:
        writer.close()


async def ask(port: int, body: bytes, clients: int, seconds: float, warm: int) -> tuple[Result, float]:
    """Return what so many clients saw in so many seconds, and the seconds in truth."""
    result = Result()
    begin = time.perf_counter()
    await asyncio.gather(*(client(port, body, begin + seconds, result, warm) for _ in range(clients)))
    return result, time.perf_counter() - begin


def processes(parent: int) -> list[int]:
    """Return a process and those it started, directly or not."""
    found = [parent]
    for one in found:
        children = Path(f"/proc/{one}/task/{one}/children")
        found += [int(child) for child in children.read_text().split()] if children.exists() else []
    return found


def memory(parent: int) -> str:
    """Return the resident memory of a process and of those it started, in MB."""
    sizes = []
    for one in processes(parent):
        try:
            told = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{one}/status").read_text())
        except OSError:
            continue
        sizes.append(int(told[1]) // 1024 if told else 0)
    return " + ".join(map(str, sizes)) + " MB" if sizes else "not known"


def processor_seconds(parent: int) -> float:
    """Return the processor time of a process and of those it started."""
    ticks = 0
    for one in processes(parent):
        try:
            told = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(told[11]) + int(told[12])  # in user and in kernel mode
    return ticks / os.sysconf("SC_CLK_TCK")


def question(images: bool) -> bytes:
    """Return the body of a request: one hand, or one photo of it."""
    from gesture_maker.recognition.remote import example_hand, record_of

    if not images:
        return json.dumps({"instances": [record_of(example_hand())]}).encode()
    from PIL import Image

    from gesture_maker.synthetic.draw import draw_image

    buffer = io.BytesIO()
    Image.fromarray(draw_image("open_palm", 0, 0, 7)[0]).save(buffer, "JPEG", quality=90)
    return json.dumps({"instances": [{"image": base64.b64encode(buffer.getvalue()).decode()}]}).encode()


def measure(model: str, given: argparse.Namespace) -> None:
    """Start a server, ask it, and print what came of it."""
    command = [sys.executable, "-m", "gesture_maker", "serve", model, "--port", "0", "--workers", str(given.workers)]
    if given.store:
        command += ["--store", given.store]
    begin = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = _port(server)
        asyncio.run(ask(port, question(given.images), 1, 0.5, 0))
        print(f"{model}: began to answer after {time.perf_counter() - begin:.1f} s")
        _ready(port, given)
        before, spent = memory(server.pid), processor_seconds(server.pid)
        result, seconds = asyncio.run(ask(port, question(given.images), given.clients, given.seconds, WARM))
        after, spent = memory(server.pid), processor_seconds(server.pid) - spent
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    _show(result, seconds, given, before, after, spent)


def _ready(port: int, given: argparse.Namespace) -> None:
    """Wait until all workers answer: as many connections as there are clients are answered."""
    end = time.perf_counter() + START_SECONDS
    while time.perf_counter() < end:
        result, _ = asyncio.run(ask(port, question(given.images), 4 * given.workers, 1.0, 0))
        if not result.errors and result.seconds:
            return


def _port(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/invocations", line):
            return int(found[1])
    raise SystemExit(f"The server did not start (status {server.wait()}).")


def _show(result: Result, seconds: float, given: argparse.Namespace, before: str, after: str, spent: float) -> None:
    what = "photos" if given.images else "hands"
    counted = np.array(result.seconds or [float("nan")]) * 1000
    rate = (len(result.seconds) + WARM * given.clients) / seconds
    values: dict[str, Any] = {
        "clients": f"{given.clients}, {seconds:.1f} s, workers {given.workers}, {what}",
        "requests": len(result.seconds),
        "errors": f"{len(result.errors)} {result.errors[:1] if result.errors else ''}".strip(),
        "requests/s": f"{rate:.0f}",
        "p50, p95, p99": ", ".join(f"{np.percentile(counted, share):.1f} ms" for share in (50, 95, 99)),
        "processor": f"{1000 * spent / max(1, len(result.seconds) + WARM * given.clients):.2f} ms of the server for each request",
        "memory": f"{before} before, {after} after",
    }
    for name, value in values.items():
        print(f"  {name:<14} {value}")


def main() -> None:
    """Measure each model that was named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="as `gesture-maker serve` takes them")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--store", help="the MLflow store of registered models")
    parser.add_argument("--images", action="store_true", help="ask about photos in place of landmarks")
    given = parser.parse_args()
    for model in given.models:
        measure(model, given)


if __name__ == "__main__":
    main()
