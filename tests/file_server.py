"""A server of files on loopback, for tests of downloads: ranges, versions, connections that break off, and what it was asked."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """`files`: by name; `cuts`: after how many bytes of an answer's body the connection breaks off, one for each answer to come; `ranges`:
    whether it can send the rest of a file; `versions`: whether it says which version it sends; `status`: of all answers, if not 200;
    `asked`: name and Range of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.ranges = self.versions = True
        self.status = 200
        self.asked: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        server, name = self.server, self.path.rsplit("/", 1)[-1]
        wanted = self.headers.get("Range", "")
        server.asked.append((name, wanted))
        content = server.files.get(name)
        if content is None or server.status != 200:
            self.send_error(404 if content is None else server.status)
            return
        version = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        begin = re.fullmatch(r"bytes=(\d+)-", wanted) if server.ranges else None
        if begin and self.headers.get("If-Range", version) == version:
            start = int(begin[1])
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            content = content[start:]
        else:
            self.send_response(200)
        if server.versions:
            self.send_header("ETag", version)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: server.cuts.pop(0)] if server.cuts else content)


@contextmanager
def serving_files(**files: bytes) -> Iterator[FileServer]:
    """Yield a server of these files; `__` stands for a dot in their names."""
    server = FileServer()
    server.files = {name.replace("__", "."): content for name, content in files.items()}
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
