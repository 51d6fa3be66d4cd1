"""A hub on loopback: an HTTP server that speaks what huggingface_hub asks for, with files of our own."""

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c" * 40


@dataclass
class Hub:
    """Repositories by (kind, id) -> files; `asked` is every request line there was."""

    files: dict[tuple[str, str], dict[str, bytes]]
    url: str = ""
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def environment(self, cache: object) -> dict[str, str]:
        """For a process that is to use this hub and a cache of its own."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(cache),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        if self.hub.status != 200:
            self._send(self.hub.status, b"{}")
            return
        path = unquote(urlsplit(self.path).path)
        for (kind, name), files in self.hub.files.items():
            if path.startswith(f"/api/{kind}s/{name}"):
                self._api(path.removeprefix(f"/api/{kind}s/{name}"), kind, name, files)
                return
            folder = f"/{name}/resolve/" if kind == "model" else f"/{kind}s/{name}/resolve/"
            if path.startswith(folder):
                _, _, file = path.removeprefix(folder).partition("/")
                if file in files:
                    self._send(200, files[file], COMMIT)
                    return
        self._send(404, b"{}", error="RepoNotFound")

    def _api(self, rest: str, kind: str, name: str, files: dict[str, bytes]) -> None:
        if rest.startswith("/tree/"):
            tree = [
                {"type": "file", "path": path, "size": len(content), "oid": _etag(content)}
                for path, content in files.items()
            ]
            self._send(200, json.dumps(tree).encode())
            return
        revision = rest.removeprefix("/revision/") if rest else "main"
        if revision not in ("main", COMMIT):
            self._send(404, b"{}", error="RevisionNotFound")
            return
        about = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": path} for path in files]}
        self._send(200, json.dumps(about).encode())

    def _send(
        self, status: int, body: bytes, commit: str | None = None, error: str | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if commit:
            self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{_etag(body)}"')
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Answer requests until the block ends."""
    handler = type("OneHub", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _etag(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
