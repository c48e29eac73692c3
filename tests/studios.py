"""A real studio for tests: the command in a process of its own, and what a page would do, over real sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from helpers import environment
from websockets.sync.client import ClientConnection, connect

PATIENCE = 60  # seconds; only for a broken program, nothing waits this long


class StudioProcess:
    """A studio that runs. `address`: what it printed, with the token; `origin`: http://127.0.0.1:PORT; `session`: logged in."""

    def __init__(self, process: subprocess.Popen[str], address: str, folder: Path) -> None:
        self.process, self.address, self.folder = process, address, folder
        parts = urlsplit(address)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.port = parts.port
        self.session = requests.Session()
        self.session.headers["Origin"] = self.origin
        self.session.get(address, timeout=PATIENCE).raise_for_status()

    @property
    def cookie(self) -> str:
        """The value of the header `Cookie` of a page that is logged in."""
        return "; ".join(f"{one.name}={one.value}" for one in self.session.cookies)

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        """Return the JSON that a GET answers, checking its status."""
        return self._answer(self.session.get(self.origin + path, params=query, timeout=PATIENCE), status)

    def post(self, path: str, value: Any = None, status: int = 200, **query: Any) -> Any:
        """Post JSON, or bytes as they are, and return the answer's JSON, checking its status."""
        body = {"data": value} if isinstance(value, bytes) else {"json": {} if value is None else value}
        return self._answer(self.session.post(self.origin + path, params=query, timeout=PATIENCE, **body), status)

    def socket(self, path: str, **settings: Any) -> ClientConnection:
        """Return an open WebSocket, as the page's would be."""
        headers = {"Cookie": self.cookie}
        return connect(
            f"ws://127.0.0.1:{self.port}{path}",
            origin=self.origin,  # type: ignore[arg-type]
            additional_headers=headers,
            compression=None,
            **settings,
        )

    def event(self, kind: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        """Wait for an event of a kind that is `wanted`, and return its data; what was told before counts too."""
        with self.socket("/ws/events") as events:
            while True:
                told = json.loads(events.recv(PATIENCE))
                if told["kind"] == kind and wanted(told["data"]):
                    return told["data"]

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """End the studio and return its exit status."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    @property
    def said(self) -> str:
        """What it wrote to stderr, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def _answer(self, response: requests.Response, status: int) -> Any:
        assert response.status_code == status, (response.status_code, response.text[:2000])
        return response.json()


def frame_message(number: int, jpeg: bytes, **header: Any) -> bytes:
    """Return a frame as the page's socket.js sends it."""
    head = json.dumps({"n": number, **header}).encode()
    return len(head).to_bytes(4, "little") + head + jpeg


PROGRAM = ("-m", "gesture_maker")


@contextmanager
def studio(folder: Path, *arguments: str, dataset: str | Path = "small", **settings: str) -> Iterator[StudioProcess]:
    """Run `gesture-maker studio` in a folder, on a port of its own, and end it with the block.

    `dataset`: a name under the folder's `datasets/`, or a path; `settings`: of the environment.
    """
    given = ["--no-open", "--port", "0", "--dataset", str(dataset), *arguments]
    with running_studio(PROGRAM, given, folder, settings) as running:
        yield running


@contextmanager
def studio_with(
    code: str, folder: Path, *arguments: str, dataset: str | Path = "small", **settings: str
) -> Iterator[StudioProcess]:
    """Run `gesture-maker studio` like `studio`, in a process that runs `code` before, such as for less patience."""
    given = ["--no-open", "--port", "0", "--dataset", str(dataset), *arguments]
    with running_studio(program_with(code), given, folder, settings) as running:
        yield running


def program_with(code: str) -> tuple[str, ...]:
    """Return the arguments of a Python that runs `code` and then the command line."""
    return "-c", f"{code}\nfrom gesture_maker.cli import main\nmain()"


@contextmanager
def running_studio(
    program: Sequence[str], arguments: Sequence[str], folder: Path, settings: Mapping[str, str]
) -> Iterator[StudioProcess]:
    """Run a studio with exactly these arguments, and end it with the block."""
    process = subprocess.Popen(
        [sys.executable, *program, "studio", *arguments],
        cwd=folder,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield StudioProcess(process, _address(process), folder)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def _address(process: subprocess.Popen[str]) -> str:
    """Return the address that the studio prints."""
    assert process.stdout is not None
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            if found := re.search(r"http://\S+", line):
                return found.group()
    finally:
        timer.cancel()
    assert process.stderr is not None
    raise AssertionError(f"the studio printed no address: {process.stderr.read()}")


def memory_of(process: int) -> int:
    """Return the resident memory of a process in bytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
