"""Who may talk to the studio: this machine's own user, in a browser, from the studio's own page.

The server listens on 127.0.0.1, but every page that is open in the user's browser can send requests there, and a page's host name
may be made to point there (DNS rebinding). So a request has to name the studio's own host (`Host`), must not come from a
page of another origin (`Origin`), and has to bring a secret: a random token in the address that was opened, from then on a cookie
which no script can read and which browsers send from the studio's own page only.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from gesture_maker.studio.pages import refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HOSTS = ("127.0.0.1", "localhost")
SAFE_METHODS = frozenset({"GET", "HEAD"})

MAX_BODY = 1 << 20
"""Bytes of a request that is no upload: a list of 10,000 photos to delete has 400 kB."""

UPLOADS = frozenset({"/api/upload/file", "/api/upload/try/photo", "/api/upload/try/video"})
"""Requests that bring files, which are read piece by piece and limited there (`receiving.py`)."""

TOKEN = "token"

_NO_KEY = "This address lacks the studio's key: open the one that gesture-maker studio printed when it was started."

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Gate:
    """Lets through what comes from the studio's own page, refuses everything else, and says how pages are to be treated.

    `port`: where the studio listens; `token`: what the opened address has to carry, by default a random one. `entrance`: path and
    query of that address.
    """

    def __init__(self, app: App, port: int, token: str | None = None) -> None:
        self._app = app
        self._token = token or secrets.token_urlsafe(32)
        self._cookie = f"gesture_maker_{port}"  # cookies are for a host with all its ports
        self._hosts = {f"{host}:{port}" for host in HOSTS}
        self._origins = {f"http://{host}" for host in self._hosts}
        sockets = " ".join(sorted(f"ws://{host}" for host in self._hosts))  # some browsers do not count them to 'self'
        self._headers = [
            (name.encode(), value.encode())
            for name, value in {
                "content-security-policy": _POLICY.format(sockets=sockets),
                "x-content-type-options": "nosniff",
                "referrer-policy": "no-referrer",
                "cross-origin-opener-policy": "same-origin",
                "cross-origin-resource-policy": "same-origin",
                "permissions-policy": "camera=(self), microphone=(), geolocation=()",
            }.items()
        ]
        self.entrance = f"/?{TOKEN}={self._token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers_of(scope)
        entering = self._brings_token(scope)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", []))
                if entering:
                    value = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"
                    given.append((b"set-cookie", value.encode()))
                if not any(
                    name.lower() == b"cache-control" for name, _ in given
                ):  # static files are asked after, by ETag
                    kept = b"no-cache" if scope["path"].startswith("/static/") else b"no-store"
                    given.append((b"cache-control", kept))
                message["headers"] = [*given, *self._headers]
            await send(message)

        problem = self._problem(headers, scope["method"] not in SAFE_METHODS)
        if problem is None and not (entering or self._has_cookie(headers)):
            problem = 403, _NO_KEY
        if problem is not None:
            entering = False
            answer = refusal(*problem)
            answer.headers["connection"] = "close"  # what else a stranger sends is not waited for
            await answer(scope, receive, sending)
            return
        await self._app(scope, _limited(receive, scope, headers), sending)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers_of(scope)
        if self._problem(headers, True) or not self._has_cookie(headers):
            await receive()  # websocket.connect
            await send({"type": "websocket.close", "code": 1008})  # before the handshake: answered with 403
            return
        await self._app(scope, receive, send)

    def _problem(self, headers: dict[str, list[str]], changes: bool) -> tuple[int, str] | None:
        """Return the status and sentence for a request from elsewhere, None for one of the studio's own page."""
        if len(headers.get("host", [])) != 1 or headers["host"][0].lower() not in self._hosts:
            return 421, "The studio answers to 127.0.0.1 and localhost only."
        origins = headers.get("origin", [])
        if any(origin not in self._origins for origin in origins) or len(origins) > 1 or (changes and not origins):
            return 403, "The studio takes requests from its own page only."
        return None

    def _brings_token(self, scope: Scope) -> bool:
        if scope["path"] != "/" or scope["method"] not in SAFE_METHODS:
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get(TOKEN, [])
        return len(given) == 1 and self._is_token(given[0])

    def _has_cookie(self, headers: dict[str, list[str]]) -> bool:
        """Tell whether any cookie of the studio's name holds its token.

        Other servers on this machine set cookies for the same host, of any name and form, which `http.cookies` gives up on.
        """
        pairs = (pair.partition("=") for header in headers.get("cookie", []) for pair in header.split(";"))
        return any(name.strip() == self._cookie and self._is_token(value.strip()) for name, _, value in pairs)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _headers_of(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _limited(receive: Receive, scope: Scope, headers: dict[str, list[str]]) -> Receive:
    """Return `receive` for a body of at most `MAX_BODY`, whether its length is said beforehand or not.

    Uploads count for themselves.
    """
    if scope["path"] in UPLOADS:
        return receive
    from fastapi import HTTPException

    received = 0
    announced = int(headers.get("content-length", ["0"])[0])  # digits, or it would not have come so far

    async def limited() -> Message:
        nonlocal received
        message: Message = {} if announced > MAX_BODY else await receive()
        received += len(message.get("body", b""))
        if max(received, announced) > MAX_BODY:
            raise HTTPException(413, f"This request is larger than {MAX_BODY:,} bytes.")
        return message

    return limited
