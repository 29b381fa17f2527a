"""The HTTP of the bucket for tests, and the faults that are ordered of it."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from gcs.api import Request, answer, content_range
from gcs.objects import Refused, Store

Kind = Literal["status", "lost", "broken", "stalled", "partial", "cut", "corrupt", "expired"]


@dataclass
class Fault:
    """What goes wrong with a request.

    status: it is answered with `status`, and nothing is done.  lost: it is done, and the connection ends unanswered.
    broken: the connection ends in the middle of the body, to either side.  stalled: the same, but it stays open.
    partial: half of a resumable upload's chunk is kept (308).  cut: half is stored or sent as if it were all.
    corrupt: one bit differs in what is stored or sent.  expired: all tokens so far are good no longer (401).
    """

    kind: Kind
    on: str
    """Regular expression, looked for in `METHOD /path?query`."""
    times: int = 1
    skip: int = 0
    """Requests that pass first."""
    status: int = 503
    told: Any = "The service is not available; try again."
    """The message of the error that a status comes with."""

    def damaged(self, content: bytes) -> bytes:
        """What is left of the content."""
        if self.kind == "corrupt" and content:
            return content[:-1] + bytes([content[-1] ^ 1])
        return content[: len(content) // 2] if self.kind in ("cut", "partial") else content


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store: Store) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = store
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        """`METHOD /path?query` of each, in order."""
        self.tokens: set[str] | None = None
        """Those that are good; None: anybody may come. `POST /token` makes one."""
        self.token_seconds = 3600
        self.closing = threading.Event()

    def fault(self, line: str) -> Fault:
        """What is ordered for this request, used up by it; a fault that does nothing where that is none."""
        with self.store.lock:
            self.requests.append(line)
            for fault in self.faults:
                if re.search(fault.on, line) and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return Fault("status", "", status=0)

    def handle_error(self, *_: Any) -> None:
        """A client that leaves is no error."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        self.fault = self.server.fault(f"{self.command} {self.path}")
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        try:
            body = self._body(query)
            self._refuse_at_the_door()
            if split.path == "/token":
                return self._answer(200, self._token())
            asked = Request(
                self.command, split.path, query, dict(self.headers.items()), body, self.fault.damaged,
                self.fault.kind == "cut", self.server.store, self.server.url,
            )  # fmt: skip
            with self.server.store.lock:
                done = answer(asked)
            self._answer(*done)
        except Refused as refused:
            error = {"code": refused.status, "message": refused.told, "errors": [{"message": refused.told}]}
            self._answer(refused.status, b"" if refused.status == 304 else {"error": error})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def _body(self, query: dict[str, str]) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        length = int(self.headers.get("Content-Length", 0))
        breaks = length > 0 and self.fault.kind in ("broken", "stalled")
        body = self.rfile.read(length // 2 if breaks else length)
        if len(body) < length:
            upload = self.server.store.uploads.get(query.get("upload_id", ""))
            if upload is not None:  # what came of a chunk counts
                first, _ = content_range(self.headers.get("Content-Range"))
                with self.server.store.lock:
                    self.server.store.receive(upload, body, first, None, {})
            self._leave()
        return body

    def _chunk(self) -> bytes:
        content = self.rfile.read(int(self.rfile.readline().split(b";")[0], 16))
        self.rfile.readline()
        return content

    def _refuse_at_the_door(self) -> None:
        if self.fault.kind == "status" and self.fault.status:
            raise Refused(self.fault.status, self.fault.told)
        tokens = self.server.tokens
        if self.fault.kind == "expired" and tokens:
            tokens.clear()
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if tokens is not None and shown not in tokens and self.path != "/token":
            raise Refused(401, "Invalid Credentials")

    def _token(self) -> dict[str, Any]:
        token = f"token-{len(self.server.requests)}"
        if self.server.tokens is not None:
            self.server.tokens.add(token)
        return {"access_token": token, "expires_in": self.server.token_seconds, "token_type": "Bearer"}

    def _answer(self, status: int, body: Any = b"", headers: dict[str, str] | None = None) -> None:
        if self.fault.kind == "lost":
            self._leave()
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if self.command == "GET":
            content = self.fault.damaged(content)
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json; charset=UTF-8"} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.fault.kind in ("broken", "stalled"):
            self.wfile.write(content[: len(content) // 2])
            self._leave()
        self.wfile.write(content)

    def _leave(self) -> None:
        """End the connection without another word; where it is to be stalled, when the client has left."""
        if self.fault.kind == "stalled":
            self.connection.settimeout(0.2)
            while not self.server.closing.is_set():
                with suppress(TimeoutError):
                    if not self.connection.recv(65536):
                        break
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(store: Store) -> Iterator[Server]:
    """The server, in a thread of this process."""
    server = Server(store)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
