"""What stands before MLflow's scoring server: it takes requests of any size, tells a caller the whole request and tracebacks, and answers
what it does not expect with 500."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

MOST_BYTES = 16 << 20
"""Of a request: a photo of 12 MB, or 6,000 hands."""

BODY_SECONDS = 30.0  # for the whole body of a request
LONGEST_SENTENCE = 400  # letters of an answer that says what is wrong

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_CODES = {
    404: "ENDPOINT_NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "RESOURCE_EXHAUSTED",
    500: "INTERNAL_ERROR",
    504: "DEADLINE_EXCEEDED",
}

_TOO_LARGE = f"The request is over {MOST_BYTES >> 20} MB: send fewer records at once, or smaller images."

_log = logging.getLogger(__name__)


class Gate:
    """An application that passes on to MLflow's what it can answer, and makes one sentence of each of its errors."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request; or begin and end, for which MLflow's application is asked as it is."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {bytes(name).lower(): bytes(value) for name, value in scope["headers"]}
        if scope["method"] == "POST" and b"content-type" not in headers:
            await _refuse(send, 415, "The request has no Content-Type: send application/json or text/csv.")
            return
        body = await _body(headers, receive, send)
        if body is None:
            return
        held = _Held(send)
        try:
            await self.app(scope, _given(body, receive), held)
        except RecursionError:
            await _refuse(send, 400, "The request is nested too deeply.")
        except Exception:
            _log.exception("A request could not be answered")
            await _refuse(send, 500, "The server could not answer this request; its log says why.")
        else:
            await held.release()


class _Held:
    """Passes on an answer, but holds one of an error back, until it is known whether it is the whole truth, and shortens it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            self._start = message
        elif self._start is not None:
            self._body += message.get("body", b"")
        else:
            await self._send(message)

    async def release(self) -> None:
        """Send what was held back, if anything was."""
        if self._start is not None:
            await _refuse(self._send, self._start["status"], _sentence_in(self._body))


def _sentence_in(body: bytes) -> str:
    """Return the first sentence of an error's answer: MLflow's go on with the request, and with tracebacks."""
    text = body[: 8 * LONGEST_SENTENCE].decode(errors="replace")
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        answer = json.loads(body)
        text = str(answer.get("message") or answer.get("detail") or text)
    line = next((line.strip() for line in text.splitlines() if line.strip()), "The request cannot be answered.")
    return line if len(line) <= LONGEST_SENTENCE else f"{line[:LONGEST_SENTENCE]}…"


async def _body(headers: dict[bytes, bytes], receive: Receive, send: Send) -> bytes | None:
    """Return the whole body of a request; None when it was refused, or the client went."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > MOST_BYTES:
        await _refuse(send, 413, _TOO_LARGE)
        return None
    pieces: list[bytes] = []
    size = 0
    try:
        while True:
            message = await asyncio.wait_for(receive(), BODY_SECONDS)
            if message["type"] == "http.disconnect":
                return None
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > MOST_BYTES:
                await _refuse(send, 413, _TOO_LARGE)
                return None
            if not message.get("more_body"):
                return b"".join(pieces)
    except (asyncio.TimeoutError, TimeoutError):
        await _refuse(send, 408, f"The request was not sent within {BODY_SECONDS:.0f} seconds.")
        return None


def _given(body: bytes, receive: Receive) -> Receive:
    """Return what gives an application the body that was read already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> Message:
        return messages.pop() if messages else await receive()

    return given


async def _refuse(send: Send, status: int, sentence: str) -> None:
    content = json.dumps({"error_code": _CODES.get(status, "BAD_REQUEST"), "message": sentence}).encode()
    length = str(len(content)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    if status in (408, 413):
        headers.append((b"connection", b"close"))  # what remains of the request is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
