"""A real HTTP server on loopback that speaks as an OpenAI-compatible API does, well or badly.

`answer` makes the text of a good answer from the request. Before it comes to that, `script` is played: each request
takes the next of its acts, which say or do something else; an act returns True where the good answer should follow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

Act = Callable[["Handler"], bool | None]


class Server(ThreadingHTTPServer):
    def __init__(self, answer: Callable[[dict[str, Any]], str], script: list[Act] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.script = answer, list(script or [])
        self.requests: list[dict[str, Any]] = []
        """All that came, those that an act spoilt included."""
        self.keys: set[str | None] = set()
        self.model: str | None = None
        """Who answers; None: whoever was asked."""
        self.owner, self.version = "vllm", "0.11.0"
        self.finish = "stop"
        self.whole: Callable[[dict[str, Any]], bytes] | None = None
        """Makes all of a good answer's body instead."""
        self.at_once = self.most_at_once = 0
        self.seconds = 0.0
        """How long an answer takes."""
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *args: object) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.say({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": self.server.owner}]})
        elif self.path == "/version" and self.server.version:
            self.say({"version": self.server.version})
        else:
            self.say({"error": {"message": "no such page"}}, 404)

    def do_POST(self) -> None:
        server = self.server
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.requests.append(request)
            server.keys.add(self.headers["Authorization"])
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
            act = server.script.pop(0) if server.script else None
        try:
            time.sleep(server.seconds)
            if self.path != "/v1/chat/completions":
                self.say({"error": {"message": "no such page"}}, 404)
            elif server.whole and act is None:
                self.say(server.whole(request))
            elif act is None or act(self):
                self.say(completion(server.answer(request), server.model or request["model"], server.finish))
        finally:
            with server.lock:
                server.at_once -= 1

    def say(self, body: Any, status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None: ...


def completion(text: str | None, model: str, finish: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage}
    return {**body, "system_fingerprint": "fp_1"}


def status(code: int, **headers: str) -> Act:
    """An error, and its headers."""
    return lambda handler: handler.say({"error": {"message": f"not now ({code})"}}, code, **headers)


def saying(body: Any) -> Act:
    """Something else, with status 200."""
    return lambda handler: handler.say(body)


def cut(handler: Handler) -> None:
    """Half of what was announced, then nothing."""
    data = json.dumps(completion("whole", "m")).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def cut_in_chunks(handler: Handler) -> None:
    """A chunk, and a connection closed before the last one."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'10\r\n{"id": "x", "obj\r\n')
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """No answer at all."""
    handler.close_connection = True


def silent(seconds: float) -> Act:
    """Nothing for so long, then a good answer that nobody waits for any more."""

    def act(handler: Handler) -> bool:
        time.sleep(seconds)
        return True

    return act


def trickle(seconds: float) -> Act:
    """A byte now and then, which keeps every pause between two of them short."""

    def act(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.02)
        handler.close_connection = True

    return act


@contextmanager
def serving(answer: Callable[[dict[str, Any]], str], script: list[Act] | None = None) -> Iterator[Server]:
    server = Server(answer, script)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
