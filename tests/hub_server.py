"""A server on loopback that speaks the Hub's HTTP interface, for tests: repositories, commits, revisions, LFS, and its errors.

It is written after the requests that huggingface_hub sends and the answers that it reads: whoami, create, model info, branch, the
check of a model card's metadata, pre-upload, LFS batch with PUT and verify, commit as lines of JSON, and resolve with HEAD, GET and
Range, which sends large files on to another address as the Hub does to its storage.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

LARGE_SUFFIXES = (".tflite", ".task", ".png", ".h5", ".bin", ".pkl")  # as a repository's .gitattributes names some
LARGE_BYTES = 10 << 20  # from here on everything is large

PIPELINE_TAGS = ("image-classification", "video-classification", "keypoint-detection", "text-generation")
"""Some of the Hub's tasks."""


@dataclass
class Repository:
    """`commits`: the files at each, by name; `branches`: the commit of each; `large`: SHA-256 of the LFS files at each commit."""

    owner: str
    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)

    def commit_of(self, revision: str) -> str | None:
        return self.branches.get(revision) or (revision if revision in self.commits else None)

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """The files at a revision, by name."""
        return self.commits[self.branches.get(revision, revision)]

    def commit(self, files: dict[str, bytes], message: str, branch: str = "main") -> str:
        """Make a commit of these files and no others, and return its name."""
        parent = self.branches.get(branch, "")
        oids = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        name = hashlib.sha1(json.dumps([parent, message, oids, len(self.commits)]).encode()).hexdigest()
        self.commits[name], self.branches[branch], self.messages[name] = dict(files), name, message
        return name

    def change(self, branch: str = "main", **files: bytes | None) -> str:
        """Commit other contents of some files, or None to remove one, as somebody does on the Hub's page; `__` stands for a dot."""
        changed = {name.replace("__", "."): content for name, content in files.items()}
        after = {**self.files(branch), **{name: one for name, one in changed.items() if one is not None}}
        return self.commit(
            {name: one for name, one in after.items() if changed.get(name, b"") is not None}, "Changed", branch
        )


@dataclass
class Fault:
    """What goes wrong with the next `times` requests of a method and path: an answer with `status`, or the connection breaks off
    `after` so many bytes of the body."""

    method: str
    path: str
    status: int | None = None
    after: int | None = None
    times: int = 1


class HubServer(ThreadingHTTPServer):
    """`users`: by token; `read_only`: tokens that may not write; `requests`: method and path of each, in their order; `headers_seen`: of each,
    by name in small letters."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.users: dict[str, str] = {}
        self.read_only: set[str] = set()
        self.repositories: dict[str, Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.verified: set[str] = set()
        self.upload_keys: dict[str, str] = {}
        self.requests: list[tuple[str, str]] = []
        self.headers_seen: list[dict[str, str]] = []
        self.faults: list[Fault] = []
        self.connections: list[socket.socket] = []
        self.lock = threading.RLock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def token(self, user: str, *, write: bool = True) -> str:
        """Return a new token of a user."""
        token = f"hf_{secrets.token_hex(17)}"
        self.users[token] = user
        if not write:
            self.read_only.add(token)
        return token

    def fetched(self, name: str) -> int:
        """How often a file was asked for."""
        return sum(
            method == "GET" and path.endswith(f"/{name}") and "/resolve/" in path for method, path in self.requests
        )

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def get_request(self) -> tuple[socket.socket, Any]:
        request, address = super().get_request()
        self.connections.append(request)
        return request, address

    def close(self) -> None:
        """End at once, connections that a client keeps for later too."""
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


class _RefusalError(Exception):
    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet, or each answer waits 40 ms for the other side's acknowledgement
    server: HubServer

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - as http.server names them

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.query = parse_qs(parts.query)
        length = int(self.headers.get("Content-Length") or 0)
        with self.server.lock:
            self.server.requests.append((self.command, path))
            self.server.headers_seen.append({name.lower(): value for name, value in self.headers.items()})
        fault = self.server.fault_for(self.command, path)
        self.break_after = fault.after if fault else None
        if self.break_after is not None and length:  # of an upload, so much is read
            self.rfile.read(min(length, self.break_after))
            self._hang_up()
            return
        self.body = self._chunks() if self.headers.get("Transfer-Encoding") == "chunked" else self.rfile.read(length)
        try:
            if fault and fault.status:
                raise _RefusalError(fault.status, "It broke.")
            for methods, pattern, handle in ROUTES:
                found = re.fullmatch(pattern, path)
                if found and self.command in methods:
                    handle(self, **found.groupdict())
                    return
            raise _RefusalError(404, "Sorry, we can't find the page you are looking for.")
        except _RefusalError as refusal:
            headers = {"X-Error-Message": refusal.message, **({"X-Error-Code": refusal.code} if refusal.code else {})}
            self._json({"error": refusal.message}, refusal.status, headers)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._bytes(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _bytes(self, content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.break_after is not None:
            self.wfile.write(content[: self.break_after])
            self._hang_up()
            return
        self.wfile.write(content)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True

    # Who is asking

    @property
    def user(self) -> str | None:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if not token:
            return None
        if kind != "Bearer" or token not in self.server.users:
            raise _RefusalError(401, "Invalid credentials in Authorization header")
        return self.server.users[token]

    def repository(self, repo: str, *, to_write: bool = False) -> Repository:
        found, user = self.server.repositories.get(repo), self.user
        if found is None or (found.private and found.owner != user):
            raise _RefusalError(404 if user else 401, "Repository not found", "RepoNotFound")
        if to_write:
            self._may_write(found.owner)
        return found

    def _may_write(self, owner: str) -> None:
        user = self.user
        if user is None:
            raise _RefusalError(401, "Invalid username or password.")
        if owner != user or self.headers["Authorization"].split()[1] in self.server.read_only:
            raise _RefusalError(403, "You don't have the rights to write here")

    def commit_of(self, repository: Repository, revision: str) -> str:
        commit = repository.commit_of(unquote(revision))
        if commit is None:
            raise _RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit

    # The interface

    def whoami(self) -> None:
        if self.user is None:
            raise _RefusalError(401, "Invalid username or password.")
        self._json({"type": "user", "name": self.user, "orgs": []})

    def create(self) -> None:
        asked = json.loads(self.body)
        owner = asked.get("organization") or self.user
        self._may_write(owner)
        repo = f"{owner}/{asked['name']}"
        private = asked.get("private") is True or asked.get("visibility") == "private"
        with self.server.lock:
            exists = repo in self.server.repositories
            if not exists:
                made = Repository(owner, private)
                made.commit({".gitattributes": b"*.tflite filter=lfs diff=lfs merge=lfs -text\n"}, "initial commit")
                self.server.repositories[repo] = made
        url = f"{self.server.address}/{repo}"
        self._json({"url": url, "name": repo, **({"error": "exists"} if exists else {})}, 409 if exists else 200)

    def info(self, repo: str, revision: str = "main") -> None:
        repository = self.repository(repo)
        commit = self.commit_of(repository, revision)
        siblings = [{"rfilename": name} for name in sorted(repository.commits[commit])]
        self._json(
            {
                "id": repo,
                "modelId": repo,
                "sha": commit,
                "private": repository.private,
                "siblings": siblings,
                "tags": [],
            }
        )

    def branch(self, repo: str, revision: str) -> None:
        repository = self.repository(repo, to_write=True)
        name = unquote(revision)
        if name in repository.branches:
            raise _RefusalError(409, "Reference already exists")
        repository.branches[name] = repository.branches["main"]
        self._json({})

    def validate(self) -> None:
        """As the Hub does, refuse a card whose metadata it could not read."""
        text = json.loads(self.body)["content"]
        found = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
        problems = []
        values = yaml.safe_load(found[1]) if found else {}
        if not isinstance(values, dict) or values.get("pipeline_tag", PIPELINE_TAGS[0]) not in PIPELINE_TAGS:
            problems.append("pipeline_tag is none of the Hub's")
        for model in values.get("model-index", []):
            for result in model["results"]:
                if not {"type"} <= set(result["task"]) or not {"type", "name"} <= set(result["dataset"]):
                    problems.append("a result lacks its task or dataset")
                if not all({"type", "value"} <= set(metric) for metric in result["metrics"]):
                    problems.append("a metric lacks its type or value")
        answer = {"errors": [{"message": one} for one in problems], "warnings": []}
        self._json(answer, 400 if problems else 200)

    def preupload(self, repo: str, revision: str) -> None:
        repository = self.repository(repo, to_write=True)
        there = repository.commits[self.commit_of(repository, revision)]
        answers = []
        for file in json.loads(self.body)["files"]:
            sample = base64.b64decode(file["sample"])
            large = file["path"].endswith(LARGE_SUFFIXES) or file["size"] >= LARGE_BYTES or b"\0" in sample
            answer = {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            if file["path"] in there:
                answer["oid"] = _oid(there[file["path"]], large)
            answers.append(answer)
        self._json({"files": answers})

    def batch(self, repo: str) -> None:
        self.repository(repo, to_write=True)
        asked = json.loads(self.body)
        assert asked["operation"] == "upload"
        assert "basic" in asked["transfers"]
        objects = []
        for one in asked["objects"]:
            answer = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.server.verified:
                key = secrets.token_hex(8)
                self.server.upload_keys[key] = one["oid"]
                upload = {"href": f"{self.server.address}/storage/{one['oid']}?key={key}"}
                verify = {"href": f"{self.server.address}/{repo}.git/info/lfs/objects/verify"}
                answer["actions"] = {"upload": upload, "verify": verify}
            objects.append(answer)
        self._json({"transfer": "basic", "objects": objects}, headers={"Content-Type": "application/vnd.git-lfs+json"})

    def store(self, oid: str) -> None:
        key = self.query.get("key", [""])[0]
        if self.server.upload_keys.get(key) != oid:
            raise _RefusalError(403, "This address was not given out")
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise _RefusalError(400, "The content has another SHA-256")
        self.server.stored[oid] = self.body
        self._bytes(b"")

    def verify(self, repo: str) -> None:
        self.repository(repo, to_write=True)
        asked = json.loads(self.body)
        if len(self.server.stored.get(asked["oid"], b"")) != asked["size"]:
            raise _RefusalError(404, "It was not uploaded")
        self.server.verified.add(asked["oid"])
        self._json({})

    def commit(self, repo: str, revision: str) -> None:
        repository = self.repository(repo, to_write=True)
        self.commit_of(repository, revision)
        files = dict(repository.files(unquote(revision)))
        lines = [json.loads(line) for line in self.body.splitlines()]
        message = next(line["value"]["summary"] for line in lines if line["key"] == "header")
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.server.verified:
                    raise _RefusalError(400, "A large file was not uploaded")
                files[value["path"]] = self.server.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                if value["path"] not in files:
                    raise _RefusalError(404, "A file with this name doesn't exist", "EntryNotFound")
                del files[value["path"]]
        commit = repository.commit(files, message, unquote(revision))
        self._json({"commitUrl": f"{self.server.address}/{repo}/commit/{commit}", "commitOid": commit})

    def resolve(self, repo: str, revision: str, name: str) -> None:
        repository = self.repository(repo)
        commit = self.commit_of(repository, revision)
        content = repository.commits[commit].get(name)
        if content is None:
            raise _RefusalError(404, "Entry not found", "EntryNotFound")
        large = name.endswith(LARGE_SUFFIXES) or len(content) >= LARGE_BYTES
        headers = {"X-Repo-Commit": commit, "ETag": f'"{_oid(content, large)}"', "Accept-Ranges": "bytes"}
        if not large:
            self._ranged(content, headers)
            return
        oid = hashlib.sha256(content).hexdigest()
        self.server.stored[oid] = content
        headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{oid}"'}
        # The same server by another name, as the Hub's storage is another host: a token has no business there.
        self._bytes(
            b"", 302, {**headers, "Location": f"http://localhost:{self.server.server_address[1]}/storage/{oid}"}
        )

    def stored(self, oid: str) -> None:
        if "Authorization" in self.headers:
            raise _RefusalError(400, "Only one auth mechanism allowed")
        if oid not in self.server.stored:
            raise _RefusalError(404, "No such object")
        self._ranged(self.server.stored[oid], {"Accept-Ranges": "bytes"})

    def _ranged(self, content: bytes, headers: dict[str, str]) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not found:
            self._bytes(content, 200, headers)
            return
        begin, end = int(found[1]), min(int(found[2] or len(content)), len(content) - 1)
        if begin >= len(content):
            self._bytes(b"", 416, {**headers, "Content-Range": f"bytes */{len(content)}"})
            return
        piece = content[begin : end + 1]
        self._bytes(piece, 206, {**headers, "Content-Range": f"bytes {begin}-{end}/{len(content)}"})


def _oid(content: bytes, large: bool) -> str:
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


_REPO = r"(?P<repo>[\w.-]+/[\w.-]+?)"
ROUTES: list[tuple[tuple[str, ...], str, Callable[..., None]]] = [
    (("GET",), r"/api/whoami-v2", Handler.whoami),
    (("POST",), r"/api/repos/create", Handler.create),
    (("POST",), r"/api/validate-yaml", Handler.validate),
    (("GET",), rf"/api/models/{_REPO}/revision/(?P<revision>.+)", Handler.info),
    (("GET",), rf"/api/models/{_REPO}", Handler.info),
    (("POST",), rf"/api/models/{_REPO}/branch/(?P<revision>.+)", Handler.branch),
    (("POST",), rf"/api/models/{_REPO}/preupload/(?P<revision>.+)", Handler.preupload),
    (("POST",), rf"/api/models/{_REPO}/commit/(?P<revision>.+)", Handler.commit),
    (("POST",), rf"/{_REPO}\.git/info/lfs/objects/batch", Handler.batch),
    (("POST",), rf"/{_REPO}\.git/info/lfs/objects/verify", Handler.verify),
    (("PUT",), r"/storage/(?P<oid>[0-9a-f]{64})", Handler.store),
    (("GET", "HEAD"), r"/storage/(?P<oid>[0-9a-f]{64})", Handler.stored),
    (("GET", "HEAD"), rf"/{_REPO}/resolve/(?P<revision>[^/]+)/(?P<name>.+)", Handler.resolve),
]


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Yield a server that listens, empty."""
    server = HubServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
