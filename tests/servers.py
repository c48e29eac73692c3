"""A real `gesture-maker serve` on loopback, in a process of its own, for tests."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from helpers import environment

PATIENCE = 120  # seconds; only for a broken program, nothing waits this long


class Server:
    """A server that listens: its `address`, what it `said`, and its process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("End it"):
                break
        text = "\n".join(self.said)
        found = re.search(r"The server is at  (http://\S+)/invocations", text)
        if found is None:
            raise AssertionError(f"it did not start: {text} {process.communicate(timeout=PATIENCE)[1]}")
        self.address = found[1]
        self.session = requests.Session()
        self.session.trust_env = False

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def post(self, body: Any, content_type: str = "application/json") -> requests.Response:
        """Return the answer to a body: an object as JSON, or text or bytes as they are."""
        headers = {"Content-Type": content_type}
        place = f"{self.address}/invocations"
        if isinstance(body, str | bytes):
            return self.session.post(place, data=body, headers=headers, timeout=PATIENCE)
        return self.session.post(place, json=body, timeout=PATIENCE)

    def answers(self, body: Any, content_type: str = "application/json") -> list[dict[str, Any]]:
        """Return the predictions for a body that is answered."""
        response = self.post(body, content_type)
        assert response.status_code == 200, response.text
        predictions = response.json()["predictions"]
        assert isinstance(predictions, list)
        return predictions

    def refusal(self, body: Any, content_type: str = "application/json", status: int = 400) -> str:
        """Return the sentence of a body that is refused as it should be: with this status, in one line."""
        response = self.post(body, content_type)
        assert response.status_code == status, response.text
        sentence = str(response.json()["message"])
        assert "\n" not in sentence
        assert "Traceback" not in response.text
        return sentence

    def end(self, by: int = signal.SIGINT) -> tuple[int, str]:
        """Send a signal and return the status and what was written to stderr."""
        self.process.send_signal(by)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err


@contextmanager
def serving(model: str | Path, *options: str, cwd: Path) -> Iterator[Server]:
    """Yield a server of a model; at any free port unless the options name one."""
    port = () if "--port" in options else ("--port", "0")
    process = subprocess.Popen(
        [sys.executable, "-m", "gesture_maker", "serve", str(model), *port, *options],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Server(process)
    finally:
        process.kill()
        process.communicate()
