"""A hub and a GitHub on loopback: HTTP servers that speak what their clients ask for, and fail as told.

The files are of our own. A `Trouble` says what one answer, or several, shall suffer.
"""

import contextlib
import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40


@dataclass
class Trouble:
    """What befalls the first `times` requests whose line (`GET /path`) holds `at`.

    Another `status`; a silence of `stall` seconds; a body that is `cut` after so many bytes, with a
    reset of the connection, silence for ever (`hang`), or a plain end; a `length` that it does not have.
    """

    at: str
    times: int = 1
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    stall: float = 0
    cut: int | None = None
    reset: bool = False
    hang: bool = False
    length: int | None = None


@dataclass
class Server:
    """`asked` is every request line there was; `ranges`, `tokens`: those headers where they were."""

    url: str = ""
    status: int = 200
    troubles: list[Trouble] = field(default_factory=list)
    resumes: bool = True
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def trouble(self, line: str) -> Trouble:
        """The next trouble for a request; one that is none where there is none."""
        for trouble in self.troubles:
            if trouble.at in line and trouble.times > 0:
                trouble.times -= 1
                return trouble
        return Trouble("")

    def count(self, at: str) -> int:
        """How many request lines hold `at`."""
        return sum(at in line for line in self.asked)

    def answer(self, path: str, handler: "Handler") -> None:
        raise NotImplementedError


@dataclass
class Hub(Server):
    """Repositories by (kind, id) -> files; `commits`: by id, where one has another than COMMIT."""

    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)

    def environment(self, cache: object) -> dict[str, str]:
        """For a process that is to use this hub and a cache of its own, and not to wait for long."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(cache),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "GRMEVAL_RETRY_SECONDS": "0.3",
        }

    def answer(self, path: str, handler: "Handler") -> None:
        for (kind, name), files in self.files.items():
            if path.startswith(f"/api/{kind}s/{name}"):
                self._api(path.removeprefix(f"/api/{kind}s/{name}"), name, files, handler)
                return
            folder = f"/{name}/resolve/" if kind == "model" else f"/{kind}s/{name}/resolve/"
            if path.startswith(folder):
                _, _, file = path.removeprefix(folder).partition("/")
                if file in files:
                    about = {"X-Repo-Commit": self.commits.get(name, COMMIT)}
                    handler.send(200, files[file], about, etag=True)
                    return
        handler.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _api(self, rest: str, name: str, files: dict[str, bytes], handler: "Handler") -> None:
        revision = rest.split("/")[2] if rest else "main"
        commit = self.commits.get(name, COMMIT)
        if revision not in ("main", commit):
            handler.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif rest.startswith("/tree/"):
            tree = [
                {"type": "file", "path": path, "size": len(content), "oid": sha256(content)}
                for path, content in files.items()
            ]
            handler.send(200, json.dumps(tree).encode())
        else:
            about = {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in files]}
            handler.send(200, json.dumps(about).encode())


@dataclass
class GitHub(Server):
    """Files by the path of their URL; `etags`: whether answers name what they are of."""

    files: dict[str, bytes] = field(default_factory=dict)
    etags: bool = True

    def answer(self, path: str, handler: "Handler") -> None:
        if path in self.files:
            handler.send(200, self.files[path], etag=self.etags)
        else:
            handler.send(404, b"Not Found")


class Handler(BaseHTTPRequestHandler):
    server_of: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        line = f"{self.command} {self.path}"
        self.server_of.asked.append(line)
        for name, seen in (
            ("Range", self.server_of.ranges),
            ("Authorization", self.server_of.tokens),
        ):
            seen += self.headers.get_all(name, [])
        self.trouble = self.server_of.trouble(line)
        time.sleep(self.trouble.stall)
        if self.server_of.status != 200 or self.trouble.status:
            self.send(self.trouble.status or self.server_of.status, b"{}", self.trouble.headers)
        else:
            self.server_of.answer(unquote(urlsplit(self.path).path), self)

    def send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, etag: bool = False
    ) -> None:
        """Answer; `etag` says that parts of the body may be asked for."""
        headers = dict(headers or {})
        if etag:
            headers["ETag"] = f'"{sha256(body)}"'
            if start := self._start(headers["ETag"], len(body)):
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                status, body = 206, body[start:]
        told = len(body) if self.trouble.length is None or status >= 400 else self.trouble.length
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(told)}.items():
            self.send_header(name, value)
        with contextlib.suppress(ConnectionError):  # a client that did not wait
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body[: self.trouble.cut])
        if self.trouble.cut is not None or told != len(body):
            self._hang_up()

    def _start(self, etag: str, size: int) -> int:
        """Where the wanted part begins; 0: the whole."""
        wanted = self.headers.get("Range", "bytes=0-")
        if not self.server_of.resumes or self.headers.get("If-Range", etag) != etag:
            return 0
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        return start if start < size else 0

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        if self.trouble.hang:
            time.sleep(600)  # of a daemon's: nobody waits for it
        if self.trouble.reset:  # close() then sends RST at once
            time.sleep(0.1)  # what was written must have been read
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


Site = TypeVar("Site", bound=Server)


@contextlib.contextmanager
def serve(site: Site) -> Iterator[Site]:
    """Answer requests until the block ends."""
    handler = type("OneServer", (Handler,), {"server_of": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sha256(content: bytes) -> str:
    """The hub's ETag of a large file."""
    return hashlib.sha256(content).hexdigest()
